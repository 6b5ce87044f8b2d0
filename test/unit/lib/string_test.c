// SPDX-License-Identifier: BSD-2-Clause
// Our memory functions against the C library's at every alignment and small size: copies of 8 and
// 64 bytes at a time have many edges, and every page copy goes through them.

#include <lib/types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define memcpy  vireo_memcpy
#define memmove vireo_memmove
#define memset  vireo_memset
#define memcmp  vireo_memcmp
#define memchr  vireo_memchr
#define memrchr vireo_memrchr
#define strlen  vireo_strlen
#define strnlen vireo_strnlen
#define strcmp  vireo_strcmp
#define strncmp vireo_strncmp
#define strchr  vireo_strchr
#define strrchr vireo_strrchr
#define strstr  vireo_strstr
#define strlcpy vireo_strlcpy
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
char *vireo_strrchr(const char *s, int c);
void *vireo_memrchr(const void *s, int c, size_t n);
size_t vireo_strlen(const char *s);
int vireo_strncmp(const char *a, const char *b, size_t n);
#include "../../../lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef memrchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strlcpy

#define AREA 320

static void fill(uint8_t *p)
{
    for (int i = 0; i < AREA; i++)
        p[i] = (uint8_t)random();
}

static void test_copy_and_set(void **state)
{
    _Alignas(8) uint8_t source[AREA], ours[AREA], theirs[AREA];

    for (size_t to = 0; to < 9; to++)
        for (size_t from = 0; from < 9; from++)
            for (size_t n = 0; n < 200; n++) {
                fill(source);
                fill(ours);
                memcpy(theirs, ours, AREA);
                vireo_memcpy(ours + to, source + from, n);
                memcpy(theirs + to, source + from, n);
                assert_memory_equal(ours, theirs, AREA);
                vireo_memset(ours + to, (int)n, n);
                memset(theirs + to, (int)n, n);
                assert_memory_equal(ours, theirs, AREA);
            }
}

static void test_overlapping_move(void **state)
{
    _Alignas(8) uint8_t ours[AREA], theirs[AREA];

    for (size_t to = 0; to < 100; to += 3)
        for (size_t from = 0; from < 100; from++)
            for (size_t n = 0; n < 150; n += 7) {
                fill(ours);
                memcpy(theirs, ours, AREA);
                vireo_memmove(ours + to, ours + from, n);
                memmove(theirs + to, theirs + from, n);
                assert_memory_equal(ours, theirs, AREA);
            }
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void test_compare_and_search(void **state)
{
    const char *words[] = {"", "a", "ab", "abc", "abd", "b", "\xff", "a/b/c", "needle in hay"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        assert_int_equal(vireo_strlen(words[i]), strlen(words[i]));
        assert_int_equal(vireo_strnlen(words[i], 2), strnlen(words[i], 2));
        assert_ptr_equal(vireo_strchr(words[i], 'b'), strchr(words[i], 'b'));
        assert_ptr_equal(vireo_strchr(words[i], 0), strchr(words[i], 0));
        assert_ptr_equal(vireo_strrchr(words[i], '/'), strrchr(words[i], '/'));
        for (size_t j = 0; j < ARRAY_SIZE(words); j++) {
            assert_int_equal(sign(vireo_strcmp(words[i], words[j])),
                             sign(strcmp(words[i], words[j])));
            assert_int_equal(sign(vireo_strncmp(words[i], words[j], 2)),
                             sign(strncmp(words[i], words[j], 2)));
            assert_ptr_equal(vireo_strstr(words[i], words[j]), strstr(words[i], words[j]));
        }
    }
    char small[4];
    assert_int_equal(vireo_strlcpy(small, "abcdef", sizeof(small)), 6);
    assert_string_equal(small, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_and_set),
        cmocka_unit_test(test_overlapping_move),
        cmocka_unit_test(test_compare_and_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
