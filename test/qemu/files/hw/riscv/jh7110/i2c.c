/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Synopsys DW_apb_i2c as a master with 7-bit addresses (DesignWare DW_apb_i2c databook).
 *
 * A write to DATA_CMD is one byte to send, or with bit 8 one to receive; bit 9 ends it with a stop,
 * bit 10 begins it with a new start. The bus takes no time, so that the transmit FIFO is always
 * empty; received bytes wait in a FIFO of 16, and one too many is lost and noted (RX_OVER). When
 * nobody answers, the transfer is aborted: the rest of it is thrown away until CLR_TX_ABRT is read.
 * Without a stop the bus stays claimed, as on the board. Slave mode and SMBus are left out.
 */
#include "qemu/osdep.h"
#include "hw/irq.h"
#include "qemu/fifo8.h"
#include "jh7110.h"

enum {
    CON = 0x00,
    TAR = 0x04,
    DATA_CMD = 0x10,
    INTR_STAT = 0x2c,
    INTR_MASK = 0x30,
    RAW_INTR_STAT = 0x34,
    RX_TL = 0x38,
    CLR_INTR = 0x40,
    CLR_RX_UNDER = 0x44,
    CLR_RX_OVER = 0x48,
    CLR_TX_ABRT = 0x54,
    CLR_ACTIVITY = 0x5c,
    CLR_STOP_DET = 0x60,
    CLR_START_DET = 0x64,
    ENABLE = 0x6c,
    STATUS = 0x70,
    TXFLR = 0x74,
    RXFLR = 0x78,
    TX_ABRT_SOURCE = 0x80,
    ENABLE_STATUS = 0x9c,
    COMP_PARAM_1 = 0xf4,
    COMP_VERSION = 0xf8,
    COMP_TYPE = 0xfc,
    SIZE = 0x100,
};

#define DATA_READ    (1u << 8)
#define DATA_STOP    (1u << 9)
#define DATA_RESTART (1u << 10)

#define INTR_RX_UNDER  (1u << 0)
#define INTR_RX_OVER   (1u << 1)
#define INTR_RX_FULL   (1u << 2)
#define INTR_TX_EMPTY  (1u << 4)
#define INTR_TX_ABRT   (1u << 6)
#define INTR_ACTIVITY  (1u << 8)
#define INTR_STOP_DET  (1u << 9)
#define INTR_START_DET (1u << 10)

#define ABRT_7B_ADDR_NOACK (1u << 0)
#define ABRT_TXDATA_NOACK  (1u << 3)

#define STATUS_ACTIVITY     (1u << 0)
#define STATUS_TX_NOT_FULL  (1u << 1)
#define STATUS_TX_EMPTY     (1u << 2)
#define STATUS_RX_NOT_EMPTY (1u << 3)
#define STATUS_RX_FULL      (1u << 4)
#define STATUS_MASTER       (1u << 5)

#define FIFO_DEPTH 16

OBJECT_DECLARE_SIMPLE_TYPE(DwI2c, DW_I2C)

struct DwI2c {
    SysBusDevice parent_obj;
    MemoryRegion mmio;
    qemu_irq irq;
    I2CBus *bus;
    Fifo8 received;
    uint32_t reg[SIZE / 4]; /* RAW_INTR_STAT holds those that stay until cleared */
    bool started, reading;
};

static uint32_t *reg(DwI2c *s, uint32_t offset)
{
    return &s->reg[offset / 4];
}

static bool enabled(DwI2c *s)
{
    return *reg(s, ENABLE) & 1;
}

static uint32_t raw_interrupts(DwI2c *s)
{
    uint32_t raw = *reg(s, RAW_INTR_STAT);

    if (enabled(s)) {
        raw |= INTR_TX_EMPTY;
    }
    if (fifo8_num_used(&s->received) > *reg(s, RX_TL)) {
        raw |= INTR_RX_FULL;
    }
    return raw;
}

static void update_irq(DwI2c *s)
{
    qemu_set_irq(s->irq, (raw_interrupts(s) & *reg(s, INTR_MASK)) != 0);
}

static void end_transfer(DwI2c *s)
{
    if (s->started) {
        i2c_end_transfer(s->bus);
        s->started = false;
        *reg(s, RAW_INTR_STAT) |= INTR_STOP_DET;
    }
}

static void abort_transfer(DwI2c *s, uint32_t source)
{
    end_transfer(s);
    *reg(s, TX_ABRT_SOURCE) |= source;
    *reg(s, RAW_INTR_STAT) |= INTR_TX_ABRT | INTR_STOP_DET;
}

/* Direction or target changes only with a start. */
static bool address_target(DwI2c *s, bool read, bool restart)
{
    if (s->started && s->reading == read && !restart) {
        return true;
    }
    *reg(s, RAW_INTR_STAT) |= INTR_START_DET | INTR_ACTIVITY;
    if (i2c_start_transfer(s->bus, *reg(s, TAR) & 0x7f, read)) {
        s->started = true; /* so that end_transfer frees the bus */
        abort_transfer(s, ABRT_7B_ADDR_NOACK);
        return false;
    }
    s->started = true;
    s->reading = read;
    return true;
}

static void do_command(DwI2c *s, uint32_t command)
{
    bool read = command & DATA_READ;

    if (!enabled(s) || (*reg(s, RAW_INTR_STAT) & INTR_TX_ABRT)) {
        return;
    }
    if (!address_target(s, read, command & DATA_RESTART)) {
        return;
    }
    if (!read) {
        if (i2c_send(s->bus, command & 0xff)) {
            abort_transfer(s, ABRT_TXDATA_NOACK);
            return;
        }
    } else if (fifo8_is_full(&s->received)) {
        i2c_recv(s->bus);
        *reg(s, RAW_INTR_STAT) |= INTR_RX_OVER;
    } else {
        fifo8_push(&s->received, i2c_recv(s->bus));
    }
    if (command & DATA_STOP) {
        if (read) {
            i2c_nack(s->bus);
        }
        end_transfer(s);
    }
}

static uint32_t pop_received(DwI2c *s)
{
    if (fifo8_is_empty(&s->received)) {
        *reg(s, RAW_INTR_STAT) |= INTR_RX_UNDER;
        return 0;
    }
    return fifo8_pop(&s->received);
}

static uint32_t status(DwI2c *s)
{
    uint32_t value = STATUS_TX_NOT_FULL | STATUS_TX_EMPTY;

    if (s->started) {
        value |= STATUS_ACTIVITY | STATUS_MASTER;
    }
    if (!fifo8_is_empty(&s->received)) {
        value |= STATUS_RX_NOT_EMPTY;
    }
    return fifo8_is_full(&s->received) ? value | STATUS_RX_FULL : value;
}

/* A read of one of the CLR registers: what it clears. */
static uint32_t cleared_by(uint32_t offset)
{
    switch (offset) {
    case CLR_INTR:
        return UINT32_MAX;
    case CLR_RX_UNDER:
        return INTR_RX_UNDER;
    case CLR_RX_OVER:
        return INTR_RX_OVER;
    case CLR_TX_ABRT:
        return INTR_TX_ABRT;
    case CLR_ACTIVITY:
        return INTR_ACTIVITY;
    case CLR_STOP_DET:
        return INTR_STOP_DET;
    case CLR_START_DET:
        return INTR_START_DET;
    }
    return 0;
}

static uint64_t i2c_read(void *opaque, hwaddr offset, unsigned size)
{
    DwI2c *s = opaque;
    uint32_t value = 0, clears = cleared_by(offset);

    if (clears) {
        value = !!(raw_interrupts(s) & clears);
        *reg(s, RAW_INTR_STAT) &= ~clears;
        if (clears & INTR_TX_ABRT) {
            *reg(s, TX_ABRT_SOURCE) = 0;
        }
    } else if (offset == DATA_CMD) {
        value = pop_received(s);
    } else if (offset == INTR_STAT) {
        value = raw_interrupts(s) & *reg(s, INTR_MASK);
    } else if (offset == RAW_INTR_STAT) {
        value = raw_interrupts(s);
    } else if (offset == STATUS) {
        value = status(s);
    } else if (offset == RXFLR) {
        value = fifo8_num_used(&s->received);
    } else if (offset == ENABLE_STATUS) {
        value = enabled(s);
    } else if (offset < SIZE) {
        value = *reg(s, offset);
    }
    update_irq(s);
    return value;
}

static void i2c_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    DwI2c *s = opaque;

    if (offset == DATA_CMD) {
        do_command(s, value);
    } else if (offset == ENABLE) {
        *reg(s, ENABLE) = value & 1; /* an abort asked for (bit 1) has nothing to stop */
        if (!enabled(s)) {
            end_transfer(s);
            fifo8_reset(&s->received);
            *reg(s, RAW_INTR_STAT) = 0;
        }
    } else if (offset <= RX_TL + 4 && offset != INTR_STAT && offset != RAW_INTR_STAT) {
        *reg(s, offset) = value;
    } else if (offset == 0x7c || (offset > TX_ABRT_SOURCE && offset < ENABLE_STATUS) ||
               offset == 0xa0) {
        *reg(s, offset) = value; /* hold times and spike lengths: kept */
    }
    update_irq(s);
}

static const MemoryRegionOps i2c_ops = {
    .read = i2c_read,
    .write = i2c_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 4, .max_access_size = 4},
};

static void i2c_reset(DeviceState *dev)
{
    DwI2c *s = DW_I2C(dev);

    end_transfer(s);
    fifo8_reset(&s->received);
    memset(s->reg, 0, sizeof(s->reg));
    *reg(s, CON) = 0x7f;
    *reg(s, TAR) = 0x55;
    *reg(s, INTR_MASK) = 0x8ff;
    *reg(s, COMP_PARAM_1) = (FIFO_DEPTH - 1) << 16 | (FIFO_DEPTH - 1) << 8 | 0x6e;
    *reg(s, COMP_VERSION) = 0x3230312a; /* "201*" */
    *reg(s, COMP_TYPE) = 0x44570140;
    update_irq(s);
}

static void i2c_realize(DeviceState *dev, Error **errp)
{
    DwI2c *s = DW_I2C(dev);

    fifo8_create(&s->received, FIFO_DEPTH);
    s->bus = i2c_init_bus(dev, "i2c");
    memory_region_init_io(&s->mmio, OBJECT(dev), &i2c_ops, s, TYPE_DW_I2C, 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
    sysbus_init_irq(SYS_BUS_DEVICE(dev), &s->irq);
}

static void i2c_class_init(ObjectClass *class, void *data)
{
    DEVICE_CLASS(class)->realize = i2c_realize;
    device_class_set_legacy_reset(DEVICE_CLASS(class), i2c_reset);
}

static const TypeInfo i2c_types[] = {
    {.name = TYPE_DW_I2C,
     .parent = TYPE_SYS_BUS_DEVICE,
     .instance_size = sizeof(DwI2c),
     .class_init = i2c_class_init},
};
DEFINE_TYPES(i2c_types)
