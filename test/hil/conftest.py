# SPDX-License-Identifier: BSD-2-Clause
"""The system under test, whatever it is: an environment file of labgrid (HIL_ENV, set by `make hil`) says by which
drivers its console and its power are reached. Collected for nothing else: `make test` leaves this folder out."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "guest"))
sys.path.insert(0, HERE)

import pytest  # noqa: E402

ENVIRONMENT = os.environ.get("HIL_ENV")
OUT = os.environ.get("HIL_OUT", "build/hil")
RESULTS = []


def pytest_ignore_collect(collection_path, config):
    return True if not ENVIRONMENT else None


@pytest.fixture(scope="session")
def dut():
    import system
    found = system.Dut(ENVIRONMENT)
    yield found
    found.close()
    with open(os.path.join(OUT, "console.log"), "w", encoding="utf-8") as file:
        file.write(found.log)


@pytest.fixture
def shell(dut):
    """A shell on the running system; it is started, or started again, if there is none."""
    return dut.shell()


def pytest_sessionstart(session):
    if ENVIRONMENT:
        os.makedirs(OUT, exist_ok=True)


def pytest_runtest_logreport(report):
    if ENVIRONMENT and (report.when == "call" or report.outcome != "passed"):
        RESULTS.append(report)


def pytest_sessionfinish(session):
    if ENVIRONMENT:
        import report
        report.write(os.path.join(OUT, "report.html"), ENVIRONMENT, RESULTS)
