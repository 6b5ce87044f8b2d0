// SPDX-License-Identifier: BSD-2-Clause
// FAT12, FAT16 and FAT32 (Microsoft's "FAT32 File System Specification" 1.03, and long names):
// the volume and its clusters (fat_volume.c), names (fat_name.c), directories (fat_dir.c) know
// nothing of the VFS and read and write bytes through `struct fat_io`, so host tests and a fuzzer
// run them on images; fat.c, fat_file.c and fat_mount.c make a file system of them.
//
// What is on the card is believed only after a look: a bad cluster number, a chain that is a loop,
// an entry out of range are -EIO with one line in the log, and the volume is read-only from then
// on.
//
// Locking: whoever calls these has the volume to himself (fat->lock).
#pragma once

#include <lib/types.h>

#define FAT_NAME_UNITS 255 // UTF-16 units of a long name
#define FAT_NAME_BYTES 255 // of a name in UTF-8: what the VFS takes
#define FAT_ENTRY_SIZE 32U
#define FAT_SIZE_MAX   UINT32_MAX // bytes of a file

#define FAT_READ_ONLY 0x01U
#define FAT_LABEL     0x08U
#define FAT_DIRECTORY 0x10U
#define FAT_ARCHIVE   0x20U

struct fat_io {
    // n bytes at `offset` of the volume: 0 or -errno.
    int (*read)(void *ctx, uint64_t offset, void *buf, size_t n);
    int (*write)(void *ctx, uint64_t offset, const void *buf, size_t n);
    void (*want)(void *ctx, uint64_t offset, size_t n); // they are read next; NULL: so be it
    void *ctx;
    uint64_t size_bytes;
    const char *name; // for messages
};

// Clusters of a file or directory, first to last. first 0: none.
struct fat_chain {
    uint32_t first;
    uint32_t index, cluster;   // a place in it that is known; cluster 0: none
    uint32_t mark_index, mark; // another one, where the last transfer began
    uint32_t nr, last;         // its length and last cluster, once known; nr 0: not yet
};

struct fat_volume {
    struct fat_io io;
    unsigned int bits; // 12, 16, 32
    unsigned int cluster_shift;
    uint32_t nr_clusters; // numbered from 2
    unsigned int nr_fats, active_fat;
    bool mirrored;                       // all copies of the FAT are written
    uint64_t fat_start, fat_size;        // bytes
    uint64_t root_start, data_start;     // root: FAT12 and FAT16
    uint32_t root_entries, root_cluster; // FAT32: the cluster
    uint64_t info_start;                 // FSInfo sector, 0: none
    uint64_t state_at;                   // byte with the "in use" bit
    bool was_in_use;                     // when it was mounted
    bool read_only, damaged;
    uint32_t nr_free;   // clusters; FAT_UNKNOWN until counted
    uint32_t next_free; // where to look first
    uint64_t window_at; // what window holds, a multiple of its size; UINT64_MAX: nothing
    bool window_dirty;
    uint8_t window[512];
};

#define FAT_UNKNOWN UINT32_MAX

static inline uint16_t fat_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t fat_get32(const uint8_t *p)
{
    return fat_get16(p) | (uint32_t)fat_get16(p + 2) << 16;
}

static inline void fat_put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void fat_put32(uint8_t *p, uint32_t value)
{
    fat_put16(p, value);
    fat_put16(p + 2, value >> 16);
}

static inline uint32_t fat_cluster_size(const struct fat_volume *v)
{
    return 1U << v->cluster_shift;
}

// Read the boot sector through v->io, which is set. 0; -EINVAL: not a FAT; -EIO.
int fat_volume_open(struct fat_volume *v);
// Say on the volume that it is in use, or no longer. 0 or -errno.
int fat_volume_mark(struct fat_volume *v, bool in_use);
// Write what was changed in the table: whoever changed something calls it last. 0 or -EIO.
int fat_volume_flush(struct fat_volume *v);
// Write what FSInfo says of free clusters, if that is known.
int fat_volume_write_info(struct fat_volume *v);
// Count the free clusters, unless that was done. 0 or -EIO.
int fat_volume_count(struct fat_volume *v);
// The volume is damaged: one line in the log the first time, read-only from now on. -EIO.
int fat_damaged(struct fat_volume *v, const char *what, uint64_t number);

// Byte offset of a cluster that a chain gave.
uint64_t fat_cluster_at(const struct fat_volume *v, uint32_t cluster);
// The index-th cluster of a chain. 0; -ENODATA: it is shorter; -EIO.
int fat_chain_at(struct fat_volume *v, struct fat_chain *c, uint32_t index, uint32_t *cluster);
// Make it `nr` clusters long, if it is shorter; the new ones hold anything. 0; -ENOSPC and -EIO:
// nothing was changed.
int fat_chain_grow(struct fat_volume *v, struct fat_chain *c, uint32_t nr);
// Free all but the first `nr` clusters. -EIO: the chain is damaged and was left alone.
int fat_chain_cut(struct fat_volume *v, struct fat_chain *c, uint32_t nr);
// n bytes at `offset` of what a chain holds; buf NULL writes zeros. 0, -EIO (too short, too).
int fat_chain_read(struct fat_volume *v, struct fat_chain *c, uint64_t offset, void *buf, size_t n);
int fat_chain_write(struct fat_volume *v, struct fat_chain *c, uint64_t offset, const void *buf,
                    size_t n);
// n bytes are read next: say so through v->io, row by row. What is wrong, reading tells.
void fat_chain_want(struct fat_volume *v, struct fat_chain *c, uint64_t offset, size_t n);

// Names. UTF-8 to UTF-16: the number of units, -EINVAL (not UTF-8), -ENAMETOOLONG.
int fat_name_decode(const char *name, size_t length, uint16_t units[FAT_NAME_UNITS]);
// UTF-16 to UTF-8: bytes, or -EINVAL: it has half a surrogate pair, or is too long.
int fat_name_encode(const uint16_t *units, unsigned int nr, char name[FAT_NAME_BYTES]);
// May a file be given this name? 0 or -EINVAL.
int fat_name_check(const uint16_t *units, unsigned int nr);
bool fat_name_equal(const uint16_t *a, unsigned int nr_a, const uint16_t *b, unsigned int nr_b);
// The 8.3 name of an entry as people see it; units, 0: it isn't one.
unsigned int fat_short_decode(const uint8_t entry[FAT_ENTRY_SIZE], uint16_t units[12]);
// An 8.3 name for a long one. True: it says all, no long name is needed. `variant` 0 is the plain
// one, others have a tail ("LONGNA~1") and never say all.
bool fat_short_encode(const uint16_t *units, unsigned int nr, unsigned int variant,
                      uint8_t name[11]);
#define FAT_SHORT_VARIANTS 100000U
uint8_t fat_short_sum(const uint8_t name[11]);

// Directories.
struct fat_dir {
    bool is_root; // of FAT12 and FAT16: a place of its own
    struct fat_chain chain;
};

struct fat_entry {
    uint32_t slot; // in its directory, of the 8.3 entry; the long name's are before it
    unsigned int nr_slots;
    uint64_t at; // byte offset on the volume, of the 8.3 entry
    uint8_t raw[FAT_ENTRY_SIZE];
    char name[FAT_NAME_BYTES];
    uint8_t length;
    uint16_t units[FAT_NAME_UNITS]; // the same name, and
    unsigned int nr_units;
    uint16_t short_units[12]; // the 8.3 one
    unsigned int nr_short_units;
};

struct fat_dir fat_dir_root(const struct fat_volume *v);
// The next file from *slot on, which moves behind it: 1, 0 (no more), -EIO. "." and ".." and labels
// are left out.
int fat_dir_next(struct fat_volume *v, struct fat_dir *d, uint32_t *slot, struct fat_entry *e);
// By long or short name, in whatever case. 0, -ENOENT, -EIO.
int fat_dir_find(struct fat_volume *v, struct fat_dir *d, const char *name, size_t length,
                 struct fat_entry *e);
// A new entry; of `raw` all but the name is taken. The name must be free. 0 and its place in *e,
// -EINVAL, -ENAMETOOLONG, -ENOSPC, -EIO.
int fat_dir_add(struct fat_volume *v, struct fat_dir *d, const char *name, size_t length,
                const uint8_t raw[FAT_ENTRY_SIZE], struct fat_entry *e);
int fat_dir_remove(struct fat_volume *v, struct fat_dir *d, uint32_t slot, unsigned int nr_slots);
int fat_dir_is_empty(struct fat_volume *v, struct fat_dir *d); // 1, 0, -EIO
// The cluster of a new, empty directory whose parent begins at `parent` (0: the root).
int fat_dir_create(struct fat_volume *v, uint32_t parent, const uint8_t raw[FAT_ENTRY_SIZE],
                   uint32_t *first);
int fat_dir_set_parent(struct fat_volume *v, struct fat_dir *d, uint32_t parent);
// Write the 8.3 entry at byte `at`, all but its name.
int fat_entry_write(struct fat_volume *v, uint64_t at, const uint8_t raw[FAT_ENTRY_SIZE]);

static inline uint32_t fat_entry_first(const struct fat_volume *v, const uint8_t *raw)
{
    return fat_get16(raw + 26) | (v->bits == 32 ? (uint32_t)fat_get16(raw + 20) << 16 : 0);
}

static inline void fat_entry_set_first(const struct fat_volume *v, uint8_t *raw, uint32_t first)
{
    fat_put16(raw + 26, first);
    fat_put16(raw + 20, v->bits == 32 ? first >> 16 : 0);
}
