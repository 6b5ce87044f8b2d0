// SPDX-License-Identifier: BSD-2-Clause
// The sources under test, with a yield before every atomic operation.
#include <lib/atomic.h>

#include "hart_model.h"

#undef atomic_load
#undef atomic_load_acquire
#undef atomic_store
#undef atomic_add_fetch
#undef atomic_fetch_or
#undef atomic_fetch_and
#undef atomic_exchange
#undef atomic_compare_exchange
#define atomic_load(p)         (model_yield(), __atomic_load_n(p, __ATOMIC_RELAXED))
#define atomic_load_acquire(p) (model_yield(), __atomic_load_n(p, __ATOMIC_RELAXED))
#define atomic_store(p, v)     (model_yield(), __atomic_store_n(p, v, __ATOMIC_RELAXED))
#define atomic_add_fetch(p, v) (model_yield(), __atomic_add_fetch(p, v, __ATOMIC_RELAXED))
#define atomic_fetch_or(p, v)  (model_yield(), __atomic_fetch_or(p, v, __ATOMIC_RELAXED))
#define atomic_fetch_and(p, v) (model_yield(), __atomic_fetch_and(p, v, __ATOMIC_RELAXED))
#define atomic_exchange(p, v)  (model_yield(), __atomic_exchange_n(p, v, __ATOMIC_RELAXED))
#define atomic_compare_exchange(p, e, v)                                                           \
    (model_yield(), __atomic_compare_exchange_n(p, e, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))

#include "../../../arch/riscv/asid.c"
#include "../../../arch/riscv/tlb.c"

void model_reset_tlb(void)
{
    memset(stats, 0, sizeof(stats));
    memset(loaded, 0, sizeof(loaded));
}
