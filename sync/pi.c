// SPDX-License-Identifier: BSD-2-Clause
// Priority inheritance: who waits for whom, and what priority follows from it.
//
// A lock exists here while somebody waits for it: it is the ring of its waiters in futex_pi, and
// the ring's leader, who is first in line, says who the owner is. So a lock needs no memory but
// its waiters'. All of it is guarded by futex_pi's lock, across which a chain of owners can be
// walked; locks that nobody waits for are taken and let go in user space and never get here.
//
// A thread's priority in here is the highest of its own and of those who wait for its locks
// (`boost`). When it changes, so may the thread's place among the waiters of the lock it waits for,
// and by that the priority of that lock's owner, and so on (pi_refresh). There are no circles: who
// would close one is refused (pi_would_deadlock).
//
// A lock whose owner died has none (NULL) until the first in line has written his TID into its
// word; he was unparked for that. sync/futex_pi.c.
#include <errno.h>
#include <linux/futex.h>
#include <sync/pi.h>
#include <sync/wait_queue.h>

#include "futex_priv.h"

#define PI_CHAIN_MAX 1024 // as Linux's max_lock_depth

uint64_t pi_nr_boosts;
static struct wait_queue pi_exits = WAIT_QUEUE_INIT(pi_exits); // state is no longer PI_EXITING

void pi_thread_init(struct pi_thread *pi, enum pi_state state)
{
    pi->blocked_on = NULL;
    list_init(&pi->owned);
    pi->boost = 0;
    pi->state = state;
}

int pi_priority(struct thread *t)
{
    int own = port_thread_rt_priority(t);
    return MAX(own, port_thread_pi(t)->boost);
}

static void pi_set_owner(struct futex_waiter *leader, struct thread *owner)
{
    list_remove(&leader->owned);
    leader->owner = owner;
    if (owner)
        list_add_tail(&port_thread_pi(owner)->owned, &leader->owned);
}

// Into its ring. `owner` if that is new, else the old leader knows.
static void pi_insert(struct futex_waiter *w, struct thread *owner)
{
    struct futex_waiter *before = pi_leader(&w->key);
    futex_ring_add(&futex_pi, w);
    if (!w->leads)
        return;
    if (before) {
        owner = before->owner;
        pi_set_owner(before, NULL);
    }
    pi_set_owner(w, owner);
    if (!owner)
        port_unpark(w->thread); // first in line of a dead owner's lock
}

static struct thread *pi_remove(struct futex_waiter *w)
{
    struct thread *owner = pi_leader(&w->key)->owner;
    if (!w->leads) {
        futex_ring_remove(&futex_pi, w);
        return owner;
    }
    struct futex_waiter *next = list_is_linked(&w->peers) ? futex_ring_next(w) : NULL;
    futex_ring_remove(&futex_pi, w);
    pi_set_owner(w, NULL);
    if (next) {
        pi_set_owner(next, owner);
        if (!owner)
            port_unpark(next->thread);
    }
    return owner;
}

void pi_enqueue(struct futex_waiter *w, struct thread *owner)
{
    spin_assert_held(&futex_pi.lock);
    atomic_add_fetch(&futex_bucket_of(&w->key)->nr_pi, 1);
    w->priority = pi_priority(w->thread);
    port_thread_pi(w->thread)->blocked_on = w;
    pi_insert(w, owner);
    atomic_store(&w->bucket, &futex_pi);
}

struct thread *pi_dequeue(struct futex_waiter *w)
{
    spin_assert_held(&futex_pi.lock);
    atomic_sub_fetch(&futex_bucket_of(&w->key)->nr_pi, 1);
    port_thread_pi(w->thread)->blocked_on = NULL;
    atomic_store(&w->bucket, (struct futex_bucket *)NULL);
    return pi_remove(w);
}

void pi_hand_over(struct futex_waiter *next, struct list_node *wake)
{
    struct thread *to = next->thread;
    struct thread *from = pi_dequeue(next);
    struct futex_waiter *rest = pi_leader(&next->key);
    if (rest)
        pi_set_owner(rest, to);
    futex_pi.wakes++;
    if (wake)
        list_add_tail(wake, &next->peers);
    if (from)
        pi_refresh(from);
    pi_refresh(to);
}

// What those who wait for t's locks lend it.
static void pi_set_boost(struct thread *t, struct pi_thread *pi)
{
    int boost = 0;
    struct futex_waiter *leader;
    list_for_each_entry (leader, &pi->owned, owned)
        boost = MAX(boost, leader->priority);
    if (boost == pi->boost)
        return;
    if (boost > pi->boost)
        pi_nr_boosts++;
    pi->boost = boost;
    port_thread_boost(t, boost);
}

void pi_refresh(struct thread *t)
{
    spin_assert_held(&futex_pi.lock);
    while (t) {
        struct pi_thread *pi = port_thread_pi(t);
        pi_set_boost(t, pi);
        struct futex_waiter *w = pi->blocked_on;
        int priority = pi_priority(t);
        if (!w || w->priority == priority)
            return;
        t = pi_remove(w);
        w->priority = priority;
        pi_insert(w, t);
    }
}

bool pi_would_deadlock(const struct thread *t, struct thread *owner)
{
    spin_assert_held(&futex_pi.lock);
    for (unsigned int depth = 0; owner; depth++) {
        if (owner == t || depth == PI_CHAIN_MAX)
            return true;
        struct futex_waiter *w = port_thread_pi(owner)->blocked_on;
        owner = w ? pi_leader(&w->key)->owner : NULL;
    }
    return false;
}

struct thread *pi_find_owner(uint32_t word)
{
    pid_t tid = (pid_t)(word & FUTEX_TID_MASK);
    return tid != 0 ? port_thread_find(tid) : NULL;
}

int pi_check_owner(struct thread *owner)
{
    spin_assert_held(&futex_pi.lock);
    if (!owner)
        return -ESRCH;
    switch (port_thread_pi(owner)->state) {
    case PI_ALIVE:
        return 0;
    case PI_KERNEL:
        return -EPERM;
    case PI_EXITING:
        return -EBUSY;
    case PI_DEAD:
        break;
    }
    return -ESRCH;
}

bool pi_is_owner_in_word(struct thread *owner, uint32_t word)
{
    spin_assert_held(&futex_pi.lock);
    uint32_t tid = word & FUTEX_TID_MASK;
    return tid == (uint32_t)port_thread_tid(owner) ||
           (tid == 0 && port_thread_pi(owner)->state == PI_EXITING);
}

static bool pi_is_exiting(struct thread *t)
{
    spin_lock(&futex_pi.lock);
    bool exiting = port_thread_pi(t)->state == PI_EXITING;
    spin_unlock(&futex_pi.lock);
    return exiting;
}

int pi_await_exit(struct thread *owner)
{
    return wait_event(&pi_exits, !pi_is_exiting(owner), PARK_INTERRUPTIBLE, TIME_NEVER);
}

void pi_thread_begin_exit(void)
{
    struct pi_thread *pi = port_thread_pi(port_thread_self());
    spin_lock(&futex_pi.lock);
    pi->state = PI_EXITING;
    spin_unlock(&futex_pi.lock);
}

void pi_thread_end_exit(enum pi_state state)
{
    struct thread *self = port_thread_self();
    struct pi_thread *pi = port_thread_pi(self);
    struct futex_waiter *leader, *next;
    spin_lock(&futex_pi.lock);
    ASSERT(!pi->blocked_on);
    list_for_each_entry_safe (leader, next, &pi->owned, owned) {
        pi_set_owner(leader, NULL);
        port_unpark(leader->thread); // it is queued, and can't leave without this lock
    }
    pi_refresh(self);
    pi->state = state;
    spin_unlock(&futex_pi.lock);
    wait_queue_wake_all(&pi_exits);
}

void pi_thread_priority_changed(struct thread *t)
{
    spin_lock(&futex_pi.lock);
    pi_refresh(t);
    spin_unlock(&futex_pi.lock);
}
