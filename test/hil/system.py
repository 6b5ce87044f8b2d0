# SPDX-License-Identifier: BSD-2-Clause
"""A system under test through labgrid: its console, its power, how it is started. QEMU's machines are reached by a
driver of ours, boards by labgrid's own (SerialDriver, ExternalPowerDriver ...); tests see no difference."""

import os
import re
import time

import attr
import yaml
from labgrid import Environment, target_factory
from labgrid.protocol import ConsoleProtocol, PowerProtocol

from harness import board, images
from harness.machine import BoundedQEMUDriver, Line
from harness.shell import Shell
import qemu  # flash/qemu.py, found through images

FIGURES = {"boots": [], "temperatures": [], "values": []}  # for the report
SCRATCH = "hil-scratch.img"


@target_factory.reg_driver
@attr.s(eq=False)
class VireoQEMUDriver(BoundedQEMUDriver):
    """A board's machine in QEMU with the suite's card or initramfs; unlike make run it restarts when told to."""

    qemu_bin = attr.ib(default="qemu")
    machine = attr.ib(default="virt")
    cpu = attr.ib(default="")
    memory = attr.ib(default="")
    extra_args = attr.ib(default="")
    board = attr.ib(default="qemu-virt")
    boot = attr.ib(default="card")
    mem = attr.ib(default="")

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        self.argv = [word for word in arguments(self.board, self.boot, self.mem) if word != "-no-reboot"]

    def cycle(self):
        self.off()
        self.target.deactivate(self)
        self.target.activate(self)
        self.on()


def arguments(name, boot, mem):
    """QEMU's command line for a board: from its card, or by -kernel with a disk beside it."""
    words = f"{board.console(name) if board.variables(name).get('console') else 'console=ttyS0'} panic=3"
    if boot == "card":
        return board.from_card(name, "hil", append="panic=3", mem=mem).argv()
    scratch = os.path.join(images.OUT, SCRATCH)
    os.makedirs(images.OUT, exist_ok=True)
    with open(scratch, "wb") as file:
        file.truncate(64 << 20)
    return board.BoardBoot(board=name, boot=boot, initrd=board.initrd(), append=words, bios=images.opensbi(), mem=mem,
                           disk=None if board.variables(name).get("qemu_serial") else scratch).argv()


class Dut(Line):
    """console and power of the environment's target "main", and the options of its file."""

    def __init__(self, path):
        self.environment = Environment(path)
        with open(path, encoding="utf-8") as file:  # labgrid's own getter makes strings of them all
            self.options = yaml.safe_load(file)["options"]
        self.target = self.environment.get_target("main")
        self.power = self.target.get_driver(PowerProtocol)
        super().__init__(self.target.get_driver(ConsoleProtocol))
        self.listen()
        self.open_shell = None
        self.rounds = 0
        if isinstance(self.driver, VireoQEMUDriver):
            self.GONE = "QEMU ended"  # pylint: disable=invalid-name

    def listen(self):
        """Keep what any console driver reads."""
        if hasattr(self.driver, "heard"):
            return
        self.driver.heard = bytearray()
        read = self.driver._read

        def heard(*args, **options):
            data = read(*args, **options)
            self.driver.heard += data
            return data
        self.driver._read = heard

    def option(self, name, default=None):
        return self.options.get(name, default)

    def shell(self):
        """The one that is open, if it still answers, else a new boot."""
        if self.open_shell:
            try:
                self.write("\x03")
                self.drain(0.3)
                self.rounds += 1
                self.write(f"stty sane; echo awa''ke-{self.rounds}\n")
                self.expect(rf"awake-{self.rounds}\r?\n\[(\d+)\]# ", 10)
                self.open_shell.screen(columns=1000)
                return self.open_shell
            except AssertionError:
                self.open_shell = None
        return self.boot()

    def boot(self):
        """Power on to the prompt."""
        self.power.cycle()
        return self.await_shell("power on")

    def await_shell(self, why):
        """What follows power on or a restart, its times noted."""
        self.open_shell = None
        start, where = time.monotonic(), len(self.log)
        self.expect(r"OpenSBI v|U-Boot SPL|Vireo \S+ on", self.option("boot_seconds", 120))
        if self.option("boot") == "tftp":
            self.load_by_tftp()
        shell = Shell(self).await_boot(self.option("boot_seconds", 120))
        seconds = time.monotonic() - start
        entry = re.search(r"boot: entry to init (\d+)\.", self.log[where:])
        FIGURES["boots"].append((why, seconds, int(entry.group(1)) / 1e6 if entry else None))
        self.open_shell = shell
        shell.check(f"date -s @{int(time.time())}")  # not every machine has a clock, and 1970 has no time before it
        self.note_temperature(shell)
        return shell

    def load_by_tftp(self):
        """At U-Boot's prompt, what `make netboot` printed."""
        prompt = self.option("uboot_prompt", "=> $")
        self.expect("Hit any key", 60)
        self.write("\n")
        self.expect(prompt, 30)
        with open(os.path.join(images.TOP, self.option("tftp_lines")), encoding="ascii") as file:
            for line in file:
                self.write(line)
                if not line.startswith("booti"):
                    self.expect(prompt, 120)

    def note_temperature(self, shell):
        status, text = shell.run("cat /sys/class/thermal/thermal_zone0/temp")
        if status == 0:
            FIGURES["temperatures"].append((time.time(), int(text) / 1000))

    def figure(self, name, value, unit):
        FIGURES["values"].append((name, value, unit))

    def close(self):
        self.power.off()


def board_of(dut):
    """Variables of the board's board.mk."""
    return qemu.board_variables(dut.option("board"))
