// SPDX-License-Identifier: BSD-2-Clause
// Where the page of vdso_page.S is. Constant.
#include <arch/vdso.h>

extern const char vdso_page[], vdso_sigreturn[];

const void *vdso_image(size_t *size_bytes)
{
    *size_bytes = PAGE_SIZE;
    return vdso_page;
}

size_t vdso_sigreturn_offset(void)
{
    return (size_t)(vdso_sigreturn - vdso_page);
}
