# SPDX-License-Identifier: BSD-2-Clause
"""The same kernel on many machines, and other builds of it: each boots to a shell that works."""

import os
import subprocess

import pytest

from harness import images

slow = pytest.mark.slow


def smoke(shell, harts):
    assert shell.check("grep -c ^processor /proc/cpuinfo") == f"{harts}\n"
    assert shell.check("seq 1 2000 | sort -rn | head -n 1 | cat") == "2000\n"
    assert shell.check("i=0; while [ $i -lt 30 ]; do i=$((i + 1)); (true); done; echo $i", 60) == "30\n"
    assert shell.check("dd if=/dev/zero bs=1M count=8 2>/dev/null | md5sum", 60).split()[0] == \
        "96995b58d4cbf6aaa9041b4f00c7f6ae"


@pytest.mark.parametrize("smp", [1, 2, 8])
def test_harts(lab, smp):
    smoke(lab.shell(lab.spec(initrd=images.session_initrd(), smp=smp)), smp)


@pytest.mark.parametrize("mem", ["64M", "128M", "4G"])
def test_memory(lab, mem):
    shell = lab.shell(lab.spec(initrd=images.session_initrd(), mem=mem))
    smoke(shell, 4)
    total = int(shell.check("grep MemTotal /proc/meminfo").split()[1])
    size = {"64M": 64 << 10, "128M": 128 << 10, "4G": 4 << 20}[mem]
    assert 0.8 * size < total <= size


@slow
@pytest.mark.parametrize("cpu", ["rv64,v=true", "rv64,sstc=off", "sifive-u54", "rv64,zba=off,zbb=off,zbc=off,zbs=off",
                                 "rv64,v=true,vlen=512", "rv64,svinval=true,svnapot=true,svpbmt=true"])
def test_cpu(lab, cpu):
    shell = lab.shell(lab.spec(initrd=images.programs_initrd(), cpu=cpu))
    smoke(shell, 4)
    for name in ("harts", "signal"):
        status, text = shell.run(f"/test/{name}", 200)
        assert status == 0, text


def test_firmware_without_debug_console(lab):
    """QEMU's own OpenSBI is 1.1: no DBCN."""
    smoke(lab.shell(lab.spec(initrd=images.session_initrd(), bios="default", smp=2)), 2)


@slow
@pytest.mark.parametrize("smp", [1, 8])
@pytest.mark.parametrize("name", ["pthread", "harts", "signal", "process", "sched", "pipe"])
def test_programs_on(lab, smp, name):
    shell = lab.shared_shell(lab.spec(initrd=images.programs_initrd(), smp=smp))
    status, text = shell.run(f"/test/{name}", 300)
    assert status == 0, text


@slow
@pytest.mark.parametrize("build", ["CC=clang", "UBSAN=1"])
def test_other_builds(lab, build):
    kernel = images.vireo(build)
    shell = lab.shell(lab.spec(initrd=images.programs_initrd()).but(kernel=kernel))
    smoke(shell, 4)
    for name in ("mm", "process", "signal", "fs", "pipe", "pthread", "fuzz"):
        status, text = shell.run(f"/test/{name}", 300)
        assert status == 0, text
    assert "ubsan" not in shell.check("dmesg").lower()


def test_uboot(lab):
    """BOOT=uboot: U-Boot's booti from a virtio disk with extlinux.conf, as make run BOOT=uboot does."""
    disk = images.uboot_disk(images.session_initrd(), "loglevel=7 marker=extlinux")
    shell = lab.shell(lab.spec(boot="uboot", disk=disk))
    assert "Starting kernel" in shell.machine.log
    assert "marker=extlinux" in shell.check("cat /proc/cmdline")
    smoke(shell, 4)


def test_default_initramfs(lab):
    """What make run boots: busybox init, a login shell, poweroff."""
    initrd = os.path.join(images.TOP, os.environ.get("BUILD", "build"), os.environ.get("BOARD", "qemu-virt"), "initramfs.cpio")
    if not os.path.exists(initrd):
        pytest.skip("make has not made the initramfs")
    machine = lab.machine(lab.spec(initrd=initrd, append=None))
    machine.expect(r"[#$] (?:\x1b\[6n)?$", 60)
    machine.write("echo $((6 * 7)); tty\n")
    machine.expect(r"42\r\n/dev/(ttyS0|console)\r\n", 20)
    machine.write("poweroff\n")
    assert machine.wait_end(30) == 0


@pytest.mark.parametrize("word", ["poweroff", "reboot"])
def test_power(lab, word, kernel):
    shell = lab.shell(lab.spec(kernel, initrd=images.session_initrd()))
    shell.machine.write(f"{word} -f\n")
    assert shell.machine.wait_end(30) == 0


def test_disk(lab):
    """virtio-blk, read and written, and what was written is in the file."""
    path = os.path.join(images.OUT, "blank.img")
    with open(path, "wb") as file:
        file.write(b"".join(b"sector %08d\n" % n + b"." * 496 for n in range(16388)))
    shell = lab.shell(lab.spec(initrd=images.session_initrd(), disk=path))
    assert shell.check("cat /sys/class/block/vda/size 2>/dev/null || echo 16388").strip() == "16388"
    assert "sector 00012345" in shell.check("dd if=/dev/vda bs=512 skip=12345 count=1 2>/dev/null; echo")
    host = subprocess.run(["md5sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    assert shell.check("md5sum < /dev/vda", 60).split()[0] == host
    shell.check("seq 1 100000 > /tmp/all; dd if=/tmp/all of=/tmp/x bs=512 count=586 2>/dev/null; dd if=/tmp/x of=/dev/vda bs=512 seek=1000 conv=notrunc 2>/dev/null; sync")
    shell.check("dd if=/dev/vda bs=512 skip=1000 count=586 2>/dev/null | cmp - /tmp/x")
    shell.check("exec 9<>/dev/vda; printf 'held open' >&9; sync")
    with open(path, "rb") as file:
        assert file.read(9) == b"held open"
    shell.check("echo the end | dd of=/dev/vda bs=512 seek=16387 conv=notrunc 2>/dev/null; sync")
    shell.check("! echo more | dd of=/dev/vda bs=512 seek=16388 conv=notrunc 2>/dev/null")
    shell.machine.write("poweroff -f\n")
    shell.machine.wait_end(30)
    with open(path, "rb") as file:
        data = file.read()
    assert len(data) == 16388 * 512
    assert data[16387 * 512:16387 * 512 + 8] == b"the end\n"
    assert data[16386 * 512:16386 * 512 + 15] == b"sector 00016386"
    assert data[512000:512020] == b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10"
    assert data[9:15] == b"000000" and data[512:527] == b"sector 00000001"


def test_disk_requests(lab):
    """How many requests the disk gets, by /proc/diskstats: runs of 32 pages, no page too many, none read that is
    written as a whole."""
    path = os.path.join(images.OUT, "requests.img")
    with open(path, "wb") as file:
        file.truncate(8 << 20)
    shell = lab.shell(lab.spec(initrd=images.session_initrd(), disk=path))

    def moved(command):
        def numbers():
            return [int(n) for n in shell.check("grep ' vda ' /proc/diskstats").split()[3:]]
        before = numbers()
        shell.check(f"{command} 2>/dev/null", 60)
        after = numbers()
        assert len(after) == 17 and after[8] == 0
        reads, _, read_sectors, _, writes, _, written_sectors = [b - a for a, b in zip(before, after)][:7]
        return reads, read_sectors, writes, written_sectors

    # the last close drops what is cached, so each of these begins cold
    assert moved("dd if=/dev/vda of=/dev/null bs=1M count=4") == (32, 8192, 0, 0)
    # 1, 4, 8, 16, then 32 at a time
    assert moved("dd if=/dev/vda of=/dev/null bs=4k count=256") == (12, (29 + 8 * 32) * 8, 0, 0)
    assert moved("dd if=/dev/vda of=/dev/null bs=4k count=1 skip=500") == (1, 8, 0, 0)
    assert moved("(exec 8</dev/vda; for n in 900 17 333 62 1200; do dd if=/dev/vda of=/dev/null bs=4k count=1 skip=$n; done)") == (5, 40, 0, 0)
    assert moved("dd if=/dev/zero of=/dev/vda bs=4k count=70 seek=100 conv=notrunc") == (0, 0, 3, 560)
    assert moved("dd if=/dev/zero of=/dev/vda bs=512 count=1 seek=3 conv=notrunc") == (1, 8, 1, 8)


def test_disk_program(lab):
    """Advice, faults, stores and concurrent owners on a real disk (programs/disk.c)."""
    path = os.path.join(images.OUT, "disk-program.img")
    with open(path, "wb") as file:
        file.truncate(8 << 20)
    shell = lab.shell(lab.spec(initrd=images.programs_initrd(), disk=path))
    status, text = shell.run("/test/disk", 120)
    assert status == 0 and "not ok" not in text and "SKIP" not in text, text


def test_entropy_device(lab):
    shell = lab.shell(lab.spec(initrd=images.session_initrd()))
    first = shell.check("head -c 32 /dev/urandom | md5sum")
    assert first != shell.check("head -c 32 /dev/urandom | md5sum")
    assert "virtio-rng: 256 bytes into the random pool" in shell.check("dmesg")
