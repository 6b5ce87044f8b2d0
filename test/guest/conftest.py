# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures: guests that are booted once for each configuration, and figures for the closing summary."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import images  # noqa: E402
from harness.machine import Boot, Machine  # noqa: E402
from harness.shell import Shell  # noqa: E402

FIGURES = []
SKIPPED_CASES = []
KTAP_TOTALS = {}


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--kernels").split(",")
    keep = [i for i in items if kernel_of(i) in wanted + [None]]
    config.hook.pytest_deselected(items=[i for i in items if i not in keep])
    items[:] = keep


def kernel_of(item):
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("kernel") if callspec else None


KERNELS = [pytest.param("vireo"), pytest.param("linux", marks=pytest.mark.slow)]


class Lab:
    """Boots machines for the tests; keeps one running guest for each configuration that asks to share."""

    def __init__(self, log_folder):
        self.shared = {}
        self.own = []
        self.log_folder = log_folder

    def kernel(self, name):
        if name == "linux":
            return images.linux()
        return images.vireo("" if name == "vireo" else name)

    def spec(self, kernel="vireo", initrd=None, append="", **options):
        words = ["console=ttyS0", append] if append is not None else []
        return Boot(kernel=self.kernel(kernel), initrd=initrd, append=" ".join(filter(None, words)), **options)

    def machine(self, boot):
        """A machine that is switched on and ends with the test."""
        machine = Machine(boot)
        self.own.append(machine)
        return machine.on()

    def shell(self, boot):
        return Shell(self.machine(boot)).await_boot()

    def shared_shell(self, boot):
        """A shell that others use too; booted anew when the last user left it dead or deaf."""
        shell = self.shared.get(boot)
        if shell and shell.machine.running:
            try:
                shell.machine.write("\x03\n")
                shell.machine.expect(r"\[(\d+)\]# $", 5)
                shell.run("")
                shell.check("true", 10)
                return shell
            except AssertionError:
                pass
        if shell:
            self.end(shell.machine)
        for other in [b for b in self.shared if b != boot]:
            self.end(self.shared.pop(other).machine)
        machine = Machine(boot).on()
        self.shared[boot] = Shell(machine)
        return self.shared[boot].await_boot()

    def end(self, machine):
        machine.off()
        if self.log_folder:
            os.makedirs(self.log_folder, exist_ok=True)
            name = f"{len(os.listdir(self.log_folder)):03d}.log"
            with open(os.path.join(self.log_folder, name), "w", encoding="utf-8") as file:
                file.write(" ".join(machine.boot.argv()) + "\n" + machine.log)

    def end_own(self):
        while self.own:
            self.end(self.own.pop())

    def end_all(self):
        self.end_own()
        for shell in self.shared.values():
            self.end(shell.machine)
        self.shared.clear()


@pytest.fixture(scope="session")
def lab_of_session(request):
    lab = Lab(request.config.getoption("--guest-log"))
    yield lab
    lab.end_all()


@pytest.fixture
def lab(lab_of_session):
    yield lab_of_session
    lab_of_session.end_own()


@pytest.fixture(params=KERNELS)
def kernel(request):
    return request.param


@pytest.fixture
def figure():
    """figure(name, value, unit, aim): printed at the end of the run."""
    def record(name, value, unit, aim=""):
        FIGURES.append((name, value, unit, aim))
    return record


@pytest.fixture
def ktap_tally():
    def tally(kernel, program, report):
        ok, bad, skipped = KTAP_TOTALS.get(kernel, (0, 0, 0))
        KTAP_TOTALS[kernel] = (ok + len(report.cases) - len(report.failed) - len(report.skipped),
                               bad + len(report.failed), skipped + len(report.skipped))
        SKIPPED_CASES.extend((kernel, program, case.name, case.skip) for case in report.skipped)
    return tally


def pytest_terminal_summary(terminalreporter):
    if FIGURES:
        terminalreporter.section("figures")
        for name, value, unit, aim in FIGURES:
            terminalreporter.write_line(f"{name}: {value} {unit}" + (f" (aim: {aim})" if aim else ""))
    if KTAP_TOTALS:
        terminalreporter.section("guest cases")
        for kernel, (ok, bad, skipped) in KTAP_TOTALS.items():
            terminalreporter.write_line(f"{kernel}: {ok} ok, {bad} failed, {skipped} skipped")
        for kernel, program, name, reason in SKIPPED_CASES:
            terminalreporter.write_line(f"  skipped on {kernel}: {program} {name}: {reason}")
