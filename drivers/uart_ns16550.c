// SPDX-License-Identifier: BSD-2-Clause
// ns16550a and Synopsys DW-APB UARTs as terminals ttyS0.. (TI PC16550D data sheet; DesignWare
// DW_apb_uart databook). The firmware's baud rate and frame stay as they are.
//
// Sending polls: the FIFO empties by itself and the console must work with interrupts off, too.
// Receiving is by interrupt. One lock for each port, irq-safe, guards the transmitter.

#include <arch/log.h>
#include <arch/mmio.h>
#include <core/driver.h>
#include <core/irq.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/tty.h>
#include <lib/dt.h>
#include <mm/slab.h>
#include <mm/vmap.h>
#include <stdio.h>
#include <string.h>
#include <sync/spinlock.h>

enum uart_reg {
    UART_RBR_THR = 0,
    UART_IER = 1,
    UART_IIR_FCR = 2,
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_USR = 31, // DW-APB: status; reading it clears a busy-detect interrupt
};

#define UART_IER_RX       BIT(0)
#define UART_IIR_NONE     1U
#define UART_IIR_BUSY     7U // DW-APB: LCR was written while busy
#define UART_FCR_ENABLE   BIT(0)
#define UART_FCR_CLEAR_RX BIT(1)
#define UART_MCR_OUT2     BIT(3) // connects the interrupt line on PC-like boards
#define UART_LSR_RX_READY BIT(0)
#define UART_LSR_TX_EMPTY BIT(5)

#define UART_PORTS_MAX 8
#define UART_MAJOR     4
#define UART_MINOR     64

struct uart {
    struct spinlock lock;
    volatile uint8_t *regs;
    unsigned int reg_shift, io_width;
    bool is_dw_apb;
    struct tty tty;
};

static unsigned int nr_ports;
static struct uart *console_port;

static uint32_t uart_read(struct uart *u, enum uart_reg reg)
{
    volatile uint8_t *p = u->regs + ((unsigned int)reg << u->reg_shift);

    return u->io_width == 4 ? mmio_read32(p) : mmio_read8(p);
}

static void uart_write(struct uart *u, enum uart_reg reg, uint32_t value)
{
    volatile uint8_t *p = u->regs + ((unsigned int)reg << u->reg_shift);

    if (u->io_width == 4)
        mmio_write32(p, value);
    else
        mmio_write8(p, (uint8_t)value);
}

static void uart_put(struct uart *u, char c)
{
    while (!(uart_read(u, UART_LSR) & UART_LSR_TX_EMPTY))
        ;
    uart_write(u, UART_RBR_THR, (uint8_t)c);
}

static void uart_tty_write(struct tty *tty, const char *data, size_t n)
{
    struct uart *u = tty->private;

    // Short holds: a FIFO's worth at a time, so that interrupts aren't kept off for a screenful.
    while (n > 0) {
        size_t chunk = MIN(n, 16UL);
        irq_flags_t flags = spin_lock_irqsave(&u->lock);
        for (size_t i = 0; i < chunk; i++)
            uart_put(u, data[i]);
        spin_unlock_irqrestore(&u->lock, flags);
        data += chunk;
        n -= chunk;
    }
}

// Kernel log to the console port: "\n" needs its "\r". A panic may come while another hart holds
// the lock for ever, so try, and write anyway.
static void uart_log_sink(const char *text, size_t n)
{
    struct uart *u = console_port;
    bool locked = false;

    for (unsigned int i = 0; i < 1000000 && !locked; i++)
        locked = spin_trylock(&u->lock);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            uart_put(u, '\r');
        uart_put(u, text[i]);
    }
    if (locked)
        spin_unlock(&u->lock);
}

static void uart_interrupt(void *arg)
{
    struct uart *u = arg;
    char batch[64];
    size_t n = 0;

    while (uart_read(u, UART_LSR) & UART_LSR_RX_READY) {
        batch[n++] = (char)uart_read(u, UART_RBR_THR);
        if (n == sizeof(batch)) {
            tty_input(&u->tty, batch, n);
            n = 0;
        }
    }
    if (n > 0)
        tty_input(&u->tty, batch, n);
    if (u->is_dw_apb && (uart_read(u, UART_IIR_FCR) & 0xf) == UART_IIR_BUSY)
        uart_read(u, UART_USR);
}

static const struct tty_driver uart_tty_driver = {.write = uart_tty_write};

static int uart_start(struct uart *u, const void *fdt, int node)
{
    uint32_t irq;
    char name[16];

    snprintf(name, sizeof(name), "ttyS%u", nr_ports);
    int err = tty_register(&u->tty, name, DEV_MAKE(UART_MAJOR, UART_MINOR + nr_ports),
                           &uart_tty_driver, u);
    if (err)
        return err;
    uart_write(u, UART_IER, 0);
    uart_write(u, UART_IIR_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX);
    uart_write(u, UART_MCR, uart_read(u, UART_MCR) | UART_MCR_OUT2);
    err = irq_from_dt(fdt, node, 0, &irq);
    if (!err)
        err = irq_attach(irq, uart_interrupt, u, u->tty.name);
    if (err)
        log_err("%s: no interrupt (%d): output only", name, err);
    else
        uart_write(u, UART_IER, UART_IER_RX);
    nr_ports++;
    return 0;
}

static int uart_probe(const void *fdt, int node)
{
    struct dt_chosen chosen;
    paddr_t base;
    uint64_t size;

    if (nr_ports == UART_PORTS_MAX)
        return -ENOSPC;
    if (dt_reg(fdt, node, 0, &base, &size) != 0) {
        log_err("uart: no usable reg");
        return -EINVAL;
    }
    struct uart *u = kzalloc(sizeof(*u));
    if (!u)
        return -ENOMEM;
    u->regs = vmap_device(base, size);
    u->reg_shift = dt_u32(fdt, node, "reg-shift", 0);
    u->io_width = dt_u32(fdt, node, "reg-io-width", 1);
    u->is_dw_apb = dt_is_compatible(fdt, node, "snps,dw-apb-uart");
    if (!u->regs || u->reg_shift > 3 || (u->io_width != 1 && u->io_width != 4)) {
        log_err("uart: reg-shift %u, reg-io-width %u can't be used", u->reg_shift, u->io_width);
        kfree(u);
        return -EINVAL;
    }
    int err = uart_start(u, fdt, node);
    if (err) {
        kfree(u);
        return err;
    }
    dt_chosen_read(fdt, &chosen);
    if (!console_port || chosen.stdout_node == node) {
        console_port = u;
        log_set_sink(uart_log_sink);
        tty_set_console(&u->tty);
    }
    log_info("%s: at 0x%lx", u->tty.name, (unsigned long)base);
    return 0;
}

static const char *const uart_compatible[] = {"ns16550a", "ns16550", "snps,dw-apb-uart", NULL};

DRIVER(uart_driver) = {
    .name = "uart",
    .compatible = uart_compatible,
    .phase = DRIVER_CONSOLE,
    .probe = uart_probe,
};
