# SPDX-License-Identifier: BSD-2-Clause
"""Futexes under programs that others wrote, unmodified from Debian: stress-ng, and the benchmarks of Linux's own
sources, which are part of perf. What they measure on Linux, in the same machine, is told beside ours."""

import re

import pytest

from harness import images

# All that stress-ng 0.19 has of what the C library makes of futexes, and of what belongs to it here. It has none for
# reader-writer locks or robust lists; test_pthread.py is about these.
STRESSORS = ["futex", "mutex", "pthread", "sem", "prio-inv", "schedpolicy", "schedmix", "membarrier", "rseq", "pidfd"]
SECONDS = 5

# (arguments of "perf bench futex", what it prints: a number to be compared)
BENCHMARKS = [
    ("hash -t 4 -f 64 -r 5", r"Averaged (\d+) operations/sec"),
    ("wake -t 32", r"Wokeup \d+ of 32 threads in ([\d.]+) ms"),
    ("wake-parallel -t 32 -w 4", r"Avg per-thread latency \(waking 8/32 threads\) in ([\d.]+) ms"),
    ("requeue -t 32", r"Requeued \d+ of 32 threads in ([\d.]+) ms"),
    ("requeue -t 32 -p", r"Requeued \d+ of 32 threads in ([\d.]+) ms"),
    ("lock-pi -t 4 -r 5", r"Averaged (\d+) operations/sec"),
    ("lock-pi -t 4 -r 5 -M", r"Averaged (\d+) operations/sec"),
]


def run_stress(lab, kernel, arguments, stressors):
    """Operations a second of each stressor."""
    shell = lab.shared_shell(lab.spec(kernel, initrd=images.ipc_initrd()))
    shell.run("export PATH=/usr/bin:/bin:/sbin; mkdir -p /tmp /dev/shm; "
              "grep -q /dev/shm /proc/mounts || mount -t tmpfs none /dev/shm")
    status, text = shell.run(f"stress-ng {arguments} --verify --metrics --temp-path /tmp", 300)
    assert status == 0 and "failed: 0" in text, text
    found = dict(re.findall(r"metrc: \[\d+\] (\S+) +\d+ +[\d.]+ +[\d.]+ +[\d.]+ +([\d.]+)", text))
    assert set(found) == set(stressors), text
    return found


def test_several_at_once(lab):
    stressors = STRESSORS[:4] + ["schedpolicy"]
    run_stress(lab, "vireo", " ".join(f"--{name} 1" for name in stressors) + " -t 2", stressors)


MEASURED = {}


def beside(figure, name, kernel, value, unit):
    """Linux's turn comes after ours: then both are told."""
    MEASURED[name, kernel] = value
    if kernel == "linux":
        figure(name, MEASURED.get((name, "vireo"), "-"), f"{unit}, Linux {value}")


@pytest.mark.slow
@pytest.mark.parametrize("stressor", STRESSORS)
def test_stress(lab, kernel, stressor, figure):
    rate = run_stress(lab, kernel, f"--{stressor} 4 -t {SECONDS}", [stressor])[stressor]
    beside(figure, f"stress-ng --{stressor} 4", kernel, rate, "operations/s")


@pytest.mark.slow
@pytest.mark.parametrize("arguments, pattern", BENCHMARKS)
def test_perf_bench(lab, kernel, arguments, pattern, figure):
    shell = lab.shared_shell(lab.spec(kernel, initrd=images.perf_initrd()))
    status, text = shell.run(f"PATH=/usr/bin:/bin:/sbin perf bench futex {arguments}", 300)
    found = re.findall(pattern, text)
    assert status == 0 and found, text
    unit = "operations/s" if "/sec" in pattern else "ms"
    beside(figure, f"perf bench futex {arguments}", kernel, found[-1], unit)
