// SPDX-License-Identifier: BSD-2-Clause
// Properties, registers and interrupts of device-tree nodes over libfdt. Every length is checked:
// the tree comes from firmware or a user.

#include <errno.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <string.h>

int dt_check(const void *fdt, size_t size_max)
{
    if (!fdt || fdt_check_header(fdt) != 0 || fdt_totalsize(fdt) > size_max)
        return -EINVAL;
    return 0;
}

size_t dt_size(const void *fdt)
{
    return fdt && fdt_check_header(fdt) == 0 ? fdt_totalsize(fdt) : 0;
}

uint32_t dt_u32(const void *fdt, int node, const char *name, uint32_t fallback)
{
    int length;
    const fdt32_t *p = fdt_getprop(fdt, node, name, &length);

    return p && length == 4 ? fdt32_to_cpu(*p) : fallback;
}

int dt_u64(const void *fdt, int node, const char *name, uint64_t *value)
{
    int length;
    const fdt32_t *p = fdt_getprop(fdt, node, name, &length);

    if (!p)
        return -ENOENT;
    if (length == 4)
        *value = fdt32_to_cpu(p[0]);
    else if (length == 8)
        *value = (uint64_t)fdt32_to_cpu(p[0]) << 32 | fdt32_to_cpu(p[1]);
    else
        return -EINVAL;
    return 0;
}

const char *dt_string(const void *fdt, int node, const char *name)
{
    int length;
    const char *p = fdt_getprop(fdt, node, name, &length);

    return p && length > 0 && p[length - 1] == '\0' ? p : NULL;
}

bool dt_is_enabled(const void *fdt, int node)
{
    const char *status = dt_string(fdt, node, "status");

    return !status || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

bool dt_is_compatible(const void *fdt, int node, const char *compatible)
{
    return fdt_node_check_compatible(fdt, node, compatible) == 0;
}

int dt_find_compatible(const void *fdt, int node, const char *compatible)
{
    return fdt_node_offset_by_compatible(fdt, node, compatible);
}

// A number of 0, 1 or 2 cells; more cells (PCI) keep the low 64 bits.
static uint64_t read_cells(const fdt32_t *p, int cells)
{
    uint64_t v = 0;

    for (int i = 0; i < cells; i++)
        v = v << 32 | fdt32_to_cpu(p[i]);
    return v;
}

// Translate *base from the address space below `bus` to the one above it.
static int translate(const void *fdt, int bus, int parent, paddr_t *base)
{
    int length;
    const fdt32_t *ranges = fdt_getprop(fdt, bus, "ranges", &length);
    int child_cells = fdt_address_cells(fdt, bus), size_cells = fdt_size_cells(fdt, bus);
    int parent_cells = fdt_address_cells(fdt, parent);

    if (!ranges)
        return -EINVAL;
    if (length == 0) // an empty one: the same addresses
        return 0;
    if (child_cells < 1 || parent_cells < 1 || size_cells < 1)
        return -EINVAL;
    int entry = child_cells + parent_cells + size_cells;
    for (int left = length / 4; left >= entry; left -= entry, ranges += entry) {
        uint64_t child = read_cells(ranges, child_cells);
        uint64_t above = read_cells(ranges + child_cells, parent_cells);
        uint64_t size = read_cells(ranges + child_cells + parent_cells, size_cells);
        if (*base >= child && *base - child < size) {
            *base = *base - child + above;
            return 0;
        }
    }
    return -EINVAL;
}

int dt_reg(const void *fdt, int node, unsigned int index, paddr_t *base, uint64_t *size)
{
    int length;
    const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);
    int bus = fdt_parent_offset(fdt, node);

    if (!reg)
        return -ENOENT;
    if (bus < 0)
        return -EINVAL;
    int address_cells = fdt_address_cells(fdt, bus), size_cells = fdt_size_cells(fdt, bus);
    if (address_cells < 1 || size_cells < 0)
        return -EINVAL;
    int entry = address_cells + size_cells;
    if (length % (entry * 4) != 0)
        return -EINVAL;
    if (index >= (unsigned int)(length / (entry * 4)))
        return -ENOENT;
    reg += index * (unsigned int)entry;
    *base = read_cells(reg, address_cells);
    *size = read_cells(reg + address_cells, size_cells);

    for (int parent = fdt_parent_offset(fdt, bus); parent >= 0;
         bus = parent, parent = fdt_parent_offset(fdt, bus)) {
        int err = translate(fdt, bus, parent, base);
        if (err)
            return err;
    }
    return 0;
}

static int irq_extended(const void *fdt, const fdt32_t *p, int cells_left, unsigned int index,
                        uint32_t *parent_phandle, uint32_t *irq)
{
    while (cells_left >= 1) {
        int parent = fdt_node_offset_by_phandle(fdt, fdt32_to_cpu(p[0]));
        if (parent < 0)
            return -EINVAL;
        uint32_t cells = dt_u32(fdt, parent, "#interrupt-cells", 0);
        if (cells < 1 || (uint32_t)(cells_left - 1) < cells)
            return -EINVAL;
        if (index-- == 0) {
            *parent_phandle = fdt32_to_cpu(p[0]);
            *irq = fdt32_to_cpu(p[1]);
            return 0;
        }
        p += 1 + cells;
        cells_left -= 1 + (int)cells;
    }
    return -ENOENT;
}

int dt_irq(const void *fdt, int node, unsigned int index, uint32_t *parent_phandle, uint32_t *irq)
{
    int length;
    const fdt32_t *p = fdt_getprop(fdt, node, "interrupts-extended", &length);

    if (p)
        return irq_extended(fdt, p, length / 4, index, parent_phandle, irq);
    p = fdt_getprop(fdt, node, "interrupts", &length);
    if (!p)
        return -ENOENT;
    uint32_t phandle = 0;
    for (int n = node; n >= 0 && phandle == 0; n = fdt_parent_offset(fdt, n))
        phandle = dt_u32(fdt, n, "interrupt-parent", 0);
    int parent = phandle ? fdt_node_offset_by_phandle(fdt, phandle) : -1;
    if (parent < 0)
        return -EINVAL;
    uint32_t cells = dt_u32(fdt, parent, "#interrupt-cells", 0);
    if (cells < 1 || length % 4 != 0)
        return -EINVAL;
    if (index >= (uint32_t)length / 4 / cells)
        return -ENOENT;
    *parent_phandle = phandle;
    *irq = fdt32_to_cpu(p[index * cells]);
    return 0;
}
