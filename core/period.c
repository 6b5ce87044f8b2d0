// SPDX-License-Identifier: BSD-2-Clause
// Arithmetic of timers that repeat. Stateless.
#include "period_priv.h"

uint64_t period_forward(uint64_t *deadline_ns, uint64_t interval_ns, uint64_t now_ns)
{
    uint64_t step;
    if (now_ns < *deadline_ns)
        return 0;
    uint64_t nr = (now_ns - *deadline_ns) / interval_ns + 1;
    if (__builtin_mul_overflow(interval_ns, nr, &step) ||
        __builtin_add_overflow(*deadline_ns, step, deadline_ns))
        *deadline_ns = TIME_NEVER;
    return nr;
}

uint64_t period_left(uint64_t deadline_ns, uint64_t interval_ns, uint64_t now_ns)
{
    if (interval_ns != 0)
        period_forward(&deadline_ns, interval_ns, now_ns);
    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}
