# SPDX-License-Identifier: BSD-2-Clause
"""Odd command lines and too little memory."""

import os

import pytest

from harness import images, outcome

# words: (endings, pattern of a line that says it)
WORDS = {
    "nosuchword": (["shell"], r"nosuchword"),
    "nosuch.module=1 another=2 third": (["shell"], r"nosuch.module"),
    "=value = ==": (["shell"], r""),
    "loglevel=loud": (["shell"], r"loglevel"),
    "loglevel=99": (["shell"], r""),
    "loglevel=": (["shell"], r"loglevel"),
    "maxcpus=none": (["shell"], r"maxcpus"),
    "maxcpus=0": (["shell"], r"harts: 1 "),
    "maxcpus=1": (["shell"], r"harts: 1 "),
    "maxcpus=3": (["shell"], r"harts: 3 "),
    "panic=never": (["shell"], r"panic"),
    "rdinit=/nothere": (["shell"], r"/nothere"),
    "rdinit=/etc/passwd": (["shell"], r"/etc/passwd"),
    "rdinit=": (["shell"], r""),
    "console=ttyNOWHERE": (["shell"], r""),
    "root=/dev/vda1 ro quiet earlycon": (["shell"], r""),
    '"quoted words here" "a b=c d"': (["shell"], r""),
    '"never closed': (["shell"], r""),
    "x" * 1500: (["shell"], r""),
    " ".join(f"word{n}" for n in range(200)): (["shell"], r"word"),
}
QUICK = ["nosuchword", "rdinit=/nothere", "maxcpus=0", "loglevel=loud"]


@pytest.mark.parametrize("words", [pytest.param(w, marks=[] if w in QUICK else [pytest.mark.slow], id=w[:30]) for w in WORDS])
def test_words(lab, words):
    endings, pattern = WORDS[words]
    ending, log = outcome.boot_outcome(lab, lab.spec(initrd=images.session_initrd(), append=words, mem="128M"))
    assert ending in endings, f"ended as {ending}:\n{log}"
    assert not pattern or outcome.line_like(log, pattern), f"no line like {pattern}:\n{log}"


def test_unknown_words_reach_init(lab):
    """As with Linux: name=value goes to init's environment."""
    shell = lab.shell(lab.spec(initrd=images.session_initrd(), append="colour=blue plain -- after"))
    assert "colour=blue\n" in shell.check("tr '\\0' '\\n' < /proc/1/environ")
    assert shell.check("tr '\\0' ' ' < /proc/1/cmdline").split()[-2:] == ["plain", "after"]


def test_no_initramfs_runs_the_rescue_program(lab):
    ending, log = outcome.boot_outcome(lab, lab.spec(initrd=""))
    assert ending == "rescue", log
    assert outcome.line_like(log, r"all checks passed"), log


def test_panic_reboots_after_its_seconds(lab):
    """init ends, panic=1: the machine resets (QEMU is told to end then)."""
    base = images.base_archive()
    base.add("init", 0o100755, b"#!/bin/busybox sh\nexit 1\n")
    machine = lab.machine(lab.spec(initrd=images.stored(base.bytes(), "ends", packed=False), append="panic=1"))
    machine.expect(r"Kernel panic: [^\r\n]*init", 60)
    machine.wait_end(20)


def with_large_file(mib):
    """An initramfs that is small as it is packed."""
    base = images.base_archive()
    base.add("a-large-file", 0o100644, os.urandom(1 << 10) * (mib << 10))
    return images.stored(base.bytes(), f"large-{mib}")


@pytest.mark.parametrize("mem, with_initrd", [pytest.param(*m, marks=[] if m == ("24M", True) else [pytest.mark.slow]) for m in
                                              [("8M", False), ("10M", False), ("12M", False), ("16M", False),
                                               ("20M", True), ("24M", True), ("32M", True), ("48M", True)]])
def test_little_memory(lab, mem, with_initrd):
    """Too little memory to unpack 16 MiB: says so, and goes on or panics with advice; 48 MiB is enough.
    In less than 20 MiB QEMU finds no place for an initramfs."""
    initrd = with_large_file(16) if with_initrd else ""
    ending, log = outcome.boot_outcome(lab, lab.spec(initrd=initrd, mem=mem, smp=1))
    if not with_initrd and ending == "rescue":
        return
    if mem == "48M":
        assert ending == "shell", log
    assert ending in ("shell", "rescue", "panic"), f"ended as {ending}:\n{log}"
    if ending != "shell":
        assert outcome.line_like(log, r"memory|space"), log


def test_initramfs_larger_than_memory(lab):
    """40 MiB packed small: unpacking runs out of memory in a 48 MiB machine."""
    ending, log = outcome.boot_outcome(lab, lab.spec(initrd=with_large_file(40), mem="48M", smp=1))
    assert ending in ("shell", "rescue", "panic"), f"ended as {ending}:\n{log}"
    assert outcome.line_like(log, r"memory|space"), log


@pytest.mark.slow
def test_out_of_memory_later_ends_one_process(lab):
    """A process that takes all memory is refused or killed; the shell lives."""
    shell = lab.shell(lab.spec(initrd=images.session_initrd(), mem="64M", smp=2))
    before = shell.free_kib()
    shell.run("dd if=/dev/zero of=/tmp/fill bs=64k", 120)
    assert shell.run("rm -f /tmp/fill")[0] == 0
    shell.run("sh -c 'x=x; while :; do x=$x$x; done'", 120)
    assert shell.check("echo alive") == "alive\n"
    assert before - shell.free_kib() < 1024
