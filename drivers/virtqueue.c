// SPDX-License-Identifier: BSD-2-Clause
// Split virtqueues (VIRTIO 1.1, 2.6): descriptor chains from a free list, the ring of available
// chains, the ring of used ones.

#include "virtio_priv.h"

#include <arch/mmu.h>
#include <errno.h>
#include <lib/assert.h>

#define DESC_NEXT  1U
#define DESC_WRITE 2U

#define AVAIL_IDX  1
#define AVAIL_RING 2
#define USED_IDX   1

size_t virtqueue_bytes(uint16_t size)
{
    size_t driver_part = sizeof(struct virtq_desc) * size + 2UL * (3UL + size);
    size_t device_part = 2UL * 3 + sizeof(struct virtq_used_elem) * size;

    return ALIGN_UP(driver_part, PAGE_SIZE) + ALIGN_UP(device_part, PAGE_SIZE);
}

void virtqueue_init(struct virtqueue *q, uint16_t size, void *memory)
{
    size_t driver_part = sizeof(struct virtq_desc) * size + 2UL * (3UL + size);

    spin_init(&q->lock);
    q->size = q->nr_free = size;
    q->free_head = 0;
    q->last_used = 0;
    q->desc = memory;
    q->avail = (volatile uint16_t *)(q->desc + size);
    q->used = (volatile uint16_t *)((uint8_t *)memory + ALIGN_UP(driver_part, PAGE_SIZE));
    for (uint16_t i = 0; i < size; i++)
        q->desc[i].next = (uint16_t)(i + 1);
}

int virtqueue_push(struct virtqueue *q, const struct virtio_buffer *buffers, unsigned int nr,
                   void *token)
{
    spin_assert_held(&q->lock);
    ASSERT(nr > 0 && nr <= q->size);
    if (nr > q->nr_free)
        return -EAGAIN;
    uint16_t head = q->free_head, at = head;
    for (unsigned int i = 0; i < nr; i++) {
        struct virtq_desc *d = &q->desc[at];
        d->addr = buffers[i].addr;
        d->length = buffers[i].length;
        d->flags =
            (uint16_t)((buffers[i].device_writes ? DESC_WRITE : 0) | (i + 1 < nr ? DESC_NEXT : 0));
        at = d->next; // the free list already links what the chain needs
    }
    q->free_head = at;
    q->nr_free = (uint16_t)(q->nr_free - nr);
    q->token[head] = token;

    uint16_t idx = q->avail[AVAIL_IDX];
    q->avail[AVAIL_RING + idx % q->size] = head;
    // The chain and its ring entry before the index; pairs with the device's read of the index.
    __atomic_thread_fence(__ATOMIC_RELEASE);
    q->avail[AVAIL_IDX] = (uint16_t)(idx + 1);
    return 0;
}

void *virtqueue_pop(struct virtqueue *q, uint32_t *length)
{
    spin_assert_held(&q->lock);
    if (q->used[USED_IDX] == q->last_used)
        return NULL;
    // The index before the entry and the data; pairs with the device's write of the index.
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    const volatile struct virtq_used_elem *ring =
        (const volatile struct virtq_used_elem *)(q->used + 2);
    uint32_t head = ring[q->last_used % q->size].id;
    *length = ring[q->last_used % q->size].length;
    q->last_used++;
    if (head >= q->size || !q->token[head]) // a broken device names what it was never given
        return NULL;

    uint16_t last = (uint16_t)head, nr = 1;
    for (; q->desc[last].flags & DESC_NEXT; nr++)
        last = q->desc[last].next;
    q->desc[last].next = q->free_head;
    q->free_head = (uint16_t)head;
    q->nr_free = (uint16_t)(q->nr_free + nr);
    void *token = q->token[head];
    q->token[head] = NULL;
    return token;
}
