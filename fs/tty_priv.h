// SPDX-License-Identifier: BSD-2-Clause
// What the parts of the terminal share: tty.c (files, reading and writing, the thread), tty_ldisc.c
// (the line discipline: pure logic over struct tty), tty_ioctl.c, and pty.c.
#pragma once

#include <fs/tty.h>

#define TTY_BUFFER_MASK (TTY_BUFFER_SIZE - 1)

// tty_ldisc.c. All with tty->lock held.
void tty_ldisc_init(struct tty *tty);                     // default termios, empty buffers
void tty_ldisc_receive(struct tty *tty, unsigned char c); // one byte from the device
// Bytes that may be received now without losing one that a reader could have taken; if no line is
// complete, at least one: the end of the line, or a byte to be dropped.
size_t tty_ldisc_room(const struct tty *tty);
// Output processing of n bytes into tty->output. How many were taken: stops when it is full.
size_t tty_ldisc_output(struct tty *tty, const char *data, size_t n);
// Hand tty->output to the driver as far as it has room and isn't stopped.
void tty_ldisc_flush_output(struct tty *tty);
void tty_ldisc_discard_input(struct tty *tty);
// After termios.c_lflag changed from `old`.
void tty_ldisc_mode_changed(struct tty *tty, tcflag_t old_lflag);
void tty_ldisc_start(struct tty *tty); // end ^S
void tty_ldisc_stop(struct tty *tty);

static inline bool tty_marked(const struct tty *tty, uint32_t index)
{
    index &= TTY_BUFFER_MASK;
    return (tty->marks[index / 64] >> (index % 64)) & 1;
}

static inline void tty_set_mark(struct tty *tty, uint32_t index, bool on)
{
    index &= TTY_BUFFER_MASK;
    if (on)
        tty->marks[index / 64] |= 1ULL << (index % 64);
    else
        tty->marks[index / 64] &= ~(1ULL << (index % 64));
}

// tty.c
extern const struct tty_jobs *tty_jobs;
extern const struct file_ops tty_file_ops, tty_console_ops;
void tty_init_fields(struct tty *tty, const char *name, dev_t dev, const struct tty_driver *driver,
                     void *private);
void tty_reset(struct tty *tty); // as new, to be used again; it may still be on the work list
// Second half of an open on `tty`: may become the controlling terminal. 0 or -errno.
int tty_open_file(struct file *file, struct tty *tty);
void tty_kick(struct tty *tty); // there may be work for the thread
void tty_discard_raw(struct tty *tty);
int tty_wait_drained(struct tty *tty); // 0 or -ERESTARTSYS
void tty_hang_up(struct tty *tty);     // reads end, writes fail, waiters wake
// VSTOP or VSTART to the device; dropped if that key is off or the device has no room. Lock held.
void tty_send_flow(struct tty *tty, char c);
// Is the file /dev/console, where job control doesn't stop anybody?
static inline bool tty_is_console_file(const struct file *file)
{
    return file->ops == &tty_console_ops;
}

// tty_ioctl.c
long tty_ioctl(struct file *file, unsigned int request, unsigned long arg);
long tty_ioctl_on(struct tty *tty, struct file *file, unsigned int request, unsigned long arg);
void tty_set_controlling(struct tty *tty); // the caller's; tty->lock held
