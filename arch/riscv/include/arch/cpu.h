// SPDX-License-Identifier: BSD-2-Clause
// What the harts can do, from the device tree and probing. Stable after boot.
#pragma once

#include <lib/types.h>

struct cpu_features {
    bool sstc, v, zicboz, svinval, svnapot, svpbmt, svadu;
    uint32_t vlenb;        // bytes of a vector register
    uint32_t zicboz_block; // bytes
    uint64_t hwcap;        // AT_HWCAP: Linux's COMPAT_HWCAP_ISA_* bits (1 << letter - 'A')
};
// What every usable hart has.
const struct cpu_features *cpu_features(void);
// Find usable harts in the tree (lib/dt.h) and their features; `boot_hart` becomes cpu 0. Honours
// maxcpus. 0, or -EINVAL with one clear line logged.
int cpu_init(const void *fdt, hartid_t boot_hart, unsigned int maxcpus);
// Zeros to a whole page, with Zicboz.
void cpu_zero_page(void *page);
hartid_t cpu_boot_hart(void); // as passed in a0
// The "isa" string of `cpu` for /proc/cpuinfo: from the device tree.
const char *cpu_isa_string(cpu_t cpu);
