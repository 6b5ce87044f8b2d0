// SPDX-License-Identifier: BSD-2-Clause
// Every family of system calls. Included several times with SYSCALLn() defined differently, so
// neither this nor a family has an include guard. A row:
//     SYSCALL2(__NR_clock_gettime, sys_clock_gettime, int, vaddr_t)
// Types of 32 bits are cut from the register; vaddr_t, size_t and long are taken whole.
#include "file.h"
#include "futex.h"
#include "ipc.h"
#include "memory.h"
#include "mount.h"
#include "path.h"
#include "poll.h"
#include "process.h"
#include "sched.h"
#include "signal.h"
#include "socket.h"
#include "system.h"
#include "time.h"
