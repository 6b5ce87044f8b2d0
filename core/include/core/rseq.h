// SPDX-License-Identifier: BSD-2-Clause
// Restartable sequences: rseq(2).
#pragma once

#include <lib/types.h>

#define RSEQ_FEATURE_SIZE 28 // how much of the structure is filled in: up to mm_cid
#define RSEQ_ALIGN        32

struct thread;
struct trap_frame;

// On the way to user mode, when the thread has been off its hart, or is about to run a handler: end
// the sequence that it is in, write its cpu number. May sleep; forces SIGSEGV.
void rseq_resume(struct trap_frame *frame);
// A new thread keeps the registration if it has a copy of the memory.
void rseq_fork(struct thread *child, bool shares_memory);
