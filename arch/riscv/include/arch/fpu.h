// SPDX-License-Identifier: BSD-2-Clause
// F/D and V registers, for signal frames. Switching saves a dirty state and marks it clean; a
// thread starts with FS and VS off and gets them at its first use.
#pragma once

#include <arch/thread.h>

// Bring the calling thread's registers into arch_thread.fpu, or load them back from it.
void fpu_save_self(void);
void fpu_restore_self(void);
// The calling thread executed an FP or V instruction with the unit off: turn it on. False if the
// instruction isn't one of those or the hart has no such unit (SIGILL follows).
bool fpu_handle_illegal(struct trap_frame *frame);

// V state for a signal frame: size in bytes (0: thread has none), copy out and in.
size_t vector_state_size(void);
const void *vector_save_self(void);
int vector_restore_self(const void *state); // 0 or -ENOMEM
