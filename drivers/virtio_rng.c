// SPDX-License-Identifier: BSD-2-Clause
// virtio entropy device (VIRTIO 1.1, 5.4): one buffer at a time goes to the host and, filled, into
// the kernel's random pool.

#include "virtio_priv.h"

#include <arch/log.h>
#include <arch/mmu.h>
#include <core/random.h>
#include <errno.h>
#include <mm/slab.h>

#define SEED_SIZE 64U
#define NR_SEEDS  4U // buffers taken at boot; random.c stretches them

struct rng {
    struct virtio_device *device;
    struct virtqueue queue;
    unsigned int nr_left;
    uint8_t seed[SEED_SIZE];
};

static void rng_ask(struct rng *r) // queue.lock held
{
    struct virtio_buffer buffer = {virt_to_phys(r->seed), SEED_SIZE, true};

    if (virtqueue_push(&r->queue, &buffer, 1, r) == 0)
        virtio_notify(r->device, 0);
}

static void rng_interrupt(struct virtio_device *v)
{
    struct rng *r = v->private;
    uint32_t length;

    irq_flags_t flags = spin_lock_irqsave(&r->queue.lock);
    while (virtqueue_pop(&r->queue, &length)) {
        length = MIN(length, SEED_SIZE);
        random_add(r->seed, length, length * 8);
        if (--r->nr_left > 0)
            rng_ask(r);
        else
            log_info("virtio-rng: %u bytes into the random pool", NR_SEEDS * SEED_SIZE);
    }
    spin_unlock_irqrestore(&r->queue.lock, flags);
}

static int rng_probe(struct virtio_device *v)
{
    struct rng *r = kzalloc(sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->device = v;
    r->nr_left = NR_SEEDS;
    v->private = r;
    int err = virtio_queue_setup(v, 0, 8, &r->queue);
    if (err) {
        kfree(r);
        return err;
    }
    v->interrupt = rng_interrupt;
    virtio_device_ready(v);
    irq_flags_t flags = spin_lock_irqsave(&r->queue.lock);
    rng_ask(r);
    spin_unlock_irqrestore(&r->queue.lock, flags);
    return 0;
}

const struct virtio_driver virtio_rng_driver = {
    .id = VIRTIO_ID_RNG,
    .name = "virtio-rng",
    .probe = rng_probe,
};
