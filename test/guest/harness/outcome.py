# SPDX-License-Identifier: BSD-2-Clause
"""How a boot ends: the shell's prompt, the rescue program's prompt, a panic that says what to do, or power off."""

import re

from .machine import GuestEnded, GuestTimeout
from .shell import PROMPT

ENDINGS = {
    "shell": PROMPT,
    "rescue": r"vireo> $",
    "panic": r"Kernel panic[:\-][^\r\n]*\r?\n",
    "stopped": r"stopped: panic=SECONDS[^\r\n]*\r?\n",
}
LINES_MAX = 250


def boot_outcome(lab, boot, seconds=60):
    """(name of the ending, the kernel's log). Silence or an endless log fails here."""
    machine = lab.machine(boot)
    try:
        index, _, _ = machine.expect([ENDINGS["shell"], ENDINGS["rescue"], ENDINGS["panic"]], seconds)
        name = ["shell", "rescue", "panic"][index]
        if name == "panic":
            machine.expect(ENDINGS["stopped"], 20)
            machine.drain(1)
    except GuestEnded:
        name = "ended"
    log = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", machine.log).replace("\r", "")
    kernel = log[log.rfind("Boot HART MEDELEG"):]
    assert len(kernel.splitlines()) < LINES_MAX, f"a flood of {len(kernel.splitlines())} lines:\n{kernel[:3000]}"
    return name, kernel


def line_like(log, pattern):
    """The lines of the log in which pattern (any case) occurs."""
    return [line for line in log.splitlines() if re.search(pattern, line, re.IGNORECASE)]


def boot_outcome_of_tree(lab, boot, seconds=90):
    """Like boot_outcome, for trees with which init may run without a terminal to show a prompt on ("console":
    the kernel said that it started init). "firmware": the kernel was never entered."""
    machine = lab.machine(boot)
    name = None
    try:
        index, _, _ = machine.expect([PROMPT, ENDINGS["rescue"], ENDINGS["panic"], r"entry to init"], seconds)
        name = ["shell", "rescue", "panic", "console"][index]
        if name == "panic":
            machine.expect(ENDINGS["stopped"], 20)
        elif name == "console":
            index, _, _ = machine.expect([PROMPT, ENDINGS["rescue"], ENDINGS["panic"]], 10)
            name = ["shell", "rescue", "panic"][index]
    except GuestEnded:
        name = "ended"
    except GuestTimeout:
        if name is None:
            name = "firmware" if "Vireo" not in machine.log else "silent"
    log = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", machine.log).replace("\r", "")
    kernel = log[log.rfind("Boot HART MEDELEG"):]
    assert len(kernel.splitlines()) < LINES_MAX, f"a flood of {len(kernel.splitlines())} lines:\n{kernel[:3000]}"
    return name, kernel
