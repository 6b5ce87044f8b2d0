// SPDX-License-Identifier: BSD-2-Clause
// Masks of our cpu numbers as SBI's pairs of hart mask and base. Pure but for the hart table.
#pragma once

#include <lib/types.h>

struct hart_mask {
    unsigned long bits; // bit i: hart base + i
    unsigned long base;
};

// Take the harts of one call out of *cpus: those within 64 of the lowest hart id left. The mask
// names exactly these harts (some firmware rejects "all": mask -1, base 0, or harts it doesn't
// know). False when *cpus was empty.
bool hart_mask_next(uint64_t *cpus, struct hart_mask *mask);
// The table: hart id of a cpu.
hartid_t hart_id_of_cpu(cpu_t cpu);
