// SPDX-License-Identifier: BSD-2-Clause
// Where the pages of the vDSO are: its code is in vdso_page.S, its data in clock.c. Constant.
#include <arch/vdso.h>
#include <lib/assert.h>

#include "vdso_data_priv.h"

extern const char vdso_page[], vdso_end[];
extern union vdso_data_page vdso_data_page;

const void *vdso_image(size_t *size_bytes)
{
    *size_bytes = (size_t)(vdso_end - vdso_page);
    return vdso_page;
}

const void *vdso_data_image(void)
{
    return &vdso_data_page;
}

size_t vdso_sigreturn_offset(void)
{
    return VDSO_SIGRETURN_OFFSET;
}
