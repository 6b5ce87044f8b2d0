// SPDX-License-Identifier: BSD-2-Clause
// A FAT volume: its boot sector, the table of clusters, and chains of them. See fat_priv.h.
//
// `window` keeps the sector of the table that was used last; what was changed in it is written when
// another one is needed or by fat_volume_flush().
#include <arch/log.h>
#include <errno.h>
#include <string.h>

#include "fat_priv.h"

#define BOOT_SIZE        512
#define SIGNATURE_AT     510
#define CLUSTER_FIRST    2U
#define CLUSTERS_MAX_12  4084U
#define SECTOR_MAX       4096U
#define CLUSTER_SIZE_MAX (512U * 1024)
#define NR_FATS_MAX      4U
#define MASK_32          0x0fffffffU // the upper four bits belong to somebody else
#define STATE_IN_USE     1U
#define INFO_FREE        488 // in the FSInfo sector, and the next free one after it
#define COPY_SIZE        512U

int fat_damaged(struct fat_volume *v, const char *what, uint64_t number)
{
    if (!v->damaged) {
        log_err("%s: FAT: %s %llu: the volume is damaged, read-only from now on", v->io.name, what,
                (unsigned long long)number);
        v->damaged = true;
        (void)fat_volume_flush(v); // what was changed before stands
    }
    v->read_only = true;
    return -EIO;
}

static bool is_power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

// Does this look like a boot sector at all?
static bool boot_is_fat(const uint8_t *b)
{
    uint32_t sector = fat_get16(b + 11), per_cluster = b[13], nr_fats = b[16];
    bool media = b[21] == 0xf0 || b[21] >= 0xf8;

    return fat_get16(b + SIGNATURE_AT) == 0xaa55 && media && is_power_of_two(sector) &&
           sector >= BOOT_SIZE && sector <= SECTOR_MAX && is_power_of_two(per_cluster) &&
           sector * per_cluster <= CLUSTER_SIZE_MAX && fat_get16(b + 14) != 0 && nr_fats != 0 &&
           nr_fats <= NR_FATS_MAX;
}

static unsigned int table_bits(bool is_32, uint64_t nr_clusters)
{
    if (is_32)
        return 32;
    return nr_clusters > CLUSTERS_MAX_12 ? 16 : 12;
}

static void open_fat32(struct fat_volume *v, const uint8_t *b, uint32_t sector)
{
    uint32_t info = fat_get16(b + 48);

    v->root_cluster = fat_get32(b + 44);
    v->mirrored = !(b[40] & 0x80);
    v->active_fat = v->mirrored ? 0 : b[40] & 15;
    if (info != 0 && info < fat_get16(b + 14))
        v->info_start = (uint64_t)info * sector;
}

// Sizes and places out of the boot sector. 0 or -EINVAL.
static int boot_decode(struct fat_volume *v, const uint8_t *b)
{
    uint32_t sector = fat_get16(b + 11), fat_sectors = fat_get16(b + 22);
    uint32_t total = fat_get16(b + 19);
    bool is_32 = fat_sectors == 0;

    if (is_32)
        fat_sectors = fat_get32(b + 36);
    if (total == 0)
        total = fat_get32(b + 32);
    v->cluster_shift = (unsigned int)__builtin_ctz(sector * b[13]);
    v->nr_fats = b[16];
    v->fat_start = (uint64_t)fat_get16(b + 14) * sector;
    v->fat_size = (uint64_t)fat_sectors * sector;
    v->root_start = v->fat_start + v->nr_fats * v->fat_size;
    v->root_entries = is_32 ? 0 : fat_get16(b + 17);
    v->data_start = v->root_start + ALIGN_UP(v->root_entries * FAT_ENTRY_SIZE, sector);
    v->mirrored = true;
    uint64_t end = (uint64_t)total * sector;
    if (fat_sectors == 0 || (!is_32 && v->root_entries == 0) || v->data_start >= end)
        return -EINVAL;
    if (end > v->io.size_bytes) {
        log_err("%s: FAT: its boot sector says %llu KiB, the device has %llu", v->io.name,
                (unsigned long long)end / 1024, (unsigned long long)v->io.size_bytes / 1024);
        return -EINVAL;
    }
    uint64_t nr = (end - v->data_start) >> v->cluster_shift;
    v->bits = table_bits(is_32, nr);
    nr = MIN(nr, v->fat_size * 8 / v->bits - MIN(CLUSTER_FIRST, v->fat_size * 8 / v->bits));
    nr = MIN(nr, (uint64_t)(is_32 ? MASK_32 : 0xffff) - 16);
    v->nr_clusters = (uint32_t)nr;
    if (is_32)
        open_fat32(v, b, sector);
    v->state_at = is_32 ? 0x41 : 0x25;
    return nr == 0 || v->active_fat >= v->nr_fats ? -EINVAL : 0;
}

static bool cluster_is_valid(const struct fat_volume *v, uint32_t cluster)
{
    return cluster >= CLUSTER_FIRST && cluster - CLUSTER_FIRST < v->nr_clusters;
}

int fat_volume_open(struct fat_volume *v)
{
    uint8_t b[BOOT_SIZE];

    v->window_at = UINT64_MAX;
    v->nr_free = FAT_UNKNOWN;
    v->next_free = CLUSTER_FIRST;
    int err = v->io.read(v->io.ctx, 0, b, sizeof(b));
    if (err != 0)
        return err;
    if (!boot_is_fat(b))
        return -EINVAL;
    err = boot_decode(v, b);
    if (err != 0)
        return err;
    if (v->bits == 32 && !cluster_is_valid(v, v->root_cluster)) {
        log_err("%s: FAT: the root directory is said to be at cluster %u of %u", v->io.name,
                v->root_cluster, v->nr_clusters);
        return -EINVAL;
    }
    v->was_in_use = b[v->state_at] & STATE_IN_USE;
    return 0;
}

int fat_volume_mark(struct fat_volume *v, bool in_use)
{
    uint8_t state;

    int err = v->io.read(v->io.ctx, v->state_at, &state, 1);
    if (err != 0)
        return err;
    state = (uint8_t)(in_use ? state | STATE_IN_USE : state & ~STATE_IN_USE);
    return v->io.write(v->io.ctx, v->state_at, &state, 1);
}

int fat_volume_write_info(struct fat_volume *v)
{
    uint8_t info[BOOT_SIZE];

    if (v->info_start == 0 || v->nr_free == FAT_UNKNOWN || v->read_only)
        return 0;
    int err = v->io.read(v->io.ctx, v->info_start, info, sizeof(info));
    if (err != 0)
        return err;
    if (memcmp(info, "RRaA", 4) != 0 || memcmp(info + 484, "rrAa", 4) != 0)
        return 0; // not an FSInfo sector: nobody will ask it
    fat_put32(info + INFO_FREE, v->nr_free);
    fat_put32(info + INFO_FREE + 4, v->next_free);
    return v->io.write(v->io.ctx, v->info_start + INFO_FREE, info + INFO_FREE, 8);
}

int fat_volume_flush(struct fat_volume *v)
{
    if (!v->window_dirty)
        return 0;
    v->window_dirty = false;
    for (unsigned int i = 0; i < v->nr_fats; i++) {
        if (!v->mirrored && i != v->active_fat)
            continue;
        int err = v->io.write(v->io.ctx, v->fat_start + i * v->fat_size + v->window_at, v->window,
                              sizeof(v->window));
        if (err != 0)
            return fat_damaged(v, "the table can't be written, sector", v->window_at / BOOT_SIZE);
    }
    return 0;
}

// Where byte `at` of the table is in memory.
static int table_byte(struct fat_volume *v, uint64_t at, uint8_t **byte)
{
    uint64_t start = v->fat_start + v->active_fat * v->fat_size;
    uint64_t window = ALIGN_DOWN(at, sizeof(v->window));

    if (v->window_at != window) {
        int err = fat_volume_flush(v);
        if (err != 0)
            return err;
        v->window_at = UINT64_MAX;
        err = v->io.read(v->io.ctx, start + window, v->window, sizeof(v->window));
        if (err != 0)
            return err;
        v->window_at = window;
    }
    *byte = &v->window[at - window];
    return 0;
}

// Byte offset of a cluster's entry in the table, and how many bytes it touches.
static uint64_t entry_at(const struct fat_volume *v, uint32_t cluster, unsigned int *nr)
{
    *nr = v->bits == 32 ? 4 : 2;
    return v->bits == 12 ? cluster + cluster / 2 : (uint64_t)cluster * *nr;
}

static int entry_bytes(struct fat_volume *v, uint32_t cluster, uint8_t bytes[4])
{
    unsigned int nr;
    uint64_t at = entry_at(v, cluster, &nr);
    uint8_t *byte;

    for (unsigned int i = 0; i < nr; i++) {
        int err = table_byte(v, at + i, &byte);
        if (err != 0)
            return err;
        bytes[i] = *byte;
    }
    return 0;
}

// What follows `cluster`: 0 is "free", anything outside the volume the end of a chain.
static int table_get(struct fat_volume *v, uint32_t cluster, uint32_t *next)
{
    uint8_t b[4] = {0};
    int err = entry_bytes(v, cluster, b);

    if (err != 0)
        return err;
    if (v->bits == 32)
        *next = fat_get32(b) & MASK_32;
    else if (v->bits == 16)
        *next = fat_get16(b);
    else
        *next = cluster & 1 ? fat_get16(b) >> 4 : fat_get16(b) & 0xfff;
    return 0;
}

static int table_set(struct fat_volume *v, uint32_t cluster, uint32_t value)
{
    uint8_t b[4] = {0}, *byte;
    unsigned int nr;
    uint64_t at = entry_at(v, cluster, &nr);

    if (v->read_only)
        return -EROFS;
    int err = entry_bytes(v, cluster, b);
    if (err != 0)
        return err;
    if (v->bits == 32)
        fat_put32(b, (fat_get32(b) & ~MASK_32) | (value & MASK_32));
    else if (v->bits == 16)
        fat_put16(b, value);
    else if (cluster & 1)
        fat_put16(b, (fat_get16(b) & 0xfU) | (value & 0xfff) << 4);
    else
        fat_put16(b, (fat_get16(b) & 0xf000U) | (value & 0xfff));
    for (unsigned int i = 0; i < nr; i++) {
        err = table_byte(v, at + i, &byte);
        if (err != 0)
            return err;
        *byte = b[i];
        v->window_dirty = true;
    }
    return 0;
}

static uint32_t end_mark(const struct fat_volume *v)
{
    return v->bits == 32 ? MASK_32 : (1U << v->bits) - 1;
}

// Is this value of the table the end of a chain? (bad clusters, below those, are not)
static bool is_end(const struct fat_volume *v, uint32_t value)
{
    return value >= (end_mark(v) & ~7U);
}

int fat_volume_count(struct fat_volume *v)
{
    uint32_t nr_free = 0, next;

    if (v->nr_free != FAT_UNKNOWN)
        return 0;
    for (uint32_t i = 0; i < v->nr_clusters; i++) {
        int err = table_get(v, CLUSTER_FIRST + i, &next);
        if (err != 0)
            return err;
        nr_free += next == 0;
    }
    v->nr_free = nr_free;
    return 0;
}

uint64_t fat_cluster_at(const struct fat_volume *v, uint32_t cluster)
{
    return v->data_start + ((uint64_t)(cluster - CLUSTER_FIRST) << v->cluster_shift);
}

// One step along a chain: 0, -ENODATA at its end, -EIO.
static int chain_next(struct fat_volume *v, uint32_t cluster, uint32_t *next)
{
    int err = table_get(v, cluster, next);

    if (err != 0)
        return err;
    if (is_end(v, *next))
        return -ENODATA;
    return cluster_is_valid(v, *next) ? 0 : fat_damaged(v, "no cluster follows cluster", cluster);
}

int fat_chain_at(struct fat_volume *v, struct fat_chain *c, uint32_t index, uint32_t *cluster)
{
    if (c->first == 0)
        return -ENODATA;
    if (!cluster_is_valid(v, c->first))
        return fat_damaged(v, "a file begins at cluster", c->first);
    if (index > v->nr_clusters) // no chain is longer, unless it is a loop
        return fat_damaged(v, "a chain without end begins at cluster", c->first);
    if (c->cluster == 0 || index < c->index) {
        bool marked = c->mark != 0 && index >= c->mark_index;
        c->cluster = marked ? c->mark : c->first;
        c->index = marked ? c->mark_index : 0;
    }
    while (c->index < index) {
        uint32_t next;
        int err = chain_next(v, c->cluster, &next);
        if (err != 0)
            return err;
        c->cluster = next;
        c->index++;
    }
    *cluster = c->cluster;
    return 0;
}

// Any free cluster, marked as the end of a chain.
static int cluster_allocate(struct fat_volume *v, uint32_t *cluster)
{
    uint32_t at = cluster_is_valid(v, v->next_free) ? v->next_free : CLUSTER_FIRST, next;

    if (v->nr_free == 0)
        return -ENOSPC;
    for (uint32_t i = 0; i < v->nr_clusters; i++) {
        int err = table_get(v, at, &next);
        if (err != 0)
            return err;
        if (next == 0) {
            err = table_set(v, at, end_mark(v));
            if (err != 0)
                return err;
            v->nr_free--;
            *cluster = at;
            v->next_free = at + 1;
            return 0;
        }
        at = cluster_is_valid(v, at + 1) ? at + 1 : CLUSTER_FIRST;
    }
    return fat_damaged(v, "no free cluster is left, though there should be", v->nr_free);
}

// Writers go on where they were while the chain grows at its end: the place is left alone.
static int chain_length(struct fat_volume *v, struct fat_chain *c, uint32_t *nr)
{
    struct fat_chain at = *c;
    uint32_t cluster, length = c->cluster != 0 ? c->index : 0;
    int err = 0;

    while (c->nr == 0 && (err = fat_chain_at(v, &at, length, &cluster)) == 0)
        length++;
    if (err != 0 && err != -ENODATA)
        return err;
    if (c->nr == 0) {
        c->nr = length;
        c->last = at.cluster;
    }
    *nr = c->nr;
    return 0;
}

static int free_from(struct fat_volume *v, uint32_t cluster)
{
    for (uint32_t i = 0; i < v->nr_clusters; i++) {
        uint32_t next;
        int step = chain_next(v, cluster, &next);
        if (step != 0 && step != -ENODATA)
            return step;
        int err = table_set(v, cluster, 0);
        if (err != 0)
            return err;
        if (v->nr_free != FAT_UNKNOWN)
            v->nr_free++;
        if (step == -ENODATA)
            return 0;
        cluster = next;
    }
    return fat_damaged(v, "a chain without end leads to cluster", cluster);
}

int fat_chain_grow(struct fat_volume *v, struct fat_chain *c, uint32_t nr)
{
    uint32_t have, last, cluster;

    if (v->read_only)
        return -EROFS;
    int err = chain_length(v, c, &have);
    if (err != 0 || have >= nr)
        return err;
    err = fat_volume_count(v);
    if (err != 0)
        return err;
    if (nr - have > v->nr_free)
        return -ENOSPC;
    uint32_t before = have > 0 ? c->last : 0, first_new = 0;
    last = before;
    for (uint32_t i = have; i < nr && err == 0; i++) {
        err = cluster_allocate(v, &cluster);
        if (err != 0)
            break;
        // The chain of new ones is hooked on at last, when it is complete.
        if (first_new == 0)
            first_new = cluster;
        else
            err = table_set(v, last, cluster);
        last = cluster;
    }
    if (err == 0 && before != 0)
        err = table_set(v, before, first_new);
    if (err != 0) {
        if (first_new != 0)
            (void)free_from(v, first_new);
        return err;
    }
    if (before == 0)
        *c = (struct fat_chain){.first = first_new};
    c->nr = nr;
    c->last = last;
    return 0;
}

int fat_chain_cut(struct fat_volume *v, struct fat_chain *c, uint32_t nr)
{
    uint32_t have, last, first;

    if (v->read_only)
        return -EROFS;
    int err = chain_length(v, c, &have);
    if (err != 0 || have <= nr)
        return err;
    err = fat_chain_at(v, c, nr, &first);
    if (err == 0 && nr > 0) {
        err = fat_chain_at(v, c, nr - 1, &last);
        if (err == 0)
            err = table_set(v, last, end_mark(v));
    }
    if (err != 0)
        return err;
    *c = (struct fat_chain){.first = nr > 0 ? c->first : 0};
    return free_from(v, first);
}

static int transfer(struct fat_volume *v, uint64_t at, void *in, const void *out, size_t n)
{
    static const uint8_t zeros[COPY_SIZE];

    if (in)
        return v->io.read(v->io.ctx, at, in, n);
    if (out)
        return v->io.write(v->io.ctx, at, out, n);
    for (size_t done = 0; done < n; done += COPY_SIZE) {
        int err = v->io.write(v->io.ctx, at + done, zeros, MIN(n - done, (size_t)COPY_SIZE));
        if (err != 0)
            return err;
    }
    return 0;
}

// How many of n bytes, the first of which is `inside` a cluster of the chain, lie in one row.
static size_t contiguous(struct fat_volume *v, struct fat_chain *c, uint32_t index,
                         uint32_t cluster, uint32_t inside, size_t n)
{
    size_t row = fat_cluster_size(v) - inside;
    uint32_t next;

    for (uint32_t i = 1; row < n; i++) {
        if (fat_chain_at(v, c, index + i, &next) != 0 || next != cluster + i)
            break;
        row += fat_cluster_size(v);
    }
    return MIN(n, row);
}

// Where on the volume a row begins that holds the first *n of so many bytes of the chain. 0, -EIO.
static int chain_row(struct fat_volume *v, struct fat_chain *c, uint64_t offset, uint64_t *at,
                     size_t *n)
{
    uint32_t cluster, inside = (uint32_t)offset & (fat_cluster_size(v) - 1);
    uint32_t index = (uint32_t)(offset >> v->cluster_shift);
    int err = fat_chain_at(v, c, index, &cluster);

    if (err == -ENODATA)
        err = fat_damaged(v, "a file is longer than its chain from cluster", c->first);
    if (err != 0)
        return err;
    c->mark_index = index; // who goes on little by little comes back here
    c->mark = cluster;
    *at = fat_cluster_at(v, cluster) + inside;
    *n = contiguous(v, c, index, cluster, inside, *n);
    return 0;
}

static int chain_transfer(struct fat_volume *v, struct fat_chain *c, uint64_t offset, char *in,
                          const char *out, size_t n)
{
    while (n > 0) {
        uint64_t at;
        size_t part = n;
        int err = chain_row(v, c, offset, &at, &part);
        if (err == 0)
            err = transfer(v, at, in, out, part);
        if (err != 0)
            return err;
        in = in ? in + part : NULL;
        out = out ? out + part : NULL;
        offset += part;
        n -= part;
    }
    return 0;
}

int fat_chain_read(struct fat_volume *v, struct fat_chain *c, uint64_t offset, void *buf, size_t n)
{
    return chain_transfer(v, c, offset, buf, NULL, n);
}

int fat_chain_write(struct fat_volume *v, struct fat_chain *c, uint64_t offset, const void *buf,
                    size_t n)
{
    return v->read_only ? -EROFS : chain_transfer(v, c, offset, NULL, buf, n);
}

void fat_chain_want(struct fat_volume *v, struct fat_chain *c, uint64_t offset, size_t n)
{
    struct fat_chain ahead = *c; // the place in it that c knows is where reading begins
    uint64_t at;

    for (size_t part = n; n > 0 && v->io.want; part = n) {
        if (chain_row(v, &ahead, offset, &at, &part) != 0)
            return;
        v->io.want(v->io.ctx, at, part);
        offset += part;
        n -= part;
    }
}
