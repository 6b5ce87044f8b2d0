# SPDX-License-Identifier: BSD-2-Clause
"""The harness itself."""

import os

from harness.machine import Machine


def test_a_machine_leaves_no_file_open(lab):
    """A long run starts hundreds of machines in one process, and select() takes no descriptor above 1023."""
    before = sorted(os.listdir("/proc/self/fd"))
    with Machine(lab.spec()) as machine:
        machine.expect("Vireo", 20)
        assert len(os.listdir("/proc/self/fd")) > len(before)
    assert sorted(os.listdir("/proc/self/fd")) == before
