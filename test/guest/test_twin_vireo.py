# SPDX-License-Identifier: BSD-2-Clause
"""Vireo's drivers for VisionFive 2 on its twin: card, clocks and resets, power off, watchdog; and the board's card
as `make image` makes it, started by Debian's firmware."""

import re

import pytest

from harness import board, images, twin
from harness.shell import Shell
from test_boards import run_programs, sha256

pytestmark = pytest.mark.machine
slow = pytest.mark.slow
BOARD = "visionfive2"
SECONDS = 240


def boot(lab, disk=None, **options):
    return Shell(lab.machine(twin.TwinBoot(kernel=board.kernel(BOARD), initrd=board.initrd(), append=twin.CONSOLE,
                                           disk=disk, **options))).await_boot(SECONDS)


def power_off(shell):
    shell.machine.write("poweroff -f\n")
    assert shell.machine.wait_end(60) == 0
    assert "the firmware can't" not in shell.machine.log


@pytest.mark.parametrize("mem", ["4G", "8G"])
def test_card(lab, mem):
    """Read and written by DMA; with 8 GiB most pages lie where DMA doesn't reach. Then off, through I2C5 and the PMIC."""
    card = twin.blank_card("twin-card-" + mem, 16)
    whole = sha256(card)
    shell = boot(lab, card, mem=mem)
    assert "mmcblk0: sd slot, 16 MiB" in shell.machine.log
    assert shell.check("sha256sum < /dev/mmcblk0", 120).split()[0] == whole
    shell.check("dd if=/dev/urandom of=/tmp/x bs=64k count=32 2>/dev/null")
    ours = shell.check("sha256sum < /tmp/x").split()[0]
    shell.check("dd if=/tmp/x of=/dev/mmcblk0 bs=64k seek=16 conv=fsync 2>/dev/null", 120)
    assert shell.check("dd if=/dev/mmcblk0 bs=64k skip=16 count=32 2>/dev/null | sha256sum", 60).split()[0] == ours
    assert int(re.search(r"75: +(\d+).*dw-mshc", shell.check("cat /proc/interrupts")).group(1)) > 100
    power_off(shell)
    assert sha256(card, 1 << 20, 2 << 20) == ours


def test_restart_through_the_firmware(lab):
    shell = boot(lab)
    assert "sd slot: no card" in shell.machine.log
    assert shell.check("head -c 32 /dev/random | wc -c") == "32\n", "nobody seeds it but time"
    shell.machine.write("reboot -f\n")
    assert shell.machine.wait_end(60) == 0
    assert "the firmware can't" not in shell.machine.log


def test_watchdog_bites(lab):
    """A program feeds it, dies, and the machine restarts; before, the end of a program that says so is harmless."""
    shell = boot(lab)
    shell.check("watchdog -T 2 -t 1 /dev/watchdog")
    shell.machine.drain(4)
    assert shell.check("echo alive") == "alive\n"
    assert "busy" in shell.run("watchdog -F /dev/watchdog")[1]
    shell.check("killall watchdog; usleep 300000")  # it stops what it started
    shell.machine.drain(4)
    assert shell.check("echo alive") == "alive\n"
    shell.check("watchdog -T 2 -t 1 /dev/watchdog; usleep 100000; killall -9 watchdog")
    assert shell.machine.wait_end(30) == 0


@slow
def test_watchdog_is_fed_by_the_kernel(lab):
    shell = boot(lab)
    assert "watchdog: jh7110-wdt, 30 s" in shell.machine.log
    shell.machine.drain(45)
    assert shell.check("echo alive") == "alive\n"


@slow
@pytest.mark.parametrize("tree", ["kernel-package", "firmware"])
def test_board_starts_from_its_card(lab, tree, tmp_path):
    """SPL, OpenSBI, U-Boot, extlinux, Vireo; with the tree of Debian's kernel package, and with U-Boot's own."""
    found = board.from_card(BOARD, "card-" + tree, mem="8G")
    fat = f"{found.disk}@@{16384 * 512}"
    if tree == "firmware":
        config = images.command(["mtype", "-i", fat, "::/extlinux/extlinux.conf"])
        (tmp_path / "conf").write_text(config.replace("default vireo", "default firmware-tree"))
        images.command(["mcopy", "-o", "-i", fat, str(tmp_path / "conf"), "::/extlinux/extlinux.conf"])
    shell = Shell(lab.machine(found)).await_boot(SECONDS)
    for pattern in (r"U-Boot SPL 20", r"Retrieving file: /Image", r"Vireo \S+ on visionfive2", r"harts: 4 usable",
                    r"mmcblk0: 3 partitions \(GPT\)"):
        assert re.search(pattern, shell.machine.log), pattern
    assert ("Retrieving file: /dtbs/starfive" in shell.machine.log) == (tree == "kernel-package")
    assert shell.check("/usr/bin/bash -c 'echo ${BASH_VERSION%%.*}; exit 0'") == "5\n"
    assert shell.check("head -c 32 /dev/random | wc -c") == "32\n"
    assert shell.check("head -c 100 /dev/mmcblk0p3 | wc -c") == "100\n"
    if tree == "kernel-package":
        run_programs(shell, ["futex", "shm", "semaphore", "message"])
    power_off(shell)
