# SPDX-License-Identifier: BSD-2-Clause
"""FAT: what mtools wrote is read, and what the guest wrote is what fsck.fat and mtools find; FAT12, 16 and 32. The same
commands run on Debian's Linux."""

import lzma
import os
import re
import subprocess

import pytest

from harness import images

MIB = 1 << 20
# bits, MiB, options of mkfs.fat
VOLUMES = {12: (4, ()), 16: (16, ("-s", "4")), 32: (36, ("-s", "1"))}
MODULES = ["virtio", "virtio_ring", "virtio_mmio", "virtio_blk", "nls_base", "nls_cp437", "nls_utf8", "nls_ascii", "fat", "vfat"]
DIRTY = "Dirty bit is set"


def volume(bits, name):
    """An empty one with two files and a folder by mtools, as build/test/fat-NAME.img."""
    path = os.path.join(images.OUT, f"fat-{name}-{bits}.img")
    os.makedirs(images.OUT, exist_ok=True)
    size, options = VOLUMES[bits]
    with open(path, "wb") as file:
        file.truncate(size * MIB)
    images.command(["mkfs.fat", "-F", str(bits), "-n", "CARD", *options, path])
    source = os.path.join(images.OUT, "fat-source")
    with open(source, "wb") as file:
        file.write(b"".join(b"line %07d\n" % n for n in range(100000)))
    images.command(["mmd", "-i", path, "::/folder"])
    images.command(["mcopy", "-i", path, source, "::/A long name with spaces.txt"])
    images.command(["mcopy", "-i", path, source, "::/folder/SHORT.TXT"])
    return path, source


def checked(path):
    """fsck.fat finds nothing wrong. What it says."""
    result = subprocess.run(["fsck.fat", "-n", "-v", path], capture_output=True, text=True, check=False)
    assert result.returncode == 0 and DIRTY not in result.stdout, result.stdout + result.stderr
    return result.stdout


def linux_modules():
    """The modules that Debian's kernel needs for this, unpacked."""
    found = {}
    for top, _, names in os.walk(images.fetched("deb:linux-image-riscv64")):
        for name in names:
            word = name.split(".")[0].replace("-", "_")
            if word in MODULES and ".ko" in name:
                with open(os.path.join(top, name), "rb") as file:
                    data = file.read()
                found[word] = lzma.decompress(data) if name.endswith(".xz") else data
    return found


def boot(lab, kernel, disk):
    if kernel != "linux":
        return lab.shell(lab.spec(kernel=kernel, initrd=images.session_initrd(), disk=disk))
    archive = images.base_archive()
    modules = linux_modules()
    for name, data in modules.items():
        archive.add(f"lib/{name}.ko", 0o100644, data)
    shell = lab.shell(lab.spec(kernel="linux", initrd=images.stored(archive.bytes(), "fat-linux"), disk=disk))
    for name in MODULES:
        if name in modules:
            shell.check(f"insmod /lib/{name}.ko")
    shell.check("test -b /dev/vda")
    return shell


def contents(path, name):
    return subprocess.run(["mtype", "-i", path, name], capture_output=True, check=True).stdout


@pytest.mark.parametrize("bits", sorted(VOLUMES))
def test_what_the_guest_writes(lab, kernel, bits):
    path, source = volume(bits, kernel)
    shell = boot(lab, kernel, path)
    def check(command, timeout=90):
        return shell.check(command, timeout)

    check("mkdir -p /mnt; mount -t vfat -o iocharset=utf8 /dev/vda /mnt; cd /mnt")
    # what mtools wrote
    with open(source, "rb") as file:
        host = subprocess.run(["md5sum"], stdin=file, capture_output=True, text=True, check=True).stdout.split()[0]
    assert check("md5sum < 'A long name with spaces.txt'").split()[0] == host
    assert check("md5sum < folder/SHORT.TXT").split()[0] == host
    assert set(check("ls -1").split("\n")) == {"A long name with spaces.txt", "folder", ""}
    assert check("stat -c '%s %F %A' folder/SHORT.TXT").strip() == "1300000 regular file -rwxr-xr-x"
    # written, appended, cut, moved, removed
    check("seq 1 15000 > numbers; seq 15001 20000 >> numbers; seq 1 20000 > /tmp/numbers; cmp numbers /tmp/numbers", 120)
    check("mkdir -p new/deeper/deepest; mv numbers new/deeper/moved.numbers")
    check("cp 'A long name with spaces.txt' copy; dd if=/dev/null of=copy bs=1 seek=5000 2>/dev/null")
    check("dd if=/dev/zero of=holes bs=1 count=1 seek=300000 2>/dev/null")
    check("i=0; while [ $i -lt 150 ]; do echo $i > new/'file number '$i.txt; i=$((i+1)); done", 60)
    check("i=0; while [ $i -lt 150 ]; do rm new/'file number '$i.txt; i=$((i+3)); done", 60)
    check("mv new/'file number 1.txt' new/'file number 2.txt'; rm -r folder; mkdir folder; echo a > folder/b")
    check("echo grüße > 'Grüße €.txt'; echo x > UPPER.TXT; echo over > .dot")
    check("touch -d '2024-02-29 12:34:56' UPPER.TXT")
    assert check("stat -c %Y UPPER.TXT").strip() == "1709210096"
    # a file that is open lives on without a name
    check("exec 7<copy; rm copy; test $(wc -c <&7) = 5000; exec 7<&-")
    assert shell.run("rmdir new")[0] == 1
    assert shell.run("ln UPPER.TXT link")[0] == 1
    assert shell.run("ln -s UPPER.TXT link")[0] == 1
    assert shell.run("chmod 4711 UPPER.TXT")[0] == 1
    assert shell.run("echo 'x' > 'a*b'")[0] == 1
    check("mkdir gone; rmdir gone; chmod 555 UPPER.TXT; sync")
    assert "/dev/vda /mnt vfat rw" in check("cat /proc/mounts")
    check("cd /; umount /mnt")
    # by another mount, without a type
    check("mount /dev/vda /mnt; cmp /mnt/new/deeper/moved.numbers /tmp/numbers")
    assert check("stat -c %A /mnt/UPPER.TXT").strip() == "-r-xr-xr-x"
    check("umount /mnt; mount -o ro /dev/vda /mnt; ! touch /mnt/x; umount /mnt")
    shell.machine.write("poweroff -f\n")
    shell.machine.wait_end(30)
    # the host's view
    checked(path)
    assert contents(path, "::/new/deeper/moved.numbers") == "".join(f"{n}\n" for n in range(1, 20001)).encode()
    assert contents(path, "::/holes") == bytes(300001)
    assert contents(path, "::/new/file number 2.txt") == b"1\n"
    assert contents(path, "::/folder/b") == b"a\n"
    listing = images.command(["mdir", "-b", "-i", path, "::/new"], env={**os.environ, "LC_ALL": "C.UTF-8"})
    expected = {n for n in range(150) if n % 3} - {1}
    assert {int(n) for n in re.findall(r"file number (\d+)\.txt", listing)} == expected
    assert images.command(["mattrib", "-i", path, "::/UPPER.TXT"]).split()[:2] == ["A", "R"]


@pytest.mark.parametrize("bits", sorted(VOLUMES))
def test_full(lab, bits):
    """No space: what fits is there, the rest says so, and all comes back when it is removed."""
    path, _ = volume(bits, "full")
    shell = boot(lab, "vireo", path)
    shell.check("mkdir -p /mnt; mount -t vfat /dev/vda /mnt; cd /mnt; rm -r *; sync")
    free = int(shell.check("stat -f -c %a .")) * 4096
    status, text = shell.run("dd if=/dev/zero of=all bs=65536", 240)
    assert status == 1 and "No space left on device" in text
    size = int(shell.check("stat -c %s all"))
    assert free <= size <= free + 4096
    assert shell.run("mkdir more")[0] == 1
    assert shell.check("stat -f -c %a .").strip() == "0"
    shell.check("rm all; mkdir more; echo x > more/x; cd /; umount /mnt", 150)
    shell.machine.write("poweroff -f\n")
    shell.machine.wait_end(30)
    checked(path)


def test_case_does_not_matter(lab):
    path, _ = volume(16, "case")
    shell = boot(lab, "vireo", path)
    check = shell.check
    check("mkdir -p /mnt; mount -t vfat /dev/vda /mnt; cd /mnt")
    check("cmp FOLDER/short.txt folder/SHORT.TXT; cmp 'a LONG name WITH spaces.TXT' ALONGN~1.TXT")
    check("echo 1 > Mixed; echo 2 > mIXED; test \"$(cat Mixed)\" = 2; test $(ls | grep -ic mixed) = 1")
    check("exec 7<Mixed; rm MIXED; test ! -e Mixed; exec 7<&-")
    check("echo ä > Ä; test \"$(cat ä)\" = ä; mkdir Dir; echo in > dir/f; mv DIR/F dIR/G; test \"$(cat Dir/g)\" = in")
    check("test $(stat -c %i Dir) = $(stat -c %i dir); cd DIR; rm G; rmdir ../dir; cd ..; test ! -e Dir; umount /mnt || cd / && umount /mnt")


def test_volume_that_was_not_unmounted(lab):
    path, _ = volume(32, "dirty")
    shell = boot(lab, "vireo", path)
    shell.check("mkdir -p /mnt; mount -t vfat /dev/vda /mnt; seq 1 20000 > /mnt/x; sync; cp /mnt/x /mnt/y; sync")
    shell.machine.off()
    result = subprocess.run(["fsck.fat", "-n", path], capture_output=True, text=True, check=False)
    assert DIRTY in result.stdout
    with open(path, "r+b") as file:
        file.seek(0x41)
        assert file.read(1) == b"\1"
        file.seek(0x41)
        file.write(b"\0")
        file.flush()
        checked(path)  # nothing else is wrong
        file.seek(0x41)
        file.write(b"\1")
    assert contents(path, "::/y") == "".join(f"{n}\n" for n in range(1, 20001)).encode()
    shell = boot(lab, "vireo", path)
    shell.check("mkdir -p /mnt; mount -t vfat /dev/vda /mnt")
    assert "vda: FAT: it was not unmounted: run fsck.fat" in shell.check("dmesg")


def test_damaged_volume(lab):
    """A file whose chain leads nowhere: one line, EIO, and no more writing; the rest can be read."""
    path, _ = volume(16, "damaged")
    with open(path, "r+b") as file:
        file.seek(14)
        reserved = int.from_bytes(file.read(2), "little")
        at = reserved * 512 + 2 * 100  # in the midst of the first file
        file.seek(at)
        file.write(b"\x00\xf0")
    shell = boot(lab, "vireo", path)
    shell.check("mkdir -p /mnt; mount -t vfat /dev/vda /mnt; cd /mnt")
    status, text = shell.run("cat A*.txt > /dev/null")
    assert status == 1 and "I/O error" in text or "Input/output error" in text
    assert shell.check("dmesg | grep -c 'vda: FAT: .*the volume is damaged, read-only from now on'").strip() == "1"
    shell.check("md5sum folder/SHORT.TXT")
    assert "Read-only" in shell.run("touch x")[1]
    status, text = shell.run("cd /; mount -t vfat /dev/zero /mnt")
    assert status and "Block device required" in text
    shell.check("umount /mnt; dd if=/dev/zero of=/dev/vda bs=512 count=1 2>/dev/null")
    assert shell.run("mount -t vfat /dev/vda /mnt")[0] != 0


@pytest.mark.parametrize("bits", [16, 32])
def test_requests_are_large(lab, bits):
    """3 MiB are 24 runs of 32 pages, each way; the table and the directory need a few more. By /proc/diskstats."""
    path, _ = volume(bits, "requests")
    shell = boot(lab, "vireo", path)

    def moved(command):
        def numbers():
            return [int(n) for n in shell.check("grep ' vda ' /proc/diskstats").split()[3:]]
        before = numbers()
        shell.check(command, 60)
        reads, _, read_sectors, _, writes, _, written_sectors = [b - a for a, b in zip(before, numbers())][:7]
        return reads, read_sectors, writes, written_sectors

    shell.check("mkdir -p /mnt; mount -t vfat /dev/vda /mnt; dd if=/dev/urandom of=/tmp/x bs=64k count=48 2>/dev/null")
    reads, _, writes, written_sectors = moved("cp /tmp/x /mnt/x; umount /mnt")
    assert reads <= 12 and 24 <= writes <= 40 and 6144 <= written_sectors <= 6144 + 256
    shell.check("mount -t vfat /dev/vda /mnt")
    reads, read_sectors, writes, _ = moved("cmp /tmp/x /mnt/x")
    assert 24 <= reads <= 45 and 6144 <= read_sectors <= 6144 + 256 and writes == 0
