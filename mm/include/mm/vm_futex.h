// SPDX-License-Identifier: BSD-2-Clause
// Keys of futexes: what names a word of user memory, for sync/futex.h. futex(2),
// shared/abi/futex.md.
#pragma once

#include <arch/port.h>
#include <lib/types.h>

struct vm_map;
struct futex_key;

// Key of the word at addr, which is 4-byte aligned (-EINVAL). Private: the map and the address,
// without looking at regions. Shared: the object and the page's index in it, or for private memory
// a key of the map's own that private ones don't meet; -EFAULT where `access` isn't possible.
// The key of an object holds a reference: futex_key_put(). The map is the caller's to keep.
int vm_futex_key_private(struct vm_map *m, vaddr_t addr, struct futex_key *key);
int vm_futex_key_shared(struct vm_map *m, vaddr_t addr, enum vm_access access,
                        struct futex_key *key);
