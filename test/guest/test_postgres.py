# SPDX-License-Identifier: BSD-2-Clause
"""Debian's PostgreSQL, unmodified, with its memory in System V segments: a cluster is made, filled, asked and found
again. Without sockets there is no server to connect to; initdb and --single are the same program on the same memory."""

import pytest

from harness import images

pytestmark = pytest.mark.slow

BIN = "/usr/lib/postgresql/17/bin"
MEMORY = "-c shared_memory_type=sysv -c dynamic_shared_memory_type=sysv"
def single(shell, name):
    return shell.check(f"cat /root/postgres_{name}.sql | su user -c '{BIN}/postgres --single {MEMORY} -D /tmp/db postgres'", 300)


def test_postgres(lab, kernel):
    shell = lab.shell(lab.spec(kernel, initrd=images.postgres_initrd(), mem="1G"))
    shell.check("mkdir -p /dev/shm; mount -t tmpfs -o mode=1777 none /dev/shm")
    status, text = shell.run(f"su user -c '{BIN}/initdb -D /tmp/db --no-locale -E UTF8 -N {MEMORY}'", 900)
    assert status == 0 and "Success" in text, text
    text = single(shell, "fill")
    assert 'rows = "18810"' in text and 'sum = "357425340"' in text and 'mean = "4750.4' in text, text
    text = single(shell, "again")
    assert 'again = "19000"' in text and 'last = "19000"' in text and 'kind = "sysv"' in text, text
    left = shell.check("cat /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg; ls /dev/shm")
    assert len(left.splitlines()) == 3, left
