# SPDX-License-Identifier: BSD-2-Clause
"""Vireo's drivers for VisionFive 2 on its twin: card, clocks and resets, power off, watchdog; and the board's card
as `make image` makes it, started by Debian's firmware."""

import os
import re
import subprocess
import time

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


def test_card_is_pulled_out_and_put_back(lab):
    """In the middle of DMA: the host isn't left in a state that the next card suffers from."""
    card = twin.blank_card("twin-pulled", 16)
    whole = sha256(card)
    shell = boot(lab, card)
    shell.check("(while cat /dev/mmcblk0; do echo 1 > /proc/sys/vm/drop_caches; done) > /dev/null 2>/tmp/told & usleep 700000")
    shell.machine.monitor("eject", device="sd1", force=True)
    shell.check("wait; grep -q 'Input/output error\\|I/O error' /tmp/told", 60)
    assert shell.check("dmesg | grep -c 'mmcblk0: the card doesn.t answer: was it pulled out?'") == "1\n"
    shell.machine.monitor("blockdev-change-medium", device="sd1", filename=card, format="raw")
    assert shell.check("sha256sum < /dev/mmcblk0", 120).split()[0] == whole
    assert shell.check("dmesg | grep -c 'mmcblk0: the card is back'") == "1\n"
    power_off(shell)


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


def gdb(shell, socket, *commands):
    """What gdb printed; every hart stands meanwhile."""
    elf = os.path.join(os.path.dirname(board.kernel(BOARD)), "vireo.elf")
    line = ["gdb-multiarch", "-q", "-nx", "-batch", elf]
    # To QEMU the S7 is one process, the four U74 are another.
    for command in (f"target extended-remote {socket}", "add-inferior", "inferior 2", "attach 2", *commands, "detach inferiors 1 2"):
        line += ["-ex", command]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, check=False)
    assert shell.machine.running, done.stdout
    return done.stdout


STATE = 'printf "hart at 0x%lx, interrupts %lu\\n", $pc, $sstatus & 2'


@slow
def test_kernel_hangs_and_the_watchdog_restarts(lab, tmp_path):
    """All four harts in an endless loop with interrupts off, put there by a debugger: nobody feeds the watchdog."""
    socket = str(tmp_path / "gdb")
    shell = boot(lab, extra=("-gdb", f"unix:{socket},server=on,wait=off"))
    entry = int(re.search(r"is at (0x\w+)", gdb(shell, socket, "inferior 1", "info address trap_entry")).group(1), 16)
    assert shell.check("echo still here") == "still here\n", "a debugger alone does no harm"
    # "j ." where the kernel is entered, and each hart there; whoever slept in wfi goes on there.
    gdb(shell, socket, f"set {{unsigned int}}{entry:#x} = 0x6f", "thread apply 2.1-4 set $sstatus = $sstatus & ~2UL",
        f"thread apply 2.1-4 set $pc = {entry:#x}")
    start = time.monotonic()
    shell.machine.write("echo alive\n")
    shell.machine.drain(8)  # longer than the kernel's period of feeding
    told = gdb(shell, socket, f"thread apply 2.1-4 {STATE}")
    assert told.count(f"hart at {entry:#x}, interrupts 0") == 4, told
    assert shell.machine.wait_end(60) == 0
    seconds = time.monotonic() - start
    assert 15 < seconds < 45, f"restarted after {seconds:.0f} s, the watchdog has 30"
    assert "alive" not in shell.machine.log


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
