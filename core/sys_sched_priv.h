// SPDX-License-Identifier: BSD-2-Clause
// What the calls on policies and those on nice values share.
#pragma once

#include <core/thread.h>

// The thread that `tid` names (0: the caller), with a reference, or NULL.
struct thread *sched_find(pid_t tid);
