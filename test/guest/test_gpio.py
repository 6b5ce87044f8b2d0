# SPDX-License-Identifier: BSD-2-Clause
"""GPIO lines through Debian's unmodified tools (package gpiod) on HiFive Unleashed, whose controller QEMU models, and
on VisionFive 2's twin; what the interface refuses is in programs/gpio.c."""

import functools
import re
import stat

import pytest

from harness import board, images, ktap, twin
from harness.shell import Shell

UNLEASHED = "sifive-unleashed"
TOOLS = ["gpiodetect", "gpioinfo", "gpioget", "gpioset", "gpiomon", "gpionotify"]
SECONDS = 120


@functools.lru_cache(None)
def initrd():
    archive = images.base_archive()
    archive.add("lib", stat.S_IFLNK | 0o777, b"usr/lib")
    for name in TOOLS:
        images.add_program(archive, images.fetched("tree:gpiod") + "/", "usr/bin/" + name)
    archive.add("usr/lib/ld-linux-riscv64-lp64d.so.1", stat.S_IFLNK | 0o777, b"riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1")
    archive.add_file(images.programs()["gpio"], "test/gpio")
    return images.stored(archive.bytes(), "gpio")


def boot(lab, machine):
    shell = Shell(lab.machine(machine)).await_boot(SECONDS)
    shell.check("export PATH=$PATH:/usr/bin")
    return shell


@pytest.fixture
def unleashed(lab):
    return boot(lab, board.BoardBoot(board=UNLEASHED, initrd=initrd(), append=board.console(UNLEASHED), mem="2G",
                                     bios=images.opensbi()))


def run_program(shell, skips):
    """The program, with so many of its cases skipped."""
    status, text = shell.run("/test/gpio", SECONDS)
    report = ktap.parse(text)
    assert not report.faults, report.faults
    assert not report.failed, "\n".join(f"{case.name}: " + "; ".join(case.notes) for case in report.failed)
    assert status == 0 and report.cases and len(report.skipped) == skips


def test_gpio_program(unleashed):
    run_program(unleashed, 0)
    before = unleashed.free_kib()
    run_program(unleashed, 0)
    assert before - unleashed.free_kib() <= 128, "KiB are missing"


def test_gpio_tools(unleashed):
    """Found, listed, set for as long as gpioset runs, read back; a line that another holds is refused."""
    check, run = unleashed.check, unleashed.run
    assert check("gpiodetect") == "gpiochip0 [10060000.gpio] (16 lines)\n"
    lines = check("gpioinfo -c gpiochip0").splitlines()
    assert len(lines) == 17 and lines[0] == "gpiochip0 - 16 lines:"
    assert re.fullmatch(r"\s*line +3:\s+unnamed\s+input", lines[4])
    check("gpioset -z -c 0 3=1 5=active")  # -z: in the background
    info = check("gpioinfo -c 0 3 4")
    assert re.search(r"gpiochip0 3\s.*output consumer=\"?gpioset", info), info
    assert re.search(r"gpiochip0 4\s.*input\s*$", info), info
    status, text = run("gpioget -c 0 3")
    assert status and "busy" in text
    check("killall gpioset; usleep 300000")
    assert check("gpioget -c 0 -a --numeric 3 4 5") == "1 0 1\n"  # -a: as it is
    assert check("gpioget -c 0 -a -l --numeric 3 4 5") == "0 1 0\n"
    assert check("gpioget -c 0 --numeric 3") == "0\n"  # an input from now on, and nothing is wired to it
    assert check("gpioget -c 0 -b pull-up 3") == '"3"=active\n'
    assert check("gpioget -c 0 -b disabled 3") == '"3"=inactive\n'
    assert "input" in check("gpioinfo -c 0 3")
    status, text = run("gpioget -c 0 16")
    assert status and "16" in text
    status, text = run("gpioget -c 1 0")
    assert status and "cannot find" in text


def test_gpio_watchers(unleashed):
    """gpionotify sees a line being asked for and let go; gpiomon waits for an edge, and ends by a signal."""
    unleashed.check("gpionotify -c 0 2 > /tmp/news & usleep 500000; gpioget -c 0 2; usleep 500000; killall gpionotify")
    assert re.findall(r"(requested|released)", unleashed.check("cat /tmp/news")) == ["requested", "released"]
    status, text = unleashed.run("gpiomon -c 0 --idle-timeout 500ms 2")
    assert status == 0 and text == "", text
    assert "10060000" in unleashed.check("cat /sys/class/*/gpiochip0/dev 2>/dev/null; readlink -f /sys/dev/char/254:0/subsystem"
                                         " | grep -x /sys/bus/gpio && gpiodetect")
    assert "gpio" in unleashed.check("cat /proc/interrupts")


@pytest.mark.machine
def test_gpio_of_the_twin(lab):
    """SYS and AON pins; the card detect line tells of the card."""
    card = twin.blank_card("twin-gpio", 16)
    shell = boot(lab, twin.TwinBoot(kernel=twin.vireo(), initrd=initrd(), append=twin.CONSOLE, disk=card))
    assert shell.check("gpiodetect") == "gpiochip0 [13040000.pinctrl] (64 lines)\ngpiochip1 [17020000.pinctrl] (4 lines)\n"
    assert shell.check("gpioget -c 0 --numeric 41") == "0\n"
    assert shell.check("gpioget -c 0 -l 41") == '"41"=active\n'
    run_program(shell, 3)  # its pads have no resistors
    # 35 is gpio-restart of the device tree.
    shell.machine.write("gpioset -c 0 35=1\n")
    assert shell.machine.wait_end(30) == 0
