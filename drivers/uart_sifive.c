// SPDX-License-Identifier: BSD-2-Clause
// SiFive UARTs as terminals ttySIF0.. (SiFive FU540-C000 manual, chapter 13). The firmware's baud
// rate stays as it is.

#include "serial_priv.h"

#include <arch/log.h>
#include <arch/mmio.h>
#include <core/driver.h>
#include <errno.h>
#include <lib/dt.h>
#include <mm/slab.h>
#include <mm/vmap.h>

#define UART_TXDATA 0x00
#define UART_RXDATA 0x04
#define UART_TXCTRL 0x08
#define UART_RXCTRL 0x0c
#define UART_IE     0x10
#define UART_IP     0x14
#define UART_SIZE   0x1c

#define TXDATA_FULL   BIT(31)
#define RXDATA_EMPTY  BIT(31)
#define CTRL_ENABLE   BIT(0)
#define CTRL_COUNT(n) ((uint32_t)(n) << 16)
#define IRQ_TX        BIT(0) // fewer bytes in the transmit FIFO than TXCTRL's count
#define IRQ_RX        BIT(1) // more in the receive FIFO than RXCTRL's

#define TX_WATERMARK 1

// From Linux's list of devices: ttySIF has no number of its own there either.
#define UART_MAJOR 204
#define UART_MINOR 64

static bool uart_has_room(struct serial_port *p)
{
    return !(mmio_read32(p->regs + UART_TXDATA) & TXDATA_FULL);
}

static size_t uart_put(struct serial_port *p, const char *data, size_t n)
{
    size_t sent = 0;

    while (sent < n && uart_has_room(p))
        mmio_write32(p->regs + UART_TXDATA, (uint8_t)data[sent++]);
    return sent;
}

static int uart_get(struct serial_port *p)
{
    uint32_t data = mmio_read32(p->regs + UART_RXDATA);

    return data & RXDATA_EMPTY ? -1 : (int)(data & 0xff);
}

static void uart_enable_irqs(struct serial_port *p, bool rx, bool tx)
{
    mmio_write32(p->regs + UART_IE, (uint32_t)((rx ? IRQ_RX : 0) | (tx ? IRQ_TX : 0)));
}

static const struct serial_ops uart_ops = {
    .put = uart_put,
    .has_room = uart_has_room,
    .get = uart_get,
    .enable_irqs = uart_enable_irqs,
};

static void uart_interrupt(void *arg)
{
    struct serial_port *p = arg;
    uint32_t pending = mmio_read32(p->regs + UART_IP) & mmio_read32(p->regs + UART_IE);

    if (pending & IRQ_RX)
        serial_receive(p);
    if (pending & IRQ_TX)
        serial_transmit(p);
}

static int uart_probe(const void *fdt, int node)
{
    paddr_t base;
    uint64_t size;

    if (dt_reg(fdt, node, 0, &base, &size) != 0 || size < UART_SIZE) {
        log_err("uart: no usable reg");
        return -EINVAL;
    }
    struct serial_port *p = kzalloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->ops = &uart_ops;
    p->regs = vmap_device(base, size);
    if (!p->regs) {
        kfree(p);
        return -ENOMEM;
    }
    mmio_write32(p->regs + UART_IE, 0);
    mmio_write32(p->regs + UART_TXCTRL, (uint32_t)CTRL_ENABLE | CTRL_COUNT(TX_WATERMARK));
    mmio_write32(p->regs + UART_RXCTRL, (uint32_t)CTRL_ENABLE | CTRL_COUNT(0));
    int err = serial_register(p, fdt, node, "ttySIF", UART_MAJOR, UART_MINOR, uart_interrupt);
    if (err) {
        kfree(p);
        return err;
    }
    log_info("%s: at 0x%lx", p->tty.name, (unsigned long)base);
    return 0;
}

static const char *const uart_compatible[] = {"sifive,uart0", "sifive,fu540-c000-uart", NULL};

DRIVER(uart_sifive_driver) = {
    .name = "uart-sifive",
    .compatible = uart_compatible,
    .phase = DRIVER_CONSOLE,
    .probe = uart_probe,
};
