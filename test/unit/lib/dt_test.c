// SPDX-License-Identifier: BSD-2-Clause
// Device trees as boards have them: what is read of harts, memory, interrupts and /chosen decides
// whether a board boots at all. And trees that lack or mangle each of it.

#include <errno.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char tree[8192];

static void cells(const char *name, unsigned int nr, const uint32_t *values)
{
    fdt32_t big[16];

    for (unsigned int i = 0; i < nr; i++)
        big[i] = cpu_to_fdt32(values[i]);
    fdt_property(tree, name, big, (int)(nr * 4));
}
#define CELLS(name, ...)                                                                           \
    cells(name, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (uint32_t[]){__VA_ARGS__})

static void hart(unsigned int id, const char *isa, bool mmu, unsigned int phandle)
{
    char name[16];

    snprintf(name, sizeof(name), "cpu@%u", id);
    fdt_begin_node(tree, name);
    fdt_property_string(tree, "device_type", "cpu");
    CELLS("reg", id);
    if (mmu)
        fdt_property_string(tree, "mmu-type", "riscv,sv39");
    fdt_property_string(tree, "riscv,isa", isa);
    if (id == 2)
        fdt_property(tree, "riscv,isa-extensions", "i\0m\0sstc\0svadu", 14);
    fdt_begin_node(tree, "interrupt-controller");
    fdt_property_string(tree, "compatible", "riscv,cpu-intc");
    CELLS("#interrupt-cells", 1);
    CELLS("phandle", phandle);
    fdt_end_node(tree);
    fdt_end_node(tree);
}

// Like a JH7110: hart 0 without MMU, a bus with ranges, a two-bank memory.
static int build(void **state)
{
    fdt_create(tree, sizeof(tree));
    fdt_add_reservemap_entry(tree, 0x80000000, 0x1000);
    fdt_finish_reservemap(tree);
    fdt_begin_node(tree, "");
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
    fdt_begin_node(tree, "aliases");
    fdt_property_string(tree, "serial0", "/soc/serial@100");
    fdt_end_node(tree);
    fdt_begin_node(tree, "chosen");
    fdt_property_string(tree, "bootargs", "quiet init=/x");
    CELLS("linux,initrd-start", 0x84000000);
    CELLS("linux,initrd-end", 0, 0x84100000);
    CELLS("rng-seed", 1, 2, 3, 4);
    fdt_property_string(tree, "stdout-path", "serial0:115200n8");
    fdt_end_node(tree);
    fdt_begin_node(tree, "memory@40000000");
    fdt_property_string(tree, "device_type", "memory");
    CELLS("reg", 0, 0x40000000, 0, 0x10000000, 1, 0, 2, 0);
    fdt_end_node(tree);
    fdt_begin_node(tree, "reserved-memory");
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
    fdt_property(tree, "ranges", "", 0);
    fdt_begin_node(tree, "mmode_resv0@40000000");
    CELLS("reg", 0, 0x40000000, 0, 0x80000);
    fdt_end_node(tree);
    fdt_end_node(tree);
    fdt_begin_node(tree, "cpus");
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 0);
    CELLS("timebase-frequency", 4000000);
    hart(0, "rv64imac", false, 10);
    hart(1, "rv64imafdc_zba_zbb_sstc2p0", true, 11);
    hart(2, "rv64imafdc", true, 12);
    fdt_end_node(tree);
    fdt_begin_node(tree, "soc");
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 1);
    CELLS("ranges", 0, 0, 0x10000000, 0x100000);
    CELLS("interrupt-parent", 20);
    fdt_begin_node(tree, "plic@8000");
    fdt_property_string(tree, "compatible", "sifive,plic-1.0.0");
    CELLS("phandle", 20);
    CELLS("#interrupt-cells", 1);
    CELLS("reg", 0x8000, 0x1000);
    CELLS("interrupts-extended", 10, 11, 11, 11, 11, 9, 12, 11, 12, 9);
    fdt_end_node(tree);
    fdt_begin_node(tree, "serial@100");
    fdt_property(tree, "compatible", "snps,dw-apb-uart\0ns16550a", 26);
    CELLS("reg", 0x100, 0x100);
    CELLS("interrupts", 32);
    fdt_end_node(tree);
    fdt_begin_node(tree, "off@200");
    fdt_property_string(tree, "status", "disabled");
    CELLS("reg", 0x200000, 0x100);
    fdt_end_node(tree);
    fdt_end_node(tree);
    fdt_end_node(tree);
    return fdt_finish(tree);
}

static void test_harts(void **state)
{
    struct dt_hart harts[4];

    assert_int_equal(dt_harts(tree, harts, 4), 2);
    assert_int_equal(harts[0].id, 1);
    assert_int_equal(harts[0].intc_phandle, 11);
    assert_int_equal(harts[1].id, 2);
    assert_true(dt_hart_has_extension(tree, harts[0].node, "d"));
    assert_true(dt_hart_has_extension(tree, harts[0].node, "zba"));
    assert_true(dt_hart_has_extension(tree, harts[0].node, "sstc"));
    assert_false(dt_hart_has_extension(tree, harts[0].node, "v"));
    assert_false(dt_hart_has_extension(tree, harts[0].node, "zb"));
    assert_true(dt_hart_has_extension(tree, harts[1].node, "svadu")); // the new form wins
    assert_false(dt_hart_has_extension(tree, harts[1].node, "d"));
    assert_int_equal(dt_timebase(tree), 4000000);
}

struct ranges {
    int nr;
    paddr_t base[4];
    uint64_t size[4];
};

static int collect(void *ctx, paddr_t base, uint64_t size, const char *name)
{
    struct ranges *r = ctx;

    r->base[r->nr] = base;
    r->size[r->nr++] = size;
    return 0;
}

static void test_memory(void **state)
{
    struct ranges memory = {0}, reserved = {0};

    assert_int_equal(dt_for_each_memory(tree, collect, &memory), 0);
    assert_int_equal(memory.nr, 2);
    assert_int_equal(memory.base[1], 0x100000000);
    assert_int_equal(memory.size[1], 0x200000000);
    assert_int_equal(dt_for_each_reserved(tree, collect, &reserved), 0);
    assert_int_equal(reserved.nr, 2);
    assert_int_equal(reserved.size[0], 0x80000);
    assert_int_equal(reserved.base[1], 0x80000000);
}

static void test_registers_and_interrupts(void **state)
{
    paddr_t base;
    uint64_t size;
    uint32_t phandle, irq;
    int serial = dt_find_compatible(tree, -1, "ns16550a");
    int plic = dt_find_compatible(tree, -1, "sifive,plic-1.0.0");

    assert_true(serial > 0);
    assert_int_equal(dt_reg(tree, serial, 0, &base, &size), 0);
    assert_int_equal(base, 0x10000100);
    assert_int_equal(dt_reg(tree, serial, 1, &base, &size), -ENOENT);
    assert_int_equal(dt_irq(tree, serial, 0, &phandle, &irq), 0);
    assert_int_equal(phandle, 20);
    assert_int_equal(irq, 32);
    assert_int_equal(dt_irq(tree, serial, 1, &phandle, &irq), -ENOENT);
    assert_int_equal(dt_irq(tree, plic, 2, &phandle, &irq), 0);
    assert_int_equal(phandle, 11);
    assert_int_equal(irq, 9);
    assert_int_equal(dt_irq(tree, plic, 5, &phandle, &irq), -ENOENT);
    int off = fdt_path_offset(tree, "/soc/off@200");
    assert_false(dt_is_enabled(tree, off));
    assert_int_equal(dt_reg(tree, off, 0, &base, &size), -EINVAL); // outside the bus's ranges
}

static void test_chosen(void **state)
{
    struct dt_chosen c;

    dt_chosen_read(tree, &c);
    assert_string_equal(c.bootargs, "quiet init=/x");
    assert_int_equal(c.initrd_start, 0x84000000);
    assert_int_equal(c.initrd_end, 0x84100000);
    assert_int_equal(c.rng_seed_size, 16);
    assert_true(dt_is_compatible(tree, c.stdout_node, "ns16550a"));
}

static void test_empty_tree(void **state)
{
    struct dt_hart harts[1];
    struct dt_chosen c;
    struct ranges r = {0};
    static char empty[256];

    fdt_create_empty_tree(empty, sizeof(empty));
    assert_int_equal(dt_harts(empty, harts, 1), -EINVAL);
    assert_int_equal(dt_timebase(empty), 0);
    dt_for_each_memory(empty, collect, &r);
    dt_for_each_reserved(empty, collect, &r);
    assert_int_equal(r.nr, 0);
    dt_chosen_read(empty, &c);
    assert_string_equal(c.bootargs, "");
    assert_int_equal(c.initrd_end, 0);
    assert_true(c.stdout_node < 0);
    assert_int_equal(dt_check(NULL, 100), -EINVAL);
    assert_int_equal(dt_check(empty, 16), -EINVAL);
}

static int count(void *ctx, paddr_t base, uint64_t size, const char *name)
{
    assert_true(size > 0 && base + size > base);
    ++*(int *)ctx;
    return 0;
}

// A byte changed anywhere in structure and strings: any answer will do, but from inside the tree.
static void test_corrupt_bytes(void **state)
{
    size_t size = fdt_totalsize(tree);
    struct dt_hart harts[4];
    struct dt_chosen c;

    for (size_t at = 40; at < size; at++) {
        char *bad = malloc(size);
        memcpy(bad, tree, size);
        bad[at] = (char)(bad[at] ^ 0x55);
        if (dt_check(bad, size) == 0) {
            int nr = dt_harts(bad, harts, 4);
            for (int i = 0; i < MIN(nr, 4); i++)
                dt_hart_has_extension(bad, harts[i].node, "sstc");
            dt_timebase(bad);
            dt_chosen_read(bad, &c);
            int node = dt_find_compatible(bad, -1, "ns16550a");
            paddr_t base;
            uint64_t bytes;
            uint32_t phandle, irq;
            if (node >= 0 && dt_reg(bad, node, 0, &base, &bytes) == 0)
                dt_irq(bad, node, 0, &phandle, &irq);
            dt_for_each_memory(bad, count, &nr);
            dt_for_each_reserved(bad, count, &nr);
        }
        free(bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_harts),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_registers_and_interrupts),
        cmocka_unit_test(test_chosen),
        cmocka_unit_test(test_empty_tree),
        cmocka_unit_test(test_corrupt_bytes),
    };
    return cmocka_run_group_tests(tests, build, NULL);
}
