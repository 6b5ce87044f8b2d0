// SPDX-License-Identifier: BSD-2-Clause
// uaccess_copy.S: the accesses themselves, no range checks.
#pragma once

#include <lib/types.h>

size_t uaccess_copy(void *dst, const void *src, size_t n);
size_t uaccess_clear(void *dst, size_t n);
ssize_t uaccess_string(char *dst, const char *src, size_t n);
int uaccess_load_u32(const uint32_t *addr, uint32_t *value);
int uaccess_cmpxchg_u32(uint32_t *addr, uint32_t expected, uint32_t desired, uint32_t *old);
