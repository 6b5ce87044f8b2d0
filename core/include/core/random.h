// SPDX-License-Identifier: BSD-2-Clause
// Random bytes: ChaCha20 keyed from rng-seed, virtio-rng and timing jitter; getrandom(2),
// random(4).
#pragma once

#include <lib/types.h>

void random_init(const void *seed, size_t size); // rng-seed of /chosen; may be empty
void random_add(const void *data, size_t size, unsigned int entropy_bits); // any context
bool random_is_ready(void);               // 256 bits came from trusted sources
int random_wait(void);                    // until ready; 0 or -EINTR
void random_fill(void *buf, size_t size); // any context; before ready: best effort
uint64_t random_u64(void);
