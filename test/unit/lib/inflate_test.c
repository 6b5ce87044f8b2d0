// SPDX-License-Identifier: BSD-2-Clause
// gzip archives come from users, too: right data, every truncation, every corrupt byte, no memory.

#include <errno.h>
#include <lib/inflate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#define PLAIN_SIZE 100000

static uint8_t plain[PLAIN_SIZE], packed[PLAIN_SIZE];
static size_t packed_size;
static int allocations_left, allocated;

static void *test_alloc(size_t n)
{
    if (allocations_left-- <= 0)
        return NULL;
    allocated++;
    return malloc(n);
}

static void test_release(void *p)
{
    allocated -= p != NULL;
    free(p);
}

struct output {
    size_t size;
    bool differs;
};

static int sink(void *ctx, const void *data, size_t size)
{
    struct output *out = ctx;

    if (out->size + size > PLAIN_SIZE || memcmp(plain + out->size, data, size) != 0)
        out->differs = true;
    out->size += size;
    return 0;
}

static int run(const void *data, size_t size, struct output *out, size_t *consumed,
               const char **why)
{
    *out = (struct output){0};
    allocated = 0;
    int err = inflate_gzip(data, size, consumed, sink, out, test_alloc, test_release, why);
    assert_int_equal(allocated, 0);
    return err;
}

static int pack(void **state)
{
    z_stream z = {0};

    for (size_t i = 0; i < PLAIN_SIZE; i++)
        plain[i] = (uint8_t)(i % 251 * (i / 1000));
    deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    z.next_in = plain;
    z.avail_in = PLAIN_SIZE;
    z.next_out = packed;
    z.avail_out = sizeof(packed) - 16;
    int status = deflate(&z, Z_FINISH);
    packed_size = z.total_out;
    deflateEnd(&z);
    return status == Z_STREAM_END ? 0 : -1;
}

static void test_good(void **state)
{
    struct output out;
    size_t consumed;
    const char *why;

    allocations_left = 1000;
    memcpy(packed + packed_size, "next archive", 12);
    assert_true(inflate_is_gzip(packed, packed_size));
    assert_int_equal(run(packed, packed_size + 12, &out, &consumed, &why), 0);
    assert_int_equal(consumed, packed_size);
    assert_int_equal(out.size, PLAIN_SIZE);
    assert_false(out.differs);
}

static void test_truncations(void **state)
{
    struct output out;
    size_t consumed;
    const char *why;

    for (size_t cut = 0; cut < packed_size; cut += 1 + cut / 50) {
        allocations_left = 1000;
        uint8_t *part = malloc(cut + 1);
        memcpy(part, packed, cut);
        assert_int_equal(run(part, cut, &out, &consumed, &why), -EINVAL);
        assert_true(why[0] != '\0');
        free(part);
    }
}

static void test_corrupt_bytes(void **state)
{
    struct output out;
    size_t consumed;
    const char *why;

    for (size_t at = 10; at < packed_size; at += 7) { // after the header: data, CRC, length
        allocations_left = 1000;
        packed[at] ^= 0x10;
        int err = run(packed, packed_size, &out, &consumed, &why);
        packed[at] ^= 0x10;
        assert_int_equal(err, -EINVAL);
        assert_true(why[0] != '\0');
    }
}

static void test_no_memory(void **state)
{
    struct output out;
    size_t consumed;
    const char *why;

    for (int n = 0;; n++) {
        allocations_left = n;
        int err = run(packed, packed_size, &out, &consumed, &why);
        if (err == 0)
            break;
        assert_int_equal(err, -ENOMEM);
        assert_in_range(n, 0, 10);
    }
}

static int stop(void *ctx, const void *data, size_t size)
{
    return -ENOSPC;
}

static void test_sink_stops(void **state)
{
    size_t consumed;
    const char *why;

    allocations_left = 1000;
    assert_int_equal(
        inflate_gzip(packed, packed_size, &consumed, stop, NULL, test_alloc, test_release, &why),
        -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),          cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_corrupt_bytes), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_sink_stops),
    };
    return cmocka_run_group_tests(tests, pack, NULL);
}
