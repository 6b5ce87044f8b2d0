// SPDX-License-Identifier: BSD-2-Clause
// Copying between kernel memory and the segments of a uio. No state but the uio, no locking.
#include <arch/uaccess.h>
#include <mm/uio.h>
#include <string.h>

void uio_init_user(struct uio *u, const struct uio_segment *segments, unsigned int nr)
{
    size_t left = 0;
    for (unsigned int i = 0; i < nr; i++)
        left += segments[i].size;
    *u = (struct uio){.segments = segments, .nr_segments = nr, .left = left};
}

void uio_init_kernel_segments(struct uio *u, const struct uio_segment *segments, unsigned int nr)
{
    uio_init_user(u, segments, nr);
    u->kernel = true;
}

void uio_init_kernel(struct uio *u, struct uio_segment *segment, void *buffer, size_t size)
{
    *segment = (struct uio_segment){.base = (vaddr_t)buffer, .size = size};
    *u = (struct uio){.segments = segment, .nr_segments = 1, .left = size, .kernel = true};
}

enum uio_direction { UIO_OUT, UIO_IN, UIO_ZERO };

// Bytes that were not copied. UIO_ZERO looks at no buffer.
static size_t uio_move(bool kernel, enum uio_direction direction, vaddr_t segment, uintptr_t buffer,
                       size_t n)
{
    void *memory = (void *)buffer;

    if (!kernel) {
        if (direction == UIO_OUT)
            return user_copy_out_partial(segment, memory, n);
        if (direction == UIO_IN)
            return user_copy_in_partial(memory, segment, n);
        return user_clear_partial(segment, n);
    }
    if (direction == UIO_OUT)
        memcpy((void *)segment, memory, n);
    else if (direction == UIO_IN)
        memcpy(memory, (const void *)segment, n);
    else
        memset((void *)segment, 0, n);
    return 0;
}

static size_t uio_copy(struct uio *u, enum uio_direction direction, uintptr_t buffer, size_t n)
{
    size_t done = 0;
    n = MIN(n, u->left);
    while (done < n) {
        const struct uio_segment *s = &u->segments[u->index];
        size_t part = MIN(n - done, s->size - u->offset);
        if (part == 0) {
            u->index++;
            u->offset = 0;
            continue;
        }
        size_t missing = uio_move(u->kernel, direction, s->base + u->offset, buffer + done, part);
        size_t moved = part - missing;
        u->offset += moved;
        u->left -= moved;
        done += moved;
        if (missing != 0)
            break;
    }
    return done;
}

size_t uio_copy_out(struct uio *u, const void *src, size_t n)
{
    return uio_copy(u, UIO_OUT, (uintptr_t)src, n);
}

size_t uio_copy_in(struct uio *u, void *dst, size_t n)
{
    return uio_copy(u, UIO_IN, (uintptr_t)dst, n);
}

size_t uio_zero_out(struct uio *u, size_t n)
{
    return uio_copy(u, UIO_ZERO, 0, n);
}
