// SPDX-License-Identifier: BSD-2-Clause
// Pseudo-terminals (pty(7), pts(4)): a master file that stands where a terminal's device is, and
// the terminal, /dev/pts/N. There is one set of pseudo-terminals: every mount of devpts shows it.
//
// Life: opening /dev/ptmx takes a free pair of the table; the pair is free again when the master
// and all files of the terminal are closed. Pairs stay in memory to be used again, because a
// process may remember a terminal that was hung up. Lock order: pty_table_lock; tty.lock >
// pty.lock. pty.lock is a leaf and guards the ring of output; waiting is for conditions that are
// read without it.
#include <arch/log.h>
#include <arch/uaccess.h>
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/poll.h>
#include <lib/atomic.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>

#include "devices_priv.h"
#include "procfs_priv.h"
#include "tty_priv.h"

#define PTY_MAX       64
#define PTY_RING_SIZE 4096
#define PTY_BATCH     256

struct pty {
    struct tty tty; // the terminal
    unsigned int index;
    uid_t uid; // of whoever opened the master, for the node
    gid_t gid;

    // pty_table_lock
    bool master_open;
    bool locked; // until unlockpt(3)
    bool opened; // somebody has opened the terminal
    unsigned int nr_opens;

    struct spinlock lock; // guards the ring: what programs wrote, for the master to read
    char ring[PTY_RING_SIZE];
    uint32_t head, tail;                // free-running
    struct wait_queue readers, writers; // of the master
};

static struct mutex pty_table_lock = MUTEX_INIT(pty_table_lock);
static struct pty *pty_table[PTY_MAX]; // written under the lock, entries stay

static size_t pty_ring_used(struct pty *p)
{
    return atomic_load_acquire(&p->head) - atomic_load_acquire(&p->tail);
}

static void pty_tty_write(struct tty *tty, const char *data, size_t n)
{
    struct pty *p = tty->private;

    spin_lock(&p->lock);
    ASSERT(n <= PTY_RING_SIZE - (p->head - p->tail));
    for (size_t i = 0; i < n; i++)
        p->ring[(p->head + i) % PTY_RING_SIZE] = data[i];
    atomic_store_release(&p->head, p->head + (uint32_t)n);
    spin_unlock(&p->lock);
    wait_queue_wake_all(&p->readers);
}

static size_t pty_tty_room(struct tty *tty)
{
    return PTY_RING_SIZE - pty_ring_used(tty->private);
}

static void pty_tty_input_taken(struct tty *tty)
{
    struct pty *p = tty->private;
    wait_queue_wake_all(&p->writers);
}

static int pty_tty_open(struct tty *tty)
{
    struct pty *p = tty->private;
    int err = -EIO;

    mutex_lock(&pty_table_lock);
    if (p->master_open && !p->locked) {
        p->nr_opens++;
        atomic_store(&p->opened, true);
        err = 0;
    }
    mutex_unlock(&pty_table_lock);
    return err;
}

static void pty_tty_close(struct tty *tty)
{
    struct pty *p = tty->private;

    mutex_lock(&pty_table_lock);
    atomic_store(&p->nr_opens, p->nr_opens - 1);
    mutex_unlock(&pty_table_lock);
    wait_queue_wake_all(&p->readers);
}

static const struct tty_driver pty_driver = {
    .write = pty_tty_write,
    .room = pty_tty_room,
    .input_taken = pty_tty_input_taken,
    .open = pty_tty_open,
    .close = pty_tty_close,
};

// A pair at a place of the table that has none yet. NULL: no memory.
static struct pty *pty_create(unsigned int index)
{
    char name[16];
    struct pty *p = kzalloc(sizeof(*p));
    if (p == NULL)
        return NULL;
    p->index = index;
    dev_t dev = DEV_MAKE(UNIX98_PTY_SLAVE_MAJOR, index);
    if (chrdev_register(NULL, dev, 0, &tty_file_ops, &p->tty) != 0) {
        kfree(p);
        return NULL;
    }
    snprintf(name, sizeof(name), "pts/%u", index);
    tty_init_fields(&p->tty, name, dev, &pty_driver, p);
    spin_init(&p->lock);
    wait_queue_init(&p->readers);
    wait_queue_init(&p->writers);
    pty_table[index] = p;
    return p;
}

// A free pair, ready for use; its master counts as open. -ENOSPC or -ENOMEM.
static int pty_take(const struct cred *cred, struct pty **result)
{
    struct pty *p = NULL;
    unsigned int i;

    mutex_lock(&pty_table_lock);
    for (i = 0; i < PTY_MAX; i++) {
        p = pty_table[i];
        if (p == NULL || (!p->master_open && p->nr_opens == 0))
            break;
    }
    int err = -ENOSPC;
    if (i < PTY_MAX) {
        if (p == NULL)
            p = pty_create(i);
        err = p != NULL ? 0 : -ENOMEM;
    }
    if (err == 0) {
        tty_reset(&p->tty);
        p->tty.termios.c_cflag = B38400 | CS8 | CREAD;
        p->tty.termios.c_ispeed = p->tty.termios.c_ospeed = 38400;
        p->head = p->tail = 0;
        p->uid = cred->fsuid;
        p->gid = cred->fsgid;
        p->master_open = p->locked = true;
        p->opened = false;
        *result = p;
    }
    mutex_unlock(&pty_table_lock);
    return err;
}

static int pty_master_open(struct file *file)
{
    struct pty *p;
    int err = pty_take(file->cred, &p);
    if (err == 0)
        file->private = p;
    return err;
}

static void pty_master_release(struct file *file)
{
    struct pty *p = file->private;
    struct tty *tty = &p->tty;

    tty_hang_up(tty);
    mutex_lock(&tty->lock);
    pid_t session = tty->session, group = tty->group;
    tty->session = tty->group = 0;
    if (session != 0) {
        tty_jobs->forget_session(tty, session);
        tty_jobs->signal_group(session, SIGHUP); // the leader's own group
    }
    if (group != 0 && group != session)
        tty_jobs->signal_group(group, SIGHUP);
    if (group != 0)
        tty_jobs->signal_group(group, SIGCONT);
    mutex_unlock(&tty->lock);

    mutex_lock(&pty_table_lock);
    p->master_open = false;
    mutex_unlock(&pty_table_lock);
}

// Everybody who had the terminal open is gone.
static bool pty_is_deserted(struct pty *p)
{
    return atomic_load(&p->opened) && atomic_load(&p->nr_opens) == 0;
}

static size_t pty_take_output(struct pty *p, char *buf, size_t size)
{
    spin_lock(&p->lock);
    size_t n = MIN(size, (size_t)(p->head - p->tail));
    for (size_t i = 0; i < n; i++)
        buf[i] = p->ring[(p->tail + i) % PTY_RING_SIZE];
    atomic_store_release(&p->tail, p->tail + (uint32_t)n);
    spin_unlock(&p->lock);
    return n;
}

// Until there is output or will be none. 0 or -errno.
static int pty_wait_output(struct pty *p, const struct file *file)
{
    if (pty_ring_used(p) != 0)
        return 0;
    if (pty_is_deserted(p))
        return -EIO;
    if (file->flags & O_NONBLOCK)
        return -EAGAIN;
    return wait_event(&p->readers, pty_ring_used(p) != 0 || pty_is_deserted(p), PARK_INTERRUPTIBLE,
                      TIME_NEVER) != 0
               ? -ERESTARTSYS
               : 0;
}

// What is there now. Bytes, or -EFAULT if none.
static ssize_t pty_read_output(struct pty *p, struct uio *uio)
{
    char batch[PTY_BATCH];
    ssize_t done = 0;

    while (uio->left != 0) {
        size_t n = pty_take_output(p, batch, MIN(uio->left, sizeof(batch)));
        if (n == 0)
            break;
        size_t copied = uio_copy_out(uio, batch, n);
        done += (ssize_t)copied;
        if (copied < n) {
            done = done != 0 ? done : -EFAULT;
            break;
        }
    }
    tty_output_ready(&p->tty);
    return done;
}

static ssize_t pty_master_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct pty *p = file->private;
    ssize_t result = 0;

    // Again if another reader was quicker.
    while (uio->left != 0 && result == 0) {
        result = pty_wait_output(p, file);
        if (result == 0)
            result = pty_read_output(p, uio);
    }
    return result;
}

static bool pty_has_input_room(struct pty *p)
{
    return atomic_load(&p->tty.raw_head) - atomic_load(&p->tty.raw_tail) < TTY_RAW_SIZE;
}

static ssize_t pty_master_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct pty *p = file->private;
    char batch[PTY_BATCH];
    ssize_t done = 0;
    int err = 0;

    while (uio->left != 0 && err == 0) {
        size_t n = uio_copy_in(uio, batch, MIN(uio->left, sizeof(batch))), sent = 0;
        if (n == 0)
            err = -EFAULT;
        while (sent < n && err == 0) {
            // Another writer may be quicker: tty_input says how many fitted.
            if (pty_has_input_room(p))
                sent +=
                    tty_input(&p->tty, batch + sent,
                              MIN(n - sent, TTY_RAW_SIZE - (p->tty.raw_head - p->tty.raw_tail)));
            else if (file->flags & O_NONBLOCK)
                err = -EAGAIN;
            else if (wait_event(&p->writers, pty_has_input_room(p), PARK_INTERRUPTIBLE,
                                TIME_NEVER) != 0)
                err = -ERESTARTSYS;
        }
        done += (ssize_t)sent;
    }
    return done != 0 ? done : err;
}

static unsigned int pty_master_poll(struct file *file, struct poll_table *table)
{
    struct pty *p = file->private;
    unsigned int events = 0;

    poll_add(table, &p->readers);
    poll_add(table, &p->writers);
    if (pty_ring_used(p) != 0)
        events |= POLLIN | POLLRDNORM;
    if (pty_has_input_room(p))
        events |= POLLOUT | POLLWRNORM;
    if (pty_is_deserted(p))
        events |= POLLHUP;
    return events;
}

static long pty_master_set_lock(struct pty *p, unsigned long arg)
{
    int on;
    if (user_copy_in(&on, arg, sizeof(on)) != 0)
        return -EFAULT;
    mutex_lock(&pty_table_lock);
    p->locked = on != 0;
    mutex_unlock(&pty_table_lock);
    return 0;
}

static long pty_master_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
    struct pty *p = file->private;
    int value;

    switch (request) {
    case TIOCGPTN:
        return user_copy_out(arg, &p->index, sizeof(p->index));
    case TIOCSPTLCK:
        return pty_master_set_lock(p, arg);
    case TIOCGPTLCK:
        value = p->locked;
        break;
    case TIOCINQ:
        value = (int)pty_ring_used(p);
        break;
    case TIOCGPGRP:
        value = atomic_load(&p->tty.group);
        break;
    case TIOCSCTTY:
    case TIOCNOTTY:
        return -ENOTTY;
    default:
        return tty_ioctl_on(&p->tty, file, request, arg);
    }
    return user_copy_out(arg, &value, sizeof(value));
}

static const struct file_ops pty_master_ops = {
    .open = pty_master_open,
    .read = pty_master_read,
    .write = pty_master_write,
    .ioctl = pty_master_ioctl,
    .poll = pty_master_poll,
    .release = pty_master_release,
    .stream = true,
};

// devpts: a node for each pair whose master is open, and ptmx.
static int64_t pty_next(uint64_t key, int64_t from)
{
    int64_t found = -1;

    mutex_lock(&pty_table_lock);
    for (int64_t i = from; i < PTY_MAX && found < 0; i++)
        if (pty_table[i] != NULL && pty_table[i]->master_open)
            found = i;
    mutex_unlock(&pty_table_lock);
    return found;
}

static dev_t pty_device(uint64_t key)
{
    return DEV_MAKE(UNIX98_PTY_SLAVE_MAJOR, key);
}

static dev_t pty_ptmx_device(uint64_t key)
{
    return DEV_MAKE(TTYAUX_MAJOR, 2);
}

static void pty_owner(uint64_t key, uid_t *uid, gid_t *gid)
{
    *uid = pty_table[key]->uid;
    *gid = pty_table[key]->gid;
}

static const struct proc_file pty_entry = {
    .mode = S_IFCHR | 0620, .device = pty_device, .owner = pty_owner};
static const struct proc_file pty_files[] = {
    {.name = "ptmx", .mode = S_IFCHR | 0666, .device = pty_ptmx_device},
    {.name = "", .mode = S_IFDIR | 0755, .next = pty_next, .entry = &pty_entry},
    {0},
};
static struct proc_tree pty_tree;

static int pty_mount(struct super_block *sb, const char *source, const char *options)
{
    return proc_tree_mount(&pty_tree, sb);
}

static const struct file_system pty_fs = {
    .name = "devpts",
    .nodev = true,
    .mount = pty_mount,
    .magic = DEVPTS_SUPER_MAGIC,
};

void pty_init(void)
{
    proc_tree_register(&pty_tree, pty_files);
    file_system_register(&pty_fs);
    if (chrdev_register("ptmx", DEV_MAKE(TTYAUX_MAJOR, 2), 0666, &pty_master_ops, NULL) != 0)
        log_err("no memory for /dev/ptmx");
}
