// SPDX-License-Identifier: BSD-2-Clause
// virtio's MMIO transport, version 2 and legacy (VIRTIO 1.1, 4.2 and 4.2.4): finds out what stands
// at the address, agrees on features, sets queues up.

#include "virtio_priv.h"

#include <arch/log.h>
#include <arch/mmio.h>
#include <arch/mmu.h>
#include <core/driver.h>
#include <core/irq.h>
#include <errno.h>
#include <lib/dt.h>
#include <mm/slab.h>
#include <mm/vmap.h>
#include <string.h>

#define REG_MAGIC            0x000
#define REG_VERSION          0x004
#define REG_DEVICE_ID        0x008
#define REG_DEV_FEATURES     0x010
#define REG_DEV_FEATURES_SEL 0x014
#define REG_DRV_FEATURES     0x020
#define REG_DRV_FEATURES_SEL 0x024
#define REG_GUEST_PAGE_SIZE  0x028 // legacy
#define REG_QUEUE_SEL        0x030
#define REG_QUEUE_NUM_MAX    0x034
#define REG_QUEUE_NUM        0x038
#define REG_QUEUE_ALIGN      0x03c // legacy
#define REG_QUEUE_PFN        0x040 // legacy
#define REG_QUEUE_READY      0x044
#define REG_QUEUE_NOTIFY     0x050
#define REG_IRQ_STATUS       0x060
#define REG_IRQ_ACK          0x064
#define REG_STATUS           0x070
#define REG_QUEUE_DESC       0x080 // each a low and a high word
#define REG_QUEUE_DRIVER     0x090
#define REG_QUEUE_DEVICE     0x0a0
#define REG_CONFIG           0x100

#define MAGIC 0x74726976U // "virt"

#define STATUS_ACKNOWLEDGE 1U
#define STATUS_DRIVER      2U
#define STATUS_DRIVER_OK   4U
#define STATUS_FEATURES_OK 8U
#define STATUS_FAILED      128U

static const struct virtio_driver *const virtio_drivers[] = {&virtio_blk_driver,
                                                             &virtio_rng_driver};

static uint32_t reg_read(struct virtio_device *v, uint32_t reg)
{
    return mmio_read32(v->regs + reg);
}

static void reg_write(struct virtio_device *v, uint32_t reg, uint32_t value)
{
    mmio_write32(v->regs + reg, value);
}

static void reg_write_address(struct virtio_device *v, uint32_t reg, const volatile void *p)
{
    paddr_t pa = virt_to_phys((const void *)p);

    reg_write(v, reg, (uint32_t)pa);
    reg_write(v, reg + 4, (uint32_t)(pa >> 32));
}

uint32_t virtio_config_u32(struct virtio_device *v, uint32_t offset)
{
    return reg_read(v, REG_CONFIG + offset);
}

uint64_t virtio_config_u64(struct virtio_device *v, uint32_t offset)
{
    return virtio_config_u32(v, offset) | (uint64_t)virtio_config_u32(v, offset + 4) << 32;
}

void virtio_notify(struct virtio_device *v, uint32_t index)
{
    reg_write(v, REG_QUEUE_NOTIFY, index);
}

void virtio_device_ready(struct virtio_device *v)
{
    reg_write(v, REG_STATUS, reg_read(v, REG_STATUS) | STATUS_DRIVER_OK);
}

int virtio_queue_setup(struct virtio_device *v, uint32_t index, uint16_t size, struct virtqueue *q)
{
    reg_write(v, REG_QUEUE_SEL, index);
    uint32_t max = reg_read(v, REG_QUEUE_NUM_MAX);
    if (max == 0)
        return -ENOENT;
    size = (uint16_t)MIN(MIN((uint32_t)size, max), (uint32_t)VIRTQ_SIZE_MAX);
    void *memory = kzalloc(ALIGN_UP(virtqueue_bytes(size), PAGE_SIZE));
    if (!memory)
        return -ENOMEM;
    virtqueue_init(q, size, memory);
    reg_write(v, REG_QUEUE_NUM, size);
    if (v->version == 1) {
        reg_write(v, REG_QUEUE_ALIGN, PAGE_SIZE);
        reg_write(v, REG_QUEUE_PFN, (uint32_t)(virt_to_phys(memory) / PAGE_SIZE));
    } else {
        reg_write_address(v, REG_QUEUE_DESC, q->desc);
        reg_write_address(v, REG_QUEUE_DRIVER, q->avail);
        reg_write_address(v, REG_QUEUE_DEVICE, q->used);
        reg_write(v, REG_QUEUE_READY, 1);
    }
    return 0;
}

static void virtio_interrupt(void *arg)
{
    struct virtio_device *v = arg;
    uint32_t status = reg_read(v, REG_IRQ_STATUS);

    reg_write(v, REG_IRQ_ACK, status);
    if (v->interrupt)
        v->interrupt(v);
}

static uint64_t offered_features(struct virtio_device *v)
{
    reg_write(v, REG_DEV_FEATURES_SEL, 0);
    uint64_t features = reg_read(v, REG_DEV_FEATURES);
    if (v->version == 1)
        return features;
    reg_write(v, REG_DEV_FEATURES_SEL, 1);
    return features | (uint64_t)reg_read(v, REG_DEV_FEATURES) << 32;
}

// Reset and agree on features (VIRTIO 1.1, 3.1.1). 0 or -EINVAL.
static int negotiate(struct virtio_device *v, const struct virtio_driver *d)
{
    reg_write(v, REG_STATUS, 0);
    reg_write(v, REG_STATUS, STATUS_ACKNOWLEDGE);
    reg_write(v, REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    uint64_t wanted = d->features | (v->version == 2 ? BIT(VIRTIO_F_VERSION_1) : 0);
    v->features = offered_features(v) & wanted;
    reg_write(v, REG_DRV_FEATURES_SEL, 0);
    reg_write(v, REG_DRV_FEATURES, (uint32_t)v->features);
    if (v->version == 1) {
        reg_write(v, REG_GUEST_PAGE_SIZE, PAGE_SIZE);
        return 0;
    }
    reg_write(v, REG_DRV_FEATURES_SEL, 1);
    reg_write(v, REG_DRV_FEATURES, (uint32_t)(v->features >> 32));
    reg_write(v, REG_STATUS, reg_read(v, REG_STATUS) | STATUS_FEATURES_OK);
    return reg_read(v, REG_STATUS) & STATUS_FEATURES_OK ? 0 : -EINVAL;
}

static int attach(const void *fdt, int node, struct virtio_device *v, const struct virtio_driver *d)
{
    int err = negotiate(v, d);

    if (!err)
        err = irq_from_dt(fdt, node, 0, &v->irq);
    if (!err)
        err = irq_attach(v->irq, virtio_interrupt, v, d->name);
    if (!err)
        err = d->probe(v);
    if (err) {
        log_err("%s: can't be used (%d)", d->name, err);
        reg_write(v, REG_STATUS, STATUS_FAILED);
    }
    return err;
}

static int virtio_probe(const void *fdt, int node)
{
    paddr_t base;
    uint64_t size;

    if (dt_reg(fdt, node, 0, &base, &size) != 0 || size < REG_CONFIG)
        return -EINVAL;
    struct virtio_device *v = kzalloc(sizeof(*v));
    if (!v)
        return -ENOMEM;
    v->regs = vmap_device(base, size);
    int err = -ENODEV;
    if (v->regs && reg_read(v, REG_MAGIC) == MAGIC) {
        v->version = reg_read(v, REG_VERSION);
        uint32_t id = reg_read(v, REG_DEVICE_ID); // 0: an empty slot
        for (size_t i = 0; i < ARRAY_SIZE(virtio_drivers); i++)
            if (virtio_drivers[i]->id == id && (v->version == 1 || v->version == 2))
                return attach(fdt, node, v, virtio_drivers[i]);
        err = id == 0 ? 0 : -ENODEV;
    }
    kfree(v);
    return err;
}

static const char *const virtio_compatible[] = {"virtio,mmio", NULL};

DRIVER(virtio_driver) = {
    .name = "virtio-mmio",
    .compatible = virtio_compatible,
    .phase = DRIVER_DEVICE,
    .probe = virtio_probe,
};
