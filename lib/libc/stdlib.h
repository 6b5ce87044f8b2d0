// SPDX-License-Identifier: BSD-2-Clause
// The kernel's <stdlib.h>: number parsing, for the command line, procfs and libfdt.
#pragma once
#include <stddef.h>
unsigned long strtoul(const char *restrict s, char **restrict end, int base);
long strtol(const char *restrict s, char **restrict end, int base);
