// SPDX-License-Identifier: BSD-2-Clause
// ppoll(2) and pselect6(2), the only two of their kind on riscv64: poll and select are made of them
// by the C libraries. Both count down the caller's timeout, and restart with what is left of it
// after a stop.
#include <arch/clock.h>
#include <arch/uaccess.h>
#include <asm/poll.h>
#include <core/process.h>
#include <core/time.h>
#include <errno.h>
#include <fs/poll.h>
#include <mm/slab.h>
#include <string.h>

#include "poll_priv.h"
#include "syscalls_priv.h"

#define POLL_ON_STACK 16

// What select(2) means by readable, writable and exceptional.
#define SELECT_IN     (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define SELECT_OUT    (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define SELECT_EXCEPT POLLPRI
#define SELECT_SETS   3
#define BITS_PER_WORD 64

static const short select_events[SELECT_SETS] = {SELECT_IN, SELECT_OUT, SELECT_EXCEPT};

int poll_read_deadline(vaddr_t timeout, uint64_t *deadline_ns)
{
    uint64_t ns;

    *deadline_ns = TIME_NEVER;
    if (timeout == 0)
        return 0;
    int err = time_read_timespec(timeout, &ns);
    if (err == 0)
        *deadline_ns = ns == 0 ? 0 : time_deadline(ns);
    return err;
}

// Tell the caller how much time is left. That he can't be told changes nothing about the result.
static void poll_write_left(vaddr_t timeout, uint64_t deadline_ns)
{
    if (timeout == 0 || deadline_ns == TIME_NEVER)
        return;
    uint64_t now = clock_monotonic_ns();
    if (time_write_timespec(timeout, deadline_ns > now ? deadline_ns - now : 0) != 0)
        return;
}

int poll_set_mask(vaddr_t mask, size_t size)
{
    sigmask_t set;

    if (mask == 0)
        return 0;
    if (size != sizeof(set))
        return -EINVAL;
    if (user_copy_in(&set, mask, sizeof(set)) != 0)
        return -EFAULT;
    signal_set_temporary_mask(set & ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP)));
    return 0;
}

static long poll_user(vaddr_t fds, unsigned int nfds, struct pollfd *polls, uint64_t deadline_ns)
{
    if (user_copy_in(polls, fds, nfds * sizeof(*polls)) != 0)
        return -EFAULT;
    int ready = poll_wait(process_self()->fds, polls, nfds, POLLERR | POLLHUP, deadline_ns);
    if (ready < 0)
        return ready;
    for (unsigned int i = 0; i < nfds; i++) {
        vaddr_t to = fds + i * sizeof(*polls) + offsetof(struct pollfd, revents);
        if (user_store_u16(to, (uint16_t)polls[i].revents) != 0)
            return -EFAULT;
    }
    return ready;
}

long sys_ppoll(vaddr_t fds, unsigned int nfds, vaddr_t timeout, vaddr_t mask, size_t mask_size)
{
    struct pollfd on_stack[POLL_ON_STACK], *polls = on_stack;
    uint64_t deadline_ns;

    int err = poll_read_deadline(timeout, &deadline_ns);
    if (err == 0)
        err = poll_set_mask(mask, mask_size);
    if (err != 0)
        return err;
    if (nfds > process_limit(process_self(), RLIMIT_NOFILE))
        return -EINVAL;
    if (nfds > POLL_ON_STACK)
        polls = kmalloc(nfds * sizeof(*polls));
    if (polls == NULL)
        return -ENOMEM;
    long result = poll_user(fds, nfds, polls, deadline_ns);
    if (polls != on_stack)
        kfree(polls);
    poll_write_left(timeout, deadline_ns);
    return result == -EINTR ? -ERESTARTNOHAND : result;
}

struct select_sets {
    unsigned int nfds, nr_words;
    vaddr_t user[SELECT_SETS];                        // 0: not given
    uint64_t *bits[SELECT_SETS], *ready[SELECT_SETS]; // asked for, and what is ready of it
};

static int select_read_sets(struct select_sets *s)
{
    unsigned int in_last = s->nfds % BITS_PER_WORD;

    for (unsigned int k = 0; k < SELECT_SETS; k++) {
        if (s->user[k] == 0 || s->nr_words == 0)
            continue;
        if (user_copy_in(s->bits[k], s->user[k], s->nr_words * 8UL) != 0)
            return -EFAULT;
        if (in_last != 0) // what lies beyond nfds isn't asked for and comes back as zeros
            s->bits[k][s->nr_words - 1] &= (1ULL << in_last) - 1;
    }
    return 0;
}

// One pollfd for each descriptor in some set. How many.
static unsigned int select_to_polls(const struct select_sets *s, struct pollfd *polls)
{
    unsigned int nr = 0;

    for (unsigned int word = 0; word < s->nr_words; word++) {
        uint64_t in = s->bits[0][word], out = s->bits[1][word], except = s->bits[2][word];
        int fd = (int)(word * BITS_PER_WORD);
        uint64_t bit = 1;
        for (uint64_t left = in | out | except; left != 0; left >>= 1, bit <<= 1, fd++) {
            if (!(left & 1))
                continue;
            short events = (short)((in & bit ? SELECT_IN : 0) | (out & bit ? SELECT_OUT : 0) |
                                   (except & bit ? SELECT_EXCEPT : 0));
            polls[nr].fd = fd;
            polls[nr++].events = events;
        }
    }
    return nr;
}

// Note what is ready; the sets for that are empty at first. How many bits, or -EBADF.
static int select_from_polls(struct select_sets *s, const struct pollfd *polls, unsigned int nr)
{
    int ready = 0;

    for (unsigned int i = 0; i < nr; i++) {
        short revents = polls[i].revents;
        if (likely(revents == 0))
            continue;
        if (revents & POLLNVAL)
            return -EBADF;
        unsigned int word = (unsigned int)polls[i].fd / BITS_PER_WORD;
        uint64_t bit = 1ULL << ((unsigned int)polls[i].fd % BITS_PER_WORD);
        for (unsigned int k = 0; k < SELECT_SETS; k++)
            if ((s->bits[k][word] & bit) && (revents & select_events[k])) {
                s->ready[k][word] |= bit;
                ready++;
            }
    }
    return ready;
}

static long select_user(struct select_sets *s, struct pollfd *polls, uint64_t deadline_ns)
{
    int err = select_read_sets(s);
    if (err != 0)
        return err;
    unsigned int nr = select_to_polls(s, polls);
    err = poll_wait(process_self()->fds, polls, nr, 0, deadline_ns);
    if (err < 0)
        return err;
    int ready = select_from_polls(s, polls, nr);
    if (ready < 0)
        return ready;
    for (unsigned int k = 0; k < SELECT_SETS; k++)
        if (s->user[k] != 0 && user_copy_out(s->user[k], s->ready[k], s->nr_words * 8UL) != 0)
            return -EFAULT;
    return ready;
}

static long select_sets(struct select_sets *s, uint64_t deadline_ns)
{
    size_t words = (size_t)s->nr_words * SELECT_SETS * 2;
    char *memory = kzalloc(words * 8 + s->nfds * sizeof(struct pollfd) + 8);
    if (memory == NULL)
        return -ENOMEM;
    for (unsigned int k = 0; k < SELECT_SETS; k++) {
        s->bits[k] = (uint64_t *)memory + k * s->nr_words;
        s->ready[k] = s->bits[k] + SELECT_SETS * s->nr_words;
    }
    long result = select_user(s, (struct pollfd *)(memory + words * 8), deadline_ns);
    kfree(memory);
    return result;
}

long sys_pselect6(int nfds, vaddr_t in, vaddr_t out, vaddr_t except, vaddr_t timeout,
                  vaddr_t sigmask)
{
    struct select_sets s = {.user = {in, out, except}};
    struct {
        vaddr_t mask;
        size_t size;
    } mask = {0, 0};
    uint64_t deadline_ns;

    int err = sigmask != 0 ? user_copy_in(&mask, sigmask, sizeof(mask)) : 0;
    if (err == 0)
        err = poll_read_deadline(timeout, &deadline_ns);
    if (err == 0)
        err = poll_set_mask(mask.mask, mask.size);
    if (err != 0)
        return err;
    if (nfds < 0)
        return -EINVAL;
    s.nfds = MIN((unsigned int)nfds, process_self()->fds->size);
    s.nr_words = DIV_ROUND_UP(s.nfds, BITS_PER_WORD);
    long result = select_sets(&s, deadline_ns);
    poll_write_left(timeout, deadline_ns);
    return result == -EINTR ? -ERESTARTNOHAND : result;
}
