// SPDX-License-Identifier: BSD-2-Clause
// See hart_model.h. One thread; coroutines by ucontext. State is global, set anew by model_start().
#include "hart_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define MODEL_ENTRIES 4096
#define MODEL_STACK   (64UL << 10)
#define KERNEL_PAGE   0xffffffe000000000UL

struct entry {
    asid_t asid;
    bool global;
    uint64_t page;
    unsigned int frame;
};

static struct model_hart {
    struct mmu_context *current;
    asid_t asid; // in satp
    unsigned int nr_entries;
    struct entry entries[MODEL_ENTRIES];
    uint64_t code[MODEL_SPACES]; // oldest version that the icache may hold; 0: none
    ucontext_t context;
    char *stack;
    bool done, blocked;
    bool switching; // between two spaces no user program runs
} harts[NR_CPUS_MAX];

struct model_space model_spaces[MODEL_SPACES];
cpu_t model_cpu;
enum model_fault model_fault;
bool model_expect_error, model_error_seen;

static unsigned int bits;
static cpu_t nr_harts;
static unsigned int last_frame;
static unsigned int kernel_frame, nr_kernel_flushing; // of the one kernel page
static bool lock_taken;
static ucontext_t scheduler;
static bool running_jobs;
static void (*the_job)(cpu_t cpu);

void panic(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    abort();
}

static void model_error(const char *fmt, ...)
{
    model_error_seen = true;
    if (model_expect_error)
        return;
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    abort();
}

static void entry_add(struct model_hart *h, struct entry e)
{
    for (unsigned int i = 0; i < h->nr_entries; i++)
        if (h->entries[i].asid == e.asid && h->entries[i].page == e.page &&
            h->entries[i].frame == e.frame && h->entries[i].global == e.global)
            return;
    if (h->nr_entries == MODEL_ENTRIES)
        abort();
    h->entries[h->nr_entries++] = e;
}

// A fence: asid < 0 and page 0 mean any.
static void entries_drop(struct model_hart *h, int asid, uint64_t page, bool globals)
{
    unsigned int kept = 0;
    for (unsigned int i = 0; i < h->nr_entries; i++) {
        struct entry e = h->entries[i];
        bool hit = (page == 0 || e.page == page) &&
                   (e.global ? globals : asid < 0 || e.asid == (asid_t)asid);
        if (!hit)
            h->entries[kept++] = e;
    }
    h->nr_entries = kept;
}

static int space_index(const struct mmu_context *ctx)
{
    for (int i = 0; ctx && i < MODEL_SPACES; i++)
        if (&model_spaces[i].context == ctx)
            return i;
    return -1;
}

int model_space_of(cpu_t cpu)
{
    return space_index(harts[cpu].current);
}

// What a hart may walk to at any time, without being asked.
static void hart_prefetch(struct model_hart *h)
{
    if (kernel_frame)
        entry_add(h, (struct entry){0, true, KERNEL_PAGE, kernel_frame});
    int index = space_index(h->current);
    if (index < 0)
        return;
    struct model_space *s = &model_spaces[index];
    if (!s->alive)
        model_error("hart %ld walks the tables of a space that is gone", (long)(h - harts));
    for (unsigned int i = 0; i < MODEL_PAGES; i++)
        if (s->frame[i])
            entry_add(h, (struct entry){h->asid, false, MODEL_BASE + i * PAGE_SIZE, s->frame[i]});
    if (h->code[index] == 0)
        h->code[index] = s->code;
}

static void prefetch_everywhere(void)
{
    for (cpu_t cpu = 0; cpu < nr_harts; cpu++)
        hart_prefetch(&harts[cpu]);
}

static void check_entry(cpu_t cpu, const struct entry *e, const struct model_space *s)
{
    unsigned int page = (unsigned int)((e->page - MODEL_BASE) / PAGE_SIZE);
    if (s->frame[page] != e->frame)
        model_error("hart %u, ASID %u: page %u is frame %u, the TLB says %u", cpu, e->asid, page,
                    s->frame[page], e->frame);
}

static void check_hart(cpu_t cpu)
{
    const struct model_hart *h = &harts[cpu];
    int index = space_index(h->current);
    for (unsigned int i = 0; i < h->nr_entries; i++) {
        const struct entry *e = &h->entries[i];
        if (e->global && nr_kernel_flushing == 0 && e->frame != kernel_frame)
            model_error("hart %u: kernel page is frame %u, the TLB says %u", cpu, kernel_frame,
                        e->frame);
        if (!e->global && index >= 0 && !h->switching && e->asid == h->asid &&
            model_spaces[index].nr_flushing == 0)
            check_entry(cpu, e, &model_spaces[index]);
    }
    if (index >= 0 && !h->switching && model_spaces[index].nr_syncing == 0 &&
        h->code[index] < model_spaces[index].code_synced)
        model_error("hart %u runs version %lu of the code, %lu was announced", cpu, h->code[index],
                    model_spaces[index].code_synced);
}

void model_check(void)
{
    prefetch_everywhere();
    for (cpu_t cpu = 0; cpu < nr_harts; cpu++)
        check_hart(cpu);
}

void model_start(unsigned int asid_width, cpu_t nr_cpus)
{
    bits = asid_width;
    nr_harts = nr_cpus;
    last_frame = 0;
    kernel_frame = 0;
    nr_kernel_flushing = 0;
    model_cpu = 0;
    lock_taken = false;
    model_error_seen = false;
    memset(model_spaces, 0, sizeof(model_spaces));
    for (cpu_t cpu = 0; cpu < NR_CPUS_MAX; cpu++) {
        harts[cpu].current = NULL;
        harts[cpu].asid = 0;
        harts[cpu].nr_entries = 0;
        harts[cpu].switching = false;
        memset(harts[cpu].code, 0, sizeof(harts[cpu].code));
    }
    model_reset_tlb();
    asid_setup(bits, nr_cpus);
}

void model_switch(int space)
{
    struct model_hart *h = &harts[model_cpu];
    h->switching = true;
    mmu_context_switch(space < 0 ? NULL : &model_spaces[space].context);
    h->switching = false;
    model_check();
}

void model_map(unsigned int space, unsigned int page)
{
    model_spaces[space].frame[page] = ++last_frame;
    model_check();
}

void model_unmap(unsigned int space, unsigned int first, unsigned int nr)
{
    struct model_space *s = &model_spaces[space];
    s->nr_flushing++;
    for (unsigned int i = first; i < first + nr; i++)
        s->frame[i] = 0;
    model_yield();
    mmu_context_flush(&s->context, MODEL_BASE + first * PAGE_SIZE,
                      MODEL_BASE + (first + nr) * PAGE_SIZE);
    s->nr_flushing--;
    model_check();
}

void model_map_kernel(void)
{
    nr_kernel_flushing++;
    kernel_frame = 0;
    model_yield();
    tlb_flush_kernel(KERNEL_PAGE, KERNEL_PAGE + PAGE_SIZE);
    nr_kernel_flushing--;
    if (nr_kernel_flushing == 0)
        kernel_frame = ++last_frame;
    model_check();
}

void model_write_code(unsigned int space)
{
    struct model_space *s = &model_spaces[space];
    uint64_t version = ++s->code;
    s->nr_syncing++;
    model_yield();
    mmu_context_flush_icache(&s->context);
    s->nr_syncing--;
    if (s->code_synced < version)
        s->code_synced = version;
    model_check();
}

void model_space_create(unsigned int space)
{
    struct model_space *s = &model_spaces[space];
    memset(s, 0, sizeof(*s));
    s->alive = true;
    s->code = 1;
    mmu_context_init(&s->context, 0x80000000 + space * PAGE_SIZE);
    for (cpu_t cpu = 0; cpu < nr_harts; cpu++)
        harts[cpu].code[space] = 0; // other memory, so other cache lines
}

static void coroutine_main(void)
{
    the_job(model_cpu);
    harts[model_cpu].done = true;
    setcontext(&scheduler);
}

static void coroutine_start(struct model_hart *h)
{
    if (!h->stack)
        h->stack = malloc(MODEL_STACK);
    h->done = h->blocked = false;
    getcontext(&h->context);
    h->context.uc_stack.ss_sp = h->stack;
    h->context.uc_stack.ss_size = MODEL_STACK;
    h->context.uc_link = NULL;
    makecontext(&h->context, coroutine_main, 0);
}

void model_run(unsigned int nr, void (*job)(cpu_t cpu), unsigned int (*choose)(unsigned int n))
{
    the_job = job;
    for (cpu_t cpu = 0; cpu < nr; cpu++)
        coroutine_start(&harts[cpu]);
    running_jobs = true;
    cpu_t last = 0;
    while (true) {
        cpu_t alive[NR_CPUS_MAX];
        unsigned int n = 0;
        for (cpu_t i = 0; i < nr; i++) {
            cpu_t cpu = (last + i) % nr;
            if (!harts[cpu].done && !(harts[cpu].blocked && lock_taken))
                alive[n++] = cpu;
        }
        if (n == 0)
            break;
        last = alive[n > 1 ? choose(n) : 0];
        model_cpu = last;
        swapcontext(&scheduler, &harts[last].context);
        prefetch_everywhere();
    }
    running_jobs = false;
    model_cpu = 0;
}

void model_yield(void)
{
    if (running_jobs)
        swapcontext(&harts[model_cpu].context, &scheduler);
    else
        prefetch_everywhere();
}

void model_yield_blocked(void)
{
    if (!running_jobs)
        abort();
    harts[model_cpu].blocked = true;
    model_yield();
    harts[model_cpu].blocked = false;
}

cpu_t tlb_hw_cpu(void)
{
    return model_cpu;
}

uint64_t tlb_hw_online(void)
{
    return BIT(nr_harts) - 1;
}

unsigned int tlb_hw_probe_asid_bits(void)
{
    return bits;
}

void tlb_hw_fence(void)
{
    model_yield();
}

void tlb_hw_flush_all(void)
{
    model_yield();
    if (model_fault != MODEL_NO_LOCAL)
        entries_drop(&harts[model_cpu], -1, 0, true);
}

void tlb_hw_flush_asid(asid_t asid)
{
    model_yield();
    if (model_fault != MODEL_NO_LOCAL)
        entries_drop(&harts[model_cpu], asid, 0, false);
}

void tlb_hw_flush_page(vaddr_t va, asid_t asid)
{
    model_yield();
    if (model_fault != MODEL_NO_LOCAL)
        entries_drop(&harts[model_cpu], asid, va, false);
}

void tlb_hw_flush_kernel_page(vaddr_t va)
{
    model_yield();
    if (model_fault != MODEL_NO_LOCAL)
        entries_drop(&harts[model_cpu], -1, va, true);
}

void tlb_hw_fence_i(void)
{
    model_yield();
    if (model_fault != MODEL_NO_FENCE_I)
        memset(harts[model_cpu].code, 0, sizeof(harts[model_cpu].code));
}

void tlb_hw_load(struct mmu_context *ctx, asid_t asid)
{
    model_yield();
    if (bits == 0 && asid != 0)
        model_error("ASID %u, but the hart has none", asid);
    if (asid >> bits != 0)
        model_error("ASID %u is wider than %u bits", asid, bits);
    harts[model_cpu].current = ctx;
    harts[model_cpu].asid = asid;
    hart_prefetch(&harts[model_cpu]);
}

struct mmu_context *tlb_hw_current(void)
{
    return harts[model_cpu].current;
}

static bool mask_has(uint64_t cpus, cpu_t cpu)
{
    if (cpus >> nr_harts != 0)
        model_error("a mask names harts that don't exist: %lx", cpus);
    return cpus & BIT(cpu);
}

static void remote_drop(cpu_t cpu, int asid, vaddr_t start, size_t size, bool globals)
{
    if (size == 0)
        entries_drop(&harts[cpu], asid, 0, globals);
    for (vaddr_t va = start; va < start + size; va += PAGE_SIZE)
        entries_drop(&harts[cpu], asid, va, globals);
}

void tlb_hw_remote_flush(uint64_t cpus, vaddr_t start, size_t size_bytes, asid_t asid)
{
    for (cpu_t cpu = 0; cpu < nr_harts; cpu++) {
        model_yield();
        if (mask_has(cpus, cpu) && model_fault != MODEL_NO_REMOTE)
            remote_drop(cpu, asid, start, size_bytes, false);
    }
}

void tlb_hw_remote_flush_kernel(uint64_t cpus, vaddr_t start, size_t size_bytes)
{
    for (cpu_t cpu = 0; cpu < nr_harts; cpu++) {
        model_yield();
        if (mask_has(cpus, cpu) && model_fault != MODEL_NO_REMOTE)
            remote_drop(cpu, -1, start, size_bytes, true);
    }
}

void tlb_hw_remote_fence_i(uint64_t cpus)
{
    for (cpu_t cpu = 0; cpu < nr_harts; cpu++) {
        model_yield();
        if (mask_has(cpus, cpu) && model_fault != MODEL_NO_REMOTE)
            memset(harts[cpu].code, 0, sizeof(harts[cpu].code));
    }
}

unsigned long tlb_hw_lock(void)
{
    while (lock_taken)
        model_yield_blocked();
    lock_taken = true;
    model_yield();
    return 0;
}

void tlb_hw_unlock(unsigned long flags)
{
    (void)flags;
    lock_taken = false;
    model_yield();
}
