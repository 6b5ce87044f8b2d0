// SPDX-License-Identifier: BSD-2-Clause
// Names: core/sys_path*.c.
