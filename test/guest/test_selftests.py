# SPDX-License-Identifier: BSD-2-Clause
"""Linux's own futex, IPC and timer selftests (Debian's linux-source, built unmodified), as its run.sh calls them."""

import re

import pytest

from harness import images, ktap

REQUEUE_PI = ["", "-b", "-b -l", "-b -o", "-l", "-o"] + [
    f"{options} -t {ns}" for ns in (5000, 500000) for options in ("-b -l", "-l", "-b", "", "-b -o")] + [
    "-b -l -t 2000000000", "-l -t 2000000000"]
FUTEX = [f"futex_requeue_pi {options}".strip() for options in REQUEUE_PI] + [
    "futex_requeue_pi_mismatched_ops", "futex_requeue_pi_signal_restart", "futex_wait_timeout",
    "futex_wait_wouldblock", "futex_wait_uninitialized_heap", "futex_wait_private_mapped_file",
    "futex_wait", "futex_requeue", "futex_waitv"]

pytestmark = pytest.mark.slow


# Waiters that give up after 30 ms, timers that may be late by 100: these see one hart and a clock that counts
# instructions, from which a busy host takes nothing. Timers see 8 ns for each: they count seconds of CPU time.
HASTY = {"futex_requeue": {"smp": 1, "icount": True}}
STEADY = {"smp": 1, "extra": ("-icount", "shift=3,sleep=off")}


@pytest.mark.parametrize("call", FUTEX)
def test_futex(lab, kernel, call):
    shell = lab.shared_shell(lab.spec(kernel, initrd=images.selftests_initrd(), **HASTY.get(call, {})))
    if call in HASTY:
        shell.check("sleep 30")  # no host's seconds: Linux's late start-up work takes 20 ms at a time until then
    status, text = shell.run(f"cd /tmp && /selftest/{call}", 120)
    report = ktap.parse(text.replace("TAP version 13", "KTAP version 1"))
    assert status == 0 and report.cases and not report.failed and not report.skipped, text


# What Linux 6.12 itself fails: Debian's source is that of a later test.
POSIX_TIMERS_OF_6_13 = {"check_sig_ign SIGEV_SIGNAL", "check_rearm", "check_delete"}


def run_ipc(lab, kernel, call, **options):
    shell = lab.shared_shell(lab.spec(kernel, initrd=images.ipc_selftests_initrd(), **options))
    shell.check("mkdir -p /dev/mqueue; grep -q \" /dev/mqueue \" /proc/mounts || mount -t mqueue none /dev/mqueue")
    # mq_perf_tests sends a million messages: two minutes on an idle host.
    return shell.run(f"cd /tmp && /selftest/{call}", 600)


# Each must pass on both kernels. mq_perf_tests' figures go into the summary: ns by the clock.
@pytest.mark.parametrize("call", ["msgque", "mq_open_tests /test1", "mq_perf_tests -p /test1", "mqueue-lat",
                                  "threadtest -t 5"])
def test_ipc(lab, kernel, call, figure):
    status, text = run_ipc(lab, kernel, call)
    figure(f"ipc selftest {call}, {kernel}", "pass" if status == 0 else "fail", "",
           ", ".join(f"{what} {ns} ns" for what, ns in re.findall(r"(Send|Recv) msg:.*\n\s+(\d+) nsec/msg", text)))
    assert status == 0 and "FAIL" not in text, text


@pytest.mark.parametrize("call", ["posix_timers", "nanosleep"])
def test_timers(lab, kernel, call):
    _, text = run_ipc(lab, kernel, call, **STEADY)
    report = ktap.parse(text.replace("TAP version 13", "KTAP version 1"))
    failed = {case.name for case in report.failed}
    if kernel == "linux":
        failed -= POSIX_TIMERS_OF_6_13
    assert report.cases and not failed, text


# basic_percpu_ops_test has 200 threads that yield 100,000 times each: under emulation it ends within two
# minutes on no kernel.
RSEQ = ["basic_test"] + [f"param_test -T {what} -t 8 -r 2000" for what in "slbmir"]


@pytest.mark.parametrize("call", RSEQ)
def test_rseq(lab, kernel, call):
    shell = lab.shared_shell(lab.spec(kernel, initrd=images.selftests_initrd()))
    shell.check("export GLIBC_TUNABLES=glibc.pthread.rseq=0")
    status, text = shell.run(f"/selftest/{call}", 120)
    assert status == 0, text
