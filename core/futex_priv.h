// SPDX-License-Identifier: BSD-2-Clause
// What core's futex files share.
#pragma once

#include <mm/vm_futex.h>
#include <sync/futex.h>

// The key of a word of the calling process's; futex_key_put() it.
int futex_key_of(vaddr_t addr, bool private, enum vm_access access, struct futex_key *key);
