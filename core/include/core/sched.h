// SPDX-License-Identifier: BSD-2-Clause
// The scheduler: per-hart run queues; SCHED_FIFO/RR above SCHED_OTHER/BATCH (fair by weighted
// virtual run time, nice -20..19) above SCHED_IDLE; affinity, balancing, idle in wfi. sched(7).
// Lock order: run queues by cpu number; below every other lock but the timer queue's.
#pragma once

#include <lib/list.h>
#include <lib/rbtree.h>
#include <lib/types.h>

struct thread;

struct sched_entity {         // guarded by the lock of the run queue it is on (cpu)
    struct rb_node node;      // fair queue
    struct list_node rt_node; // real-time queue
    unsigned int policy;      // SCHED_*
    int rt_priority;          // it runs with: 1..99, 0 for normal classes. The larger of
    int set_priority, boost;  // what was set and what is inherited (sync/pi.h)
    int nice;
    uint32_t weight, weight_inverse;           // of policy and nice; 2^32 / weight
    uint64_t vruntime;                         // weighted ns; relative to its queue's minimum
    uint64_t slice_left_ns;                    // 0: to be refilled
    cpu_t cpu;                                 // whose queue it is on, runs on, or ran on last
    uint64_t affinity;                         // bit per cpu
    bool queued;                               // in a queue; the running thread isn't
    bool moving;                               // between two queues: vruntime is relative
    bool yielding;                             // goes to the tail although its slice isn't used up
    bool reset_on_fork;                        // SCHED_RESET_ON_FORK
    uint64_t ticked_user_ns, ticked_system_ns; // run time at the last tick
    uint32_t samples[2];                       // ticks that met it in the kernel, in user mode
};

void sched_init(void); // boot hart; the calling context becomes its idle thread
// Have the other harts started, each with an idle thread; then wait for them and tell how many are
// online. Boot, from a thread.
void sched_start_harts(void);
cpu_t sched_wait_for_harts(void);
__noreturn void sched_idle_loop(void);

void sched_start(struct thread *t); // first time runnable
// Give up the hart: to be called with interrupts on and no spinlock held.
void sched_yield_self(void);
// In long loops of the kernel: let others run if somebody should.
void sched_relax(void);
// Called on the way to user mode for THREAD_WORK_RESCHED.
void sched_preempt(void);
// Kick a thread that runs or will run in user mode so that it looks at its work bits.
void sched_kick(struct thread *t);

// sched_setscheduler(2) and friends, permission checked by the caller. 0 or -EINVAL.
int sched_set_policy(struct thread *t, unsigned int policy, int rt_priority);
// Run at real-time priority `boost` at least, whatever the policy. 0: as set. Any context.
void sched_boost(struct thread *t, int boost);
void sched_set_nice(struct thread *t, int nice);
// Moves the thread if it must. 0, or -EINVAL: no usable cpu in the mask.
int sched_set_affinity(struct thread *t, uint64_t mask);
// Time accounting at the boundary to user mode isn't per trap: charged at switches and ticks.
void sched_thread_times(struct thread *t, uint64_t *user_ns, uint64_t *system_ns);

struct sched_stats { // of one hart
    uint64_t switches, idle_ns, user_ns, system_ns;
    unsigned int nr_runnable;
};
void sched_stats_of_cpu(cpu_t cpu, struct sched_stats *stats);
void sched_loadavg(uint64_t load[3]); // 1, 5, 15 minutes, fixed point 16.16
