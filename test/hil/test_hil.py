# SPDX-License-Identifier: BSD-2-Clause
"""The suite for a whole machine, the same for QEMU, the twin and boards. What differs (harts, memory, the card's name) is
in the environment's file; HIL_MINUTES and HIL_REBOOTS say how long it may take."""

import hashlib
import os
import random
import re
import time

import pytest

from harness import ktap

MINUTES = float(os.environ.get("HIL_MINUTES", "0.2"))
REBOOTS = int(os.environ.get("HIL_REBOOTS", "3"))
SECONDS = 300
LINE_BYTES_A_SECOND = 11520  # 115200 baud, 8N1


def test_boots_to_a_shell(dut):
    start = time.monotonic()
    shell = dut.boot()
    seconds = time.monotonic() - start
    dut.figure("power on to shell", round(seconds, 1), "s")
    assert shell.check("echo $((6 * 7))") == "42\n"
    assert seconds < dut.option("boot_seconds")
    assert re.search(r"Vireo \S+ on " + dut.option("board"), dut.log)


def test_harts(dut, shell):
    assert int(shell.check("nproc")) == dut.option("harts")
    assert int(shell.check("grep -c ^processor /proc/cpuinfo")) == dut.option("harts")


def test_memory(dut, shell):
    kib = int(re.search(r"MemTotal: +(\d+)", shell.check("cat /proc/meminfo")).group(1))
    assert 0.9 * dut.option("memory_mib") < kib / 1024 <= dut.option("memory_mib")


def uptime(shell):
    """(middle of the host's times, guest's), the quickest of some questions."""
    found = []
    for _ in range(8):
        before = time.monotonic()
        guest = float(shell.check("cat /proc/uptime").split()[0])
        after = time.monotonic()
        found.append((after - before, (before + after) / 2, guest))
    return min(found)[1:]


def test_clock_keeps_pace_with_the_host(dut, shell):
    host, guest = uptime(shell)
    dut.drain(20)
    later_host, later_guest = uptime(shell)
    drift = (later_guest - guest) / (later_host - host) - 1
    dut.figure("clock drift against the host", round(drift * 1e6), "ppm")
    assert abs(drift) < dut.option("drift", 0.005)


def test_card_keeps_what_is_written(dut, shell):
    """At its very end, where the FAT of our card has nothing."""
    disk = dut.option("disk")
    if not disk:
        pytest.skip("this machine has no card or disk that there is a driver for")
    sectors = int(shell.check(f"cat /sys/class/block/{disk}/size"))
    where = sectors // 128 - 33
    shell.check("dd if=/dev/urandom of=/tmp/x bs=64k count=32 2>/dev/null")
    ours = shell.check("sha256sum < /tmp/x").split()[0]
    shell.check(f"dd if=/tmp/x of=/dev/{disk} bs=64k seek={where} conv=fsync 2>/dev/null", 120)
    assert shell.check(f"dd if=/dev/{disk} bs=64k skip={where} count=32 2>/dev/null | sha256sum", 120).split()[0] == ours
    shell.check("rm /tmp/x")


def test_card_is_mounted(dut, shell):
    """The FAT that the firmware loaded us from: read, written, and the same after another mount."""
    disk = dut.option("disk")
    if not re.search(r"p\d+$", disk or ""):
        pytest.skip("this machine has no card with a FAT")
    mount = f"mkdir -p /mnt; mount -t vfat /dev/{disk} /mnt"
    shell.check(mount, 60)
    assert shell.check("dd if=/mnt/Image bs=1 skip=56 count=4 2>/dev/null; echo") == "RSC\x05\n"
    shell.check("grep -q '^label vireo' /mnt/extlinux/extlinux.conf")
    shell.check("dd if=/dev/urandom of=/tmp/x bs=64k count=32 2>/dev/null; mkdir -p '/mnt/written here'", 60)
    shell.check("cp /tmp/x '/mnt/written here/A file.bin' && umount /mnt", 120)
    shell.check(mount, 60)
    shell.check("cmp /tmp/x '/mnt/written here/A file.bin'", 60)
    shell.check("rm -r '/mnt/written here' /tmp/x; umount /mnt", 60)


@pytest.mark.parametrize("program", ["futex", "robust", "shm", "semaphore", "message", "pthread", "signal", "harts"])
def test_programs(dut, shell, program):
    """futexes, System V IPC, and what they stand on."""
    status, text = shell.run(f"/test/{program}", SECONDS)
    report = ktap.parse(text)
    assert not report.faults, report.faults
    assert not report.failed, "\n".join(f"{case.name}: " + "; ".join(case.notes) for case in report.failed)
    assert status == 0 and report.cases


def test_stress(dut, shell):
    """Programs in parallel on every hart for HIL_MINUTES; each must pass each time, and no memory is lost."""
    before = shell.free_kib(drop_caches=True)
    names = ["shm", "pipe", "process", "mm"]
    loops = "; ".join(f"(while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do /test/{name} > /tmp/{name}.out || echo {name} "
                      ">> /tmp/bad; echo >> /tmp/rounds; done) &" for name in names).replace("&;", "&")
    shell.check("rm -f /tmp/bad /tmp/rounds; set +m")
    shell.check(f"end=$(($(cut -d. -f1 /proc/uptime) + {int(MINUTES * 60)})); {loops} wait", MINUTES * 60 + SECONDS)
    bad = shell.run("cat /tmp/bad")[1]
    rounds = int(shell.check("wc -l < /tmp/rounds"))
    dut.figure("rounds of the stress test", rounds, f"in {MINUTES} min")
    assert "No such file" in bad, f"failed: {bad}" + shell.run("grep -h '^not ok' /tmp/*.out")[1]
    assert rounds >= len(names)
    shell.check("rm -f /tmp/rounds /tmp/*.out; set -m")
    # Strays of the last round may still be on their way out.
    for _ in range(30):
        missing = before - shell.free_kib(drop_caches=True)
        if missing < 4096:
            break
        dut.drain(1)
    dut.figure("memory missing after the stress test", missing, "KiB")
    assert missing < 4096, shell.check("cat /proc/meminfo; ps")


def test_serial_flood_in(dut, shell):
    """As fast as 115200 baud bring it, nothing gets lost."""
    data = random.Random(8).randbytes(LINE_BYTES_A_SECOND * 4)
    dut.write(f"stty raw -echo; echo rea''dy; head -c {len(data)} | sha256sum; stty sane\n")
    dut.expect(r"ready\n", 20)
    start = time.monotonic()
    for at in range(0, len(data), 64):
        time.sleep(max(0, start + at / LINE_BYTES_A_SECOND - time.monotonic()))
        dut.write(data[at:at + 64])
    _, _, match = dut.expect(r"([0-9a-f]{64})  -", 60)
    assert match.group(1).decode() == hashlib.sha256(data).hexdigest()
    dut.expect(r"\[(\d+)\]# ", 20)
    shell.screen(columns=1000)


def test_serial_flood_out(dut, shell):
    """In pieces that any buffer holds: QEMU 7.2's SiFive UART drops what its reader is too slow for."""
    for first in range(1, 20001, 1000):
        text = shell.check(f"seq {first} {first + 999}", 120)
        assert text == "".join(f"{n}\n" for n in range(first, first + 1000))


def test_reboots(dut, shell):
    if not dut.option("can_reboot", True):
        pytest.skip("this machine has no reset that the firmware knows")
    for n in range(REBOOTS):
        dut.write("reboot -f\n")
        shell = dut.await_shell(f"reboot {n + 1}")
        assert int(shell.check("nproc")) == dut.option("harts")


def test_watchdog_bites(dut, shell):
    if shell.run("test -c /dev/watchdog")[0]:
        pytest.skip("this machine has no watchdog that there is a driver for")
    shell.check("watchdog -T 4 -t 1 /dev/watchdog; sleep 6; killall -9 watchdog")
    shell = dut.await_shell("watchdog")
    assert float(shell.check("cat /proc/uptime").split()[0]) < dut.option("boot_seconds")


def test_crash_is_told_and_ends_in_a_reboot(dut, shell):
    """panic=3 on the command line."""
    dut.write("echo c > /proc/sysrq-trigger\n")
    dut.expect("Kernel panic: sysrq: crash", 20)
    dut.expect("backtrace:", 10)
    dut.expect(r"store_trigger\+0x", 10)
    if dut.option("can_reboot", True):
        dut.await_shell("crash")
