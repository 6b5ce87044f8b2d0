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

struct seen {
    int begun, ended;
    struct cpio_entry last;
    char name[CPIO_NAME_MAX], data[256];
    size_t length;
};

static int begin(void *ctx, const struct cpio_entry *entry)
{
    struct seen *s = ctx;

    s->begun++;
    s->last = *entry;
    strcpy(s->name, entry->name);
    s->length = 0;
    return 0;
}

static int data(void *ctx, const void *bytes, size_t size)
{
    struct seen *s = ctx;

    assert_true(size <= s->last.size - s->length);
    if (s->length + size <= sizeof(s->data))
        memcpy(s->data + s->length, bytes, size);
    s->length += size;
    return 0;
}

static int end(void *ctx)
{
    struct seen *s = ctx;

    s->ended++;
    assert_int_equal(s->length, s->last.size);
    return 0;
}

static const struct cpio_ops ops = {begin, data, end};
static struct cpio_reader reader;

// Read it all in pieces of `step` bytes. The result that stopped it.
static int read_all(const char *archive, size_t size, size_t step, struct seen *s)
{
    memset(s, 0, sizeof(*s));
    cpio_reader_init(&reader, &ops, s);
    for (size_t at = 0; at < size;) {
        size_t n = MIN(step, size - at), used;
        int err = cpio_feed(&reader, archive + at, n, &used);
        assert_true(used <= n);
        if (err) {
            assert_int_equal(err, -EINVAL);
            assert_true(reader.why[0] != '\0');
            return err;
        }
        if (used < n)
            return -ENOEXEC; // something else begins here
        at += used;
    }
    return 0;
}

static void test_entries_in_any_pieces(void **state)
{
    char archive[1024];
    size_t size = make(archive);
    struct seen s;

    for (size_t step = 1; step <= size; step++) {
        assert_int_equal(read_all(archive, size, step, &s), 0);
        assert_true(cpio_reader_is_done(&reader));
        assert_int_equal(s.begun, 2);
        assert_int_equal(s.ended, 2);
        assert_string_equal(s.name, "dir/file");
        assert_int_equal(s.last.mode, 0100644);
        assert_int_equal(s.length, 5);
        assert_memory_equal(s.data, "hello", 5);
        assert_int_equal(s.last.uid, 1);
        assert_int_equal(s.last.gid, 2);
        assert_int_equal(s.last.mtime, 99);
        assert_int_equal(s.last.rdev_minor, 6);
    }
}

static void test_archives_one_after_another(void **state)
{
    char archive[4096] = "";
    size_t size = make(archive);
    struct seen s;

    size = ALIGN_UP(size, 512);
    size += make(archive + size);
    strcpy(archive + size, "\x1f\x8b gzip");
    assert_int_equal(read_all(archive, size, 7, &s), 0);
    assert_int_equal(s.ended, 4);
    assert_int_equal(read_all(archive, size + 4, sizeof(archive), &s), -ENOEXEC);
    assert_true(cpio_reader_is_done(&reader));
}

static void test_truncations(void **state)
{
    char archive[1024];
    size_t size = make(archive);
    struct seen s;

    for (size_t cut = 1; cut < size - 4; cut++) {
        char *part = malloc(cut);
        memcpy(part, archive, cut);
        int err = read_all(part, cut, 64, &s);
        assert_true(err != 0 || !cpio_reader_is_done(&reader));
        free(part);
    }
}

static void test_corrupt_bytes(void **state)
{
    char good[1024];
    size_t size = make(good);
    struct seen s;

    for (size_t at = 0; at < size; at++)
        for (int value = 0; value < 256; value += 5) {
            char *bad = malloc(size);
            memcpy(bad, good, size);
            bad[at] = (char)value;
            read_all(bad, size, 100, &s);
            free(bad);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_in_any_pieces),
        cmocka_unit_test(test_archives_one_after_another),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_corrupt_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
