// SPDX-License-Identifier: BSD-2-Clause
// Open files and descriptors: core/sys_file*.c.
