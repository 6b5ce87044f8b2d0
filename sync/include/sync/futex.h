// SPDX-License-Identifier: BSD-2-Clause
// Futexes: the first cut, FUTEX_WAIT/WAKE with bitsets and REQUEUE, enough for threads of glibc and
// musl. Contract and the rest of it: the futex issue. A key is opaque here: mm builds it
// (vm_map_futex_key). Source: futex(2).
#pragma once

#include <lib/list.h>
#include <lib/types.h>

struct futex_key {
    const void *owner; // the vm_map (private) or vm_object (shared); held alive by the caller
    uint64_t index;    // page address (private) or page index in the object
    uint32_t offset;   // in the page
};

void futex_init(void);

// Sleep while the u32 at user address `addr`, named by `key`, equals `expected`. deadline_ns:
// monotonic, TIME_NEVER for none. 0 woken; -EAGAIN the value differs; -EFAULT the word isn't
// resident (the caller faults it in and calls again); -ETIMEDOUT; -EINTR; -EINVAL bitset 0.
int futex_wait(const struct futex_key *key, vaddr_t addr, uint32_t expected, uint32_t bitset,
               uint64_t deadline_ns);
// Wake up to nr waiters whose bitset meets `bitset`, first in first out. How many, or -EINVAL.
int futex_wake(const struct futex_key *key, int nr, uint32_t bitset);
// Wake nr_wake, move nr_requeue to key `to`. With `compare`, -EAGAIN if the word at addr isn't
// *compare, -EFAULT as above. How many were woken plus moved.
int futex_requeue(const struct futex_key *from, const struct futex_key *to, int nr_wake,
                  int nr_requeue, vaddr_t addr, const uint32_t *compare);
