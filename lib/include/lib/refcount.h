// SPDX-License-Identifier: BSD-2-Clause
// Reference count of an object: born with one, freed by whoever drops the last.
#pragma once

#include <lib/assert.h>
#include <lib/atomic.h>

struct refcount {
    uint32_t count;
};

static inline void refcount_init(struct refcount *r)
{
    r->count = 1;
}

static inline void refcount_get(struct refcount *r)
{
    uint32_t before = atomic_add_relaxed(&r->count, 1);
    ASSERT(before != 0 && before < INT32_MAX);
}

// Take a reference only if somebody still holds one. False: the object is on its way out.
static inline bool refcount_get_unless_zero(struct refcount *r)
{
    uint32_t now = atomic_load(&r->count);
    while (now != 0)
        if (atomic_compare_exchange(&r->count, &now, now + 1))
            return true;
    return false;
}

// True if that was the last reference: the caller frees the object.
static inline bool refcount_put(struct refcount *r)
{
    uint32_t before = __atomic_fetch_sub(&r->count, 1, __ATOMIC_ACQ_REL);
    ASSERT(before != 0);
    return before == 1;
}
