# SPDX-License-Identifier: BSD-2-Clause
"""Systems on VisionFive 2's twin: Debian's unmodified Linux with the board's own device tree, which tells that
the twin is right; Debian's SPL and U-Boot from a card; and Vireo."""

import hashlib
import os
import re
import zlib

import pytest

from harness import images, ktap, twin
from harness.shell import Shell

pytestmark = pytest.mark.machine
slow = pytest.mark.slow
SECONDS = 240


def boot_linux(lab, disk=None, words=""):
    boot = twin.TwinBoot(kernel=twin.linux(), initrd=twin.linux_initrd(), append=f"{twin.CONSOLE} {words}", disk=disk)
    return Shell(lab.machine(boot)).await_boot(SECONDS)


def boot_vireo(lab, **options):
    initrd = options.pop("initrd", None) or images.session_initrd()
    return Shell(lab.machine(twin.TwinBoot(kernel=twin.vireo(), initrd=initrd, append=twin.CONSOLE, **options))).await_boot(SECONDS)


def md5(path, start=0, size=None):
    with open(path, "rb") as file:
        file.seek(start)
        return hashlib.md5(file.read(size)).hexdigest()


# Debian's Linux: is the twin right?

@slow
def test_linux_uses_the_card_and_switches_off(lab):
    """4 harts, the SD card read and written by its own driver (DMA), and off through I2C5 and the PMIC."""
    card = twin.blank_card("twin-linux-card")
    shell = boot_linux(lab, card)
    log = shell.machine.log
    assert shell.check("grep -c ^processor /proc/cpuinfo") == "4\n"
    assert shell.check("tr '\\0' '\\n' < /proc/device-tree/compatible").split()[0] == "starfive,visionfive-2-v1.3b"
    assert "sv39" in shell.check("grep -m 1 mmu /proc/cpuinfo")
    assert re.search(r"ASID allocator disabled \(0 bits\)|ASID allocator.*disabled", shell.check("dmesg | grep ASID")), log
    assert "0x4210427" in shell.check("grep -m 1 mimpid /proc/cpuinfo")
    twin.load(shell, "mmc")
    shell.check("while [ ! -e /dev/mmcblk1 ]; do usleep 100000; done", 60)
    assert shell.check("md5sum < /dev/mmcblk1", 120).split()[0] == md5(card)
    shell.check("dd if=/dev/urandom of=/tmp/x bs=64k count=128 2>/dev/null")
    ours = shell.check("md5sum < /tmp/x").split()[0]
    shell.check("dd if=/tmp/x of=/dev/mmcblk1 bs=64k seek=16 conv=fsync 2>/dev/null", 120)
    shell.check("echo 3 > /proc/sys/vm/drop_caches")
    assert shell.check("dd if=/dev/mmcblk1 bs=64k skip=16 count=128 2>/dev/null | md5sum", 60).split()[0] == ours
    twin.load(shell, "i2c")
    shell.machine.write("poweroff -f\n")
    assert shell.machine.wait_end(60) == 0
    assert "Power down" in shell.machine.log
    assert md5(card, 1 << 20, 8 << 20) == ours


@slow
def test_linux_without_i2c_cannot_switch_off(lab):
    """U-Boot leaves I2C5 in reset, and OpenSBI does not release it: the board stays on."""
    shell = boot_linux(lab, words="quiet")
    shell.machine.write("poweroff -f\n")
    shell.machine.expect("cannot read pmic power register", 60)
    assert shell.machine.running


@slow
def test_linux_restarts_by_the_pin(lab):
    """gpio-restart of the device tree."""
    shell = boot_linux(lab, words="quiet")
    shell.machine.write("reboot -f\n")
    assert shell.machine.wait_end(60) == 0


@slow
def test_linux_hangs_and_the_watchdog_resets(lab):
    shell = boot_linux(lab, words="quiet")
    twin.load(shell, "watchdog")
    assert shell.run("watchdog -T 4 -t 1 /dev/watchdog")[0] == 0
    shell.machine.drain(6)
    assert shell.check("echo alive") == "alive\n"
    shell.machine.write("killall -9 watchdog\n")
    assert shell.machine.wait_end(30) == 0


@slow
def test_card_boots_debians_firmware_and_linux(lab):
    """The board as it starts from a card: SPL, OpenSBI, U-Boot, extlinux, Linux."""
    card = twin.boot_card("twin-boot-card", twin.linux(), twin.linux_initrd(), twin.CONSOLE + " quiet")
    machine = lab.machine(twin.TwinBoot(kernel="", boot="card", disk=card, mem="8G"))
    for pattern, seconds in ((r"U-Boot SPL 2025", 30), (r"DDR version: dc2e84f0", 30), (r"Model: StarFive VisionFive 2 v1.3B", 60),
                             (r"DRAM: +8 GiB", 30), (r"Product full SN: VF7110B1-2253-D008E000", 60), (r"Starting kernel", 120)):
        machine.expect(pattern, seconds)
    shell = Shell(machine).await_boot(SECONDS)
    assert shell.check("grep -c ^processor /proc/cpuinfo") == "4\n"
    assert int(shell.check("grep MemTotal /proc/meminfo").split()[1]) > 7 << 20
    twin.load(shell, "i2c")
    machine.write("poweroff -f\n")
    assert machine.wait_end(60) == 0


@slow
def test_ethernet(lab):
    """Debian's U-Boot gets an address and a file."""
    data = os.urandom(3 << 20)
    folder = os.path.join(images.OUT, "tftp")
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/blob", "wb") as file:
        file.write(data)
    card = twin.boot_card("twin-ethernet-card", twin.linux(), twin.linux_initrd(), twin.CONSOLE)
    machine = lab.machine(twin.TwinBoot(kernel="", boot="card", disk=card, extra=("-nic", f"user,tftp={folder}")))
    machine.expect("Hit any key", 60)
    for command, answer in (("", ""), ("setenv autoload no; dhcp", "DHCP client bound to address 10.0.2.15"),
                            ("tftpboot 0x80000000 10.0.2.2:blob", "Bytes transferred = 3145728"),
                            ("crc32 0x80000000 300000", f"==> {zlib.crc32(data):08x}")):
        machine.write(command + "\n")
        if answer:
            machine.expect(re.escape(answer), 60)
        machine.expect("StarFive # $", 60)


# Vireo

def test_vireo_boots(lab):
    shell = boot_vireo(lab)
    assert shell.check("grep -c ^processor /proc/cpuinfo") == "4\n"
    assert re.search(r"Vireo \S+ on visionfive2", shell.machine.log)
    assert re.search(r"harts: 4 usable, booted on [1-4], timebase 4000000 Hz", shell.machine.log)
    assert " 0 ASID bits" in shell.machine.log
    assert shell.check("seq 1 2000 | sort -rn | head -n 1 | cat") == "2000\n"
    assert shell.check("cat /proc/interrupts")


def test_vireo_runs_its_programs_on_the_strict_twin(lab):
    """All of the KTAP suite, with a TLB that keeps what it may and an instruction cache that does not follow."""
    run_programs(lab, sorted(images.programs()), variant="strict")


@slow
def test_vireo_runs_its_programs(lab):
    run_programs(lab, sorted(images.programs()))


def run_programs(lab, names, **options):
    shell = boot_vireo(lab, initrd=images.programs_initrd(), **options)
    shell.check("date -s 2026-01-01")  # no clock is modelled, and Linux refuses times before the boot
    complaints = []
    for name in names:
        status, text = shell.run(f"/test/{name}", SECONDS)
        report = ktap.parse(text)
        complaints += [f"{name}: {fault}" for fault in report.faults]
        complaints += [f"{name}: not ok: {case.name}: " + "; ".join(case.notes) for case in report.failed]
        if status and not complaints:
            complaints.append(f"{name}: exit status {status}")
    assert not complaints, "\n".join(complaints)


@slow
@pytest.mark.parametrize("mem", ["2G", "8G"])
def test_vireo_on_other_boards(lab, mem):
    shell = boot_vireo(lab, mem=mem)
    total = int(shell.check("grep MemTotal /proc/meminfo").split()[1])
    assert 0.9 * (int(mem[0]) << 20) < total <= int(mem[0]) << 20


@slow
def test_vireo_from_a_card(lab):
    """Debian's U-Boot hands over its own device tree's sizes and Vireo takes them."""
    card = twin.boot_card("twin-vireo-card", twin.vireo(), images.session_initrd(), twin.CONSOLE)
    shell = Shell(lab.machine(twin.TwinBoot(kernel="", boot="card", disk=card))).await_boot(SECONDS)
    assert shell.check("grep -c ^processor /proc/cpuinfo") == "4\n"
