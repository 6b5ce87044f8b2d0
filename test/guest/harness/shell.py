# SPDX-License-Identifier: BSD-2-Clause
"""The prompt of the test initramfs: PS1 is '[STATUS]# ', so that each prompt tells the last result."""

import re

PROMPT = r"\[(\d+)\]# (?:\x1b\[6n)?$"
BOOT_SECONDS = 120


class Shell:
    """An interactive busybox sh on a machine's serial line."""

    def __init__(self, machine):
        self.machine = machine

    def await_boot(self, timeout=BOOT_SECONDS):
        """From power on to the first prompt; a panic on the way fails at once, with the console."""
        index, _, _ = self.machine.expect([PROMPT, r"(Kernel panic|panic:)[^\r\n]*\r?\n"], timeout)
        if index:
            self.machine.drain(2)
            raise AssertionError(f"panic at boot:\n{self.machine.tail()}")
        self.screen(columns=1000)
        return self

    def screen(self, rows=24, columns=80):
        self.run(f"stty rows {rows} cols {columns}")

    def raw(self, command, timeout=30):
        """Type command and Enter: (status, every byte up to the next prompt, echo included)."""
        self.machine.write(command + "\n")
        _, before, match = self.machine.expect(PROMPT, timeout)
        return int(match.group(1)), before

    def run(self, command, timeout=30):
        """Like raw, without echo and carriage returns: (status, text)."""
        assert "\n" not in command and len(command) < 900, "one short line a command"
        status, output = self.raw(command, timeout)
        text = output.decode("utf-8", "replace").replace("\r", "")
        text = re.sub(r"\x1b\[6n|\x1b\[J", "", text)
        head, _, rest = text.partition("\n")
        assert command in head or not command, f"echo of {command!r} is {head!r}"
        return status, rest

    def check(self, command, timeout=30):
        """The output of a command that must succeed."""
        status, text = self.run(command, timeout)
        assert status == 0, f"{command!r} ended with {status}:\n{text}"
        return text

    def free_kib(self, drop_caches=False):
        """MemFree of /proc/meminfo; with drop_caches after the kernel gave back what it keeps to be fast, but for what
        the other harts have at hand."""
        if drop_caches:
            self.check("echo 3 > /proc/sys/vm/drop_caches")
        return int(re.search(r"MemFree:\s+(\d+) kB", self.check("cat /proc/meminfo")).group(1))
