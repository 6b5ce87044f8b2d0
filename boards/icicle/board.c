// SPDX-License-Identifier: BSD-2-Clause
// Microchip PolarFire SoC Icicle Kit, and QEMU's microchip-icicle-kit. Everything else is in the
// device tree.

#include <core/board.h>

static const struct board icicle = {
    .name = "icicle",
    .compatible = "microchip,mpfs-icicle-kit",
    .nr_processes_max = 32768,
    .tlb_flush_pages = 64,
    .nr_ipc_ids_max = 32768,
    .msg_bytes_max = 1 << 20,
};

const struct board *const board = &icicle;
