# SPDX-License-Identifier: BSD-2-Clause
"""Runs every C program of programs/ on a shared guest and reads its KTAP; on Linux too, which proves
the program itself. A program's sources say what each case would break."""

import glob
import os

import pytest

from harness import images, ktap

NAMES = sorted(os.path.basename(path)[:-2] for path in glob.glob(os.path.join(images.GUEST, "programs/*.c")))
SECONDS = 240
LEAK_KIB = 128


def shell_for(lab, kernel):
    return lab.shared_shell(lab.spec(kernel, initrd=images.programs_initrd()))


def run_program(shell, name):
    status, text = shell.run(f"/test/{name}", SECONDS)
    report = ktap.parse(text)
    complaints = report.faults + [f"not ok: {case.name}: " + "; ".join(case.notes) for case in report.failed]
    if status and not complaints:
        complaints.append(f"exit status {status}")
    return report, complaints


@pytest.mark.parametrize("name", NAMES)
def test_program(lab, kernel, name, ktap_tally):
    report, complaints = run_program(shell_for(lab, kernel), name)
    ktap_tally(kernel, name, report)
    assert not complaints, "\n".join(complaints)
    assert report.cases


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_program_leaks_nothing(lab, name):
    """Free memory after the second and the fourth run is the same, but for what harts keep at hand."""
    shell = shell_for(lab, "vireo")
    free = []
    for _ in range(4):
        run_program(shell, name)
        free.append(shell.free_kib(drop_caches=True))
    assert free[1] - free[3] <= LEAK_KIB, f"MemFree after each run, KiB: {free}"
