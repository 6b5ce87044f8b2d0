/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * X-Powers AXP15060, the board's PMIC, on I2C5 at 0x36. The first byte written is the register,
 * which counts on with every further byte. Register 0x32 (OpenSBI's jh7110.c): bit 7 switches the
 * board off, bit 6 restarts it; bit 6 wins, as OpenSBI sets both to restart. Voltages are kept and
 * change nothing.
 */
#include "qemu/osdep.h"
#include "system/runstate.h"
#include "jh7110.h"

#define POWER         0x32
#define POWER_OFF     (1u << 7)
#define POWER_RESTART (1u << 6)
#define CHIP_ID       0x03

OBJECT_DECLARE_SIMPLE_TYPE(Axp15060, AXP15060)

struct Axp15060 {
    I2CSlave parent_obj;
    uint8_t reg[256];
    uint8_t pointer;
    bool pointer_next;
};

static int pmic_event(I2CSlave *slave, enum i2c_event event)
{
    AXP15060(slave)->pointer_next = event == I2C_START_SEND;
    return 0;
}

static uint8_t pmic_recv(I2CSlave *slave)
{
    Axp15060 *s = AXP15060(slave);

    return s->reg[s->pointer++];
}

static int pmic_send(I2CSlave *slave, uint8_t value)
{
    Axp15060 *s = AXP15060(slave);
    uint8_t where = s->pointer;

    if (s->pointer_next) {
        s->pointer = value;
        s->pointer_next = false;
        return 0;
    }
    s->pointer++;
    s->reg[where] = value;
    if (where == POWER && (value & POWER_RESTART)) {
        qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    } else if (where == POWER && (value & POWER_OFF)) {
        qemu_system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    }
    return 0;
}

static void pmic_reset(DeviceState *dev)
{
    Axp15060 *s = AXP15060(dev);

    memset(s->reg, 0, sizeof(s->reg));
    s->reg[CHIP_ID] = 0x50;
    s->pointer = 0;
    s->pointer_next = false;
}

static void pmic_class_init(ObjectClass *class, void *data)
{
    I2CSlaveClass *slave = I2C_SLAVE_CLASS(class);

    slave->event = pmic_event;
    slave->recv = pmic_recv;
    slave->send = pmic_send;
    device_class_set_legacy_reset(DEVICE_CLASS(class), pmic_reset);
}

static const TypeInfo pmic_types[] = {
    {.name = TYPE_AXP15060,
     .parent = TYPE_I2C_SLAVE,
     .instance_size = sizeof(Axp15060),
     .class_init = pmic_class_init},
};
DEFINE_TYPES(pmic_types)
