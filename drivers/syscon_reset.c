// SPDX-License-Identifier: BSD-2-Clause
// syscon-poweroff and syscon-reboot: a value written to a register of a shared block ends or
// restarts the machine (Linux Documentation/devicetree/bindings/power/reset/syscon-*.yaml).

#include <arch/log.h>
#include <arch/mmio.h>
#include <core/driver.h>
#include <core/reset.h>
#include <errno.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <mm/vmap.h>

struct syscon_write {
    volatile uint8_t *reg;
    uint32_t value, mask;
};

static struct syscon_write poweroff_write, reboot_write;

static void syscon_reset(void *arg)
{
    const struct syscon_write *w = arg;

    mmio_write32(w->reg, (mmio_read32(w->reg) & ~w->mask) | (w->value & w->mask));
}

static int syscon_probe(const void *fdt, int node)
{
    bool is_poweroff = dt_is_compatible(fdt, node, "syscon-poweroff");
    struct syscon_write *w = is_poweroff ? &poweroff_write : &reboot_write;
    uint32_t phandle = dt_u32(fdt, node, "regmap", 0);
    int block = phandle ? fdt_node_offset_by_phandle(fdt, phandle) : fdt_parent_offset(fdt, node);
    uint32_t offset = dt_u32(fdt, node, "offset", 0);
    paddr_t base;
    uint64_t size;

    if (block < 0 || dt_reg(fdt, block, 0, &base, &size) != 0 || size < 4 || offset > size - 4) {
        log_err("syscon-reset: no usable register block");
        return -EINVAL;
    }
    volatile uint8_t *regs = vmap_device(base, size);
    if (!regs)
        return -ENOMEM;
    *w = (struct syscon_write){
        .reg = regs + offset,
        .value = dt_u32(fdt, node, "value", 0),
        .mask = dt_u32(fdt, node, "mask", UINT32_MAX),
    };
    reset_register(is_poweroff ? RESET_POWEROFF : RESET_REBOOT, syscon_reset, w);
    return 0;
}

static const char *const syscon_compatible[] = {"syscon-poweroff", "syscon-reboot", NULL};

DRIVER(syscon_driver) = {
    .name = "syscon-reset",
    .compatible = syscon_compatible,
    .phase = DRIVER_DEVICE,
    .probe = syscon_probe,
};
