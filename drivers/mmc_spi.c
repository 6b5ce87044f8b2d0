// SPDX-License-Identifier: BSD-2-Clause
// SD cards in SPI mode (SD Physical Layer Simplified Specification 9.00, chapter 7). Commands and
// data carry checksums, and the card is told to look at them.
//
// Called with sd_card.lock held, or at probe.

#include "sd_priv.h"
#include "spi_priv.h"

#include <arch/clock.h>
#include <arch/log.h>
#include <errno.h>
#include <lib/dt.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <string.h>
#include <sync/port.h>

#define R1_IDLE    0x01U
#define R1_ILLEGAL 0x04U
#define R1_CRC     0x08U
#define R1_NONE    0xffU // the line's rest: no answer

#define TOKEN_DATA       0xfeU // starts a block that is read, or one alone that is written
#define TOKEN_WRITE_MANY 0xfcU
#define TOKEN_STOP       0xfdU
#define ACCEPTED(answer) (((answer)&0x1fU) == 0x05U)
#define ANSWER_BYTES     16U // a card answers within 8
#define POWER_UP_BYTES   16U // 74 clocks and more
#define IDLE_ATTEMPTS    10U
#define SPIN_NS          NS_PER_MS // then nap
#define SECTORS_PER_PAGE (PAGE_SIZE / SD_SECTOR)

struct mmc_spi {
    struct sd_card card;
    struct spi_bus *bus;
    uint32_t hz_max;
};

static uint8_t crc7(const uint8_t *p, size_t n)
{
    uint8_t crc = 0;

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (uint8_t)(crc & 0x80 ? crc << 1 ^ 0x12 : crc << 1);
    }
    return crc; // in the upper 7 bits
}

static uint16_t crc16(const uint8_t *p, size_t n)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < n; i++) {
        crc = (uint16_t)(crc >> 8 | crc << 8) ^ p[i];
        crc ^= (uint16_t)((crc & 0xff) >> 4);
        crc ^= (uint16_t)(crc << 12);
        crc ^= (uint16_t)((crc & 0xff) << 5);
    }
    return crc;
}

static uint8_t get(struct mmc_spi *m)
{
    uint8_t byte;

    m->bus->exchange(m->bus, NULL, &byte, 1);
    return byte;
}

static void put(struct mmc_spi *m, uint8_t byte)
{
    m->bus->exchange(m->bus, &byte, NULL, 1);
}

// Read until a byte is not `waited`: that byte, or `waited` after so long.
static uint8_t get_other_than(struct mmc_spi *m, uint8_t waited, uint64_t limit_ns)
{
    uint64_t start = clock_monotonic_ns(), now;
    uint8_t byte;

    while ((byte = get(m)) == waited && (now = clock_monotonic_ns()) - start < limit_ns)
        if (now - start > SPIN_NS)
            (void)port_park(PARK_UNINTERRUPTIBLE, now + NS_PER_MS);
    return byte;
}

// The card holds the line at 0 while it's busy. 0 or -ETIMEDOUT.
static int wait_ready(struct mmc_spi *m, uint64_t limit_ns)
{
    uint64_t deadline = clock_monotonic_ns() + limit_ns;

    while (get(m) != 0xff) {
        if (clock_monotonic_ns() > deadline)
            return -ETIMEDOUT;
        if (get_other_than(m, 0, limit_ns) == 0)
            return -ETIMEDOUT;
    }
    return 0;
}

// The card is selected. R1, and the bytes after it into `more`.
static uint8_t command(struct mmc_spi *m, uint8_t number, uint32_t arg, uint8_t *more, size_t n)
{
    uint8_t frame[6] = {(uint8_t)(0x40 | number), (uint8_t)(arg >> 24), (uint8_t)(arg >> 16),
                        (uint8_t)(arg >> 8), (uint8_t)arg};
    uint8_t r1 = R1_NONE;

    frame[5] = crc7(frame, 5) | 1;
    if (number != SD_GO_IDLE && number != SD_STOP && wait_ready(m, SD_WRITE_NS) != 0)
        return R1_NONE;
    m->bus->exchange(m->bus, frame, NULL, sizeof(frame));
    if (number == SD_STOP)
        get(m); // a stuff byte
    for (unsigned int i = 0; i < ANSWER_BYTES && r1 & 0x80; i++)
        r1 = get(m);
    if (n > 0)
        m->bus->exchange(m->bus, NULL, more, n);
    return r1;
}

static uint8_t app_command(struct mmc_spi *m, uint8_t number, uint32_t arg)
{
    uint8_t r1 = command(m, SD_APP, 0, NULL, 0);

    return r1 & ~R1_IDLE ? r1 : command(m, number, arg, NULL, 0);
}

static void deselect(struct mmc_spi *m)
{
    m->bus->select(m->bus, false);
    get(m); // the card lets go of the line with the clock
}

static int read_data(struct mmc_spi *m, uint8_t *data, size_t n)
{
    uint8_t crc[2];
    uint8_t token = get_other_than(m, 0xff, SD_READ_NS);

    if (token != TOKEN_DATA)
        return token == 0xff ? -ETIMEDOUT : -EIO;
    m->bus->exchange(m->bus, NULL, data, n);
    m->bus->exchange(m->bus, NULL, crc, sizeof(crc));
    return crc16(data, n) == (crc[0] << 8 | crc[1]) ? 0 : -EIO;
}

static int write_data(struct mmc_spi *m, uint8_t token, const uint8_t *data)
{
    uint16_t crc = crc16(data, SD_SECTOR);
    const uint8_t tail[2] = {(uint8_t)(crc >> 8), (uint8_t)crc};

    put(m, token);
    m->bus->exchange(m->bus, data, NULL, SD_SECTOR);
    m->bus->exchange(m->bus, tail, NULL, sizeof(tail));
    uint8_t answer = get(m);
    if (answer == 0xff)
        return -ETIMEDOUT;
    if (!ACCEPTED(answer))
        return -EIO;
    return wait_ready(m, SD_WRITE_NS);
}

static uint8_t *sector_address(struct page *const *pages, unsigned int i)
{
    return (uint8_t *)page_to_virt(pages[i / SECTORS_PER_PAGE]) + i % SECTORS_PER_PAGE * SD_SECTOR;
}

static int read_sectors(struct mmc_spi *m, uint32_t arg, struct page *const *pages, unsigned int nr)
{
    uint8_t r1 = command(m, nr > 1 ? SD_READ_MULTIPLE : SD_READ, arg, NULL, 0);
    int err = 0;

    if (r1 != 0)
        return r1 == R1_NONE ? -ETIMEDOUT : -EIO;
    for (unsigned int i = 0; i < nr && err == 0; i++)
        err = read_data(m, sector_address(pages, i), SD_SECTOR);
    if (nr > 1) {
        command(m, SD_STOP, 0, NULL, 0); // its answer says nothing about what was read
        int busy = wait_ready(m, SD_READ_NS);
        err = err ? err : busy;
    }
    return err;
}

static int write_sectors(struct mmc_spi *m, uint32_t arg, struct page *const *pages,
                         unsigned int nr)
{
    uint8_t status;
    uint8_t r1 = command(m, nr > 1 ? SD_WRITE_MULTIPLE : SD_WRITE, arg, NULL, 0);
    int err = 0;

    if (r1 != 0)
        return r1 == R1_NONE ? -ETIMEDOUT : -EIO;
    get(m); // a byte's time before the first block
    for (unsigned int i = 0; i < nr && err == 0; i++)
        err = write_data(m, nr > 1 ? TOKEN_WRITE_MANY : TOKEN_DATA, sector_address(pages, i));
    if (nr > 1 && err != -ETIMEDOUT) {
        put(m, TOKEN_STOP);
        get(m);
        int busy = wait_ready(m, SD_WRITE_NS);
        err = err ? err : busy;
    }
    // What went wrong while it programmed is only in its status.
    if (err == 0 && (command(m, SD_SEND_STATUS, 0, &status, 1) != 0 || status != 0))
        err = -EIO;
    return err;
}

static int mmc_spi_transfer(struct sd_card *c, bool write, uint64_t sector,
                            struct page *const *pages, unsigned int nr)
{
    struct mmc_spi *m = container_of(c, struct mmc_spi, card);
    uint32_t arg = (uint32_t)(c->by_sector ? sector : sector * SD_SECTOR);

    m->bus->select(m->bus, true);
    int err = write ? write_sectors(m, arg, pages, nr) : read_sectors(m, arg, pages, nr);
    deselect(m);
    return err;
}

static int go_idle(struct mmc_spi *m)
{
    m->bus->set_speed(m->bus, SD_IDENTIFY_HZ);
    m->bus->select(m->bus, false);
    m->bus->exchange(m->bus, NULL, NULL, POWER_UP_BYTES);
    m->bus->select(m->bus, true);
    for (unsigned int i = 0; i < IDLE_ATTEMPTS; i++)
        if (command(m, SD_GO_IDLE, 0, NULL, 0) == R1_IDLE)
            return 0;
    return -ENODEV;
}

// From idle to ready (7.2.1). 0 or -errno.
static int power_up(struct mmc_spi *m)
{
    uint8_t more[4];
    uint64_t deadline = clock_monotonic_ns() + SD_READY_NS;
    uint8_t r1 = command(m, SD_SEND_IF_COND, SD_IF_COND_3V3, more, sizeof(more));
    bool version_2 = !(r1 & R1_ILLEGAL);

    if (version_2 && (r1 != R1_IDLE || more[3] != (SD_IF_COND_3V3 & 0xff)))
        return -EIO;
    while ((r1 = app_command(m, SD_APP_OP_COND, version_2 ? (uint32_t)SD_OCR_HIGH_CAP : 0)) != 0) {
        if (r1 != R1_IDLE)
            return -EIO;
        if (clock_monotonic_ns() > deadline)
            return -ETIMEDOUT;
        (void)port_park(PARK_UNINTERRUPTIBLE, clock_monotonic_ns() + NS_PER_MS);
    }
    // QEMU's card says "idle" here though it isn't any more.
    if (command(m, SD_READ_OCR, 0, more, sizeof(more)) & ~R1_IDLE)
        return -EIO;
    m->card.by_sector = version_2 && more[0] & 0x40;
    if (command(m, SD_CRC_ON_OFF, 1, NULL, 0) != 0)
        return -EIO;
    return command(m, SD_SET_BLOCK_SIZE, SD_SECTOR, NULL, 0) == 0 ? 0 : -EIO;
}

static int read_register(struct mmc_spi *m, uint8_t number, uint8_t data[16])
{
    return command(m, number, 0, NULL, 0) == 0 ? read_data(m, data, 16) : -EIO;
}

static int read_identity(struct mmc_spi *m, struct sd_identity *who)
{
    uint8_t csd[16];
    int err = read_register(m, SD_SEND_CSD, csd);

    if (err == 0)
        err = read_register(m, SD_SEND_CID, who->cid);
    if (err)
        return err;
    who->cid[15] = 0;
    who->nr_sectors = sd_csd_sectors(csd);
    return who->nr_sectors > 0 ? 0 : -EINVAL;
}

static int mmc_spi_start(struct sd_card *c, struct sd_identity *who)
{
    struct mmc_spi *m = container_of(c, struct mmc_spi, card);
    int err = go_idle(m);

    if (err == 0)
        err = power_up(m);
    if (err == 0) {
        m->bus->set_speed(m->bus, m->hz_max);
        err = read_identity(m, who);
    }
    deselect(m);
    return err;
}

static const struct sd_ops mmc_spi_ops = {.transfer = mmc_spi_transfer, .start = mmc_spi_start};

int mmc_spi_probe(struct spi_bus *bus, const void *fdt, int node)
{
    struct mmc_spi *m = kzalloc(sizeof(*m));

    if (!m)
        return -ENOMEM;
    m->bus = bus;
    m->hz_max = MIN(dt_u32(fdt, node, "spi-max-frequency", SD_IDENTIFY_HZ), SD_DEFAULT_HZ);
    m->card.ops = &mmc_spi_ops;
    m->card.max_sectors = 8 * SECTORS_PER_PAGE;
    int err = m->hz_max > 0 ? sd_card_register(&m->card, "spi slot") : -EINVAL;
    if (err)
        kfree(m);
    return err;
}
