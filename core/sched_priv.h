// SPDX-License-Identifier: BSD-2-Clause
// Run queues: one for each hart. See core/sched.h for the contract.
//
// Lock order: run queues by cpu number; port_unpark and the timer take them inside every other
// lock; only the timer queues' locks and the log come after.
#pragma once

#include <arch/thread.h>
#include <core/thread.h>
#include <sync/spinlock.h>

#include "sched_queue_priv.h"

#define SCHED_TICK_ALONE_NS (100 * NS_PER_MS) // accounting only: nobody waits for the hart
#define SCHED_BALANCE_NS    (50 * NS_PER_MS)

struct run_queue {
    struct spinlock lock; // irq-safe; guards all that follows
    cpu_t cpu;
    struct thread *current, *idle;
    struct thread *previous; // who ran before `current`: for run_queue_finish_switch
    struct sched_queue queue;
    bool waiting; // the idle thread is about to wait for an interrupt, or does
    bool online;
    uint64_t last_ns;         // until when `current` has been charged
    uint64_t tick_ns;         // when sched_tick() is to be called next
    uint64_t next_balance_ns; // may this hart look for a hart with less to do
    struct sched_stats stats;
    // Read without the lock as a hint by others who look for a hart.
    unsigned int nr_running; // queued, and current unless it's the idle thread
} __attribute__((aligned(64)));

extern struct run_queue run_queues[NR_CPUS_MAX];
extern uint64_t sched_idle_mask;   // bit per cpu that looks or waits for a thread; atomic, a hint
extern uint64_t sched_online_mask; // bit per cpu that takes threads; set at boot

static inline struct run_queue *run_queue_self(void)
{
    return &run_queues[hart_self()->cpu];
}

static inline struct thread *sched_thread_of(struct sched_entity *e)
{
    return container_of(e, struct thread, sched);
}

// The queue that `t` belongs to, locked (interrupts must be off).
struct run_queue *run_queue_lock_of(struct thread *t);
// Charge `current` for the time since the last call. `sampled_user`: 1 the timer interrupted user
// mode, 0 the kernel, -1 unknown.
void run_queue_account(struct run_queue *rq, uint64_t now, int sampled_user);
// Queue a thread that became runnable on this hart's or another queue, locked. True: the hart must
// be told by run_queue_notify(), once the queue is unlocked, so that the hart doesn't run into the
// lock.
bool run_queue_add(struct run_queue *rq, struct thread *t);
void run_queue_notify(cpu_t cpu);
// Give the hart to the first in the queue. Called with the own queue locked; unlocks it. Returns
// when the caller runs again, perhaps on another hart.
void run_queue_switch(struct run_queue *rq);
// What the next thread does for the one that ran before, first of all on its own stack.
void run_queue_finish_switch(void);

// sched_idle.c
// The hart with this queue, locked, gets a thread. True: it waits for an interrupt.
bool run_queue_end_idle(struct run_queue *rq);

// sched_balance.c
cpu_t sched_select_cpu(const struct thread *t);
// The own queue is locked and empty: take a thread that waits elsewhere. True if there is one now.
bool sched_pull(struct run_queue *rq);
// The own queue is locked: give a waiting thread to a hart with clearly less to do.
void sched_push(struct run_queue *rq, uint64_t now);
// `t` is runnable, on no queue and no hart, and belongs to `rq`, locked: make it belong to the best
// queue that its affinity allows, which is returned locked instead. With credit as a sleeper.
struct run_queue *sched_move(struct run_queue *rq, struct thread *t, bool credit);
// The same, and queue it; unlocks.
void sched_place_thread(struct run_queue *rq, struct thread *t);

void sched_start_load(void); // sched_init.c: begin to sample the load

// itimer.c: the running thread used so much CPU time since the last tick. Interrupts off, no lock.
void itimer_tick(struct process *p, uint64_t user_ns, uint64_t system_ns);

// timer.c: the scheduler's share of the hart's event.
void timer_request_tick(uint64_t deadline_ns); // interrupts off
// The deadline passed; interrupts off. sched.c
void sched_tick(void);
void timer_init_hart(void);
