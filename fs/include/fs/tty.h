// SPDX-License-Identifier: BSD-2-Clause
// Terminals: the termios line discipline (termios(3)) between a device that moves bytes and the
// files that programs read. Who may read, and who gets SIGINT, is the business of job control in
// core, which fs reaches through struct tty_jobs.
//
// Bytes from the device go into a raw ring in interrupt context; the tty thread takes them through
// the line discipline (editing, echo, signals) into the input buffer that readers empty.
// Lock order: tty.lock > vm_map.lock (copying to readers), process_tree_lock (tty_jobs);
// raw_lock and the work list's lock are leaves, taken with interrupts off.
#pragma once

#include <asm/termbits.h>
#include <asm/termios.h>
#include <fs/file.h>
#include <sync/wait_queue.h>

struct tty;

struct tty_driver {
    // Send bytes; may drop none: blocks (polling or sleeping) until the device took them all.
    // Called with tty->lock held.
    void (*write)(struct tty *tty, const char *data, size_t n);
    // How many bytes write() would take now without blocking; whoever makes room calls
    // tty_output_ready(). NULL: always any number.
    size_t (*room)(struct tty *tty);
    // Input was taken out of the raw ring: there is room for tty_input(). NULL: nobody waits.
    void (*input_taken)(struct tty *tty);
    // A file on it was opened or closed. NULL: nothing to do.
    int (*open)(struct tty *tty);
    void (*close)(struct tty *tty);
};

// Job control as core does it (tcsetpgrp(3), "The controlling terminal" in POSIX). Processes and
// groups are numbers here. signal_group, set_caller_tty and forget_session are called with
// tty->lock held.
struct tty_jobs {
    void (*signal_group)(pid_t pgrp, int signal);
    // May the caller read/write (tostop)/change this terminal? 0; -ERESTARTSYS after SIGTTIN or
    // SIGTTOU was sent to his group; -EIO for an orphaned or blocked one.
    int (*check_access)(struct tty *tty, int signal);
    pid_t (*caller_session)(void);
    pid_t (*caller_group)(void);
    bool (*caller_is_leader)(void);
    // 0; -ESRCH: no such group; -EPERM: in another session.
    int (*check_group)(pid_t pgrp, pid_t session);
    // The caller's controlling terminal, NULL for none; and set it (TIOCSCTTY, open, TIOCNOTTY).
    struct tty *(*caller_tty)(void);
    void (*set_caller_tty)(struct tty *tty);
    // The processes of this session have `tty` no more: it hung up or another session took it.
    void (*forget_session)(struct tty *tty, pid_t session);
};

#define TTY_BUFFER_SIZE 4096
#define TTY_RAW_SIZE    4096
#define TTY_OUTPUT_SIZE 512

struct tty {
    char name[16]; // "ttyS0"
    dev_t dev;
    const struct tty_driver *driver;
    void *private;

    // lock; readers and pollers also look at flags, indices and termios without it, to be woken
    // after a change.
    struct mutex lock;
    struct termios2 termios;
    struct winsize winsize;
    pid_t session, group;             // 0: none
    unsigned int column, line_column; // of the cursor, and where the line being edited begins
    // Free-running: [tail, canonical) whole lines, [canonical, head) being edited. Without ICANON
    // everything in [tail, head) can be read.
    uint32_t head, canonical, tail;
    char input[TTY_BUFFER_SIZE];
    uint64_t marks[TTY_BUFFER_SIZE / 64]; // ends of lines; a marked NUL is an end of file
    char output[TTY_OUTPUT_SIZE];         // on its way to the driver
    uint32_t nr_output;
    bool stopped;      // ^S
    bool literal_next; // after VLNEXT
    bool erasing;      // ECHOPRT: between \ and /
    bool hung_up;      // the other side is gone: reads end, writes fail
    bool throttled;    // IXOFF: the device was sent a VSTOP

    // raw_lock, irq-safe
    struct spinlock raw_lock;
    char raw[TTY_RAW_SIZE];
    uint32_t raw_head, raw_tail; // free-running
    uint64_t nr_overruns;        // bytes lost because the raw ring was full

    struct list_node work_node; // guarded by the work list's lock
    struct wait_queue readers, writers;
};

// Boot: who answers for job control.
void tty_set_jobs(const struct tty_jobs *jobs);
// Make /dev/NAME and a tty with default termios (9600 baud, ICRNL IXON OPOST ONLCR ICANON ECHO ISIG
// IEXTEN ...). 0 or -errno.
int tty_register(struct tty *tty, const char *name, dev_t dev, const struct tty_driver *driver,
                 void *private);
// Bytes came from the device: queue them and wake the tty thread, which edits, echoes and signals.
// Any context. How many fitted.
size_t tty_input(struct tty *tty, const char *data, size_t n);
// The driver has room again (struct tty_driver.room). Not with tty->lock held; may sleep.
void tty_output_ready(struct tty *tty);
// Body of the kernel thread that core starts once; never returns.
__noreturn void tty_thread(void *unused);
void tty_set_console(struct tty *tty); // what /dev/console means
struct tty *tty_console(void);
// Session leader exits or hangs up: forget the session (SIGHUP/SIGCONT is core's part). The group
// that was in the foreground; 0 if the terminal isn't this session's. May sleep.
pid_t tty_disassociate(struct tty *tty, pid_t session);
