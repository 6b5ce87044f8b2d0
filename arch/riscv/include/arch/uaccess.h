// SPDX-License-Identifier: BSD-2-Clause
// Kernel access to the current user address space. sstatus.SUM is off everywhere else. Faults are
// resolved by port_uaccess_fault() and may sleep: no spinlock may be held, except for *_nofault.
// An address outside [0, USER_END) fails like an unmapped one. Alignment is free.
#pragma once

#include <arch/mmu.h>
#include <lib/types.h>

// How many of the n bytes were NOT copied: 0 is success.
size_t user_copy_in_partial(void *dst, vaddr_t src, size_t n);
size_t user_copy_out_partial(vaddr_t dst, const void *src, size_t n);
size_t user_clear_partial(vaddr_t dst, size_t n);

// All or -EFAULT.
static inline __must_check int user_copy_in(void *dst, vaddr_t src, size_t n)
{
    extern const int user_efault;
    return user_copy_in_partial(dst, src, n) == 0 ? 0 : user_efault;
}

static inline __must_check int user_copy_out(vaddr_t dst, const void *src, size_t n)
{
    extern const int user_efault;
    return user_copy_out_partial(dst, src, n) == 0 ? 0 : user_efault;
}

// One value, at any address: 0 or -EFAULT.
static inline __must_check int user_store_u16(vaddr_t addr, uint16_t value)
{
    extern int uaccess_store_u16(uint16_t * addr, uint16_t value); // uaccess_copy.S
    extern const int user_efault;
    if (unlikely(!IS_ALIGNED(addr, sizeof(value)) || addr >= USER_END))
        return user_copy_out(addr, &value, sizeof(value));
    return uaccess_store_u16((uint16_t *)addr, value) == 0 ? 0 : user_efault;
}

// Copy a string with its NUL into dst[size]. Its length without NUL; -EFAULT; -ENAMETOOLONG if no
// NUL came within size bytes.
ssize_t user_copy_string(char *dst, vaddr_t src, size_t size);

// Never sleep, never fault pages in: -EFAULT when the word isn't there right now, -EINVAL when it
// isn't aligned. Any context with interrupts on or off. The compare-exchange and exchange are
// sequentially consistent; *old is what was there; 1 from cmpxchg: it was not `expected`.
int user_load_u32_nofault(vaddr_t addr, uint32_t *value);
int user_cmpxchg_u32_nofault(vaddr_t addr, uint32_t expected, uint32_t desired, uint32_t *old);
