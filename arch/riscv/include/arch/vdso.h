// SPDX-License-Identifier: BSD-2-Clause
// The shared object that the kernel maps into every program, vdso(7), and the page of data before
// it: rt_sigreturn, which RISC-V has no SA_RESTORER for (sigreturn(2)), and clocks.
#pragma once

#include <lib/types.h>

// The code, page-aligned in rodata, to map read and execute in every process.
const void *vdso_image(size_t *size_bytes);
// The page of data, to map read-only right before the code.
const void *vdso_data_image(void);
size_t vdso_sigreturn_offset(void);
