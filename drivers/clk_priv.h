// SPDX-License-Identifier: BSD-2-Clause
// Clocks and resets, as devices need them: opened once, at probe, and never closed. Boot only, one
// thread, no locks.
#pragma once

#include <lib/types.h>

// What a clock and reset generator offers; numbers are those of its device tree binding.
struct clk_controller {
    uint32_t phandle;
    int (*clock_enable)(struct clk_controller *c, uint32_t clock);    // 0, -EINVAL
    uint64_t (*clock_rate)(struct clk_controller *c, uint32_t clock); // Hz; 0: not known
    int (*reset_release)(struct clk_controller *c, uint32_t reset);   // 0, -EINVAL, -ETIMEDOUT
    struct clk_controller *next;
};

void clk_register(struct clk_controller *c);
// All of the node's `clocks` on, then all of its `resets` released. 0; -ENODEV: nobody drives one.
int clk_open_device(const void *fdt, int node);
// Of the clock that `clock-names` calls so. 0: not known.
uint64_t clk_rate(const void *fdt, int node, const char *name);
