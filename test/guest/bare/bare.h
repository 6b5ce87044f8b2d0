// SPDX-License-Identifier: BSD-2-Clause
// What a case of the bare-metal test is made of: calls of the firmware, fences, page tables of one
// page.
#ifndef BARE_H
#define BARE_H

#include <stdint.h>

enum {
    V = 1,
    R = 2,
    W = 4,
    X = 8,
    U = 16,
    G = 32,
    A = 64,
    D = 128,
    LEAF = V | R | W | X | A | D,
};
enum size { KIB4, MIB2, GIB1 };

// Below 4 GiB all is mapped as it is. The test's page lies 64 MiB into the fifth GiB, its two
// frames 64 MiB into the third and the fourth: the same for a page of every size.
#define SELECT   0x90000000UL
#define OFFSET   0x4000000UL
#define VA       (0x100000000UL + OFFSET)
#define OTHER_VA (VA + 0x40000000UL)
#define OLD      0x80000000UL
#define NEW      0xc0000000UL

struct space {
    uint64_t root[512], middle[512], last[512], other_last[512];
} __attribute__((aligned(4096)));

int bare_load(uint64_t va);
int bare_store(uint64_t va);
void bare_visit_user(void);
void bare_main(uint64_t hart);
void bare_second(void);
void start_second(void);
extern const uint8_t code_a[], code_b[];

struct sbi_result {
    long error, value;
};

static inline struct sbi_result sbi(long extension, long function, uint64_t arg0, uint64_t arg1,
                                    uint64_t arg2, uint64_t arg3, uint64_t arg4)
{
    register uint64_t a0 __asm__("a0") = arg0;
    register uint64_t a1 __asm__("a1") = arg1;
    register uint64_t a2 __asm__("a2") = arg2;
    register uint64_t a3 __asm__("a3") = arg3;
    register uint64_t a4 __asm__("a4") = arg4;
    register long a6 __asm__("a6") = function;
    register long a7 __asm__("a7") = extension;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbi_result){(long)a0, (long)a1};
}

static inline void put(const char *text)
{
    for (; *text; text++) {
        sbi(1, 0, (uint64_t)*text, 0, 0, 0, 0);
    }
}

static inline void put_number(unsigned n)
{
    char digits[3] = {(char)('0' + n / 10), (char)('0' + n % 10), 0};

    put(digits);
}

static inline void fence_all(void)
{
    __asm__ volatile("sfence.vma zero, zero" ::: "memory");
}

static inline void fence_asid(uint64_t asid)
{
    __asm__ volatile("sfence.vma zero, %0" ::"r"(asid) : "memory");
}

static inline void fence_va(uint64_t va)
{
    __asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory");
}

static inline void fence_va_asid(uint64_t va, uint64_t asid)
{
    __asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"(asid) : "memory");
}

static inline uint64_t leaf(uint64_t address, uint64_t flags)
{
    return address >> 12 << 10 | flags;
}

static inline uint64_t pointer(const uint64_t *table)
{
    return leaf((uint64_t)table, V);
}

// Map the frame that lies in this GiB at VA, by a page of this size.
static inline void map(struct space *space, enum size size, uint64_t gib, uint64_t flags)
{
    for (uint64_t i = 0; i < 4; i++) {
        space->root[i] = leaf(i << 30, LEAF);
    }
    space->last[0] = leaf(gib + OFFSET, flags);
    space->middle[OFFSET >> 21] = size == MIB2 ? leaf(gib + OFFSET, flags) : pointer(space->last);
    space->root[VA >> 30] = size == GIB1 ? leaf(gib, flags) : pointer(space->middle);
    space->root[6] = leaf(2UL << 30, V | R | X | U | A); // for bare_visit_user()
    // The same table again, so that another address means the same page.
    space->root[OTHER_VA >> 30] = space->root[VA >> 30];
}

static inline void enter(const struct space *space, uint64_t asid)
{
    uint64_t satp = 8UL << 60 | asid << 44 | (uint64_t)space->root >> 12;

    __asm__ volatile("csrw satp, %0" ::"r"(satp) : "memory");
}

#endif
