// SPDX-License-Identifier: BSD-2-Clause
// ioctls of terminals (ioctl_tty(2), termios(3)). What changes a terminal is first put to job
// control, so that a background process is stopped instead. Locking: tty.h.
#include <arch/uaccess.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/capability.h>
#include <string.h>

#include "tty_priv.h"

static const unsigned int tty_bauds[] = {
    0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
};
static const unsigned int tty_bauds_extended[] = {
    0,       57600,   115200,  230400,  460800,  500000,  576000,  921600,
    1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
};

static speed_t tty_baud(tcflag_t cbaud, speed_t other)
{
    if (cbaud == BOTHER)
        return other;
    return cbaud & CBAUDEX ? tty_bauds_extended[cbaud & 15] : tty_bauds[cbaud & 15];
}

// Speeds as numbers from the bits of c_cflag; with BOTHER they are given as numbers.
static void tty_derive_speeds(struct termios2 *t)
{
    tcflag_t input = (t->c_cflag >> IBSHIFT) & CBAUD;

    t->c_ospeed = tty_baud(t->c_cflag & CBAUD, t->c_ospeed);
    t->c_ispeed = input == B0 ? t->c_ospeed : tty_baud(input, t->c_ispeed);
}

static void tty_discard_input(struct tty *tty)
{
    tty_discard_raw(tty);
    mutex_lock(&tty->lock);
    tty_ldisc_discard_input(tty);
    if (tty->driver->input_taken != NULL)
        tty->driver->input_taken(tty);
    mutex_unlock(&tty->lock);
    tty_kick(tty); // the thread lets a throttled device go on
}

static void tty_set_termios(struct tty *tty, const struct termios2 *new)
{
    mutex_lock(&tty->lock);
    tcflag_t old = tty->termios.c_lflag;
    tty->termios = *new;
    tty_derive_speeds(&tty->termios);
    tty_ldisc_mode_changed(tty, old);
    if (!(new->c_iflag &IXON))
        tty_ldisc_start(tty);
    mutex_unlock(&tty->lock);
    // What can be read may have changed, and so may how it arrives.
    wait_queue_wake_all(&tty->readers);
    tty_kick(tty);
}

static void tty_get_termios(struct tty *tty, struct termios2 *t)
{
    mutex_lock(&tty->lock);
    *t = tty->termios;
    mutex_unlock(&tty->lock);
}

// TCSETS and its kin: `size` says whether the speeds come along, drain and flush what happens
// first.
static long tty_ioctl_set(struct tty *tty, unsigned long arg, size_t size, bool drain, bool flush)
{
    struct termios2 t;

    int err = tty_jobs->check_access(tty, SIGTTOU);
    if (err != 0)
        return err;
    tty_get_termios(tty, &t);
    err = user_copy_in(&t, arg, size);
    if (err == 0 && drain)
        err = tty_wait_drained(tty);
    if (err != 0)
        return err;
    if (flush)
        tty_discard_input(tty);
    tty_set_termios(tty, &t);
    return 0;
}

static long tty_ioctl_get(struct tty *tty, unsigned long arg, size_t size)
{
    struct termios2 t;
    tty_get_termios(tty, &t);
    return user_copy_out(arg, &t, size);
}

// The System V form: 16-bit flags, eight control characters.
static long tty_ioctl_get_old(struct tty *tty, unsigned long arg)
{
    struct termios2 t;
    tty_get_termios(tty, &t);
    struct termio old = {
        .c_iflag = (unsigned short)t.c_iflag,
        .c_oflag = (unsigned short)t.c_oflag,
        .c_cflag = (unsigned short)t.c_cflag,
        .c_lflag = (unsigned short)t.c_lflag,
        .c_line = t.c_line,
    };
    memcpy(old.c_cc, t.c_cc, NCC);
    return user_copy_out(arg, &old, sizeof(old));
}

static long tty_ioctl_set_old(struct tty *tty, unsigned long arg, bool drain, bool flush)
{
    struct termios2 t;
    struct termio old;

    int err = tty_jobs->check_access(tty, SIGTTOU);
    if (err == 0)
        err = user_copy_in(&old, arg, sizeof(old));
    if (err == 0 && drain)
        err = tty_wait_drained(tty);
    if (err != 0)
        return err;
    tty_get_termios(tty, &t);
    t.c_iflag = (t.c_iflag & ~0xffffU) | old.c_iflag;
    t.c_oflag = (t.c_oflag & ~0xffffU) | old.c_oflag;
    t.c_cflag = (t.c_cflag & ~0xffffU) | old.c_cflag;
    t.c_lflag = (t.c_lflag & ~0xffffU) | old.c_lflag;
    t.c_line = old.c_line;
    memcpy(t.c_cc, old.c_cc, NCC);
    if (flush)
        tty_discard_input(tty);
    tty_set_termios(tty, &t);
    return 0;
}

static long tty_ioctl_termios(struct tty *tty, unsigned int request, unsigned long arg)
{
    switch (request) {
    case TCGETS:
        return tty_ioctl_get(tty, arg, sizeof(struct termios));
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return tty_ioctl_set(tty, arg, sizeof(struct termios), request != TCSETS,
                             request == TCSETSF);
    case TCGETS2:
        return tty_ioctl_get(tty, arg, sizeof(struct termios2));
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
        return tty_ioctl_set(tty, arg, sizeof(struct termios2), request != TCSETS2,
                             request == TCSETSF2);
    case TCGETA:
        return tty_ioctl_get_old(tty, arg);
    default: // TCSETA, TCSETAW, TCSETAF
        return tty_ioctl_set_old(tty, arg, request != TCSETA, request == TCSETAF);
    }
}

static long tty_ioctl_set_winsize(struct tty *tty, unsigned long arg)
{
    struct winsize w;

    int err = user_copy_in(&w, arg, sizeof(w));
    if (err != 0)
        return err;
    mutex_lock(&tty->lock);
    if (memcmp(&w, &tty->winsize, sizeof(w)) != 0) {
        tty->winsize = w;
        if (tty->group != 0)
            tty_jobs->signal_group(tty->group, SIGWINCH);
    }
    mutex_unlock(&tty->lock);
    return 0;
}

static long tty_ioctl_get_winsize(struct tty *tty, unsigned long arg)
{
    mutex_lock(&tty->lock);
    struct winsize w = tty->winsize;
    mutex_unlock(&tty->lock);
    return user_copy_out(arg, &w, sizeof(w));
}

void tty_set_controlling(struct tty *tty)
{
    mutex_assert_held(&tty->lock);
    if (tty->session != 0)
        tty_jobs->forget_session(tty, tty->session);
    tty->session = tty_jobs->caller_session();
    tty->group = tty_jobs->caller_group();
    tty_jobs->set_caller_tty(tty);
}

static long tty_ioctl_set_controlling(struct tty *tty, struct file *file, unsigned long steal)
{
    bool admin = cred_has_cap(file->cred, CAP_SYS_ADMIN);
    long err = 0;

    mutex_lock(&tty->lock);
    if (tty_jobs->caller_is_leader() && tty->session == tty_jobs->caller_session() &&
        tty_jobs->caller_tty() == tty)
        goto out;
    err = -EPERM;
    if (!tty_jobs->caller_is_leader() || tty_jobs->caller_tty() != NULL)
        goto out;
    // Taking it from another session: root may, and that session is without a terminal then.
    if (tty->session != 0 && !(steal == 1 && admin))
        goto out;
    if ((file->flags & O_ACCMODE) == O_WRONLY && !admin)
        goto out;
    tty_set_controlling(tty);
    err = 0;
out:
    mutex_unlock(&tty->lock);
    return err;
}

static long tty_ioctl_give_up(struct tty *tty)
{
    if (tty_jobs->caller_tty() != tty)
        return -ENOTTY;
    if (tty_jobs->caller_is_leader()) {
        mutex_lock(&tty->lock);
        pid_t group = tty->group;
        tty->session = tty->group = 0;
        if (group != 0) {
            tty_jobs->signal_group(group, SIGHUP);
            tty_jobs->signal_group(group, SIGCONT);
        }
        tty_jobs->set_caller_tty(NULL);
        mutex_unlock(&tty->lock);
    } else {
        tty_jobs->set_caller_tty(NULL);
    }
    return 0;
}

static long tty_ioctl_get_group(struct tty *tty, unsigned long arg)
{
    if (tty_jobs->caller_tty() != tty)
        return -ENOTTY;
    pid_t group = atomic_load(&tty->group);
    return user_copy_out(arg, &group, sizeof(group));
}

static long tty_ioctl_set_group(struct tty *tty, unsigned long arg)
{
    pid_t group;

    int err = tty_jobs->check_access(tty, SIGTTOU);
    if (err != 0)
        return err == -EIO ? -ENOTTY : err;
    pid_t session = tty_jobs->caller_session();
    if (tty_jobs->caller_tty() != tty || tty->session != session)
        return -ENOTTY;
    err = user_copy_in(&group, arg, sizeof(group));
    if (err != 0)
        return err;
    if (group < 0)
        return -EINVAL;
    err = tty_jobs->check_group(group, session);
    if (err != 0)
        return err;
    mutex_lock(&tty->lock);
    tty->group = group;
    mutex_unlock(&tty->lock);
    return 0;
}

static long tty_ioctl_get_session(struct tty *tty, unsigned long arg)
{
    if (tty_jobs->caller_tty() != tty || tty->session == 0)
        return -ENOTTY;
    pid_t session = tty->session;
    return user_copy_out(arg, &session, sizeof(session));
}

static long tty_ioctl_jobs(struct tty *tty, struct file *file, unsigned int request,
                           unsigned long arg)
{
    switch (request) {
    case TIOCSCTTY:
        return tty_ioctl_set_controlling(tty, file, arg);
    case TIOCNOTTY:
        return tty_ioctl_give_up(tty);
    case TIOCGPGRP:
        return tty_ioctl_get_group(tty, arg);
    case TIOCSPGRP:
        return tty_ioctl_set_group(tty, arg);
    default: // TIOCGSID
        return tty_ioctl_get_session(tty, arg);
    }
}

// TIOCINQ: what a read could take, an end of file not counted.
static long tty_ioctl_input_queue(struct tty *tty, unsigned long arg)
{
    mutex_lock(&tty->lock);
    bool canonical = (tty->termios.c_lflag & ICANON) != 0;
    uint32_t end = canonical ? tty->canonical : tty->head;
    int n = (int)(end - tty->tail);
    for (uint32_t i = tty->tail; canonical && i != end; i++)
        if (tty_marked(tty, i) && tty->input[i & TTY_BUFFER_MASK] == '\0')
            n--;
    mutex_unlock(&tty->lock);
    return user_copy_out(arg, &n, sizeof(n));
}

static long tty_ioctl_flow(struct tty *tty, unsigned long action)
{
    char c;

    mutex_lock(&tty->lock);
    switch (action) {
    case TCOOFF:
        tty_ldisc_stop(tty);
        break;
    case TCOON:
        tty_ldisc_start(tty);
        break;
    case TCIOFF:
    case TCION:
        c = (char)tty->termios.c_cc[action == TCIOFF ? VSTOP : VSTART];
        tty_send_flow(tty, c);
        break;
    default:
        mutex_unlock(&tty->lock);
        return -EINVAL;
    }
    mutex_unlock(&tty->lock);
    return 0;
}

static long tty_ioctl_flush(struct tty *tty, unsigned long queue)
{
    if (queue > TCIOFLUSH)
        return -EINVAL;
    if (queue != TCOFLUSH)
        tty_discard_input(tty);
    if (queue != TCIFLUSH) {
        mutex_lock(&tty->lock);
        tty->nr_output = 0;
        mutex_unlock(&tty->lock);
        wait_queue_wake_all(&tty->writers);
    }
    return 0;
}

// TCXONC, TCFLSH, TCSBRK, TCSBRKP: not for background processes. A break isn't sent: no driver can.
static long tty_ioctl_control(struct tty *tty, unsigned int request, unsigned long arg)
{
    int err = tty_jobs->check_access(tty, SIGTTOU);
    if (err != 0)
        return err;
    if (request == TCXONC)
        return tty_ioctl_flow(tty, arg);
    if (request == TCFLSH)
        return tty_ioctl_flush(tty, arg);
    return tty_wait_drained(tty);
}

static long tty_ioctl_discipline(unsigned int request, unsigned long arg)
{
    int number = 0; // N_TTY, the only one

    if (request == TIOCGETD)
        return user_copy_out(arg, &number, sizeof(number));
    if (user_copy_in(&number, arg, sizeof(number)) != 0)
        return -EFAULT;
    return number == 0 ? 0 : -EINVAL;
}

long tty_ioctl_on(struct tty *tty, struct file *file, unsigned int request, unsigned long arg)
{
    int value;

    switch (request) {
    case TCGETS:
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TCGETS2:
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
    case TCGETA:
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
        return tty_ioctl_termios(tty, request, arg);
    case TIOCSCTTY:
    case TIOCNOTTY:
    case TIOCGPGRP:
    case TIOCSPGRP:
    case TIOCGSID:
        return tty_ioctl_jobs(tty, file, request, arg);
    case TIOCGWINSZ:
        return tty_ioctl_get_winsize(tty, arg);
    case TIOCSWINSZ:
        return tty_ioctl_set_winsize(tty, arg);
    case TIOCINQ:
        return tty_ioctl_input_queue(tty, arg);
    case TIOCOUTQ:
        value = (int)atomic_load(&tty->nr_output);
        return user_copy_out(arg, &value, sizeof(value));
    case TCXONC:
    case TCFLSH:
    case TCSBRK:
    case TCSBRKP:
        return tty_ioctl_control(tty, request, arg);
    case TIOCGETD:
    case TIOCSETD:
        return tty_ioctl_discipline(request, arg);
    case TIOCGDEV:
        value = (int)tty->dev;
        return user_copy_out(arg, &value, sizeof(value));
    case TIOCSTI:
        return -EIO; // pushing input is how programs break out of their terminal
    default:
        return -ENOTTY;
    }
}

long tty_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
    struct tty *tty = file->private;
    return tty->hung_up ? -EIO : tty_ioctl_on(tty, file, request, arg);
}
