// SPDX-License-Identifier: BSD-2-Clause
// Locks with priority inheritance: FUTEX_LOCK_PI, LOCK_PI2, TRYLOCK_PI, UNLOCK_PI.
//
// The word is 0 when the lock is free, else its owner's TID, with FUTEX_WAITERS when the owner has
// to unlock by the kernel, and FUTEX_OWNER_DIED. User space changes it by itself where nobody
// waits. So every change here is a compare-exchange with what was seen, and starts over when it
// differs; and as all of the kernel's changes are made under futex_pi's lock, word and waiters
// agree there.
//
// The model of all this is test/model/futex_pi.pml.
//
// An owner who unlocks writes the next one's TID and hands over: nobody overtakes. One who died
// can't; then the first in line takes the lock over himself (pi_adopt), in his own address space.
#include "futex_priv.h"

#include <arch/uaccess.h>
#include <errno.h>
#include <linux/futex.h>

// How an attempt ends that is no error.
#define PI_AGAIN 1 // something isn't what was seen
#define PI_OURS  2
#define PI_WAIT  3
#define PI_FAULT 4 // the word isn't there

static int pi_write(vaddr_t addr, uint32_t seen, uint32_t value)
{
    uint32_t old;
    int err = user_cmpxchg_u32_nofault(addr, seen, value, &old);
    return err > 0 ? PI_AGAIN : err;
}

// The lock is free, or its owner died and nobody waited: take it.
static int pi_take_free(const struct futex_waiter *w, vaddr_t addr, uint32_t seen)
{
    uint32_t tid = (uint32_t)port_thread_tid(w->thread);
    int err = pi_write(addr, seen, tid | (seen & FUTEX_OWNER_DIED));
    return err == 0 ? PI_OURS : err;
}

// Who has the lock, to be waited for. `found` is the thread that the word names.
static int pi_get_owner(const struct futex_waiter *w, vaddr_t addr, uint32_t seen,
                        struct thread *found, struct thread **owner)
{
    const struct futex_waiter *leader = pi_leader(&w->key);
    *owner = found;
    if (!leader) {
        int err = pi_check_owner(found), changed = futex_check_word(addr, seen);
        // He may have died since, or unlocked before he did: then the word tells.
        return changed == -EAGAIN ? PI_AGAIN : changed != 0 ? changed : err;
    }
    *owner = leader->owner;
    if (*owner && !pi_is_owner_in_word(*owner, seen)) {
        int changed = futex_check_word(addr, seen);
        return changed == -EAGAIN ? PI_AGAIN : changed != 0 ? changed : -EINVAL;
    }
    return 0;
}

// Take the lock or queue for it. Its bucket's and futex_pi's locks are held. PI_*, or an error.
static int pi_lock_once(struct futex_waiter *w, vaddr_t addr, uint32_t seen, struct thread *found,
                        bool try)
{
    struct thread *owner;
    if ((seen & FUTEX_TID_MASK) == (uint32_t)port_thread_tid(w->thread))
        return -EDEADLK;
    if (!pi_leader(&w->key) && (seen & FUTEX_TID_MASK) == 0)
        return pi_take_free(w, addr, seen);
    int err = pi_get_owner(w, addr, seen, found, &owner);
    if (err != 0)
        return err;
    if (try)
        return -EAGAIN;
    if (pi_would_deadlock(w->thread, owner))
        return -EDEADLK;
    err = pi_write(addr, seen, seen | FUTEX_WAITERS);
    if (err != 0)
        return err;
    if (w->key.held)
        w->key.ops->get(w->key.owner);
    futex_pi.waits++;
    pi_enqueue(w, owner);
    if (owner)
        pi_refresh(owner);
    return PI_WAIT;
}

static int pi_lock_try_once(struct futex_waiter *w, vaddr_t addr, bool try)
{
    struct futex_bucket *b = futex_bucket_of(&w->key);
    uint32_t seen;
    int err = user_load_u32_nofault(addr, &seen);
    if (err != 0)
        return err;
    struct thread *found = pi_find_owner(seen);
    futex_lock_one(b);
    if (futex_ring_find(b, &w->key)) { // they wait for a word, not for a lock
        err = -EINVAL;
    } else {
        spin_lock(&futex_pi.lock);
        err = pi_lock_once(w, addr, seen, found, try);
        spin_unlock(&futex_pi.lock);
    }
    spin_unlock(&b->lock);
    if (err == -EBUSY) {
        err = pi_await_exit(found);
        if (err == 0)
            err = PI_AGAIN;
    }
    if (found)
        port_thread_put(found);
    return err;
}

int futex_lock_pi(const struct futex_key *key, vaddr_t addr, struct futex_deadline deadline,
                  bool try)
{
    struct futex_waiter w;
    bool moved;
    int err;
    futex_waiter_init(&w, ~0U);
    w.key = *key;
    do {
        err = pi_lock_try_once(&w, addr, try);
        if (err == -EFAULT && (err = port_user_fault_in(addr, true)) == 0)
            err = PI_AGAIN;
    } while (err == PI_AGAIN);
    if (err != PI_WAIT)
        return err == PI_OURS ? 0 : err;
    err = pi_wait(&w, addr, deadline, &moved);
    futex_key_put(&w.key);
    return err;
}

// First in line of a lock whose owner died: write the own TID and have it.
static int pi_adopt(struct futex_waiter *w, vaddr_t addr)
{
    uint32_t seen, tid = (uint32_t)port_thread_tid(w->thread);
    uint32_t value = tid | FUTEX_OWNER_DIED | (list_is_linked(&w->peers) ? FUTEX_WAITERS : 0);
    int err = user_load_u32_nofault(addr, &seen);
    if (err == 0)
        err = pi_write(addr, seen, value);
    if (err != 0)
        return err == -EFAULT ? PI_FAULT : err;
    pi_hand_over(w, NULL);
    return PI_OURS;
}

// Queued for the lock. futex_pi's lock is held. err: why the thread wants to leave, if it does.
static int pi_look_queued(struct futex_waiter *w, vaddr_t addr, int err)
{
    if (w->leads && !w->owner && err != -EFAULT)
        return pi_adopt(w, addr);
    if (err == 0)
        return PI_WAIT;
    futex_pi.gave_up++;
    struct thread *owner = pi_dequeue(w);
    if (owner)
        pi_refresh(owner);
    return err;
}

// The waiter's thread is awake: where does it stand? PI_*, or the error that it leaves with.
static int pi_look(struct futex_waiter *w, vaddr_t addr, int err, bool *moved)
{
    int result = PI_WAIT;
    spin_lock(&futex_pi.lock);
    struct futex_bucket *b = atomic_load(&w->bucket);
    *moved = b == &futex_pi;
    if (*moved)
        result = pi_look_queued(w, addr, err);
    spin_unlock(&futex_pi.lock);
    if (*moved)
        return result;
    if (b == NULL) {
        futex_await_woken(w);
        return PI_OURS;
    }
    if (err == 0)
        return PI_WAIT;
    return futex_leave_bucket(w, b) ? err : PI_AGAIN;
}

int pi_wait(struct futex_waiter *w, vaddr_t addr, struct futex_deadline deadline, bool *moved)
{
    int err = 0;
    *moved = false;
    while (!atomic_load_acquire(&w->woken)) { // pairs with futex_wake_taken
        int result = pi_look(w, addr, err, moved);
        if (result == PI_WAIT)
            err = futex_park(deadline);
        else if (result == PI_FAULT)
            err = port_user_fault_in(addr, true);
        else if (result != PI_AGAIN)
            return result == PI_OURS ? 0 : result;
    }
    return 0;
}

// To the first in line, or to nobody. PI_AGAIN, 0 or an error.
static int pi_unlock_once(const struct futex_key *key, vaddr_t addr, uint32_t seen,
                          struct list_node *wake)
{
    struct futex_waiter *next = pi_leader(key);
    if (!next)
        return pi_write(addr, seen, 0);
    if (next->owner != port_thread_self())
        return -EINVAL;
    uint32_t tid = (uint32_t)port_thread_tid(next->thread);
    int err = pi_write(addr, seen, tid | (list_is_linked(&next->peers) ? FUTEX_WAITERS : 0));
    if (err == 0)
        pi_hand_over(next, wake);
    return err;
}

int futex_unlock_pi(const struct futex_key *key, vaddr_t addr)
{
    struct list_node wake = LIST_INIT(wake);
    uint32_t tid = (uint32_t)port_thread_tid(port_thread_self());
    int err;
    do {
        uint32_t seen;
        err = user_load_u32_nofault(addr, &seen);
        if (err == 0) {
            if ((seen & FUTEX_TID_MASK) != tid)
                return -EPERM;
            spin_lock(&futex_pi.lock);
            err = pi_unlock_once(key, addr, seen, &wake);
            spin_unlock(&futex_pi.lock);
        }
        if (err == -EFAULT && (err = port_user_fault_in(addr, true)) == 0)
            err = PI_AGAIN;
    } while (err == PI_AGAIN);
    futex_wake_taken(&wake);
    return err;
}
