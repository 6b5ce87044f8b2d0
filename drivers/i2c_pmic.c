// SPDX-License-Identifier: BSD-2-Clause
// The I2C bus to a power controller that the firmware uses: OpenSBI switches a VisionFive 2 off and
// restarts it through the PMIC on I2C5, and U-Boot leaves that bus without clock and in reset. Here
// it is only opened; nobody but the firmware speaks on it.

#include "clk_priv.h"

#include <arch/log.h>
#include <core/driver.h>
#include <lib/dt.h>
#include <libfdt.h>

static bool has_pmic(const void *fdt, int node)
{
    int child;

    fdt_for_each_subnode (child, fdt, node)
        if (dt_is_compatible(fdt, child, "x-powers,axp15060"))
            return true;
    return false;
}

static int i2c_probe(const void *fdt, int node)
{
    if (!has_pmic(fdt, node))
        return 0;
    int err = clk_open_device(fdt, node);
    if (err)
        log_err("i2c: the firmware can't reach the PMIC (%d): no power off, no restart", err);
    return err;
}

static const char *const i2c_compatible[] = {"snps,designware-i2c", NULL};

DRIVER(i2c_pmic_driver) = {
    .name = "i2c-pmic",
    .compatible = i2c_compatible,
    .phase = DRIVER_DEVICE,
    .probe = i2c_probe,
};
