// SPDX-License-Identifier: BSD-2-Clause
// Host tests: the C library's numbers (Linux's, too), and the kernel's internal ones.
#pragma once
#include_next <errno.h>
#define ERESTARTSYS           512
#define ERESTARTNOINTR        513
#define ERESTARTNOHAND        514
#define ERESTART_RESTARTBLOCK 516
