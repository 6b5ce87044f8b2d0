// SPDX-License-Identifier: BSD-2-Clause
// The kernel's vmap area. First half: kernel stacks, one in the upper part of each slot, the lower
// part unmapped, so that running off a stack faults. Second half: device registers, handed out once
// and for ever.
//
// Life of a stack: a slot is mapped on first use; a freed one waits, mapped, for the next thread,
// so that fork and exit touch no page table; beyond STACKS_CACHED, or when memory is short, it is
// unmapped and freed.
// Locking: vmap_lock (sleeping) guards slots and tables; stack_cache_lock only the cached stacks.
#include <arch/mmu.h>
#include <arch/thread.h>
#include <lib/assert.h>
#include <mm/page.h>
#include <mm/vmap.h>
#include <sync/mutex.h>
#include <sync/spinlock.h>

#define STACK_ORDER   2
#define STACK_SLOT    (2 * KERNEL_STACK_SIZE)
#define STACK_AREA    (1UL << 30)
#define STACK_SLOTS   (STACK_AREA / STACK_SLOT)
#define STACKS_CACHED 128
#define CHUNK         (PAGE_SIZE / sizeof(struct page *))

_Static_assert(PAGE_SIZE << STACK_ORDER == KERNEL_STACK_SIZE, "a stack is one block of pages");

#define DEVICE_BASE (VMAP_BASE + STACK_AREA)
#define DEVICE_END  (VMAP_BASE + VMAP_SIZE)

static struct mutex vmap_lock = MUTEX_INIT(vmap_lock);
static struct page **slot_pages[STACK_SLOTS / CHUNK]; // block of each slot, NULL: not mapped
static unsigned int slot_hint;                        // no slot below it is free
static unsigned int nr_mapped, nr_slots_used;         // slots with a stack; with a table and a note
static vaddr_t device_next = DEVICE_BASE;

static struct spinlock stack_cache_lock = SPINLOCK_INIT;
static vaddr_t stack_cache[STACKS_CACHED];
static unsigned int nr_stacks_cached;

void vmap_init(void)
{
    mutex_init(&vmap_lock);
    spin_init(&stack_cache_lock);
}

static inline vaddr_t slot_stack(unsigned int slot)
{
    return VMAP_BASE + slot * STACK_SLOT + KERNEL_STACK_SIZE;
}

// The place where slot's block is noted, or NULL: no memory for the note.
static struct page **slot_note(unsigned int slot)
{
    struct page ***chunk = &slot_pages[slot / CHUNK];
    if (!*chunk) {
        struct page *p = page_alloc(0, PAGE_ALLOC_ZERO);
        if (!p)
            return NULL;
        *chunk = page_to_virt(p);
    }
    return *chunk + slot % CHUNK;
}

static vaddr_t stack_map_locked(void)
{
    struct page **note = NULL;
    unsigned int slot = slot_hint;
    for (; slot < STACK_SLOTS; slot++) {
        note = slot_note(slot);
        if (!note || !*note)
            break;
    }
    if (!note || slot == STACK_SLOTS)
        return 0;
    struct page *block = page_alloc(STACK_ORDER, 0);
    if (!block)
        return 0;
    if (mmu_map_kernel(slot_stack(slot), page_to_phys(block), KERNEL_STACK_SIZE, PTE_R | PTE_W) !=
        0) {
        page_put(block);
        return 0;
    }
    *note = block;
    slot_hint = slot + 1;
    nr_slots_used = MAX(nr_slots_used, slot_hint);
    nr_mapped++;
    return slot_stack(slot);
}

// 0: none is kept.
static vaddr_t stack_take_cached(void)
{
    vaddr_t stack = 0;
    irq_flags_t flags = spin_lock_irqsave(&stack_cache_lock);
    if (nr_stacks_cached > 0)
        stack = stack_cache[--nr_stacks_cached];
    spin_unlock_irqrestore(&stack_cache_lock, flags);
    return stack;
}

vaddr_t vmap_stack_alloc(void)
{
    vaddr_t stack = stack_take_cached();
    if (stack)
        return stack;
    mutex_lock(&vmap_lock);
    stack = stack_map_locked();
    mutex_unlock(&vmap_lock);
    return stack;
}

bool vmap_stack_recycle(vaddr_t stack)
{
    irq_flags_t flags = spin_lock_irqsave(&stack_cache_lock);
    bool cached = nr_stacks_cached < STACKS_CACHED;
    if (cached)
        stack_cache[nr_stacks_cached++] = stack;
    spin_unlock_irqrestore(&stack_cache_lock, flags);
    return cached;
}

static void stack_unmap(vaddr_t stack)
{
    unsigned int slot = (unsigned int)((stack - VMAP_BASE) / STACK_SLOT);
    mutex_lock(&vmap_lock);
    struct page **note = slot_note(slot);
    ASSERT(note && *note && slot_stack(slot) == stack);
    mmu_unmap_kernel(stack, KERNEL_STACK_SIZE);
    page_put(*note);
    *note = NULL;
    nr_mapped--;
    if (slot < slot_hint)
        slot_hint = slot;
    mutex_unlock(&vmap_lock);
}

void vmap_stack_free(vaddr_t stack)
{
    if (!vmap_stack_recycle(stack))
        stack_unmap(stack);
}

void vmap_reclaim(void)
{
    for (vaddr_t stack; (stack = stack_take_cached()) != 0;)
        stack_unmap(stack);
}

// Slots are mapped from the first on, so every one below nr_slots_used has its table and its note.
void vmap_stats(struct vmap_stats *stats)
{
    mutex_lock(&vmap_lock);
    stats->stacks = (uint64_t)nr_mapped << STACK_ORDER;
    stats->tables = DIV_ROUND_UP((uint64_t)nr_slots_used * STACK_SLOT, PT_SIZE(1)) +
                    DIV_ROUND_UP(nr_slots_used, CHUNK);
    mutex_unlock(&vmap_lock);
}

bool vmap_is_guard(vaddr_t addr)
{
    if (addr < VMAP_BASE || addr >= VMAP_BASE + STACK_AREA)
        return false;
    return (addr - VMAP_BASE) % STACK_SLOT < KERNEL_STACK_SIZE;
}

volatile void *vmap_device(paddr_t pa, size_t size_bytes)
{
    paddr_t start = ALIGN_DOWN(pa, PAGE_SIZE);
    if (size_bytes == 0 || size_bytes > VMAP_SIZE || pa > UINT64_MAX - size_bytes - PAGE_SIZE)
        return NULL;
    size_t size = ALIGN_UP(pa + size_bytes, PAGE_SIZE) - start;
    volatile char *result = NULL;
    mutex_lock(&vmap_lock);
    // A page between two devices stays unmapped.
    if (size + PAGE_SIZE <= DEVICE_END - device_next &&
        mmu_map_kernel(device_next, start, size, PTE_R | PTE_W) == 0) {
        result = (volatile char *)device_next + (pa - start);
        device_next += size + PAGE_SIZE;
    }
    mutex_unlock(&vmap_lock);
    return result;
}
