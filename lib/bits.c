// SPDX-License-Identifier: BSD-2-Clause
// Bit counting that the compiler calls for on harts without Zbb (libgcc's names).

#include <lib/types.h>

int __ctzdi2(uint64_t v);
int __clzdi2(uint64_t v);
int __popcountdi2(uint64_t v);

int __ctzdi2(uint64_t v)
{
    int n = 0;

    for (int step = 32; step > 0; step /= 2)
        if ((v & ((1UL << step) - 1)) == 0) {
            v >>= step;
            n += step;
        }
    return n;
}

int __clzdi2(uint64_t v)
{
    int n = 0;

    for (int step = 32; step > 0; step /= 2)
        if (v >> (64 - step) == 0) {
            v <<= step;
            n += step;
        }
    return n;
}

int __popcountdi2(uint64_t v)
{
    v -= (v >> 1) & 0x5555555555555555UL;
    v = (v & 0x3333333333333333UL) + ((v >> 2) & 0x3333333333333333UL);
    v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fUL;
    return (int)((v * 0x0101010101010101UL) >> 56);
}
