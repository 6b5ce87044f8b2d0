// SPDX-License-Identifier: BSD-2-Clause
// Partition tables: what sfdisk-like tables say is found, a damaged GPT gives way to its copy, and
// nothing that random bytes say leads outside the disk or into an endless walk.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka after those
#include <cmocka.h>
#include <errno.h>
#include <mm/slab.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../../../fs/partition_priv.h"

#define NR_SECTORS 4096U
#define FOUND_MAX  2048

static uint8_t disk[NR_SECTORS][PARTITION_SECTOR];
static struct partition found[FOUND_MAX];
static unsigned int nr_found, nr_reads;
static uint64_t bad_sector;

void *kmalloc(size_t size_bytes)
{
    return malloc(size_bytes);
}

void kfree(void *p)
{
    free(p);
}

static int read_sector(void *ctx, uint64_t sector, void *buf)
{
    assert_true(sector < NR_SECTORS);
    assert_true(++nr_reads < 4 * NR_SECTORS);
    if (sector == bad_sector)
        return -EIO;
    memcpy(buf, disk[sector], PARTITION_SECTOR);
    return 0;
}

static void note(void *ctx, const struct partition *p)
{
    assert_true(nr_found < FOUND_MAX);
    assert_true(p->start > 0 && p->nr_sectors > 0 && p->start + p->nr_sectors <= NR_SECTORS);
    found[nr_found++] = *p;
}

static int scan(void)
{
    const struct partition_disk d = {NR_SECTORS, read_sector, note, NULL};

    nr_found = nr_reads = 0;
    return partition_scan(&d);
}

static void put(uint8_t *p, uint64_t v, unsigned int bytes)
{
    for (unsigned int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static void put_mbr(uint64_t sector, unsigned int i, uint8_t type, uint32_t start, uint32_t nr)
{
    uint8_t *e = disk[sector] + 446 + 16 * i;

    e[4] = type;
    put(e + 8, start, 4);
    put(e + 12, nr, 4);
    disk[sector][510] = 0x55;
    disk[sector][511] = 0xaa;
}

static void put_gpt_header(uint64_t lba, uint64_t entries, uint32_t nr, uint32_t size)
{
    uint8_t *h = disk[lba];

    memset(h, 0, PARTITION_SECTOR);
    memcpy(h, "EFI PART", 8);
    put(h + 8, 0x10000, 4);
    put(h + 12, 92, 4);
    put(h + 24, lba, 8);
    put(h + 72, entries, 8);
    put(h + 80, nr, 4);
    put(h + 84, size, 4);
    put(h + 88, crc32(0, disk[entries], nr * size), 4);
    put(h + 16, crc32(0, h, 92), 4);
}

static void put_gpt(uint32_t entry_size)
{
    const uint64_t at[] = {2, NR_SECTORS - 33};

    put_mbr(0, 0, 0xee, 1, NR_SECTORS - 1);
    for (unsigned int copy = 0; copy < 2; copy++) {
        uint8_t *e = disk[at[copy]];
        e[0] = 1;
        put(e + 32, 34, 8);
        put(e + 40, 99, 8);
        e += (size_t)2 * entry_size;
        e[0] = 1;
        put(e + 32, 2000, 8);
        put(e + 40, 2000, 8);
        e += entry_size; // beyond the end: left out
        e[0] = 1;
        put(e + 32, 3000, 8);
        put(e + 40, NR_SECTORS, 8);
    }
    put_gpt_header(1, at[0], 128 * 128 / entry_size, entry_size);
    put_gpt_header(NR_SECTORS - 1, at[1], 128 * 128 / entry_size, entry_size);
}

static int setup(void **state)
{
    memset(disk, 0, sizeof(disk));
    bad_sector = UINT64_MAX;
    return 0;
}

static void expect(unsigned int i, unsigned int number, uint64_t start, uint64_t nr)
{
    assert_true(i < nr_found);
    assert_int_equal(found[i].number, number);
    assert_int_equal(found[i].start, start);
    assert_int_equal(found[i].nr_sectors, nr);
}

static void test_no_table(void **state)
{
    assert_int_equal(scan(), PARTITION_NONE);
    assert_int_equal(nr_found, 0);
}

static void test_mbr(void **state)
{
    put_mbr(0, 0, 0x0c, 64, 100);
    put_mbr(0, 2, 0x83, 200, NR_SECTORS - 200);
    put_mbr(0, 3, 0x83, 300, NR_SECTORS); // leaves the disk
    assert_int_equal(scan(), PARTITION_MBR);
    assert_int_equal(nr_found, 2);
    expect(0, 1, 64, 100);
    expect(1, 3, 200, NR_SECTORS - 200);
}

static void test_logical(void **state)
{
    put_mbr(0, 1, 0x05, 1000, 500);
    put_mbr(1000, 0, 0x83, 8, 50);
    put_mbr(1000, 1, 0x05, 100, 100);
    put_mbr(1100, 0, 0x83, 8, 60);
    assert_int_equal(scan(), PARTITION_MBR);
    assert_int_equal(nr_found, 2);
    expect(0, 5, 1008, 50);
    expect(1, 6, 1108, 60);
    put_mbr(1100, 1, 0x05, 100, 100); // bites its tail
    assert_int_equal(scan(), PARTITION_MBR);
}

// A table of the chain whose partition was deleted takes no number.
static void test_logical_gap(void **state)
{
    put_mbr(0, 0, 0x0f, 1000, 900);
    put_mbr(1000, 0, 0x83, 8, 0);
    put_mbr(1000, 1, 0x05, 100, 100);
    put_mbr(1100, 0, 0x83, 8, 60);
    put_mbr(1100, 1, 0x05, 200, 100);
    put_mbr(1200, 0, 0x05, 8, 60); // a table inside, no partition
    put_mbr(1200, 1, 0x05, 300, 100);
    put_mbr(1300, 0, 0x83, 8, 70);
    assert_int_equal(scan(), PARTITION_MBR);
    assert_int_equal(nr_found, 2);
    expect(0, 5, 1108, 60);
    expect(1, 6, 1308, 70);
}

static void test_gpt(void **state)
{
    for (uint32_t size = 128; size <= 512; size *= 2) {
        setup(NULL);
        put_gpt(size);
        assert_int_equal(scan(), PARTITION_GPT);
        assert_int_equal(nr_found, 2);
        expect(0, 1, 34, 66);
        expect(1, 3, 2000, 1);
    }
}

static void test_gpt_copy(void **state)
{
    const struct {
        uint64_t sector;
        unsigned int byte;
    } damages[] = {{1, 0}, {1, 20}, {1, 72}, {2, 33}, {20, 5}};

    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        setup(NULL);
        put_gpt(128);
        disk[damages[i].sector][damages[i].byte] ^= 1;
        assert_int_equal(scan(), PARTITION_GPT_BACKUP);
        assert_int_equal(nr_found, 2);
        disk[NR_SECTORS - 1][0] ^= 1;
        assert_int_equal(scan(), -EINVAL);
        assert_int_equal(nr_found, 0);
    }
}

static void test_read_errors(void **state)
{
    put_gpt(128);
    bad_sector = 0;
    assert_int_equal(scan(), -EIO);
    bad_sector = 3;
    assert_int_equal(scan(), PARTITION_GPT_BACKUP);
    bad_sector = UINT64_MAX;
}

// With right checksums, so that the rest is looked at, too.
static void test_random(void **state)
{
    srandom(8);
    for (int round = 0; round < 20000; round++) {
        setup(NULL);
        if (round % 2) {
            put_gpt(128);
            for (int i = 0; i < 3; i++)
                disk[1][24 + random() % 68] = (uint8_t)random();
            put(disk[1] + 16, 0, 4);
            put(disk[1] + 16, crc32(0, disk[1], 92), 4);
        } else {
            for (int i = 0; i < 16; i++)
                put_mbr((uint64_t)random() % 64, (unsigned int)random() % 4,
                        random() % 2 ? 0x05 : 0x83, (uint32_t)random() % 64,
                        (uint32_t)random() % NR_SECTORS);
            put_mbr(0, 0, 0x05, 1 + (uint32_t)random() % 64, 64);
        }
        (void)scan();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_no_table, setup),
        cmocka_unit_test_setup(test_mbr, setup),
        cmocka_unit_test_setup(test_logical, setup),
        cmocka_unit_test_setup(test_logical_gap, setup),
        cmocka_unit_test_setup(test_gpt, setup),
        cmocka_unit_test_setup(test_gpt_copy, setup),
        cmocka_unit_test_setup(test_read_errors, setup),
        cmocka_unit_test_setup(test_random, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
