// SPDX-License-Identifier: BSD-2-Clause
// Directories of a FAT: rows of 32-byte entries. A file is one 8.3 entry, and before it, last part
// first, those of its long name, which count only if their checksum is the 8.3 name's. See
// fat_priv.h.
#include <errno.h>
#include <string.h>

#include "fat_priv.h"

#define SLOTS_MAX     65536U // of a directory, as the specification has it
#define DELETED       0xe5U
#define LONG_NAME     0x0fU // attributes
#define LONG_MASK     0x3fU
#define LONG_LAST     0x40U // in the number of the part that comes first
#define UNITS_IN_SLOT 13U
#define PARTS_MAX     20U
#define NAME_SIZE     11U
#define ENTRIES_READ  16U // that many are read at once

// Where the units of a long name are in an entry.
static const uint8_t unit_places[UNITS_IN_SLOT] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};

struct fat_dir fat_dir_root(const struct fat_volume *v)
{
    return (struct fat_dir){.is_root = v->bits != 32, .chain.first = v->root_cluster};
}

// Byte offset on the volume of a slot. 0; -ENODATA: behind the end; -EIO.
static int slot_at(struct fat_volume *v, struct fat_dir *d, uint32_t slot, uint64_t *at)
{
    uint64_t offset = (uint64_t)slot * FAT_ENTRY_SIZE;
    uint32_t cluster;

    if (d->is_root) {
        *at = v->root_start + offset;
        return slot < v->root_entries ? 0 : -ENODATA;
    }
    if (slot >= SLOTS_MAX)
        return -ENODATA;
    int err = fat_chain_at(v, &d->chain, (uint32_t)(offset >> v->cluster_shift), &cluster);
    if (err != 0)
        return err;
    *at = fat_cluster_at(v, cluster) + (offset & (fat_cluster_size(v) - 1));
    return 0;
}

static int slot_write(struct fat_volume *v, struct fat_dir *d, uint32_t slot, const void *entry,
                      size_t n)
{
    uint64_t at;

    if (v->read_only)
        return -EROFS;
    int err = slot_at(v, d, slot, &at);
    return err != 0 ? err : v->io.write(v->io.ctx, at, entry, n);
}

// Some entries of a directory in memory.
struct reader {
    struct fat_volume *v;
    struct fat_dir *d;
    uint32_t first, nr;
    uint8_t entries[ENTRIES_READ][FAT_ENTRY_SIZE];
};

// The entry in `slot`: 0; -ENODATA; -EIO. A multiple of ENTRIES_READ of them is never split by the
// end of a cluster, which has 512 bytes or more; the root of a FAT12 ends with a sector, too.
static int reader_get(struct reader *r, uint32_t slot, const uint8_t **entry)
{
    if (slot < r->first || slot >= r->first + r->nr) {
        uint64_t at;
        r->nr = 0;
        r->first = ALIGN_DOWN(slot, ENTRIES_READ);
        int err = slot_at(r->v, r->d, r->first, &at);
        if (err == 0)
            err = r->v->io.read(r->v->io.ctx, at, r->entries, sizeof(r->entries));
        if (err != 0)
            return err;
        r->nr = ENTRIES_READ;
        if (r->d->is_root)
            r->nr = MIN(r->nr, r->v->root_entries - r->first);
    }
    if (slot >= r->first + r->nr)
        return -ENODATA;
    *entry = r->entries[slot - r->first];
    return 0;
}

// A long name as it is gathered.
struct long_name {
    uint16_t units[PARTS_MAX * UNITS_IN_SLOT];
    unsigned int nr_parts, missing; // missing: parts still to come; nr_parts 0: there is none
    uint8_t sum;
};

static void long_name_add(struct long_name *l, const uint8_t *entry)
{
    unsigned int number = entry[0] & (LONG_LAST - 1U);

    if (entry[0] & LONG_LAST) {
        l->nr_parts = number > 0 && number <= PARTS_MAX ? number : 0;
        l->missing = l->nr_parts;
        l->sum = entry[13];
    }
    if (l->nr_parts == 0 || number != l->missing || entry[13] != l->sum) {
        l->nr_parts = 0;
        return;
    }
    l->missing--;
    for (unsigned int i = 0; i < UNITS_IN_SLOT; i++)
        l->units[l->missing * UNITS_IN_SLOT + i] = fat_get16(entry + unit_places[i]);
}

// Is it the name of this 8.3 entry, and one that programs can be shown?
static bool long_name_take(const struct long_name *l, const uint8_t *entry, struct fat_entry *e)
{
    unsigned int nr = 0;

    if (l->nr_parts == 0 || l->missing != 0 || fat_short_sum(entry) != l->sum)
        return false;
    while (nr < l->nr_parts * UNITS_IN_SLOT && l->units[nr] != 0)
        nr++;
    if (nr == 0 || nr > FAT_NAME_UNITS)
        return false;
    for (unsigned int i = 0; i < nr; i++)
        if (l->units[i] < 0x20 || l->units[i] == '/')
            return false;
    if (l->units[0] == '.' && (nr == 1 || (nr == 2 && l->units[1] == '.')))
        return false;
    int length = fat_name_encode(l->units, nr, e->name);
    if (length <= 0)
        return false;
    e->length = (uint8_t)length;
    e->nr_units = nr;
    memcpy(e->units, l->units, nr * sizeof(e->units[0]));
    return true;
}

// Fill `e` for the 8.3 entry in `slot`. False: it isn't a file that could be named.
static bool entry_take(const struct long_name *l, const uint8_t *raw, uint32_t slot,
                       struct fat_entry *e)
{
    if ((raw[11] & FAT_LABEL) || raw[0] == '.')
        return false;
    e->slot = slot;
    memcpy(e->raw, raw, FAT_ENTRY_SIZE);
    e->nr_short_units = fat_short_decode(raw, e->short_units);
    e->nr_slots = 1;
    if (long_name_take(l, raw, e)) {
        e->nr_slots = 1 + l->nr_parts;
        return true;
    }
    if (e->nr_short_units == 0)
        return false;
    memcpy(e->units, e->short_units, e->nr_short_units * sizeof(e->units[0]));
    e->nr_units = e->nr_short_units;
    e->length = (uint8_t)fat_name_encode(e->units, e->nr_units, e->name);
    return true;
}

static int dir_next(struct reader *r, uint32_t *slot, struct fat_entry *e)
{
    struct long_name l = {.nr_parts = 0};
    const uint8_t *raw;

    for (;; (*slot)++) {
        int err = reader_get(r, *slot, &raw);
        if (err != 0)
            return err == -ENODATA ? 0 : err;
        if (raw[0] == 0)
            return 0;
        if (raw[0] == DELETED) {
            l.nr_parts = 0;
        } else if ((raw[11] & LONG_MASK) == LONG_NAME) {
            long_name_add(&l, raw);
        } else if (entry_take(&l, raw, *slot, e)) {
            (*slot)++;
            err = slot_at(r->v, r->d, e->slot, &e->at);
            return err != 0 ? err : 1;
        } else {
            l.nr_parts = 0;
        }
    }
}

int fat_dir_next(struct fat_volume *v, struct fat_dir *d, uint32_t *slot, struct fat_entry *e)
{
    struct reader r = {.v = v, .d = d};

    return dir_next(&r, slot, e);
}

static int find_units(struct fat_volume *v, struct fat_dir *d, const uint16_t *units,
                      unsigned int nr, struct fat_entry *e)
{
    struct reader r = {.v = v, .d = d};
    uint32_t slot = 0;
    int found;

    while ((found = dir_next(&r, &slot, e)) > 0)
        if (fat_name_equal(units, nr, e->units, e->nr_units) ||
            fat_name_equal(units, nr, e->short_units, e->nr_short_units))
            return 0;
    return found == 0 ? -ENOENT : found;
}

int fat_dir_find(struct fat_volume *v, struct fat_dir *d, const char *name, size_t length,
                 struct fat_entry *e)
{
    uint16_t units[FAT_NAME_UNITS];
    int nr = fat_name_decode(name, length, units);

    return nr <= 0 ? -ENOENT : find_units(v, d, units, (unsigned int)nr, e);
}

// Does an entry with this 8.3 name exist? 1, 0, -EIO.
static int short_exists(struct fat_volume *v, struct fat_dir *d, const uint8_t name[NAME_SIZE])
{
    struct reader r = {.v = v, .d = d};
    const uint8_t *raw;

    for (uint32_t slot = 0;; slot++) {
        int err = reader_get(&r, slot, &raw);
        if (err != 0)
            return err == -ENODATA ? 0 : err;
        if (raw[0] == 0)
            return 0;
        if (!(raw[11] & FAT_LABEL) && memcmp(raw, name, NAME_SIZE) == 0)
            return 1;
    }
}

// An 8.3 name that is free. 1: the long one isn't needed; 0; -EEXIST, -EIO.
static int choose_short(struct fat_volume *v, struct fat_dir *d, const uint16_t *units,
                        unsigned int nr, uint8_t name[NAME_SIZE])
{
    if (fat_short_encode(units, nr, 0, name))
        return 1;
    for (unsigned int variant = 1; variant < FAT_SHORT_VARIANTS; variant++) {
        (void)fat_short_encode(units, nr, variant, name);
        int exists = short_exists(v, d, name);
        if (exists <= 0)
            return exists;
    }
    return -ENOSPC;
}

// A row of `nr` free slots, for which the directory grows if need be. 0, -ENOSPC, -EIO.
static int find_room(struct fat_volume *v, struct fat_dir *d, unsigned int nr, uint32_t *first)
{
    struct reader r = {.v = v, .d = d};
    uint32_t free = 0, slot = 0, per_cluster = fat_cluster_size(v) / FAT_ENTRY_SIZE;
    bool ended = false;
    const uint8_t *raw;
    int err;

    for (; free < nr; slot++) {
        err = reader_get(&r, slot, &raw);
        if (err == -ENODATA)
            break;
        if (err != 0)
            return err;
        ended = ended || raw[0] == 0; // all behind the first of these is free, whatever it holds
        free = ended || raw[0] == DELETED ? free + 1 : 0;
    }
    *first = slot - free;
    if (free == nr)
        return 0;
    if (d->is_root || *first + nr > SLOTS_MAX)
        return -ENOSPC;
    uint32_t have = DIV_ROUND_UP(slot, per_cluster);
    uint32_t want = DIV_ROUND_UP(*first + nr, per_cluster);
    err = fat_chain_grow(v, &d->chain, want);
    if (err != 0)
        return err;
    return fat_chain_write(v, &d->chain, (uint64_t)have << v->cluster_shift, NULL,
                           (size_t)(want - have) << v->cluster_shift);
}

// The end of a directory is an entry that begins with 0; what is put at it must leave one behind.
static int keep_end(struct fat_volume *v, struct fat_dir *d, uint32_t first, unsigned int nr)
{
    static const uint8_t end[FAT_ENTRY_SIZE];
    struct reader r = {.v = v, .d = d};
    const uint8_t *raw;
    bool at_end = false;

    for (uint32_t slot = first; slot < first + nr; slot++) {
        int err = reader_get(&r, slot, &raw);
        if (err != 0)
            return err;
        at_end = at_end || raw[0] == 0;
    }
    if (!at_end)
        return 0;
    int err = slot_write(v, d, first + nr, end, sizeof(end));
    return err == -ENODATA ? 0 : err;
}

static void long_part(const uint16_t *units, unsigned int nr, unsigned int part, bool last,
                      uint8_t sum, uint8_t entry[FAT_ENTRY_SIZE])
{
    memset(entry, 0, FAT_ENTRY_SIZE);
    entry[0] = (uint8_t)((part + 1) | (last ? LONG_LAST : 0));
    entry[11] = LONG_NAME;
    entry[13] = sum;
    for (unsigned int i = 0; i < UNITS_IN_SLOT; i++) {
        unsigned int at = part * UNITS_IN_SLOT + i;
        fat_put16(entry + unit_places[i], at < nr ? units[at] : at == nr ? 0 : 0xffff);
    }
}

// Write the parts of the long name before the 8.3 entry, and that last: until then nothing is
// there.
static int write_entries(struct fat_volume *v, struct fat_dir *d, const uint16_t *units,
                         unsigned int nr, struct fat_entry *e)
{
    uint8_t part[FAT_ENTRY_SIZE], sum = fat_short_sum(e->raw);
    unsigned int nr_parts = e->nr_slots - 1;

    for (unsigned int i = 0; i < nr_parts; i++) {
        long_part(units, nr, nr_parts - 1 - i, i == 0, sum, part);
        int err = slot_write(v, d, e->slot - nr_parts + i, part, sizeof(part));
        if (err != 0)
            return err;
    }
    return slot_write(v, d, e->slot, e->raw, FAT_ENTRY_SIZE);
}

int fat_dir_add(struct fat_volume *v, struct fat_dir *d, const char *name, size_t length,
                const uint8_t raw[FAT_ENTRY_SIZE], struct fat_entry *e)
{
    uint16_t units[FAT_NAME_UNITS];
    uint32_t first;

    if (v->read_only)
        return -EROFS;
    int nr = fat_name_decode(name, length, units);
    if (nr < 0)
        return nr;
    int err = fat_name_check(units, (unsigned int)nr);
    if (err != 0)
        return err;
    memcpy(e->raw, raw, FAT_ENTRY_SIZE);
    e->raw[12] = 0;
    int plain = choose_short(v, d, units, (unsigned int)nr, e->raw);
    if (plain < 0)
        return plain;
    e->nr_slots = plain ? 1 : 1 + DIV_ROUND_UP((unsigned int)nr, UNITS_IN_SLOT);
    err = find_room(v, d, e->nr_slots, &first);
    if (err == 0)
        err = keep_end(v, d, first, e->nr_slots);
    if (err != 0)
        return err;
    e->slot = first + e->nr_slots - 1;
    err = slot_at(v, d, e->slot, &e->at);
    return err != 0 ? err : write_entries(v, d, units, (unsigned int)nr, e);
}

int fat_dir_remove(struct fat_volume *v, struct fat_dir *d, uint32_t slot, unsigned int nr_slots)
{
    const uint8_t deleted = DELETED;

    // The 8.3 entry first: without it the others are nothing.
    for (unsigned int i = 0; i < nr_slots; i++) {
        int err = slot_write(v, d, slot - i, &deleted, 1);
        if (err != 0)
            return err;
    }
    return 0;
}

// Nothing but "." and "..", the remains of names and labels.
int fat_dir_is_empty(struct fat_volume *v, struct fat_dir *d)
{
    struct reader r = {.v = v, .d = d};
    const uint8_t *raw;

    for (uint32_t slot = 0;; slot++) {
        int err = reader_get(&r, slot, &raw);
        if (err != 0)
            return err == -ENODATA ? 1 : err;
        if (raw[0] == 0)
            return 1;
        if (raw[0] != DELETED && raw[0] != '.' && !(raw[11] & FAT_LABEL))
            return 0;
    }
}

int fat_dir_create(struct fat_volume *v, uint32_t parent, const uint8_t raw[FAT_ENTRY_SIZE],
                   uint32_t *first)
{
    struct fat_chain c = {.first = 0};
    uint8_t dots[2][FAT_ENTRY_SIZE];

    int err = fat_chain_grow(v, &c, 1);
    if (err != 0)
        return err;
    for (unsigned int i = 0; i < 2; i++) {
        memcpy(dots[i], raw, FAT_ENTRY_SIZE);
        memset(dots[i], ' ', NAME_SIZE);
        memset(dots[i], '.', i + 1);
        fat_entry_set_first(v, dots[i], i == 0 ? c.first : parent);
    }
    err = fat_chain_write(v, &c, 0, NULL, fat_cluster_size(v));
    if (err == 0)
        err = fat_chain_write(v, &c, 0, dots, sizeof(dots));
    if (err != 0) {
        (void)fat_chain_cut(v, &c, 0);
        return err;
    }
    *first = c.first;
    return 0;
}

int fat_dir_set_parent(struct fat_volume *v, struct fat_dir *d, uint32_t parent)
{
    uint8_t raw[FAT_ENTRY_SIZE];
    int err = fat_chain_read(v, &d->chain, FAT_ENTRY_SIZE, raw, sizeof(raw));

    if (err != 0)
        return err;
    if (memcmp(raw, "..         ", NAME_SIZE) != 0)
        return fat_damaged(v, "no \"..\" in the directory at cluster", d->chain.first);
    fat_entry_set_first(v, raw, parent);
    return fat_chain_write(v, &d->chain, FAT_ENTRY_SIZE, raw, sizeof(raw));
}

int fat_entry_write(struct fat_volume *v, uint64_t at, const uint8_t raw[FAT_ENTRY_SIZE])
{
    if (v->read_only)
        return -EROFS;
    return v->io.write(v->io.ctx, at + NAME_SIZE, raw + NAME_SIZE, FAT_ENTRY_SIZE - NAME_SIZE);
}
