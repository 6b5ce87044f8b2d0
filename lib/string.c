// SPDX-License-Identifier: BSD-2-Clause
// Memory and string functions of ISO C. Copies go by 8 bytes when both sides are equally aligned,
// which page copies and structures always are; the rest goes by byte, since misaligned accesses
// trap on some harts.

#include <lib/types.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) word_t;

#define WORD sizeof(word_t)

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;

    if (n >= 2 * WORD && (((uintptr_t)d ^ (uintptr_t)s) & (WORD - 1)) == 0) {
        for (; (uintptr_t)d & (WORD - 1); n--)
            *d++ = *s++;
        for (; n >= 8 * WORD; n -= 8 * WORD, d += 8 * WORD, s += 8 * WORD) {
            word_t *dw = (word_t *)d;
            const word_t *sw = (const word_t *)s;
            word_t a = sw[0], b = sw[1], c = sw[2], e = sw[3];
            word_t f = sw[4], g = sw[5], h = sw[6], i = sw[7];
            dw[0] = a, dw[1] = b, dw[2] = c, dw[3] = e;
            dw[4] = f, dw[5] = g, dw[6] = h, dw[7] = i;
        }
        for (; n >= WORD; n -= WORD, d += WORD, s += WORD)
            *(word_t *)d = *(const word_t *)s;
    }
    while (n-- > 0)
        *d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;

    // memcpy reads up to 64 bytes ahead of what it writes, so it is right for d below s only
    // if they are further apart than that.
    if (d + 8 * WORD <= s || d >= s + n)
        return memcpy(dst, src, n);
    if (d < s) {
        while (n-- > 0)
            *d++ = *s++;
        return dst;
    }
    if ((((uintptr_t)d ^ (uintptr_t)s) & (WORD - 1)) == 0) {
        for (; n > 0 && ((uintptr_t)(d + n) & (WORD - 1)); n--)
            d[n - 1] = s[n - 1];
        for (; n >= WORD; n -= WORD)
            *(word_t *)(d + n - WORD) = *(const word_t *)(s + n - WORD);
    }
    while (n-- > 0)
        d[n] = s[n];
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    uint8_t *d = dst;
    word_t w = (uint8_t)c * 0x0101010101010101ULL;

    if (n >= 2 * WORD) {
        for (; (uintptr_t)d & (WORD - 1); n--)
            *d++ = (uint8_t)c;
        for (; n >= 8 * WORD; n -= 8 * WORD, d += 8 * WORD) {
            word_t *dw = (word_t *)d;
            dw[0] = w, dw[1] = w, dw[2] = w, dw[3] = w;
            dw[4] = w, dw[5] = w, dw[6] = w, dw[7] = w;
        }
        for (; n >= WORD; n -= WORD, d += WORD)
            *(word_t *)d = w;
    }
    while (n-- > 0)
        *d++ = (uint8_t)c;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;

    for (; n > 0; n--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

void *memchr(const void *s, int c, size_t n)
{
    for (const uint8_t *p = s; n > 0; n--, p++)
        if (*p == (uint8_t)c)
            return (void *)p;
    return NULL;
}

void *memrchr(const void *s, int c, size_t n)
{
    const uint8_t *p = s;

    while (n-- > 0)
        if (p[n] == (uint8_t)c)
            return (void *)(p + n);
    return NULL;
}

size_t strlen(const char *s)
{
    const char *p = s;

    while (*p != '\0')
        p++;
    return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n] != '\0')
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++)
        if (*a != *b || *a == '\0')
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (*s == '\0')
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    return memrchr(s, c, strlen(s) + 1);
}

char *strstr(const char *haystack, const char *needle)
{
    size_t n = strlen(needle);

    for (; *haystack != '\0' || n == 0; haystack++)
        if (strncmp(haystack, needle, n) == 0)
            return (char *)haystack;
    return NULL;
}

size_t strlcpy(char *restrict dst, const char *restrict src, size_t size)
{
    size_t n = strlen(src);

    if (size > 0) {
        size_t copy = MIN(n, size - 1);
        memcpy(dst, src, copy);
        dst[copy] = '\0';
    }
    return n;
}
