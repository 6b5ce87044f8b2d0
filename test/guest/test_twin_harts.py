# SPDX-License-Identifier: BSD-2-Clause
"""The harts of VisionFive 2's twin, tried by bare/harts.S: what is written here is the board's, from the notes
and from boot logs of boards. "-": works; else the cause of the trap."""

import os

import pytest

from harness import images, twin

pytestmark = pytest.mark.machine

ILLEGAL, MISALIGNED_LOAD, MISALIGNED_STORE, LOAD_FAULT, STORE_FAULT = "2", "4", "6", "d", "f"
BOTH = {"time": ILLEGAL, "menvcfg": ILLEGAL, "mcountinhibit": "-", "mhpmcounter3": "-", "mhpmcounter5": ILLEGAL, "zba": "-",
        "misaligned_load": MISALIGNED_LOAD, "misaligned_store": MISALIGNED_STORE,
        "misaligned_load_of_8": MISALIGNED_LOAD}
S7 = {**BOTH, "satp": ILLEGAL, "float": ILLEGAL}
U74 = {**BOTH, "satp": "-", "float": "-", "asid": "-", "sv39_only": "-",
       "load_without_a": LOAD_FAULT, "load_with_a": "-", "store_without_d": STORE_FAULT, "store_with_d": "-",
       "s_cycle": "-", "s_time": ILLEGAL, "s_menvcfg": ILLEGAL, "s_senvcfg": ILLEGAL, "s_stimecmp": ILLEGAL,
       "s_misaligned_load": MISALIGNED_LOAD}


@pytest.fixture(scope="module")
def program():
    out = os.path.join(images.OUT, "harts")
    os.makedirs(images.OUT, exist_ok=True)
    images.command(["riscv64-linux-gnu-gcc", "-march=rv64imafdc_zicsr_zifencei", "-mabi=lp64d", "-nostdlib", "-static",
                    "-no-pie", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", "-Wl,-Ttext=0x40000000", "-Wl,-e,start",
                    os.path.join(images.GUEST, "bare/harts.S"), "-o", out + ".elf"])
    images.command(["riscv64-linux-gnu-objcopy", "-O", "binary", out + ".elf", out])
    return out


def test_harts(lab, program):
    machine = lab.machine(twin.TwinBoot(kernel=program, bios=program))
    machine.expect(r"hart 4:[^\n]* end\n", 60)
    found = {}
    for line in machine.log.splitlines():
        head, _, rest = line.partition(":")
        found[head] = dict(pair.split("=") for pair in rest.split()[:-1])
    assert found == {"hart 0": S7, **{f"hart {n}": U74 for n in range(1, 5)}}
