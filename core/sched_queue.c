// SPDX-License-Identifier: BSD-2-Clause
// Order of one hart's threads; see sched_queue_priv.h. The caller holds the run queue's lock.
#include <lib/assert.h>
#include <linux/sched.h>

#include "sched_queue_priv.h"

#define WEIGHT_NORMAL 1024
#define WEIGHT_IDLE   3
#define CHARGE_MAX_NS (4 * NS_PER_SEC) // keeps the multiplication within 64 bits

// 1024 / 1.25^nice: one step of nice is about 10% of a hart between two threads (sched(7)).
static const uint32_t nice_weights[40] = {
    88818, 71054, 56843, 45475, 36380, 29104, 23283, 18626, 14901, 11921, 9537, 7629, 6104, 4883,
    3906,  3125,  2500,  2000,  1600,  1280,  1024,  819,   655,   524,   419,  336,  268,  215,
    172,   137,   110,   88,    70,    56,    45,    36,    29,    23,    18,   15,
};

void sched_queue_init(struct sched_queue *q)
{
    q->fair.node = NULL;
    q->fair_first = NULL;
    q->min_vruntime = 0;
    for (unsigned int i = 0; i < SCHED_RT_LEVELS; i++)
        list_init(&q->rt[i]);
    q->rt_bits[0] = q->rt_bits[1] = 0;
    q->nr = 0;
}

void sched_entity_set_weight(struct sched_entity *e)
{
    ASSERT(e->nice >= -20 && e->nice <= 19);
    e->weight = e->policy == SCHED_IDLE ? WEIGHT_IDLE : nice_weights[e->nice + 20];
    e->weight_inverse = (uint32_t)((1UL << 32) / e->weight);
}

// Virtual times wrap; what counts is who is ahead.
static inline bool vruntime_before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

static void fair_add(struct sched_queue *q, struct sched_entity *e)
{
    struct rb_node **link = &q->fair.node, *parent = NULL;
    bool first = true;
    while (*link) {
        parent = *link;
        // Equal ones behind each other: first in, first out.
        if (vruntime_before(e->vruntime, rb_entry(parent, struct sched_entity, node)->vruntime)) {
            link = &parent->left;
        } else {
            link = &parent->right;
            first = false;
        }
    }
    rb_insert(&q->fair, parent, link, &e->node, NULL);
    if (first)
        q->fair_first = &e->node;
}

static void rt_add(struct sched_queue *q, struct sched_entity *e, bool head)
{
    unsigned int level = (unsigned int)e->rt_priority;
    if (head)
        list_add_head(&q->rt[level], &e->rt_node);
    else
        list_add_tail(&q->rt[level], &e->rt_node);
    q->rt_bits[level / 64] |= BIT(level % 64);
}

void sched_queue_add(struct sched_queue *q, struct sched_entity *e, bool head)
{
    ASSERT(!e->queued);
    if (unlikely(sched_entity_is_rt(e)))
        rt_add(q, e, head);
    else
        fair_add(q, e);
    e->queued = true;
    q->nr++;
}

void sched_queue_remove(struct sched_queue *q, struct sched_entity *e)
{
    ASSERT(e->queued);
    if (unlikely(sched_entity_is_rt(e))) {
        unsigned int level = (unsigned int)e->rt_priority;
        list_remove(&e->rt_node);
        if (list_is_empty(&q->rt[level]))
            q->rt_bits[level / 64] &= ~BIT(level % 64);
    } else {
        if (q->fair_first == &e->node)
            q->fair_first = rb_next(&e->node);
        rb_erase(&q->fair, &e->node, NULL);
    }
    e->queued = false;
    q->nr--;
}

// Highest level below `limit` with somebody in it, or -1.
static int rt_level_below(const struct sched_queue *q, unsigned int limit)
{
    for (int level = (int)limit - 1; level > 0; level--)
        if (q->rt_bits[level / 64] & BIT(level % 64))
            return level;
    return -1;
}

static struct sched_entity *fair_first(const struct sched_queue *q)
{
    return q->fair_first ? rb_entry(q->fair_first, struct sched_entity, node) : NULL;
}

struct sched_entity *sched_queue_first(const struct sched_queue *q)
{
    if (unlikely((q->rt_bits[0] | q->rt_bits[1]) != 0)) {
        int level = rt_level_below(q, SCHED_RT_LEVELS);
        return list_first_entry(&q->rt[level], struct sched_entity, rt_node);
    }
    return fair_first(q);
}

struct sched_entity *sched_queue_next(const struct sched_queue *q, const struct sched_entity *e)
{
    if (!sched_entity_is_rt(e))
        return rb_entry_or_null(rb_next(&e->node), struct sched_entity, node);
    if (e->rt_node.next != &q->rt[e->rt_priority])
        return list_first_entry(&e->rt_node, struct sched_entity, rt_node);
    int level = rt_level_below(q, (unsigned int)e->rt_priority);
    return level > 0 ? list_first_entry(&q->rt[level], struct sched_entity, rt_node)
                     : fair_first(q);
}

void sched_queue_charge(struct sched_queue *q, struct sched_entity *e, uint64_t delta_ns)
{
    e->slice_left_ns -= MIN(delta_ns, e->slice_left_ns);
    if (sched_entity_is_rt(e))
        return;
    if (likely(e->weight == WEIGHT_NORMAL))
        e->vruntime += delta_ns;
    else // delta * 1024 / weight
        e->vruntime += MIN(delta_ns, CHARGE_MAX_NS) * e->weight_inverse >> 22;
}

void sched_queue_advance(struct sched_queue *q, const struct sched_entity *running)
{
    const struct sched_entity *first = fair_first(q);
    if (running && sched_entity_is_rt(running))
        running = NULL;
    if (!first || (running && vruntime_before(running->vruntime, first->vruntime)))
        first = running;
    if (first && vruntime_before(q->min_vruntime, first->vruntime))
        q->min_vruntime = first->vruntime;
}

void sched_queue_place(struct sched_queue *q, struct sched_entity *e, bool credit)
{
    uint64_t earliest = q->min_vruntime - (credit ? SCHED_CREDIT_NS : 0);
    e->vruntime += q->min_vruntime;
    if (vruntime_before(e->vruntime, earliest))
        e->vruntime = earliest;
}

void sched_queue_leave(const struct sched_queue *q, struct sched_entity *e)
{
    e->vruntime -= q->min_vruntime;
}

bool sched_entity_preempts(const struct sched_entity *e, const struct sched_entity *running)
{
    if (e->rt_priority != running->rt_priority)
        return e->rt_priority > running->rt_priority;
    if (sched_entity_is_rt(e))
        return false;
    if ((e->policy == SCHED_IDLE) != (running->policy == SCHED_IDLE))
        return running->policy == SCHED_IDLE;
    return e->policy == SCHED_NORMAL &&
           vruntime_before(e->vruntime + SCHED_GRANULARITY_NS, running->vruntime);
}

bool sched_queue_slice_ends(const struct sched_queue *q, const struct sched_entity *running)
{
    const struct sched_entity *first = sched_queue_first(q);
    if (!first || running->slice_left_ns > 0)
        return false;
    if (first->rt_priority != running->rt_priority)
        return first->rt_priority > running->rt_priority;
    if (sched_entity_is_rt(running))
        return running->policy == SCHED_RR;
    return vruntime_before(first->vruntime, running->vruntime);
}
