// SPDX-License-Identifier: BSD-2-Clause
// Empty: <linux/shm.h> includes it for the sake of programs that want getpagesize().
#pragma once
