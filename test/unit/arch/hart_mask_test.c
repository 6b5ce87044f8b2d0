// SPDX-License-Identifier: BSD-2-Clause
// Masks for SBI: firmware gets exactly the harts that were asked for, whatever their ids.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../arch/riscv/hart_mask.c"

static hartid_t ids[NR_CPUS_MAX];

hartid_t hart_id_of_cpu(cpu_t cpu)
{
    return ids[cpu];
}

static void set_ids(const hartid_t *from)
{
    for (cpu_t cpu = 0; cpu < NR_CPUS_MAX; cpu++)
        ids[cpu] = from[cpu];
}

static void test_jh7110(void **state)
{
    // The boot hart, cpu 0, is hart 3; hart 0 has no MMU and must never be named.
    set_ids((hartid_t[NR_CPUS_MAX]){3, 1, 2, 4});
    uint64_t cpus = 0xf;
    struct hart_mask m;
    assert_true(hart_mask_next(&cpus, &m));
    assert_int_equal(m.base, 1);
    assert_int_equal(m.bits, 0xf);
    assert_false(hart_mask_next(&cpus, &m));

    cpus = 0x5; // harts 3 and 2
    assert_true(hart_mask_next(&cpus, &m));
    assert_int_equal(m.base, 2);
    assert_int_equal(m.bits, 0x3);
    assert_int_equal(cpus, 0);
}

static void test_sparse(void **state)
{
    static const hartid_t wide[NR_CPUS_MAX] = {1000, 0, 63, 64, 1063, 127, 1UL << 40, ~0UL};
    set_ids(wide);
    for (uint64_t wanted = 0; wanted < 1 << NR_CPUS_MAX; wanted++) {
        uint64_t cpus = wanted, told = 0;
        struct hart_mask m;
        while (hart_mask_next(&cpus, &m)) {
            assert_true(m.bits & 1); // base is a hart that is meant
            for (cpu_t cpu = 0; cpu < NR_CPUS_MAX; cpu++)
                if (wide[cpu] - m.base < 64 && (m.bits >> (wide[cpu] - m.base) & 1)) {
                    assert_false(told & BIT(cpu));
                    told |= BIT(cpu);
                    m.bits &= ~BIT(wide[cpu] - m.base);
                }
            assert_int_equal(m.bits, 0); // and nobody else
        }
        assert_int_equal(told, wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jh7110),
        cmocka_unit_test(test_sparse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
