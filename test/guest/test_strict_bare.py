# SPDX-License-Identifier: BSD-2-Clause
"""The strict machine's own proof: bare/ on it and on plain QEMU. The letters: A, what was mapped before is
still seen; B, what is mapped now; F, a fault. What a hart may still see after each fence is written down
here from the privileged specification, not taken from the machine."""

import re
import subprocess

import pytest

from harness import images
from harness.machine import Boot

pytestmark = pytest.mark.machine

SIZES = ("4 KiB", "2 MiB", "1 GiB")
# Form of sfence.vma: what a page of one ASID, and what a global page shows after it.
FORMS = {"no fence": "AA", "all": "BB", "all of its ASID": "BA", "all of another ASID": "AA",
         "address": "BB", "other address": "AA", "its both": "BA", "address of another ASID": "AA",
         "no address": "AA"}
# Case: on the strict machine, on plain QEMU.
CASES = {
    "reuse of an ASID": "AB",
    "reuse of an ASID, fenced": "BB",
    "another ASID": "BB",
    "ASID 17 after ASID 1": "BB",
    "there and back": "AB",
    "global, in another ASID": "AB",
    "global by its pointer": "AB",
    "invalid to valid": "BB",
    "invalid to valid, fenced": "BB",
    "valid to invalid": "AA",
    "read-only to writable": "FB",
    "read-only to writable, fenced": "BB",
    "clean to dirty": "FB",
    "writable to read-only": "AA",
    "writable to read-only, first store": "AA",
    "pointer changed": "AA",
    "pointer changed, fenced by address": "BB",
    "pointer changed, fenced by ASID": "BB",
    "2 MiB split": "AA",
    "2 MiB split, fenced by an address of it": "BB",
    "second hart, fence on its way": "AA",
    "second hart": "AA",
    "second hart, fenced": "BB",
    "second hart, fenced by ASID": "BB",
    "second hart, another ASID fenced": "AB",
}
# Where the instruction cache is strict: A stands for a report.
CODE = {"code": "A", "code, fenced": "B", "code changed after its use": "A", "code, second hart": "A",
        "code, second hart, fenced": "B"}

PLAIN = {f"{size}, {form}": "A" if form == "no fence" else "B" for size in SIZES for form in FORMS}
PLAIN |= {f"{size}, global, {form}": "A" if form == "no fence" else "B" for size in SIZES for form in FORMS}
PLAIN |= {name: letters[1] for name, letters in CASES.items()} | {name: "B" for name in CODE}
STRICT = {f"{size}, {form}": letters[0] for size in SIZES for form, letters in FORMS.items()}
STRICT |= {f"{size}, global, {form}": letters[1] for size in SIZES for form, letters in FORMS.items()}
STRICT |= {name: letters[0] for name, letters in CASES.items()} | {name: "B" for name in CODE}
NAMES = list(STRICT)

# One ASID for all: what is said of another one is said of this one.
NO_ASIDS = {f"{size}, {form}": "B" for size in SIZES
            for form in ("all of another ASID", "address of another ASID")}
NO_ASIDS |= {"another ASID": "A", "ASID 17 after ASID 1": "A", "second hart, another ASID fenced": "B"}

TLB = "built,svade=on,svadu=off,x-strict-tlb=on"
SERVE = TLB + ",x-strict-serve=on"
REPORT = 97


def run(variant, select=0):
    """QEMU's exit code, what each case showed, what QEMU itself said, and the first and second hart: OpenSBI draws
    lots which one boots."""
    boot = Boot(kernel=images.bare(), smp=2, mem="2G", variant=variant,
                extra=("-device", f"loader,addr=0x90000000,data={select},data-len=4"))
    done = subprocess.run(boot.argv() + ["-serial", "stdio", "-monitor", "none"], timeout=60, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    seen = dict(re.findall(r"^case \d+: (.*) = (\w)\r?$", done.stdout, re.M))
    first = int(re.search(r"Boot HART ID +: (\d)", done.stdout)[1])
    return done.returncode, seen, done.stderr, (first, 1 - first)


@pytest.mark.parametrize("variant, expected", [
    pytest.param("plain", PLAIN, id="plain"),
    pytest.param("built", PLAIN, id="ours-with-all-off"),
    pytest.param(SERVE, STRICT, id="strict"),
    pytest.param(SERVE + ",x-asid-bits=4", STRICT | {"ASID 17 after ASID 1": "A"}, id="strict-4-bits"),
    pytest.param(SERVE + ",x-asid-bits=0", STRICT | NO_ASIDS, id="strict-0-bits"),
    pytest.param(SERVE + ",x-strict-invalid=on", STRICT | {"invalid to valid": "F"}, id="invalid-kept"),
    pytest.param(SERVE + ",x-strict-walk-cache=on", STRICT | {"pointer changed, fenced by address": "A"},
                 id="pointers-kept"),
])
def test_what_is_served(variant, expected):
    status, seen, said, _ = run(variant)
    assert (status, said) == (0, "")
    assert seen == expected


# Each kind of case once: pages of 4 KiB for all the forms of fence.
ALONE = [name for name in STRICT if not name.startswith(SIZES[1:]) or name.endswith("no fence")]


@pytest.mark.parametrize("name", [name for name in ALONE if name not in CODE])
def test_stale_use_is_reported(name):
    """A stale use ends the run with a report of who used what; anything else passes without one."""
    status, seen, said, harts = run(TLB, NAMES.index(name) + 1)
    if STRICT[name] != "A" or name == "second hart, fence on its way":
        assert (status, seen, said) == (0, {name: STRICT[name]}, "")
        return
    assert status == REPORT and not seen
    hart = harts[name.startswith("second hart")]
    access = "store" if "read-only" in name else "load"
    assert "strict: stale TLB entry used" in said
    assert re.search(rf"hart {hart} pc 0x\w+ {access} of 0x104000000, privilege 1, satp 0x8", said)
    cached, now = re.findall(r"PTE 0x0*(\w+)", said)
    assert cached != now
    assert "last fences of the hart, oldest first:\n    pc 0x" in said


def test_walk_cache_is_reported():
    name = "pointer changed, fenced by address"
    status, _, said, _ = run(TLB + ",x-strict-walk-cache=on", NAMES.index(name) + 1)
    assert status == REPORT
    assert "through a non-leaf entry of the page-walk cache" in said


@pytest.mark.parametrize("name", CODE)
def test_code_without_its_fence_is_reported(name):
    status, seen, said, harts = run("built,x-strict-icache=on", NAMES.index(name) + 1)
    if CODE[name] == "B":
        assert (status, seen, said) == (0, {name: "B"}, "")
        return
    assert status == REPORT
    hart = harts["second hart" in name]
    assert re.search(rf"written since this hart's last fence.i\n  hart {hart} pc 0x", said)
