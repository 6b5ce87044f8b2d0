// SPDX-License-Identifier: BSD-2-Clause
// Terminals as files: the way of bytes from the device's interrupt through the tty thread to
// readers, and from writers to the device; /dev/tty and /dev/console.
//
// Life: a tty is registered by its driver and stays; files point to it. Locking: see tty.h. Waiting
// for input or room is done without tty->lock; the conditions are atomic loads that whoever changes
// them announces on tty->readers or tty->writers.
#include <arch/clock.h>
#include <arch/log.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/poll.h>
#include <lib/atomic.h>
#include <linux/fcntl.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>

#include "devices_priv.h"
#include "tty_priv.h"

#define TTY_BATCH 128 // bytes moved at a time through a stack buffer

const struct tty_jobs *tty_jobs;
static struct tty *tty_console_tty;

static struct spinlock tty_work_lock = SPINLOCK_INIT; // irq-safe; guards the list
static struct list_node tty_work_list = LIST_INIT(tty_work_list);
static struct wait_queue tty_work_queue = WAIT_QUEUE_INIT(tty_work_queue);

void tty_set_jobs(const struct tty_jobs *jobs)
{
    tty_jobs = jobs;
}

void tty_set_console(struct tty *tty)
{
    atomic_store_release(&tty_console_tty, tty);
}

struct tty *tty_console(void)
{
    return atomic_load_acquire(&tty_console_tty);
}

void tty_init_fields(struct tty *tty, const char *name, dev_t dev, const struct tty_driver *driver,
                     void *private)
{
    memset(tty, 0, sizeof(*tty));
    snprintf(tty->name, sizeof(tty->name), "%s", name);
    tty->dev = dev;
    tty->driver = driver;
    tty->private = private;
    mutex_init(&tty->lock);
    spin_init(&tty->raw_lock);
    list_init(&tty->work_node);
    wait_queue_init(&tty->readers);
    wait_queue_init(&tty->writers);
    tty_ldisc_init(tty);
}

void tty_reset(struct tty *tty)
{
    tty_discard_raw(tty);
    mutex_lock(&tty->lock);
    tty_ldisc_init(tty);
    tty->winsize = (struct winsize){0};
    tty->session = tty->group = 0;
    tty->throttled = false;
    atomic_store(&tty->hung_up, false);
    mutex_unlock(&tty->lock);
}

int tty_register(struct tty *tty, const char *name, dev_t dev, const struct tty_driver *driver,
                 void *private)
{
    tty_init_fields(tty, name, dev, driver, private);
    return chrdev_register(tty->name, dev, 0600, &tty_file_ops, tty);
}

void tty_kick(struct tty *tty)
{
    irq_flags_t flags = spin_lock_irqsave(&tty_work_lock);
    if (!list_is_linked(&tty->work_node))
        list_add_tail(&tty_work_list, &tty->work_node);
    spin_unlock_irqrestore(&tty_work_lock, flags);
    wait_queue_wake_all(&tty_work_queue);
}

size_t tty_input(struct tty *tty, const char *data, size_t n)
{
    irq_flags_t flags = spin_lock_irqsave(&tty->raw_lock);
    size_t room = TTY_RAW_SIZE - (tty->raw_head - tty->raw_tail);
    size_t fits = MIN(n, room);
    for (size_t i = 0; i < fits; i++)
        tty->raw[tty->raw_head++ % TTY_RAW_SIZE] = data[i];
    tty->nr_overruns += n - fits;
    spin_unlock_irqrestore(&tty->raw_lock, flags);
    tty_kick(tty);
    return fits;
}

static size_t tty_take_raw(struct tty *tty, char *buf, size_t size, size_t *left)
{
    irq_flags_t flags = spin_lock_irqsave(&tty->raw_lock);
    size_t n = MIN(size, (size_t)(tty->raw_head - tty->raw_tail));
    for (size_t i = 0; i < n; i++)
        buf[i] = tty->raw[tty->raw_tail++ % TTY_RAW_SIZE];
    *left = tty->raw_head - tty->raw_tail;
    spin_unlock_irqrestore(&tty->raw_lock, flags);
    return n;
}

void tty_discard_raw(struct tty *tty)
{
    irq_flags_t flags = spin_lock_irqsave(&tty->raw_lock);
    tty->raw_tail = tty->raw_head;
    spin_unlock_irqrestore(&tty->raw_lock, flags);
}

// Bytes that a read could take.
static uint32_t tty_readable(struct tty *tty)
{
    uint32_t end = atomic_load(&tty->termios.c_lflag) & ICANON
                       ? atomic_load_acquire(&tty->canonical)
                       : atomic_load_acquire(&tty->head);
    return end - atomic_load(&tty->tail);
}

static bool tty_has_input(struct tty *tty)
{
    return tty_readable(tty) != 0;
}

static bool tty_has_room(struct tty *tty)
{
    return !atomic_load(&tty->stopped) &&
           (tty->driver->room == NULL || tty->driver->room(tty) != 0);
}

void tty_send_flow(struct tty *tty, char c)
{
    mutex_assert_held(&tty->lock);
    if (c != '\0' && (tty->driver->room == NULL || tty->driver->room(tty) != 0))
        tty->driver->write(tty, &c, 1);
}

// IXOFF: ask the device to stop sending while too much waits, and to go on.
static void tty_throttle(struct tty *tty, size_t waiting)
{
    bool stop = tty->throttled ? waiting > TTY_RAW_SIZE / 4 : waiting > TTY_RAW_SIZE / 4 * 3;

    if (!(tty->termios.c_iflag & IXOFF))
        stop = false;
    if (stop == tty->throttled)
        return;
    tty->throttled = stop;
    tty_send_flow(tty, (char)tty->termios.c_cc[stop ? VSTOP : VSTART]);
}

// Take what the device sent through the line discipline, as far as readers left room.
static void tty_work(struct tty *tty)
{
    char batch[TTY_BATCH];
    size_t n, waiting;

    mutex_lock(&tty->lock);
    do {
        n = tty_take_raw(tty, batch, MIN(tty_ldisc_room(tty), sizeof(batch)), &waiting);
        for (size_t i = 0; i < n; i++)
            tty_ldisc_receive(tty, (unsigned char)batch[i]);
        tty_throttle(tty, waiting);
        tty_ldisc_flush_output(tty);
        if (n != 0 && tty_has_input(tty))
            wait_queue_wake_all(&tty->readers);
        if (n != 0 && tty->driver->input_taken != NULL)
            tty->driver->input_taken(tty);
    } while (n != 0);
    mutex_unlock(&tty->lock);
}

static struct tty *tty_next_work(void)
{
    struct tty *tty = NULL;

    irq_flags_t flags = spin_lock_irqsave(&tty_work_lock);
    if (!list_is_empty(&tty_work_list)) {
        tty = list_first_entry(&tty_work_list, struct tty, work_node);
        list_remove(&tty->work_node);
    }
    spin_unlock_irqrestore(&tty_work_lock, flags);
    return tty;
}

__noreturn void tty_thread(void *unused)
{
    for (;;) {
        struct tty *tty = NULL;
        wait_event(&tty_work_queue, (tty = tty_next_work()) != NULL, PARK_UNINTERRUPTIBLE,
                   TIME_NEVER);
        tty_work(tty);
    }
}

// Copy [tail, end) or what fits. Under tty->lock. Bytes; *fault when user memory wasn't there.
static size_t tty_copy_out(struct tty *tty, struct uio *uio, uint32_t end, bool *fault)
{
    size_t done = 0;

    while (tty->tail != end && uio->left != 0) {
        uint32_t at = tty->tail & TTY_BUFFER_MASK;
        size_t n = MIN(MIN((size_t)(end - tty->tail), (size_t)(TTY_BUFFER_SIZE - at)), uio->left);
        size_t copied = uio_copy_out(uio, tty->input + at, n);
        done += copied;
        atomic_store(&tty->tail, tty->tail + (uint32_t)copied);
        if (copied < n) {
            *fault = true;
            break;
        }
    }
    return done;
}

// One line or the part of it that fits. Under tty->lock, a line is there.
static ssize_t tty_read_line(struct tty *tty, struct uio *uio)
{
    uint32_t end = tty->tail;
    bool fault = false;

    while (!tty_marked(tty, end) && end + 1 != tty->canonical)
        end++;
    bool eof = tty_marked(tty, end) && tty->input[end & TTY_BUFFER_MASK] == '\0';
    if (!eof)
        end++;
    size_t n = tty_copy_out(tty, uio, end, &fault);
    if (eof && tty->tail == end)
        atomic_store(&tty->tail, end + 1);
    return n != 0 || !fault ? (ssize_t)n : -EFAULT;
}

struct tty_read { // what VMIN and VTIME ask of this read
    size_t minimum;
    uint64_t gap_ns; // between bytes; 0: any
    uint64_t deadline_ns;
};

static void tty_read_begin(struct tty *tty, struct tty_read *r)
{
    uint64_t time_ns = tty->termios.c_cc[VTIME] * (NS_PER_SEC / 10);

    r->minimum = tty->termios.c_cc[VMIN];
    r->gap_ns = 0;
    r->deadline_ns = TIME_NEVER;
    if (tty->termios.c_lflag & ICANON) {
        r->minimum = 1;
    } else if (r->minimum == 0) {
        r->minimum = 1;
        r->deadline_ns = time_ns != 0 ? clock_monotonic_ns() + time_ns : 0;
    } else {
        r->gap_ns = time_ns;
    }
}

// What is there now. True: the read is over with *result (done so far, or -errno if nothing).
static bool tty_read_some(struct tty *tty, struct uio *uio, const struct tty_read *r,
                          ssize_t *result)
{
    bool over = true, fault = false;

    mutex_lock(&tty->lock);
    if ((tty->termios.c_lflag & ICANON) && tty_has_input(tty)) {
        ssize_t n = tty_read_line(tty, uio);
        *result = n >= 0 ? *result + n : *result != 0 ? *result : n;
    } else if (tty_has_input(tty)) {
        size_t n = tty_copy_out(tty, uio, tty->head, &fault);
        *result += (ssize_t)n;
        if (fault && *result == 0)
            *result = -EFAULT;
        over = fault || uio->left == 0 || (size_t)*result >= r->minimum;
    } else {
        over = tty->hung_up;
    }
    mutex_unlock(&tty->lock);
    if (tty->raw_head != tty->raw_tail) // a hint: the thread looks under the lock
        tty_kick(tty);
    return over;
}

static ssize_t tty_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct tty *tty = file->private;
    struct tty_read r;
    ssize_t result = 0;

    if (!tty_is_console_file(file)) {
        int err = tty_jobs->check_access(tty, SIGTTIN);
        if (err != 0)
            return err;
    }
    if (uio->left == 0)
        return 0;
    tty_read_begin(tty, &r);
    while (!tty_read_some(tty, uio, &r, &result)) {
        if (r.deadline_ns == 0)
            break;
        if (file->flags & O_NONBLOCK) {
            if (result == 0)
                result = -EAGAIN;
            break;
        }
        if (r.gap_ns != 0 && result != 0)
            r.deadline_ns = clock_monotonic_ns() + r.gap_ns;
        int err = wait_event(&tty->readers, tty_has_input(tty) || atomic_load(&tty->hung_up),
                             PARK_INTERRUPTIBLE, r.deadline_ns);
        if (err == -ETIMEDOUT)
            break;
        if (err != 0) {
            if (result == 0)
                result = -ERESTARTSYS;
            break;
        }
    }
    return result;
}

// Send a batch. Bytes taken; fewer than n if the device has no room now.
static size_t tty_write_batch(struct tty *tty, const char *batch, size_t n)
{
    size_t done = 0;

    mutex_lock(&tty->lock);
    tty_ldisc_flush_output(tty);
    while (done < n && !tty->hung_up) {
        size_t taken = tty_ldisc_output(tty, batch + done, n - done);
        done += taken;
        tty_ldisc_flush_output(tty);
        if (tty->nr_output != 0)
            break;
    }
    mutex_unlock(&tty->lock);
    return done;
}

static int tty_wait_room(struct tty *tty, struct file *file)
{
    if (file->flags & O_NONBLOCK)
        return -EAGAIN;
    if (wait_event(&tty->writers, tty_has_room(tty) || atomic_load(&tty->hung_up),
                   PARK_INTERRUPTIBLE, TIME_NEVER) != 0)
        return -ERESTARTSYS;
    return 0;
}

static ssize_t tty_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct tty *tty = file->private;
    char batch[TTY_BATCH * 2];
    ssize_t done = 0;
    int err = 0;

    if ((tty->termios.c_lflag & TOSTOP) && !tty_is_console_file(file)) {
        err = tty_jobs->check_access(tty, SIGTTOU);
        if (err != 0)
            return err;
    }
    while (uio->left != 0 && err == 0) {
        size_t n = uio_copy_in(uio, batch, MIN(uio->left, sizeof(batch)));
        size_t sent = 0;
        if (n == 0)
            err = -EFAULT;
        while (sent < n && err == 0) {
            if (tty->hung_up)
                err = -EIO;
            else if (!tty_has_room(tty))
                err = tty_wait_room(tty, file);
            if (err == 0)
                sent += tty_write_batch(tty, batch + sent, n - sent);
        }
        done += (ssize_t)sent;
    }
    return done != 0 ? done : err;
}

void tty_output_ready(struct tty *tty)
{
    mutex_lock(&tty->lock);
    tty_ldisc_flush_output(tty);
    mutex_unlock(&tty->lock);
    wait_queue_wake_all(&tty->writers);
}

int tty_wait_drained(struct tty *tty)
{
    int err = wait_event(&tty->writers, atomic_load(&tty->nr_output) == 0 || tty->hung_up,
                         PARK_INTERRUPTIBLE, TIME_NEVER);
    return err != 0 ? -ERESTARTSYS : 0;
}

static unsigned int tty_poll(struct file *file, struct poll_table *table)
{
    struct tty *tty = file->private;
    unsigned int events = 0;
    uint32_t need = 1;

    poll_add(table, &tty->readers);
    poll_add(table, &tty->writers);
    if (!(tty->termios.c_lflag & ICANON) && tty->termios.c_cc[VTIME] == 0)
        need = MAX(tty->termios.c_cc[VMIN], 1); // a read would wait for fewer
    if (tty_readable(tty) >= need)
        events |= POLLIN | POLLRDNORM;
    if (tty_has_room(tty))
        events |= POLLOUT | POLLWRNORM;
    if (atomic_load(&tty->hung_up))
        events |= POLLHUP | POLLIN | POLLOUT;
    return events;
}

pid_t tty_disassociate(struct tty *tty, pid_t session)
{
    pid_t group = 0;

    mutex_lock(&tty->lock);
    if (tty->session == session) {
        group = tty->group;
        tty->session = tty->group = 0;
    }
    mutex_unlock(&tty->lock);
    return group;
}

void tty_hang_up(struct tty *tty)
{
    mutex_lock(&tty->lock);
    atomic_store(&tty->hung_up, true);
    tty->nr_output = 0;
    mutex_unlock(&tty->lock);
    wait_queue_wake_all(&tty->readers);
    wait_queue_wake_all(&tty->writers);
}

int tty_open_file(struct file *file, struct tty *tty)
{
    file->private = tty;
    if (tty->driver->open != NULL) {
        int err = tty->driver->open(tty);
        if (err != 0)
            return err;
    }
    // A session leader without a terminal gets the first one that he opens for reading.
    if (!(file->flags & O_NOCTTY) && (file->flags & O_ACCMODE) != O_WRONLY &&
        !tty_is_console_file(file) && tty_jobs->caller_is_leader() &&
        tty_jobs->caller_tty() == NULL) {
        mutex_lock(&tty->lock);
        if (tty->session == 0)
            tty_set_controlling(tty);
        mutex_unlock(&tty->lock);
    }
    return 0;
}

static int tty_open(struct file *file)
{
    return tty_open_file(file, file->private);
}

static void tty_release(struct file *file)
{
    struct tty *tty = file->private;
    if (tty->driver->close != NULL)
        tty->driver->close(tty);
}

// /dev/tty: the caller's controlling terminal, whichever it is.
static int tty_open_own(struct file *file)
{
    struct tty *tty = tty_jobs->caller_tty();
    if (tty == NULL)
        return -ENXIO;
    file->ops = &tty_file_ops;
    file->flags |= O_NOCTTY;
    return tty_open_file(file, tty);
}

static int tty_open_console(struct file *file)
{
    struct tty *tty = tty_console();
    if (tty == NULL)
        return -ENODEV;
    return tty_open_file(file, tty);
}

const struct file_ops tty_file_ops = {
    .open = tty_open,
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_ioctl,
    .poll = tty_poll,
    .release = tty_release,
    .stream = true,
};

const struct file_ops tty_console_ops = {
    .open = tty_open_console,
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_ioctl,
    .poll = tty_poll,
    .release = tty_release,
    .stream = true,
};

static const struct file_ops tty_own_ops = {.open = tty_open_own, .stream = true};

void tty_init(void)
{
    if (chrdev_register("tty", DEV_MAKE(TTYAUX_MAJOR, 0), 0666, &tty_own_ops, NULL) != 0 ||
        chrdev_register("console", DEV_MAKE(TTYAUX_MAJOR, 1), 0600, &tty_console_ops, NULL) != 0)
        log_err("no memory for /dev/tty and /dev/console");
}
