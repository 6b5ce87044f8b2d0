// SPDX-License-Identifier: BSD-2-Clause
// The termios line discipline (POSIX.1-2017 chapter 11, termios(3)): what a byte from the device
// does (editing, echo, signals, flow control) and what a byte to the device becomes. The finer
// points that POSIX leaves open (what is echoed when) follow what Linux does, because programs show
// them.
//
// Pure logic over struct tty, under tty->lock; the driver and job control are reached through their
// ops, so that the whole of it runs in a host test.
#include <asm/signal.h>
#include <ctype.h>
#include <lib/atomic.h>
#include <string.h>

#include "tty_priv.h"

#define ECHO_ROOM 16 // no echo beyond this: one character needs at most a tab's eight

static bool tty_i(const struct tty *tty, tcflag_t flag)
{
    return (tty->termios.c_iflag & flag) != 0;
}

static bool tty_o(const struct tty *tty, tcflag_t flag)
{
    return (tty->termios.c_oflag & flag) != 0;
}

static bool tty_l(const struct tty *tty, tcflag_t flag)
{
    return (tty->termios.c_lflag & flag) != 0;
}

// Is `c` the control character of this slot? NUL switches a slot off.
static bool tty_is_cc(const struct tty *tty, unsigned char c, int slot)
{
    return c != '\0' && tty->termios.c_cc[slot] == c;
}

static bool is_continuation(const struct tty *tty, unsigned char c)
{
    return tty_i(tty, IUTF8) && (c & 0xc0) == 0x80;
}

static bool is_control(unsigned char c)
{
    return c < ' ' || c == 127;
}

static const cc_t tty_default_cc[NCCS] = {
    [VINTR] = 'C' & 31,    [VQUIT] = '\\' & 31,   [VERASE] = 127,
    [VKILL] = 'U' & 31,    [VEOF] = 'D' & 31,     [VMIN] = 1,
    [VSTART] = 'Q' & 31,   [VSTOP] = 'S' & 31,    [VSUSP] = 'Z' & 31,
    [VREPRINT] = 'R' & 31, [VDISCARD] = 'O' & 31, [VWERASE] = 'W' & 31,
    [VLNEXT] = 'V' & 31,
};

void tty_ldisc_init(struct tty *tty)
{
    struct termios2 *t = &tty->termios;

    *t = (struct termios2){
        .c_iflag = ICRNL | IXON,
        .c_oflag = OPOST | ONLCR,
        .c_cflag = B9600 | CS8 | CREAD | HUPCL | CLOCAL,
        .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        .c_ispeed = 9600,
        .c_ospeed = 9600,
    };
    memcpy(t->c_cc, tty_default_cc, sizeof(t->c_cc));
    tty->column = tty->line_column = 0;
    tty->nr_output = 0;
    tty->stopped = false;
    tty_ldisc_discard_input(tty);
}

void tty_ldisc_discard_input(struct tty *tty)
{
    memset(tty->marks, 0, sizeof(tty->marks));
    atomic_store(&tty->tail, 0);
    atomic_store(&tty->canonical, 0);
    atomic_store(&tty->head, 0);
    tty->literal_next = tty->erasing = false;
}

size_t tty_ldisc_room(const struct tty *tty)
{
    uint32_t used = tty->head - tty->tail;
    uint32_t room = used < TTY_BUFFER_SIZE - 1 ? TTY_BUFFER_SIZE - 1 - used : 0;

    if (tty_i(tty, PARMRK))
        room /= 2; // may double a byte
    // While no line is complete there is nothing to read: what doesn't fit is dropped, so that the
    // user can still erase or end the line. Byte by byte: behind its end nothing may be dropped.
    if (room == 0 && tty_l(tty, ICANON) && tty->canonical == tty->tail)
        room = 1;
    return room;
}

static bool tty_put_input(struct tty *tty, unsigned char c, bool mark)
{
    if (tty->head - tty->tail >= TTY_BUFFER_SIZE)
        return false;
    tty->input[tty->head & TTY_BUFFER_MASK] = (char)c;
    tty_set_mark(tty, tty->head, mark);
    atomic_store_release(&tty->head, tty->head + 1); // readers look without the lock
    return true;
}

static void tty_emit(struct tty *tty, unsigned char c)
{
    tty->output[tty->nr_output++] = (char)c;
}

void tty_ldisc_flush_output(struct tty *tty)
{
    size_t n = tty->nr_output;

    if (n == 0 || tty->stopped)
        return;
    if (tty->driver->room != NULL)
        n = MIN(n, tty->driver->room(tty));
    if (n == 0)
        return;
    tty->driver->write(tty, tty->output, n);
    memmove(tty->output, tty->output + n, tty->nr_output - n);
    tty->nr_output -= (uint32_t)n;
}

static void tty_output_newline(struct tty *tty)
{
    if (tty_o(tty, ONLRET))
        tty->column = 0;
    if (tty_o(tty, ONLCR)) {
        tty->column = 0;
        tty_emit(tty, '\r');
    }
    tty->line_column = tty->column;
    tty_emit(tty, '\n');
}

static void tty_output_return(struct tty *tty)
{
    if (tty_o(tty, ONOCR) && tty->column == 0)
        return;
    if (tty_o(tty, OCRNL)) {
        if (tty_o(tty, ONLRET))
            tty->line_column = tty->column = 0;
        tty_emit(tty, '\n');
        return;
    }
    tty->line_column = tty->column = 0;
    tty_emit(tty, '\r');
}

static void tty_output_tab(struct tty *tty)
{
    unsigned int spaces = 8 - (tty->column & 7);

    tty->column += spaces;
    if ((tty->termios.c_oflag & TABDLY) != XTABS) {
        tty_emit(tty, '\t');
        return;
    }
    while (spaces-- > 0)
        tty_emit(tty, ' ');
}

// One byte through output processing. The caller sees to room for ECHO_ROOM bytes.
static void tty_output_char(struct tty *tty, unsigned char c)
{
    if (!tty_o(tty, OPOST)) {
        tty_emit(tty, c);
        return;
    }
    switch (c) {
    case '\n':
        tty_output_newline(tty);
        return;
    case '\r':
        tty_output_return(tty);
        return;
    case '\t':
        tty_output_tab(tty);
        return;
    case '\b':
        if (tty->column > 0)
            tty->column--;
        break;
    default:
        if (is_control(c))
            break;
        if (tty_o(tty, OLCUC))
            c = (unsigned char)toupper(c);
        if (!is_continuation(tty, c))
            tty->column++;
    }
    tty_emit(tty, c);
}

size_t tty_ldisc_output(struct tty *tty, const char *data, size_t n)
{
    size_t i;

    for (i = 0; i < n && tty->nr_output + ECHO_ROOM <= TTY_OUTPUT_SIZE; i++)
        tty_output_char(tty, (unsigned char)data[i]);
    return i;
}

// Echo as it is, but through output processing. With the device stopped or slow, what doesn't fit
// is lost.
static void tty_echo_raw(struct tty *tty, unsigned char c)
{
    if (tty->nr_output + ECHO_ROOM > TTY_OUTPUT_SIZE)
        tty_ldisc_flush_output(tty);
    if (tty->nr_output + ECHO_ROOM <= TTY_OUTPUT_SIZE)
        tty_output_char(tty, c);
}

static void tty_echo_text(struct tty *tty, const char *text)
{
    for (; *text != '\0'; text++)
        tty_echo_raw(tty, (unsigned char)*text);
}

// Echo a typed byte: control characters as ^X with ECHOCTL.
static void tty_echo(struct tty *tty, unsigned char c)
{
    if (tty_l(tty, ECHOCTL) && is_control(c) && c != '\t') {
        tty_echo_raw(tty, '^');
        c ^= 0100;
    }
    tty_echo_raw(tty, c);
}

static void tty_finish_erasing(struct tty *tty)
{
    if (tty->erasing) {
        tty_echo_raw(tty, '/');
        tty->erasing = false;
    }
}

// Column after the bytes of the edited line before `end`.
static unsigned int tty_column_of(const struct tty *tty, uint32_t end)
{
    unsigned int column = tty->line_column;

    for (uint32_t i = tty->canonical; i != end; i++) {
        unsigned char c = (unsigned char)tty->input[i & TTY_BUFFER_MASK];
        if (c == '\t')
            column = (column | 7) + 1;
        else if (is_control(c))
            column += tty_l(tty, ECHOCTL) ? 2 : 0;
        else if (!is_continuation(tty, c))
            column++;
    }
    return column;
}

// Take the character [at, at + n) that was erased off the screen.
static void tty_echo_erase(struct tty *tty, uint32_t at, uint32_t n, bool by_erase)
{
    unsigned char c = (unsigned char)tty->input[at & TTY_BUFFER_MASK];

    if (tty_l(tty, ECHOPRT)) {
        if (!tty->erasing) {
            tty_echo_raw(tty, '\\');
            tty->erasing = true;
        }
        tty_echo(tty, c);
        for (uint32_t i = 1; i < n; i++)
            tty_echo_raw(tty, (unsigned char)tty->input[(at + i) & TTY_BUFFER_MASK]);
    } else if (by_erase && !tty_l(tty, ECHOE)) {
        tty_echo(tty, tty->termios.c_cc[VERASE]);
    } else if (c == '\t') {
        for (unsigned int to = tty_column_of(tty, at); tty->column > to;) {
            unsigned int before = tty->column;
            tty_echo_raw(tty, '\b');
            if (tty->column == before) // no output processing: it doesn't count
                break;
        }
    } else {
        if (is_control(c) && tty_l(tty, ECHOCTL))
            tty_echo_text(tty, "\b \b");
        if (!is_control(c) || tty_l(tty, ECHOCTL))
            tty_echo_text(tty, "\b \b");
    }
}

// VERASE, VWERASE: take one character, or a word and the blanks after it, off the edited line.
static void tty_erase(struct tty *tty, bool word, bool line)
{
    bool seen_word = false;

    while (tty->head != tty->canonical) {
        uint32_t at = tty->head;
        unsigned char c;
        do {
            at--;
            c = (unsigned char)tty->input[at & TTY_BUFFER_MASK];
        } while (is_continuation(tty, c) && at != tty->canonical);
        if (is_continuation(tty, c))
            break; // not a whole character
        if (word) {
            if (isalnum(c) || c == '_')
                seen_word = true;
            else if (seen_word)
                break;
        }
        uint32_t n = tty->head - at;
        atomic_store(&tty->head, at);
        if (tty_l(tty, ECHO))
            tty_echo_erase(tty, at, n, !word && !line);
        if (!word && !line)
            break;
    }
    if (tty->head == tty->canonical && tty_l(tty, ECHO))
        tty_finish_erasing(tty);
}

static void tty_kill_line(struct tty *tty)
{
    if (tty->head == tty->canonical)
        return;
    if (tty_l(tty, ECHO) && tty_l(tty, ECHOK) && tty_l(tty, ECHOKE) && tty_l(tty, ECHOE)) {
        tty_erase(tty, false, true);
        return;
    }
    atomic_store(&tty->head, tty->canonical);
    if (!tty_l(tty, ECHO))
        return;
    tty_finish_erasing(tty);
    tty_echo(tty, tty->termios.c_cc[VKILL]);
    if (tty_l(tty, ECHOK))
        tty_echo_raw(tty, '\n');
}

static void tty_reprint(struct tty *tty)
{
    tty_finish_erasing(tty);
    tty_echo(tty, tty->termios.c_cc[VREPRINT]);
    tty_echo_raw(tty, '\n');
    for (uint32_t i = tty->canonical; i != tty->head; i++)
        tty_echo(tty, (unsigned char)tty->input[i & TTY_BUFFER_MASK]);
}

void tty_ldisc_start(struct tty *tty)
{
    if (!tty->stopped)
        return;
    atomic_store(&tty->stopped, false);
    tty_ldisc_flush_output(tty);
    wait_queue_wake_all(&tty->writers);
}

void tty_ldisc_stop(struct tty *tty)
{
    atomic_store(&tty->stopped, true);
}

static bool tty_receive_flow(struct tty *tty, unsigned char c)
{
    if (!tty_i(tty, IXON))
        return false;
    if (tty_is_cc(tty, c, VSTART)) {
        tty_ldisc_start(tty);
        return true;
    }
    if (tty_is_cc(tty, c, VSTOP)) {
        tty_ldisc_stop(tty);
        return true;
    }
    return false;
}

static bool tty_receive_signal(struct tty *tty, unsigned char c)
{
    int signal = tty_is_cc(tty, c, VINTR)   ? SIGINT
                 : tty_is_cc(tty, c, VQUIT) ? SIGQUIT
                 : tty_is_cc(tty, c, VSUSP) ? SIGTSTP
                                            : 0;
    if (!tty_l(tty, ISIG) || signal == 0)
        return false;
    if (!tty_l(tty, NOFLSH)) {
        tty_ldisc_discard_input(tty);
        tty_ldisc_flush_output(tty); // what the device can't take now is dropped
        tty->nr_output = 0;
        wait_queue_wake_all(&tty->writers);
    }
    if (tty_i(tty, IXON))
        tty_ldisc_start(tty);
    if (tty_l(tty, ECHO)) {
        tty_echo(tty, c);
        tty_ldisc_flush_output(tty); // before what the signal's handler prints
    }
    if (tty->group != 0)
        tty_jobs->signal_group(tty->group, signal);
    return true;
}

// The end of a line, `c` in it; an end of file is a marked NUL.
static void tty_end_line(struct tty *tty, unsigned char c)
{
    if (!tty_put_input(tty, c, true)) {
        // Full of a line without an end: its last character gives way, or nobody could ever read.
        uint32_t last = tty->head - 1;
        if (last == tty->canonical - 1)
            return;
        tty->input[last & TTY_BUFFER_MASK] = (char)c;
        tty_set_mark(tty, last, true);
    }
    atomic_store_release(&tty->canonical, tty->head); // readers look without the lock
}

// Editing keys and ends of lines. True: the byte is dealt with.
static bool tty_receive_canonical(struct tty *tty, unsigned char c)
{
    bool extended = tty_l(tty, IEXTEN);

    if (tty_is_cc(tty, c, VERASE)) {
        tty_erase(tty, false, false);
    } else if (tty_is_cc(tty, c, VKILL)) {
        tty_kill_line(tty);
    } else if (extended && tty_is_cc(tty, c, VWERASE)) {
        tty_erase(tty, true, false);
    } else if (extended && tty_is_cc(tty, c, VLNEXT)) {
        tty->literal_next = true;
        if (tty_l(tty, ECHO)) {
            tty_finish_erasing(tty);
            if (tty_l(tty, ECHOCTL))
                tty_echo_text(tty, "^\b");
        }
    } else if (extended && tty_l(tty, ECHO) && tty_is_cc(tty, c, VREPRINT)) {
        tty_reprint(tty);
    } else if (c == '\n') {
        if (tty_l(tty, ECHO) || tty_l(tty, ECHONL))
            tty_echo_raw(tty, '\n');
        tty_end_line(tty, c);
    } else if (tty_is_cc(tty, c, VEOF)) {
        tty_end_line(tty, '\0');
    } else if (tty_is_cc(tty, c, VEOL) || (extended && tty_is_cc(tty, c, VEOL2))) {
        if (tty_l(tty, ECHO))
            tty_echo(tty, c);
        tty_end_line(tty, c);
    } else {
        return false;
    }
    return true;
}

// A byte that means itself.
static void tty_receive_plain(struct tty *tty, unsigned char c)
{
    // The last place is kept for the end of the line.
    bool fits = tty->head - tty->tail < TTY_BUFFER_SIZE - 1;

    if (tty_l(tty, ECHO)) {
        tty_finish_erasing(tty);
        if (!fits) {
            if (tty_i(tty, IMAXBEL))
                tty_echo_raw(tty, '\a');
        } else {
            if (tty->head == tty->canonical)
                tty->line_column = tty->column;
            if (c == '\n' && !tty->literal_next)
                tty_echo_raw(tty, c);
            else
                tty_echo(tty, c);
        }
    }
    if (!fits)
        return;
    if (c == 0377 && tty_i(tty, PARMRK))
        tty_put_input(tty, c, false); // doubled, to tell it from a marked error
    tty_put_input(tty, c, false);
}

void tty_ldisc_receive(struct tty *tty, unsigned char c)
{
    mutex_assert_held(&tty->lock);
    if (tty_i(tty, ISTRIP))
        c &= 0x7f;
    if (tty_i(tty, IUCLC) && tty_l(tty, IEXTEN))
        c = (unsigned char)tolower(c);
    if (tty->literal_next) {
        tty_receive_plain(tty, c);
        tty->literal_next = false;
        return;
    }
    if (tty_receive_flow(tty, c) || tty_receive_signal(tty, c))
        return;
    if (tty_i(tty, IXON) && tty_i(tty, IXANY))
        tty_ldisc_start(tty);
    if (c == '\r') {
        if (tty_i(tty, IGNCR))
            return;
        if (tty_i(tty, ICRNL))
            c = '\n';
    } else if (c == '\n' && tty_i(tty, INLCR)) {
        c = '\r';
    }
    if (tty_l(tty, ICANON) && tty_receive_canonical(tty, c))
        return;
    tty_receive_plain(tty, c);
}

void tty_ldisc_mode_changed(struct tty *tty, tcflag_t old_lflag)
{
    mutex_assert_held(&tty->lock);
    if (((old_lflag ^ tty->termios.c_lflag) & ICANON) == 0)
        return;
    memset(tty->marks, 0, sizeof(tty->marks));
    tty->literal_next = tty->erasing = false;
    if (tty_l(tty, ICANON) && tty->head != tty->tail) {
        tty_set_mark(tty, tty->head - 1, true); // what was typed until now is a line as it is
        atomic_store_release(&tty->canonical, tty->head);
    } else {
        atomic_store(&tty->canonical, tty->tail);
    }
}
