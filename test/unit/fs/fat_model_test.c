// SPDX-License-Identifier: BSD-2-Clause
// FAT12, 16 and 32 beside a model: random files are made, written, cut, renamed, removed and read,
// and the image always says what the model does, has no lost cluster and two equal tables. Then its
// bytes are damaged, and whatever is asked ends after so many accesses, inside the image, with an
// error or without.
#include "../ipc/ipc_walk.h"

#include <arch/log.h>
#include <stdio.h>
#include <string.h>

#include "../../../fs/fat_priv.h"

#define IMAGE_SIZE   (80 * 1024)
#define NR_FILES     6
#define CONTENT_MAX  6000
#define ACCESSES_MAX 20000

static uint8_t image[IMAGE_SIZE];
static unsigned int nr_accesses, nr_lines;
static bool is_damaged;
static struct fat_volume v;
static struct fat_entry e;

static struct model {
    bool exists;
    char name[64];
    uint32_t size;
    uint8_t content[CONTENT_MAX];
} files[NR_FILES];

void log_write(enum log_level level, const char *fmt, ...)
{
    nr_lines++;
}

static int image_read(void *ctx, uint64_t offset, void *buf, size_t n)
{
    assert_true(offset + n <= IMAGE_SIZE && offset + n >= offset);
    assert_true(++nr_accesses < ACCESSES_MAX);
    memcpy(buf, image + offset, n);
    return 0;
}

static int image_write(void *ctx, uint64_t offset, const void *buf, size_t n)
{
    assert_true(offset + n <= IMAGE_SIZE && offset + n >= offset);
    assert_true(++nr_accesses < ACCESSES_MAX);
    assert_false(v.read_only);
    memcpy(image + offset, buf, n);
    return 0;
}

static uint8_t told[CONTENT_MAX]; // what lies where the volume said that it will read
static uint32_t nr_told;

static void image_want(void *ctx, uint64_t offset, size_t n)
{
    assert_true(offset + n <= IMAGE_SIZE && offset + n >= offset);
    assert_true(nr_told + n <= CONTENT_MAX);
    assert_true(++nr_accesses < ACCESSES_MAX);
    memcpy(told + nr_told, image + offset, n);
    nr_told += (uint32_t)n;
}

// One reserved sector (two and FSInfo on FAT32), two tables, a small root.
static void format(unsigned int bits)
{
    unsigned int reserved = bits == 32 ? 2 : 1, table = bits == 12 ? 1 : bits == 16 ? 2 : 2;
    uint8_t *b = image;

    memset(image, 0, sizeof(image));
    fat_put16(b + 11, 512);
    b[13] = 1;
    fat_put16(b + 14, reserved);
    b[16] = 2;
    fat_put16(b + 17, bits == 32 ? 0 : 64);
    fat_put16(b + 19, IMAGE_SIZE / 512);
    b[21] = 0xf8;
    fat_put16(b + 22, bits == 32 ? 0 : table);
    fat_put16(b + 510, 0xaa55);
    if (bits == 32) {
        fat_put32(b + 36, table);
        fat_put32(b + 44, 2);
        fat_put16(b + 48, 1);
        memcpy(b + 512, "RRaA", 4);
        memcpy(b + 512 + 484, "rrAa", 4);
    }
    for (unsigned int i = 0; i < 2; i++) {
        memset(b + (reserved + i * table) * 512, 0xff, bits == 12 ? 3 : bits == 16 ? 4 : 8);
        if (bits == 32)
            fat_put32(b + (reserved + i * table) * 512 + 8, 0x0fffffff);
    }
}

static int mount_image(void)
{
    memset(&v, 0, sizeof(v));
    v.io = (struct fat_io){image_read, image_write, image_want, NULL, IMAGE_SIZE, "image"};
    int err = fat_volume_open(&v);
    return err;
}

static struct fat_chain chain_of(const struct fat_entry *entry)
{
    return (struct fat_chain){.first = fat_entry_first(&v, entry->raw)};
}

static int update(const struct fat_chain *c, uint32_t size)
{
    uint8_t raw[FAT_ENTRY_SIZE];
    memcpy(raw, e.raw, sizeof(raw));
    fat_entry_set_first(&v, raw, c->first);
    fat_put32(raw + 28, size);
    return fat_entry_write(&v, e.at, raw);
}

static void random_name(struct model *m)
{
    static const char *const names[] = {
        "a",       "plain.txt",      "NAME.TXT", "a.longer name", "\xc3\xa4\xc3\xb6.x",
        ".hidden", "many.dots.in.it"};
    unsigned int k = any(ARRAY_SIZE(names) + 2);

    if (k < ARRAY_SIZE(names))
        snprintf(m->name, sizeof(m->name), "%s%u", names[k], (unsigned int)(m - files));
    else
        snprintf(m->name, sizeof(m->name), "%0*u of a name as long as this", 3 + (int)any(30),
                 (unsigned int)(m - files));
}

static void make(struct model *m)
{
    static const uint8_t raw[FAT_ENTRY_SIZE] = {[11] = FAT_ARCHIVE};
    struct fat_dir root = fat_dir_root(&v);

    random_name(m);
    int err = fat_dir_add(&v, &root, m->name, strlen(m->name), raw, &e);
    if (!is_damaged)
        assert_true(err == 0 || err == -ENOSPC);
    m->exists = err == 0;
    m->size = 0;
}

static void resize(struct model *m, uint32_t size)
{
    struct fat_chain c = chain_of(&e);
    uint32_t nr = DIV_ROUND_UP(size, fat_cluster_size(&v));
    int err = size > m->size ? fat_chain_grow(&v, &c, nr) : fat_chain_cut(&v, &c, nr);

    if (!is_damaged)
        assert_true(err == 0 || (err == -ENOSPC && size > m->size));
    if (err != 0)
        return;
    for (uint32_t i = m->size; i < size; i++)
        m->content[i] = (uint8_t)any(256);
    if (size > m->size)
        err = fat_chain_write(&v, &c, m->size, m->content + m->size, size - m->size);
    if (err == 0)
        err = update(&c, size);
    assert_true(err == 0 || is_damaged);
    m->size = size;
}

static void change(struct model *m)
{
    struct fat_dir root = fat_dir_root(&v);
    int err = fat_dir_find(&v, &root, m->name, strlen(m->name), &e);

    assert_true(err == 0 || is_damaged);
    if (err != 0)
        return;
    switch (any(4)) {
    case 0: {
        struct fat_chain c = chain_of(&e);
        err = fat_chain_cut(&v, &c, 0);
        if (err == 0)
            err = fat_dir_remove(&v, &root, e.slot, e.nr_slots);
        assert_true(err == 0 || is_damaged);
        m->exists = false;
        break;
    }
    default:
        resize(m, any(CONTENT_MAX));
    }
}

static void compare(const struct model *m)
{
    static uint8_t buf[CONTENT_MAX];
    struct fat_dir root = fat_dir_root(&v);
    int err = fat_dir_find(&v, &root, m->name, strlen(m->name), &e);

    if (!is_damaged)
        assert_int_equal(err, m->exists ? 0 : -ENOENT);
    if (err != 0)
        return;
    struct fat_chain c = chain_of(&e);
    uint32_t size = fat_get32(e.raw + 28);
    if (!is_damaged) {
        assert_int_equal(size, m->size);
        assert_int_equal(e.length, strlen(m->name));
        assert_memory_equal(e.name, m->name, e.length);
    }
    nr_told = 0;
    fat_chain_want(&v, &c, 0, MIN(size, (uint32_t)CONTENT_MAX));
    err = fat_chain_read(&v, &c, 0, buf, MIN(size, (uint32_t)CONTENT_MAX));
    if (!is_damaged) {
        assert_int_equal(err, 0);
        assert_int_equal(nr_told, size);
        assert_memory_equal(told, m->content, size);
        assert_memory_equal(buf, m->content, size);
    }
}

// No more clusters are in use than files and the root have, and the tables are equal.
static void check_clusters(void)
{
    struct fat_dir root = fat_dir_root(&v);
    uint32_t used = 0, cluster, slot = 0, nr_free = v.nr_free;

    assert_int_equal(fat_volume_flush(&v), 0);
    assert_memory_equal(image + v.fat_start, image + v.fat_start + v.fat_size, v.fat_size);
    for (uint32_t i = 0; !root.is_root && fat_chain_at(&v, &root.chain, i, &cluster) == 0; i++)
        used++;
    while (fat_dir_next(&v, &root, &slot, &e) > 0)
        used += DIV_ROUND_UP(fat_get32(e.raw + 28), fat_cluster_size(&v));
    v.nr_free = FAT_UNKNOWN;
    assert_int_equal(fat_volume_count(&v), 0);
    assert_int_equal(v.nr_free + used, v.nr_clusters);
    assert_true(nr_free == FAT_UNKNOWN || nr_free == v.nr_free);
}

// A folder is made, moved and emptied of nothing, which leaves no trace.
static void folder(void)
{
    static const uint8_t raw[FAT_ENTRY_SIZE] = {[11] = FAT_DIRECTORY};
    uint8_t entry[FAT_ENTRY_SIZE];
    struct fat_dir root = fat_dir_root(&v);
    uint32_t first;

    if (fat_dir_create(&v, 0, raw, &first) != 0)
        return;
    struct fat_dir d = {.chain.first = first};
    memcpy(entry, raw, sizeof(entry));
    fat_entry_set_first(&v, entry, first);
    if (fat_dir_add(&v, &root, "folder", 6, entry, &e) == 0) {
        assert_true(fat_dir_is_empty(&v, &d) == 1 || is_damaged);
        assert_true(fat_dir_set_parent(&v, &d, 0) == 0 || is_damaged);
        int err = fat_dir_remove(&v, &root, e.slot, e.nr_slots);
        assert_true(err == 0 || is_damaged);
    }
    int err = fat_chain_cut(&v, &d.chain, 0);
    assert_true(err == 0 || is_damaged);
}

static void read_all(struct fat_dir *d, unsigned int depth)
{
    uint32_t slot = 0;
    unsigned int i = 0;

    while (i++ < 20 && fat_dir_next(&v, d, &slot, &e) > 0) {
        assert_true(e.length > 0 && !memchr(e.name, '/', e.length));
        if ((e.raw[11] & FAT_DIRECTORY) && depth > 0) {
            struct fat_dir below = {.chain = chain_of(&e)};
            read_all(&below, depth - 1);
        }
    }
}

static void step(void)
{
    struct model *m = &files[any(NR_FILES)];

    nr_accesses = 0;
    if (any(16) == 0)
        folder();
    else if (!m->exists)
        make(m);
    else
        change(m);
    for (unsigned int i = 0; i < NR_FILES; i++)
        if (files[i].exists)
            compare(&files[i]);
    if (!is_damaged)
        check_clusters();
}

static void damage(void)
{
    // The boot sector seldom: what is behind it is looked at then.
    unsigned int end = any(8) == 0 ? 64 : (unsigned int)v.data_start + 2048;

    for (unsigned int i = any(8); i < 9; i++)
        image[any(end)] = (uint8_t)any(256);
    if (any(4) == 0 && v.bits == 16) // a loop
        fat_put16(image + v.fat_start + 2 * (2 + any(20)), 2 + any(20));
}

static void begin_volume(void)
{
    static const unsigned int kinds[] = {12, 16, 32};
    unsigned int bits = kinds[any(3)];

    memset(files, 0, sizeof(files));
    is_damaged = false;
    format(bits);
    assert_int_equal(mount_image(), 0);
    v.bits = bits; // a size that others would call FAT12
}

// False: it can't be mounted any more.
static bool begin_damage(void)
{
    unsigned int bits = v.bits;

    assert_int_equal(fat_volume_flush(&v), 0);
    assert_false(v.damaged);
    is_damaged = true;
    damage();
    is_damaged = mount_image() == 0;
    nr_lines = 0;
    if (!is_damaged)
        return false;
    if (bits == 16 && any(2) == 0)
        v.bits = bits;
    return true;
}

static void end_damage(void)
{
    struct fat_dir root = fat_dir_root(&v);

    read_all(&root, 2);
    assert_true(nr_lines <= 1);
}

static void walk(void)
{
    unsigned int left = 0;

    begin_volume();
    while (walk_goes_on()) {
        nr_accesses = 0;
        if (left > 0) {
            left--;
            step();
        } else if (!is_damaged && begin_damage()) {
            left = 1 + any(10);
        } else {
            if (is_damaged)
                end_damage();
            begin_volume();
            left = any(40);
        }
    }
}
