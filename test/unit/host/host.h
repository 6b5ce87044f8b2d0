// SPDX-License-Identifier: BSD-2-Clause
// What the host tests stand on: RAM, a device tree's worth of ranges, locks that check their use, a
// TLB that keeps every entry it may, user accesses through it, and allocations that fail on demand.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arch/mmu.h>
#include <arch/port.h>
#include <arch/thread.h>
#include <mm/page.h>
#include <mm/vm_map.h>

struct host_range {
    paddr_t start, end;
};

// What dt_for_each_memory and dt_for_each_reserved report.
extern struct host_range host_memory[24], host_reserved[24];
extern unsigned int host_nr_memory, host_nr_reserved;

// Boot mm over `pages` of RAM, once in a program.
void host_start(size_t pages);
// Free pages, with everything that mm caches for itself given back first.
uint64_t host_free_pages(void);

// The next `expect_panic` panics end the call under test instead of the program.
extern jmp_buf host_panic_jump;
extern bool host_panic_expected;
extern char host_panic_text[256];
#define assert_panics(call)                                                                        \
    do {                                                                                           \
        host_panic_expected = true;                                                                \
        if (setjmp(host_panic_jump) == 0) {                                                        \
            call;                                                                                  \
            host_panic_expected = false;                                                           \
            fail_msg("no panic from %s", #call);                                                   \
        }                                                                                          \
        host_panic_expected = false;                                                               \
    } while (0)

// Allocation number n (from 1) from now on fails, once; with host_fail_all every one after it, too.
// 0: none fails. host_nr_allocs counts.
extern uint64_t host_fail_at, host_nr_allocs;
extern bool host_fail_all;
void host_fail(uint64_t n, bool all);

// Pages cleared with Zicboz, which the host's harts have.
extern uint64_t host_nr_block_clears;

// Locks held now, over all; each public call must leave it as it was.
extern int host_locks_held;
extern uint64_t host_memlock; // what port_memlock_limit() answers

// User memory of `m` as a program sees it: through the TLB, faulting into vm_map_fault. 0 or the
// signal. host_svadu: hardware sets A and D itself; else it faults for them.
extern bool host_svadu;
int host_user_read(struct vm_map *m, vaddr_t va, void *buf, size_t size);
int host_user_write(struct vm_map *m, vaddr_t va, const void *buf, size_t size);
int host_user_fetch(struct vm_map *m, vaddr_t va);
extern int host_fault_code;         // si_code of the last signal
extern uint64_t host_nr_faults;     // faults taken
extern struct vm_map *host_current; // for user_copy_*
// Every entry in the TLB is what the page table says, or less.
void host_check_tlb(void);
extern uint64_t host_nr_flushes, host_nr_icache_flushes;
