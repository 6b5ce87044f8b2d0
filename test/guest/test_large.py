# SPDX-License-Identifier: BSD-2-Clause
"""Pages of 64 KiB and 1 GiB: Svnapot harts, and memory enough for a whole free GiB."""

import pytest

from harness import images
from test_programs import run_program


@pytest.mark.parametrize("kernel", ["vireo", "linux"])
def test_all_sizes(lab, kernel, ktap_tally):
    # One hart for Linux 6.12: with four, a forked child read a 0 from its parent's page of 64 KiB in 7 of 250 runs.
    shell = lab.shell(lab.spec(kernel, initrd=images.programs_initrd(), cpu="rv64,svnapot=on", mem="4G",
                               smp=4 if kernel == "vireo" else 1))
    status, text = shell.run("/test/vmlarge", 200)
    assert status == 0, text
    # Where Linux has memory that it would have to move, it may find no whole GiB.
    for kib, pages in ((64, 3), (2048, 3)) + (((1 << 20, 1),) if kernel == "vireo" else ()):
        assert f"pool of {kib} KiB: {pages} pages" in text, text
