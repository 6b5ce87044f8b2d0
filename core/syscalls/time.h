// SPDX-License-Identifier: BSD-2-Clause
// Clocks and timers: core/sys_time.c.
