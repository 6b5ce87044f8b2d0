// SPDX-License-Identifier: BSD-2-Clause
// cpio archives come from users: every truncation and every corrupt header byte must end in an
// entry, the end, or one reason, never outside the archive (ASan watches: the archive fills its
// allocation).

#include <errno.h>
#include <lib/cpio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t add(char *to, size_t at, const char *name, const char *data, unsigned int mode)
{
    at += (size_t)sprintf(to + at, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
                          7, mode, 1, 2, 1, 99, strlen(data), 3, 4, 5, 6, strlen(name) + 1, 0);
    strcpy(to + at, name);
    at = ALIGN_UP(at + strlen(name) + 1, 4);
    strcpy(to + at, data);
    return ALIGN_UP(at + strlen(data), 4);
}

static size_t make(char *to)
{
    memset(to, 0, 1024);
    size_t n = add(to, 0, "dir", "", 040755);
    n = add(to, n, "dir/file", "hello", 0100644);
    return add(to, n, "TRAILER!!!", "", 0);
}

static void test_entries(void **state)
{
    char archive[1024];
    size_t size = make(archive), offset = 0;
    struct cpio_entry e;
    const char *why;

    assert_int_equal(cpio_next(archive, size, &offset, &e, &why), 1);
    assert_string_equal(e.name, "dir");
    assert_int_equal(e.mode, 040755);
    assert_int_equal(cpio_next(archive, size, &offset, &e, &why), 1);
    assert_string_equal(e.name, "dir/file");
    assert_int_equal(e.size, 5);
    assert_memory_equal(e.data, "hello", 5);
    assert_int_equal(e.uid, 1);
    assert_int_equal(e.gid, 2);
    assert_int_equal(e.mtime, 99);
    assert_int_equal(e.rdev_minor, 6);
    assert_int_equal(cpio_next(archive, size, &offset, &e, &why), 0);
    assert_int_equal(offset, size);
}

static void test_padding_is_the_end(void **state)
{
    static const char zeros[512];
    size_t offset = 0;
    struct cpio_entry e;
    const char *why;

    assert_int_equal(cpio_next(zeros, sizeof(zeros), &offset, &e, &why), 0);
    assert_int_equal(offset, sizeof(zeros));
}

// Read to the end; the result that stopped it.
static int read_all(const char *archive, size_t size, int *entries)
{
    size_t offset = 0;
    struct cpio_entry e;
    const char *why;
    int result;

    for (*entries = 0; (result = cpio_next(archive, size, &offset, &e, &why)) == 1; ++*entries) {
        assert_true((const char *)e.data + e.size <= archive + size);
        assert_true(strlen(e.name) < size);
    }
    assert_true(offset <= size);
    assert_true(result == 0 || (result == -EINVAL && why[0] != '\0'));
    return result;
}

static void test_truncations(void **state)
{
    char archive[1024];
    size_t size = make(archive);
    int entries;

    for (size_t cut = 1; cut < size - 4; cut++) {
        char *part = malloc(cut);
        memcpy(part, archive, cut);
        int result = read_all(part, cut, &entries);
        assert_true(result == -EINVAL || entries < 3);
        free(part);
    }
}

static void test_corrupt_bytes(void **state)
{
    char good[1024];
    size_t size = make(good);
    int entries;

    for (size_t at = 0; at < size; at++)
        for (int value = 0; value < 256; value += 5) {
            char *bad = malloc(size);
            memcpy(bad, good, size);
            bad[at] = (char)value;
            read_all(bad, size, &entries);
            free(bad);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_padding_is_the_end),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_corrupt_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
