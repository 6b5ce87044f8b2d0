// SPDX-License-Identifier: BSD-2-Clause
// External interrupts: numbers of the one interrupt controller, and handlers.
#pragma once

#include <lib/types.h>

#define IRQ_MAX 1024

typedef void (*irq_handler_fn)(void *arg); // interrupt context: no sleeping

// The controller (PLIC) registers these at probe. phandle is the node's.
struct irq_controller {
    uint32_t phandle;
    void (*enable)(uint32_t irq);
    void (*disable)(uint32_t irq);
    uint32_t (*claim)(void); // on the calling hart; 0: none
    void (*complete)(uint32_t irq);
    void (*init_hart)(void); // on each hart that comes online; NULL: it has nothing to do
};
void irq_set_controller(const struct irq_controller *c);
void irq_init_hart(void);

// Interrupt `index` of a device node as one number. 0, -ENOENT, or -ENODEV: not our controller's.
int irq_from_dt(const void *fdt, int node, unsigned int index, uint32_t *irq);
// Attach and enable. One handler an interrupt: -EBUSY. `name` stays (for /proc/interrupts).
int irq_attach(uint32_t irq, irq_handler_fn handler, void *arg, const char *name);

// For /proc/interrupts: who attached (NULL: nobody), and how often it came on `cpu`.
const char *irq_name(uint32_t irq);
uint64_t irq_count(uint32_t irq, cpu_t cpu);
