// SPDX-License-Identifier: BSD-2-Clause
// /proc/fail-nth, only with FAULTS=1: four bytes, a number. Written: which allocation of the
// calling thread's system calls fails from now on. Read: how many are still to come, 0 if it has
// failed. Neither allocates anything.
#include "proc_priv.h"

#include <asm/stat.h>
#include <errno.h>
#include <linux/stat.h>
#include <mm/fault_injection.h>

static ssize_t access_fail_nth(uint64_t key, uint64_t version, uint64_t offset, struct uio *uio,
                               bool write)
{
    uint32_t n = fault_injection_left();
    if (uio->left != sizeof(n))
        return -EINVAL;
    size_t done = write ? uio_copy_in(uio, &n, sizeof(n)) : uio_copy_out(uio, &n, sizeof(n));
    if (done != sizeof(n))
        return -EFAULT;
    if (write)
        fault_injection_set(n);
    return sizeof(n);
}

static const struct proc_file files[] = {
    {.name = "fail-nth", .mode = S_IFREG | 0600, .access = access_fail_nth},
    {.name = NULL},
};

void proc_faults_init(void);
void proc_faults_init(void)
{
    procfs_register(files);
}
