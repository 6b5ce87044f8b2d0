# SPDX-License-Identifier: BSD-2-Clause
"""The suite for whole machines (test/hil) on machines that are here, as `make hil` runs it: its report, and a machine
behind TCP and power commands, as a board in a lab is."""

import os
import subprocess
import xml.etree.ElementTree

import pytest

from harness import images

pytestmark = pytest.mark.slow


def hil(board, environment, *words, **variables):
    result = subprocess.run(["make", "-C", images.TOP, "hil", "BOARD=" + board, f"ENV=test/hil/env/{environment}.yaml", *words],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1200, check=False,
                            env=dict(os.environ, **variables))
    return result, os.path.join(images.TOP, os.environ.get("BUILD", "build"), board, "hil", environment)


@pytest.mark.parametrize("board", ["qemu-virt", "sifive-unleashed", "icicle"])
def test_suite(board):
    result, out = hil(board, board)
    assert result.returncode == 0, result.stdout[-5000:]
    suite = xml.etree.ElementTree.parse(out + "/junit.xml").getroot()[0]
    assert int(suite.get("tests")) >= 18 and suite.get("failures") == suite.get("errors") == "0"
    with open(out + "/report.html", encoding="utf-8") as file:
        page = file.read()
    assert "<svg" in page and "test_reboots" in page and "power on to shell" in page and "Vireo" in page


@pytest.mark.machine
def test_suite_on_the_twin():
    result, _ = hil("visionfive2", "visionfive2")
    assert result.returncode == 0, result.stdout[-5000:]


def test_machine_in_a_lab():
    """labgrid's own drivers for boards: SerialDriver over TCP, ExternalPowerDriver."""
    result, _ = hil("sifive-unleashed", "remote", "PYTEST=-k 'boots or harts or memory or flood_out or crash'")
    assert result.returncode == 0, result.stdout[-5000:]


def test_line_that_is_cut():
    """The lab's machine loses power in the middle: the console is named, not a stack of Python's."""
    lab = [os.path.join(images.TOP, "test/hil/lab.py"), "off", "sifive-unleashed", "24115"]
    program = subprocess.Popen(["make", "-C", images.TOP, "hil", "BOARD=sifive-unleashed", "ENV=test/hil/env/remote.yaml",
                                "PYTEST=-k boots"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    pid_file = os.path.join(images.TOP, "build/test/lab-sifive-unleashed-24115.pid")
    before = os.path.exists(pid_file) and os.path.getmtime(pid_file)
    for _ in range(600):
        if os.path.exists(pid_file) and os.path.getmtime(pid_file) != before:
            break
        try:
            program.wait(1)
            break
        except subprocess.TimeoutExpired:
            pass
    subprocess.run(lab, check=True)
    out, _ = program.communicate(timeout=400)
    assert program.returncode
    assert "the serial line is gone (was the adapter unplugged?)" in out, out[-3000:]
