// SPDX-License-Identifier: BSD-2-Clause
// The kernel's <stdio.h>: formatting into a buffer. %d %i %u %x %X %o %c %s %p %% with flags,
// width, precision and the lengths hh h l ll z t j. No floating point.
#pragma once
#include <stdarg.h>
#include <stddef.h>
// Returns the length the whole text would have, as in ISO C.
int snprintf(char *restrict buf, size_t size, const char *restrict fmt, ...)
    __attribute__((format(printf, 3, 4)));
int vsnprintf(char *restrict buf, size_t size, const char *restrict fmt, va_list args)
    __attribute__((format(printf, 3, 0)));
