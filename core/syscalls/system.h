// SPDX-License-Identifier: BSD-2-Clause
// The machine: names, memory figures, log, reboot, random bytes: core/sys_system.c.
