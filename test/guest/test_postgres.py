# SPDX-License-Identifier: BSD-2-Clause
"""Debian's PostgreSQL, unmodified, with its memory in System V segments: a cluster is made, filled, asked and found
again. Without sockets there is no server to connect to; initdb and --single are the same program on the same memory."""

import pytest

from harness import images

pytestmark = pytest.mark.slow

BIN = "/usr/lib/postgresql/17/bin"
MEMORY = "-c shared_memory_type=sysv -c dynamic_shared_memory_type=sysv"
SQL = """CREATE TABLE t (id int PRIMARY KEY, name text, half numeric)
INSERT INTO t SELECT i, 'row ' || i, i / 2.0 FROM generate_series(1, 20000) i
CREATE INDEX t_name ON t (name)
UPDATE t SET name = 'changed' WHERE id % 100 = 7
DELETE FROM t WHERE id > 19000
VACUUM ANALYZE t
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN n * 2; END $$
SELECT count(*) AS rows, sum(twice(id)) AS sum, avg(half) AS mean FROM t WHERE name <> 'changed'
CHECKPOINT
"""
AGAIN = """SELECT count(*) AS again, max(id) AS last FROM t
SELECT setting AS kind FROM pg_settings WHERE name = 'shared_memory_type'
"""


def single(shell, sql):
    shell.check(f"cat > /tmp/in <<'END'\n{sql}END\n")
    return shell.check(f"cat /tmp/in | su user -c '{BIN}/postgres --single {MEMORY} -D /tmp/db postgres'", 300)


def test_postgres(lab, kernel):
    shell = lab.shell(lab.spec(kernel, initrd=images.postgres_initrd(), mem="1G"))
    shell.check("mkdir -p /dev/shm; mount -t tmpfs none /dev/shm; mount -o remount,mode=1777 /dev/shm; chmod 1777 /tmp")
    status, text = shell.run(f"su user -c '{BIN}/initdb -D /tmp/db --no-locale -E UTF8 --no-sync "
                             "-c shared_memory_type=sysv -c dynamic_shared_memory_type=sysv'", 900)
    assert status == 0 and "Success" in text, text
    text = single(shell, SQL)
    assert 'rows = "18810"' in text and 'sum = "357425340"' in text and 'mean = "4750.4' in text, text
    text = single(shell, AGAIN)
    assert 'again = "19000"' in text and 'last = "19000"' in text and 'kind = "sysv"' in text, text
    left = shell.check("cat /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg; ls /dev/shm")
    assert len(left.splitlines()) == 3, left
