/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the factory wrote into the board's EEPROM (24C04, I2C5 at 0x50; its lower half is here).
 * From it SPL learns the size of the memory, U-Boot which board it is and the Ethernet addresses.
 *
 * The format is StarFive's, as U-Boot's board/starfive/visionfive2/visionfive2-i2c-eeprom.c reads
 * it and its command "mac initialize" writes it: a header, atom 1 (who made it, serial number) and
 * atom 4 (board revision, addresses), both with a CRC-16; all little-endian. The serial number
 * reads product "VF7110B1" (B: board 1.3B), year and week, "D" with the memory in GiB and "E" with
 * the eMMC's size (0: none), number.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "jh7110.h"

struct QEMU_PACKED eeprom {
    char signature[4];
    uint8_t version, reserved;
    uint16_t nr_atoms;
    uint32_t length;
    struct QEMU_PACKED {
        uint16_t type, number;
        uint32_t length; /* of what follows */
        uint8_t uuid[16];
        uint16_t product, product_version;
        uint8_t vendor_length, serial_length;
        char vendor[32], serial[32];
        uint16_t crc;
    } maker;
    struct QEMU_PACKED {
        uint16_t type, number;
        uint32_t length;
        uint16_t version;
        uint8_t board_revision, parts_revision;
        uint8_t mac[2][6];
        uint8_t reserved[2];
        uint16_t crc;
    } custom;
};

QEMU_BUILD_BUG_ON(sizeof(struct eeprom) > JH7110_EEPROM_SIZE);

#define ATOM_HEADER 8
#define ATOM_VENDOR 1
#define ATOM_CUSTOM 4

/* CRC-16/ARC: polynomial 0x8005 reflected, from 0. */
static uint16_t crc16(const void *data, size_t size)
{
    const uint8_t *byte = data;
    uint16_t crc = 0;

    while (size--) {
        crc ^= *byte++;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
        }
    }
    return cpu_to_le16(crc);
}

void jh7110_eeprom_fill(uint8_t rom[JH7110_EEPROM_SIZE], uint64_t ram_size, bool has_emmc)
{
    static const uint8_t mac[2][6] = {{0x6c, 0xcf, 0x39, 0x6c, 0xde, 0xad},
                                      {0x6c, 0xcf, 0x39, 0x6c, 0xde, 0xae}};
    struct eeprom e = {
        .signature = {'S', 'F', 'V', 'F'},
        .version = 2,
        .nr_atoms = cpu_to_le16(2),
        .length = cpu_to_le32(sizeof(e)),
        .maker = {.type = cpu_to_le16(ATOM_VENDOR),
                  .number = cpu_to_le16(1),
                  .length = cpu_to_le32(sizeof(e.maker) - ATOM_HEADER),
                  .vendor_length = sizeof(e.maker.vendor),
                  .serial_length = sizeof(e.maker.serial),
                  .vendor = "StarFive Technology Co., Ltd."},
        .custom = {.type = cpu_to_le16(ATOM_CUSTOM),
                   .number = cpu_to_le16(2),
                   .length = cpu_to_le32(sizeof(e.custom) - ATOM_HEADER),
                   .version = cpu_to_le16(2),
                   .board_revision = 0xb1,
                   .parts_revision = 'A'},
    };

    snprintf(e.maker.serial, sizeof(e.maker.serial), "VF7110B1-2253-D%03uE%03u-00000001",
             (unsigned)(ram_size / GiB) % 1000, has_emmc ? 16 : 0);
    memcpy(e.custom.mac, mac, sizeof(mac));
    e.maker.crc = crc16(&e.maker, sizeof(e.maker) - sizeof(e.maker.crc));
    e.custom.crc = crc16(&e.custom, sizeof(e.custom) - sizeof(e.custom.crc));
    memset(rom, 0xff, JH7110_EEPROM_SIZE);
    memcpy(rom, &e, sizeof(e));
}
