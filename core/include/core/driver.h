// SPDX-License-Identifier: BSD-2-Clause
// Drivers: one const match descriptor each, collected by the linker. At boot core walks the device
// tree once per phase and probes the first driver whose `compatible` matches.
#pragma once

#include <lib/types.h>

enum driver_phase {
    DRIVER_INTC,    // interrupt controllers
    DRIVER_CLOCK,   // clocks and resets that the others need
    DRIVER_CONSOLE, // UARTs
    DRIVER_DEVICE,  // the rest
    DRIVER_PHASES,
};

struct driver {
    const char *name;
    const char *const *compatible; // ended by NULL
    enum driver_phase phase;
    // Registers come from dt_reg(), interrupts from irq_from_dt(). 0, or -errno after one log line;
    // the boot goes on either way.
    int (*probe)(const void *fdt, int node);
};

#define DRIVER(ident)                                                                              \
    static const struct driver ident;                                                              \
    static const struct driver *const ident##_entry __attribute__((used, section(".drivers"))) =   \
        &ident;                                                                                    \
    static const struct driver ident

void driver_probe_all(const void *fdt); // all phases; boot only, from a thread
