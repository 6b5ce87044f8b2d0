// SPDX-License-Identifier: BSD-2-Clause
// /proc/sysrq-trigger (Linux Documentation/admin-guide/sysrq.rst): the first byte that root writes
// is done at once, whatever state programs are in. Those that tests and rescuers need: crash,
// reboot, power off, sync. Stateless.

#include "proc_priv.h"

#include <arch/log.h>
#include <core/reset.h>
#include <errno.h>
#include <fs/block.h>
#include <lib/assert.h>
#include <linux/stat.h>

static ssize_t store_trigger(uint64_t key, const char *data, size_t n)
{
    if (n == 0)
        return 0;
    switch (data[0]) {
    case 'b':
        reset_machine(RESET_REBOOT);
    case 'o':
        reset_machine(RESET_POWEROFF);
    case 'c':
        panic("sysrq: crash, as was asked for");
    case 's': {
        int err = block_sync_all();
        return err != 0 ? err : (ssize_t)n;
    }
    default:
        log_info("sysrq: b reboots, c crashes, o powers off, s syncs");
        return (ssize_t)n;
    }
}

const struct proc_file proc_sysrq_files[] = {
    {.name = "sysrq-trigger", .mode = S_IFREG | 0200, .store = store_trigger},
    {.name = NULL},
};
