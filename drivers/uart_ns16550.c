// SPDX-License-Identifier: BSD-2-Clause
// ns16550a and Synopsys DW-APB UARTs as terminals ttyS0.. (TI PC16550D data sheet; DesignWare
// DW_apb_uart databook). The firmware's baud rate and frame stay as they are.

#include "serial_priv.h"

#include <arch/log.h>
#include <arch/mmio.h>
#include <core/driver.h>
#include <errno.h>
#include <lib/dt.h>
#include <mm/slab.h>
#include <mm/vmap.h>

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
#define UART_IER_TX       BIT(1)
#define UART_IIR_BUSY     7U   // DW-APB: LCR was written while busy
#define UART_IIR_TIMEOUT  0xcU // bytes wait below the trigger level
#define UART_IIR_FIFOS    0xc0U
#define UART_FCR_ENABLE   BIT(0)
#define UART_FCR_CLEAR_RX BIT(1)
#define UART_MCR_OUT2     BIT(3) // connects the interrupt line on PC-like boards
#define UART_LSR_RX_READY BIT(0)
#define UART_LSR_TX_EMPTY BIT(5)

#define UART_FIFO  16 // the least, where there is one
#define UART_MAJOR 4
#define UART_MINOR 64

struct uart {
    struct serial_port port;
    unsigned int reg_shift, io_width;
    size_t fifo_size;
    bool is_dw_apb;
};

static uint32_t uart_read(struct serial_port *p, enum uart_reg reg)
{
    struct uart *u = container_of(p, struct uart, port);
    volatile uint8_t *at = p->regs + ((unsigned int)reg << u->reg_shift);

    return u->io_width == 4 ? mmio_read32(at) : mmio_read8(at);
}

static void uart_write(struct serial_port *p, enum uart_reg reg, uint32_t value)
{
    struct uart *u = container_of(p, struct uart, port);
    volatile uint8_t *at = p->regs + ((unsigned int)reg << u->reg_shift);

    if (u->io_width == 4)
        mmio_write32(at, value);
    else
        mmio_write8(at, (uint8_t)value);
}

static bool uart_has_room(struct serial_port *p)
{
    return uart_read(p, UART_LSR) & UART_LSR_TX_EMPTY;
}

// "Empty" tells of the whole FIFO, not of a place in it.
static size_t uart_put(struct serial_port *p, const char *data, size_t n)
{
    if (!uart_has_room(p))
        return 0;
    n = MIN(n, container_of(p, struct uart, port)->fifo_size);
    for (size_t i = 0; i < n; i++)
        uart_write(p, UART_RBR_THR, (uint8_t)data[i]);
    return n;
}

static int uart_get(struct serial_port *p)
{
    return uart_read(p, UART_LSR) & UART_LSR_RX_READY ? (int)(uart_read(p, UART_RBR_THR) & 0xff)
                                                      : -1;
}

static void uart_enable_irqs(struct serial_port *p, bool rx, bool tx)
{
    uart_write(p, UART_IER, (uint32_t)((rx ? UART_IER_RX : 0) | (tx ? UART_IER_TX : 0)));
}

static const struct serial_ops uart_ops = {
    .put = uart_put,
    .has_room = uart_has_room,
    .get = uart_get,
    .enable_irqs = uart_enable_irqs,
};

static void uart_interrupt(void *arg)
{
    struct uart *u = arg; // the port is its first member
    struct serial_port *p = &u->port;
    uint32_t cause = uart_read(p, UART_IIR_FCR) & 0xf;

    if (u->is_dw_apb && cause == UART_IIR_BUSY)
        uart_read(p, UART_USR);
    // DW-APB may say "timeout" with an empty FIFO, and only a read of it ends that. Looked at
    // before bytes are taken: after that the FIFO is always empty, and the next byte may be on its
    // way.
    if (u->is_dw_apb && cause == UART_IIR_TIMEOUT && !(uart_read(p, UART_LSR) & UART_LSR_RX_READY))
        uart_read(p, UART_RBR_THR);
    serial_receive(p);
    serial_transmit(p);
}

static int uart_probe(const void *fdt, int node)
{
    paddr_t base;
    uint64_t size;

    if (dt_reg(fdt, node, 0, &base, &size) != 0) {
        log_err("uart: no usable reg");
        return -EINVAL;
    }
    struct uart *u = kzalloc(sizeof(*u));
    if (!u)
        return -ENOMEM;
    struct serial_port *p = &u->port;
    p->ops = &uart_ops;
    p->regs = vmap_device(base, size);
    u->reg_shift = dt_u32(fdt, node, "reg-shift", 0);
    u->io_width = dt_u32(fdt, node, "reg-io-width", 1);
    u->is_dw_apb = dt_is_compatible(fdt, node, "snps,dw-apb-uart");
    if (!p->regs || u->reg_shift > 3 || (u->io_width != 1 && u->io_width != 4)) {
        log_err("uart: reg-shift %u, reg-io-width %u can't be used", u->reg_shift, u->io_width);
        kfree(u);
        return -EINVAL;
    }
    uart_write(p, UART_IER, 0);
    uart_write(p, UART_IIR_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX);
    u->fifo_size = (uart_read(p, UART_IIR_FCR) & UART_IIR_FIFOS) == UART_IIR_FIFOS ? UART_FIFO : 1;
    uart_write(p, UART_MCR, uart_read(p, UART_MCR) | UART_MCR_OUT2);
    int err = serial_register(p, fdt, node, "ttyS", UART_MAJOR, UART_MINOR, uart_interrupt);
    if (err) {
        kfree(u);
        return err;
    }
    log_info("%s: at 0x%lx", p->tty.name, (unsigned long)base);
    return 0;
}

static const char *const uart_compatible[] = {"ns16550a", "ns16550", "snps,dw-apb-uart", NULL};

DRIVER(uart_driver) = {
    .name = "uart",
    .compatible = uart_compatible,
    .phase = DRIVER_CONSOLE,
    .probe = uart_probe,
};
