// SPDX-License-Identifier: BSD-2-Clause
// What uname(2) and /proc/sys/kernel tell: programs look for "Linux" and a release they know.
#pragma once

#define VERSION_SYSNAME "Linux"
#define VERSION_RELEASE "6.12.0-vireo"
#define VERSION_TEXT    "#1 SMP Vireo"
#define VERSION_MACHINE "riscv64"
