// SPDX-License-Identifier: BSD-2-Clause
// What a device tree says of the machine as a whole: memory, reservations, harts, /chosen.

#include <ctype.h>
#include <errno.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <string.h>

static bool is_device_type(const void *fdt, int node, const char *type)
{
    const char *s = dt_string(fdt, node, "device_type");

    return s && strcmp(s, type) == 0;
}

// Every `reg` entry of one node.
static int for_each_reg(const void *fdt, int node, dt_range_fn fn, void *ctx)
{
    paddr_t base;
    uint64_t size;
    int result = 0;

    for (unsigned int i = 0; result == 0 && dt_reg(fdt, node, i, &base, &size) == 0; i++)
        if (size > 0 && base + size > base)
            result = fn(ctx, base, size, fdt_get_name(fdt, node, NULL));
    return result;
}

int dt_for_each_memory(const void *fdt, dt_range_fn fn, void *ctx)
{
    int node, result = 0;

    fdt_for_each_subnode (node, fdt, 0) {
        if (result == 0 && is_device_type(fdt, node, "memory") && dt_is_enabled(fdt, node))
            result = for_each_reg(fdt, node, fn, ctx);
    }
    return result;
}

int dt_for_each_reserved(const void *fdt, dt_range_fn fn, void *ctx)
{
    int parent = fdt_path_offset(fdt, "/reserved-memory");
    int node, result = 0;

    if (parent >= 0) {
        fdt_for_each_subnode (node, fdt, parent) {
            if (result == 0 && dt_is_enabled(fdt, node))
                result = for_each_reg(fdt, node, fn, ctx);
        }
    }
    int nr = fdt_num_mem_rsv(fdt);
    for (int i = 0; result == 0 && i < nr; i++) {
        uint64_t base, size;
        if (fdt_get_mem_rsv(fdt, i, &base, &size) == 0 && size > 0 && base + size > base)
            result = fn(ctx, base, size, "memreserve");
    }
    return result;
}

static uint32_t interrupt_controller_of(const void *fdt, int hart)
{
    int node;

    fdt_for_each_subnode (node, fdt, hart) {
        if (dt_is_compatible(fdt, node, "riscv,cpu-intc"))
            return fdt_get_phandle(fdt, node);
    }
    return 0;
}

// A hart's `reg` is its number, not an address: it isn't translated. False if it is malformed.
static bool hart_id(const void *fdt, int cpus, int node, hartid_t *id)
{
    int length, cells = fdt_address_cells(fdt, cpus);
    const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);

    if (!reg || cells < 1 || cells > 2 || length < cells * 4)
        return false;
    *id = fdt32_to_cpu(reg[0]);
    if (cells == 2)
        *id = *id << 32 | fdt32_to_cpu(reg[1]);
    return true;
}

int dt_harts(const void *fdt, struct dt_hart *harts, unsigned int max)
{
    int cpus = fdt_path_offset(fdt, "/cpus"), node;
    unsigned int nr = 0;

    if (cpus < 0)
        return -EINVAL;
    fdt_for_each_subnode (node, fdt, cpus) {
        hartid_t id;
        if (!is_device_type(fdt, node, "cpu") || !dt_is_enabled(fdt, node) ||
            !dt_string(fdt, node, "mmu-type") || !hart_id(fdt, cpus, node, &id))
            continue;
        if (nr < max)
            harts[nr] = (struct dt_hart){id, node, interrupt_controller_of(fdt, node)};
        nr++;
    }
    return (int)nr;
}

// New form: a list of strings.
static bool list_has(const char *list, int length, const char *ext)
{
    size_t n = strlen(ext);

    for (int at = 0; at < length; at += (int)strnlen(list + at, (size_t)(length - at)) + 1)
        if (strnlen(list + at, (size_t)(length - at)) == n && memcmp(list + at, ext, n) == 0)
            return true;
    return false;
}

// Old form: "rv64imafdc_zicsr_zba...": single letters up to the first '_' (or multi-letter start),
// then names between underscores, which may end in a version (2p0).
static bool isa_string_has(const char *isa, const char *ext)
{
    size_t n = strlen(ext);

    if (tolower(isa[0]) != 'r' || tolower(isa[1]) != 'v')
        return false;
    for (isa += 2; isdigit(*isa);)
        isa++;
    for (; *isa != '\0' && *isa != '_'; isa++) {
        int c = tolower(*isa);
        if (n == 1 && c == ext[0])
            return true;
        if (c == 'g' && n == 1 && strchr("imafd", ext[0]))
            return true;
        if (c == 's' || c == 'z' || c == 'x') // a multi-letter name without an underscore before it
            break;
    }
    while (*isa != '\0') {
        while (*isa == '_')
            isa++;
        size_t i = 0;
        while (isa[i] != '\0' && isa[i] != '_' && i < n && tolower(isa[i]) == ext[i])
            i++;
        if (n > 1 && i == n && (isa[i] == '\0' || isa[i] == '_' || isdigit(isa[i])))
            return true;
        while (*isa != '\0' && *isa != '_')
            isa++;
    }
    return false;
}

bool dt_hart_has_extension(const void *fdt, int hart_node, const char *ext)
{
    int length;
    const char *list = fdt_getprop(fdt, hart_node, "riscv,isa-extensions", &length);

    if (list)
        return list_has(list, length, ext);
    const char *isa = dt_string(fdt, hart_node, "riscv,isa");
    return isa && isa_string_has(isa, ext);
}

uint32_t dt_timebase(const void *fdt)
{
    int cpus = fdt_path_offset(fdt, "/cpus"), node;
    uint32_t hz = cpus < 0 ? 0 : dt_u32(fdt, cpus, "timebase-frequency", 0);

    if (hz == 0 && cpus >= 0) {
        fdt_for_each_subnode (node, fdt, cpus) {
            if (hz == 0 && is_device_type(fdt, node, "cpu"))
                hz = dt_u32(fdt, node, "timebase-frequency", 0);
        }
    }
    return hz;
}

// "serial0:115200n8" or "/soc/serial@10000000:115200": an alias or a path, options after ':'.
static int stdout_node(const void *fdt, const char *path)
{
    const char *end = strchr(path, ':');

    return fdt_path_offset_namelen(fdt, path, end ? (int)(end - path) : (int)strlen(path));
}

void dt_chosen_read(const void *fdt, struct dt_chosen *chosen)
{
    *chosen = (struct dt_chosen){.bootargs = "", .stdout_node = -1};

    int node = fdt_path_offset(fdt, "/chosen");
    if (node < 0)
        return;
    const char *s = dt_string(fdt, node, "bootargs");
    if (s)
        chosen->bootargs = s;
    uint64_t start, end;
    if (dt_u64(fdt, node, "linux,initrd-start", &start) == 0 &&
        dt_u64(fdt, node, "linux,initrd-end", &end) == 0 && start < end) {
        chosen->initrd_start = start;
        chosen->initrd_end = end;
    }
    int length;
    const void *seed = fdt_getprop(fdt, node, "rng-seed", &length);
    if (seed && length > 0) {
        chosen->rng_seed = seed;
        chosen->rng_seed_size = (size_t)length;
    }
    s = dt_string(fdt, node, "stdout-path");
    if (s)
        chosen->stdout_node = stdout_node(fdt, s);
}
