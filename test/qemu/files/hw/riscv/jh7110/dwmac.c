/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Synopsys DesignWare Ethernet QoS 5.20 with one queue and one DMA channel, and behind it a PHY at
 * MDIO address 0 that looks like the board's YT8531: its link is always up, 1000 Mbit/s, full
 * duplex (register names as in Linux's stmmac and U-Boot's dwc_eth_qos, public drivers; Motorcomm's
 * data sheet).
 *
 * Frames go through rings of 16-byte descriptors in memory below 4 GiB. The ownership bit says
 * whether one is the device's; the tail registers only ask it to look. Sending happens at once. A
 * frame waits in QEMU's queue while there is no descriptor for it. Left out: more queues, time
 * stamps, TSO, MMC counters, hashes of multicast addresses (all multicast passes where a hash would
 * be asked), and what the RGMII delays would break.
 */
#include "qemu/osdep.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "net/checksum.h"
#include "net/eth.h"
#include "net/net.h"
#include "qapi/error.h"
#include "system/dma.h"
#include "jh7110.h"

enum {
    CONFIG = 0x000,
    FILTER = 0x008,
    RXQ_CTRL0 = 0x0a0,
    VERSION = 0x110,
    FEATURE0 = 0x11c,
    FEATURE3 = 0x128,
    MDIO_ADDRESS = 0x200,
    MDIO_DATA = 0x204,
    ADDRESS0_HIGH = 0x300,
    ADDRESS_END = 0x400,
    TXQ_MODE = 0xd00,
    DMA_MODE = 0x1000,
    DMA_INTERRUPTS = 0x1008,
    CH_CONTROL = 0x1100,
    TX_CONTROL = 0x1104,
    RX_CONTROL = 0x1108,
    TX_LIST = 0x1114,
    RX_LIST = 0x111c,
    TX_TAIL = 0x1120,
    RX_TAIL = 0x1128,
    TX_LENGTH = 0x112c,
    RX_LENGTH = 0x1130,
    CH_ENABLE = 0x1134,
    TX_CURRENT = 0x1144,
    RX_CURRENT = 0x114c,
    CH_STATUS = 0x1160,
    SIZE = 0x1200,
};

#define CONFIG_RX (1u << 0)
#define CONFIG_TX (1u << 1)

#define FILTER_PROMISCUOUS    (1u << 0)
#define FILTER_HASH_MULTICAST (1u << 2)
#define FILTER_ALL_MULTICAST  (1u << 4)
#define FILTER_NO_BROADCAST   (1u << 5)
#define FILTER_ALL            (1u << 31)

#define ADDRESS_ENABLE (1u << 31)
#define MDIO_BUSY      (1u << 0)
#define MDIO_WRITE     1
#define MDIO_READ      3
#define START          (1u << 0) /* of TX_CONTROL and RX_CONTROL */
#define SOFT_RESET     (1u << 0)
#define FLUSH_QUEUE    (1u << 0)

#define STATUS_SENT       (1u << 0)
#define STATUS_TX_NO_DESC (1u << 2)
#define STATUS_RECEIVED   (1u << 6)
#define STATUS_RX_NO_DESC (1u << 7)
#define STATUS_BUS_ERROR  (1u << 12)
#define STATUS_ABNORMAL   (1u << 14)
#define STATUS_NORMAL     (1u << 15)
#define NORMAL_ONES       (STATUS_SENT | STATUS_TX_NO_DESC | STATUS_RECEIVED)
#define ABNORMAL_ONES     (STATUS_RX_NO_DESC | STATUS_BUS_ERROR)

/* Word 3 of a descriptor, both directions. */
#define DESC_OWN     (1u << 31)
#define DESC_CONTEXT (1u << 30)
#define DESC_FIRST   (1u << 29)
#define DESC_LAST    (1u << 28)
#define DESC_CSUM(w) extract32(w, 16, 2)
/* Word 2, to send. */
#define DESC_INTERRUPT (1u << 31)

#define RING_MAX 1024
#define FCS_SIZE 4

enum {
    PHY_CONTROL = 0,
    PHY_STATUS = 1,
    PHY_ID1 = 2,
    PHY_ID2 = 3,
    PHY_SPECIFIC = 0x11,
    PHY_PAGE = 0x1e,
    PHY_PAGED = 0x1f
};

OBJECT_DECLARE_SIMPLE_TYPE(DwMac, DWMAC)

struct DwMac {
    SysBusDevice parent_obj;
    MemoryRegion mmio;
    qemu_irq irq;
    NICState *nic;
    NICConf conf;
    uint32_t reg[SIZE / 4];
    uint16_t phy[32];
    uint16_t *phy_extended; /* 64 Ki registers, chosen by PHY_PAGE */
    uint8_t frame[16384];   /* that is being put together for sending */
    uint32_t frame_size;
};

static uint32_t *reg(DwMac *s, uint32_t offset)
{
    return &s->reg[offset / 4];
}

static void report(DwMac *s, uint32_t events)
{
    uint32_t enabled = *reg(s, CH_ENABLE), status = *reg(s, CH_STATUS) | events;

    if (status & enabled & NORMAL_ONES) {
        status |= STATUS_NORMAL;
    }
    if (status & enabled & ABNORMAL_ONES) {
        status |= STATUS_ABNORMAL;
    }
    *reg(s, CH_STATUS) = status;
    qemu_set_irq(s->irq, (status & enabled) != 0);
}

static void advance(DwMac *s, uint32_t list, uint32_t length, uint32_t current)
{
    uint32_t stride = 16 + 8 * extract32(*reg(s, CH_CONTROL), 18, 3);
    uint32_t end = *reg(s, list) + (extract32(*reg(s, length), 0, 10) + 1) * stride;

    *reg(s, current) += stride;
    if (*reg(s, current) >= end) {
        *reg(s, current) = *reg(s, list);
    }
}

static bool read_descriptor(uint32_t at, uint32_t desc[4])
{
    if (dma_memory_read(&address_space_memory, at, desc, 16, MEMTXATTRS_UNSPECIFIED)) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        desc[i] = le32_to_cpu(desc[i]);
    }
    return true;
}

static void append_buffer(DwMac *s, uint32_t address, uint32_t size)
{
    size = MIN(size, sizeof(s->frame) - s->frame_size);
    dma_memory_read(&address_space_memory, address, s->frame + s->frame_size, size,
                    MEMTXATTRS_UNSPECIFIED);
    s->frame_size += size;
}

/* What one descriptor adds to the frame; the events that its end brings. */
static uint32_t send_descriptor(DwMac *s, const uint32_t desc[4])
{
    if (desc[3] & DESC_CONTEXT) {
        return 0;
    }
    if (desc[3] & DESC_FIRST) {
        s->frame_size = 0;
    }
    append_buffer(s, desc[0], extract32(desc[2], 0, 14));
    append_buffer(s, desc[1], extract32(desc[2], 16, 14));
    if (!(desc[3] & DESC_LAST)) {
        return 0;
    }
    if (DESC_CSUM(desc[3])) {
        net_checksum_calculate(s->frame, s->frame_size, CSUM_ALL);
    }
    qemu_send_packet(qemu_get_queue(s->nic), s->frame, s->frame_size);
    return desc[2] & DESC_INTERRUPT ? STATUS_SENT : 0;
}

static void send_frames(DwMac *s)
{
    uint32_t events = 0, desc[4];

    if (!(*reg(s, TX_CONTROL) & START) || !(*reg(s, CONFIG) & CONFIG_TX)) {
        return;
    }
    for (uint32_t n = 0; n < RING_MAX; n++) {
        uint32_t at = *reg(s, TX_CURRENT);

        if (at == *reg(s, TX_TAIL)) {
            events |= STATUS_TX_NO_DESC;
            break;
        }
        if (!read_descriptor(at, desc)) {
            events |= STATUS_BUS_ERROR;
            break;
        }
        if (!(desc[3] & DESC_OWN)) {
            events |= STATUS_TX_NO_DESC;
            break;
        }
        events |= send_descriptor(s, desc);
        stl_le_dma(&address_space_memory, at + 12, desc[3] & (DESC_FIRST | DESC_LAST),
                   MEMTXATTRS_UNSPECIFIED);
        advance(s, TX_LIST, TX_LENGTH, TX_CURRENT);
    }
    report(s, events);
}

static bool receiving(DwMac *s)
{
    return (*reg(s, RX_CONTROL) & START) && (*reg(s, CONFIG) & CONFIG_RX) &&
           extract32(*reg(s, RXQ_CTRL0), 0, 2);
}

static bool can_receive(NetClientState *nc)
{
    DwMac *s = qemu_get_nic_opaque(nc);
    uint32_t desc[4];

    return receiving(s) && read_descriptor(*reg(s, RX_CURRENT), desc) && (desc[3] & DESC_OWN);
}

static bool is_ours(DwMac *s, const uint8_t *destination)
{
    uint32_t filter = *reg(s, FILTER);

    if (filter & (FILTER_PROMISCUOUS | FILTER_ALL)) {
        return true;
    }
    if (is_broadcast_ether_addr(destination)) {
        return !(filter & FILTER_NO_BROADCAST);
    }
    if (is_multicast_ether_addr(destination) &&
        (filter & (FILTER_ALL_MULTICAST | FILTER_HASH_MULTICAST))) {
        return true;
    }
    for (uint32_t at = ADDRESS0_HIGH; at < ADDRESS_END; at += 8) {
        uint8_t address[ETH_ALEN];

        stl_le_p(address, *reg(s, at + 4));
        stw_le_p(address + 4, *reg(s, at));
        if ((at == ADDRESS0_HIGH || (*reg(s, at) & ADDRESS_ENABLE)) &&
            !memcmp(address, destination, ETH_ALEN)) {
            return true;
        }
    }
    return false;
}

/* Frame and checksum go into as many descriptors as they need. */
static bool deliver(DwMac *s, const uint8_t *frame, uint32_t size)
{
    uint32_t room = extract32(*reg(s, RX_CONTROL), 1, 14), done = 0, desc[4];

    while (done < size) {
        uint32_t at = *reg(s, RX_CURRENT), n = MIN(room, size - done),
                 first = done ? 0 : DESC_FIRST;

        if (!n || !read_descriptor(at, desc) || !(desc[3] & DESC_OWN)) {
            report(s, STATUS_RX_NO_DESC);
            return false;
        }
        dma_memory_write(&address_space_memory, desc[0], frame + done, n, MEMTXATTRS_UNSPECIFIED);
        done += n;
        desc[0] = desc[1] = desc[2] = 0;
        desc[3] = cpu_to_le32(first | (done == size ? DESC_LAST : 0) | size);
        dma_memory_write(&address_space_memory, at, desc, sizeof(desc), MEMTXATTRS_UNSPECIFIED);
        advance(s, RX_LIST, RX_LENGTH, RX_CURRENT);
    }
    return true;
}

static ssize_t receive(NetClientState *nc, const uint8_t *frame, size_t size)
{
    DwMac *s = qemu_get_nic_opaque(nc);
    uint32_t padded = MAX(size, ETH_ZLEN) + FCS_SIZE;
    g_autofree uint8_t *copy = NULL;

    if (!receiving(s) || !is_ours(s, frame)) {
        return size;
    }
    copy = g_malloc0(padded);
    memcpy(copy, frame, size);
    if (deliver(s, copy, padded)) {
        report(s, STATUS_RECEIVED);
    }
    return size;
}

static uint16_t phy_read(DwMac *s, uint32_t number)
{
    return number == PHY_PAGED ? s->phy_extended[s->phy[PHY_PAGE]] : s->phy[number];
}

static void phy_write(DwMac *s, uint32_t number, uint16_t value)
{
    switch (number) {
    case PHY_STATUS:
    case PHY_ID1:
    case PHY_ID2:
    case PHY_SPECIFIC:
        break;
    case PHY_PAGED:
        s->phy_extended[s->phy[PHY_PAGE]] = value;
        break;
    case PHY_CONTROL:
        s->phy[number] = value & ~0x8200; /* reset and restart of negotiation are over at once */
        break;
    default:
        s->phy[number] = value;
    }
}

static void do_mdio(DwMac *s)
{
    uint32_t command = *reg(s, MDIO_ADDRESS);
    uint32_t phy = extract32(command, 21, 5), number = extract32(command, 16, 5);

    if (!(command & MDIO_BUSY)) {
        return;
    }
    *reg(s, MDIO_ADDRESS) &= ~MDIO_BUSY;
    if (extract32(command, 2, 2) == MDIO_READ) {
        *reg(s, MDIO_DATA) = phy ? 0xffff : phy_read(s, number); /* nobody else on the bus */
    } else if (extract32(command, 2, 2) == MDIO_WRITE && !phy) {
        phy_write(s, number, *reg(s, MDIO_DATA));
    }
}

static void reset_registers(DwMac *s)
{
    const uint8_t *mac = s->conf.macaddr.a;

    memset(s->reg, 0, sizeof(s->reg));
    *reg(s, VERSION) = 0x4152;
    *reg(s, FEATURE0) =
        1 << 0 | 1 << 1 | 1 << 14;      /* 10, 100 and 1000 Mbit/s; checksums of what is sent */
    *reg(s, FEATURE0 + 4) = 5 | 5 << 6; /* FIFOs of 4 KiB; 32-bit addresses */
    *reg(s, ADDRESS0_HIGH) = ADDRESS_ENABLE | lduw_le_p(mac + 4);
    *reg(s, ADDRESS0_HIGH + 4) = ldl_le_p(mac);
    qemu_set_irq(s->irq, 0);
}

static uint64_t mac_read(void *opaque, hwaddr offset, unsigned size)
{
    DwMac *s = opaque;

    if (offset == DMA_INTERRUPTS) {
        return (*reg(s, CH_STATUS) & *reg(s, CH_ENABLE)) != 0;
    }
    return offset < SIZE ? *reg(s, offset) : 0;
}

/* What a written register sets going. */
static void act(DwMac *s, hwaddr offset, uint32_t value)
{
    switch (offset) {
    case MDIO_ADDRESS:
        do_mdio(s);
        break;
    case TXQ_MODE:
        *reg(s, TXQ_MODE) &= ~FLUSH_QUEUE;
        break;
    case TX_LIST:
        *reg(s, TX_CURRENT) = value;
        break;
    case RX_LIST:
        *reg(s, RX_CURRENT) = value;
        break;
    case CH_ENABLE:
        report(s, 0);
        break;
    case TX_TAIL:
    case TX_CONTROL:
        send_frames(s);
        break;
    case CONFIG:
    case RXQ_CTRL0:
    case RX_TAIL:
    case RX_CONTROL:
        send_frames(s);
        qemu_flush_queued_packets(qemu_get_queue(s->nic));
        break;
    }
}

static void mac_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    DwMac *s = opaque;

    if (offset == VERSION || (offset >= FEATURE0 && offset <= FEATURE3) || offset >= SIZE) {
        return;
    }
    if (offset == CH_STATUS) {
        *reg(s, CH_STATUS) &= ~value;
        report(s, 0);
    } else if (offset == DMA_MODE && (value & SOFT_RESET)) {
        reset_registers(s);
    } else {
        *reg(s, offset) = value;
        act(s, offset, value);
    }
}

static const MemoryRegionOps mac_ops = {
    .read = mac_read,
    .write = mac_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 4, .max_access_size = 4},
};

static NetClientInfo net_client = {
    .type = NET_CLIENT_DRIVER_NIC,
    .size = sizeof(NICState),
    .can_receive = can_receive,
    .receive = receive,
};

static void mac_reset(DeviceState *dev)
{
    static const uint16_t phy[32] = {
        [PHY_CONTROL] = 0x1140,
        [PHY_STATUS] = 0x796d,
        [PHY_ID1] = 0x4f51,
        [PHY_ID2] = 0xe91b,
        [4] = 0x01e1,
        [5] = 0xcde1,
        [6] = 0x000f,
        [9] = 0x0300,
        [10] = 0x3c00,
        [15] = 0x3000,
        [PHY_SPECIFIC] = 0xac00, /* 1000 Mbit/s, full duplex, link up */
    };
    DwMac *s = DWMAC(dev);

    reset_registers(s);
    memcpy(s->phy, phy, sizeof(phy));
    memset(s->phy_extended, 0, 0x10000 * sizeof(uint16_t));
    s->phy_extended[0xa001] = 0x8160;
    s->frame_size = 0;
}

static void mac_realize(DeviceState *dev, Error **errp)
{
    DwMac *s = DWMAC(dev);

    s->phy_extended = g_new0(uint16_t, 0x10000);
    memory_region_init_io(&s->mmio, OBJECT(dev), &mac_ops, s, TYPE_DWMAC, 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
    sysbus_init_irq(SYS_BUS_DEVICE(dev), &s->irq);
    qemu_macaddr_default_if_unset(&s->conf.macaddr);
    s->nic =
        qemu_new_nic(&net_client, &s->conf, TYPE_DWMAC, dev->id, &dev->mem_reentrancy_guard, s);
    qemu_format_nic_info_str(qemu_get_queue(s->nic), s->conf.macaddr.a);
}

static const Property mac_properties[] = {
    DEFINE_NIC_PROPERTIES(DwMac, conf),
};

static void mac_class_init(ObjectClass *class, void *data)
{
    DEVICE_CLASS(class)->realize = mac_realize;
    device_class_set_legacy_reset(DEVICE_CLASS(class), mac_reset);
    device_class_set_props(DEVICE_CLASS(class), mac_properties);
}

static const TypeInfo mac_types[] = {
    {.name = TYPE_DWMAC,
     .parent = TYPE_SYS_BUS_DEVICE,
     .instance_size = sizeof(DwMac),
     .class_init = mac_class_init},
};
DEFINE_TYPES(mac_types)
