// SPDX-License-Identifier: BSD-2-Clause
// Random calls on address spaces from four threads of one process at once, each in a window of its
// own that shares page tables with its neighbours', against a shadow that keeps for every page what
// mmap(2) and its relatives promise. Threads fork in between; the child compares its copy. At the
// end the maps are equal to the shadow, and the machine has its memory back. VM_STEPS in the
// environment: calls of each thread (there are two runs, so a million over all: VM_STEPS=125000).
// VM_RUNNING: how many threads walk at the same time; they take turns of a few calls, so all harts
// come and go. For a machine of more harts than its host has cores: there a remote fence spins
// until the host lets the other hart run, and that is most of the time.
#include "ktap.h"
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum { PAGE = 4096, THREADS = 4, WINDOW = 1100, RW = PROT_READ | PROT_WRITE };

// Not on a border of 2 MiB, and over one of 1 GiB.
#define BASE (0x1000000000UL + (1UL << 30) - 2200UL * PAGE)

struct shadow {
    bool mapped, shared;
    int prot;
    unsigned int value; // first word; 0 after mapping
};

struct walker {
    unsigned int id;
    uint64_t seed;
    char *window;
    struct shadow pages[WINDOW];
    char failure[200];
};

static struct walker walkers[THREADS];
static long steps = 600, running = THREADS;
static __thread sigjmp_buf jump;

static uint64_t rnd(struct walker *w, uint64_t n)
{
    w->seed = w->seed * 6364136223846793005UL + 1442695040888963407UL;
    return (w->seed >> 33) % n;
}

#define EXPECT(w, condition)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            if (!(w)->failure[0])                                                                  \
                snprintf((w)->failure, sizeof((w)->failure), "%d: %s (errno %d)", __LINE__,        \
                         #condition, errno);                                                       \
            return;                                                                                \
        }                                                                                          \
    } while (0)

static void on_fault(int number)
{
    siglongjmp(jump, number);
}

static char *at(const struct walker *w, unsigned int i)
{
    return w->window + (size_t)i * PAGE;
}

static void fill(struct walker *w, unsigned int i, unsigned int n, struct shadow s)
{
    for (unsigned int k = i; k < i + n; k++)
        w->pages[k] = s;
}

static void do_mmap(struct walker *w, unsigned int i, unsigned int n)
{
    static const int prots[] = {PROT_NONE, PROT_READ, RW, RW, RW, PROT_READ | PROT_EXEC};
    bool shared = rnd(w, 6) == 0;
    int prot = prots[rnd(w, 6)], flags = MAP_ANONYMOUS | MAP_FIXED;
    flags |= shared ? MAP_SHARED : MAP_PRIVATE;
    flags |= rnd(w, 4) == 0 ? MAP_POPULATE : 0;
    flags |= rnd(w, 3) == 0 ? MAP_NORESERVE : 0;
    EXPECT(w, mmap(at(w, i), (size_t)n * PAGE, prot, flags, -1, 0) == at(w, i));
    fill(w, i, n, (struct shadow){true, shared, prot, 0});
}

static void do_munmap(struct walker *w, unsigned int i, unsigned int n)
{
    EXPECT(w, munmap(at(w, i), (size_t)n * PAGE) == 0);
    fill(w, i, n, (struct shadow){0});
}

static void do_mprotect(struct walker *w, unsigned int i, unsigned int n)
{
    static const int prots[] = {PROT_NONE, PROT_READ, RW, RW};
    int prot = prots[rnd(w, 4)];
    unsigned int k = i;
    for (; k < i + n && w->pages[k].mapped; k++)
        w->pages[k].prot = prot;
    int got = mprotect(at(w, i), (size_t)n * PAGE, prot);
    EXPECT(w, k == i + n ? got == 0 : got == -1 && errno == ENOMEM);
}

static void do_madvise(struct walker *w, unsigned int i, unsigned int n)
{
    static const int advices[] = {MADV_DONTNEED, MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
                                  MADV_WILLNEED};
    int advice = advices[rnd(w, 5)];
    bool hole = false;
    for (unsigned int k = i; k < i + n; k++) {
        hole |= !w->pages[k].mapped;
        if (advice == MADV_DONTNEED && !w->pages[k].shared)
            w->pages[k].value = 0;
    }
    int got = madvise(at(w, i), (size_t)n * PAGE, advice);
    EXPECT(w, hole ? got == -1 : got == 0);
}

// One page to several, of one region for sure: what is mapped here first.
static void do_mremap(struct walker *w, unsigned int i, unsigned int n)
{
    unsigned int to = (unsigned int)rnd(w, WINDOW - n);
    if (to < i + n && i < to + n)
        return;
    do_mmap(w, i, n);
    for (unsigned int k = i; k < i + n; k += 3)
        if (w->pages[k].prot & PROT_WRITE)
            *(volatile unsigned int *)at(w, k) = w->pages[k].value = k + 1;
    bool keep = !w->pages[i].shared && rnd(w, 3) == 0;
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (keep ? MREMAP_DONTUNMAP : 0);
    EXPECT(w, mremap(at(w, i), (size_t)n * PAGE, (size_t)n * PAGE, flags, at(w, to)) == at(w, to));
    memcpy(w->pages + to, w->pages + i, n * sizeof(struct shadow));
    for (unsigned int k = i; k < i + n; k++)
        if (keep)
            w->pages[k].value = 0;
        else
            w->pages[k] = (struct shadow){0};
}

static void access_page(struct walker *w, unsigned int i, bool write)
{
    struct shadow *s = &w->pages[i];
    bool allowed = s->mapped && (write ? s->prot & PROT_WRITE : s->prot & (PROT_READ | PROT_WRITE));
    volatile unsigned int *word = (volatile unsigned int *)at(w, i);
    if (sigsetjmp(jump, 0) != 0) {
        EXPECT(w, !allowed);
        return;
    }
    if (write) {
        unsigned int value = (unsigned int)rnd(w, 1U << 31) + 1;
        *word = value;
        s->value = value;
    } else {
        unsigned int value = *word;
        EXPECT(w, value == s->value);
    }
    EXPECT(w, allowed);
}

static void compare_window(struct walker *w)
{
    for (unsigned int i = 0; i < WINDOW && !w->failure[0]; i++)
        access_page(w, i, false);
}

// What is shared goes on changing: the child looks at its private pages, and writes them.
static void do_fork(struct walker *w)
{
    int status;
    pid_t child = fork();
    EXPECT(w, child >= 0);
    if (child == 0) {
        compare_window(w);
        for (unsigned int i = 0; i < WINDOW; i += 1 + (unsigned int)rnd(w, 9))
            if (!w->pages[i].shared)
                access_page(w, i, true);
        _exit(w->failure[0] != 0);
    }
    for (int k = 0; k < 20; k++) {
        unsigned int i = (unsigned int)rnd(w, WINDOW);
        access_page(w, i, !w->pages[i].shared && rnd(w, 2));
    }
    EXPECT(w, waitpid(child, &status, 0) == child);
    EXPECT(w, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void step(struct walker *w)
{
    unsigned int n = 1 + (unsigned int)(rnd(w, 12) ? rnd(w, 8) : rnd(w, WINDOW / 2)),
                 i = (unsigned int)rnd(w, WINDOW - n);
    switch (rnd(w, 16)) {
    case 0:
    case 1:
        do_mmap(w, i, n);
        break;
    case 2:
        do_munmap(w, i, n);
        break;
    case 3:
    case 4:
        do_mprotect(w, i, n);
        break;
    case 5:
        do_madvise(w, i, n);
        break;
    case 6:
        do_mremap(w, i, n);
        break;
    case 7:
        if (rnd(w, 40) == 0)
            do_fork(w);
        break;
    default:
        access_page(w, i, rnd(w, 2));
    }
}

// First come, first served; who ends a turn wakes whose turn it is, and nobody else.
static struct {
    pthread_mutex_t lock;
    long unused;
    unsigned int waiting[THREADS], nr_waiting;
    sem_t begin[THREADS];
} turns = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void take_turn(const struct walker *w)
{
    pthread_mutex_lock(&turns.lock);
    bool mine = turns.unused > 0;
    if (mine)
        turns.unused--;
    else
        turns.waiting[turns.nr_waiting++] = w->id;
    pthread_mutex_unlock(&turns.lock);
    while (!mine && sem_wait(&turns.begin[w->id]) != 0)
        ;
}

static void end_turn(void)
{
    pthread_mutex_lock(&turns.lock);
    unsigned int next = turns.nr_waiting > 0 ? turns.waiting[0] : THREADS;
    if (next == THREADS)
        turns.unused++;
    else
        memmove(turns.waiting, turns.waiting + 1, --turns.nr_waiting * sizeof(turns.waiting[0]));
    pthread_mutex_unlock(&turns.lock);
    if (next < THREADS)
        sem_post(&turns.begin[next]);
}

static void *work(void *arg)
{
    struct walker *w = arg;
    for (long i = 0; i < steps && !w->failure[0];) {
        take_turn(w);
        for (long end = i + 16; i < steps && i < end && !w->failure[0]; i++)
            step(w);
        end_turn();
    }
    compare_window(w);
    return NULL;
}

// Every line of /proc/self/maps in the windows against the shadow, and the other way round.
static void compare_maps(void)
{
    static bool seen[THREADS * WINDOW];
    char line[300], prot[5];
    FILE *f = fopen("/proc/self/maps", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof(line), f)) {
        unsigned long start, end;
        CHECK_EQ(sscanf(line, "%lx-%lx %4s", &start, &end, prot), 3);
        if (start < BASE || start >= BASE + (unsigned long)THREADS * WINDOW * PAGE)
            continue;
        for (unsigned long a = start; a < end; a += PAGE) {
            unsigned long i = (a - BASE) / PAGE;
            const struct shadow *s = &walkers[i / WINDOW].pages[i % WINDOW];
            seen[i] = true;
            CHECK(s->mapped);
            CHECK_EQ(prot[0] == 'r', (s->prot & PROT_READ) != 0);
            CHECK_EQ(prot[1] == 'w', (s->prot & PROT_WRITE) != 0);
            CHECK_EQ(prot[3] == 's', s->shared);
        }
    }
    fclose(f);
    for (int i = 0; i < THREADS * WINDOW; i++)
        CHECK_EQ(seen[i], walkers[i / WINDOW].pages[i % WINDOW].mapped);
}

static void walk_all(void)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    pthread_t threads[THREADS];
    turns.unused = running;
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(sem_init(&turns.begin[i], 0, 0), 0);
    CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
    for (unsigned int i = 0; i < THREADS; i++) {
        walkers[i] = (struct walker){
            .id = i, .seed = i + 1, .window = (char *)BASE + (size_t)i * WINDOW * PAGE};
        CHECK_EQ(pthread_create(&threads[i], NULL, work, &walkers[i]), 0);
    }
    for (unsigned int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned int i = 0; i < THREADS; i++) {
        if (walkers[i].failure[0])
            note("thread %u: %s", i, walkers[i].failure);
        CHECK(!walkers[i].failure[0]);
    }
    compare_maps();
}

static long free_kib(void)
{
    char line[100];
    long kib = -1;
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "MemFree: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static long run_once(void)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        walk_all();
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return free_kib();
}

TEST_SECONDS(four_threads_against_the_shadow, 1500)
{
    const char *wanted = getenv("VM_STEPS");
    if (wanted)
        steps = atol(wanted);
    if (getenv("VM_RUNNING"))
        running = atol(getenv("VM_RUNNING"));
    CHECK(running >= 1);
    long before = run_once(), after = run_once();
    // Caches of harts and of the kernel's own objects move a little; a lost page a round would not.
    note("free before %ld KiB, after %ld KiB", before, after);
    CHECK(after > before - 1024);
}
