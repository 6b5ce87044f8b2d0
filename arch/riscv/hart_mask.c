// SPDX-License-Identifier: BSD-2-Clause
// See hart_mask_priv.h. Stateless.
#include "hart_mask_priv.h"

bool hart_mask_next(uint64_t *cpus, struct hart_mask *mask)
{
    if (*cpus == 0)
        return false;
    hartid_t base = ~0UL;
    for (cpu_t cpu = 0; cpu < NR_CPUS_MAX; cpu++)
        if (*cpus & BIT(cpu))
            base = MIN(base, hart_id_of_cpu(cpu));
    mask->base = base;
    mask->bits = 0;
    for (cpu_t cpu = 0; cpu < NR_CPUS_MAX; cpu++) {
        if (!(*cpus & BIT(cpu)) || hart_id_of_cpu(cpu) - base >= 64)
            continue;
        mask->bits |= BIT(hart_id_of_cpu(cpu) - base);
        *cpus &= ~BIT(cpu);
    }
    return true;
}
