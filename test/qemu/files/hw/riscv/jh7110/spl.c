/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the boot ROM does with the switches at "SD card": finds the partition of its type in the GPT
 * and loads the SPL from there into on-chip memory.
 *
 * The partition begins with a header of 1 KiB: at 0x284 the version 0x01010101, then the size of
 * the SPL, where it begins, and its CRC-32; all little-endian (StarFive's spl_tool; U-Boot's
 * doc/board/starfive/visionfive2.rst; the bytes of Debian's u-boot-spl.bin.normal.out).
 * It is read once, when the machine is made: a card that changes under a reset boots the old SPL.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/error-report.h"
#include "qemu/units.h"
#include "hw/loader.h"
#include "system/block-backend.h"
#include <zlib.h>
#include "jh7110.h"

#define SECTOR         512
#define GPT_ENTRIES    72 /* in the header, sector 1: where entries are, how many, how large */
#define GPT_NR_ENTRIES 80
#define GPT_ENTRY_SIZE 84
#define ENTRY_FIRST    32 /* in an entry, after two GUIDs */
#define ENTRIES_MAX    128

#define SPL_VERSION_AT  0x284
#define SPL_SIZE_AT     0x288
#define SPL_START_AT    0x28c
#define SPL_CRC_AT      0x290
#define SPL_HEADER_SIZE 0x400
#define SPL_VERSION     0x01010101
#define SPL_MAX         (512 * KiB)

/* 2E54B353-1271-4842-806F-E436D6AF6985 as GPT stores it. */
static const uint8_t spl_partition[16] = {0x53, 0xb3, 0x54, 0x2e, 0x71, 0x12, 0x42, 0x48,
                                          0x80, 0x6f, 0xe4, 0x36, 0xd6, 0xaf, 0x69, 0x85};

static uint64_t find_partition(BlockBackend *card)
{
    uint8_t sector[SECTOR], entry[128];
    uint32_t count, size;
    uint64_t at;

    if (blk_pread(card, SECTOR, SECTOR, sector, 0) < 0 || memcmp(sector, "EFI PART", 8)) {
        return 0;
    }
    at = ldq_le_p(sector + GPT_ENTRIES) * SECTOR;
    count = MIN(ldl_le_p(sector + GPT_NR_ENTRIES), ENTRIES_MAX);
    size = ldl_le_p(sector + GPT_ENTRY_SIZE);
    for (uint32_t i = 0; i < count; i++) {
        if (blk_pread(card, at + (uint64_t)i * size, sizeof(entry), entry, 0) < 0) {
            return 0;
        }
        if (!memcmp(entry, spl_partition, sizeof(spl_partition))) {
            return ldq_le_p(entry + ENTRY_FIRST) * SECTOR;
        }
    }
    return 0;
}

/* Puts the card's SPL where the harts start; ends QEMU, saying why, where the board would hang. */
void jh7110_spl_load(BlockBackend *card)
{
    uint8_t header[SPL_HEADER_SIZE];
    uint64_t at = card ? find_partition(card) : 0;
    g_autofree uint8_t *spl = NULL;
    uint32_t size;

    if (!at || blk_pread(card, at, sizeof(header), header, 0) < 0) {
        error_report("visionfive2: no -bios, and no card with an SPL partition to boot from");
        exit(1);
    }
    size = ldl_le_p(header + SPL_SIZE_AT);
    if (ldl_le_p(header + SPL_VERSION_AT) != SPL_VERSION || size > SPL_MAX) {
        error_report("visionfive2: the card's SPL partition has no SPL header");
        exit(1);
    }
    spl = g_malloc(size);
    if (blk_pread(card, at + ldl_le_p(header + SPL_START_AT), size, spl, 0) < 0 ||
        (uint32_t)crc32(0, spl, size) != (uint32_t)ldl_le_p(header + SPL_CRC_AT)) {
        error_report("visionfive2: the card's SPL is damaged (CRC)");
        exit(1);
    }
    rom_add_blob_fixed("jh7110.spl", spl, size, JH7110_LIM);
}
