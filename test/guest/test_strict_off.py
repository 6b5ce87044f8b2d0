# SPDX-License-Identifier: BSD-2-Clause
"""Our QEMU with all its options off is Debian's, to the bit: both are built from the same source, with and without
our changes, and every instruction counted says the same, for each program of our suite."""

import os
import subprocess

import pytest

from harness import images
import qemu  # flash/qemu.py, found through images

pytestmark = [pytest.mark.machine, pytest.mark.slow]

# 16 ns an instruction: what works for a time, works for fewer of them.
COUNTED = ("-icount", "shift=4,sleep=off", "-seed", "1", "-rtc", "base=2024-01-01,clock=vm")
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for p in {}; do /test/$p; cat /proc/uptime; done
poweroff -f
"""


def initrd():
    archive = images.base_archive()
    for name, path in images.programs().items():
        archive.add_file(path, f"test/{name}")
    archive.add("init", 0o100755, INIT.format(" ".join(images.programs())).encode())
    return images.stored(archive.bytes(), "counted")


def console(binary, cpu):
    args = qemu.Machine(board="qemu-virt", variant="built", kernel=images.vireo(), initrd=initrd(), bios=images.opensbi(),
                        cpu=cpu, smp=1, append="console=ttyS0", rng=False, extra=COUNTED).args()
    done = subprocess.run([os.path.join(images.TOP, "build/machine", binary)] + args[1:] + ["-nographic"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=1800, check=True)
    return done.stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("cpu", ["rv64", "rv64,v=on,svinval=on,svnapot=on"])
def test_off_is_plain(cpu):
    images.command(["make", "-s", "machine"], cwd=images.TOP)
    images.command([os.path.join(images.TOP, "test/qemu/build.sh"), "plain"], 1800)
    plain, ours = console("plain-qemu-system-riscv64", cpu), console("qemu-system-riscv64", cpu)
    assert plain.count("KTAP version 1") == len(images.programs())
    assert "not ok" not in plain
    assert "Power down" in plain
    assert ours.splitlines() == plain.splitlines()
