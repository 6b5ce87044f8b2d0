// SPDX-License-Identifier: BSD-2-Clause
// Of threads, for the boot alone.
#pragma once

// Body of the kernel thread that frees kernel stacks which nobody could free without sleeping.
void thread_reaper(void *unused);
