# SPDX-License-Identifier: BSD-2-Clause
"""The boards' cards: what is on them, read by programs that did not write them; and HiFive Unleashed, which QEMU
models from its boot ROM on, booted from its card by Debian's SPL, OpenSBI and U-Boot."""

import hashlib
import os
import re
import struct
import subprocess
import sys
import time
import tty

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import check_bindings  # noqa: E402

from harness import board, images, ktap
from harness.shell import Shell
import write  # flash/write.py, found through images

UNLEASHED = "sifive-unleashed"
BOARDS = [UNLEASHED, "visionfive2"]
SECONDS = 240
# visionfive2.md of the notes: number, first sector, type
LAYOUTS = {
    UNLEASHED: [(1, 34, "5B193300-FC78-40CD-8002-E86C45580B47"), (2, 2082, "2E54B353-1271-4842-806F-E436D6AF6985"),
                (3, 10274, "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")],
    "visionfive2": [(1, 4096, "2E54B353-1271-4842-806F-E436D6AF6985"), (2, 8192, "BC13C2FF-59E6-4262-A352-B275FD6F7172"),
                    (3, 16384, "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")],
}


def sha256(path, start=0, size=-1):
    with open(path, "rb") as file:
        file.seek(start)
        return hashlib.sha256(file.read(size)).hexdigest()


@pytest.fixture(params=BOARDS)
def name(request):
    return request.param


def test_same_sources_give_the_same_card(name, tmp_path):
    first = board.card(name, "reproduced")
    once = sha256(first)
    time.sleep(2.1)  # a FAT counts in two seconds
    os.utime(board.kernel(name))
    assert sha256(board.card(name, "reproduced")) == once


def test_layout_of_the_card(name, tmp_path):
    """sgdisk, mtools and dumpimage read it."""
    card = board.card(name, "layout", append="quiet")
    assert "No problems found" in images.command(["sgdisk", "--verify", card])
    files = [part.split(":")[3] for part in board.variables(name)["image_parts"].split()]
    for number, first, kind in LAYOUTS[name]:
        told = images.command(["sgdisk", "--info", str(number), card])
        assert f"GUID code: {kind}" in told and f"First sector: {first} " in told
        if number <= len(files):
            source = os.path.join(board.DEBIAN, board.variables(name)["firmware"], "usr/lib/u-boot", files[number - 1])
            assert sha256(card, first * 512, os.path.getsize(source)) == sha256(source)
    assert "Attribute flags: 0000000000000004" in told, "legacy boot: U-Boot looks there"
    itb = tmp_path / "itb"
    with open(card, "rb") as file:
        file.seek(LAYOUTS[name][1][1] * 512)
        itb.write_bytes(file.read(1 << 20))
    assert "FIT description" in images.command(["dumpimage", "-l", str(itb)])
    fat = f"{card}@@{LAYOUTS[name][2][1] * 512}"
    for path, source in (("Image", board.kernel(name)), ("Image.fallback", board.kernel(name)), ("initrd.img", board.initrd())):
        images.command(["mcopy", "-i", fat, "::/" + path, str(tmp_path / path)])
        assert sha256(tmp_path / path) == sha256(source)
    config = images.command(["mtype", "-i", fat, "::/extlinux/extlinux.conf"])
    assert "label vireo" in config and "label fallback" in config
    assert f"append {board.console(name)} quiet" in config
    for tree in board.variables(name).get("image_dtbs", "").split():
        images.command(["mcopy", "-n", "-i", fat, "::/dtbs/" + tree, str(tmp_path)])
        assert sha256(tmp_path / os.path.basename(tree)) == sha256(f"{board.DEBIAN}/linux-image-riscv64/dtbs/{tree}")


def test_kernel_header(name):
    """What booti and this board's U-Boot look at."""
    with open(board.kernel(name), "rb") as file:
        head = file.read(64)
    offset, size, flags, version = struct.unpack_from("<QQQI", head, 8)
    assert (offset, flags, version, head[48:53], head[56:60]) == (0x200000, 0, 2, b"RISCV", b"RSC\x05")
    assert size >= os.path.getsize(board.kernel(name))


def boot_unleashed(lab, name="card", **options):
    return Shell(lab.machine(board.from_card(UNLEASHED, name, **options))).await_boot(SECONDS)


def test_unleashed_boots_from_its_card(lab):
    """Unattended: SPL, OpenSBI, U-Boot, extlinux, Vireo, Debian's bash; then the card's partitions."""
    shell = boot_unleashed(lab)
    machine = shell.machine
    for pattern in (r"U-Boot SPL 20", r"Trying to boot from MMC1", r"Model: SiFive HiFive Unleashed A00",
                    r"Retrieving file: /Image", r"Vireo \S+ on sifive-unleashed", r"harts: 4 usable", r"mmcblk0: 3 partitions \(GPT\)"):
        assert re.search(pattern, machine.log), pattern
    assert shell.check("nproc") == "4\n"
    assert shell.check("/usr/bin/bash -c 'echo ${BASH_VERSION%%.*}; exit 0'") == "5\n"
    sizes = re.findall(r"179 +\d+ +(\d+) (mmcblk0\w*)", shell.check("cat /proc/partitions"))
    assert sizes == [("131072", "mmcblk0"), ("81", "mmcblk0p1"), ("829", "mmcblk0p2"), ("123904", "mmcblk0p3")]
    size = 247808 * 512 - (114 << 20)
    ours = shell.check("dd if=/dev/mmcblk0p3 bs=1M skip=114 2>/dev/null | sha256sum", 120).split()[0]
    assert ours == sha256(machine.boot.disk, (10274 << 9) + (114 << 20), size)


@pytest.mark.slow
def test_unleashed_writes_its_card(lab):
    """Through a partition, past its end, and read again from the card."""
    shell = boot_unleashed(lab, "written")
    shell.check("dd if=/dev/urandom of=/tmp/x bs=64k count=16 2>/dev/null")
    ours = shell.check("sha256sum < /tmp/x").split()[0]
    shell.check("dd if=/tmp/x of=/dev/mmcblk0p3 bs=64k seek=800 conv=fsync 2>/dev/null", 60)
    assert shell.check("dd if=/dev/mmcblk0p3 bs=64k skip=800 count=16 2>/dev/null | sha256sum", 60).split()[0] == ours
    status, text = shell.run("dd if=/tmp/x of=/dev/mmcblk0p3 bs=64k seek=1935", 60)
    assert status == 1 and "No space left" in text
    shell.check("mkdir -p /mnt; mount -t vfat /dev/mmcblk0p3 /mnt && cp /tmp/x '/mnt/A file.bin' && umount /mnt", 120)
    shell.machine.write("reboot -f\n")
    assert shell.machine.wait_end(30) == 0
    card = shell.machine.boot.disk
    assert sha256(card, (10274 << 9) + 800 * 65536, 1 << 20) == ours
    images.command(["mcopy", "-n", "-i", f"{card}@@{10274 << 9}", "::/A file.bin", card + ".file"])
    assert sha256(card + ".file") == ours


def run_programs(shell, names):
    complaints = []
    shell.check("date -s 2026-01-01")
    for program in names:
        status, text = shell.run(f"/test/{program}", SECONDS)
        report = ktap.parse(text)
        complaints += [f"{program}: {fault}" for fault in report.faults]
        complaints += [f"{program}: not ok: {case.name}: " + "; ".join(case.notes) for case in report.failed]
        if status and not complaints:
            complaints.append(f"{program}: exit status {status}")
    assert not complaints, "\n".join(complaints)


@pytest.mark.slow
def test_unleashed_runs_the_programs(lab):
    """The suite on 4 U54 harts."""
    run_programs(boot_unleashed(lab), sorted(set(images.programs()) - {"futex_pi"}))


# What may be wrong with a card

def test_damaged_partition_table(lab):
    """The backup at the card's end serves; without it, a line says so, and the disk itself is there."""
    boot = board.from_card(UNLEASHED, "damaged")
    direct = boot.but(boot="sbi", initrd=board.initrd(), append=board.console(UNLEASHED), mem="2G",
                      bios=images.opensbi())
    with open(boot.disk, "r+b") as file:
        file.seek(512 + 20)
        file.write(b"\xa5")
    shell = Shell(lab.machine(direct)).await_boot(SECONDS)
    assert "the GPT at its start is damaged, the one at its end was taken" in shell.machine.log
    assert "mmcblk0p3" in shell.check("cat /proc/partitions")
    lab.end_own()
    with open(boot.disk, "r+b") as file:
        file.seek(-512 + 20, 2)
        file.write(b"\xa5")
    shell = Shell(lab.machine(direct)).await_boot(SECONDS)
    assert "mmcblk0: both copies of its GPT are damaged: no partitions" in shell.machine.log
    assert "mmcblk0p" not in shell.check("cat /proc/partitions")


def with_card(lab, name):
    """Loaded by QEMU, and the card is there for its own sake."""
    boot = board.BoardBoot(board=UNLEASHED, initrd=board.initrd(), append=board.console(UNLEASHED), mem="2G", bios=images.opensbi(),
                           disk=board.card(UNLEASHED, name))
    return Shell(lab.machine(boot)).await_boot(SECONDS)


def pull(shell):
    shell.machine.monitor("eject", device="sd0", force=True)


def insert(shell, card):
    shell.machine.monitor("blockdev-change-medium", device="sd0", filename=card, format="raw")


def read_fails(shell, skip, device="mmcblk0p3"):
    status, text = shell.run(f"dd if=/dev/{device} bs=64k skip={skip} count=1 of=/dev/null", 60)
    assert status == 1 and "Input/output error" in text, text


GONE = "dmesg | grep -c 'mmcblk0: the card doesn.t answer: was it pulled out?'"


def test_card_is_pulled_out(lab):
    """Reads fail, the log says why, once, and the system goes on."""
    shell = with_card(lab, "pulled")
    shell.check("head -c 4096 /dev/mmcblk0p3 > /dev/null")
    pull(shell)
    for _ in range(2):
        read_fails(shell, 9)
    assert shell.check(GONE) == "1\n"


def test_card_is_put_back(lab):
    """In the middle of reading; then it goes on, with what was written before and what could not be written meanwhile."""
    shell = with_card(lab, "put-back")
    shell.check("mkdir -p /mnt; mount -t vfat /dev/mmcblk0p3 /mnt && dd if=/dev/urandom of=/tmp/x bs=64k count=16 2>/dev/null")
    shell.check("cp /tmp/x /mnt/before.bin && sync", 60)
    shell.check("dd if=/dev/mmcblk0p3 of=/tmp/all bs=64k skip=16 2>/tmp/told & sleep 1", 60)
    pull(shell)
    shell.check("wait; grep -q 'Input/output error' /tmp/told && rm /tmp/all", 60)
    status, text = shell.run("cp /tmp/x /mnt/without.bin && dd if=/dev/null of=/mnt/without.bin conv=notrunc,fsync", 60)
    assert status and re.search("(?i)input/output error", text), text
    assert shell.check(GONE) == "1\n"
    insert(shell, shell.machine.boot.disk)
    shell.check("dd if=/dev/mmcblk0p3 bs=64k skip=1500 count=1 of=/dev/null 2>/dev/null", 60)
    assert shell.check("dmesg | grep -c 'mmcblk0: the card is back'") == "1\n"
    shell.check("cp /tmp/x /mnt/after.bin && umount /mnt && mount -t vfat /dev/mmcblk0p3 /mnt", 60)
    shell.check("cmp /tmp/x /mnt/before.bin && cmp /tmp/x /mnt/after.bin && umount /mnt", 60)
    ours = shell.check("sha256sum < /tmp/x").split()[0]
    shell.machine.write("reboot -f\n")
    assert shell.machine.wait_end(30) == 0
    card = shell.machine.boot.disk
    for name in ("before.bin", "after.bin"):
        images.command(["mcopy", "-n", "-i", f"{card}@@{10274 << 9}", "::/" + name, card + ".file"])
        assert sha256(card + ".file") == ours
    images.command(["dd", "if=" + card, "of=" + card + ".fat", "bs=512", "skip=10274", "count=247808"])
    images.command(["/sbin/fsck.fat", "-n", card + ".fat"])


def test_another_card_is_refused(lab, tmp_path):
    """What is cached isn't its own: nothing is read from it or written to it until the first one is back."""
    shell = with_card(lab, "first")
    other = tmp_path / "other"
    other.write_bytes(bytes(64 << 20))
    pull(shell)
    insert(shell, str(other))
    read_fails(shell, 9)
    status, text = shell.run("dd if=/dev/urandom of=/dev/mmcblk0p3 bs=64k seek=12 count=1 conv=fsync", 60)
    assert status == 1 and "Input/output error" in text, text
    assert shell.check("dmesg | grep -c 'mmcblk0: another card is in the slot'") == "1\n"
    assert not any(other.read_bytes())
    pull(shell)
    insert(shell, shell.machine.boot.disk)
    shell.check("dd if=/dev/mmcblk0p3 bs=64k skip=1500 count=1 of=/dev/null 2>/dev/null", 60)


def test_no_card_and_no_initramfs(lab):
    boot = board.BoardBoot(board=UNLEASHED, initrd="", append=board.console(UNLEASHED), mem="2G", bios=images.opensbi())
    machine = lab.machine(boot)
    machine.expect(r"spi slot: no card", 60)
    machine.expect(r"initramfs: none was given", 60)
    machine.expect(r"nothing to run was found|no init found", 60)


@pytest.mark.slow
def test_image_of_another_board_says_so(lab):
    """A card for qemu-virt's kernel on the Unleashed: it goes on, and the log names both."""
    machine = lab.machine(board.from_card(UNLEASHED, "foreign", kernel_file=images.vireo()))
    machine.expect(r"the device tree isn't qemu-virt's", SECONDS)


@pytest.mark.slow
def test_kernel_that_is_damaged_gives_way_to_the_fallback(lab):
    """U-Boot refuses it and takes the next entry."""
    path = os.path.join(images.OUT, "no-kernel")
    with open(path, "wb") as file:
        file.write(b"\0" * 4096)
    boot = board.from_card(UNLEASHED, "fallback")
    fat = f"{boot.disk}@@{10274 * 512}"
    images.command(["mcopy", "-o", "-i", fat, path, "::/Image"])
    machine = lab.machine(boot)
    machine.expect("Bad Linux RISCV Image magic", SECONDS)
    Shell(machine).await_boot(SECONDS)
    assert "Retrieving file: /Image.fallback" in machine.log


# PolarFire Icicle

def test_icicle_to_a_shell(lab):
    """Its console is the second serial port, its memory lies in two banks, a gigabyte each."""
    images.fetched("deb:linux-image-riscv64")
    boot = board.BoardBoot(board="icicle", initrd=board.initrd(), append=board.console("icicle"), bios=images.opensbi())
    shell = Shell(lab.machine(boot)).await_boot(SECONDS)
    assert shell.check("nproc; tty") == "4\n/dev/ttyS1\n"
    assert "free in 2 ranges" in shell.machine.log
    total = int(re.search(r"MemTotal: +(\d+)", shell.check("cat /proc/meminfo")).group(1))
    assert 1.9 * (1 << 20) < total < 2 << 20
    run_programs(shell, ["futex", "shm"])


# Writing a card

def flash_card(*words, **options):
    return subprocess.run([os.path.join(images.TOP, "flash/write.py"), *map(str, words)], text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)


@pytest.fixture
def small_image(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(os.urandom(5 << 20))
    return path


def test_flash_writes_and_compares(tmp_path, small_image):
    target = tmp_path / "card"
    target.write_bytes(b"\xff" * (6 << 20))
    result = flash_card("--plain-file", target, small_image, input="yes\n")
    assert result.returncode == 0 and "100 %" in result.stdout, result.stdout
    assert target.read_bytes() == small_image.read_bytes() + b"\xff" * (1 << 20)


def test_flash_asks_first(tmp_path, small_image):
    target = tmp_path / "card"
    target.write_bytes(bytes(6 << 20))
    result = flash_card("--plain-file", target, small_image, input="y\n")
    assert result.returncode and "nothing was written" in result.stdout
    assert not any(target.read_bytes())


def test_flash_refuses_what_is_no_card(tmp_path, small_image):
    target = tmp_path / "card"
    target.write_bytes(bytes(4 << 20))
    for words, reason in ((("--yes", target), "is no disk"), (("--yes", "--plain-file", target), "has 4.2 MB, the image 5.2 MB"),
                          (("--yes", tmp_path / "none"), "is not there"), (("--yes", "/dev/null"), "is no disk")):
        result = flash_card(*words, small_image)
        assert result.returncode and reason in result.stdout, result.stdout
    assert not any(target.read_bytes())


def test_flash_notices_a_card_that_forgets(tmp_path, small_image):
    """A card that lies about its size wraps round: what is read back differs."""
    target = tmp_path / "card"
    target.write_bytes(bytes(6 << 20))
    with open(target, "r+b") as file, open(small_image, "rb") as source:
        file.write(small_image.read_bytes()[:4 << 20])
        assert write.compare(file.fileno(), source, 5 << 20) == 4 << 20


def fake_system(tmp_path, mounts="", swaps="", **files):
    """A /sys and a /proc with a disk sdx and its partition sdx1."""
    disk = tmp_path / "sys/class/block/sdx"
    (disk / "sdx1/holders").mkdir(parents=True)
    for name, text in {"dev": "8:16", "size": "262144", "ro": "0", "removable": "1", "sdx1/dev": "8:17", "sdx1/partition": "1",
                       **files}.items():
        (disk / name).write_text(text + "\n")
    (tmp_path / "sys/class/block/sdx1").symlink_to(disk / "sdx1")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(mounts)
    (tmp_path / "proc/swaps").write_text("Filename Type Size Used Priority\n" + swaps)
    return lambda name="sdx": write.Disk("/dev/" + name, str(tmp_path / "sys"), str(tmp_path / "proc"))


def refusal(disk, size=1 << 20):
    with pytest.raises(write.Refused) as why:
        disk.check(size)
    return str(why.value)


def test_flash_refuses_disks_in_use(tmp_path):
    def system(name, **options):
        return fake_system(tmp_path / name, **options)

    system("free")().check(1 << 20)
    assert "is mounted on /media/a b" in refusal(system("m", mounts="30 1 8:17 / /media/a\\040b rw - vfat /dev/sdx1 rw\n")())
    assert "holds the running system" in refusal(system("r", mounts="30 1 8:17 / / rw - ext4 /dev/sdx1 rw\n")())
    assert "is mounted on /data" in refusal(system("b", mounts="30 1 0:40 / /data rw - btrfs /dev/sdx1 rw\n")())
    assert "used as swap" in refusal(system("s", swaps="/dev/sdx1 partition 1 0 -2\n")())
    assert "is read-only" in refusal(system("ro", ro="1")())
    assert "has 134.2 MB, the image 1.1 GB" in refusal(system("small")(), 1 << 30)
    assert "is a partition" in refusal(system("part")("sdx1"))
    used = system("lvm")
    (tmp_path / "lvm/sys/class/block/sdx/sdx1/holders/dm-0").mkdir()
    assert "sdx1 is part of dm-0" in refusal(used())


# Starting a board without a card

@pytest.mark.slow
def test_recovery_over_a_serial_line(tmp_path):
    """lrzsz's receivers play the board's ROM and its SPL at the other end of a terminal."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    files = {}
    for name, size in (("spl", 30_000), ("itb", 60_000)):
        files[name] = os.urandom(size)
        (tmp_path / name).write_bytes(files[name])
    (tmp_path / "in").mkdir()
    program = subprocess.Popen([os.path.join(images.TOP, "flash/recover.py"), os.ttyname(theirs), str(tmp_path / "spl"),
                                str(tmp_path / "itb")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env=dict(os.environ, RECOVER_SECONDS="20"))
    try:
        for words in (["rx", "-c", "spl"], ["rb"]):
            subprocess.run(words, stdin=ours, stdout=ours, stderr=subprocess.DEVNULL, cwd=tmp_path / "in", timeout=60, check=True)
        os.write(ours, b"\x06")  # rb leaves the end of the batch without an answer, U-Boot's SPL does not
        for _ in range(30):  # sb throws away what came before it ended
            os.write(ours, b"\r\nU-Boot 2025.01\r\nStarFive # ")
            try:
                out, _ = program.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                pass
    finally:
        program.kill()
        os.close(ours)
        os.close(theirs)
    assert program.returncode == 0 and "U-Boot runs" in out, out
    assert (tmp_path / "in/spl").read_bytes()[:30_000] == files["spl"], "XMODEM pads"
    assert (tmp_path / "in/itb").read_bytes() == files["itb"]


def test_recovery_says_what_is_missing(tmp_path):
    ours, theirs = os.openpty()
    (tmp_path / "x").write_bytes(b"x")
    result = subprocess.run([os.path.join(images.TOP, "flash/recover.py"), os.ttyname(theirs), str(tmp_path / "x"), str(tmp_path / "x")],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False,
                            env=dict(os.environ, RECOVER_SECONDS="0.5"))
    os.close(ours)
    os.close(theirs)
    assert result.returncode and "power, switches (UART) and wiring" in result.stdout


@pytest.mark.slow
def test_netboot_as_it_is_printed(lab, tmp_path):
    """The lines of make netboot, typed at the prompt of HiFive Unleashed's U-Boot."""
    out = images.command(["make", "-C", images.TOP, "BOARD=" + UNLEASHED, "netboot"], seconds=900)
    folder = os.path.join(images.TOP, os.environ.get("BUILD", "build"), UNLEASHED, "tftp")
    lines = re.findall(r"^    (.*)$", out, re.M)
    assert lines[0] == "setenv autoload no" and lines[-1].startswith("booti")
    found = board.from_card(UNLEASHED, "netboot")
    machine = lab.machine(found.but(extra=("-nic", f"user,tftp={folder}")))
    machine.expect("Hit any key", 60)
    machine.write("\n")
    machine.expect("=> $", 30)
    for line in lines:
        machine.write(line + "\n")
        if not line.startswith("booti"):
            machine.expect("=> $", 90)
    machine.expect(r"Vireo \S+ on sifive-unleashed", 90)
    machine.expect(r"~ # ", 90)


# Device trees

@pytest.mark.slow
def test_drivers_ask_for_what_bindings_have(tmp_path):
    """Names in drivers against the bindings of Debian's linux-source; an invented one is noticed."""
    folder = os.path.join(images.OUT, "bindings")
    inside = "linux-source-6.12/Documentation/devicetree/bindings"
    if not os.path.isdir(os.path.join(folder, inside)):
        os.makedirs(folder, exist_ok=True)
        archive = images.one(images.fetched("deb:linux-source-6.12") + "/usr/src/linux-source-*.tar.xz")
        images.command(["tar", "-C", folder, "-xJf", archive, inside])
    program = os.path.join(images.TOP, "test/check_bindings.py")
    assert "names of" in images.command([program, os.path.join(folder, inside)])
    (tmp_path / "x.c").write_text('static const char *const x_compatible[] = {"vireo,invented", "sifive,uart0", NULL};\n')
    _, complaints = check_bindings.check(os.path.join(folder, inside), [str(tmp_path / "x.c")])
    assert len(complaints) == 1 and "vireo,invented" in complaints[0]
