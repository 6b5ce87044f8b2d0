// SPDX-License-Identifier: BSD-2-Clause
// Which generator serves a device's clocks and resets (clk_priv.h); and fixed clocks, which only
// have a rate.

#include "clk_priv.h"

#include <errno.h>
#include <lib/dt.h>
#include <libfdt.h>

static struct clk_controller *controllers;

void clk_register(struct clk_controller *c)
{
    c->next = controllers;
    controllers = c;
}

static struct clk_controller *controller_of(uint32_t phandle)
{
    struct clk_controller *c = controllers;

    while (c && c->phandle != phandle)
        c = c->next;
    return c;
}

// One reference: a phandle and the cells that its node says.
struct reference {
    int node;
    uint32_t phandle, number;
};

// Entry `index` of a list of references. 0, -ENOENT past its end, -EINVAL.
static int reference_at(const void *fdt, int node, const char *list, const char *cells_name,
                        int index, struct reference *r)
{
    int size;
    const fdt32_t *cells = fdt_getprop(fdt, node, list, &size);

    for (int at = 0, i = 0; cells && at < size / 4; i++) {
        r->phandle = fdt32_to_cpu(cells[at]);
        r->node = fdt_node_offset_by_phandle(fdt, r->phandle);
        if (r->node < 0)
            return -EINVAL;
        uint32_t n = dt_u32(fdt, r->node, cells_name, 0);
        if (n > 1 || at + 1 + (int)n > size / 4)
            return -EINVAL;
        r->number = n == 1 ? fdt32_to_cpu(cells[at + 1]) : 0;
        if (i == index)
            return 0;
        at += 1 + (int)n;
    }
    return -ENOENT;
}

static int enable_clock(const void *fdt, const struct reference *r)
{
    struct clk_controller *c = controller_of(r->phandle);

    if (c)
        return c->clock_enable(c, r->number);
    return dt_is_compatible(fdt, r->node, "fixed-clock") ? 0 : -ENODEV;
}

static int release_reset(const struct reference *r)
{
    struct clk_controller *c = controller_of(r->phandle);

    return c ? c->reset_release(c, r->number) : -ENODEV;
}

int clk_open_device(const void *fdt, int node)
{
    struct reference r;
    int err = 0;

    for (int i = 0; err == 0; i++) {
        err = reference_at(fdt, node, "clocks", "#clock-cells", i, &r);
        if (err == 0)
            err = enable_clock(fdt, &r);
    }
    for (int i = 0; err == -ENOENT || err == 0; i++) {
        err = reference_at(fdt, node, "resets", "#reset-cells", i, &r);
        if (err == -ENOENT)
            return 0;
        if (err == 0)
            err = release_reset(&r);
    }
    return err;
}

uint64_t clk_rate(const void *fdt, int node, const char *name)
{
    int index = fdt_stringlist_search(fdt, node, "clock-names", name);
    struct reference r;

    if (index < 0 || reference_at(fdt, node, "clocks", "#clock-cells", index, &r) != 0)
        return 0;
    struct clk_controller *c = controller_of(r.phandle);
    if (c)
        return c->clock_rate(c, r.number);
    return dt_is_compatible(fdt, r.node, "fixed-clock") ? dt_u32(fdt, r.node, "clock-frequency", 0)
                                                        : 0;
}
