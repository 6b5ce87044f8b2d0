/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Synopsys DesignWare mobile storage host 2.90a, one card, FIFO of 32 words (DWC_mobile_storage
 * databook; register names as in Linux's and U-Boot's public drivers).
 *
 * A write to CMD with bit 31 starts a command: bit 21 only takes over CLKENA and CLKDIV, bit 9 says
 * that data follow, bit 10 which way, bit 12 that CMD12 ends them. Data go through the FIFO, by the
 * processor (RXDR and TXDR ask for it) or by the internal DMA controller with its chain of 16-byte
 * descriptors, which has 32-bit addresses. The card takes no time.
 *
 * Line in: "ciu", high while the card's clock runs. Without it a command is never taken: CMD keeps
 * bit 31, as on the board. CDETECT is not wired on VisionFive 2 (card detect is GPIO 41) and reads
 * "no card"; line out: "inserted", for that GPIO.
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "hw/irq.h"
#include "hw/sd/sd.h"
#include "system/dma.h"
#include "jh7110.h"

enum {
    CTRL = 0x00,
    PWREN = 0x04,
    CLKENA = 0x10,
    TMOUT = 0x14,
    BLKSIZ = 0x1c,
    BYTCNT = 0x20,
    INTMASK = 0x24,
    CMDARG = 0x28,
    CMD = 0x2c,
    RESP0 = 0x30,
    RESP1 = 0x34,
    RESP3 = 0x3c,
    MINTSTS = 0x40,
    RINTSTS = 0x44,
    STATUS = 0x48,
    FIFOTH = 0x4c,
    CDETECT = 0x50,
    WRTPRT = 0x54,
    TCBCNT = 0x5c,
    TBBCNT = 0x60,
    DEBNCE = 0x64,
    VERID = 0x6c,
    HCON = 0x70,
    BMOD = 0x80,
    PLDMND = 0x84,
    DBADDR = 0x88,
    IDSTS = 0x8c,
    IDINTEN = 0x90,
    DSCADDR = 0x94,
    BUFADDR = 0x98,
    CARDTHRCTL = 0x100,
    SIZE = 0x104,
    FIFO = 0x200,
};

#define CTRL_RESET      (1u << 0)
#define CTRL_FIFO_RESET (1u << 1)
#define CTRL_DMA_RESET  (1u << 2)
#define CTRL_INT_ENABLE (1u << 4)
#define CTRL_USE_IDMAC  (1u << 25)

#define CMD_RESPONSE      (1u << 6)
#define CMD_LONG_RESPONSE (1u << 7)
#define CMD_DATA          (1u << 9)
#define CMD_WRITE         (1u << 10)
#define CMD_AUTO_STOP     (1u << 12)
#define CMD_CLOCK_ONLY    (1u << 21)
#define CMD_START         (1u << 31)

#define INT_COMMAND_DONE     (1u << 2)
#define INT_DATA_DONE        (1u << 3)
#define INT_TX_REQUEST       (1u << 4)
#define INT_RX_REQUEST       (1u << 5)
#define INT_RESPONSE_TIMEOUT (1u << 8)
#define INT_AUTO_STOP_DONE   (1u << 14)

#define STATUS_RX_WATERMARK (1u << 0)
#define STATUS_TX_WATERMARK (1u << 1)
#define STATUS_EMPTY        (1u << 2)
#define STATUS_FULL         (1u << 3)
#define STATUS_DATA3        (1u << 8)

#define BMOD_RESET  (1u << 0)
#define BMOD_ENABLE (1u << 7)

#define IDSTS_SENT        (1u << 0)
#define IDSTS_RECEIVED    (1u << 1)
#define IDSTS_BUS_ERROR   (1u << 2)
#define IDSTS_UNAVAILABLE (1u << 4)
#define IDSTS_NORMAL      (1u << 8)
#define IDSTS_ABNORMAL    (1u << 9)
#define IDSTS_ALL         0x337u

#define DESC_NO_INTERRUPT (1u << 1)
#define DESC_LAST         (1u << 2)
#define DESC_CHAINED      (1u << 4)
#define DESC_END_OF_RING  (1u << 5)
#define DESC_OWN          (1u << 31)
#define DESC_SIZE(w, n)   extract32(w, 13 * (n), 13)

#define FIFO_WORDS      32
#define DESCRIPTORS_MAX 65536 /* in one go: a chain that never ends must not hang the machine */

OBJECT_DECLARE_SIMPLE_TYPE(DwMshc, DW_MSHC)

struct DwMshc {
    SysBusDevice parent_obj;
    MemoryRegion mmio;
    SDBus bus;
    qemu_irq irq, inserted_line;
    uint32_t reg[SIZE / 4];
    uint32_t fifo[FIFO_WORDS];
    uint32_t head, level; /* words in the FIFO */
    uint32_t left;        /* bytes that the card still gives or takes */
    bool active, writing, auto_stop;
    bool ciu_clock, card_clock; /* from outside; and as CLKENA was taken over */
};

static uint32_t *reg(DwMshc *s, uint32_t offset)
{
    return &s->reg[offset / 4];
}

static void update_irq(DwMshc *s)
{
    bool host = *reg(s, RINTSTS) & *reg(s, INTMASK);
    bool dma = *reg(s, IDSTS) & *reg(s, IDINTEN) & IDSTS_ALL;

    qemu_set_irq(s->irq, (host || dma) && (*reg(s, CTRL) & CTRL_INT_ENABLE));
}

/* Returns whether the card answered as the command says it does. */
static bool send_command(DwMshc *s, uint32_t command, uint32_t argument)
{
    SDRequest request = {.cmd = command & 0x3f, .arg = argument};
    uint8_t response[16];
    int length = sdbus_do_command(&s->bus, &request, response);

    if (!(command & CMD_RESPONSE)) {
        return true;
    }
    if (length != (command & CMD_LONG_RESPONSE ? 16 : 4)) {
        return false;
    }
    for (int i = 0; i < length / 4; i++) {
        *reg(s, RESP0 + 4 * i) = ldl_be_p(response + length - 4 - 4 * i);
    }
    return true;
}

static void send_stop(DwMshc *s)
{
    SDRequest request = {.cmd = 12};
    uint8_t response[16];

    if (sdbus_do_command(&s->bus, &request, response) == 4) {
        *reg(s, RESP1) = ldl_be_p(response);
    }
    *reg(s, RINTSTS) |= INT_AUTO_STOP_DONE;
}

static void end_data(DwMshc *s)
{
    s->active = false;
    *reg(s, RINTSTS) |= INT_DATA_DONE;
    if (s->auto_stop) {
        send_stop(s);
    }
}

static void push_word(DwMshc *s, uint32_t word)
{
    s->fifo[(s->head + s->level++) % FIFO_WORDS] = word;
}

static uint32_t pop_word(DwMshc *s)
{
    uint32_t word = s->fifo[s->head];

    s->head = (s->head + 1) % FIFO_WORDS;
    s->level--;
    return word;
}

static void card_to_fifo(DwMshc *s)
{
    while (s->left && s->level < FIFO_WORDS) {
        uint8_t bytes[4] = {0};
        uint32_t n = MIN(sizeof(bytes), s->left);

        sdbus_read_data(&s->bus, bytes, n);
        push_word(s, ldl_le_p(bytes));
        s->left -= n;
    }
    if (s->level > extract32(*reg(s, FIFOTH), 16, 12)) {
        *reg(s, RINTSTS) |= INT_RX_REQUEST;
    }
}

static void fifo_to_card(DwMshc *s)
{
    while (s->left && s->level) {
        uint8_t bytes[4];
        uint32_t n = MIN(sizeof(bytes), s->left);

        stl_le_p(bytes, pop_word(s));
        sdbus_write_data(&s->bus, bytes, n);
        s->left -= n;
    }
    if (s->left && s->level <= extract32(*reg(s, FIFOTH), 0, 12)) {
        *reg(s, RINTSTS) |= INT_TX_REQUEST;
    }
}

/* Moves what can be moved between card and FIFO; the request bits come back while they hold. */
static void move_by_fifo(DwMshc *s)
{
    if (!s->active) {
        return;
    }
    if (s->writing) {
        fifo_to_card(s);
    } else {
        card_to_fifo(s);
    }
    if (!s->left) {
        end_data(s);
    }
}

static void dma_stops(DwMshc *s, uint32_t why)
{
    *reg(s, IDSTS) |= why | IDSTS_ABNORMAL;
}

static bool move_buffer(DwMshc *s, uint32_t address, uint32_t size)
{
    uint8_t bytes[4096];

    size = MIN(size, s->left);
    while (size) {
        uint32_t n = MIN(size, sizeof(bytes));
        MemTxResult result;

        if (s->writing) {
            result =
                dma_memory_read(&address_space_memory, address, bytes, n, MEMTXATTRS_UNSPECIFIED);
            sdbus_write_data(&s->bus, bytes, n);
        } else {
            sdbus_read_data(&s->bus, bytes, n);
            result =
                dma_memory_write(&address_space_memory, address, bytes, n, MEMTXATTRS_UNSPECIFIED);
        }
        if (result != MEMTX_OK) {
            return false;
        }
        address += n;
        size -= n;
        s->left -= n;
    }
    return true;
}

static uint32_t next_descriptor(DwMshc *s, uint32_t at, const uint32_t desc[4])
{
    if (desc[0] & DESC_CHAINED) {
        return desc[3];
    }
    if (desc[0] & DESC_END_OF_RING) {
        return *reg(s, DBADDR);
    }
    return at + 16 + 4 * extract32(*reg(s, BMOD), 2, 5);
}

/* One descriptor; false ends the run. */
static bool move_by_descriptor(DwMshc *s)
{
    uint32_t at = *reg(s, DSCADDR), desc[4];

    if (dma_memory_read(&address_space_memory, at, desc, sizeof(desc), MEMTXATTRS_UNSPECIFIED)) {
        dma_stops(s, IDSTS_BUS_ERROR);
        return false;
    }
    for (int i = 0; i < 4; i++) {
        desc[i] = le32_to_cpu(desc[i]);
    }
    if (!(desc[0] & DESC_OWN)) {
        dma_stops(s, IDSTS_UNAVAILABLE);
        return false;
    }
    *reg(s, BUFADDR) = desc[2];
    if (!move_buffer(s, desc[2], DESC_SIZE(desc[1], 0)) ||
        (!(desc[0] & DESC_CHAINED) && !move_buffer(s, desc[3], DESC_SIZE(desc[1], 1)))) {
        dma_stops(s, IDSTS_BUS_ERROR);
        return false;
    }
    stl_le_dma(&address_space_memory, at, desc[0] & ~DESC_OWN, MEMTXATTRS_UNSPECIFIED);
    if (!(desc[0] & DESC_NO_INTERRUPT)) {
        *reg(s, IDSTS) |= (s->writing ? IDSTS_SENT : IDSTS_RECEIVED) | IDSTS_NORMAL;
    }
    *reg(s, DSCADDR) = next_descriptor(s, at, desc);
    if (!s->left) {
        end_data(s);
    }
    return s->active && !(desc[0] & DESC_LAST);
}

static void move_by_dma(DwMshc *s)
{
    for (uint32_t n = 0; n < DESCRIPTORS_MAX && move_by_descriptor(s); n++) {
    }
}

static bool uses_dma(DwMshc *s)
{
    return (*reg(s, CTRL) & CTRL_USE_IDMAC) && (*reg(s, BMOD) & BMOD_ENABLE);
}

static void start_data(DwMshc *s, uint32_t command)
{
    s->active = true;
    s->writing = command & CMD_WRITE;
    s->auto_stop = command & CMD_AUTO_STOP;
    s->left = *reg(s, BYTCNT);
    s->head = s->level = 0;
    if (uses_dma(s)) {
        *reg(s, DSCADDR) = *reg(s, DBADDR);
        move_by_dma(s);
    } else {
        move_by_fifo(s);
    }
}

static void start(DwMshc *s)
{
    uint32_t command = *reg(s, CMD);

    if (!(command & CMD_START) || !s->ciu_clock) {
        return;
    }
    *reg(s, CMD) = command & ~CMD_START;
    if (command & CMD_CLOCK_ONLY) {
        s->card_clock = *reg(s, CLKENA) & 1;
        return;
    }
    if (!(*reg(s, PWREN) & 1) || !s->card_clock) {
        qemu_log_mask(LOG_GUEST_ERROR, "dw-mshc: command without power or clock\n");
        *reg(s, RINTSTS) |= INT_RESPONSE_TIMEOUT | INT_COMMAND_DONE;
        return;
    }
    *reg(s, RINTSTS) |= INT_COMMAND_DONE;
    if (!send_command(s, command, *reg(s, CMDARG))) {
        *reg(s, RINTSTS) |= INT_RESPONSE_TIMEOUT;
    } else if (command & CMD_DATA) {
        start_data(s, command);
    }
}

static uint32_t status(DwMshc *s)
{
    uint32_t value = s->level << 17 | STATUS_DATA3;

    if (s->level > extract32(*reg(s, FIFOTH), 16, 12)) {
        value |= STATUS_RX_WATERMARK;
    }
    if (s->level <= extract32(*reg(s, FIFOTH), 0, 12)) {
        value |= STATUS_TX_WATERMARK;
    }
    if (!s->level) {
        value |= STATUS_EMPTY;
    }
    return s->level == FIFO_WORDS ? value | STATUS_FULL : value;
}

static uint64_t mshc_read(void *opaque, hwaddr offset, unsigned size)
{
    DwMshc *s = opaque;
    uint32_t value = 0;

    if (offset >= FIFO) {
        value = s->level ? pop_word(s) : 0;
        move_by_fifo(s);
        update_irq(s);
        return value;
    }
    switch (offset) {
    case MINTSTS:
        return *reg(s, RINTSTS) & *reg(s, INTMASK);
    case STATUS:
        return status(s);
    case CDETECT:
        return 1;
    case WRTPRT:
        return sdbus_get_readonly(&s->bus);
    case TCBCNT:
    case TBBCNT:
        return *reg(s, BYTCNT) - s->left;
    }
    return offset < SIZE ? *reg(s, offset) : 0;
}

static void write_control(DwMshc *s, uint32_t value)
{
    if (value & CTRL_RESET) {
        s->active = false;
        *reg(s, CMD) &= ~CMD_START;
    }
    if (value & CTRL_FIFO_RESET) {
        s->head = s->level = 0;
    }
    /* All three end by themselves; one of DMA finds nothing under way. */
    *reg(s, CTRL) = value & ~(CTRL_RESET | CTRL_FIFO_RESET | CTRL_DMA_RESET);
}

static bool read_only(hwaddr offset)
{
    switch (offset) {
    case RESP0 ... MINTSTS:
    case STATUS:
    case CDETECT:
    case WRTPRT:
    case TCBCNT:
    case TBBCNT:
    case VERID:
    case HCON:
    case DSCADDR:
    case BUFADDR:
        return true;
    }
    return offset >= SIZE;
}

static void mshc_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    DwMshc *s = opaque;

    if (offset >= FIFO) {
        if (s->level < FIFO_WORDS) {
            push_word(s, value);
        }
        move_by_fifo(s);
    } else if (offset == CTRL) {
        write_control(s, value);
    } else if (offset == RINTSTS) {
        *reg(s, RINTSTS) &= ~value;
        move_by_fifo(s);
    } else if (offset == IDSTS) {
        *reg(s, IDSTS) &= ~value;
    } else if (offset == BMOD) {
        *reg(s, BMOD) = value & ~BMOD_RESET;
    } else if (offset == PLDMND) {
        if (s->active && uses_dma(s)) {
            move_by_dma(s);
        }
    } else if (!read_only(offset)) {
        *reg(s, offset) = value;
        if (offset == CMD) {
            start(s);
        }
    }
    update_irq(s);
}

static const MemoryRegionOps mshc_ops = {
    .read = mshc_read,
    .write = mshc_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 4, .max_access_size = 4},
};

static void ciu_changed(void *opaque, int n, int level)
{
    DwMshc *s = opaque;

    s->ciu_clock = level;
    start(s); /* a command that waited for the clock */
    update_irq(s);
}

static void mshc_reset(DeviceState *dev)
{
    DwMshc *s = DW_MSHC(dev);

    memset(s->reg, 0, sizeof(s->reg));
    s->head = s->level = s->left = 0;
    s->active = s->card_clock = false;
    *reg(s, TMOUT) = 0xffffff40;
    *reg(s, BLKSIZ) = *reg(s, BYTCNT) = 512;
    *reg(s, FIFOTH) = (FIFO_WORDS - 1) << 16;
    *reg(s, DEBNCE) = 0xffffff;
    *reg(s, VERID) = 0x5342290a;
    *reg(s, HCON) = 1 | 1 << 6 | 1 << 7 | 31 << 10; /* SD and MMC, APB, 32 bits, internal DMA */
    qemu_set_irq(s->inserted_line, sdbus_get_inserted(&s->bus));
    update_irq(s);
}

static void mshc_realize(DeviceState *dev, Error **errp)
{
    DwMshc *s = DW_MSHC(dev);

    qdev_init_gpio_in_named(dev, ciu_changed, "ciu", 1);
    qdev_init_gpio_out_named(dev, &s->inserted_line, "inserted", 1);
    memory_region_init_io(&s->mmio, OBJECT(dev), &mshc_ops, s, TYPE_DW_MSHC, 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
    sysbus_init_irq(SYS_BUS_DEVICE(dev), &s->irq);
    qbus_init(&s->bus, sizeof(s->bus), TYPE_SD_BUS, dev, "sd-bus");
}

static void mshc_class_init(ObjectClass *class, void *data)
{
    DEVICE_CLASS(class)->realize = mshc_realize;
    device_class_set_legacy_reset(DEVICE_CLASS(class), mshc_reset);
}

static const TypeInfo mshc_types[] = {
    {.name = TYPE_DW_MSHC,
     .parent = TYPE_SYS_BUS_DEVICE,
     .instance_size = sizeof(DwMshc),
     .class_init = mshc_class_init},
};
DEFINE_TYPES(mshc_types)
