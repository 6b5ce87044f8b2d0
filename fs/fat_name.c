// SPDX-License-Identifier: BSD-2-Clause
// Names on a FAT: long ones in UTF-16, 8.3 ones in code page 437, and UTF-8 towards programs. Case
// does not matter in Latin, Greek and Cyrillic letters. Stateless.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fat_priv.h"

#define LOWER_BASE 0x08U // in byte 12 of an entry: Windows NT's short form of "all lower case"
#define LOWER_TAIL 0x10U
#define BASE_SIZE  8U
#define TAIL_SIZE  3U
#define PLAIN_MAX  4U // so many tails are tried before names get a hash, too

static const uint16_t code_page_437[128] = {
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef,
    0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
    0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa,
    0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557,
    0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
    0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559,
    0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
    0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4,
    0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
    0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

// One character of UTF-8: its size, or 0.
static size_t utf8_next(const unsigned char *s, size_t left, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    if (n == 0 || n > left || s[0] > 0xf4)
        return 0;
    *c = n == 1 ? s[0] : s[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (s[i] & 0x3f);
    }
    return *c < least[n] || (*c >= 0xd800 && *c < 0xe000) || *c > 0x10ffff ? 0 : n;
}

int fat_name_decode(const char *name, size_t length, uint16_t units[FAT_NAME_UNITS])
{
    unsigned int nr = 0;
    uint32_t c;

    for (size_t i = 0; i < length;) {
        size_t n = utf8_next((const unsigned char *)name + i, length - i, &c);
        if (n == 0)
            return -EINVAL;
        if (nr + (c > 0xffff) >= FAT_NAME_UNITS)
            return -ENAMETOOLONG;
        if (c > 0xffff) {
            units[nr++] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
            c = 0xdc00 + (c & 0x3ff);
        }
        units[nr++] = (uint16_t)c;
        i += n;
    }
    return (int)nr;
}

// The character at units[*i], which moves on; UINT32_MAX: half a pair.
static uint32_t utf16_next(const uint16_t *units, unsigned int nr, unsigned int *i)
{
    uint32_t c = units[(*i)++];

    if (c < 0xd800 || c > 0xdfff)
        return c;
    if (c > 0xdbff || *i == nr || (units[*i] & 0xfc00) != 0xdc00)
        return UINT32_MAX;
    return 0x10000 + ((c - 0xd800) << 10 | (units[(*i)++] & 0x3ffU));
}

int fat_name_encode(const uint16_t *units, unsigned int nr, char name[FAT_NAME_BYTES])
{
    size_t n = 0;

    for (unsigned int i = 0; i < nr;) {
        uint32_t c = utf16_next(units, nr, &i);
        size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (c == UINT32_MAX || n + size > FAT_NAME_BYTES)
            return -EINVAL;
        if (size == 1) {
            name[n++] = (char)c;
            continue;
        }
        for (size_t part = size; part-- > 0;) {
            unsigned int bits = (c >> (6 * part)) & 0x3f, mark = 0x80;
            if (part == size - 1)
                mark = (0xf00U >> size) & 0xff;
            name[n++] = (char)(mark | bits);
        }
    }
    return (int)n;
}

int fat_name_check(const uint16_t *units, unsigned int nr)
{
    if (nr == 0 || units[nr - 1] == '.' || units[nr - 1] == ' ')
        return -EINVAL; // others would cut these off
    for (unsigned int i = 0; i < nr; i++)
        if (units[i] < 0x20 || (units[i] < 0x80 && strchr("\"*/:<>?\\|\177", units[i])))
            return -EINVAL;
    return 0;
}

static uint16_t fold(uint16_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? (uint16_t)(c - 0x20) : c;
    bool low = (c >= 0xe0 && c <= 0xfe && c != 0xf7) || (c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2) ||
               (c >= 0x430 && c <= 0x44f);
    if (low)
        return (uint16_t)(c - 0x20);
    return c >= 0x450 && c <= 0x45f ? (uint16_t)(c - 0x50) : c;
}

bool fat_name_equal(const uint16_t *a, unsigned int nr_a, const uint16_t *b, unsigned int nr_b)
{
    if (nr_a != nr_b)
        return false;
    for (unsigned int i = 0; i < nr_a; i++)
        if (a[i] != b[i] && fold(a[i]) != fold(b[i]))
            return false;
    return true;
}

// `size` bytes of an 8.3 name without the spaces at the end. False: not a name.
static bool short_part(const uint8_t *bytes, unsigned int size, bool lower, uint16_t *units,
                       unsigned int *nr)
{
    while (size > 0 && bytes[size - 1] == ' ')
        size--;
    for (unsigned int i = 0; i < size; i++) {
        uint8_t c = bytes[i];
        if (c < 0x20 || c == '/' || c == 0x7f)
            return false;
        if (lower && c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + 0x20);
        units[(*nr)++] = c < 0x80 ? c : code_page_437[c - 0x80];
    }
    return true;
}

unsigned int fat_short_decode(const uint8_t entry[FAT_ENTRY_SIZE], uint16_t units[12])
{
    uint8_t name[BASE_SIZE + TAIL_SIZE];
    unsigned int nr = 0;

    memcpy(name, entry, sizeof(name));
    if (name[0] == 0x05) // for 0xe5, which says "deleted"
        name[0] = 0xe5;
    if (name[0] == ' ' || !short_part(name, BASE_SIZE, entry[12] & LOWER_BASE, units, &nr))
        return 0;
    units[nr++] = '.';
    unsigned int before = nr;
    if (!short_part(name + BASE_SIZE, TAIL_SIZE, entry[12] & LOWER_TAIL, units, &nr))
        return 0;
    if (nr == before)
        nr--; // no tail, no dot
    return units[nr - 1] == '.' ? 0 : nr;
}

// A unit as it may stand in an 8.3 name: 0 if it can't and is left out, '_' for what has no place.
static uint8_t short_letter(uint16_t c, bool *exact)
{
    if (c > ' ' && c < 0x7f && !strchr("+,;=[].", c)) {
        if (c < 'a' || c > 'z')
            return (uint8_t)c;
        *exact = false;
        return (uint8_t)(c - 0x20);
    }
    *exact = false;
    return c == ' ' || c == '.' ? 0 : '_';
}

static unsigned int short_letters(const uint16_t *units, unsigned int nr, unsigned int max,
                                  uint8_t *name, bool *exact)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < nr; i++) {
        uint8_t c = short_letter(units[i], exact);
        if (c == 0)
            continue;
        if (n == max) {
            *exact = false;
            break;
        }
        name[n++] = c;
    }
    return n;
}

static unsigned int name_hash(const uint16_t *units, unsigned int nr)
{
    unsigned int hash = 0;

    for (unsigned int i = 0; i < nr; i++)
        hash = (hash * 31 + units[i]) & 0xffff;
    return hash;
}

// Put "~1", or a hash and that, behind the first letters of the base.
static void short_variant(const uint16_t *units, unsigned int nr, unsigned int variant,
                          uint8_t *name, unsigned int base)
{
    char tail[16];
    unsigned int keep = base, size;

    if (variant > PLAIN_MAX) {
        keep = MIN(base, 2U);
        size = (unsigned int)snprintf(tail, sizeof(tail), "%04X~%u", name_hash(units, nr),
                                      variant - PLAIN_MAX);
        if (size > BASE_SIZE) // very many of one kind: the number is the name
            size = (unsigned int)snprintf(tail, sizeof(tail), "~%u", variant);
    } else {
        size = (unsigned int)snprintf(tail, sizeof(tail), "~%u", variant);
    }
    keep = MIN(keep, BASE_SIZE - size);
    memset(name + keep, ' ', BASE_SIZE - keep);
    memcpy(name + keep, tail, size);
}

bool fat_short_encode(const uint16_t *units, unsigned int nr, unsigned int variant,
                      uint8_t name[BASE_SIZE + TAIL_SIZE])
{
    unsigned int dot = nr, start = 0;
    bool exact = true;

    while (start < nr && units[start] == '.')
        start++;
    for (unsigned int i = start; i < nr; i++)
        if (units[i] == '.')
            dot = i;
    exact = start == 0;
    memset(name, ' ', BASE_SIZE + TAIL_SIZE);
    unsigned int base = short_letters(units + start, dot - start, BASE_SIZE, name, &exact);
    if (dot < nr)
        short_letters(units + dot + 1, nr - dot - 1, TAIL_SIZE, name + BASE_SIZE, &exact);
    if (base == 0) {
        exact = false;
        name[base++] = '_';
    }
    if (variant > 0)
        short_variant(units, nr, variant, name, base);
    return exact && variant == 0;
}

uint8_t fat_short_sum(const uint8_t name[BASE_SIZE + TAIL_SIZE])
{
    uint8_t sum = 0;

    for (unsigned int i = 0; i < BASE_SIZE + TAIL_SIZE; i++)
        sum = (uint8_t)((sum >> 1 | sum << 7) + name[i]);
    return sum;
}
