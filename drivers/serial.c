// SPDX-License-Identifier: BSD-2-Clause
// What UARTs share (serial_priv.h). A writer fills the FIFO, then sleeps until the device says that
// there is room; the kernel's log polls, as it must work with interrupts off.

#include "serial_priv.h"

#include <arch/clock.h>
#include <arch/log.h>
#include <core/cmdline.h>
#include <core/irq.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <lib/atomic.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#define PORTS_MAX     8
#define BATCH         64
#define ROOM_WAIT_NS  NS_PER_SEC // an interrupt that never comes delays output, and no more
#define TRYLOCK_TIMES 1000000U

enum console_claim { CLAIM_NONE, CLAIM_FIRST, CLAIM_STDOUT, CLAIM_CMDLINE };

// Boot only.
static uint32_t numbers_taken; // one bit each
static enum console_claim console_claim;
static struct serial_port *console_port; // read by the log in any context, never NULL once set

static void serial_arm_tx(struct serial_port *p, bool tx)
{
    irq_flags_t flags = spin_lock_irqsave(&p->irq_lock);
    p->tx_armed = tx;
    p->ops->enable_irqs(p, !p->rx_stopped, tx);
    spin_unlock_irqrestore(&p->irq_lock, flags);
}

static void serial_stop_rx(struct serial_port *p, bool stop)
{
    irq_flags_t flags = spin_lock_irqsave(&p->irq_lock);
    if (p->rx_stopped != stop) {
        p->rx_stopped = stop;
        p->ops->enable_irqs(p, !stop, p->tx_armed);
    }
    spin_unlock_irqrestore(&p->irq_lock, flags);
}

static size_t serial_input_room(struct serial_port *p)
{
    return TTY_RAW_SIZE - (atomic_load(&p->tty.raw_head) - atomic_load(&p->tty.raw_tail));
}

// The condition of a writer's sleep. Arms the interrupt itself: a line of the log may fill the FIFO
// again between interrupt and wake-up.
static bool serial_room_or_armed(struct serial_port *p)
{
    if (p->ops->has_room(p))
        return true;
    serial_arm_tx(p, true);
    return p->ops->has_room(p);
}

static size_t serial_put(struct serial_port *p, const char *data, size_t n)
{
    irq_flags_t flags = spin_lock_irqsave(&p->tx_lock);
    size_t sent = p->ops->put(p, data, n);
    spin_unlock_irqrestore(&p->tx_lock, flags);
    return sent;
}

static void serial_wait_for_room(struct serial_port *p)
{
    if (!p->has_irq)
        return; // the caller polls
    // A timeout is no error: the caller looks at the FIFO again.
    (void)wait_event(&p->room, serial_room_or_armed(p), PARK_UNINTERRUPTIBLE,
                     clock_monotonic_ns() + ROOM_WAIT_NS);
}

static void serial_tty_write(struct tty *tty, const char *data, size_t n)
{
    struct serial_port *p = tty->private;

    while (n > 0) {
        size_t sent = serial_put(p, data, n);
        data += sent;
        n -= sent;
        if (n > 0 && sent == 0)
            serial_wait_for_room(p);
    }
}

static void serial_tty_input_taken(struct tty *tty)
{
    serial_stop_rx(tty->private, false);
}

static const struct tty_driver serial_tty_driver = {
    .write = serial_tty_write,
    .input_taken = serial_tty_input_taken,
};

void serial_transmit(struct serial_port *p)
{
    if (!atomic_load(&p->tx_armed) || !p->ops->has_room(p))
        return;
    serial_arm_tx(p, false);
    wait_queue_wake_all(&p->room);
}

void serial_receive(struct serial_port *p)
{
    char batch[BATCH];
    size_t n;

    do {
        size_t room = MIN(serial_input_room(p), sizeof(batch));
        int c = -1;
        for (n = 0; n < room && (c = p->ops->get(p)) >= 0; n++)
            batch[n] = (char)c;
        if (n > 0)
            tty_input(&p->tty, batch, n);
        if (room == 0) {
            serial_stop_rx(p, true);
            // Taken before that, nobody would start it again.
            if (serial_input_room(p) > 0)
                serial_stop_rx(p, false);
        }
    } while (n == sizeof(batch));
}

static void serial_put_all(struct serial_port *p, const char *data, size_t n)
{
    while (n > 0) {
        size_t sent = p->ops->put(p, data, n);
        data += sent;
        n -= sent;
    }
}

// Kernel log to the console port: "\n" needs its "\r". A panic may come while another hart holds
// the lock for ever, so try, and write anyway.
static void serial_log_sink(const char *text, size_t n)
{
    struct serial_port *p = console_port;
    bool locked = false;

    for (unsigned int i = 0; i < TRYLOCK_TIMES && !locked; i++)
        locked = spin_trylock(&p->tx_lock);
    while (n > 0) {
        const char *end = memchr(text, '\n', n);
        size_t line = end ? (size_t)(end - text) : n;
        serial_put_all(p, text, line);
        if (end) {
            serial_put_all(p, "\r\n", 2);
            line++;
        }
        text += line;
        n -= line;
    }
    if (locked)
        spin_unlock(&p->tx_lock);
}

static bool name_is(const char *wanted, const char *name)
{
    size_t n = strlen(name);

    return wanted && strncmp(wanted, name, n) == 0 && (wanted[n] == '\0' || wanted[n] == ',');
}

static void serial_claim_console(struct serial_port *p, const void *fdt, int node)
{
    struct dt_chosen chosen;
    enum console_claim claim = CLAIM_FIRST;

    dt_chosen_read(fdt, &chosen);
    if (name_is(cmdline.console, p->tty.name))
        claim = CLAIM_CMDLINE;
    else if (chosen.stdout_node == node)
        claim = CLAIM_STDOUT;
    if (claim <= console_claim)
        return;
    console_claim = claim;
    console_port = p;
    log_set_sink(serial_log_sink);
    tty_set_console(&p->tty);
}

// The path that the alias "serialN" stands for, NULL if there is none.
static const char *alias_path(const void *fdt, int number)
{
    char alias[16];

    snprintf(alias, sizeof(alias), "serial%d", number);
    return fdt_get_alias(fdt, alias);
}

// The number that an alias "serialN" gives the node, -1 if none does.
static int alias_number(const void *fdt, int node)
{
    for (int i = 0; i < PORTS_MAX; i++) {
        const char *path = alias_path(fdt, i);
        if (path && fdt_path_offset(fdt, path) == node)
            return i;
    }
    return -1;
}

// A port without an alias leaves the numbers alone that have one: their ports may come later.
static int serial_number(const void *fdt, int node)
{
    int number = alias_number(fdt, node);

    for (int i = 0; i < PORTS_MAX && number < 0; i++)
        if (!(numbers_taken & 1U << i) && !alias_path(fdt, i))
            number = i;
    if (number < 0 || numbers_taken & 1U << number)
        return -ENOSPC;
    numbers_taken |= 1U << number;
    return number;
}

int serial_register(struct serial_port *p, const void *fdt, int node, const char *prefix,
                    unsigned int major, unsigned int first_minor, void (*handler)(void *port))
{
    char name[16];
    uint32_t irq;
    int number = serial_number(fdt, node);

    if (number < 0)
        return number;
    wait_queue_init(&p->room);
    snprintf(name, sizeof(name), "%s%d", prefix, number);
    int err = tty_register(&p->tty, name, DEV_MAKE(major, first_minor + (unsigned int)number),
                           &serial_tty_driver, p);
    if (err)
        return err;
    err = irq_from_dt(fdt, node, 0, &irq);
    if (!err)
        err = irq_attach(irq, handler, p, p->tty.name);
    if (err) {
        log_err("%s: no interrupt (%d): output only", name, err);
    } else {
        p->has_irq = true;
        serial_arm_tx(p, false);
    }
    serial_claim_console(p, fdt, node);
    return 0;
}
