#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""mutate.py [--texts] [WORD...]: break the code on purpose and see that its host test fails.

Each mutation leaves out one fence, lock, check or count of the address-space core; the test named
with it must fail (or hang) on the broken copy under build/mutant. WORDs choose mutations by any part
of file, text or test. Ends with 1 if a broken kernel passes, or a text to break isn't there once;
--texts looks at no more than that.
"""
import filecmp
import os
import shutil
import subprocess
import sys

TREE = "build/mutant"
TLB, CURSOR, HUGE, WALK = "arch/tlb_test", "space/cursor_test", "mm/random_huge_test", "mm/random_test"
PAGES, MAP = "mm/page_test", "mm/vm_map_test"
# (file, text that stands there once, what takes its place, test that must notice)
MUTATIONS = (
    # Switch-in against invalidate.
    ("arch/riscv/tlb.c", "uint64_t gen = atomic_load(&ctx->tlb_gen);\n    bool fresh",
     "uint64_t gen = ctx->seen[cpu] ? ctx->seen[cpu] : atomic_load(&ctx->tlb_gen);\n    bool fresh", TLB),
    ("arch/riscv/tlb.c", "    else if (behind)\n            flush_asid(cpu, asid);\n        tlb_hw_load",
     "    tlb_hw_load", TLB),
    ("arch/riscv/tlb.c", "else if (other || behind)", "else if (behind)", TLB),
    ("arch/riscv/tlb.c", "else if (other || behind)", "else if (other)", TLB),
    ("arch/riscv/tlb.c", "everything = everything || fresh;", "", TLB),
    ("arch/riscv/tlb.c", "uint64_t gen = atomic_add_fetch(&ctx->tlb_gen, 1);",
     "uint64_t gen = atomic_load(&ctx->tlb_gen);", TLB),
    ("arch/riscv/tlb.c", "if (ctx->seen[cpu] == gen - 1)", "if (true)", TLB),
    ("arch/riscv/tlb.c", "tlb_hw_remote_flush(others, start, remote_size(start, end), asid);", "", TLB),
    ("arch/riscv/tlb.c", "flush_range(cpu, start, end, asid);\n        // Nobody",
     "// Nobody", TLB),
    ("arch/riscv/tlb.c", "tlb_hw_remote_flush_kernel(others, start, remote_size(start, end));",
     "tlb_hw_remote_flush(others, start, remote_size(start, end), 0);", TLB),
    ("arch/riscv/tlb.c", "atomic_fetch_or(&ctx->icache_stale, ~running);", "", TLB),
    ("arch/riscv/tlb.c", "uint64_t now = running | atomic_load(&ctx->running);", "uint64_t now = 0;",
     TLB),
    # ASIDs.
    ("arch/riscv/asid.c", "asids.flush_pending = (1UL << asids.nr_cpus) - 1;", "", TLB),
    ("arch/riscv/asid.c", "asid_mark_taken(asids.reserved[cpu] & ASID_MASK);", "", TLB),
    ("arch/riscv/asid.c", "active != 0 && asid_is_current(number) &&", "active != 0 && number != 0 &&",
     TLB),
    ("arch/riscv/asid.c", "if (running != 0)\n            asids.reserved[cpu] = running;", "", TLB),
    ("arch/riscv/asid.c", "asid_mark_taken(asid);\n    return asids.generation | asid;",
     "return asids.generation | (asid & 1);", TLB),
    # Cursors on several harts.
    ("mm/vm_table.c", "bool stray = table->flags & TABLE_STRAY;", "bool stray = false;", CURSOR),
    ("mm/vm_table.c", "        page_hold(table);", "        table->table_next = table->table_next;", CURSOR),
    ("mm/vm_space_priv.h", "    vm_table_lock(table, c);\n", "    vm_table_lock_new(table, c);\n", CURSOR),
    ("mm/vm_space.c", "    vm_table_lock_new(p, c);\n", "", CURSOR),
    ("mm/vm_unmap.c", "table->flags |= TABLE_STRAY;", "", CURSOR),
    ("mm/vm_share.c", "        table->flags |= TABLE_STRAY;\n", "", CURSOR),
    ("mm/vm_share.c", "    vm_table_lock(table, s);\n", "", CURSOR),
    # Flush, then free; and the counts of sharers.
    ("mm/vm_space.c", "mmu_context_flush(&c->space->context, c->flush_start, c->flush_end);",
     "(void)0;", WALK),
    ("mm/vm_unmap.c", "if ((old & PTE_V) && (old & ~pte & PTE_RIGHTS))", "if (false)", HUGE),
    ("mm/vm_unmap.c", "if (lost & PTE_RIGHTS)", "if (false)", WALK),
    ("mm/vm_space.c", "        page_hold(pages[i]);\n", "", WALK),
    ("mm/vm_space.c", "if (!pages[i] || entry[i] != 0)", "if (!pages[i])", WALK),
    ("mm/vm_clone.c", "cursor_note_flush(k->c, start, end);", "(void)0;", WALK),
    ("mm/vm_clone.c", "        cursor_note_flush(c, from, from + count * PAGE_SIZE);", "        (void)0;", WALK),
    ("mm/vm_clone.c", "        cursor_note_flush(k->c, va, va + n * PT_SIZE(1));", "        (void)0;", HUGE),
    ("mm/vm_share.c", "        cursor_note_flush(c, 0, USER_END);\n", "", HUGE),
    ("mm/vm_share.c", "pte = (pte | PTE_COW) & ~PTE_W;", "", HUGE),
    ("mm/vm_share.c", "table->table_links == 1 && ", "", HUGE),
    ("mm/vm_huge.c", "page_has_one_owner(block)", "true", HUGE),
    ("mm/vm_huge.c", "shared = (pte | PTE_COW) & ~PTE_W;", "shared = pte;", HUGE),
    ("mm/vm_huge.c", "            page_hold(&block[p]);", "            (void)p;", HUGE),
    ("mm/vm_huge.c", "(block->order == HUGE_ORDER ? 1 : PT_ENTRIES); p++)", "1; p++)", HUGE),
    ("mm/vm_region.c", "if (rb_entry(n, struct vm_region, node)->gap_max == before)", "if (before || true)", MAP),
    ("mm/page.c", "    page_clear(phys_to_virt(page_address(p)));\n    p->refs = 0;", "    p->refs = 0;", PAGES),
    ("mm/vm_unmap.c", "cursor_note_flush(c, va, va + PT_SIZE(1));", "(void)0;", HUGE),
)


def copy_tree():
    """What git knows and what isn't ignored; unchanged files keep their times, so make skips them."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True,
                            check=True).stdout.split("\n")
    for path in filter(os.path.isfile, listed):
        target = os.path.join(TREE, path)
        if not os.path.exists(target) or not filecmp.cmp(path, target, shallow=False):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(path, target)
    os.makedirs(TREE + "/build", exist_ok=True)
    if not os.path.exists(TREE + "/build/external"):
        os.symlink(os.path.abspath("build/external"), TREE + "/build/external")


def passes(test):
    build = subprocess.run(["make", "-s", "-C", TREE, "build/unit/" + test], capture_output=True, text=True)
    if build.returncode:
        sys.exit(f"mutate: the mutation doesn't compile:\n{build.stdout}{build.stderr}")
    environment = dict(os.environ, UNIT_STEPS="6000")
    try:
        run = subprocess.run([f"{TREE}/build/unit/{test}"], capture_output=True, timeout=120,
                             env=environment, check=False)
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def check_texts():
    """Whoever edits one of the files learns at once that a mutation has to follow."""
    bad = 0
    for path, old, _, _ in MUTATIONS:
        with open(path, encoding="utf-8") as f:
            count = f.read().count(old)
        if count != 1:
            print(f"{path}: test/mutate.py breaks this text, which is there {count} times: {old}")
            bad += 1
    return bad > 0


def main():
    words, survivors, done = sys.argv[1:], 0, 0
    bad = check_texts()
    if bad or words == ["--texts"]:
        return bad
    copy_tree()
    for path, old, new, test in MUTATIONS:
        if words and not any(word in path + old + new + test for word in words):
            continue
        with open(path, encoding="utf-8") as f:
            text = f.read()
        broken = os.path.join(TREE, path)
        with open(broken, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        survived = passes(test)
        with open(broken, "w", encoding="utf-8") as f:
            f.write(text)
        done += 1
        survivors += survived
        print(f"{'SURVIVED' if survived else 'caught':8s} {test:20s} {path}: {' '.join(old.split())[:60]}",
              flush=True)
    print(f"mutate: {done} mutations, {survivors} survived")
    return survivors > 0


if __name__ == "__main__":
    sys.exit(main())
