// SPDX-License-Identifier: BSD-2-Clause
// virtio over MMIO (Virtual I/O Device (VIRTIO) Version 1.1; the legacy interface too): what
// transport and devices share.
//
// A virtqueue's lock guards its rings; it is irq-safe, since completions come by interrupt. Buffers
// are named by physical address and stay with the device until their completion was popped.
#pragma once

#include <lib/types.h>
#include <sync/spinlock.h>

#define VIRTIO_ID_BLOCK 2
#define VIRTIO_ID_RNG   4

#define VIRTIO_F_VERSION_1 32

struct virtq_desc { // 2.6.5 "The Virtqueue Descriptor Table"; little-endian as we are
    uint64_t addr;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

struct virtq_used_elem {
    uint32_t id, length;
};

#define VIRTQ_SIZE_MAX 128

struct virtqueue {
    struct spinlock lock; // guards the rest
    uint16_t size, nr_free, free_head, last_used;
    struct virtq_desc *desc;
    volatile uint16_t *avail;    // flags, idx, ring[size]
    volatile uint16_t *used;     // flags, idx, then struct virtq_used_elem[size]
    void *token[VIRTQ_SIZE_MAX]; // of the chain that starts here
};

struct virtio_device {
    volatile uint8_t *regs;
    uint32_t version; // 1: legacy, 2
    uint32_t irq;
    uint64_t features;                          // negotiated
    void (*interrupt)(struct virtio_device *v); // a queue was used
    void *private;
};

struct virtio_driver {
    uint32_t id;
    const char *name;
    uint64_t features; // those we can use
    // The device is reset and features are agreed. 0 or -errno.
    int (*probe)(struct virtio_device *v);
};

extern const struct virtio_driver virtio_blk_driver, virtio_rng_driver;

// Transport. A queue of at most `size` entries as number `index`. 0, -ENOENT, -ENOMEM.
int virtio_queue_setup(struct virtio_device *v, uint32_t index, uint16_t size, struct virtqueue *q);
void virtio_device_ready(struct virtio_device *v); // DRIVER_OK: from here on it may work
void virtio_notify(struct virtio_device *v, uint32_t index);
uint32_t virtio_config_u32(struct virtio_device *v, uint32_t offset);
uint64_t virtio_config_u64(struct virtio_device *v, uint32_t offset);

// One piece of a request.
struct virtio_buffer {
    paddr_t addr;
    uint32_t length;
    bool device_writes;
};

// Bytes of ring memory for `size` entries, in the legacy layout that both versions accept.
size_t virtqueue_bytes(uint16_t size);
void virtqueue_init(struct virtqueue *q, uint16_t size, void *memory);
// Queue a chain. 0, or -EAGAIN: not enough free descriptors now. Lock held.
int virtqueue_push(struct virtqueue *q, const struct virtio_buffer *buffers, unsigned int nr,
                   void *token);
// Next completed chain's token and the bytes written by the device; NULL: none. Lock held.
void *virtqueue_pop(struct virtqueue *q, uint32_t *length);
