# SPDX-License-Identifier: BSD-2-Clause
"""The suite for whole machines (test/hil) on machines that are here, as `make hil` runs it: its report, and a machine
behind TCP and power commands, as a board in a lab is."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

import pytest

from harness import images

sys.path.append(os.path.join(images.TOP, "test/hil"))
import remote_lab  # noqa: E402

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


@pytest.fixture
def adapter():
    """The lab's serial adapter, which is there before the machine has power."""
    lab = os.path.join(images.TOP, "test/hil/lab.py")
    server = subprocess.Popen([lab, "serve", "24115"])
    yield server
    server.kill()
    server.wait()
    subprocess.run([lab, "off", "sifive-unleashed", "24115"], check=True)


def test_machine_in_a_lab(adapter):
    """labgrid's own drivers for boards: SerialDriver over TCP, ExternalPowerDriver."""
    result, _ = hil("sifive-unleashed", "remote", "PYTEST=-k 'boots or test_harts or memory'")
    assert result.returncode == 0, result.stdout[-5000:]


def test_line_that_is_cut(adapter):
    """The adapter goes while the machine boots: that is said, not a stack of Python's alone."""
    timer = threading.Timer(25, adapter.kill)
    timer.start()
    result, _ = hil("sifive-unleashed", "remote", "PYTEST=-k boots")
    timer.cancel()
    assert result.returncode and "the serial line is gone (was the adapter unplugged?)" in result.stdout, result.stdout[-3000:]


def said(line, pattern, seconds=60, poke=b""):
    """Read until the pattern came, writing `poke` each second."""
    heard, end = b"", time.monotonic() + seconds
    line.settimeout(1)
    while not re.search(pattern, heard):
        assert time.monotonic() < end, f"no {pattern} in {heard[-2000:]}"
        try:
            heard += line.recv(65536)
        except socket.timeout:
            line.sendall(poke)


def connected(port, seconds):
    """A connection to whoever is about to listen there."""
    end = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert time.monotonic() < end, f"nobody listens at {port}"
            time.sleep(0.1)


def test_line_that_is_put_back(adapter):
    """Unplugged in the middle of a program's output: the system goes on, and answers when the line is there again."""
    lab = os.path.join(images.TOP, "test/hil/lab.py")
    subprocess.run([lab, "on", "sifive-unleashed", "24115"], check=True, env=dict(os.environ, LAB_BOOT="sbi"))
    with socket.create_connection(("127.0.0.1", 24115)) as line:
        said(line, rb"\[0\]# $", 120, b"\n")
        line.sendall(b"(seq 1 60000; echo all > /tmp/told) &\n")
        said(line, rb"\n1500\r")
        adapter.kill()
        adapter.wait()
    time.sleep(3)  # unplugged for so long, while the program writes on
    again = subprocess.Popen([lab, "serve", "24115"])
    try:
        with connected(24115, 30) as line:
            # Asked until it is answered: what is sent before the machine has plugged in again is lost.
            said(line, rb"told all 42\r", 120, b"\n wait; echo told $(cat /tmp/told) $((6 * 7))\n")
    finally:
        again.kill()
        again.wait()


def test_place_of_a_coordinator():
    """labgrid's coordinator, exporter and client on loopback: the suite on a place that is ours; not on one that isn't."""
    with remote_lab.Lab("sifive-unleashed") as lab:
        result, out = hil("sifive-unleashed", "place", "PYTEST=-k 'boots_to or test_harts or memory'")
        assert result.returncode == 0, result.stdout[-5000:]
        suite = xml.etree.ElementTree.parse(out + "/junit.xml").getroot()[0]
        assert suite.get("tests") == "3" and suite.get("skipped") == "0"
        said = remote_lab.client("-p", "desk", "acquire", check=False, LG_USERNAME="other")
        assert "already acquired" in said
        lab.stop("exporter")
        assert "lab/desk" not in remote_lab.client("resources")
        lab.start_exporter()
        remote_lab.await_text(["resources"], "lab/desk/NetworkPowerPort")
        remote_lab.client("-p", "desk", "release")
        result, _ = hil("sifive-unleashed", "place", "PYTEST=-k boots_to")
        assert result.returncode and "desk is not acquired" in result.stdout, result.stdout[-3000:]
