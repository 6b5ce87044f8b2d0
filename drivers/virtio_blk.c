// SPDX-License-Identifier: BSD-2-Clause
// virtio block device as /dev/vda.. (VIRTIO 1.1, 5.2). A request is a chain: header, pages, status.
// The thread that asks sleeps until its own request is done; requests of several threads overlap.

#include "virtio_priv.h"

#include <arch/log.h>
#include <arch/mmu.h>
#include <errno.h>
#include <fs/block.h>
#include <fs/chrdev.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <stdio.h>
#include <sync/wait_queue.h>

#define FEATURE_RO    5
#define FEATURE_FLUSH 9

#define REQUEST_IN    0U
#define REQUEST_OUT   1U
#define REQUEST_FLUSH 4U
#define STATUS_OK     0
#define STATUS_NONE   0xff

#define SECTOR_SIZE       512U
#define SECTORS_PER_PAGE  (PAGE_SIZE / SECTOR_SIZE)
#define PAGES_PER_REQUEST 32U
#define BLK_MAJOR         254
#define DISKS_MAX         26

struct blk_header { // struct virtio_blk_req
    uint32_t type, reserved;
    uint64_t sector;
};

struct blk_request { // on the heap: the device writes into it
    struct blk_header header;
    uint8_t status;
    bool done; // guarded by the queue's lock for writing; the sleeper reads it with acquire
};

struct blk {
    struct virtio_device *device;
    struct virtqueue queue;
    struct wait_queue done, room; // a request is done; descriptors came free
    struct block_device block;
};

static unsigned int nr_disks;

static void blk_interrupt(struct virtio_device *v)
{
    struct blk *b = v->private;
    struct blk_request *r;
    uint32_t length;

    irq_flags_t flags = spin_lock_irqsave(&b->queue.lock);
    while ((r = virtqueue_pop(&b->queue, &length)))
        atomic_store_release(&r->done, true); // pairs with the acquire in submit()
    spin_unlock_irqrestore(&b->queue.lock, flags);
    wait_queue_wake_all(&b->done);
    wait_queue_wake_all(&b->room);
}

static bool try_push(struct blk *b, const struct virtio_buffer *buffers, unsigned int nr,
                     struct blk_request *r)
{
    irq_flags_t flags = spin_lock_irqsave(&b->queue.lock);
    int err = virtqueue_push(&b->queue, buffers, nr, r);
    if (err == 0)
        virtio_notify(b->device, 0);
    spin_unlock_irqrestore(&b->queue.lock, flags);
    return err == 0;
}

// One request, start to end. 0 or -EIO/-ENOMEM.
static int submit(struct blk *b, uint32_t type, uint64_t sector, struct page *const *pages,
                  unsigned int nr_sectors)
{
    struct virtio_buffer buffers[PAGES_PER_REQUEST + 2];
    struct blk_request *r = kzalloc(sizeof(*r));
    unsigned int n = 0;

    if (!r)
        return -ENOMEM;
    r->header = (struct blk_header){.type = type, .sector = sector};
    r->status = STATUS_NONE;
    buffers[n++] = (struct virtio_buffer){virt_to_phys(&r->header), sizeof(r->header), false};
    for (unsigned int i = 0; nr_sectors > 0; i++) {
        unsigned int part = (unsigned int)MIN(nr_sectors, SECTORS_PER_PAGE);
        buffers[n++] =
            (struct virtio_buffer){page_to_phys(pages[i]), part * SECTOR_SIZE, type == REQUEST_IN};
        nr_sectors -= part;
    }
    buffers[n++] = (struct virtio_buffer){virt_to_phys(&r->status), 1, true};

    wait_event(&b->room, try_push(b, buffers, n, r), PARK_UNINTERRUPTIBLE, TIME_NEVER);
    // Pairs with the release in blk_interrupt(): status and data are there when done is.
    wait_event(&b->done, atomic_load_acquire(&r->done), PARK_UNINTERRUPTIBLE, TIME_NEVER);
    int err = r->status == STATUS_OK ? 0 : -EIO;
    kfree(r);
    return err;
}

static int blk_transfer(struct block_device *block, bool write, uint64_t sector,
                        struct page *const *pages, unsigned int nr_sectors)
{
    struct blk *b = container_of(block, struct blk, block);

    while (nr_sectors > 0) {
        unsigned int nr_pages = MIN(PAGES_PER_REQUEST, b->queue.size - 2U);
        unsigned int n = (unsigned int)MIN(nr_sectors, nr_pages * SECTORS_PER_PAGE);
        int err = submit(b, write ? REQUEST_OUT : REQUEST_IN, sector, pages, n);
        if (err)
            return err;
        pages += n / SECTORS_PER_PAGE;
        nr_sectors -= n;
        sector += n;
    }
    return 0;
}

static int blk_flush(struct block_device *block)
{
    struct blk *b = container_of(block, struct blk, block);

    if (!(b->device->features & BIT(FEATURE_FLUSH)))
        return 0; // the device has no volatile cache
    return submit(b, REQUEST_FLUSH, 0, NULL, 0);
}

static const struct block_ops blk_ops = {.transfer = blk_transfer, .flush = blk_flush};

static int blk_probe(struct virtio_device *v)
{
    if (nr_disks == DISKS_MAX)
        return -ENOSPC;
    struct blk *b = kzalloc(sizeof(*b));
    if (!b)
        return -ENOMEM;
    b->device = v;
    wait_queue_init(&b->done);
    wait_queue_init(&b->room);
    v->private = b;
    int err = virtio_queue_setup(v, 0, VIRTQ_SIZE_MAX, &b->queue);
    if (!err && b->queue.size < 3)
        err = -EINVAL;
    if (err) {
        kfree(b);
        return err;
    }
    b->block.ops = &blk_ops;
    b->block.nr_sectors = virtio_config_u64(v, 0);
    b->block.read_only = v->features & BIT(FEATURE_RO);
    snprintf(b->block.name, sizeof(b->block.name), "vd%c", 'a' + (char)nr_disks);
    v->interrupt = blk_interrupt;
    virtio_device_ready(v);
    err = block_register(&b->block, DEV_MAKE(BLK_MAJOR, nr_disks * BLOCK_MINORS));
    if (err)
        return err;
    nr_disks++;
    log_info("%s: %lu sectors%s", b->block.name, (unsigned long)b->block.nr_sectors,
             b->block.read_only ? ", read-only" : "");
    return 0;
}

const struct virtio_driver virtio_blk_driver = {
    .id = VIRTIO_ID_BLOCK,
    .name = "virtio-blk",
    .features = BIT(FEATURE_RO) | BIT(FEATURE_FLUSH),
    .probe = blk_probe,
};
