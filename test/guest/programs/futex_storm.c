// SPDX-License-Identifier: BSD-2-Clause
// 64 threads do everything to futexes at once: wait, with timeouts and signals, wake, requeue both
// ways, WAKE_OP, waitv; take eight locks with inheritance in order, so that chains of owners get
// eight deep; end and exec with a lock held. For some seconds. Then whoever was counted as woken
// was, sections excluded each other, all locks are free; and what the kernel counts itself
// balances.
#include "ktap.h"
#include "futex.h"

#include <signal.h>
#include <sys/mman.h>

#define SECONDS      3
#define SECONDS_MOST 45 // where a host with little to spare emulates four harts
#define CHAINS       2  // the first with private keys, the second with shared ones
#define DEPTH        8

enum {
    NR_WAITERS = 24,
    NR_VECTORS = 8,
    NR_WAKERS = 4,
    NR_CHAINERS = 16,
    NR_ENDERS = 4,
    NR_EXECERS = 4,
    NR_SIGNALLERS = 4
};
#define NR_THREADS                                                                                 \
    (NR_WAITERS + NR_VECTORS + NR_WAKERS + NR_CHAINERS + NR_ENDERS + NR_EXECERS + NR_SIGNALLERS)
_Static_assert(NR_THREADS == 64, "as asked for");

// In memory that the children share.
static struct storm {
    uint32_t words[4], vector[4];
    uint32_t locks[CHAINS][DEPTH];
    uint64_t inside[CHAINS][DEPTH]; // written under the lock
    uint64_t sections, woken, wakes, gave_up, waits, vectors, moved, ends, execs;
    bool begun, over;
} * storm;

static pthread_t threads[NR_THREADS];

// With owners that die, UNLOCK_PI of Linux's own kernel (6.12) fails with EINVAL now and then: no
// owner dies there. The rest is the same.
static bool on_linux;

static uint32_t tid_now(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

static void count(uint64_t *counter, long n)
{
    __atomic_fetch_add(counter, (uint64_t)n, __ATOMIC_SEQ_CST);
}

static bool over(void)
{
    return __atomic_load_n(&storm->over, __ATOMIC_SEQ_CST);
}

// When all are there.
static void await_begin(void)
{
    while (!__atomic_load_n(&storm->begun, __ATOMIC_SEQ_CST))
        sleep_ms(2);
}

static void *wait_main(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    await_begin();
    while (!over()) {
        struct timespec ts = {0, rand_r(&seed) % 20000000};
        int i = rand_r(&seed) % 4, private = i < 2 ? FUTEX_PRIVATE_FLAG : 0;
        long r = futex(&storm->words[i], FUTEX_WAIT | private, 0, rand_r(&seed) % 4 ? &ts : NULL,
                       NULL, 0);
        CHECK(r == 0 || errno == ETIMEDOUT || errno == EINTR);
        count(r == 0 ? &storm->woken : &storm->gave_up, 1);
        count(&storm->waits, 1);
    }
    return NULL;
}

static void *vector_main(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    struct futex_waitv list[4];
    for (int i = 0; i < 4; i++)
        list[i] =
            (struct futex_waitv){.uaddr = (uintptr_t)&storm->vector[i], .flags = FUTEX2_SIZE_U32};
    await_begin();
    while (!over()) {
        struct timespec ts = after_ms(CLOCK_MONOTONIC, rand_r(&seed) % 20);
        long r = futex_waitv(list, 1 + rand_r(&seed) % 4, 0, &ts, CLOCK_MONOTONIC);
        CHECK((r >= 0 && r < 4) || errno == ETIMEDOUT || errno == EINTR);
        count(&storm->vectors, 1);
    }
    return NULL;
}

static long min(long a, long b)
{
    return a < b ? a : b;
}

// Private keys among themselves, and shared ones.
static void wake_some(unsigned int *seed)
{
    uint32_t *a = &storm->words[rand_r(seed) % 4];
    int i = (int)(a - storm->words), private = i < 2 ? FUTEX_PRIVATE_FLAG : 0,
        nr = 1 + rand_r(seed) % 3;
    uint32_t *b = &storm->words[i ^ 1];
    long r;
    switch (rand_r(seed) % 5) {
    case 0:
        r = futex(a, FUTEX_WAKE | private, (uint32_t)nr, NULL, NULL, 0);
        CHECK(r >= 0);
        count(&storm->wakes, r);
        break;
    case 1:
        r = futex2(a, FUTEX_CMP_REQUEUE | private, nr, 3, b, 0);
        CHECK(r >= 0);
        count(&storm->wakes, min(r, nr));
        count(&storm->moved, r - min(r, nr));
        break;
    case 2:
        r = futex2(a, FUTEX_REQUEUE | private, 0, 5, b, 0);
        CHECK(r >= 0);
        count(&storm->moved, r);
        break;
    case 3:
        r = futex2(a, FUTEX_WAKE_OP | private, 1, 1, b,
                   FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0));
        CHECK(r >= 0);
        count(&storm->wakes, r);
        break;
    default:
        CHECK(futex(&storm->vector[rand_r(seed) % 4], FUTEX_WAKE, 2, NULL, NULL, 0) >= 0);
    }
}

static void *wake_main(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    await_begin();
    while (!over()) {
        wake_some(&seed);
        if (rand_r(&seed) % 8 == 0)
            sleep_ms(rand_r(&seed) % 2);
    }
    return NULL;
}

static int private_of(int chain)
{
    return chain == 0 ? FUTEX_PRIVATE_FLAG : 0;
}

// Has it the lock?
static bool take(int chain, int i, int how)
{
    uint32_t *lock = &storm->locks[chain][i], was = 0;
    struct timespec ts = after_ms(CLOCK_REALTIME, 1 + how % 4);
    if (!__atomic_compare_exchange_n(lock, &was, tid_now(), 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST)) {
        int op = how % 8 == 0 ? FUTEX_TRYLOCK_PI : FUTEX_LOCK_PI;
        if (futex(lock, op | private_of(chain), 0, how % 2 ? &ts : NULL, NULL, 0) != 0) {
            CHECK(errno == ETIMEDOUT || errno == EAGAIN);
            return false;
        }
    }
    CHECK_EQ(__atomic_load_n(lock, __ATOMIC_SEQ_CST) & FUTEX_TID_MASK, tid_now());
    storm->inside[chain][i]++;
    count(&storm->sections, 1);
    return true;
}

static void give(int chain, int i)
{
    uint32_t *lock = &storm->locks[chain][i], was = tid_now();
    if (!__atomic_compare_exchange_n(lock, &was, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        CHECK_EQ(futex(lock, FUTEX_UNLOCK_PI | private_of(chain), 0, NULL, NULL, 0), 0);
}

// Takes up to eight locks, the lower ones first, so that no circle comes about.
static void *chain_main(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    int id = (int)(uintptr_t)arg % DEPTH, chain = (int)(uintptr_t)arg / DEPTH % CHAINS;
    await_begin();
    while (!over()) {
        struct sched_param param = {.sched_priority = rand_r(&seed) % 20};
        int held = 0, most = 1 + rand_r(&seed) % 4;
        if (id == 0 && rand_r(&seed) % 16 == 0)
            CHECK_EQ(sched_setscheduler(0, param.sched_priority ? SCHED_FIFO : SCHED_OTHER, &param),
                     0);
        while (held < most && id + held < DEPTH && take(chain, id + held, rand_r(&seed) % 16)) {
            held++;
            if (rand_r(&seed) % 4 == 0)
                sched_yield();
        }
        if (rand_r(&seed) % 4 == 0)
            sleep_ms(1);
        while (held > 0)
            give(chain, id + --held);
        sleep_ms(id == 0 ? 2 : rand_r(&seed) % 2); // real-time threads leave room for others
    }
    return NULL;
}

struct robust {
    struct robust_list_head head;
    struct robust_list entry;
};

// Has one lock, if it can get it, and that is on its robust list.
static void take_robustly(struct robust *r, int chain, unsigned int *seed)
{
    int i = rand_r(seed) % DEPTH;
    r->entry.next = &r->head.list;
    r->head.list.next = &r->head.list;
    r->head.list_op_pending = NULL;
    r->head.futex_offset = (long)((char *)&storm->locks[chain][i] - (char *)&r->entry);
    CHECK_EQ(syscall(SYS_set_robust_list, &r->head, sizeof(r->head)), 0);
    if (!on_linux && take(chain, i, 1 + 2 * (rand_r(seed) % 4)))
        r->head.list.next = (struct robust_list *)((uintptr_t)&r->entry | 1);
}

static void *end_soon(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    struct robust r;
    take_robustly(&r, (int)seed % CHAINS, &seed);
    syscall(SYS_exit, 0);
    return NULL;
}

static void *end_main(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    await_begin();
    while (!over()) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, end_soon, (void *)(uintptr_t)rand_r(&seed)), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        count(&storm->ends, 1);
        sleep_ms(5);
    }
    return NULL;
}

// A child has a shared lock and becomes another program, or ends, or is killed.
static void child_main(unsigned int seed)
{
    static struct robust r;
    take_robustly(&r, 1, &seed);
    if (seed % 4 == 0)
        kill(getpid(), SIGKILL);
    if (seed % 4 == 1)
        _exit(0);
    execl("/bin/busybox", "true", NULL);
    _exit(1);
}

static void *exec_main(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    await_begin();
    while (!over()) {
        int status;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            child_main((unsigned int)rand_r(&seed));
        while (waitpid(pid, &status, 0) != pid)
            CHECK_EQ(errno, EINTR);
        CHECK(status == 0 || status == SIGKILL);
        (void)rand_r(&seed);
        count(&storm->execs, 1);
        sleep_ms(20); // the pages of all have to be copied now
    }
    return NULL;
}

static void handler(int signal)
{
}

static void *signal_main(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    await_begin();
    while (!over()) {
        pthread_kill(threads[rand_r(&seed) % (NR_WAITERS + NR_VECTORS)], SIGUSR1);
        sleep_ms(rand_r(&seed) % 2);
    }
    return NULL;
}

static bool enough(void)
{
    return storm->woken > 1000 && storm->moved > 200 && storm->sections > 1000 &&
           storm->ends > 20 && storm->execs > 10;
}

// On small stacks: of large ones 2 MiB are there at the first touch, to be copied after each fork.
static int start(int at, int nr, void *(*run)(void *))
{
    pthread_attr_t small;
    CHECK_EQ(pthread_attr_init(&small), 0);
    CHECK_EQ(pthread_attr_setstacksize(&small, 65536), 0);
    for (int i = 0; i < nr; i++)
        CHECK_EQ(pthread_create(&threads[at + i], &small, run, (void *)(uintptr_t)(at + i)), 0);
    return at + nr;
}

static void start_all(void)
{
    struct sigaction action = {.sa_handler = handler};
    storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(storm != MAP_FAILED);
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    int at = start(0, NR_WAITERS, wait_main);
    at = start(at, NR_VECTORS, vector_main);
    at = start(at, NR_CHAINERS, chain_main);
    at = start(at, NR_WAKERS, wake_main);
    at = start(at, NR_ENDERS, end_main);
    at = start(at, NR_EXECERS, exec_main);
    start(at, NR_SIGNALLERS, signal_main);
    __atomic_store_n(&storm->begun, true, __ATOMIC_SEQ_CST);
}

// Who waits without a timeout has to be woken until he sees that it is over.
static void end_all(void)
{
    storm->over = true;
    for (int i = NR_WAITERS; i < NR_THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < NR_WAITERS; i++) {
        while (pthread_tryjoin_np(threads[i], NULL) != 0) {
            for (int word = 0; word < 4; word++)
                count(&storm->wakes,
                      futex(&storm->words[word], FUTEX_WAKE | (word < 2 ? FUTEX_PRIVATE_FLAG : 0),
                            99, NULL, NULL, 0));
            sleep_ms(1);
        }
    }
}

struct account {
    long waits, wakes, gave_up, boosts;
};

static long value_of(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    CHECK(line);
    return atol(line + strlen(name));
}

// Of /proc/futex, which Linux hasn't.
static bool read_account(struct account *a)
{
    char text[500] = "";
    int fd = open("/proc/futex", O_RDONLY);
    if (fd < 0)
        return false;
    CHECK(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    a->waits = value_of(text, "waits");
    a->wakes = value_of(text, "wakes");
    a->gave_up = value_of(text, "gave_up");
    a->boosts = value_of(text, "pi_boosts");
    return true;
}

// Whoever waits twice is counted twice, but nobody waits when either is read.
static void check_account(const struct account *before, bool counted)
{
    struct account after;
    if (!counted)
        return;
    for (int tries = 0; tries < 200; tries++) { // who was killed may still be on its way
        CHECK(read_account(&after));
        if (after.waits - before->waits ==
            after.wakes - before->wakes + after.gave_up - before->gave_up)
            return;
        sleep_ms(10);
    }
    note("waits %ld, wakes %ld, gave up %ld", after.waits - before->waits,
         after.wakes - before->wakes, after.gave_up - before->gave_up);
    CHECK(!"the account balances");
}

TEST_SECONDS(sixty_four_threads_do_everything_at_once, 90)
{
    struct account before, after;
    bool counted = read_account(&before);
    on_linux = !counted;
    uint64_t inside = 0;
    start_all();
    for (int tenths = 0; tenths < 10 * SECONDS || (tenths < 10 * SECONDS_MOST && !enough());
         tenths++)
        sleep_ms(100);
    end_all();
    for (int i = 0; i < CHAINS * DEPTH; i++) {
        inside += storm->inside[i / DEPTH][i % DEPTH];
        CHECK_EQ(storm->locks[i / DEPTH][i % DEPTH] & FUTEX_TID_MASK, 0);
    }
    note("%lu waits, %lu woken, %lu moved, %lu of vectors, %lu sections, %lu ends, %lu children",
         storm->waits, storm->woken, storm->moved, storm->vectors, storm->sections, storm->ends,
         storm->execs);
    CHECK_EQ(storm->woken, storm->wakes);
    CHECK_EQ(storm->woken + storm->gave_up, storm->waits);
    CHECK_EQ(inside, storm->sections);
    CHECK(storm->woken > 0 && storm->moved > 0 && storm->ends > 0 && storm->execs > 0);
    check_account(&before, counted);
    if (counted && read_account(&after))
        note("the kernel counts %ld waits and %ld boosts", after.waits - before.waits,
             after.boosts - before.boosts);
}

// All of them are killed in the middle of it.
static void killed_in_the_middle(void)
{
    start_all();
    sleep_ms(150);
    kill(getpid(), SIGKILL);
}

TEST_SECONDS(a_killed_storm_leaves_nobody_behind, 90)
{
    struct account before;
    bool counted = read_account(&before);
    on_linux = !counted;
    for (int i = 0; i < 5; i++)
        CHECK_EQ(in_child(killed_in_the_middle), SIGKILL);
    check_account(&before, counted);
}
