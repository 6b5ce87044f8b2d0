// SPDX-License-Identifier: BSD-2-Clause
// StarFive VisionFive 2, versions 1.2A and 1.3B, and what shares its chip. Everything else is in
// the device tree.

#include <core/board.h>

static const struct board visionfive2 = {
    .name = "visionfive2",
    .compatible = "starfive,jh7110",
    .nr_processes_max = 32768,
    .tlb_flush_pages = TLB_FLUSH_PAGES,
    .nr_ipc_ids_max = 32768,
    .msg_bytes_max = 1 << 20,
};

const struct board *const board = &visionfive2;
