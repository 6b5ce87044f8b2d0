// SPDX-License-Identifier: BSD-2-Clause
// gzip over zlib's inflate: zlib checks header, CRC and length; we name what is wrong.

#include <errno.h>
#include <lib/inflate.h>
#include <limits.h>
#include <zlib.h>

#define CHUNK_SIZE 32768U

struct memory {
    void *(*alloc)(size_t);
    void (*release)(void *);
};

static voidpf zlib_alloc(voidpf opaque, uInt items, uInt size)
{
    const struct memory *m = opaque;
    size_t bytes;

    return __builtin_mul_overflow((size_t)items, (size_t)size, &bytes) ? Z_NULL : m->alloc(bytes);
}

static void zlib_free(voidpf opaque, voidpf p)
{
    const struct memory *m = opaque;

    m->release(p);
}

bool inflate_is_gzip(const void *data, size_t size)
{
    const uint8_t *p = data;

    return size >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

// Feed `z` until the end of the gzip member. 0 or as inflate_gzip.
static int run(z_stream *z, size_t input_left, uint8_t *chunk, inflate_sink sink, void *ctx,
               const char **why)
{
    int status = Z_OK;

    while (status != Z_STREAM_END) {
        if (z->avail_in == 0) {
            z->avail_in = (uInt)MIN(input_left, (size_t)UINT_MAX);
            input_left -= z->avail_in;
        }
        z->next_out = chunk;
        z->avail_out = CHUNK_SIZE;
        status = inflate(z, Z_NO_FLUSH);
        // What came out before an error counts: a wrong checksum is found behind the last file.
        if (z->avail_out < CHUNK_SIZE) {
            int err = sink(ctx, chunk, CHUNK_SIZE - z->avail_out);
            if (err)
                return err;
        }
        if (status == Z_MEM_ERROR)
            return -ENOMEM;
        if (status == Z_BUF_ERROR) {
            *why = "gzip data ends too early";
            return -EINVAL;
        }
        if (status != Z_OK && status != Z_STREAM_END) {
            *why = z->msg ? z->msg : "gzip data is corrupt";
            return -EINVAL;
        }
    }
    return 0;
}

int inflate_gzip(const void *data, size_t size, size_t *consumed, inflate_sink sink, void *ctx,
                 void *(*alloc)(size_t), void (*release)(void *), const char **why)
{
    struct memory memory = {alloc, release};
    z_stream z = {.next_in = (z_const Bytef *)data,
                  .avail_in = (uInt)MIN(size, (size_t)UINT_MAX),
                  .zalloc = zlib_alloc,
                  .zfree = zlib_free,
                  .opaque = &memory};
    int err = -ENOMEM;

    *why = "";
    *consumed = 0;
    uint8_t *chunk = alloc(CHUNK_SIZE);
    if (!chunk)
        return -ENOMEM;
    if (inflateInit2(&z, 16 + MAX_WBITS) == Z_OK) { // 16: gzip and nothing else
        err = run(&z, size - z.avail_in, chunk, sink, ctx, why);
        *consumed = (size_t)(z.next_in - (z_const Bytef *)data);
        inflateEnd(&z);
    }
    release(chunk);
    return err;
}
