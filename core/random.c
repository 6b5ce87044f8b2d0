// SPDX-License-Identifier: BSD-2-Clause
// Random bytes. One 256-bit key, replaced after every use (fast key erasure): each request makes
// ChaCha20 blocks (RFC 8439, 2.3) from the key, of which the first half block is the next key and
// the rest output; so what was given out can't be computed from a key seen later. Input is mixed by
// xor into the key, which then goes through the cipher. The lock is irq-safe; output is made
// outside it.
#include <arch/clock.h>
#include <core/random.h>
#include <errno.h>
#include <lib/atomic.h>
#include <string.h>
#include <sync/port.h>
#include <sync/spinlock.h>
#include <sync/wait_queue.h>

#define KEY_WORDS     8
#define BLOCK_WORDS   16
#define READY_BITS    256
#define JITTER_NS     NS_PER_MS
#define CHACHA_ROUNDS 20

static struct spinlock random_lock = SPINLOCK_INIT; // guards the key
static uint32_t random_key[KEY_WORDS];
static uint64_t random_counter; // makes each use of a key differ, should two keys ever be equal
static uint32_t random_bits;    // of entropy so far; atomic, stops at READY_BITS
static struct wait_queue random_ready = WAIT_QUEUE_INIT(random_ready);

static inline uint32_t rotate_left(uint32_t v, unsigned int n)
{
    return v << n | v >> (32 - n);
}

// On words of an array with constant indexes, so that all sixteen stay in registers.
static inline __attribute__((always_inline)) void quarter_round(uint32_t x[BLOCK_WORDS],
                                                                unsigned int a, unsigned int b,
                                                                unsigned int c, unsigned int d)
{
    x[a] += x[b];
    x[d] = rotate_left(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = rotate_left(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = rotate_left(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = rotate_left(x[b] ^ x[c], 7);
}

static void chacha_block(const uint32_t key[KEY_WORDS], uint64_t nonce, uint64_t counter,
                         uint32_t out[BLOCK_WORDS])
{
    const uint32_t in[BLOCK_WORDS] = {
        0x61707865,
        0x3320646e,
        0x79622d32,
        0x6b206574, // "expand 32-byte k"
        key[0],
        key[1],
        key[2],
        key[3],
        key[4],
        key[5],
        key[6],
        key[7],
        (uint32_t)counter,
        (uint32_t)(counter >> 32),
        (uint32_t)nonce,
        (uint32_t)(nonce >> 32),
    };
    uint32_t x[BLOCK_WORDS];
    memcpy(x, in, sizeof(in));
    for (unsigned int i = 0; i < CHACHA_ROUNDS; i += 2) {
        quarter_round(x, 0, 4, 8, 12);
        quarter_round(x, 1, 5, 9, 13);
        quarter_round(x, 2, 6, 10, 14);
        quarter_round(x, 3, 7, 11, 15);
        quarter_round(x, 0, 5, 10, 15);
        quarter_round(x, 1, 6, 11, 12);
        quarter_round(x, 2, 7, 8, 13);
        quarter_round(x, 3, 4, 9, 14);
    }
    for (unsigned int i = 0; i < BLOCK_WORDS; i++)
        out[i] = x[i] + in[i];
}

// Replace the key by the first half of a block made from it; the second half is for the caller.
static void key_advance_locked(uint32_t rest[KEY_WORDS])
{
    uint32_t block[BLOCK_WORDS];
    spin_assert_held(&random_lock);
    chacha_block(random_key, random_counter++, 0, block);
    memcpy(random_key, block, sizeof(random_key));
    memcpy(rest, block + KEY_WORDS, sizeof(random_key));
}

void random_add(const void *data, size_t size, unsigned int entropy_bits)
{
    const uint8_t *in = data;
    uint32_t rest[KEY_WORDS], chunk[KEY_WORDS];
    while (size > 0) {
        size_t n = MIN(size, sizeof(chunk));
        memset(chunk, 0, sizeof(chunk));
        memcpy(chunk, in, n);
        irq_flags_t flags = spin_lock_irqsave(&random_lock);
        for (unsigned int i = 0; i < KEY_WORDS; i++)
            random_key[i] ^= chunk[i];
        key_advance_locked(rest);
        spin_unlock_irqrestore(&random_lock, flags);
        in += n;
        size -= n;
    }
    if (entropy_bits == 0 || random_is_ready())
        return;
    if (atomic_add_fetch(&random_bits, MIN(entropy_bits, (unsigned int)READY_BITS)) >= READY_BITS)
        wait_queue_wake_all(&random_ready);
}

void random_init(const void *seed, size_t size)
{
    uint64_t times[2] = {clock_ticks(), clock_entry_ticks()};
    random_add(times, sizeof(times), 0);
    random_add(seed, size, (unsigned int)MIN(size, READY_BITS / 8) * 8);
}

bool random_is_ready(void)
{
    return atomic_load(&random_bits) >= READY_BITS;
}

// Nobody may ever bring a seed on this board. So whoever waits sleeps in short naps and adds when
// exactly he woke: interrupts and other harts make that differ by more than the bit that is
// claimed.
int random_wait(void)
{
    while (!random_is_ready()) {
        int err = wait_event(&random_ready, random_is_ready(), PARK_INTERRUPTIBLE,
                             clock_monotonic_ns() + JITTER_NS);
        if (err == -EINTR)
            return err;
        uint64_t now = clock_ticks();
        random_add(&now, sizeof(now), 1);
    }
    return 0;
}

void random_fill(void *buf, size_t size)
{
    uint32_t key[KEY_WORDS], block[BLOCK_WORDS];
    irq_flags_t flags = spin_lock_irqsave(&random_lock);
    key_advance_locked(key);
    spin_unlock_irqrestore(&random_lock, flags);

    uint8_t *out = buf;
    if (size <= sizeof(key)) {
        memcpy(out, key, size);
    } else {
        for (uint64_t counter = 1; size > 0; counter++) {
            size_t n = MIN(size, sizeof(block));
            chacha_block(key, 0, counter, block);
            memcpy(out, block, n);
            out += n;
            size -= n;
        }
    }
    memset(key, 0, sizeof(key));
    memset(block, 0, sizeof(block));
    __asm__ volatile("" ::"r"(key), "r"(block) : "memory"); // the clearing is meant
}

uint64_t random_u64(void)
{
    uint64_t v;
    random_fill(&v, sizeof(v));
    return v;
}
