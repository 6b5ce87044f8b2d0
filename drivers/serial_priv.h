// SPDX-License-Identifier: BSD-2-Clause
// What UARTs share: a terminal over a FIFO, interrupt-driven both ways, and the console.
//
// A driver fills regs, ops and the rest of its own, then calls serial_register() and, from its
// interrupt handler, serial_receive() and serial_transmit(). A port is made at probe and stays.
//
// Locks, both irq-safe leaves: tx_lock guards the transmit FIFO; irq_lock guards the register that
// enables interrupts, so that a handler never waits for a hart that sends a long line.
#pragma once

#include <fs/tty.h>
#include <sync/spinlock.h>
#include <sync/wait_queue.h>

struct serial_port;

struct serial_ops {
    // Put what the transmit FIFO takes now; how many. tx_lock held.
    size_t (*put)(struct serial_port *p, const char *data, size_t n);
    bool (*has_room)(struct serial_port *p);
    // Take one received byte; -1: none.
    int (*get)(struct serial_port *p);
    // Interrupts for received bytes, and for room in the transmit FIFO. irq_lock held.
    void (*enable_irqs)(struct serial_port *p, bool rx, bool tx);
};

struct serial_port {
    const struct serial_ops *ops;
    volatile uint8_t *regs;
    struct spinlock tx_lock, irq_lock;
    struct wait_queue room;
    bool has_irq;              // set once at probe
    bool tx_armed, rx_stopped; // changed under irq_lock
    struct tty tty;
};

// Make the terminal, attach `handler` to the node's first interrupt, and become the console if the
// command line names it, else if /chosen/stdout-path does, else if it's the first. `prefix` and
// the number of the node's alias make the name ("ttyS0"). 0 or -errno.
int serial_register(struct serial_port *p, const void *fdt, int node, const char *prefix,
                    unsigned int major, unsigned int first_minor, void (*handler)(void *port));

// From the handler. serial_receive() takes all bytes there are, as far as the terminal has room
// (then the rest waits in the FIFO without an interrupt).
void serial_receive(struct serial_port *p);
void serial_transmit(struct serial_port *p);
