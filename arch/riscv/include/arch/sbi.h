// SPDX-License-Identifier: BSD-2-Clause
// SBI calls (RISC-V SBI Specification 2.0). Every result is checked and returned as 0 or -errno;
// a missing extension is -ENOSYS.
#pragma once

#include <lib/types.h>

void sbi_init(void); // probes extensions; boot hart, once

struct sbi_info {
    uint32_t spec_major, spec_minor;
    unsigned long impl_id, impl_version;
    unsigned long mvendorid, marchid, mimpid;
    bool has_time, has_ipi, has_rfence, has_hsm, has_srst, has_dbcn;
};
const struct sbi_info *sbi_info(void);

// Console: DBCN, else the legacy extension. write: bytes written or -errno, any kernel address.
ssize_t sbi_console_write(const char *buf, size_t n);
int sbi_console_getchar(void); // -1 when nothing came

int sbi_set_timer(uint64_t ticks);
int sbi_send_ipi(uint64_t cpu_mask);
// Masks are of our cpu numbers; hart ids and exact mask/base pairs are made inside.
int sbi_remote_fence_i(uint64_t cpu_mask);
int sbi_remote_sfence(uint64_t cpu_mask, vaddr_t start, size_t size_bytes);
int sbi_remote_sfence_asid(uint64_t cpu_mask, vaddr_t start, size_t size_bytes, asid_t asid);
int sbi_hart_start(hartid_t hart, paddr_t entry, unsigned long opaque);

enum sbi_reset { SBI_RESET_SHUTDOWN = 0, SBI_RESET_COLD_REBOOT = 1, SBI_RESET_WARM_REBOOT = 2 };
int sbi_system_reset(enum sbi_reset type, bool failed); // returns only on error
