// SPDX-License-Identifier: BSD-2-Clause
// Calls to the SBI firmware. State: what sbi_init() found, constant afterwards. No locks: the
// firmware has its own.
#include <arch/mmu.h>
#include <arch/sbi.h>
#include <errno.h>

#include "hart_mask_priv.h"
#include "mmu_priv.h"

enum {
    SBI_EXT_BASE = 0x10,
    SBI_EXT_TIME = 0x54494d45,
    SBI_EXT_IPI = 0x735049,
    SBI_EXT_RFENCE = 0x52464e43,
    SBI_EXT_HSM = 0x48534d,
    SBI_EXT_SRST = 0x53525354,
    SBI_EXT_DBCN = 0x4442434e,
    SBI_LEGACY_SET_TIMER = 0,
    SBI_LEGACY_PUTCHAR = 1,
    SBI_LEGACY_GETCHAR = 2,
    SBI_LEGACY_SHUTDOWN = 8,
};

enum {
    SBI_BASE_SPEC_VERSION,
    SBI_BASE_IMPL_ID,
    SBI_BASE_IMPL_VERSION,
    SBI_BASE_PROBE,
    SBI_BASE_MVENDORID,
    SBI_BASE_MARCHID,
    SBI_BASE_MIMPID,
};

// A console that takes nothing this many times in a row is dead.
#define SBI_BUSY_MAX 1000000

enum { SBI_RFENCE_FENCE_I, SBI_RFENCE_SFENCE, SBI_RFENCE_SFENCE_ASID };
enum { SBI_DBCN_WRITE, SBI_DBCN_READ, SBI_DBCN_WRITE_BYTE };

struct sbi_result {
    long error, value;
};

static struct sbi_info info;

static struct sbi_result sbi_call(long ext, long fid, unsigned long arg0, unsigned long arg1,
                                  unsigned long arg2, unsigned long arg3, unsigned long arg4)
{
    register unsigned long a0 __asm__("a0") = arg0;
    register unsigned long a1 __asm__("a1") = arg1;
    register unsigned long a2 __asm__("a2") = arg2;
    register unsigned long a3 __asm__("a3") = arg3;
    register unsigned long a4 __asm__("a4") = arg4;
    register long a6 __asm__("a6") = fid;
    register long a7 __asm__("a7") = ext;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbi_result){.error = (long)a0, .value = (long)a1};
}

// SBI 2.0 table 1.
static int sbi_errno(long error)
{
    switch (error) {
    case 0:
        return 0;
    case -2:
        return -ENOSYS;
    case -3:
        return -EINVAL;
    case -4:
        return -EPERM;
    case -5:
        return -EFAULT;
    case -6:
    case -7:
    case -8:
        return -EALREADY;
    default:
        return -EIO;
    }
}

static unsigned long sbi_base(long fid, unsigned long arg)
{
    struct sbi_result r = sbi_call(SBI_EXT_BASE, fid, arg, 0, 0, 0, 0);
    return r.error == 0 ? (unsigned long)r.value : 0;
}

void sbi_init(void)
{
    unsigned long version = sbi_base(SBI_BASE_SPEC_VERSION, 0);
    info.spec_major = (version >> 24) & 0x7f;
    info.spec_minor = version & 0xffffff;
    info.impl_id = sbi_base(SBI_BASE_IMPL_ID, 0);
    info.impl_version = sbi_base(SBI_BASE_IMPL_VERSION, 0);
    info.mvendorid = sbi_base(SBI_BASE_MVENDORID, 0);
    info.marchid = sbi_base(SBI_BASE_MARCHID, 0);
    info.mimpid = sbi_base(SBI_BASE_MIMPID, 0);
    info.has_time = sbi_base(SBI_BASE_PROBE, SBI_EXT_TIME) != 0;
    info.has_ipi = sbi_base(SBI_BASE_PROBE, SBI_EXT_IPI) != 0;
    info.has_rfence = sbi_base(SBI_BASE_PROBE, SBI_EXT_RFENCE) != 0;
    info.has_hsm = sbi_base(SBI_BASE_PROBE, SBI_EXT_HSM) != 0;
    info.has_srst = sbi_base(SBI_BASE_PROBE, SBI_EXT_SRST) != 0;
    info.has_dbcn = sbi_base(SBI_BASE_PROBE, SBI_EXT_DBCN) != 0;
}

const struct sbi_info *sbi_info(void)
{
    return &info;
}

// The legacy extension prints a byte a call and returns its error in a0, with a1 as it was.
static ssize_t sbi_console_write_legacy(const char *buf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sbi_result r = sbi_call(SBI_LEGACY_PUTCHAR, 0, (uint8_t)buf[i], 0, 0, 0, 0);
        if (r.error != 0)
            return i > 0 ? (ssize_t)i : sbi_errno(r.error);
    }
    return (ssize_t)n;
}

// DBCN takes physical addresses, so what lies in the vmap area (a stack) goes page by page. It may
// take less than it was given, and nothing while the line is busy: the rest follows.
ssize_t sbi_console_write(const char *buf, size_t n)
{
    if (!info.has_dbcn)
        return sbi_console_write_legacy(buf, n);
    size_t done = 0;
    unsigned int busy = 0;
    while (done < n) {
        vaddr_t va = (vaddr_t)buf + done;
        paddr_t pa;
        if (!mmu_kernel_paddr(va, &pa))
            return done > 0 ? (ssize_t)done : -EFAULT;
        size_t chunk = MIN(n - done, PAGE_SIZE - (va & (PAGE_SIZE - 1)));
        struct sbi_result r = sbi_call(SBI_EXT_DBCN, SBI_DBCN_WRITE, chunk, pa, 0, 0, 0);
        if (r.error != 0)
            return done > 0 ? (ssize_t)done : sbi_errno(r.error);
        done += (size_t)r.value;
        busy = r.value == 0 ? busy + 1 : 0;
        if (busy > SBI_BUSY_MAX)
            return (ssize_t)done;
    }
    return (ssize_t)done;
}

int sbi_console_getchar(void)
{
    static uint8_t byte; // in the image: a stack may not be contiguous in physical memory
    paddr_t pa;
    if (!info.has_dbcn) {
        struct sbi_result r = sbi_call(SBI_LEGACY_GETCHAR, 0, 0, 0, 0, 0, 0);
        return r.error < 0 ? -1 : (int)(uint8_t)r.error;
    }
    pa = kernel_image_paddr(&byte);
    struct sbi_result r = sbi_call(SBI_EXT_DBCN, SBI_DBCN_READ, 1, pa, 0, 0, 0);
    return r.error == 0 && r.value == 1 ? *(volatile uint8_t *)&byte : -1;
}

int sbi_set_timer(uint64_t ticks)
{
    if (!info.has_time)
        return sbi_errno(sbi_call(SBI_LEGACY_SET_TIMER, 0, ticks, 0, 0, 0, 0).error);
    return sbi_errno(sbi_call(SBI_EXT_TIME, 0, ticks, 0, 0, 0, 0).error);
}

// One call for each group of hart ids that fits a mask. The first error ends it.
static int sbi_call_harts(long ext, long fid, uint64_t cpus, unsigned long arg2, unsigned long arg3,
                          unsigned long arg4)
{
    struct hart_mask m;
    while (hart_mask_next(&cpus, &m)) {
        struct sbi_result r = sbi_call(ext, fid, m.bits, m.base, arg2, arg3, arg4);
        if (r.error != 0)
            return sbi_errno(r.error);
    }
    return 0;
}

int sbi_send_ipi(uint64_t cpu_mask)
{
    return info.has_ipi ? sbi_call_harts(SBI_EXT_IPI, 0, cpu_mask, 0, 0, 0) : -ENOSYS;
}

int sbi_remote_fence_i(uint64_t cpu_mask)
{
    if (!info.has_rfence)
        return -ENOSYS;
    return sbi_call_harts(SBI_EXT_RFENCE, SBI_RFENCE_FENCE_I, cpu_mask, 0, 0, 0);
}

int sbi_remote_sfence(uint64_t cpu_mask, vaddr_t start, size_t size_bytes)
{
    if (!info.has_rfence)
        return -ENOSYS;
    return sbi_call_harts(SBI_EXT_RFENCE, SBI_RFENCE_SFENCE, cpu_mask, start, size_bytes, 0);
}

int sbi_remote_sfence_asid(uint64_t cpu_mask, vaddr_t start, size_t size_bytes, asid_t asid)
{
    if (!info.has_rfence)
        return -ENOSYS;
    return sbi_call_harts(SBI_EXT_RFENCE, SBI_RFENCE_SFENCE_ASID, cpu_mask, start, size_bytes,
                          asid);
}

int sbi_hart_start(hartid_t hart, paddr_t entry, unsigned long opaque)
{
    if (!info.has_hsm)
        return -ENOSYS;
    return sbi_errno(sbi_call(SBI_EXT_HSM, 0, hart, entry, opaque, 0, 0).error);
}

int sbi_system_reset(enum sbi_reset type, bool failed)
{
    if (info.has_srst)
        return sbi_errno(sbi_call(SBI_EXT_SRST, 0, type, failed ? 1 : 0, 0, 0, 0).error);
    if (type == SBI_RESET_SHUTDOWN)
        sbi_call(SBI_LEGACY_SHUTDOWN, 0, 0, 0, 0, 0, 0);
    return -ENOSYS;
}
