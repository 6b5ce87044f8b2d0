// SPDX-License-Identifier: BSD-2-Clause
// Futexes and what belongs to them: core/sys_futex.c.
