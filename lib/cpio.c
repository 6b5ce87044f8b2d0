// SPDX-License-Identifier: BSD-2-Clause
// newc cpio: a header of 110 ASCII hex digits, the name, padding to 4, the data, padding to 4.

#include <ctype.h>
#include <errno.h>
#include <lib/cpio.h>
#include <string.h>

#define HEADER_SIZE CPIO_HEADER_SIZE
#define NR_FIELDS   13

enum field {
    F_INO,
    F_MODE,
    F_UID,
    F_GID,
    F_NLINK,
    F_MTIME,
    F_SIZE,
    F_DEV_MAJOR,
    F_DEV_MINOR,
    F_RDEV_MAJOR,
    F_RDEV_MINOR,
    F_NAME_SIZE,
    F_CHECK,
};

static bool parse_fields(const char *header, uint32_t fields[NR_FIELDS])
{
    const char *p = header + 6;

    for (int i = 0; i < NR_FIELDS; i++) {
        fields[i] = 0;
        for (int digit = 0; digit < 8; digit++, p++) {
            if (!isxdigit(*p))
                return false;
            int value = isdigit(*p) ? *p - '0' : tolower(*p) - 'a' + 10;
            fields[i] = fields[i] << 4 | (uint32_t)value;
        }
    }
    return true;
}

static int bad(const char **why, const char *text)
{
    *why = text;
    return -EINVAL;
}

int cpio_read_header(const char *header, size_t size, struct cpio_entry *entry, size_t *header_size,
                     const char **why)
{
    uint32_t f[NR_FIELDS];

    *why = "";
    if (size < HEADER_SIZE)
        return bad(why, "the archive ends inside a header");
    if (memcmp(header, "070701", 6) != 0 && memcmp(header, "070702", 6) != 0)
        return bad(why, "no newc header (070701) where one should be");
    if (!parse_fields(header, f))
        return bad(why, "a header field isn't hexadecimal");
    if (f[F_NAME_SIZE] == 0)
        return bad(why, "a file name isn't terminated");
    *header_size = ALIGN_UP((size_t)HEADER_SIZE + f[F_NAME_SIZE], 4);
    *entry = (struct cpio_entry){
        .name = header + HEADER_SIZE,
        .name_size = f[F_NAME_SIZE],
        .size = f[F_SIZE],
        .mode = f[F_MODE],
        .uid = f[F_UID],
        .gid = f[F_GID],
        .nlink = f[F_NLINK],
        .mtime = f[F_MTIME],
        .ino = f[F_INO],
        .dev_major = f[F_DEV_MAJOR],
        .dev_minor = f[F_DEV_MINOR],
        .rdev_major = f[F_RDEV_MAJOR],
        .rdev_minor = f[F_RDEV_MINOR],
    };
    return 0;
}

int cpio_next(const void *archive, size_t size, size_t *offset, struct cpio_entry *entry,
              const char **why)
{
    const char *base = archive;
    size_t at = ALIGN_UP(*offset, 4), header_size;

    *why = "";
    while (at < size && base[at] == '\0')
        at++;
    if (at >= size) {
        *offset = size;
        return 0;
    }
    *offset = at;
    int err = cpio_read_header(base + at, size - at, entry, &header_size, why);
    if (err != 0)
        return err;
    if (entry->name_size > size - at - HEADER_SIZE)
        return bad(why, "a file name reaches beyond the end");
    if (entry->name[entry->name_size - 1] != '\0')
        return bad(why, "a file name isn't terminated");
    size_t data_at = at + header_size;
    if (data_at > size || entry->size > size - data_at)
        return bad(why, "a file's data reaches beyond the end");

    *offset = MIN(data_at + ALIGN_UP((size_t)entry->size, 4), size);
    entry->data = base + data_at;
    return strcmp(entry->name, "TRAILER!!!") != 0;
}
