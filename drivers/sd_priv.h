// SPDX-License-Identifier: BSD-2-Clause
// What all hosts of SD cards share (SD Physical Layer Simplified Specification 9.00): numbers of
// the protocol, the card's size, its block device. Drivers embed struct sd_card.
#pragma once

#include <fs/block.h>
#include <sync/mutex.h>

#define SD_SECTOR 512U

enum sd_command {
    SD_GO_IDLE = 0,
    SD_ALL_SEND_CID = 2,
    SD_SEND_RELATIVE_ADDR = 3,
    SD_SWITCH_FUNCTION = 6,
    SD_SELECT = 7,
    SD_SEND_IF_COND = 8,
    SD_SEND_CSD = 9,
    SD_SEND_CID = 10, // SPI
    SD_STOP = 12,
    SD_SEND_STATUS = 13,
    SD_SET_BLOCK_SIZE = 16,
    SD_READ = 17,
    SD_READ_MULTIPLE = 18,
    SD_WRITE = 24,
    SD_WRITE_MULTIPLE = 25,
    SD_APP = 55,
    SD_READ_OCR = 58, // SPI
    SD_CRC_ON_OFF = 59,
    SD_APP_BUS_WIDTH = 6, // after SD_APP
    SD_APP_OP_COND = 41,
};

#define SD_IF_COND_3V3  0x1aaU // voltage, and a pattern that comes back
#define SD_OCR_3V3      0x00ff8000U
#define SD_OCR_HIGH_CAP BIT(30)
#define SD_OCR_READY    BIT(31)
#define SD_IDENTIFY_HZ  400000U
#define SD_DEFAULT_HZ   25000000U
#define SD_READY_NS     (2 * NS_PER_SEC) // from power-on to ready: 1 s, and a margin
#define SD_READ_NS      (500 * NS_PER_MS)
#define SD_WRITE_NS     (2 * NS_PER_SEC)

struct sd_card;

struct sd_identity { // of the card that is in the slot
    uint64_t nr_sectors;
    uint8_t cid[16]; // maker and serial number; its checksum, which not every host tells, is 0
};

struct sd_ops {
    // Move nr sectors, at most max_sectors, from or to pages. 0; -EIO: damaged, worth another try;
    // -ETIMEDOUT: the card doesn't answer.
    int (*transfer)(struct sd_card *c, bool write, uint64_t sector, struct page *const *pages,
                    unsigned int nr);
    // Bring up the card that is in the slot: how it is addressed, and who it is. 0, -ENODEV: none.
    int (*start)(struct sd_card *c, struct sd_identity *who);
};

struct sd_card {
    const struct sd_ops *ops;
    unsigned int max_sectors; // a multiple of a page's
    struct mutex lock;        // one transfer at a time
    bool is_gone;             // said so in the log; under lock
    bool by_sector;           // addresses count sectors, not bytes
    struct sd_identity who;   // constant once registered
    struct block_device block;
};

// Sectors of a card by its CSD, as it came over the line. 0: a structure that nobody knows.
uint64_t sd_csd_sectors(const uint8_t csd[16]);
// Start the card and register it as /dev/mmcblkN. `slot` for the log. 0 or -errno.
int sd_card_register(struct sd_card *c, const char *slot);
