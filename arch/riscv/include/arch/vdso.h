// SPDX-License-Identifier: BSD-2-Clause
// The page of user code that the kernel provides: rt_sigreturn, which RISC-V has no SA_RESTORER
// for (sigreturn(2)).
#pragma once

#include <lib/types.h>

// The code, page-aligned in rodata, to map read and execute in every process.
const void *vdso_image(size_t *size_bytes);
size_t vdso_sigreturn_offset(void);
