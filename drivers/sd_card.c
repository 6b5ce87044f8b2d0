// SPDX-License-Identifier: BSD-2-Clause
// SD cards as block devices mmcblk0.., whatever host they are in. A transfer that fails is tried
// again; a card that doesn't answer is looked for from the start, so that one which was pulled out
// and put back goes on. Another card in its place is refused: the cache of pages isn't its own.
//
// sd_card.lock: one transfer at a time. Held while sleeping for the card.

#include "sd_priv.h"

#include <arch/log.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <lib/atomic.h>
#include <stdio.h>
#include <string.h>

#define MMC_MAJOR        179
#define CARDS_MAX        8
#define ATTEMPTS         3
#define SECTORS_PER_PAGE (PAGE_SIZE / SD_SECTOR)

static unsigned int nr_cards;

static uint32_t csd_bits(const uint8_t csd[16], unsigned int high, unsigned int low)
{
    uint32_t v = 0;

    for (unsigned int bit = high + 1; bit-- > low;)
        v = v << 1 | (csd[15 - bit / 8] >> bit % 8 & 1);
    return v;
}

uint64_t sd_csd_sectors(const uint8_t csd[16])
{
    switch (csd_bits(csd, 127, 126)) {
    case 0: { // standard capacity, 5.3.2
        uint32_t size = csd_bits(csd, 73, 62), mult = csd_bits(csd, 49, 47);
        uint32_t block_shift = csd_bits(csd, 83, 80);
        return (uint64_t)(size + 1) << (mult + 2 + block_shift) >> 9;
    }
    case 1: // high and extended capacity, 5.3.3
        return ((uint64_t)csd_bits(csd, 69, 48) + 1) << 10;
    default:
        return 0;
    }
}

// The same card again, or what is in its place. 0 or -ENODEV.
static int sd_restart(struct sd_card *c)
{
    struct sd_identity who = {0};
    int err = c->ops->start(c, &who);

    if (err == 0 && who.nr_sectors == c->who.nr_sectors &&
        memcmp(who.cid, c->who.cid, sizeof(who.cid)) == 0) {
        if (c->is_gone)
            log_info("%s: the card is back", c->block.name);
        c->is_gone = false;
        return 0;
    }
    if (!c->is_gone)
        log_err("%s: %s", c->block.name,
                err ? "the card doesn't answer: was it pulled out?"
                    : "another card is in the slot");
    c->is_gone = true;
    return -ENODEV;
}

static int sd_transfer_once(struct sd_card *c, bool write, uint64_t sector,
                            struct page *const *pages, unsigned int nr)
{
    int err = -EIO;

    for (unsigned int attempt = 0; attempt < ATTEMPTS && err; attempt++) {
        if (attempt > 0 || c->is_gone)
            err = sd_restart(c);
        if (err == -ENODEV)
            return -EIO;
        err = c->ops->transfer(c, write, sector, pages, nr);
    }
    if (err)
        log_err("%s: sector %lu can't be %s (%d)", c->block.name, (unsigned long)sector,
                write ? "written" : "read", err);
    return err ? -EIO : 0;
}

static int sd_transfer(struct block_device *block, bool write, uint64_t sector,
                       struct page *const *pages, unsigned int nr_sectors)
{
    struct sd_card *c = container_of(block, struct sd_card, block);
    int err = 0;

    mutex_lock(&c->lock);
    while (nr_sectors > 0 && err == 0) {
        unsigned int n = MIN(nr_sectors, c->max_sectors);
        err = sd_transfer_once(c, write, sector, pages, n);
        pages += n / SECTORS_PER_PAGE;
        sector += n;
        nr_sectors -= n;
    }
    mutex_unlock(&c->lock);
    return err;
}

static const struct block_ops sd_block_ops = {.transfer = sd_transfer};

int sd_card_register(struct sd_card *c, const char *slot)
{
    if (nr_cards == CARDS_MAX)
        return -ENOSPC;
    mutex_init(&c->lock);
    int err = c->ops->start(c, &c->who);
    if (err) {
        log_info("%s: no card (%d)", slot, err);
        return err;
    }
    c->block.nr_sectors = c->who.nr_sectors;
    c->block.ops = &sd_block_ops;
    snprintf(c->block.name, sizeof(c->block.name), "mmcblk%u", nr_cards);
    log_info("%s: %s, %lu MiB", c->block.name, slot, (unsigned long)(c->block.nr_sectors >> 11));
    err = block_register(&c->block, DEV_MAKE(MMC_MAJOR, nr_cards * BLOCK_MINORS));
    if (err == 0)
        nr_cards++;
    return err;
}
