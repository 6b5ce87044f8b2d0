// SPDX-License-Identifier: BSD-2-Clause
// POSIX timers: timer_create(2), timer_settime(2), timer_getoverrun(2), timer_delete(2).
//
// A timer brings its own entry for a queue of signals, so that an expiration needs no memory. While
// the entry is queued the timer stands still; whoever takes it out counts the periods that passed
// meanwhile, the overrun, and starts it again, PERIOD_MIN_NS later at the earliest. So the shortest
// period costs one interrupt a signal and leaves time for others.
//
// Everything of a timer is under process->signal_lock, which expiration, queues and calls take in
// turn. Timers end with timer_delete(2), exec and the process: out of the tree and away from its
// entry first, under the lock; then, without it, its `fire` is waited for.
#include <errno.h>
#include <linux/time.h>
#include <mm/slab.h>
#include <string.h>

#include "posix_timer_priv.h"
#include "sched_priv.h"
#include "signal_priv.h"

#define UNHEARD_MIN_NS (20 * NS_PER_MS)

static struct posix_timer *find_locked(struct process *p, int id)
{
    struct rb_node *n = p->posix_timers.node;
    spin_assert_held(&p->signal_lock);
    while (n) {
        struct posix_timer *t = rb_entry(n, struct posix_timer, node);
        if (t->id == id)
            return t;
        n = id < t->id ? n->left : n->right;
    }
    return NULL;
}

static void insert_locked(struct process *p, struct posix_timer *t)
{
    struct rb_node **link = &p->posix_timers.node, *parent = NULL;
    while (*link) {
        parent = *link;
        link =
            t->id < rb_entry(parent, struct posix_timer, node)->id ? &parent->left : &parent->right;
    }
    rb_insert(&p->posix_timers, parent, link, &t->node, NULL);
}

static uint64_t now_locked(const struct posix_timer *t)
{
    uint64_t user_ns, system_ns;
    if (!t->counts_cpu)
        return alarm_now(&t->alarm);
    if (!t->cpu_thread)
        return process_cpu_ns_locked(t->process);
    sched_thread_times(t->cpu_thread, &user_ns, &system_ns);
    return user_ns + system_ns;
}

static void start_locked(struct posix_timer *t)
{
    if (t->notify == SIGEV_NONE)
        return; // who asks is told what is left
    if (!t->counts_cpu)
        alarm_start(&t->alarm);
    else if (!list_is_linked(&t->cpu_node))
        list_add_tail(&t->process->cpu_timers, &t->cpu_node);
}

// Before it is set anew or goes: a signal that is queued is taken back. Its deadline may still be
// waited for, as starting moves that.
static void reset_locked(struct posix_timer *t)
{
    list_remove(&t->cpu_node);
    if (t->queued)
        signal_queue_remove(t->target ? &t->target->signal.queue : &t->process->signal_queue,
                            t->entry);
    t->queued = false;
    t->armed = false;
}

static int clamp_overrun(uint64_t n)
{
    return (int)MIN(n, (uint64_t)INT_MAX); // DELAYTIMER_MAX
}

// Nobody hears of it: the timer goes on, but seldom, however short its period, as a process may
// have thousands of them. What is missed is counted.
static void expire_unheard_locked(struct posix_timer *t, uint64_t now)
{
    struct alarm *a = &t->alarm;
    if (a->interval_ns == 0) {
        t->armed = false;
        return;
    }
    t->missed += period_forward(&a->deadline_ns, a->interval_ns, now);
    if (a->deadline_ns - now < UNHEARD_MIN_NS)
        a->deadline_ns = now + UNHEARD_MIN_NS;
    start_locked(t);
}

static void expire_locked(struct posix_timer *t, uint64_t now)
{
    list_remove(&t->cpu_node);
    t->queued = true;
    if (!signal_send_entry(t->process, t->target, t->signal, t->entry)) {
        t->queued = false;
        expire_unheard_locked(t, now);
    }
}

static void posix_timer_fire(struct timer *timer)
{
    struct posix_timer *t = container_of(timer, struct posix_timer, alarm.timer);
    irq_flags_t flags = spin_lock_irqsave(&t->process->signal_lock);
    if (t->armed && !t->queued) {
        uint64_t now = alarm_now(&t->alarm);
        if (now >= t->alarm.deadline_ns)
            expire_locked(t, now);
        else
            alarm_start(&t->alarm); // the clock went back, or the timer was set anew just now
    }
    spin_unlock_irqrestore(&t->process->signal_lock, flags);
}

static void posix_timer_clock_set(struct realtime_watch *w)
{
    struct posix_timer *t = container_of(w, struct posix_timer, watch);
    irq_flags_t flags = spin_lock_irqsave(&t->process->signal_lock);
    if (t->armed && !t->queued)
        start_locked(t);
    spin_unlock_irqrestore(&t->process->signal_lock, flags);
}

void posix_timers_tick(struct process *p)
{
    struct posix_timer *t, *next;
    if (likely(list_is_empty(&p->cpu_timers)))
        return; // one that comes now is seen by the next tick
    spin_lock(&p->signal_lock);
    uint64_t of_process = process_cpu_ns_locked(p); // a sum over its threads: once for all
    list_for_each_entry_safe (t, next, &p->cpu_timers, cpu_node) {
        uint64_t now = t->cpu_thread ? now_locked(t) : of_process;
        if (now >= t->alarm.deadline_ns)
            expire_locked(t, now);
    }
    spin_unlock(&p->signal_lock);
}

int posix_timer_taken(struct posix_timer *t)
{
    spin_assert_held(&t->process->signal_lock);
    t->queued = false;
    uint64_t nr = t->missed;
    t->missed = 0;
    if (t->alarm.interval_ns == 0) {
        t->armed = false;
    } else {
        uint64_t passed =
            period_forward(&t->alarm.deadline_ns, t->alarm.interval_ns, now_locked(t));
        nr += passed != 0 ? passed - 1 : 0; // 0: the clock was set back meanwhile
        if (t->counts_cpu)
            start_locked(t);
        else
            alarm_start_later(&t->alarm); // the program shall get on between two signals
    }
    t->overrun = clamp_overrun(nr);
    return t->overrun;
}

void posix_timer_dropped(struct posix_timer *t)
{
    spin_assert_held(&t->process->signal_lock);
    t->queued = false;
    expire_unheard_locked(t, now_locked(t));
}

// Whose CPU time does `clock` tell? 0, with a reference on a thread; -EINVAL.
static int find_cpu_clock(int clock, struct posix_timer *t)
{
    struct process *p = t->process;
    bool of_thread = clock == CLOCK_THREAD_CPUTIME_ID || (clock < 0 && CPUCLOCK_IS_THREAD(clock));
    pid_t id = clock < 0 ? CPUCLOCK_PID(clock) : 0;
    t->counts_cpu = true;
    if (!of_thread)
        return id == 0 || id == p->pid ? 0 : -EINVAL;
    t->cpu_thread = id == 0 ? thread_self() : thread_find(id);
    if (!t->cpu_thread)
        return -EINVAL;
    if (id == 0)
        thread_get(t->cpu_thread);
    return t->cpu_thread->process == p ? 0 : -EINVAL; // the caller drops it
}

static int find_clock(int clock, struct posix_timer *t)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
        return 0;
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_REALTIME_ALARM: // as Linux without a clock that can wake the machine
    case CLOCK_BOOTTIME_ALARM:
        return -EOPNOTSUPP;
    default:
        if (clock > CLOCK_TAI || clock == 10)
            return -EINVAL;
        return find_cpu_clock(clock, t);
    }
}

static int find_target(struct posix_timer *t, pid_t tid)
{
    switch (t->notify) {
    case SIGEV_SIGNAL | SIGEV_THREAD_ID:
        t->target = thread_find(tid);
        if (!t->target || t->target->process != t->process)
            return -EINVAL;
        __attribute__((fallthrough));
    case SIGEV_SIGNAL:
    case SIGEV_THREAD:
        return t->signal >= 1 && t->signal <= NR_SIGNALS ? 0 : -EINVAL;
    default:
        return t->notify == SIGEV_NONE ? 0 : -EINVAL;
    }
}

// It is in no table and no queue, and nothing of it runs.
static void posix_timer_free(struct posix_timer *t)
{
    if (t->target)
        thread_put(t->target);
    if (t->cpu_thread)
        thread_put(t->cpu_thread);
    kfree(t);
}

// Give it an entry and an id, and let others find it.
static int publish(struct process *p, struct posix_timer *t, const sigval_t *value)
{
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    // One that tells nobody has an entry too: entries are what RLIMIT_SIGPENDING counts.
    t->entry = signal_entry_alloc(p, true);
    if (!t->entry) {
        spin_unlock_irqrestore(&p->signal_lock, flags);
        return -EAGAIN;
    }
    memset(t->entry->bytes, 0, sizeof(t->entry->bytes));
    do {
        t->id = p->next_timer_id;
        p->next_timer_id = t->id == INT_MAX ? 0 : t->id + 1;
    } while (find_locked(p, t->id));
    siginfo_t info;
    memset(&info, 0, SIGNAL_INFO_SIZE);
    info.si_signo = t->signal;
    info.si_code = SI_TIMER;
    info.si_tid = t->id;
    if (value)
        info.si_value = *value;
    else
        info.si_int = t->id;
    memcpy(t->entry->bytes, &info, SIGNAL_INFO_SIZE);
    t->entry->timer = t;
    insert_locked(p, t);
    spin_unlock_irqrestore(&p->signal_lock, flags);
    return 0;
}

int posix_timer_create(int clock, int notify, int signal, pid_t tid, const sigval_t *value, int *id)
{
    struct posix_timer *t = kzalloc(sizeof(*t));
    if (!t)
        return -EAGAIN;
    t->process = process_self();
    t->clock = clock;
    t->notify = notify;
    t->signal = signal;
    list_init(&t->cpu_node);
    alarm_init(&t->alarm, posix_timer_fire);
    int err = find_clock(clock, t);
    if (err == 0)
        err = find_target(t, tid);
    if (err != 0) {
        posix_timer_free(t);
        return err;
    }
    if (alarm_clock_can_be_set(clock))
        realtime_watch_add(&t->watch, posix_timer_clock_set);
    err = publish(t->process, t, value);
    if (err != 0) {
        if (alarm_clock_can_be_set(clock))
            realtime_watch_remove(&t->watch);
        posix_timer_free(t);
        return err;
    }
    *id = t->id;
    return 0;
}

static void get_locked(const struct posix_timer *t, struct posix_timer_set *set)
{
    set->interval_ns = t->alarm.interval_ns;
    set->left_ns = 0;
    if (!t->armed || (t->queued && set->interval_ns == 0))
        return;
    set->left_ns = period_left(t->alarm.deadline_ns, set->interval_ns, now_locked(t));
    if (set->left_ns == 0 && t->notify != SIGEV_NONE)
        set->left_ns = 1; // due, but not over yet
}

int posix_timer_get(int id, struct posix_timer_set *set)
{
    struct process *p = process_self();
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    struct posix_timer *t = find_locked(p, id);
    if (t)
        get_locked(t, set);
    spin_unlock_irqrestore(&p->signal_lock, flags);
    return t ? 0 : -EINVAL;
}

static void set_locked(struct posix_timer *t, bool absolute, const struct posix_timer_set *set)
{
    reset_locked(t);
    t->overrun = 0;
    t->missed = 0;
    t->alarm.interval_ns = 0;
    if (set->left_ns == 0) {
        alarm_stop(&t->alarm);
        return;
    }
    if (t->counts_cpu) {
        uint64_t now = absolute ? 0 : now_locked(t);
        t->alarm.interval_ns = set->interval_ns;
        t->alarm.deadline_ns = set->left_ns > TIME_NEVER - now ? TIME_NEVER : now + set->left_ns;
    } else {
        alarm_set(&t->alarm, t->clock, absolute, set->left_ns, set->interval_ns);
    }
    t->armed = true;
    start_locked(t);
}

int posix_timer_set(int id, bool absolute, const struct posix_timer_set *set,
                    struct posix_timer_set *old)
{
    struct process *p = process_self();
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    struct posix_timer *t = find_locked(p, id);
    if (t) {
        get_locked(t, old);
        set_locked(t, absolute, set);
    }
    spin_unlock_irqrestore(&p->signal_lock, flags);
    return t ? 0 : -EINVAL;
}

int posix_timer_overrun(int id)
{
    struct process *p = process_self();
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    struct posix_timer *t = find_locked(p, id);
    int overrun = t ? t->overrun : -EINVAL;
    spin_unlock_irqrestore(&p->signal_lock, flags);
    return overrun;
}

// signal_lock held, and let go of.
static void delete_locked(struct process *p, struct posix_timer *t, irq_flags_t flags)
{
    reset_locked(t);
    rb_erase(&p->posix_timers, &t->node, NULL);
    t->entry->timer = NULL;
    signal_entry_free(p, t->entry);
    spin_unlock_irqrestore(&p->signal_lock, flags);
    if (alarm_clock_can_be_set(t->clock))
        realtime_watch_remove(&t->watch);
    timer_cancel(&t->alarm.timer);
    posix_timer_free(t);
}

int posix_timer_delete(int id)
{
    struct process *p = process_self();
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    struct posix_timer *t = find_locked(p, id);
    if (t) {
        delete_locked(p, t, flags);
        return 0;
    }
    spin_unlock_irqrestore(&p->signal_lock, flags);
    return -EINVAL;
}

void posix_timers_exit(struct process *p)
{
    struct rb_node *first;
    for (;;) {
        irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
        first = rb_first(&p->posix_timers);
        if (!first) {
            p->next_timer_id = 0;
            spin_unlock_irqrestore(&p->signal_lock, flags);
            return;
        }
        delete_locked(p, rb_entry(first, struct posix_timer, node), flags);
    }
}
