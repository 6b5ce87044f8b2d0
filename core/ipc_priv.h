// SPDX-License-Identifier: BSD-2-Clause
// What the system calls of System V IPC share.
#pragma once

#include <core/process.h>
#include <ipc/ipc.h>

static inline struct ipc_caller ipc_caller_self(void)
{
    return (struct ipc_caller){.cred = thread_self()->cred, .pid = process_self()->pid};
}
