// SPDX-License-Identifier: BSD-2-Clause
// What an inode of a FAT is on disk: attributes and times of its entry. Times are UTC; a FAT knows
// two seconds for changes and days for reading, from 1980 to 2107.
#include <errno.h>
#include <linux/stat.h>
#include <string.h>

#include "fat_fs_priv.h"

#define SECONDS_PER_DAY 86400
#define YEAR_FIRST      1980
#define DAYS_TO_1980    3652  // from 1970
#define DAYS_MAX        46751 // in 128 years
#define DAYS_IN_4_YEARS 1461
#define CREATED_CENTI   13
#define CREATED_TIME    14
#define CREATED_DATE    16
#define ACCESSED_DATE   18
#define MODIFIED_TIME   22
#define MODIFIED_DATE   24
#define SIZE            28
#define DAY_2100_FEB_29 43889 // days from 1980: a leap day that there isn't

static const uint16_t days_before[13] = {0,   31,  59,  90,  120, 151, 181,
                                         212, 243, 273, 304, 334, 366};

static bool is_leap(unsigned int year)
{
    return year % 4 == 0 && year != 120; // 2100
}

static unsigned int month_start(unsigned int month, bool leap)
{
    return days_before[month] + (leap && month >= 2 && month < 12);
}

// Days since 1980 of year (from 1980), month and day (from 0).
static unsigned int days_from_date(unsigned int year, unsigned int month, unsigned int day)
{
    return year * 365 + (year + 3) / 4 - (year > 120) + month_start(month, is_leap(year)) + day;
}

static int64_t decode(uint32_t date, uint32_t time)
{
    unsigned int year = date >> 9, month = (date >> 5) & 15, day = date & 31;
    uint32_t seconds = (time >> 11) * 3600 + ((time >> 5) & 63) * 60 + (time & 31) * 2;

    month = month == 0 ? 0 : MIN(month - 1, 11U);
    day = day == 0 ? 0 : day - 1;
    return ((int64_t)days_from_date(year, month, day) + DAYS_TO_1980) * SECONDS_PER_DAY + seconds;
}

static void encode(int64_t seconds, uint16_t *date, uint16_t *time)
{
    const int64_t first = (int64_t)DAYS_TO_1980 * SECONDS_PER_DAY;
    int64_t at = MAX(seconds, first) - first;
    at = MIN(at, (int64_t)DAYS_MAX * SECONDS_PER_DAY - 1);
    unsigned int days = (unsigned int)(at / SECONDS_PER_DAY);
    unsigned int rest = (unsigned int)(at % SECONDS_PER_DAY), year = days / 366, month = 0;

    while (days_from_date(year + 1, 0, 0) <= days)
        year++;
    days -= days_from_date(year, 0, 0);
    while (month < 11 && month_start(month + 1, is_leap(year)) <= days)
        month++;
    unsigned int day = days - month_start(month, is_leap(year));
    *date = (uint16_t)(year << 9 | (month + 1) << 5 | (day + 1));
    *time = (uint16_t)(rest / 3600 << 11 | rest / 60 % 60 << 5 | rest % 60 / 2);
}

void fat_times_decode(struct inode *inode, const uint8_t raw[FAT_ENTRY_SIZE])
{
    const uint8_t *r = raw;

    inode->mtime = (struct timestamp){decode(fat_get16(r + MODIFIED_DATE), //
                                             fat_get16(r + MODIFIED_TIME)),
                                      0};
    inode->ctime = inode->mtime;
    inode->atime = (struct timestamp){decode(fat_get16(r + ACCESSED_DATE), 0), 0};
    inode->btime = (struct timestamp){decode(fat_get16(r + CREATED_DATE), //
                                             fat_get16(r + CREATED_TIME)),
                                      0};
    inode->btime.seconds += r[CREATED_CENTI] / 100;
    inode->btime.nanoseconds = r[CREATED_CENTI] % 100 * 10000000U;
}

static void put_times(uint8_t *raw, const struct timestamp *atime, const struct timestamp *mtime)
{
    uint16_t date, time;

    encode(mtime->seconds, &date, &time);
    fat_put16(raw + MODIFIED_DATE, date);
    fat_put16(raw + MODIFIED_TIME, time);
    encode(atime->seconds, &date, &time);
    fat_put16(raw + ACCESSED_DATE, date);
}

void fat_raw_init(uint8_t raw[FAT_ENTRY_SIZE], unsigned int attributes)
{
    struct timestamp now = timestamp_now();
    uint16_t date, time;

    memset(raw, 0, FAT_ENTRY_SIZE);
    raw[11] = (uint8_t)attributes;
    put_times(raw, &now, &now);
    encode(now.seconds, &date, &time);
    fat_put16(raw + CREATED_DATE, date);
    fat_put16(raw + CREATED_TIME, time);
    raw[CREATED_CENTI] = (uint8_t)((now.seconds & 1) * 100 + now.nanoseconds / 10000000);
}

mode_t fat_mode(const struct fat *fat, const uint8_t raw[FAT_ENTRY_SIZE])
{
    if (raw[11] & FAT_DIRECTORY)
        return S_IFDIR | (0777 & ~fat->dmask);
    return S_IFREG | ((raw[11] & FAT_READ_ONLY ? 0555U : 0777U) & ~fat->fmask);
}

int fat_node_write(struct inode *inode)
{
    struct fat_node *node = fat_node(inode);
    struct fat *fat = node->fat;
    uint8_t raw[FAT_ENTRY_SIZE];
    int err = 0;

    if (node->at == 0)
        return 0;
    fat_lock(fat);
    memcpy(raw, node->raw, sizeof(raw));
    put_times(raw, &inode->atime, &inode->mtime);
    fat_entry_set_first(&fat->volume, raw, node->dir.chain.first);
    if (S_ISREG(inode->mode))
        fat_put32(raw + SIZE, (uint32_t)node->valid);
    if (inode->nlink != 0 && memcmp(raw, node->raw, sizeof(raw)) != 0) {
        err = fat_entry_write(&fat->volume, node->at, raw);
        if (err == 0)
            memcpy(node->raw, raw, sizeof(raw));
    }
    fat_unlock(fat);
    return err;
}

// Is this a mode that the one bit of an entry can stand for? As on Linux: only writing may change,
// for everybody it isn't masked for at once.
static bool mode_fits(const struct fat *fat, const struct inode *inode, mode_t stored)
{
    mode_t writing = 0222 & ~(S_ISDIR(inode->mode) ? fat->dmask : fat->fmask);

    if ((inode->mode & 07777 & ~(mode_t)0222) != (stored & 07777 & ~(mode_t)0222))
        return false;
    if (S_ISDIR(inode->mode))
        return (inode->mode & 0222) == writing;
    return (inode->mode & 0222) == 0 || (inode->mode & 0222) == writing;
}

int fat_set_attributes(struct inode *inode)
{
    struct fat_node *node = fat_node(inode);
    struct fat *fat = node->fat;
    mode_t stored = fat_mode(fat, node->raw);

    mutex_assert_held(&inode->lock);
    if (inode->uid != fat->uid || inode->gid != fat->gid || !mode_fits(fat, inode, stored)) {
        inode->uid = fat->uid;
        inode->gid = fat->gid;
        inode->mode = stored;
        return -EPERM;
    }
    inode->mtime = (struct timestamp){inode->mtime.seconds & ~1LL, 0};
    inode->ctime = inode->mtime;
    inode->atime.seconds -= inode->atime.seconds % SECONDS_PER_DAY;
    inode->atime.nanoseconds = 0;
    if (S_ISREG(inode->mode) && inode->mode != stored) {
        uint8_t raw[FAT_ENTRY_SIZE];
        fat_lock(fat);
        memcpy(raw, node->raw, sizeof(raw));
        raw[11] ^= FAT_READ_ONLY;
        int err = inode->nlink != 0 ? fat_entry_write(&fat->volume, node->at, raw) : 0;
        if (err == 0)
            memcpy(node->raw, raw, sizeof(raw));
        fat_unlock(fat);
        if (err != 0)
            return err;
    }
    return fat_node_write(inode);
}
