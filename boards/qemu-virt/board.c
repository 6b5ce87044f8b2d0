// SPDX-License-Identifier: BSD-2-Clause
// QEMU's virt machine. Everything else about it is in the device tree that QEMU makes.

#include <core/board.h>

static const struct board qemu_virt = {
    .name = "qemu-virt",
    .compatible = "riscv-virtio",
    .nr_processes_max = 32768,
    .tlb_flush_pages = TLB_FLUSH_PAGES,
    .nr_ipc_ids_max = 32768,
    .msg_bytes_max = 1 << 20,
};

const struct board *const board = &qemu_virt;
