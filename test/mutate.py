#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""mutate.py [--texts] [WORD...]: break the code on purpose and see that its host test fails.

Each mutation leaves out one fence, lock, check or count of the address-space core or the futexes; the test named
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
PAGES, MAP, FAULT, LARGE = "mm/page_test", "mm/vm_map_test", "mm/vm_fault_test", "mm/vm_huge_test"
SHARE, RUN = "mm/vm_share_test", "mm/vm_object_run_test"
MAP_ORDER, MAP_RACE = "map/map_order_test", "map/map_race_test"
BUCKET, FUTEX, PI, PI_REQUEUE = "sync/futex_bucket_test", "sync/futex_test", "sync/pi_test", "sync/pi_requeue_test"
# (file, text that stands there once, what takes its place, test that must notice)
MUTATIONS = (
    # The map's lock and the cursor overlap.
    ("mm/vm_mmap.c", "    rwlock_write_unlock(&m->lock);\n    if (rest) {\n        unmap_end(&c);\n",
     "    if (rest)\n        unmap_end(&c);\n    rwlock_write_unlock(&m->lock);\n    if (rest) {\n", MAP_ORDER),
    ("mm/vm_mmap.c", "    rwlock_write_unlock(&m->lock);\n    if (rest) {\n        unmap_end(&c);\n",
     "    if (rest)\n        vm_cursor_close(&c);\n    rwlock_write_unlock(&m->lock);\n    if (rest) {\n"
     "        vm_cursor_open(&c, &m->space, addr, addr + size);\n        unmap_end(&c);\n", MAP_ORDER),
    ("mm/vm_mprotect.c", "    rwlock_write_unlock(&m->lock);\n    mprotect_finish(&rest);",
     "    mprotect_finish(&rest);\n    rwlock_write_unlock(&m->lock);", MAP_ORDER),
    ("mm/vm_mprotect.c", "    rwlock_write_unlock(&m->lock);\n    mprotect_finish(&rest);",
     "    vaddr_t first = rest.open ? rest.c.start : 0, last = rest.open ? rest.c.end : PAGE_SIZE;\n"
     "    if (rest.open)\n        vm_cursor_close(&rest.c);\n    rwlock_write_unlock(&m->lock);\n"
     "    vm_cursor_open(&rest.c, &m->space, first, last);\n    mprotect_finish(&rest);", MAP_ORDER),
    ("mm/vm_mprotect.c", "            vm_map_await_cursors(m, at, next);\n", "            (void)0;\n", MAP_ORDER),
    ("mm/vm_fault.c", "    vm_cursor_open(&f->c, &f->m->space, f->va, f->va + PAGE_SIZE);\n    int err = vm_cursor_own(&f->c, P",
     "    bool huge = fault_may_huge(f);\n    fault_unlock(f);\n#define fault_may_huge(f) huge\n"
     "    vm_cursor_open(&f->c, &f->m->space, f->va, f->va + PAGE_SIZE);\n    int err = vm_cursor_own(&f->c, P", MAP_RACE),
    ("mm/vm_fault.c", "bool wait = o->ops->fill && f->may_unlock;", "bool wait = false;", MAP_ORDER),
    ("mm/vm_mmap.c", "        vm_cursor_hold(c);\n", "        (void)0;\n", MAP_ORDER),
    ("mm/vm_mmap.c", "    vm_cursor_hold(&c);\n", "", MAP_ORDER),
    ("mm/vm_mprotect.c", "        vm_cursor_hold(&rest->c);\n", "", MAP_ORDER),
    ("mm/vm_mmap.c", "        vm_map_await_unmapped(m, (vaddr_t)addr, (vaddr_t)addr + size);\n", "        (void)0;\n", MAP_ORDER),
    ("mm/vm_mmap.c", "        unmap_end(&c);\n        atomic_sub_fetch(&m->nr_unmapping, 1U);\n",
     "        atomic_sub_fetch(&m->nr_unmapping, 1U);\n        unmap_end(&c);\n", MAP_ORDER),
    ("mm/vm_region.c", "    r->name = like->name;\n", "    r->name = like->name;\n    r->object_node = like->object_node;\n",
     MAP_RACE),
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
    # Shared tables that a cursor keeps.
    ("mm/vm_share.c", "    table_let_go(table);\n    return err;", "    cursor_keep(c, table);\n    return err;", SHARE),
    ("mm/vm_share.c", "    if (already)\n        table_let_go(table);", "    if (already)\n        cursor_keep(c, table);",
     SHARE),
    ("mm/vm_share.c", "-(uint64_t)table->table_counted);\n    table_let_go(table);",
     "-(uint64_t)table->table_counted);\n    cursor_keep(c, table);", SHARE),
    # Flush, then free; and the counts of sharers.
    ("mm/vm_space.c", "mmu_context_flush(&c->space->context, c->flush_start, c->flush_end);",
     "(void)0;", WALK),
    ("mm/vm_unmap.c", "if ((old & PTE_V) && (old & ~pte & PTE_RIGHTS))", "if (false)", HUGE),
    ("mm/vm_unmap.c", "if (lost & PTE_RIGHTS)", "if (false)", WALK),
    ("mm/vm_space.c", "        page_hold(pages[i]);\n", "", WALK),
    ("mm/vm_space.c", "if (!pages[i] || entry[i] != 0)", "if (!pages[i])", WALK),
    ("mm/vm_clone.c", "if (taken)\n        cursor_note_flush(k->c, start, end);", "(void)taken;", WALK),
    ("mm/vm_clone.c", "if (seen & PTE_W)\n        cursor_note_flush(k->c, start, end);", "(void)seen;", LARGE),
    ("mm/vm_clone.c", "        cursor_note_flush(c, from, from + count * PAGE_SIZE);", "        (void)0;", WALK),
    ("mm/vm_clone.c", "        cursor_note_flush(k->c, va, va + n * PT_SIZE(1));", "        (void)0;", HUGE),
    ("mm/vm_share.c", "        cursor_note_flush(c, 0, USER_END);\n", "", HUGE),
    ("mm/vm_share.c", "pte = (pte | PTE_COW) & ~PTE_W;", "", HUGE),
    ("mm/vm_share.c", "table->table_links == 1 && ", "", HUGE),
    ("mm/vm_huge.c", "page_has_one_owner(block)", "true", HUGE),
    ("mm/vm_huge.c", "shared = (pte | PTE_COW) & ~PTE_W;", "shared = pte;", HUGE),
    ("mm/vm_huge.c", "            page_hold(&block[i]);", "            (void)i;", HUGE),
    ("mm/vm_huge.c", "bool whole = block->order == order;\n    if (whole)\n        page_hold",
     "bool whole = true;\n    if (whole)\n        page_hold", HUGE),
    ("mm/vm_huge.c", "mmu_context_flush(&c->space->context, start, start + size);", "(void)start;", FAULT),
    ("mm/vm_region.c", "    if (addr % vm_region_page_size(r->flags) != 0)", "    if (false)", FAULT),
    ("mm/page.c", "clear_by_block = cpu_features()->zicboz;", "", PAGES),
    # Pages of 1 GiB and 64 KiB.
    ("mm/vm_huge.c", "block_hold(block + ((size_t)i << part), part);", "(void)part;", LARGE),
    ("mm/vm_huge.c", "huge_drop(block + ((size_t)i << part), part);", "(void)part;", LARGE),
    ("mm/vm_huge.c", "mmu_context_flush(&c->space->context, start, start + (PAGE_SIZE << NAPOT_ORDER));",
     "(void)start;", LARGE),
    ("mm/vm_huge.c", "counts->refs = 1U << NAPOT_ORDER;", "counts->refs = 1;", LARGE),
    ("mm/vm_huge.c", "atomic_load_acquire(&counts->refs) == 1U << NAPOT_ORDER", "counts->refs > 0", LARGE),
    ("mm/vm_unmap.c", "(pte_make(-1UL, 0) | PTE_N | PTE_SOFT)", "(pte_make(-1UL, 0) | PTE_SOFT)", LARGE),
    ("mm/vm_unmap.c", "    if (pte & PTE_V)\n        cursor_note_flush(c, start, end);\n", "    (void)pte;\n", LARGE),
    ("mm/vm_region.c", "if (rb_entry(n, struct vm_region, node)->gap_max == before)", "if (before || true)", MAP),
    ("mm/page.c", "    page_clear(phys_to_virt(page_address(p)));\n    p->refs = 0;", "    p->refs = 0;", PAGES),
    ("mm/vm_huge.c", "order >= HUGE_ORDER && at < size", "false && at < size", LARGE),
    ("mm/vm_unmap.c", "cursor_note_flush(c, va, va + PT_SIZE(1));", "(void)0;", HUGE),
    # Futexes: wait against wake against requeue.
    ("sync/futex_bucket.c", "atomic_store_release(&w->woken,", "atomic_store(&w->woken,", PI),
    ("sync/futex_bucket.c", "port_thread_get(t); // for", "// for", FUTEX),
    ("sync/futex_bucket.c", "pos->priority >= w->priority", "pos->priority > w->priority", BUCKET),
    ("sync/futex_bucket.c", "->priority < w->priority))", "->priority <= w->priority))", BUCKET),
    ("sync/futex_bucket.c", "if (a > b)", "if (false)", FUTEX),
    ("sync/futex_bucket.c", "futex_key_put(&w->key); // not", "// not", FUTEX),
    ("sync/futex_bucket.c", "b->wakes++;", "", FUTEX),
    ("sync/futex_bucket.c", "b->collisions++;", "", BUCKET),
    ("sync/futex_wait.c", "bool here = atomic_load(&w->bucket) == b;", "bool here = true;", FUTEX),
    ("sync/futex_wait.c", "futex_await_woken(w);\n    return false", "return false", FUTEX),
    ("sync/futex_wait.c", "if (!futex_leave(&w))\n                err = 0;", "futex_leave(&w);", FUTEX),
    ("sync/futex_wait.c", "if (key->held)\n        key->ops->get(key->owner);", "", FUTEX),
    ("sync/futex_wait.c", "w->priority = port_thread_rt_priority(w->thread)", "w->priority = 0", FUTEX),
    ("sync/futex.c", "(w->bitset & bitset) == 0", "false", FUTEX),
    ("sync/futex.c", "more = w != last", "more = w || last", FUTEX),
    ("sync/futex.c", "(int32_t)(bits << 20) >> 20", "(int32_t)bits", FUTEX),
    ("sync/futex.c", "value >= arg", "value > arg", FUTEX),
    ("sync/futex_requeue.c", "done < nr_wake", "done <= nr_wake", FUTEX),
    ("sync/futex_requeue.c", "atomic_store(&w->bucket, to)", "(void)to", FUTEX),
    ("sync/futex_requeue.c", "to->requeues += (unsigned int)moved;", "", FUTEX),
    ("sync/futex_wait.c", "b->gave_up++;", "", FUTEX),
    ("sync/futex_priv.h", "atomic_store(&b->nr, b->nr + 1);", "", FUTEX),
    ("sync/futex_priv.h", "atomic_store(&b->nr, b->nr - 1);", "", FUTEX),
    ("sync/futex_priv.h", "atomic_store(&to->nr, to->nr + nr);", "", FUTEX),
    ("sync/futex_priv.h", "atomic_store(&from->nr, from->nr - nr);", "", FUTEX),
    ("sync/futex_wait.c", "else\n            futex_count_out(b);", "", FUTEX),
    ("sync/futex.c", "if (futex_is_idle(b))\n        return 0;", "", FUTEX),
    ("sync/futex_requeue_pi.c", "futex_count_out(r->from);", "", PI_REQUEUE),
    # Locks with priority inheritance.
    ("sync/pi.c", "if (boost == pi->boost)\n        return;", "if (boost <= pi->boost)\n        return;", PI),
    ("sync/pi.c", "if (!w || w->priority == priority)\n            return;", "return;", PI),
    ("sync/pi.c", "pi_nr_boosts++;", "", PI),
    ("sync/pi.c", "pi_set_owner(next, owner);", "(void)next;", PI),
    ("sync/pi.c", "if (rest)\n        pi_set_owner(rest, to);", "(void)rest;", PI),
    ("sync/pi.c", "if (from)\n        pi_refresh(from);", "(void)from;", PI),
    ("sync/pi.c", "pi_refresh(to);", "", PI),
    ("sync/pi.c", "if (before) {", "if (false) {", PI),
    ("sync/pi.c", "owner == t || ", "", PI),
    ("sync/pi.c", "port_unpark(leader->thread);", "", PI),
    ("sync/pi.c", "if (!owner)\n            port_unpark(next->thread);", "", PI),
    ("sync/pi.c", "wait_queue_wake_all(&pi_exits);", "", PI),
    ("sync/pi.c", "(tid == 0 && port_thread_pi(owner)->state == PI_EXITING)", "false", PI),
    ("sync/futex_pi.c", "tid | (seen & FUTEX_OWNER_DIED)", "tid", PI),
    ("sync/futex_pi.c", "err = pi_write(addr, seen, seen | FUTEX_WAITERS);", "err = 0;", PI),
    ("sync/futex_pi.c", "tid | FUTEX_OWNER_DIED |", "tid |", PI),
    ("sync/futex_pi.c", "(list_is_linked(&next->peers) ? FUTEX_WAITERS : 0)", "0", PI),
    ("sync/futex_pi.c", "if (next->owner != port_thread_self())\n        return -EINVAL;", "", PI),
    ("sync/futex_pi.c", "futex_leave_bucket(w, b) ? err : PI_AGAIN", "(futex_leave_bucket(w, b), err)", PI_REQUEUE),
    ("sync/futex_pi.c", "struct thread *owner = pi_dequeue(w);\n    if (owner)\n        pi_refresh(owner);",
     "pi_dequeue(w);", PI),
    ("sync/futex_requeue_pi.c", "done - 1 < r->nr_requeue", "done < r->nr_requeue", PI_REQUEUE),
    ("sync/futex_requeue_pi.c", "(more ? FUTEX_WAITERS : 0)", "(more && 0)", PI_REQUEUE),
    ("sync/futex_requeue_pi.c", "if (pi_would_deadlock(w->thread, owner))\n        return -EDEADLK;", "",
     PI_REQUEUE),
    ("sync/futex_requeue_pi.c", "if (owner)\n        pi_refresh(owner);", "", PI_REQUEUE),
    ("sync/futex_requeue_pi.c", "if (changed != 0)", "if (false)", PI_REQUEUE),
    # Reading ahead and writing back in runs.
    ("mm/vm_object_run.c", "nr = (unsigned int)MIN(nr, end - index);", "", RUN),
    ("mm/vm_object_run.c", "while (i < nr && !there[i])", "while (i < nr)", RUN),
    ("mm/vm_object_run.c", "index == o->run_end", "true", RUN),
    ("mm/vm_object_run.c", "ahead && o->run_pages > 0 &&", "o->run_pages > 0 &&", RUN),
    ("mm/vm_object_run.c", "(uint16_t)(done == nr ? done : 0);", "(uint16_t)done;", RUN),
    ("mm/vm_object_run.c", "for (unsigned int i = done; i < nr; i++)\n        page_put(pages[i]);", "", RUN),
    ("mm/vm_object_run.c", "index != w->index + w->nr", "false", RUN),
    ("mm/vm_object_run.c", "sync_run(&w);\n    mutex_unlock", "mutex_unlock", RUN),
    ("mm/vm_object_run.c", "for (unsigned int i = first; err == 0 &&", "for (unsigned int i = first;", RUN),
    ("mm/vm_object_io.c", "        *uio = before;\n        page_put(page);", "        page_put(page);", RUN),
    ("mm/vm_object_io.c", "        there->flags |= PAGE_DIRTY;", "        there->flags |= 0;", RUN),
    ("mm/vm_object_io.c", "    uio->exact = true;", "", RUN),
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


TRIES = 4  # what is wrong in a race alone may need more than one on a busy host


def passes(test):
    build = subprocess.run(["make", "-s", "-C", TREE, "build/unit/" + test], capture_output=True, text=True)
    if build.returncode:
        sys.exit(f"mutate: the mutation doesn't compile:\n{build.stdout}{build.stderr}")
    environment = dict(os.environ, UNIT_STEPS="6000")
    for _ in range(TRIES):
        try:
            run = subprocess.run([f"{TREE}/build/unit/{test}"], capture_output=True, timeout=120,
                                 env=environment, check=False)
        except subprocess.TimeoutExpired:
            return False
        if run.returncode != 0:
            return False
    return True


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
