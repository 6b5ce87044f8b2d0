// SPDX-License-Identifier: BSD-2-Clause
// Life of credentials (lib/cred.h): kmalloc'ed, counted, immutable once somebody else can see them.
// A thread replaces its own whole; POSIX wants one for all threads of a process, which the C
// library arranges (credentials(7)).
#pragma once

#include <lib/cred.h>

#define CRED_CAPS_ALL ((1UL << 41) - 1) // up to CAP_CHECKPOINT_RESTORE

static inline void cred_get(struct cred *c)
{
    refcount_get(&c->refs);
}
void cred_put(struct cred *c);
struct cred *cred_copy(const struct cred *from); // with one reference; NULL: no memory
// The calling thread's become `new` (whose reference is taken over).
void cred_replace_self(struct cred *new);
