# SPDX-License-Identifier: BSD-2-Clause
"""The figures that the project aims at, printed at the end of the run. The aims are checked."""

import os
import re

from harness import images


def test_image_size(figure):
    size = os.path.getsize(images.vireo())
    figure("Image", size // 1024, "KiB", "below 1024")
    assert size < 1 << 20


def test_instructions_from_entry_to_init(lab, figure):
    """With -icount shift=0 one instruction takes 1 ns of virtual time, and the kernel prints how long it took."""
    machine = lab.machine(lab.spec(initrd=images.session_initrd(), smp=1, mem="512M", icount=True))
    _, _, match = machine.expect(r"boot: entry to init (\d+)(?:\.(\d+))? us", 120)
    instructions = int(match.group(1)) * 1000 + int(match.group(2) or 0)
    figure("instructions from entry to /init (512 MiB, 1 hart, initramfs of 2 MiB not packed)", f"{instructions / 1e6:.1f}",
           "million", "below 30")
    assert instructions < 30e6


def test_free_memory_at_the_shell(lab, figure):
    shell = lab.shell(lab.spec(initrd=images.session_initrd(), mem="64M"))
    free = shell.free_kib()
    figure("free memory at the shell with 64 MiB", f"{free / 1024:.1f}", "MiB", "above 52")
    assert free > 52 * 1024


def test_boot_time(lab, figure):
    shell = lab.shell(lab.spec(initrd=images.session_initrd()))
    match = re.search(r"boot: entry to init (\d+)", shell.machine.log)
    assert match
    figure("entry to /init, 4 harts, emulated", match.group(1), "us of wall clock")


def test_fences_of_a_munmap(lab, figure):
    """One hart runs the space, seven ran it earlier: Linux sends a fence to each of those, we to none."""
    shell = lab.shell(lab.spec(initrd=images.programs_initrd(), smp=8))
    status, text = shell.run("/test/fences", 200)
    assert status == 0, text
    sent, munmaps = re.search(r"8 harts, (\d+) munmaps: (\d+) remote fences", text).group(2, 1)
    figure("remote fences per munmap, 7 harts ran the space earlier", f"{int(sent) / int(munmaps):.3f}", "", "0")
