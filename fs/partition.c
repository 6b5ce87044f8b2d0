// SPDX-License-Identifier: BSD-2-Clause
// GPT (UEFI specification 2.10, 5.3) and MBR with its chain of logical partitions. Stateless.
#include "partition_priv.h"

#include <errno.h>
#include <mm/slab.h>
#include <string.h>
#include <zlib.h>

#define SECTOR PARTITION_SECTOR

#define MBR_ENTRIES     446U
#define MBR_ENTRY_SIZE  16U
#define MBR_PRIMARY     4U
#define MBR_SIGNATURE   510U
#define MBR_LOGICAL_MAX 60U // a chain that bites its tail ends
#define TYPE_GPT        0xeeU

#define GPT_SIGNATURE   "EFI PART"
#define GPT_HEADER_MIN  92U
#define GPT_ENTRY_MIN   128U
#define GPT_ENTRY_MAX   SECTOR
#define GPT_ENTRIES_MAX 1024U

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void report(const struct partition_disk *d, unsigned int number, uint64_t start,
                   uint64_t nr_sectors)
{
    const struct partition p = {number, start, nr_sectors};

    if (start == 0 || nr_sectors == 0 || start >= d->nr_sectors ||
        nr_sectors > d->nr_sectors - start)
        return;
    d->found(d->ctx, &p);
}

static bool is_extended(uint8_t type)
{
    return type == 0x05 || type == 0x0f || type == 0x85;
}

static bool has_mbr(const uint8_t *sector)
{
    return sector[MBR_SIGNATURE] == 0x55 && sector[MBR_SIGNATURE + 1] == 0xaa;
}

static const uint8_t *mbr_entry(const uint8_t *sector, unsigned int i)
{
    return sector + MBR_ENTRIES + i * MBR_ENTRY_SIZE;
}

static uint8_t mbr_type(const uint8_t *entry)
{
    return entry[4];
}

// Each logical partition lies behind a table of its own: entry 0 is it, counted from that table,
// entry 1 the next table, counted from the extended partition's start. Numbers count what exists:
// an empty table in the chain takes none.
static int mbr_scan_logical(const struct partition_disk *d, uint64_t extended, uint8_t *sector)
{
    uint64_t table = extended;
    unsigned int number = MBR_PRIMARY + 1;

    for (unsigned int i = 0; i < MBR_LOGICAL_MAX && table < d->nr_sectors; i++) {
        int err = d->read(d->ctx, table, sector);
        if (err)
            return err;
        if (!has_mbr(sector))
            return 0;
        const uint8_t *e = mbr_entry(sector, 0), *next = mbr_entry(sector, 1);
        if (get32(e + 12) != 0 && !is_extended(mbr_type(e)))
            report(d, number++, table + get32(e + 8), get32(e + 12));
        if (!is_extended(mbr_type(next)) || get32(next + 8) == 0)
            return 0;
        table = extended + get32(next + 8);
    }
    return 0;
}

static int mbr_scan(const struct partition_disk *d, uint8_t *sector)
{
    uint64_t extended = 0;

    for (unsigned int i = 0; i < MBR_PRIMARY; i++) {
        const uint8_t *e = mbr_entry(sector, i);
        if (is_extended(mbr_type(e)))
            extended = get32(e + 8);
        else if (mbr_type(e) != 0)
            report(d, i + 1, get32(e + 8), get32(e + 12));
    }
    int err = extended ? mbr_scan_logical(d, extended, sector) : 0;
    return err ? err : PARTITION_MBR;
}

struct gpt {
    uint64_t entries; // first sector of the table
    uint32_t nr_entries, entry_size, table_crc;
};

// The header in `sector`, which lies at `lba`.
static bool gpt_header_is_valid(const struct partition_disk *d, uint8_t *sector, uint64_t lba,
                                struct gpt *gpt)
{
    static const uint8_t zero[4];
    uint32_t size = get32(sector + 12), crc = get32(sector + 16);

    if (memcmp(sector, GPT_SIGNATURE, 8) != 0 || size < GPT_HEADER_MIN || size > SECTOR ||
        get64(sector + 24) != lba)
        return false;
    memcpy(sector + 16, zero, sizeof(zero));
    if (crc32(0, sector, size) != crc)
        return false;
    *gpt = (struct gpt){get64(sector + 72), get32(sector + 80), get32(sector + 84),
                        get32(sector + 88)};
    if (gpt->entry_size < GPT_ENTRY_MIN || gpt->entry_size > GPT_ENTRY_MAX ||
        (gpt->entry_size & (gpt->entry_size - 1)) || gpt->nr_entries > GPT_ENTRIES_MAX)
        return false;
    uint64_t nr = DIV_ROUND_UP((uint64_t)gpt->nr_entries * gpt->entry_size, (uint64_t)SECTOR);
    return gpt->entries < d->nr_sectors && nr <= d->nr_sectors - gpt->entries;
}

static void gpt_report_sector(const struct partition_disk *d, const struct gpt *gpt,
                              const uint8_t *sector, uint32_t first, uint32_t nr)
{
    static const uint8_t unused[16];

    for (uint32_t i = 0; i < nr; i++) {
        const uint8_t *e = sector + i * gpt->entry_size;
        uint64_t start = get64(e + 32), last = get64(e + 40);
        if (memcmp(e, unused, sizeof(unused)) != 0 && last >= start && last < d->nr_sectors)
            report(d, first + i + 1, start, last - start + 1);
    }
}

// Once for the checksum, once to report: nothing is reported of a damaged table.
static int gpt_walk(const struct partition_disk *d, const struct gpt *gpt, uint8_t *sector,
                    bool reporting)
{
    uint32_t per_sector = SECTOR / gpt->entry_size, crc = 0, first = 0;

    for (uint64_t lba = gpt->entries; first < gpt->nr_entries; lba++, first += per_sector) {
        uint32_t nr = MIN(per_sector, gpt->nr_entries - first);
        int err = d->read(d->ctx, lba, sector);
        if (err)
            return err;
        crc = (uint32_t)crc32(crc, sector, nr * gpt->entry_size);
        if (reporting)
            gpt_report_sector(d, gpt, sector, first, nr);
    }
    return crc == gpt->table_crc ? 0 : -EINVAL;
}

static int gpt_scan_copy(const struct partition_disk *d, uint64_t lba, uint8_t *sector)
{
    struct gpt gpt;
    int err = d->read(d->ctx, lba, sector);

    if (err)
        return err;
    if (!gpt_header_is_valid(d, sector, lba, &gpt))
        return -EINVAL;
    err = gpt_walk(d, &gpt, sector, false);
    return err ? err : gpt_walk(d, &gpt, sector, true);
}

static int gpt_scan(const struct partition_disk *d, uint8_t *sector)
{
    if (d->nr_sectors < 3)
        return -EINVAL;
    if (gpt_scan_copy(d, 1, sector) == 0)
        return PARTITION_GPT;
    int err = gpt_scan_copy(d, d->nr_sectors - 1, sector);
    return err ? err : PARTITION_GPT_BACKUP;
}

int partition_scan(const struct partition_disk *d)
{
    uint8_t *sector = kmalloc(SECTOR);

    if (!sector)
        return -ENOMEM;
    int result = d->nr_sectors > 0 ? d->read(d->ctx, 0, sector) : PARTITION_NONE;
    if (result == 0 && d->nr_sectors > 0 && has_mbr(sector)) {
        bool is_gpt = false;
        for (unsigned int i = 0; i < MBR_PRIMARY; i++)
            is_gpt = is_gpt || mbr_type(mbr_entry(sector, i)) == TYPE_GPT;
        result = is_gpt ? gpt_scan(d, sector) : mbr_scan(d, sector);
    }
    kfree(sector);
    return result;
}
