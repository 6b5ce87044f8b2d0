// SPDX-License-Identifier: BSD-2-Clause
// Stateless reading of a flattened device tree over libfdt (Devicetree Specification 0.4).
// `fdt` is the tree's header, `node` a libfdt node offset. Nothing here trusts the tree.
#pragma once

#include <lib/types.h>

#define DT_HARTS_MAX 64

// Check the header and that the tree lies inside size_max bytes. 0 or -EINVAL.
int dt_check(const void *fdt, size_t size_max);
// Bytes the tree takes; 0 if it's no tree.
size_t dt_size(const void *fdt);

// Entry `index` of `reg`, translated through every parent's `ranges` to a physical address.
// 0, -ENOENT (no such entry) or -EINVAL (malformed, not translatable).
int dt_reg(const void *fdt, int node, unsigned int index, paddr_t *base, uint64_t *size);
// A one-cell property, or `fallback` when absent or malformed.
uint32_t dt_u32(const void *fdt, int node, const char *name, uint32_t fallback);
// A one- or two-cell number. 0 or -ENOENT/-EINVAL.
int dt_u64(const void *fdt, int node, const char *name, uint64_t *value);
// A NUL-terminated string property, or NULL.
const char *dt_string(const void *fdt, int node, const char *name);
// `status` is absent, "okay" or "ok".
bool dt_is_enabled(const void *fdt, int node);
// First node at or after `node` (-1: from the start) whose `compatible` lists `compatible`;
// negative when there is none.
int dt_find_compatible(const void *fdt, int node, const char *compatible);
bool dt_is_compatible(const void *fdt, int node, const char *compatible);

// Interrupt `index` of `node`: from interrupts-extended, else interrupts with the inherited
// interrupt-parent. parent_phandle names the controller, *irq is the first cell of the specifier.
// 0, -ENOENT or -EINVAL.
int dt_irq(const void *fdt, int node, unsigned int index, uint32_t *parent_phandle, uint32_t *irq);

// Each range of /memory, then each of /reserved-memory and the header's reservation block.
// The callback's non-zero result ends the walk and is returned.
typedef int (*dt_range_fn)(void *ctx, paddr_t base, uint64_t size, const char *name);
int dt_for_each_memory(const void *fdt, dt_range_fn fn, void *ctx);
int dt_for_each_reserved(const void *fdt, dt_range_fn fn, void *ctx);

// The harts Vireo can use: enabled, device_type "cpu", with an mmu-type.
struct dt_hart {
    hartid_t id;
    int node;
    uint32_t intc_phandle; // of its interrupt-controller child, 0 if none
};
// Fill up to `max`; returns how many there are (may be more than max), or -EINVAL.
int dt_harts(const void *fdt, struct dt_hart *harts, unsigned int max);
// One ISA extension, from riscv,isa-extensions or else the riscv,isa string. `ext` in lower case:
// "v", "sstc", "svadu".
bool dt_hart_has_extension(const void *fdt, int hart_node, const char *ext);
// Ticks a second of the time CSR: /cpus or the hart's timebase-frequency; 0 when missing.
uint32_t dt_timebase(const void *fdt);

// /chosen. Absent values: bootargs "", initrd 0..0, seed NULL, stdout "".
struct dt_chosen {
    const char *bootargs;
    paddr_t initrd_start, initrd_end; // half-open
    const void *rng_seed;
    size_t rng_seed_size;
    int stdout_node; // node of stdout-path (aliases resolved, options cut), negative when absent
};
void dt_chosen_read(const void *fdt, struct dt_chosen *chosen);
