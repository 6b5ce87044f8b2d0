// SPDX-License-Identifier: BSD-2-Clause
// Host tests: the numbers from the C library; the kernel's header hides them from its users.
#pragma once
#include <sys/stat.h>
