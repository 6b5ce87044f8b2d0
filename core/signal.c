// SPDX-License-Identifier: BSD-2-Clause
// Signal state of processes and threads: actions, masks, queue entries, what counts as pending.
//
// A thread learns of a signal by THREAD_WORK_SIGNAL. The bit is set (with a wake-up) by whoever
// sends, and by the thread itself when it unblocks; only signal_deliver() clears it, before it
// looks. So as long as something is to be done the bit is set, and "nothing pending" costs one
// load.
#include <core/process.h>
#include <mm/slab.h>
#include <string.h>

#include "posix_timer_priv.h"
#include "signal_priv.h"
#include "signalfd_priv.h"

static struct slab_cache *entry_cache, *actions_cache;

void signal_init(void)
{
    entry_cache = slab_cache_create("signal_entry", sizeof(struct signal_entry), 8);
    signalfd_init();
    actions_cache = slab_cache_create("signal_actions", sizeof(struct signal_actions), 8);
}

struct signal_actions *signal_actions_create(void)
{
    struct signal_actions *a = slab_zalloc(actions_cache);
    if (!a)
        return NULL;
    refcount_init(&a->refs);
    spin_init(&a->lock);
    return a;
}

struct signal_actions *signal_actions_copy(struct signal_actions *from)
{
    struct signal_actions *a = slab_alloc(actions_cache);
    if (!a)
        return NULL;
    refcount_init(&a->refs);
    spin_init(&a->lock);
    irq_flags_t flags = spin_lock_irqsave(&from->lock);
    memcpy(a->action, from->action, sizeof(a->action));
    spin_unlock_irqrestore(&from->lock, flags);
    return a;
}

void signal_actions_put(struct signal_actions *a)
{
    if (refcount_put(&a->refs))
        slab_free(actions_cache, a);
}

void signal_actions_reset(struct signal_actions *a)
{
    irq_flags_t flags = spin_lock_irqsave(&a->lock);
    for (unsigned int i = 0; i < NR_SIGNALS; i++) {
        vaddr_t handler = a->action[i].handler == HANDLER_IGNORE ? HANDLER_IGNORE : HANDLER_DEFAULT;
        a->action[i] = (struct signal_action){.handler = handler};
    }
    spin_unlock_irqrestore(&a->lock, flags);
}

bool signal_is_ignored(const struct process *p, int signal)
{
    vaddr_t handler = signal_handler(p, signal);
    if (handler == HANDLER_IGNORE)
        return true;
    if (handler != HANDLER_DEFAULT)
        return false;
    return p->unkillable || (SIGMASK(signal) & SIGMASK_IGNORED) != 0;
}

struct signal_entry *signal_entry_alloc(struct process *p, bool limited)
{
    if (limited && p->nr_infos >= process_limit(p, RLIMIT_SIGPENDING))
        return NULL;
    struct signal_entry *entry = slab_alloc(entry_cache);
    if (entry) {
        entry->timer = NULL;
        p->nr_infos++;
    }
    return entry;
}

void signal_entry_free(struct process *p, struct signal_entry *entry)
{
    ASSERT(!entry->timer);
    p->nr_infos--;
    slab_free(entry_cache, entry);
}

void signal_queue_flush(struct process *p, struct signal_queue *q, sigmask_t mask)
{
    struct list_node dead = LIST_INIT(dead);
    struct signal_entry *entry, *next;
    signal_queue_drop(q, mask, &dead);
    list_for_each_entry_safe (entry, next, &dead, node) {
        if (entry->timer)
            posix_timer_dropped(entry->timer);
        else
            signal_entry_free(p, entry);
    }
}

int signal_dequeue(struct thread *t, sigmask_t wanted, siginfo_t *info)
{
    struct process *p = t->process;
    struct signal_queue *q = &t->signal.queue;
    int signal = signal_queue_next(q, wanted);
    int shared = signal_queue_next(&p->signal_queue, wanted);
    if (signal == 0 ||
        (shared != 0 && shared < signal && !(SIGMASK(signal) & SIGMASK_SYNCHRONOUS))) {
        q = &p->signal_queue;
        signal = shared;
    }
    if (signal == 0)
        return 0;
    struct signal_entry *entry = signal_queue_take(q, signal);
    if (entry) {
        memcpy(info, entry->bytes, SIGNAL_INFO_SIZE);
        if (entry->timer)
            info->si_overrun = posix_timer_taken(entry->timer);
        else
            signal_entry_free(p, entry);
    } else { // no memory was left for more
        memset(info, 0, SIGNAL_INFO_SIZE);
        info->si_signo = signal;
        info->si_code = SI_USER;
    }
    return signal;
}

bool signal_is_pending(const struct thread *t)
{
    if (!(atomic_load_acquire(&t->arch.work) & THREAD_WORK_SIGNAL))
        return false;
    const struct process *p = t->process;
    if (process_is_ending(p, t) || p->group_stop || p->continue_report)
        return true;
    return ((t->signal.queue.pending | p->signal_queue.pending) & ~t->signal.mask) != 0;
}

bool signal_is_fatal_pending(const struct thread *t)
{
    if (!(atomic_load_acquire(&t->arch.work) & THREAD_WORK_SIGNAL))
        return false;
    return process_is_ending(t->process, t);
}

void signal_wake(struct thread *t)
{
    atomic_fetch_or(&t->arch.work, THREAD_WORK_SIGNAL);
    port_unpark(t); // ourselves, too: an interrupt may have come on our way into port_park()
    if (t != thread_self())
        sched_kick(t);
}

void signal_wake_all(struct process *p, const struct thread *except)
{
    struct thread *t;
    list_for_each_entry (t, &p->threads, process_node)
        if (t != except)
            signal_wake(t);
}

void signal_hand_over(struct process *p, const struct thread *t)
{
    struct thread *other;
    if (p->signal_queue.pending == 0)
        return;
    list_for_each_entry (other, &p->threads, process_node)
        if (other != t && (p->signal_queue.pending & ~other->signal.mask))
            signal_wake(other);
}

void signal_set_mask(sigmask_t mask)
{
    struct thread *t = thread_self();
    struct process *p = t->process;
    mask &= ~SIGMASK_UNMASKABLE;
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    sigmask_t blocked = mask & ~t->signal.mask;
    t->signal.mask = mask;
    if (p->signal_queue.pending & blocked)
        signal_hand_over(p, t);
    if ((t->signal.queue.pending | p->signal_queue.pending) & ~mask)
        atomic_fetch_or(&t->arch.work, THREAD_WORK_SIGNAL);
    spin_unlock_irqrestore(&p->signal_lock, flags);
}

void signal_set_temporary_mask(sigmask_t mask)
{
    struct thread *t = thread_self();
    t->signal.saved_mask = t->signal.mask;
    t->signal.restore_mask = true;
    atomic_fetch_or(&t->arch.work, THREAD_WORK_RESTORE);
    signal_set_mask(mask);
}
