// SPDX-License-Identifier: BSD-2-Clause
// Host tests of sync: user words are words of the test.
#pragma once

#include <lib/types.h>

int user_load_u32_nofault(vaddr_t addr, uint32_t *value);
int user_cmpxchg_u32_nofault(vaddr_t addr, uint32_t expected, uint32_t desired, uint32_t *old);
