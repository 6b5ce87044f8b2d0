// SPDX-License-Identifier: BSD-2-Clause
// Advisory locks: flock(2), and record locks of fcntl(2), both of processes (POSIX: the owner is
// the descriptor table) and of open files (OFD: the owner is the file).
//
// An inode gets a struct file_locks at its first lock and keeps it till its end. Locks are byte
// ranges [start, end) with an owner; an owner's ranges never overlap, flock's are the whole file on
// a list of their own. file_locks.lock guards the lists; who must wait sleeps on `changed`.
// Deadlocks between processes are found for POSIX locks by following who waits for whom.
#include <asm/fcntl.h>
#include <errno.h>
#include <mm/slab.h>
#include <sync/wait_queue.h>

#include "file_lock_priv.h"
#include "file_priv.h"
#include "vfs_priv.h"

struct file_lock {
    struct list_node node;
    struct file_lock_request range; // type F_RDLCK or F_WRLCK
};

struct file_locks {
    struct mutex lock;
    struct list_node records, flocks;
    struct wait_queue changed;
};

struct lock_waiter { // on the stack of who waits for a POSIX lock; waiters_lock
    struct list_node node;
    const void *owner, *blocker;
};

static struct mutex waiters_lock = MUTEX_INIT(waiters_lock);
static struct list_node lock_waiters = LIST_INIT(lock_waiters);

static struct file_locks *locks_of(struct inode *inode)
{
    struct file_locks *l = __atomic_load_n(&inode->locks, __ATOMIC_ACQUIRE), *expected = NULL;
    if (l)
        return l;
    l = kzalloc(sizeof(*l));
    if (!l)
        return NULL;
    mutex_init(&l->lock);
    list_init(&l->records);
    list_init(&l->flocks);
    wait_queue_init(&l->changed);
    if (atomic_compare_exchange(&inode->locks, &expected, l))
        return l;
    kfree(l);
    return expected;
}

void file_locks_free(struct file_locks *l)
{
    ASSERT(list_is_empty(&l->records) && list_is_empty(&l->flocks));
    kfree(l);
}

static bool conflicts(const struct file_lock_request *a, const struct file_lock_request *b)
{
    return a->owner != b->owner && a->start < b->end && b->start < a->end &&
           (a->type == F_WRLCK || b->type == F_WRLCK);
}

static struct file_lock *find_conflict(struct list_node *list, const struct file_lock_request *r)
{
    struct file_lock *l;
    list_for_each_entry (l, list, node)
        if (conflicts(&l->range, r))
            return l;
    return NULL;
}

// Cut [r->start, r->end) out of the owner's locks. *spare is for the right half of a lock that is
// cut in the middle; it is taken at most once.
static void cut_range(struct list_node *list, const struct file_lock_request *r,
                      struct file_lock **spare)
{
    struct file_lock *l, *next;
    list_for_each_entry_safe (l, next, list, node) {
        struct file_lock_request *have = &l->range;
        if (have->owner != r->owner || have->start >= r->end || r->start >= have->end)
            continue;
        if (have->start < r->start && r->end < have->end) {
            struct file_lock *right = *spare;
            *spare = NULL;
            right->range = *have;
            right->range.start = r->end;
            have->end = r->start;
            list_add_tail(list, &right->node);
            return;
        }
        if (have->start < r->start) {
            have->end = r->start;
        } else if (r->end < have->end) {
            have->start = r->end;
        } else {
            list_remove(&l->node);
            kfree(l);
        }
    }
}

// Join with equal neighbours, so that a file locked byte by byte is one lock.
static void insert_range(struct list_node *list, struct file_lock *new)
{
    struct file_lock *l, *next;
    list_for_each_entry_safe (l, next, list, node) {
        struct file_lock_request *have = &l->range;
        if (have->owner != new->range.owner || have->type != new->range.type)
            continue;
        if (have->end != new->range.start && have->start != new->range.end)
            continue;
        new->range.start = MIN(new->range.start, have->start);
        new->range.end = MAX(new->range.end, have->end);
        list_remove(&l->node);
        kfree(l);
    }
    list_add_tail(list, &new->node);
}

// Does `blocker` wait, over any number of steps, for `owner`? waiters_lock.
static bool waits_for(const void *blocker, const void *owner)
{
    struct lock_waiter *w;
    for (int steps = 0; steps < 64; steps++) {
        const void *next = NULL;
        list_for_each_entry (w, &lock_waiters, node)
            if (w->owner == blocker)
                next = w->blocker;
        if (!next)
            return false;
        if (next == owner)
            return true;
        blocker = next;
    }
    return false;
}

// Sleep until something changed, l->lock released meanwhile. 0, -EINTR, -EDEADLK.
static int wait_for_change(struct file_locks *l, const struct file_lock_request *r,
                           const void *blocker, bool detect)
{
    struct lock_waiter me = {.owner = r->owner, .blocker = blocker};
    struct waiter waiter;
    if (detect) {
        mutex_lock(&waiters_lock);
        bool deadlock = waits_for(blocker, r->owner);
        if (!deadlock)
            list_add_tail(&lock_waiters, &me.node);
        mutex_unlock(&waiters_lock);
        if (deadlock)
            return -EDEADLK;
    }
    waiter_init(&waiter, false);
    wait_queue_add(&l->changed, &waiter);
    mutex_unlock(&l->lock);
    int err = port_park(PARK_INTERRUPTIBLE, TIME_NEVER);
    mutex_lock(&l->lock);
    wait_queue_remove(&l->changed, &waiter);
    if (detect) {
        mutex_lock(&waiters_lock);
        list_remove(&me.node);
        mutex_unlock(&waiters_lock);
    }
    return err == -EINTR ? -ERESTARTSYS : 0;
}

// flock(2): a change of the type isn't atomic. The old lock goes first, so that two who both want
// to go from shared to exclusive don't wait for each other.
static bool drops_other_type(struct list_node *list, const struct file_lock_request *r)
{
    struct file_lock *l, *next;
    bool dropped = false;
    list_for_each_entry_safe (l, next, list, node) {
        if (l->range.owner != r->owner || l->range.type == r->type)
            continue;
        list_remove(&l->node);
        kfree(l);
        dropped = true;
    }
    return dropped;
}

// Set, change or remove a range on one of the lists.
static int locks_apply(struct file *f, struct list_node *list, struct file_locks *l,
                       const struct file_lock_request *r, bool wait, bool detect)
{
    struct file_lock *new = kmalloc(sizeof(*new)), *spare = kmalloc(sizeof(*spare)), *blocker;
    int err = new &&spare ? 0 : -ENOLCK;

    mutex_lock(&l->lock);
    if (err == 0 && list == &l->flocks && drops_other_type(list, r))
        wait_queue_wake_all(&l->changed);
    while (err == 0 && r->type != F_UNLCK && (blocker = find_conflict(list, r)) != NULL)
        err = wait ? wait_for_change(l, r, blocker->range.owner, detect) : -EAGAIN;
    if (err == 0) {
        f->has_locks = true;
        cut_range(list, r, &spare);
        if (r->type != F_UNLCK) {
            new->range = *r;
            insert_range(list, new);
            new = NULL;
        }
        wait_queue_wake_all(&l->changed);
    }
    mutex_unlock(&l->lock);
    kfree(new);
    kfree(spare);
    return err;
}

int file_lock_set(struct file *f, const struct file_lock_request *r, bool wait)
{
    struct file_locks *l = locks_of(f->inode);
    if (!l)
        return -ENOLCK;
    return locks_apply(f, &l->records, l, r, wait, r->owner != f);
}

void file_lock_test(struct file *f, struct file_lock_request *r)
{
    struct file_locks *l = __atomic_load_n(&f->inode->locks, __ATOMIC_ACQUIRE);
    struct file_lock *found = NULL;
    if (l) {
        mutex_lock(&l->lock);
        found = find_conflict(&l->records, r);
        if (found)
            *r = found->range;
        mutex_unlock(&l->lock);
    }
    if (!found)
        r->type = F_UNLCK;
}

int file_lock_flock(struct file *f, int type, bool wait)
{
    struct file_lock_request r = {.type = type, .end = UINT64_MAX, .owner = f};
    struct file_locks *l = locks_of(f->inode);
    if (!l)
        return -ENOLCK;
    return locks_apply(f, &l->flocks, l, &r, wait, false);
}

static void drop_owner(struct file_locks *l, struct list_node *list, const void *owner)
{
    struct file_lock *lock, *next;
    mutex_lock(&l->lock);
    list_for_each_entry_safe (lock, next, list, node) {
        if (lock->range.owner != owner)
            continue;
        list_remove(&lock->node);
        kfree(lock);
    }
    wait_queue_wake_all(&l->changed);
    mutex_unlock(&l->lock);
}

void file_lock_closed(struct file *f, const void *owner)
{
    struct file_locks *l = __atomic_load_n(&f->inode->locks, __ATOMIC_ACQUIRE);
    if (l)
        drop_owner(l, &l->records, owner);
}

void file_lock_released(struct file *f)
{
    struct file_locks *l = __atomic_load_n(&f->inode->locks, __ATOMIC_ACQUIRE);
    if (!l)
        return;
    drop_owner(l, &l->records, f);
    drop_owner(l, &l->flocks, f);
}
