// SPDX-License-Identifier: BSD-2-Clause
// External interrupts: one controller, one handler for each number. Handlers are attached at boot
// and stay for ever: a slot is filled before its interrupt is enabled, so dispatch takes no lock.
#include <arch/irq.h>
#include <arch/log.h>
#include <arch/port.h>
#include <arch/thread.h>
#include <core/irq.h>
#include <errno.h>
#include <lib/atomic.h>
#include <lib/dt.h>
#include <sync/spinlock.h>

struct irq_slot {
    irq_handler_fn handler;
    void *arg;
    const char *name;
    uint32_t counts[NR_CPUS_MAX]; // each by its own hart
};

static struct spinlock irq_lock = SPINLOCK_INIT; // guards attaching
static struct irq_slot irq_slots[IRQ_MAX];
static const struct irq_controller *controller;

void irq_set_controller(const struct irq_controller *c)
{
    controller = c;
    irq_init_hart();
}

void irq_init_hart(void)
{
    if (controller && controller->init_hart)
        controller->init_hart();
}

int irq_from_dt(const void *fdt, int node, unsigned int index, uint32_t *irq)
{
    uint32_t phandle;
    int err = dt_irq(fdt, node, index, &phandle, irq);
    if (err != 0)
        return err;
    if (!controller || phandle != controller->phandle || *irq == 0 || *irq >= IRQ_MAX)
        return -ENODEV;
    return 0;
}

int irq_attach(uint32_t irq, irq_handler_fn handler, void *arg, const char *name)
{
    if (!controller || irq == 0 || irq >= IRQ_MAX)
        return -ENODEV;
    struct irq_slot *slot = &irq_slots[irq];
    irq_flags_t flags = spin_lock_irqsave(&irq_lock);
    bool busy = slot->handler != NULL;
    if (!busy) {
        slot->arg = arg;
        slot->name = name;
        atomic_store_release(&slot->handler, handler); // pairs with port_irq_external
        controller->enable(irq);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return busy ? -EBUSY : 0;
}

void port_irq_external(void)
{
    cpu_t cpu = hart_self()->cpu;
    uint32_t irq;
    while (controller && (irq = controller->claim()) != 0) {
        struct irq_slot *slot = irq < IRQ_MAX ? &irq_slots[irq] : NULL;
        irq_handler_fn handler = slot ? atomic_load_acquire(&slot->handler) : NULL;
        if (handler) {
            slot->counts[cpu]++;
            handler(slot->arg);
        } else {
            log_err("interrupt %u came, but nobody attached to it: disabled", irq);
            controller->disable(irq);
        }
        controller->complete(irq);
    }
}

const char *irq_name(uint32_t irq)
{
    return irq < IRQ_MAX && atomic_load_acquire(&irq_slots[irq].handler) ? irq_slots[irq].name
                                                                         : NULL;
}

uint64_t irq_count(uint32_t irq, cpu_t cpu)
{
    return irq < IRQ_MAX && cpu < NR_CPUS_MAX ? atomic_load(&irq_slots[irq].counts[cpu]) : 0;
}
