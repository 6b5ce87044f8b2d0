// SPDX-License-Identifier: BSD-2-Clause
// Host tests: the numbers from the C library, whose headers can't be mixed with the kernel's.
#pragma once
#include <signal.h>
