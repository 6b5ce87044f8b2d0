// SPDX-License-Identifier: BSD-2-Clause
// /dev/kmsg (Linux Documentation/ABI/testing/dev-kmsg): one record of the kernel log a read, and
// lines written become records. The log itself is arch/log.
//
// Each open file has its own place in the log, guarded by a mutex. The log wakes readers from any
// context, also with spinlocks held, where waking a thread could take the same lock again: such a
// record wakes nobody, and a sleeping reader looks again after KMSG_LOOK_NS at the latest.
#include <arch/clock.h>
#include <arch/log.h>
#include <arch/thread.h>
#include <asm/poll.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/devices.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>
#include <string.h>

#include "devices_priv.h"

#define KMSG_LOOK_NS  (200 * NS_PER_MS)
#define KMSG_LINE_MAX 992 // Linux: PRINTKRB_RECORD_MAX less its prefix

struct kmsg_reader {   // file->private
    struct mutex lock; // guards the rest
    uint64_t seq;      // to be read next
    struct log_record record;
    char raw[KMSG_LINE_MAX], text[KMSG_LINE_MAX * 4 + 64];
};

static struct wait_queue kmsg_queue = WAIT_QUEUE_INIT(kmsg_queue);

static void kmsg_notify(void)
{
    if (arch_thread_self()->spin_depth == 0)
        wait_queue_wake_all(&kmsg_queue);
}

static int kmsg_open(struct file *file)
{
    file->private = NULL;
    if ((file->flags & O_ACCMODE) == O_WRONLY)
        return 0;
    struct kmsg_reader *r = kmalloc(sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    mutex_init(&r->lock);
    r->seq = 0;
    file->private = r;
    return 0;
}

static void kmsg_release(struct file *file)
{
    kfree(file->private);
}

int kmsg_wait(uint64_t seq)
{
    int err;
    do
        err = wait_event(&kmsg_queue, log_next_seq() > seq, PARK_INTERRUPTIBLE,
                         clock_monotonic_ns() + KMSG_LOOK_NS);
    while (err == -ETIMEDOUT);
    return err;
}

static bool kmsg_has_next(const struct kmsg_reader *r)
{
    return log_next_seq() > r->seq;
}

// "6,339,5140900,-;text\n", what isn't printable as \xNN.
static size_t kmsg_format(struct kmsg_reader *r)
{
    char *out = r->text;
    size_t room = sizeof(r->text);
    int n = snprintf(out, room, "%d,%llu,%llu,-;", (int)r->record.level,
                     (unsigned long long)r->record.seq,
                     (unsigned long long)(r->record.time_ns / NS_PER_US));
    size_t length = (size_t)n;

    for (size_t i = 0; i < MIN((size_t)r->record.length, sizeof(r->raw)); i++) {
        unsigned char c = (unsigned char)r->raw[i];
        if (c < ' ' || c >= 127 || c == '\\')
            length += (size_t)snprintf(out + length, room - length, "\\x%02x", c);
        else
            out[length++] = (char)c;
    }
    out[length++] = '\n';
    return length;
}

// The next record as text. Its length, or -EAGAIN, -EPIPE (some were overwritten).
static ssize_t kmsg_next(struct kmsg_reader *r)
{
    mutex_assert_held(&r->lock);
    int err = log_read(&r->seq, &r->record, r->raw, sizeof(r->raw));
    return err != 0 ? err : (ssize_t)kmsg_format(r);
}

static ssize_t kmsg_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct kmsg_reader *r = file->private;
    ssize_t result;

    if (r == NULL)
        return -EBADF;
    mutex_lock(&r->lock);
    while ((result = kmsg_next(r)) == -EAGAIN && !(file->flags & O_NONBLOCK)) {
        mutex_unlock(&r->lock);
        int err = wait_event(&kmsg_queue, kmsg_has_next(r), PARK_INTERRUPTIBLE,
                             clock_monotonic_ns() + KMSG_LOOK_NS);
        if (err == -EINTR)
            return -ERESTARTSYS;
        mutex_lock(&r->lock);
    }
    if (result > 0) {
        size_t n = (size_t)result;
        if (n > uio->left)
            result = -EINVAL;
        else if (uio_copy_out(uio, r->text, n) != n)
            result = -EFAULT;
    }
    mutex_unlock(&r->lock);
    return result;
}

// "<N>" in front of a line: level and facility, as syslog(3) writes them.
static enum log_level kmsg_parse_level(const char **line)
{
    const char *p = *line;
    unsigned int value = 0;

    if (*p++ != '<' || *p < '0' || *p > '9')
        return LOG_WARN;
    while (*p >= '0' && *p <= '9' && value < 1024)
        value = value * 10 + (unsigned int)(*p++ - '0');
    if (*p != '>')
        return LOG_WARN;
    *line = p + 1;
    return (enum log_level)(value & 7);
}

static ssize_t kmsg_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    size_t n = uio->left;

    if (n > KMSG_LINE_MAX)
        return -EINVAL;
    char *buf = kmalloc(n + 1);
    if (buf == NULL)
        return -ENOMEM;
    if (uio_copy_in(uio, buf, n) != n) {
        kfree(buf);
        return -EFAULT;
    }
    size_t length = n;
    if (length > 0 && buf[length - 1] == '\n')
        length--;
    buf[length] = '\0';
    const char *line = buf;
    enum log_level level = kmsg_parse_level(&line);
    log_write(level, "%s", line);
    kfree(buf);
    return (ssize_t)n;
}

static int64_t kmsg_seek(struct file *file, int64_t offset, int whence)
{
    struct kmsg_reader *r = file->private;

    if (r == NULL)
        return -EBADF;
    if (offset != 0)
        return -ESPIPE;
    mutex_lock(&r->lock);
    int64_t result = 0;
    if (whence == SEEK_SET || whence == SEEK_DATA) // SEEK_DATA: after the last `dmesg -c`
        r->seq = 0;
    else if (whence == SEEK_END)
        r->seq = log_next_seq();
    else
        result = -EINVAL;
    mutex_unlock(&r->lock);
    return result;
}

static unsigned int kmsg_poll(struct file *file, struct poll_table *table)
{
    struct kmsg_reader *r = file->private;

    if (r == NULL)
        return POLLERR | POLLNVAL;
    poll_add(table, &kmsg_queue);
    mutex_lock(&r->lock);
    unsigned int events = kmsg_has_next(r) ? POLLIN | POLLRDNORM : 0;
    mutex_unlock(&r->lock);
    return events;
}

static const struct file_ops kmsg_ops = {
    .open = kmsg_open,
    .read = kmsg_read,
    .write = kmsg_write,
    .seek = kmsg_seek,
    .poll = kmsg_poll,
    .release = kmsg_release,
};

void kmsg_init(void)
{
    log_set_notify(kmsg_notify);
    if (chrdev_register("kmsg", DEV_MAKE(MEM_MAJOR, 11), 0644, &kmsg_ops, NULL) != 0)
        log_err("no memory for /dev/kmsg");
}
