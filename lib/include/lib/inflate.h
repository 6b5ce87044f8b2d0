// SPDX-License-Identifier: BSD-2-Clause
// gzip (RFC 1952) into memory in pieces, over zlib's inflate.
#pragma once

#include <lib/types.h>

// Receives the next piece of output. Non-zero stops and is returned by inflate_gzip.
typedef int (*inflate_sink)(void *ctx, const void *data, size_t size);

// alloc/release give zlib its state (about 40 KiB in all). *consumed: bytes of input used, so that
// a following archive can be found. 0; -ENOMEM; -EINVAL with *why set (corrupt, truncated, CRC);
// or the sink's result.
int inflate_gzip(const void *data, size_t size, size_t *consumed, inflate_sink sink, void *ctx,
                 void *(*alloc)(size_t), void (*release)(void *), const char **why);
bool inflate_is_gzip(const void *data, size_t size);
