// SPDX-License-Identifier: BSD-2-Clause
// Random calls beside a model, one program each: choices come from a seed (`make unit`, `make fuzz`
// with other seeds), or, with FUZZER, from the bytes of libFuzzer (`make fuzz`), which keeps those
// that reach new code. SEED=n ROUNDS=n in the environment: another walk, a longer one.
#pragma once

#include "ipc_host.h"

#include <stdlib.h>

static unsigned int walk_seed, walk_rounds;
static const uint8_t *walk_bytes;
static size_t walk_nr_bytes;

static void walk(void); // the program's: steps while walk_goes_on()

static unsigned int any(unsigned int below)
{
    unsigned int n = 0;
    if (!walk_bytes) {
        walk_seed = walk_seed * 1103515245 + 12345;
        return (walk_seed >> 16 & 0x7fff) % below;
    }
    for (unsigned int range = 1; range < below && walk_nr_bytes > 0; range <<= 8) {
        n = n << 8 | *walk_bytes++;
        walk_nr_bytes--;
    }
    return n % below;
}

static bool walk_goes_on(void)
{
    return walk_bytes ? walk_nr_bytes > 0 : walk_rounds-- > 0;
}

#ifdef FUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4000)
        return -1;
    walk_bytes = data;
    walk_nr_bytes = size;
    walk();
    return 0;
}
#else
static void random_calls_do_what_the_model_does(void **state)
{
    const char *seed = getenv("SEED"), *rounds = getenv("ROUNDS");
    walk_seed = seed ? (unsigned int)atoi(seed) : 1;
    walk_rounds = rounds ? (unsigned int)atoi(rounds) : 20000;
    walk();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_calls_do_what_the_model_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
