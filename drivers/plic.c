// SPDX-License-Identifier: BSD-2-Clause
// RISC-V platform-level interrupt controller (RISC-V PLIC specification 1.0.0). Contexts come from
// interrupts-extended, never from arithmetic on hart ids: on JH7110 hart 0 has one context, others
// two.
//
// Every interrupt goes to the boot hart: one hart is disturbed for each, and none claims in vain.

#include <arch/log.h>
#include <arch/mmio.h>
#include <arch/thread.h>
#include <core/driver.h>
#include <core/irq.h>
#include <errno.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <mm/vmap.h>
#include <sync/spinlock.h>

#define PLIC_PRIORITY(irq)        (4UL * (irq))
#define PLIC_ENABLE(context, irq) (0x2000UL + 0x80UL * (context) + 4UL * ((irq) / 32))
#define PLIC_THRESHOLD(context)   (0x200000UL + 0x1000UL * (context))
#define PLIC_CLAIM(context)       (0x200004UL + 0x1000UL * (context))
#define PLIC_CONTEXTS_MAX         15872U
#define PLIC_S_EXTERNAL           9U // the hart's interrupt that an S-mode context raises

static struct {
    struct spinlock lock; // irq-safe; guards the enable registers, which hold 32 interrupts each
    volatile uint8_t *regs;
    uint32_t nr_irqs; // interrupts are 1 .. nr_irqs
    uint32_t context; // S-mode context of the boot hart
} plic;

static void set_enabled(uint32_t irq, bool on)
{
    if (irq == 0 || irq > plic.nr_irqs)
        return;
    volatile uint8_t *word = plic.regs + PLIC_ENABLE(plic.context, irq);
    irq_flags_t flags = spin_lock_irqsave(&plic.lock);
    uint32_t bits = mmio_read32(word);
    mmio_write32(word, on ? bits | 1U << irq % 32 : bits & ~(1U << irq % 32));
    spin_unlock_irqrestore(&plic.lock, flags);
}

static void plic_enable(uint32_t irq)
{
    mmio_write32(plic.regs + PLIC_PRIORITY(irq), 1);
    set_enabled(irq, true);
}

static void plic_disable(uint32_t irq)
{
    set_enabled(irq, false);
}

static uint32_t plic_claim(void)
{
    return mmio_read32(plic.regs + PLIC_CLAIM(plic.context));
}

static void plic_complete(uint32_t irq)
{
    mmio_write32(plic.regs + PLIC_CLAIM(plic.context), irq);
}

static struct irq_controller plic_controller = {
    .enable = plic_enable,
    .disable = plic_disable,
    .claim = plic_claim,
    .complete = plic_complete,
};

static bool is_boot_hart_intc(const void *fdt, uint32_t phandle)
{
    int intc;

    fdt_for_each_subnode (intc, fdt, hart_of_cpu(0)->dt_node) {
        if (fdt_get_phandle(fdt, intc) == phandle)
            return true;
    }
    return false;
}

static bool find_context(const void *fdt, int node)
{
    uint32_t phandle, irq;

    for (plic.context = 0; plic.context < PLIC_CONTEXTS_MAX; plic.context++) {
        if (dt_irq(fdt, node, plic.context, &phandle, &irq) != 0)
            return false;
        if (irq == PLIC_S_EXTERNAL && is_boot_hart_intc(fdt, phandle))
            return true;
    }
    return false;
}

static int plic_probe(const void *fdt, int node)
{
    paddr_t base;
    uint64_t size;

    if (dt_reg(fdt, node, 0, &base, &size) != 0) {
        log_err("plic: no usable reg");
        return -EINVAL;
    }
    if (!find_context(fdt, node)) {
        log_err("plic: interrupts-extended names no S-mode context of the boot hart");
        return -EINVAL;
    }
    if (PLIC_CLAIM(plic.context) + 4 > size) {
        log_err("plic: reg is too small for context %u", plic.context);
        return -EINVAL;
    }
    plic.regs = vmap_device(base, size);
    if (!plic.regs)
        return -ENOMEM;
    plic.nr_irqs = MIN(dt_u32(fdt, node, "riscv,ndev", IRQ_MAX - 1), IRQ_MAX - 1U);
    for (uint32_t irq = 1; irq <= plic.nr_irqs; irq++)
        plic_disable(irq); // whatever the firmware left
    mmio_write32(plic.regs + PLIC_THRESHOLD(plic.context), 0);
    plic_controller.phandle = fdt_get_phandle(fdt, node);
    irq_set_controller(&plic_controller);
    log_info("plic: %u interrupts at 0x%lx", plic.nr_irqs, (unsigned long)base);
    return 0;
}

static const char *const plic_compatible[] = {"sifive,plic-1.0.0", "riscv,plic0", NULL};

DRIVER(plic_driver) = {
    .name = "plic",
    .compatible = plic_compatible,
    .phase = DRIVER_INTC,
    .probe = plic_probe,
};
