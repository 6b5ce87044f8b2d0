// SPDX-License-Identifier: BSD-2-Clause
// SiFive HiFive Unleashed (FU540), and QEMU's sifive_u. Everything else is in the device tree.

#include <core/board.h>

static const struct board sifive_unleashed = {
    .name = "sifive-unleashed",
    .compatible = "sifive,hifive-unleashed-a00",
    .nr_processes_max = 32768,
    .tlb_flush_pages = TLB_FLUSH_PAGES,
    .nr_ipc_ids_max = 32768,
    .msg_bytes_max = 1 << 20,
};

const struct board *const board = &sifive_unleashed;
