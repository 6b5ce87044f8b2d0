// SPDX-License-Identifier: BSD-2-Clause
// Range checks around the copies of uaccess_copy.S: a user address never reaches USER_END, whatever
// the page tables say there.
#include <arch/uaccess.h>
#include <errno.h>

#include "uaccess_priv.h"

const int user_efault = -EFAULT;

// How many of the n bytes at `addr` lie below USER_END.
static size_t user_range_clip(vaddr_t addr, size_t n)
{
    if (addr >= USER_END)
        return 0;
    return MIN(n, USER_END - addr);
}

size_t user_copy_in_partial(void *dst, vaddr_t src, size_t n)
{
    size_t inside = user_range_clip(src, n);
    return n - inside + uaccess_copy(dst, (const void *)src, inside);
}

size_t user_copy_out_partial(vaddr_t dst, const void *src, size_t n)
{
    size_t inside = user_range_clip(dst, n);
    return n - inside + uaccess_copy((void *)dst, src, inside);
}

size_t user_clear_partial(vaddr_t dst, size_t n)
{
    size_t inside = user_range_clip(dst, n);
    return n - inside + uaccess_clear((void *)dst, inside);
}

ssize_t user_copy_string(char *dst, vaddr_t src, size_t size)
{
    size_t inside = user_range_clip(src, size);
    if (inside == 0)
        return size == 0 ? -ENAMETOOLONG : -EFAULT;
    ssize_t length = uaccess_string(dst, (const char *)src, inside);
    if (length < 0)
        return -EFAULT;
    if ((size_t)length < inside)
        return length;
    return inside < size ? -EFAULT : -ENAMETOOLONG;
}

int user_load_u32_nofault(vaddr_t addr, uint32_t *value)
{
    if (!IS_ALIGNED(addr, sizeof(uint32_t)))
        return -EINVAL;
    if (addr >= USER_END)
        return -EFAULT;
    return uaccess_load_u32((const uint32_t *)addr, value) == 0 ? 0 : -EFAULT;
}

int user_cmpxchg_u32_nofault(vaddr_t addr, uint32_t expected, uint32_t desired, uint32_t *old)
{
    if (!IS_ALIGNED(addr, sizeof(uint32_t)))
        return -EINVAL;
    if (addr >= USER_END)
        return -EFAULT;
    int differs = uaccess_cmpxchg_u32((uint32_t *)addr, expected, desired, old);
    return differs < 0 ? -EFAULT : differs;
}
