// SPDX-License-Identifier: BSD-2-Clause
// Terminals: the termios line discipline (termios(3)) between a device that moves bytes and the
// files that programs read. Who may read, and who gets SIGINT, is the business of job control in
// core, which fs reaches through struct tty_jobs.
#pragma once

#include <asm/termbits.h>
#include <asm/termios.h>
#include <fs/file.h>
#include <sync/wait_queue.h>

struct tty;

struct tty_driver {
    // Send bytes; may drop none: blocks (polling or sleeping) until the device took them all.
    void (*write)(struct tty *tty, const char *data, size_t n);
};

// Job control as core does it (tcsetpgrp(3), "The controlling terminal" in POSIX). Processes and
// groups are numbers here.
struct tty_jobs {
    void (*signal_group)(pid_t pgrp, int signal);
    // May the caller read/write (tostop)/change this terminal? 0; -ERESTARTSYS after SIGTTIN or
    // SIGTTOU was sent to his group; -EIO for an orphaned or blocked one.
    int (*check_access)(struct tty *tty, int signal);
    pid_t (*caller_session)(void);
    pid_t (*caller_group)(void);
    bool (*caller_is_leader)(void);
    bool (*group_in_session)(pid_t pgrp, pid_t session);
    // The caller's controlling terminal, NULL for none; and set it (TIOCSCTTY, open, TIOCNOTTY).
    struct tty *(*caller_tty)(void);
    void (*set_caller_tty)(struct tty *tty);
};

#define TTY_BUFFER_SIZE 4096

struct tty {
    char name[16]; // "ttyS0"
    dev_t dev;
    const struct tty_driver *driver;
    void *private;
    struct mutex lock; // guards termios, winsize, session, group, output column
    struct termios2 termios;
    struct winsize winsize;
    pid_t session, group; // 0: none
    unsigned int column;
    struct spinlock input_lock; // irq-safe; guards the input buffer
    char input[TTY_BUFFER_SIZE];
    uint32_t head, canonical, tail; // free-running: [tail, canonical) whole lines, [.., head) edited
    struct wait_queue readers, writers;
    bool stopped; // ^S
};

// Boot: who answers for job control.
void tty_set_jobs(const struct tty_jobs *jobs);
// Make /dev/NAME and a tty with default termios (38400 -> ispeed as set, ICRNL OPOST ONLCR ICANON ECHO
// ISIG IEXTEN). 0 or -errno.
int tty_register(struct tty *tty, const char *name, dev_t dev, const struct tty_driver *driver,
                 void *private);
// Bytes came from the device: queue them and wake the tty thread, which edits, echoes and signals.
// Interrupt context.
void tty_input(struct tty *tty, const char *data, size_t n);
// Body of the kernel thread that core starts once; never returns.
__noreturn void tty_thread(void *unused);
void tty_set_console(struct tty *tty); // what /dev/console means
struct tty *tty_console(void);
// Session leader exits or hangs up: forget the session (SIGHUP/SIGCONT is core's part).
void tty_disassociate(struct tty *tty, pid_t session);
