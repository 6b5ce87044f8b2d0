// SPDX-License-Identifier: BSD-2-Clause
// Probing: the tree is walked once for each phase; a node goes to the driver that matches its most
// specific compatible string. Boot only, one thread.
#include <arch/log.h>
#include <core/driver.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <string.h>

// The linker collects them (arch/riscv/kernel.ld).
extern const struct driver *const __drivers_start[], *const __drivers_end[];

static bool driver_matches(const struct driver *d, const char *compatible)
{
    for (const char *const *c = d->compatible; *c; c++)
        if (strcmp(*c, compatible) == 0)
            return true;
    return false;
}

static const struct driver *driver_find(const char *compatible, enum driver_phase phase)
{
    for (const struct driver *const *d = __drivers_start; d < __drivers_end; d++)
        if ((*d)->phase == phase && driver_matches(*d, compatible))
            return *d;
    return NULL;
}

static void driver_probe_node(const void *fdt, int node, enum driver_phase phase)
{
    const char *compatible;
    for (int i = 0; (compatible = fdt_stringlist_get(fdt, node, "compatible", i, NULL)); i++) {
        const struct driver *d = driver_find(compatible, phase);
        if (!d)
            continue;
        int err = d->probe(fdt, node);
        if (err != 0)
            log_warn("%s: %s: not usable (%d)", fdt_get_name(fdt, node, NULL), d->name, err);
        return;
    }
}

void driver_probe_all(const void *fdt)
{
    for (enum driver_phase phase = 0; phase < DRIVER_PHASES; phase++)
        for (int node = fdt_next_node(fdt, -1, NULL); node >= 0;
             node = fdt_next_node(fdt, node, NULL))
            if (dt_is_enabled(fdt, node))
                driver_probe_node(fdt, node, phase);
}
