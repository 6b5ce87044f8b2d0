// SPDX-License-Identifier: BSD-2-Clause
// Slabs and kmalloc: objects don't overlap, are aligned, go back to the page allocator when the
// last is freed; lack of memory is a NULL at any point.
#include <stdlib.h>
#include <string.h>

#include <mm/slab.h>

#include "host.h"

static int setup(void **state)
{
    host_start(4096);
    return 0;
}

static void sizes_and_alignment(void **state)
{
    uint64_t before = host_free_pages();
    for (size_t size = 0; size <= 5 << 20; size = size < 5000 ? size + 1 : size * 2) {
        char *p = kmalloc(size);
        if (size > PAGE_SIZE << PAGE_ORDER_MAX) {
            assert_null(p);
            continue;
        }
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % (size >= PAGE_SIZE ? PAGE_SIZE : 16), 0);
        memset(p, 0x5a, size);
        kfree(p);
    }
    kfree(NULL);
    assert_int_equal(host_free_pages(), before);
}

static void random_objects_keep_their_content(void **state)
{
    static struct {
        unsigned char *p;
        size_t size;
        unsigned char fill;
    } held[500];
    uint64_t before = host_free_pages();
    for (int step = 0; step < 100000; step++) {
        size_t i = (size_t)rand() % 500;
        host_hart.cpu = (cpu_t)(rand() % 2);
        if (held[i].p) {
            for (size_t k = 0; k < held[i].size; k += 7)
                assert_int_equal(held[i].p[k], held[i].fill);
            kfree(held[i].p);
            held[i].p = NULL;
        } else {
            held[i].size = (size_t)rand() % 300 + (rand() % 20 == 0 ? 4000 : 0);
            held[i].fill = (unsigned char)rand();
            held[i].p = kmalloc(held[i].size);
            assert_non_null(held[i].p);
            memset(held[i].p, held[i].fill, held[i].size);
        }
    }
    for (size_t i = 0; i < 500; i++)
        kfree(held[i].p);
    for (cpu_t cpu = 0; cpu < 2; cpu++) {
        host_hart.cpu = cpu;
        host_free_pages();
    }
    host_hart.cpu = 0;
    assert_int_equal(host_free_pages(), before);
}

static void caches_of_odd_sizes(void **state)
{
    static const size_t sizes[] = {1, 17, 264, 700, 1400, 3000, 5000, 9000, 32768};
    for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
        struct slab_cache *c = slab_cache_create("odd", sizes[k], 8);
        void *objects[100];
        uint64_t before = host_free_pages();
        for (int i = 0; i < 100; i++) {
            objects[i] = slab_zalloc(c);
            assert_non_null(objects[i]);
            for (size_t b = 0; b < sizes[k]; b += 8)
                assert_int_equal(((char *)objects[i])[b], 0);
            memset(objects[i], i, sizes[k]);
        }
        for (int i = 0; i < 100; i++) {
            assert_int_equal(*(char *)objects[i], i);
            slab_free(c, objects[i]);
        }
        assert_int_equal(host_free_pages(), before);
    }
}

static void realloc_and_strdup(void **state)
{
    uint64_t before = host_free_pages();
    char *p = krealloc(NULL, 10);
    memcpy(p, "123456789", 10);
    for (size_t size = 20; size < 100000; size *= 3) {
        p = krealloc(p, size);
        assert_string_equal(p, "123456789");
    }
    host_fail(1, true);
    assert_null(krealloc(p, 1 << 20));
    host_fail(0, false);
    assert_string_equal(p, "123456789");
    char *copy = kstrdup(p);
    assert_string_equal(copy, p);
    kfree(copy);
    kfree(p);
    assert_int_equal(host_free_pages(), before);
}

static void no_memory_is_null(void **state)
{
    void *held[4096];
    size_t n = 0;
    uint64_t before = host_free_pages();
    host_fail(3, true);
    while (n < 4096 && (held[n] = kmalloc(2048)) != NULL)
        n++;
    assert_true(n > 0 && n < 4096);
    host_fail(0, false);
    held[n++] = kmalloc(2048);
    assert_non_null(held[n - 1]);
    while (n > 0)
        kfree(held[--n]);
    assert_int_equal(host_free_pages(), before);
}

static void wrong_frees_are_caught(void **state)
{
    struct slab_cache *a = slab_cache_create("a", 64, 8), *b = slab_cache_create("b", 64, 8);
    void *p = slab_alloc(a);
    assert_panics(slab_free(b, p));
    slab_free(a, p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_alignment), cmocka_unit_test(random_objects_keep_their_content),
        cmocka_unit_test(caches_of_odd_sizes), cmocka_unit_test(realloc_and_strdup),
        cmocka_unit_test(no_memory_is_null),   cmocka_unit_test(wrong_frees_are_caught),
    };
    return cmocka_run_group_tests_name("mm/slab", tests, setup, NULL);
}
