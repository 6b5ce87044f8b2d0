# SPDX-License-Identifier: BSD-2-Clause
"""Linux's own mm selftests (Debian's linux-source, built unmodified), on Vireo and on Debian's Linux beside it.
A program's verdict must be the one of this table; the cases that it counts are figures of the summary.
"""

import re

import pytest

from harness import images

pytestmark = pytest.mark.slow

# program: verdict on Vireo, on Linux, and why they aren't both "pass".
TABLE = {
    "cow": ("pass", "pass", "of its cases we skip those of swap, hugetlb and /sys/kernel/debug/gup_test"),
    "droppable": ("fail", "pass", "MAP_DROPPABLE is newer than the contract"),
    "gup_longterm": ("fail", "fail", "mkstemp in a folder that neither image has; the rest needs gup_test"),
    "hugepage-mmap": ("pass", "pass", ""),
    "hugepage-mremap": ("fail", "pass", "no userfaultfd(2)"),
    "hugepage-shm": ("pass", "pass", ""),
    "hugepage-vmemmap": ("fail", "pass", "no /proc/kpageflags"),
    "hugetlb-madvise": ("pass", "pass", ""),
    "hugetlb_dio": ("pass", "pass", ""),
    "hugetlb_fault_after_madv": ("skip", "skip", "takes minutes with a pool of one page; skipped with another"),
    "hugetlb_madv_vs_map": ("fail", "pass", "what MADV_DONTNEED gives back is free for all, no more reserved"),
    "ksm_functional_tests": ("skip", "fail", "no KSM; one case fails on Linux, too"),
    "madv_populate": ("pass", "pass", ""),
    "map_fixed_noreplace": ("pass", "pass", ""),
    "map_hugetlb": ("pass", "pass", ""),
    "map_populate": ("fail", "pass", "needs socketpair, and there are no sockets"),
    "mdwe_test": ("pass", "pass", ""),
    "memfd_secret": ("skip", "pass", "no memfd_secret(2)"),
    "mkdirty": ("pass", "pass", ""),
    "mlock-random-test": ("pass", "pass", ""),
    "mlock2-tests": ("pass", "pass", ""),
    "mrelease_test": ("pass", "pass", "its only case is skipped on Vireo: no process_mrelease(2)"),
    "mremap_dontunmap": ("pass", "pass", ""),
    "mremap_test": ("fail", "fail", "with 512 MiB both refuse the four moves of 2 GiB of shared memory"),
    "mseal_test": ("skip", "pass", "no mseal(2)"),
    "on-fault-limit": ("pass", "pass", "its only case is skipped on both: root"),
    "pagemap_ioctl": ("pass", "pass", "no case on either: userfaultfd"),
    "seal_elf": ("skip", "pass", "no mseal(2)"),
    "soft-dirty": ("skip", "skip", "riscv has no soft-dirty bit"),
    "split_huge_page_test": ("fail", "fail", "no debugfs mounted"),
    "thuge-gen": ("pass", "pass", ""),
    "transhuge-stress": ("pass", "pass", ""),
    "va_high_addr_switch": ("skip", "skip", "for other architectures"),
    "virtual_address_range": ("fail", "fail", "wants 128 TiB of addresses"),
}
ARGUMENTS = {"transhuge-stress": "-d 2"}
POOLS = {"hugetlb_madv_vs_map": 1}  # pages of 2 MiB; 130 where a name says "huge", else none


def count(pattern, text):
    return len(re.findall(pattern, text, re.M))


@pytest.mark.parametrize("name", images.MM_SELFTESTS)
def test_mm(lab, kernel, name, figure):
    shell = lab.shared_shell(lab.spec(kernel, initrd=images.mm_selftests_initrd()))
    pool = POOLS.get(name, 130 if "huge" in name else 0)
    shell.check(f"echo {pool} > /proc/sys/vm/nr_hugepages; cd /tmp")
    status, text = shell.run(f"/selftest/{name} {ARGUMENTS.get(name, '')}", 120)
    verdict = {0: "pass", 4: "skip"}.get(status, "fail")
    ours, linux, reason = TABLE[name]
    skipped = count(r"^ok .*# SKIP", text)
    figure(f"mm selftest {name}, {kernel}", verdict,
           f"({count('^ok ', text) - skipped} ok, {count('^not ok ', text)} not, {skipped} skipped)", reason)
    assert verdict == (ours if kernel == "vireo" else linux), text
