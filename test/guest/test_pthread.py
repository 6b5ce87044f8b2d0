# SPDX-License-Identifier: BSD-2-Clause
"""Programs of threads, built for glibc and for musl (Debian's own), static and dynamic. The static ones for glibc
run with all other programs, too."""

import pytest

from harness import images, ktap

SECONDS = 400
FLAVOURS = ["glibc-dynamic", "musl-static", "musl-dynamic"]


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("name", images.PTHREAD_PROGRAMS)
def test_pthread(lab, kernel, name, flavour, ktap_tally):
    shell = lab.shared_shell(lab.spec(kernel, initrd=images.pthread_initrd()))
    status, text = shell.run(f"/test/{name}.{flavour}", SECONDS)
    report = ktap.parse(text)
    ktap_tally(kernel, f"{name}.{flavour}", report)
    assert report.cases and not report.faults and not report.failed and status == 0, text
