// SPDX-License-Identifier: BSD-2-Clause
// Address space: core/sys_memory.c.
