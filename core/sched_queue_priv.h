// SPDX-License-Identifier: BSD-2-Clause
// The order in which one hart's threads run: pure logic over sched_entity, no lock and no clock, so
// that host tests can drive it. The running entity is not in the queue.
//
// Real-time entities stand in a list for each priority. All others stand in a tree by virtual run
// time: the time they ran, divided by their weight. SCHED_IDLE is a weight of 3 there, so that even
// such a thread that holds a mutex gets on.
#pragma once

#include <core/sched.h>

#define SCHED_RT_LEVELS      100
#define SCHED_SLICE_NS       (4 * NS_PER_MS)   // fair classes
#define SCHED_SLICE_RR_NS    (100 * NS_PER_MS) // SCHED_RR
#define SCHED_CREDIT_NS      (3 * NS_PER_MS)   // how far behind a sleeper may come back
#define SCHED_GRANULARITY_NS (1 * NS_PER_MS)   // how far behind one must be to preempt on waking

struct sched_queue {
    struct rb_root fair;
    struct rb_node *fair_first; // leftmost, or NULL
    uint64_t min_vruntime;      // never goes back
    struct list_node rt[SCHED_RT_LEVELS];
    uint64_t rt_bits[2]; // which lists are not empty
    unsigned int nr;     // queued in all
};

void sched_queue_init(struct sched_queue *q);
// Set weight from policy and nice.
void sched_entity_set_weight(struct sched_entity *e);
// Real-time: at the head of its priority's list (it was preempted) or the tail.
void sched_queue_add(struct sched_queue *q, struct sched_entity *e, bool head);
void sched_queue_remove(struct sched_queue *q, struct sched_entity *e);
struct sched_entity *sched_queue_first(const struct sched_queue *q); // NULL: empty
// Next after `e` in the order of running, or NULL. For balancing.
struct sched_entity *sched_queue_next(const struct sched_queue *q, const struct sched_entity *e);
// `e` ran for delta_ns.
void sched_queue_charge(struct sched_queue *q, struct sched_entity *e, uint64_t delta_ns);
// The queue's minimum follows the smaller of the running entity (NULL: none) and the first.
void sched_queue_advance(struct sched_queue *q, const struct sched_entity *running);
// A sleeper (or a newcomer: no credit) comes to the queue, with vruntime relative to its minimum.
void sched_queue_place(struct sched_queue *q, struct sched_entity *e, bool credit);
// Make vruntime relative to q's minimum, for the journey to another queue.
void sched_queue_leave(const struct sched_queue *q, struct sched_entity *e);
// Should `e`, which just became runnable, replace `running` at once?
bool sched_entity_preempts(const struct sched_entity *e, const struct sched_entity *running);
// The running entity's slice is used up: must it let the queue's first run?
bool sched_queue_slice_ends(const struct sched_queue *q, const struct sched_entity *running);

static inline bool sched_entity_is_rt(const struct sched_entity *e)
{
    return e->rt_priority > 0;
}

static inline uint64_t sched_entity_slice(const struct sched_entity *e)
{
    return sched_entity_is_rt(e) ? SCHED_SLICE_RR_NS : SCHED_SLICE_NS;
}
