// SPDX-License-Identifier: BSD-2-Clause
// The scheduler's beginning on each hart, and what it tells about itself: times, load, figures of
// harts. Idle threads live for ever; the boot hart's takes over the context that booted.
#include <arch/clock.h>
#include <arch/irq.h>
#include <arch/log.h>
#include <arch/mmu.h>
#include <arch/port.h>
#include <core/irq.h>
#include <core/process.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <linux/sched.h>
#include <mm/vmap.h>
#include <stdio.h>

#include "sched_priv.h"

#define LOAD_PERIOD_NS (5 * NS_PER_SEC)
#define START_WAIT_NS  (1 * NS_PER_SEC)
#define START_LOOK_NS  (200 * NS_PER_US)

static struct thread idle_threads[NR_CPUS_MAX];
static uint64_t harts_started; // bit per cpu that the firmware agreed to start; boot thread only

// 2^16 * exp(-5s / 1, 5, 15 minutes)
static const uint64_t load_decay[3] = {60296, 64453, 65173};
static uint64_t load_average[3]; // 16.16, written by the load timer alone
static struct timer load_timer;

static void idle_init(struct thread *t, cpu_t cpu)
{
    refcount_init(&t->refs);
    snprintf(t->name, sizeof(t->name), "idle/%u", cpu);
    t->state = THREAD_RUNNABLE;
    t->process = kernel_process;
    t->sched.policy = SCHED_IDLE;
    t->sched.cpu = cpu;
    t->sched.affinity = BIT(cpu);
    sched_entity_set_weight(&t->sched);
    list_init(&t->process_node);
    list_init(&t->tid_node);
}

static void run_queue_init(struct run_queue *rq, cpu_t cpu)
{
    spin_init(&rq->lock);
    rq->cpu = cpu;
    sched_queue_init(&rq->queue);
    rq->current = rq->idle = &idle_threads[cpu];
    rq->tick_ns = TIME_NEVER;
}

static void run_queue_go_online(void)
{
    struct run_queue *rq = run_queue_self();
    rq->last_ns = clock_monotonic_ns();
    rq->online = true;
    atomic_fetch_or(&sched_online_mask, BIT(rq->cpu));
}

void sched_init(void)
{
    for (cpu_t cpu = 0; cpu < NR_CPUS_MAX; cpu++) {
        run_queue_init(&run_queues[cpu], cpu);
        idle_init(&idle_threads[cpu], cpu);
    }
    arch_thread_adopt(&idle_threads[0].arch);
    timer_init_hart();
    run_queue_go_online();
}

// The other harts come here by port_secondary_main(), interrupts off.
static void sched_secondary(void *unused)
{
    port_secondary_main();
}

__noreturn void port_secondary_main(void)
{
    timer_init_hart();
    irq_init_hart();
    run_queue_go_online();
    sched_idle_loop();
}

void sched_start_harts(void)
{
    struct arch_thread *idle[NR_CPUS_MAX] = {NULL};
    for (cpu_t cpu = 1; cpu < cpu_count(); cpu++) {
        vaddr_t stack = vmap_stack_alloc();
        if (stack == 0)
            panic("no memory for the stacks of %u harts: give the machine more memory or boot with "
                  "maxcpus=1",
                  cpu_count());
        idle[cpu] = &idle_threads[cpu].arch;
        arch_thread_init(idle[cpu], stack, sched_secondary, NULL);
    }
    harts_started = hart_start_all(idle);
}

// Asleep meanwhile: under an emulator that runs one hart at a time, waiting awake takes their time.
cpu_t sched_wait_for_harts(void)
{
    uint64_t end = clock_monotonic_ns() + START_WAIT_NS, online;
    while (((online = atomic_load(&sched_online_mask)) & harts_started) != harts_started) {
        if (clock_monotonic_ns() > end)
            break;
        (void)port_park(PARK_UNINTERRUPTIBLE, clock_monotonic_ns() + START_LOOK_NS);
    }
    for (cpu_t cpu = 1; cpu < cpu_count(); cpu++)
        if (harts_started & ~online & BIT(cpu))
            log_err("cpu %u: hart %lu was started but doesn't come", cpu, hart_of_cpu(cpu)->id);
    return (cpu_t)__builtin_popcountl(online);
}

// Load: an average of how many threads run or want to, damped over time (getloadavg(3)).
static void load_sample(struct timer *timer)
{
    uint64_t running = 0;
    for (cpu_t cpu = 0; cpu < cpu_count(); cpu++)
        running += atomic_load(&run_queues[cpu].nr_running);
    for (unsigned int i = 0; i < ARRAY_SIZE(load_average); i++) {
        uint64_t load = load_average[i] * load_decay[i] + (running << 16) * (65536 - load_decay[i]);
        atomic_store(&load_average[i], load >> 16);
    }
    timer_start(timer, timer->deadline_ns + LOAD_PERIOD_NS);
}

void sched_loadavg(uint64_t load[3])
{
    for (unsigned int i = 0; i < ARRAY_SIZE(load_average); i++)
        load[i] = atomic_load(&load_average[i]);
}

void sched_start_load(void)
{
    timer_init(&load_timer, load_sample);
    timer_start(&load_timer, clock_monotonic_ns() + LOAD_PERIOD_NS);
}

void sched_thread_times(struct thread *t, uint64_t *user_ns, uint64_t *system_ns)
{
    irq_flags_t flags = irq_save();
    struct run_queue *rq = run_queue_lock_of(t);
    if (rq->current == t)
        run_queue_account(rq, clock_monotonic_ns(), -1);
    *user_ns = t->user_ns;
    *system_ns = t->system_ns;
    spin_unlock(&rq->lock);
    irq_restore(flags);
}

void sched_stats_of_cpu(cpu_t cpu, struct sched_stats *stats)
{
    struct run_queue *rq = &run_queues[cpu];
    irq_flags_t flags = spin_lock_irqsave(&rq->lock);
    if (rq->online)
        run_queue_account(rq, clock_monotonic_ns(), -1);
    *stats = rq->stats;
    stats->nr_runnable = rq->nr_running;
    spin_unlock_irqrestore(&rq->lock, flags);
}
