// SPDX-License-Identifier: BSD-2-Clause
// Queues of pending signals (signal_queue_priv.h).
#include <lib/assert.h>

#include "signal_queue_priv.h"

void signal_queue_init(struct signal_queue *q)
{
    q->pending = 0;
    list_init(&q->infos);
}

void signal_queue_add(struct signal_queue *q, int signal, struct signal_entry *entry)
{
    ASSERT(signal >= 1 && signal <= NR_SIGNALS);
    q->pending |= SIGMASK(signal);
    if (entry) {
        entry->signal = signal;
        list_add_tail(&q->infos, &entry->node);
    }
}

int signal_queue_next(const struct signal_queue *q, sigmask_t wanted)
{
    sigmask_t ready = q->pending & wanted;
    if (ready == 0)
        return 0;
    if (ready & SIGMASK_SYNCHRONOUS)
        ready &= SIGMASK_SYNCHRONOUS;
    return __builtin_ctzl(ready) + 1;
}

struct signal_entry *signal_queue_take(struct signal_queue *q, int signal)
{
    struct signal_entry *entry, *found = NULL;
    bool more = false;
    list_for_each_entry (entry, &q->infos, node) {
        if (entry->signal != signal)
            continue;
        if (found) {
            more = true;
            break;
        }
        found = entry;
    }
    if (found)
        list_remove(&found->node);
    if (!more)
        q->pending &= ~SIGMASK(signal);
    return found;
}

void signal_queue_remove(struct signal_queue *q, struct signal_entry *entry)
{
    struct signal_entry *other;
    list_remove(&entry->node);
    list_for_each_entry (other, &q->infos, node)
        if (other->signal == entry->signal)
            return;
    q->pending &= ~SIGMASK(entry->signal);
}

void signal_queue_drop(struct signal_queue *q, sigmask_t mask, struct list_node *dead)
{
    struct signal_entry *entry, *next;
    if ((q->pending & mask) == 0)
        return;
    q->pending &= ~mask;
    list_for_each_entry_safe (entry, next, &q->infos, node)
        if (SIGMASK(entry->signal) & mask) {
            list_remove(&entry->node);
            list_add_tail(dead, &entry->node);
        }
}
