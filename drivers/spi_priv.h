// SPDX-License-Identifier: BSD-2-Clause
// A byte-wide SPI bus, as what hangs on it sees it. The bus's driver probes its children.
#pragma once

#include <lib/types.h>

struct spi_bus {
    // At most so fast from now on.
    void (*set_speed)(struct spi_bus *bus, uint32_t hz);
    // Chip select active, and kept so between exchanges; or not.
    void (*select)(struct spi_bus *bus, bool on);
    // n bytes out (NULL: 0xff) and n in (NULL: dropped). Polls.
    void (*exchange)(struct spi_bus *bus, const uint8_t *out, uint8_t *in, size_t n);
};

// The device tree node of a card in an SPI slot ("mmc-spi-slot"). 0 or -errno.
int mmc_spi_probe(struct spi_bus *bus, const void *fdt, int node);
