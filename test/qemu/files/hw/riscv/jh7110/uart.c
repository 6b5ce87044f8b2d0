/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Synopsys DW_apb_uart: QEMU's 16550A with its registers 4 bytes apart, and what Synopsys added
 * (DesignWare DW_apb_uart databook):
 *
 *   0x1f * 4  USR: busy, FIFO states; a read ends a busy-detect interrupt
 *   0x22 * 4  SRR: software reset
 *   0x30 * 4  DLF: fraction of the divisor
 *   0x3d * 4  CPR, UCV, CTR: how it was configured, version, peripheral type
 *
 * Busy detect: while a character is being sent or received, a write to LCR is refused and IIR reads
 * 7 until USR is read. QEMU's UART sends at once, so only received, unread characters make it busy.
 * Accesses of a byte work too: U-Boot's driver makes them.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/char/serial.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "jh7110.h"

enum {
    IIR = 2 * 4,
    LCR = 3 * 4,
    LAST_16550 = 7 * 4,
    USR = 0x7c,
    SRR = 0x88,
    DLF = 0xc0,
    CPR = 0xf4,
    UCV = 0xf8,
    CTR = 0xfc,
};

#define IIR_NONE         0x01
#define IIR_BUSY         0x07
#define IIR_FIFOS        0xf0
#define LSR_READY        0x01
#define USR_BUSY         0x01
#define USR_TX_NOT_FULL  0x02
#define USR_TX_EMPTY     0x04
#define USR_RX_NOT_EMPTY 0x08

OBJECT_DECLARE_SIMPLE_TYPE(DwUart, DW_APB_UART)

struct DwUart {
    SysBusDevice parent_obj;
    MemoryRegion mmio;
    SerialState serial;
    qemu_irq irq;
    uint32_t fraction;
    bool serial_irq;
    bool busy_irq; /* LCR was written while busy */
};

static void update_irq(DwUart *s)
{
    qemu_set_irq(s->irq, s->serial_irq || s->busy_irq);
}

static void serial_irq_changed(void *opaque, int n, int level)
{
    DwUart *s = opaque;

    s->serial_irq = level;
    update_irq(s);
}

static bool receiving(const DwUart *s)
{
    return s->serial.lsr & LSR_READY;
}

/* QEMU resets its 16550 only with the whole machine; these writes bring it to the same state. */
static void reset_serial(DwUart *s)
{
    static const uint8_t values[][2] = {{3, 0}, {1, 0}, {2, 7}, {2, 0}, {4, 0}, {7, 0}};

    for (int i = 0; i < ARRAY_SIZE(values); i++) {
        serial_io_ops.write(&s->serial, values[i][0], values[i][1], 1);
    }
    s->busy_irq = false;
    s->fraction = 0;
    update_irq(s);
}

static uint64_t uart_read(void *opaque, hwaddr offset, unsigned size)
{
    DwUart *s = opaque;
    uint32_t value;

    if (offset <= LAST_16550) {
        value = serial_io_ops.read(&s->serial, offset / 4, 1);
        if (offset == IIR && s->busy_irq && (value & IIR_NONE)) {
            value = (value & IIR_FIFOS) | IIR_BUSY;
        }
        return value;
    }
    switch (offset) {
    case USR:
        s->busy_irq = false;
        update_irq(s);
        value = USR_TX_NOT_FULL | USR_TX_EMPTY;
        return receiving(s) ? value | USR_RX_NOT_EMPTY | USR_BUSY : value;
    case DLF:
        return s->fraction;
    case CPR:
        return 0x00010002; /* FIFOs of 16, 32-bit bus */
    case UCV:
        return 0x3430322a; /* "402*" */
    case CTR:
        return 0x44570110;
    }
    return 0;
}

static void uart_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    DwUart *s = opaque;

    if (offset == LCR && receiving(s) && (value & 0xff) != s->serial.lcr) {
        s->busy_irq = true;
        update_irq(s);
    } else if (offset <= LAST_16550) {
        serial_io_ops.write(&s->serial, offset / 4, value & 0xff, 1);
    } else if (offset == DLF) {
        s->fraction = value & 0xf;
    } else if (offset == SRR && (value & 1)) {
        reset_serial(s);
    }
}

static const MemoryRegionOps uart_ops = {
    .read = uart_read,
    .write = uart_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 1, .max_access_size = 4},
    .impl = {.min_access_size = 4, .max_access_size = 4},
};

static void uart_reset(DeviceState *dev)
{
    reset_serial(DW_APB_UART(dev));
}

static void uart_realize(DeviceState *dev, Error **errp)
{
    DwUart *s = DW_APB_UART(dev);

    if (!qdev_realize(DEVICE(&s->serial), NULL, errp)) {
        return;
    }
    s->serial.irq = qemu_allocate_irq(serial_irq_changed, s, 0);
    memory_region_init_io(&s->mmio, OBJECT(dev), &uart_ops, s, TYPE_DW_APB_UART, 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
    sysbus_init_irq(SYS_BUS_DEVICE(dev), &s->irq);
}

static void uart_init(Object *obj)
{
    DwUart *s = DW_APB_UART(obj);

    object_initialize_child(obj, "serial", &s->serial, TYPE_SERIAL);
    qdev_alias_all_properties(DEVICE(&s->serial), obj);
}

static void uart_class_init(ObjectClass *class, void *data)
{
    DEVICE_CLASS(class)->realize = uart_realize;
    device_class_set_legacy_reset(DEVICE_CLASS(class), uart_reset);
}

static const TypeInfo uart_types[] = {
    {.name = TYPE_DW_APB_UART,
     .parent = TYPE_SYS_BUS_DEVICE,
     .instance_size = sizeof(DwUart),
     .instance_init = uart_init,
     .class_init = uart_class_init},
};
DEFINE_TYPES(uart_types)
