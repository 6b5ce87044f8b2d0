// SPDX-License-Identifier: BSD-2-Clause
// Locks with priority inheritance, by the raw calls: errors, hand-over by priority, what becomes of
// a dead owner's lock, conditions moved to locks, and the inversion that inheritance ends.
#include "ktap.h"
#include "futex.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

#define PRIVATE FUTEX_PRIVATE_FLAG

static uint32_t words[4];

static uint32_t gettid_now(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

static long lock_pi(uint32_t *word)
{
    return futex(word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
}

static long unlock_pi(uint32_t *word)
{
    return futex(word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0);
}

// What a library does: the kernel only when somebody else has it.
static void lock(uint32_t *word)
{
    uint32_t was = 0;
    if (!__atomic_compare_exchange_n(word, &was, gettid_now(), 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        CHECK_EQ(lock_pi(word), 0);
}

static void unlock(uint32_t *word)
{
    uint32_t was = gettid_now();
    if (!__atomic_compare_exchange_n(word, &was, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        CHECK_EQ(unlock_pi(word), 0);
}

static uint32_t load(uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

// Somebody waits for this lock.
static void await_waiter(uint32_t *word)
{
    while (!(load(word) & FUTEX_WAITERS))
        sleep_ms(1);
}

static void set_priority(int priority)
{
    struct sched_param param = {.sched_priority = priority};
    CHECK_EQ(sched_setscheduler(0, priority ? SCHED_FIFO : SCHED_OTHER, &param), 0);
}

// Fields of /proc/self/task/TID/stat.
#define PRIORITY  18
#define PROCESSOR 39

static int stat_field(pid_t tid, int which)
{
    char path[60], text[400] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    char *at = strrchr(text, ')') + 2;
    for (int field = 3; field < which; field++)
        at = strchr(at, ' ') + 1;
    return atoi(at);
}

// -1 - real-time priority as it is now, or 20 + nice.
static int priority_of(pid_t tid)
{
    return stat_field(tid, PRIORITY);
}

static void *hold(void *word)
{
    lock(word);
    store(&words[3], 1);
    while (load(&words[3]) != 2)
        sleep_ms(1);
    unlock(word);
    return NULL;
}

static pthread_t start_holder(uint32_t *word)
{
    pthread_t thread;
    store(&words[3], 0);
    CHECK_EQ(pthread_create(&thread, NULL, hold, word), 0);
    while (load(&words[3]) != 1)
        sleep_ms(1);
    return thread;
}

TEST(errors)
{
    struct timespec ts = after_ms(CLOCK_REALTIME, 20), mono = after_ms(CLOCK_MONOTONIC, 40);
    pthread_t holder = start_holder(words);
    uint32_t owner = load(words);
    CHECK_ERRNO(futex(words, FUTEX_TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0), EAGAIN);
    CHECK_ERRNO(futex(words, FUTEX_LOCK_PI | PRIVATE, 0, &ts, NULL, 0), ETIMEDOUT);
    CHECK_EQ(load(words), owner | FUTEX_WAITERS);
    CHECK_ERRNO(futex(words, FUTEX_LOCK_PI2 | PRIVATE, 0, &mono, NULL, 0), ETIMEDOUT);
    CHECK_ERRNO(unlock_pi(words), EPERM);
    store(&words[3], 2);
    pthread_join(holder, NULL);
    CHECK_EQ(load(words), 0);
    CHECK_EQ(lock_pi(words), 0);
    CHECK_EQ(load(words), gettid_now());
    CHECK_ERRNO(lock_pi(words), EDEADLK);
    CHECK_EQ(unlock_pi(words), 0);
    CHECK_ERRNO(unlock_pi(words), EPERM);
    CHECK_EQ(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), 0);
    CHECK_EQ(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
    store(words, 0x3ffffff0);
    CHECK_ERRNO(lock_pi(words), ESRCH);
    store(words, 0);
    CHECK_ERRNO(lock_pi((uint32_t *)8), EFAULT);
    CHECK_ERRNO(lock_pi((uint32_t *)((char *)words + 1)), EINVAL);
    CHECK_ERRNO(futex2(words, FUTEX_CMP_REQUEUE_PI | PRIVATE, 2, 1, words + 1, 0), EINVAL);
    CHECK_ERRNO(futex2(words, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 1, words, 0), EINVAL);
    CHECK_ERRNO(futex2(words, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, -1, words + 1, 0), EINVAL);
    CHECK_ERRNO(futex2(words, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 1, words + 1, 1), EAGAIN);
    CHECK_ERRNO(futex(words, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, NULL, words, 0), EINVAL);
    CHECK_ERRNO(futex(words, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 1, NULL, words + 1, 0), EAGAIN);
}

// In memory that was never touched, the call brings the page in.
TEST(the_word_is_not_there_yet)
{
    uint32_t *fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(lock_pi(fresh), 0);
    CHECK_EQ(*fresh, gettid_now());
    CHECK_EQ(unlock_pi(fresh), 0);
}

struct contender {
    int priority, place;
    pthread_t thread;
};

static int nr_served;

static void *contend(void *arg)
{
    struct contender *c = arg;
    set_priority(c->priority);
    CHECK_EQ(lock_pi(words), 0);
    c->place = nr_served++;
    unlock(words);
    return NULL;
}

TEST(the_urgent_get_it_first)
{
    static const int priorities[] = {0, 3, 9, 3, 0}, places[] = {3, 1, 0, 2, 4};
    struct contender c[5];
    lock(words);
    for (int i = 0; i < 5; i++) {
        c[i].priority = priorities[i];
        CHECK_EQ(pthread_create(&c[i].thread, NULL, contend, &c[i]), 0);
        while (count_waiters() != i + 1)
            sleep_ms(1);
    }
    CHECK_EQ(priority_of((pid_t)gettid_now()), -1 - 9); // inherited...
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);       // ... and not set
    unlock(words);
    CHECK_EQ(priority_of((pid_t)gettid_now()), 20);
    for (int i = 0; i < 5; i++)
        pthread_join(c[i].thread, NULL);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(c[i].place, places[i]);
    CHECK_EQ(load(words), 0);
}

// A chain of eight: each has a lock and waits for the next one's.
#define CHAIN 8
static uint32_t chain[CHAIN + 1];
static pid_t chain_tids[CHAIN];

static void *link_main(void *arg)
{
    int i = (int)(intptr_t)arg;
    lock(&chain[i]);
    __atomic_store_n(&chain_tids[i], (pid_t)gettid_now(), __ATOMIC_SEQ_CST);
    while (i + 1 < CHAIN && load((uint32_t *)&chain_tids[i + 1]) == 0)
        sleep_ms(1);
    CHECK_EQ(lock_pi(&chain[i + 1]), 0);
    unlock(&chain[i + 1]);
    unlock(&chain[i]);
    return NULL;
}

TEST(boosts_go_along_chains)
{
    pthread_t thread[CHAIN];
    struct timespec ts;
    lock(&chain[CHAIN]);
    for (intptr_t i = 0; i < CHAIN; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, link_main, (void *)i), 0);
    for (int i = 1; i <= CHAIN; i++)
        await_waiter(&chain[i]);
    while (count_waiters() != CHAIN)
        sleep_ms(1);
    CHECK_ERRNO(lock_pi(&chain[0]), EDEADLK); // a circle of nine
    // A tenth thread, urgent, waits for a lock of the first one's: all of them run at its priority.
    struct contender c = {.priority = 17};
    store(words, (uint32_t)chain_tids[0]);
    CHECK_EQ(pthread_create(&c.thread, NULL, contend, &c), 0);
    for (int i = 0; i < CHAIN; i++)
        while (priority_of(chain_tids[i]) != -1 - 17)
            sleep_ms(1);
    CHECK_EQ(priority_of((pid_t)gettid_now()), -1 - 17);
    ts = after_ms(CLOCK_REALTIME, 10);
    CHECK_ERRNO(futex(&chain[1], FUTEX_LOCK_PI | PRIVATE, 0, &ts, NULL, 0), EDEADLK);
    unlock(&chain[CHAIN]);
    for (int i = 1; i < CHAIN; i++)
        pthread_join(thread[i], NULL);
    // Thread 0 ended with `words`, which it never knew of: taken over.
    pthread_join(thread[0], NULL);
    pthread_join(c.thread, NULL);
    CHECK_EQ(priority_of((pid_t)gettid_now()), 20);
    CHECK_EQ(load(words) & ~FUTEX_OWNER_DIED, 0);
}

static void *take_and_die(void *unused)
{
    lock(words);
    store(&words[3], 1);
    while (count_waiters() < 3) // main and two contenders
        sleep_ms(1);
    return NULL;
}

TEST(a_dead_owner_s_lock_is_taken_over)
{
    struct contender c[2] = {{.priority = 0}, {.priority = 5}};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, take_and_die, NULL), 0);
    while (load(&words[3]) != 1)
        sleep_ms(1);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&c[i].thread, NULL, contend, &c[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(c[i].thread, NULL);
    CHECK_EQ(c[1].place, 0);
    CHECK_EQ(nr_served, 2);
    pthread_join(thread, NULL);
    CHECK_EQ(load(words) & ~FUTEX_OWNER_DIED, 0);
}

static struct {
    struct robust_list list;
    uint32_t word;
} robust;
static struct robust_list_head head;

// As glibc has it for robust mutexes with inheritance: bit 0 of the entry.
static void *die_robustly(void *unused)
{
    head.futex_offset = sizeof(robust.list);
    head.list.next = (void *)((uintptr_t)&robust.list | 1);
    robust.list.next = &head.list;
    CHECK_EQ(syscall(SYS_set_robust_list, &head, sizeof(head)), 0);
    lock(&robust.word);
    store(&words[3], 1);
    while (load(&words[3]) != 2)
        sleep_ms(1);
    syscall(SYS_exit, 0);
    return NULL;
}

static void *take_robust(void *result)
{
    *(long *)result = lock_pi(&robust.word);
    return NULL;
}

TEST(robust_lists_know_locks_with_inheritance)
{
    for (int waiters = 0; waiters < 2; waiters++) {
        pthread_t dying, taker;
        long result = -1;
        memset(&robust, 0, sizeof(robust));
        store(&words[3], 0);
        CHECK_EQ(pthread_create(&dying, NULL, die_robustly, NULL), 0);
        while (load(&words[3]) != 1)
            sleep_ms(1);
        if (waiters) {
            CHECK_EQ(pthread_create(&taker, NULL, take_robust, &result), 0);
            await_waiter(&robust.word);
        }
        store(&words[3], 2);
        if (waiters) {
            pthread_join(taker, NULL);
            CHECK_EQ(result, 0);
            CHECK(load(&robust.word) & FUTEX_OWNER_DIED);
            CHECK((load(&robust.word) & FUTEX_TID_MASK) != 0);
        } else {
            pthread_join(dying, NULL);
            CHECK_EQ(load(&robust.word), FUTEX_OWNER_DIED);
            CHECK_EQ(lock_pi(&robust.word), 0);
            CHECK_EQ(load(&robust.word), FUTEX_OWNER_DIED | gettid_now());
        }
    }
}

// words[1]: what is waited for; words[0]: the lock.
static int nr_back;

static void *wait_for_lock(void *unused)
{
    CHECK_EQ(futex(&words[1], FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, NULL, words, 0), 0);
    CHECK_EQ(load(words) & FUTEX_TID_MASK, gettid_now());
    nr_back++;
    unlock(words);
    return NULL;
}

TEST(waiters_come_back_with_the_lock)
{
    for (int held = 0; held < 2; held++) {
        pthread_t thread[5];
        nr_back = 0;
        for (int i = 0; i < 5; i++)
            CHECK_EQ(pthread_create(&thread[i], NULL, wait_for_lock, NULL), 0);
        while (count_waiters() != 5)
            sleep_ms(1);
        CHECK_ERRNO(futex(&words[1], FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0), EINVAL);
        CHECK_ERRNO(futex2(&words[1], FUTEX_REQUEUE | PRIVATE, 1, 1, &words[2], 0), EINVAL);
        CHECK_ERRNO(futex2(&words[1], FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 1, &words[2], 0), EINVAL);
        if (held)
            lock(words);
        CHECK_EQ(futex2(&words[1], FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 1, words, 0), 2);
        CHECK_EQ(futex2(&words[1], FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 99, words, 0), 3);
        if (held)
            unlock(words);
        for (int i = 0; i < 5; i++)
            pthread_join(thread[i], NULL);
        CHECK_EQ(nr_back, 5);
        CHECK_EQ(load(words), 0);
    }
}

TEST(wait_requeue_pi_times_out)
{
    struct timespec ts = after_ms(CLOCK_MONOTONIC, 20);
    CHECK_ERRNO(futex(&words[1], FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, &ts, words, 0), ETIMEDOUT);
    ts = after_ms(CLOCK_REALTIME, 20);
    CHECK_ERRNO(
        futex(&words[1], FUTEX_WAIT_REQUEUE_PI | PRIVATE | FUTEX_CLOCK_REALTIME, 0, &ts, words, 0),
        ETIMEDOUT);
}

static volatile sig_atomic_t handled;

static void handler(int signal)
{
    handled = 1;
}

static void *interrupt_main(void *main_thread)
{
    while (count_waiters() < 1)
        sleep_ms(1);
    sleep_ms(20);
    pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
    while (!handled)
        sleep_ms(1);
    store(&words[3], 2);
    return NULL;
}

TEST(a_signal_never_ends_waiting_for_a_lock)
{
    pthread_t thread, self = pthread_self(), holder = start_holder(words);
    struct sigaction action = {.sa_handler = handler}; // without SA_RESTART
    sigaction(SIGUSR1, &action, NULL);
    CHECK_EQ(pthread_create(&thread, NULL, interrupt_main, &self), 0);
    CHECK_EQ(lock_pi(words), 0);
    CHECK_EQ(handled, 1);
    unlock(words);
    pthread_join(thread, NULL);
    pthread_join(holder, NULL);
}

// One hart, and three threads there of different real-time priority, so that it is certain who
// runs: low has the lock, high wants it, middle spins until somebody stops it. Without inheritance
// low never lets go while middle spins; with it middle doesn't run until high had its turn. No step
// depends on time: what is told is the order in which they end.
static bool inherit;
static uint32_t plain_lock, low_may_go, middle_stops;
static pid_t middle_tid;
static char order[4];
static int nr_ended;

static void ends(char who)
{
    order[__atomic_fetch_add(&nr_ended, 1, __ATOMIC_SEQ_CST)] = who;
}

static void pin_to_one_hart(pid_t tid)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    CHECK_EQ(sched_setaffinity(tid, sizeof(set), &set), 0);
}

static void *low_main(void *unused)
{
    set_priority(1);
    pin_to_one_hart(0);
    if (inherit)
        lock(words);
    else
        store(&plain_lock, 1);
    store(&words[3], 1);
    while (load(&low_may_go) == 0)
        ;
    ends('L');
    if (inherit) {
        unlock(words);
    } else {
        store(&plain_lock, 0);
        futex(&plain_lock, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0);
    }
    return NULL;
}

// Not a call, nor a page that isn't there: nothing that would put it to sleep.
static void *middle_main(void *unused)
{
    set_priority(10);
    store((uint32_t *)&middle_tid, gettid_now());
    while (load(&middle_stops) == 0)
        ;
    ends('M');
    return NULL;
}

static void *high_main(void *unused)
{
    set_priority(20);
    pin_to_one_hart(0);
    if (inherit) {
        CHECK_EQ(lock_pi(words), 0);
        ends('H');
        unlock(words);
    } else {
        while (load(&plain_lock) != 0)
            futex(&plain_lock, FUTEX_WAIT | PRIVATE, 1, NULL, NULL, 0);
        ends('H');
    }
    store(&middle_stops, 1);
    return NULL;
}

static void check_order(bool with_inheritance, const char *expected)
{
    pthread_t low, middle, high;
    inherit = with_inheritance;
    nr_ended = 0;
    middle_tid = 0;
    store(&low_may_go, 0);
    store(&middle_stops, 0);
    store(&words[3], 0);
    CHECK_EQ(pthread_create(&low, NULL, low_main, NULL), 0);
    while (load(&words[3]) != 1)
        sleep_ms(1);
    CHECK_EQ(pthread_create(&high, NULL, high_main, NULL), 0);
    while (inherit ? !(load(words) & FUTEX_WAITERS) : count_waiters() != 1) // low works, high waits
        sleep_ms(1);
    CHECK_EQ(pthread_create(&middle, NULL, middle_main, NULL), 0);
    while (load((uint32_t *)&middle_tid) == 0)
        sleep_ms(1);
    pin_to_one_hart(middle_tid);
    while (stat_field(middle_tid, PROCESSOR) != 0)
        sleep_ms(1);
    store(&low_may_go, 1);
    if (!inherit) {
        sleep_ms(20); // time for it to go wrong
        store(&middle_stops, 1);
    }
    pthread_join(high, NULL);
    pthread_join(middle, NULL);
    pthread_join(low, NULL);
    note("%s inheritance: %s", inherit ? "with" : "without", order);
    CHECK_EQ(strcmp(order, expected), 0);
}

TEST(inheritance_ends_the_inversion)
{
    cpu_set_t others;
    sched_getaffinity(0, sizeof(others), &others);
    if (CPU_COUNT(&others) < 2)
        SKIP("one hart: the test would be stopped with the others");
    CPU_CLR(0, &others);
    CHECK_EQ(sched_setaffinity(0, sizeof(others), &others), 0);
    CHECK_EQ(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
    check_order(false, "MLH");
    check_order(true, "LHM");
}

// Three locks in any order by many, with timeouts, signals and ends without unlocking.
#define STORM_THREADS 8
static volatile bool storm_over;
static uint64_t storm_counts[3], storm_sections;

static long storm_take(int i, unsigned int *seed)
{
    struct timespec ts = after_ms(CLOCK_REALTIME, 0);
    ts.tv_nsec += rand_r(seed) % 200000;
    if (ts.tv_nsec >= 1000000000)
        return -1;
    switch (rand_r(seed) % 3) {
    case 0:
        return futex(&words[i], FUTEX_TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    case 1:
        return futex(&words[i], FUTEX_LOCK_PI | PRIVATE, 0, &ts, NULL, 0);
    default:
        return lock_pi(&words[i]);
    }
}

static void *storm_main(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    while (!storm_over) {
        int i = rand_r(&seed) % 3, j = rand_r(&seed) % 3;
        if (storm_take(i, &seed) != 0)
            continue;
        storm_counts[i]++;
        __atomic_fetch_add(&storm_sections, 1, __ATOMIC_SEQ_CST);
        if (i != j && storm_take(j, &seed) == 0) {
            storm_counts[j]++;
            __atomic_fetch_add(&storm_sections, 1, __ATOMIC_SEQ_CST);
            unlock(&words[j]);
        }
        unlock(&words[i]);
    }
    return NULL;
}

TEST_SECONDS(a_storm_leaves_every_lock_free, 30)
{
    pthread_t thread[STORM_THREADS];
    unsigned int seed = 7;
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    for (uintptr_t i = 0; i < STORM_THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, storm_main, (void *)i), 0);
    int64_t end = now_ns(CLOCK_MONOTONIC) + 2000000000LL;
    while (now_ns(CLOCK_MONOTONIC) < end) {
        pthread_kill(thread[rand_r(&seed) % STORM_THREADS], SIGUSR1);
        sleep_ms(1);
    }
    storm_over = true;
    for (int i = 0; i < STORM_THREADS; i++)
        pthread_join(thread[i], NULL);
    note("%lu sections", storm_sections);
    CHECK_EQ(storm_counts[0] + storm_counts[1] + storm_counts[2], storm_sections);
    CHECK_EQ(load(&words[0]) | load(&words[1]) | load(&words[2]), 0);
}
