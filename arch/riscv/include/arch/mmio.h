// SPDX-License-Identifier: BSD-2-Clause
// Device registers: exactly one access of the width named, ordered against other device accesses
// and against memory before a write and after a read (unprivileged spec 2.7, "fence" with I/O).
#pragma once

#include <lib/types.h>

static inline uint8_t mmio_read8(const volatile void *p)
{
    uint8_t v = *(const volatile uint8_t *)p;
    __asm__ volatile("fence i, ir" ::: "memory");
    return v;
}

static inline uint32_t mmio_read32(const volatile void *p)
{
    uint32_t v = *(const volatile uint32_t *)p;
    __asm__ volatile("fence i, ir" ::: "memory");
    return v;
}

static inline void mmio_write8(volatile void *p, uint8_t v)
{
    __asm__ volatile("fence w, o" ::: "memory");
    *(volatile uint8_t *)p = v;
}

static inline void mmio_write32(volatile void *p, uint32_t v)
{
    __asm__ volatile("fence w, o" ::: "memory");
    *(volatile uint32_t *)p = v;
}
