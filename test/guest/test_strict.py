# SPDX-License-Identifier: BSD-2-Clause
"""Kernels on the strict machine: Vireo's programs, and Debian's Linux as the witness that a right kernel
passes. A stale use ends QEMU, and with it the test; the report is in what QEMU said (captured stderr)."""

import os
import re

import pytest

from harness import images
from test_programs import NAMES, run_program

pytestmark = pytest.mark.machine

# The memory's own programs: they fork, exec, map, unmap and share on all harts.
MEMORY = [name for name in ("elf", "harts", "mm", "process", "pthread", "signal", "space", "storm", "vmproc",
                            "vmrandom") if name in NAMES]
SECONDS_A_TICK = 1 / os.sysconf("SC_CLK_TCK")
AIM = 4


def spec(lab, variant, kernel="vireo"):
    return lab.spec(kernel, initrd=images.programs_initrd(), variant=variant)


def passes(shell, name, ktap_tally, kernel):
    report, complaints = run_program(shell, name)
    ktap_tally(kernel, name, report)
    assert not complaints, "\n".join(complaints)
    assert report.cases


def asid_bits(shell):
    """What the kernel found, by its log."""
    found = re.findall(r"(\d+) ASID bits|ASID allocator (?:using |disabled \()(\d+) bits", shell.machine.log)
    return [int(a or b) for a, b in found]


@pytest.mark.parametrize("name", NAMES)
def test_program(lab, name, ktap_tally):
    shell = lab.shared_shell(spec(lab, "strict"))
    passes(shell, name, ktap_tally, "vireo, strict")
    assert asid_bits(shell) == [16]


# Eight harts at most need ten ASIDs: 3 bits are as good as none, 4 roll over all the time.
@pytest.mark.parametrize("options", ["x-asid-bits=0,x-strict-invalid=on,x-strict-walk-cache=on",
                                     "x-asid-bits=4,svinval=on,x-strict-walk-cache=on"])
@pytest.mark.parametrize("name", MEMORY)
def test_memory_with_few_asids(lab, name, options, ktap_tally):
    shell = lab.shared_shell(spec(lab, "strict," + options))
    passes(shell, name, ktap_tally, "vireo, strict, few ASIDs")
    assert asid_bits(shell) == [int(re.search(r"\d+", options).group())]


LOAD = ("n=0; while [ $n -lt {0} ]; do /bin/busybox true; (echo $n; ls -l /test) | cat > /tmp/n; "
        "cp /bin/busybox /tmp/busybox; /tmp/busybox cmp /tmp/busybox /bin/busybox || break; "
        "n=$((n+1)); done; echo ran $n")


@pytest.mark.parametrize("rounds", [12, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("bits", [16, 4, 3, 0])
def test_busybox(lab, bits, rounds):
    shell = lab.shell(spec(lab, f"strict,x-asid-bits={bits}"))
    assert asid_bits(shell) == [bits]
    assert shell.check(LOAD.format(rounds), 300).strip().endswith(f"ran {rounds}")


@pytest.mark.slow
@pytest.mark.parametrize("bits", [16, 4, 0])
def test_a_million_random_calls(lab, bits):
    """Four threads that take turns on four harts, each against its shadow; what they leave is compared with
    /proc/self/maps. With all four at once a million takes hours where the host has two cores: a remote fence spins
    until the host lets the other hart run."""
    shell = lab.shell(spec(lab, f"strict,x-asid-bits={bits}"))
    status, text = shell.run("VM_RUNNING=1 VM_STEPS=125000 /test/vmrandom", 1400)
    assert status == 0, text


@pytest.mark.slow
@pytest.mark.parametrize("bits", [16, 4, 0])
def test_random_calls_at_once(lab, bits):
    """A hundred thousand calls, from all four threads at the same time."""
    shell = lab.shell(spec(lab, f"strict,x-asid-bits={bits}"))
    status, text = shell.run("VM_STEPS=12500 /test/vmrandom", 1400)
    assert status == 0, text


@pytest.mark.parametrize("rounds", [12, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("bits", [16, 8, 0])
def test_linux(lab, bits, rounds):
    """Debian's own kernel runs a load of fork, exec and mmap with no stale use at all."""
    shell = lab.shell(spec(lab, f"built,svade=on,svadu=off,x-strict-tlb=on,x-asid-bits={bits}", "linux"))
    assert asid_bits(shell) == [bits]
    assert shell.check(LOAD.format(rounds), 300).strip().endswith(f"ran {rounds}")
    for name in ("mm", "process") if rounds > 12 else ():
        status, text = shell.run(f"/test/{name}", 120)
        assert status == 0, text


def cpu_seconds(shell):
    """What QEMU has used so far: time on an otherwise busy host does not count."""
    with open(f"/proc/{shell.machine.driver._child.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * SECONDS_A_TICK


def test_cost(lab, figure):
    """The same boot and programs on plain QEMU, and on the strict machine."""
    used = []
    for variant in ("built", "strict"):
        shell = lab.shell(spec(lab, variant))
        for name in ("mm", "process", "signal", "fs"):
            run_program(shell, name)
        used.append(cpu_seconds(shell))
        lab.end_own()
    ratio = used[1] / used[0]
    figure("strict machine, QEMU's CPU time against plain", f"{ratio:.2f}", "x", f"below {AIM}")
    assert ratio < 2 * AIM
