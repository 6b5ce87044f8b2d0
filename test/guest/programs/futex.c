// SPDX-License-Identifier: BSD-2-Clause
// futex(2), futex_waitv(2) and the calls of futex2: errors, keys, order, timeouts, restarts.
// Locks with inheritance: futex_pi.c; robust lists: robust.c.
#include "ktap.h"
#include "futex.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

static uint32_t words[8];

TEST(errors)
{
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t *gone = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
    CHECK(page != MAP_FAILED && munmap(gone, 4096) == 0);
    CHECK_ERRNO(futex((uint32_t *)(page + 2), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex((uint32_t *)(page + 2), FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(gone, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(gone, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(gone, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(futex((uint32_t *)-4096L, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(futex((uint32_t *)page, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT); // never changes
    CHECK_EQ(futex((uint32_t *)page, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0), 0);
    CHECK_EQ(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    CHECK_ERRNO(futex(words, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
    CHECK_ERRNO(futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
    for (int i = 0; i < 3; i++) {
        CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, &bad[i], NULL, 0), EINVAL);
        CHECK_ERRNO(futex(words, FUTEX_WAIT_BITSET, 0, &bad[i], NULL, ~0U), EINVAL);
        CHECK_ERRNO(futex(words, FUTEX_LOCK_PI, 0, &bad[i], NULL, 0), EINVAL);
    }
    CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, (void *)gone, NULL, 0), EFAULT);
    CHECK_ERRNO(futex2(words, FUTEX_REQUEUE, -1, 0, words + 1, 0), EINVAL);
    CHECK_ERRNO(futex2(words, FUTEX_REQUEUE, 0, -1, words + 1, 0), EINVAL);
    CHECK_ERRNO(futex2(words, FUTEX_CMP_REQUEUE, 1, 1, words + 1, 1), EAGAIN);
    CHECK_ERRNO(futex2(words, FUTEX_CMP_REQUEUE, 1, 1, gone, 0), EFAULT);
    CHECK_ERRNO(futex2((uint32_t *)page, FUTEX_WAKE_OP, 1, 1, (uint32_t *)page, 0), EFAULT);
    CHECK_ERRNO(futex2(words, FUTEX_WAKE_OP, 1, 1, words + 1, 6U << 28), ENOSYS);
}

TEST(unknown_operations)
{
    static const int with_clock[] = {
        FUTEX_WAIT,    FUTEX_WAKE,      FUTEX_REQUEUE,    FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP,
        FUTEX_LOCK_PI, FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAKE_BITSET, FUTEX_CMP_REQUEUE_PI};
    CHECK_ERRNO(futex(words, FUTEX_FD, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERRNO(futex(words, 14, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERRNO(futex(words, FUTEX_WAKE | 512, 0, NULL, NULL, 0), ENOSYS);
    for (size_t i = 0; i < sizeof(with_clock) / sizeof(with_clock[0]); i++)
        CHECK_ERRNO(futex(words, with_clock[i] | FUTEX_CLOCK_REALTIME, 0, NULL, words + 1, 1),
                    ENOSYS);
}

TEST(timeouts)
{
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    struct timespec ts = {0, 30000000};
    CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
    CHECK(now_ns(CLOCK_MONOTONIC) >= begin + 30000000);
    ts = after_ms(CLOCK_MONOTONIC, 30);
    CHECK_ERRNO(futex(words, FUTEX_WAIT_BITSET, 0, &ts, NULL, ~0U), ETIMEDOUT);
    CHECK(now_ns(CLOCK_MONOTONIC) >= ns_of(&ts));
    CHECK_ERRNO(futex(words, FUTEX_WAIT_BITSET, 0, &ts, NULL, ~0U), ETIMEDOUT); // past
    ts = after_ms(CLOCK_REALTIME, 30);
    CHECK_ERRNO(futex(words, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &ts, NULL, ~0U),
                ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= ns_of(&ts));
    ts = (struct timespec){0, 0};
    CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
}

static void *set_clock(void *unused)
{
    while (count_waiters() == 0)
        sleep_ms(1);
    struct timespec ts = after_ms(CLOCK_REALTIME, 3600 * 1000);
    CHECK_EQ(clock_settime(CLOCK_REALTIME, &ts), 0);
    return NULL;
}

TEST(a_clock_step_ends_waits_whose_time_has_come)
{
    pthread_t thread;
    struct timespec ts = after_ms(CLOCK_REALTIME, 1800 * 1000), back;
    CHECK_EQ(pthread_create(&thread, NULL, set_clock, NULL), 0);
    CHECK_ERRNO(futex(words, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &ts, NULL, ~0U),
                ETIMEDOUT);
    pthread_join(thread, NULL);
    back = after_ms(CLOCK_REALTIME, -3600 * 1000);
    CHECK_EQ(clock_settime(CLOCK_REALTIME, &back), 0);
}

static volatile sig_atomic_t handled;

static void handler(int signal)
{
    handled++;
}

static void *send_signals(void *main_thread)
{
    for (int i = 0; i < 3; i++) {
        sleep_ms(20);
        pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
    }
    sleep_ms(20);
    futex(words, FUTEX_WAKE, 1, NULL, NULL, 0);
    return NULL;
}

static void catch_usr1(int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
}

TEST(signals_restart_or_interrupt)
{
    pthread_t thread, self = pthread_self();
    struct timespec ts = {5, 0};
    catch_usr1(SA_RESTART);
    CHECK_EQ(pthread_create(&thread, NULL, send_signals, &self), 0);
    CHECK_EQ(futex(words, FUTEX_WAIT, 0, NULL, NULL, 0), 0); // goes on after each handler
    CHECK_EQ(handled, 3);
    pthread_join(thread, NULL);
    CHECK_EQ(pthread_create(&thread, NULL, send_signals, &self), 0);
    CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, &ts, NULL, 0), EINTR); // with a timeout it doesn't
    CHECK_EQ(handled, 4);
    pthread_join(thread, NULL);
    catch_usr1(0);
    CHECK_EQ(pthread_create(&thread, NULL, send_signals, &self), 0);
    CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
    pthread_join(thread, NULL);
}

// Stopped and continued in the middle: the relative timeout keeps its first deadline.
TEST(a_stop_keeps_the_deadline)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct timespec ts = {0, 300000000};
        int64_t begin = now_ns(CLOCK_MONOTONIC);
        CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
        int64_t took = now_ns(CLOCK_MONOTONIC) - begin;
        CHECK(took >= 300000000 && took < 480000000);
        _exit(0);
    }
    int status;
    for (int i = 0; i < 2; i++) {
        sleep_ms(100);
        kill(pid, SIGSTOP);
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        kill(pid, SIGCONT);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST(wake_takes_the_urgent_then_the_oldest)
{
    static const int priorities[] = {0, 5, 0, 9, 5}, places[] = {3, 1, 4, 0, 2};
    struct waiter w[5];
    for (int i = 0; i < 5; i++)
        w[i] = (struct waiter){
            .word = words, .bitset = ~0U, .op = FUTEX_WAIT_BITSET, .priority = priorities[i]};
    start_waiters(w, 5);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(futex(words, FUTEX_WAKE, i == 0 ? 0 : 1, NULL, NULL, 0), 1); // 0 wakes one, too
        while (__atomic_load_n(&nr_woken, __ATOMIC_SEQ_CST) != i + 1)
            sched_yield();
    }
    join_waiters(w, 5);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(w[i].place, places[i]);
    CHECK_EQ(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

TEST(bitsets_select)
{
    struct waiter w[4];
    for (int i = 0; i < 4; i++)
        w[i] = (struct waiter){.word = words, .bitset = 1U << i, .op = FUTEX_WAIT_BITSET};
    start_waiters(w, 4);
    CHECK_EQ(futex(words, FUTEX_WAKE_BITSET, 9, NULL, NULL, 1U << 9), 0);
    CHECK_EQ(futex(words, FUTEX_WAKE_BITSET, 9, NULL, NULL, 4), 1);
    pthread_join(w[2].thread, NULL);
    CHECK_EQ(futex(words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 3), 1);
    pthread_join(w[0].thread, NULL);
    CHECK_EQ(futex(words, FUTEX_WAKE, 9, NULL, NULL, 0), 2);
    pthread_join(w[1].thread, NULL);
    pthread_join(w[3].thread, NULL);
}

TEST(requeue_moves_and_counts)
{
    struct waiter w[6];
    for (int i = 0; i < 6; i++)
        w[i] = (struct waiter){.word = words, .bitset = ~0U, .op = FUTEX_WAIT_BITSET};
    start_waiters(w, 6);
    CHECK_EQ(futex2(words, FUTEX_CMP_REQUEUE, 1, 2, words + 1, 0), 3);
    CHECK_EQ(futex2(words, FUTEX_REQUEUE, 0, 1, words + 1, 0), 1);
    CHECK_EQ(futex(words, FUTEX_WAKE, 9, NULL, NULL, 0), 2);
    CHECK_EQ(futex(words + 1, FUTEX_WAKE, 9, NULL, NULL, 0), 3);
    join_waiters(w, 6);
}

// A moved waiter's timeout works where it is now.
static void *timed_waiter(void *unused)
{
    struct timespec ts = {0, 200000000};
    CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
    return NULL;
}

TEST(a_moved_waiter_times_out)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, timed_waiter, NULL), 0);
    while (futex2(words, FUTEX_REQUEUE, 0, 1, words + 1, 0) == 0)
        sleep_ms(1);
    pthread_join(thread, NULL);
    CHECK_EQ(futex(words + 1, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

TEST(wake_op)
{
    struct waiter w[2];
    for (int i = 0; i < 2; i++)
        w[i] = (struct waiter){.word = words + i, .bitset = ~0U, .op = FUTEX_WAIT_BITSET};
    start_waiters(w, 2);
    words[2] = 5;
    CHECK_EQ(futex2(words + 3, FUTEX_WAKE_OP, 1, 1, words + 2,
                    FUTEX_OP(FUTEX_OP_ADD, 0xfff, FUTEX_OP_CMP_GT, 5)),
             0);
    CHECK_EQ(words[2], 4);
    // The second word is in memory that was never touched: its page comes in first.
    uint32_t *fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(
        futex2(words, FUTEX_WAKE_OP, 1, 1, fresh, FUTEX_OP(FUTEX_OP_OR, 0x800, FUTEX_OP_CMP_EQ, 0)),
        1);
    CHECK_EQ(*fresh, 0xfffff800);
    words[1] = 0;
    CHECK_EQ(futex2(words, FUTEX_WAKE_OP, 1, 1, words + 1,
                    FUTEX_OP((FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_EQ, 0)),
             1);
    CHECK_EQ(words[1], 16);
    join_waiters(w, 2);
}

static int file_of_two_pages(void)
{
    int fd = open("/tmp/futex", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
    return fd;
}

static uint32_t *map_file(int fd, size_t size, off_t offset)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    CHECK(p != MAP_FAILED);
    return p;
}

// The same word of a file by two maps at different offsets, in two processes.
TEST(shared_keys_are_of_the_file)
{
    int fd = file_of_two_pages();
    uint32_t *whole = map_file(fd, 8192, 0);
    pid_t pid = fork();
    if (pid == 0) {
        munmap(whole, 8192);
        uint32_t *second = map_file(fd, 4096, 4096);
        _exit(futex(second + 3, FUTEX_WAIT, 0, NULL, NULL, 0) != 0);
    }
    CHECK_EQ(mprotect((char *)whole + 4096, 4096, PROT_READ), 0); // splits the region
    while (futex(whole + 1024 + 3, FUTEX_WAKE, 1, NULL, NULL, 0) == 0) {
        CHECK_EQ(futex(whole + 3, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
        CHECK_EQ(futex(whole + 1024 + 3, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0), 0);
        sleep_ms(1);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

// Private memory is a child's own, whatever the flag; but CLONE_VM's memory is one.
TEST(private_memory_is_each_process_s_own)
{
    struct timespec ts = {0, 100000000};
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
        _exit(0);
    }
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
        sleep_ms(5);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

static int wait_private(void *unused)
{
    return futex(words, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0) != 0;
}

TEST(processes_that_share_memory_share_private_futexes)
{
    static char stack[65536] __attribute__((aligned(16)));
    int status;
    pid_t pid = clone(wait_private, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
    CHECK(pid > 0);
    while (futex(words, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0) == 0)
        sleep_ms(1);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

// A key keeps the file while somebody waits, and no wake comes from what is mapped there later.
static void *wait_then_find_out(void *word)
{
    struct timespec ts = {0, 150000000};
    CHECK_ERRNO(futex(word, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
    return NULL;
}

TEST(a_word_that_is_unmapped_meanwhile)
{
    int fd = file_of_two_pages();
    uint32_t *word = map_file(fd, 4096, 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, wait_then_find_out, word), 0);
    sleep_ms(50);
    CHECK(mmap(word, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          word);
    close(fd);
    unlink("/tmp/futex");
    CHECK_EQ(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    pthread_join(thread, NULL);
}

static void *wake_later(void *word)
{
    while (futex(word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0) == 0)
        sleep_ms(1);
    return NULL;
}

static struct futex_waitv vector[128];

static void fill_vector(unsigned int nr)
{
    static uint32_t many[128];
    for (unsigned int i = 0; i < nr; i++)
        vector[i] = (struct futex_waitv){.uaddr = (uintptr_t)&many[i],
                                         .flags = FUTEX2_SIZE_U32 | FUTEX2_PRIVATE};
}

TEST(waitv_tells_which)
{
    for (unsigned int nr = 1; nr <= 128; nr = nr * 4 - 1 > 128 && nr < 128 ? 128 : nr * 4 - 1) {
        pthread_t thread;
        fill_vector(nr);
        unsigned int i = nr * 2 / 3;
        CHECK_EQ(pthread_create(&thread, NULL, wake_later, (void *)(uintptr_t)vector[i].uaddr), 0);
        CHECK_EQ(futex_waitv(vector, nr, 0, NULL, CLOCK_MONOTONIC), i);
        pthread_join(thread, NULL);
        if (nr == 128)
            break;
    }
}

TEST(waitv_errors)
{
    struct timespec ts = after_ms(CLOCK_MONOTONIC, 20), bad = {0, -1};
    fill_vector(128);
    CHECK_ERRNO(futex_waitv(vector, 0, 0, NULL, 0), EINVAL);
    CHECK_ERRNO(futex_waitv(vector, 129, 0, NULL, 0), EINVAL);
    CHECK_ERRNO(futex_waitv(vector, 1, 1, NULL, 0), EINVAL);
    CHECK_ERRNO(futex_waitv(NULL, 1, 0, NULL, 0), EINVAL);
    CHECK_ERRNO(futex_waitv(vector, 1, 0, &ts, CLOCK_TAI), EINVAL);
    CHECK_ERRNO(futex_waitv(vector, 1, 0, &bad, CLOCK_MONOTONIC), EINVAL);
    CHECK_ERRNO(futex_waitv((void *)8, 1, 0, NULL, 0), EFAULT);
    CHECK_ERRNO(futex_waitv(vector, 3, 0, &ts, CLOCK_MONOTONIC), ETIMEDOUT);
    ts = after_ms(CLOCK_REALTIME, 20);
    CHECK_ERRNO(futex_waitv(vector, 128, 0, &ts, CLOCK_REALTIME), ETIMEDOUT);
    vector[2].val = 1;
    CHECK_ERRNO(futex_waitv(vector, 3, 0, NULL, 0), EAGAIN);
    vector[2].val = 1ULL << 32;
    CHECK_ERRNO(futex_waitv(vector, 3, 0, NULL, 0), EINVAL);
    vector[2].val = 0;
    vector[2].__reserved = 1;
    CHECK_ERRNO(futex_waitv(vector, 3, 0, NULL, 0), EINVAL);
    vector[2].__reserved = 0;
    vector[2].flags = 1;
    CHECK_ERRNO(futex_waitv(vector, 3, 0, NULL, 0), EINVAL);
    fill_vector(3);
    vector[2].uaddr++;
    CHECK_ERRNO(futex_waitv(vector, 3, 0, NULL, 0), EINVAL);
    vector[2].uaddr = 8;
    CHECK_ERRNO(futex_waitv(vector, 3, 0, NULL, 0), EFAULT);
    for (int i = 0; i < 3; i++) // nobody stayed behind
        CHECK_EQ(futex((uint32_t *)(uintptr_t)vector[0].uaddr + i, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
                       1, NULL, NULL, 0),
                 0);
}

static void *futex2_waiter(void *bit)
{
    long r = syscall(NR_futex_wait, words, 0UL, (unsigned long)bit, FUTEX2_SIZE_U32, NULL, 0);
    CHECK_EQ(r, 0);
    return NULL;
}

TEST(futex2_calls)
{
    pthread_t thread[3];
    struct timespec ts = after_ms(CLOCK_MONOTONIC, 10);
    if (syscall(NR_futex_wake, words, 1UL, 0, FUTEX2_SIZE_U32) == -1 && errno == ENOSYS)
        SKIP("this kernel has no futex2");
    CHECK_ERRNO(syscall(NR_futex_wake, words, 0UL, 1, FUTEX2_SIZE_U32), EINVAL);
    CHECK_ERRNO(syscall(NR_futex_wake, words, 1UL, 1, 1), EINVAL);
    CHECK_ERRNO(syscall(NR_futex_wake, words, 1UL << 32, 1, FUTEX2_SIZE_U32), EINVAL);
    CHECK_ERRNO(syscall(NR_futex_wait, words, 1UL, 1UL, FUTEX2_SIZE_U32, NULL, 0), EAGAIN);
    CHECK_ERRNO(syscall(NR_futex_wait, words, 0UL, 0UL, FUTEX2_SIZE_U32, NULL, 0), EINVAL);
    CHECK_ERRNO(syscall(NR_futex_wait, words, 0UL, 1UL, FUTEX2_SIZE_U32, &ts, CLOCK_MONOTONIC),
                ETIMEDOUT);
    CHECK_ERRNO(syscall(NR_futex_wait, words, 0UL, 1UL, FUTEX2_SIZE_U32, &ts, CLOCK_TAI), EINVAL);
    for (uintptr_t i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, futex2_waiter, (void *)(1UL << i)), 0);
    while (count_waiters() < 3)
        sleep_ms(1);
    CHECK_EQ(syscall(NR_futex_wake, words, 7UL, 0, FUTEX2_SIZE_U32), 0); // 0 is none
    CHECK_EQ(syscall(NR_futex_wake, words, 2UL, 5, FUTEX2_SIZE_U32), 1);
    struct futex_waitv pair[2] = {{.uaddr = (uintptr_t)words, .flags = FUTEX2_SIZE_U32},
                                  {.uaddr = (uintptr_t)(words + 1), .flags = FUTEX2_SIZE_U32}};
    CHECK_ERRNO(syscall(NR_futex_requeue, pair, 1, 1, 1), EINVAL);
    CHECK_EQ(syscall(NR_futex_requeue, pair, 0, 1, 1), 2);
    CHECK_EQ(syscall(NR_futex_wake, words + 1, 7UL, 5, FUTEX2_SIZE_U32), 1);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
}

// Waits, wakes, moves, timeouts, signals and exits at once: whoever was counted as woken was.
#define STORM_THREADS 12
static uint64_t storm_woken, storm_wakes, storm_ended, storm_waits;
static volatile bool storm_over;

static void *storm_waiter(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    while (!storm_over) {
        struct timespec ts = {0, rand_r(&seed) % 300000};
        long r = futex(words + rand_r(&seed) % 2, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &ts, NULL, 0);
        CHECK(r == 0 || errno == ETIMEDOUT || errno == EINTR);
        __atomic_fetch_add(r == 0 ? &storm_woken : &storm_ended, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&storm_waits, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

TEST_SECONDS(nothing_is_lost_in_a_storm, 30)
{
    pthread_t thread[STORM_THREADS];
    unsigned int seed = 1;
    catch_usr1(0);
    for (uintptr_t i = 0; i < STORM_THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, storm_waiter, (void *)i), 0);
    int64_t end = now_ns(CLOCK_MONOTONIC) + 2000000000LL;
    while (now_ns(CLOCK_MONOTONIC) < end) {
        switch (rand_r(&seed) % 4) {
        case 0:
            storm_wakes += futex(words, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
            break;
        case 1:
            storm_wakes += futex(words + 1, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 9, NULL, NULL, 0);
            break;
        case 2:
            CHECK(futex2(words, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 0, 3, words + 1, 0) >= 0);
            break;
        default:
            pthread_kill(thread[rand_r(&seed) % STORM_THREADS], SIGUSR1);
        }
    }
    storm_over = true;
    for (int i = 0; i < STORM_THREADS; i++)
        pthread_join(thread[i], NULL);
    note("%lu waits, %lu woken", storm_waits, storm_woken);
    CHECK_EQ(storm_woken, storm_wakes);
    CHECK_EQ(storm_woken + storm_ended, storm_waits);
    CHECK(storm_woken > 0);
}
