// SPDX-License-Identifier: BSD-2-Clause
// Mutexes of each type, robust or not, of each protocol, private and shared between processes. What
// their lock calls return, that they exclude, and what becomes of a robust one whose owner ends, is
// killed or becomes another program. Breaks when words are not found by other processes (keys),
// when a wake or a timeout is lost, when a robust list is not walked.
#include "ktap.h"
#include "pthreads.h"

#include <signal.h>

#define WORKERS 4
#define ROUNDS  150
#define CEILING 10

struct kind {
    int type, robust, protocol;
};

static const char *const types[] = {"normal", "recursive", "error-checking"}; // as their numbers
static const char *const protocols[] = {"none", "inherit", "protect"};
static struct kind kind;

static bool initialise(void)
{
    pthread_mutexattr_t a;
    CHECK_EQ(pthread_mutexattr_init(&a), 0);
    CHECK_EQ(pthread_mutexattr_settype(&a, kind.type), 0);
    CHECK_EQ(pthread_mutexattr_setrobust(&a, kind.robust), 0);
    CHECK_EQ(pthread_mutexattr_setpshared(&a, pshared()), 0);
    int err = pthread_mutexattr_setprotocol(&a, kind.protocol);
#ifdef __GLIBC__
    if (kind.protocol == PTHREAD_PRIO_PROTECT)
        CHECK_EQ(pthread_mutexattr_setprioceiling(&a, CEILING), 0);
#endif
    if (err == 0)
        err = pthread_mutex_init(&shared->mutex, &a);
    // musl has no PRIO_PROTECT, glibc no robust one; all else there must be.
    CHECK(err == 0 || (err == ENOTSUP && kind.protocol == PTHREAD_PRIO_PROTECT));
    shared->step = 0;
    shared->counter = 0;
    return err == 0;
}

static void *finds_it_locked(void *unused)
{
    struct timespec end = in_ms(CLOCK_REALTIME, 5);
    CHECK_EQ(pthread_mutex_trylock(&shared->mutex), EBUSY);
    CHECK_EQ(pthread_mutex_timedlock(&shared->mutex, &end), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= end.tv_sec * 1000000000LL + end.tv_nsec);
    if (kind.type != PTHREAD_MUTEX_NORMAL || kind.robust == PTHREAD_MUTEX_ROBUST)
        CHECK_EQ(pthread_mutex_unlock(&shared->mutex), EPERM);
    return NULL;
}

static void check_calls(void)
{
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    run_workers(1, finds_it_locked);
    if (kind.type == PTHREAD_MUTEX_NORMAL) {
        CHECK_EQ(pthread_mutex_trylock(&shared->mutex), EBUSY);
    } else if (kind.type == PTHREAD_MUTEX_ERRORCHECK) {
        CHECK_EQ(pthread_mutex_lock(&shared->mutex), EDEADLK);
    } else {
        CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
        CHECK_EQ(pthread_mutex_trylock(&shared->mutex), 0);
        CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
        CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
        run_workers(1, finds_it_locked);
    }
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
}

static void *count(void *worker)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct timespec end = in_ms(CLOCK_REALTIME, 20000);
        if ((i + (intptr_t)worker) % 4 == 0)
            CHECK_EQ(pthread_mutex_timedlock(&shared->mutex, &end), 0);
        else
            CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
        if (kind.type == PTHREAD_MUTEX_RECURSIVE)
            CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
        CHECK_EQ(__atomic_add_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST), 1);
        if (i % 8 == 0)
            sched_yield();
        shared->counter++;
        __atomic_sub_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST);
        if (kind.type == PTHREAD_MUTEX_RECURSIVE)
            CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
        CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    }
    return NULL;
}

static void check_exclusion(void)
{
    run_workers(WORKERS, count);
    CHECK_EQ(shared->counter, WORKERS * ROUNDS);
}

// How an owner ends.
static void ends_by_return(void)
{
}

static void ends_by_signal(void)
{
    kill(getpid(), SIGKILL);
}

static void ends_by_exec(void)
{
    execl("/bin/busybox", "true", NULL);
    _exit(1);
}

static void *take_and_end(void *how)
{
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    set_step(1);
    await_step(2);
    ((void (*)(void))how)();
    return NULL;
}

// By a thread that isn't the first: it gets another TID on the way.
static void *another_thread_execs(void *unused)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, take_and_end, (void *)ends_by_exec), 0);
    for (;;)
        pause();
}

static void stays(void)
{
    for (;;)
        pause();
}

// One thread has it, another one execs.
static void *execs_beside_the_owner(void *unused)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, take_and_end, (void *)stays), 0);
    await_step(2);
    ends_by_exec();
    return NULL;
}

// With one who waits when the owner ends, or nobody. (No worker has to wait for its first lock:
// musl forgets to tell the kernel of the robust list then.)
static void check_owner_death(void *(*run)(void *), void (*how)(void), int signal, bool waits)
{
    struct worker owner;
    shared->step = 0;
    start_worker(&owner, run, (void *)how);
    await_step(1);
    set_step(2);
    if (!waits)
        join_worker(&owner, signal);
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), EOWNERDEAD);
    if (waits)
        join_worker(&owner, signal);
    CHECK_EQ(pthread_mutex_consistent(&shared->mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
}

static void check_not_recoverable(void)
{
    struct worker owner;
    shared->step = 0;
    start_worker(&owner, take_and_end, (void *)ends_by_return);
    await_step(1);
    set_step(2);
    join_worker(&owner, 0);
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), ENOTRECOVERABLE);
    CHECK_EQ(pthread_mutex_trylock(&shared->mutex), ENOTRECOVERABLE);
}

static void check_robustness(void)
{
    for (int waits = 0; waits < 2; waits++) {
        check_owner_death(take_and_end, ends_by_return, 0, waits);
        if (sharing == PRIVATE)
            continue;
        check_owner_death(take_and_end, ends_by_signal, SIGKILL, waits);
        check_owner_death(take_and_end, ends_by_exec, 0, waits);
        check_owner_death(execs_beside_the_owner, NULL, 0, waits);
    }
    check_not_recoverable();
}

static void check_ceiling(void)
{
    struct sched_param param;
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    CHECK_EQ(sched_getparam(0, &param), 0);
    CHECK_EQ(param.sched_priority, CEILING);
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    CHECK_EQ(sched_getparam(0, &param), 0);
    CHECK_EQ(param.sched_priority, 1);
}

static void check_all(enum sharing how, int protocol)
{
    struct sched_param real_time = {.sched_priority = 1};
    int done = 0;
    if (protocol == PTHREAD_PRIO_PROTECT) // others can't be raised to a ceiling
        CHECK_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &real_time), 0); // musl has none
    share(how);
    for (int type = PTHREAD_MUTEX_NORMAL; type <= PTHREAD_MUTEX_ERRORCHECK; type++) {
        for (int robust = 0; robust < 2; robust++) {
            kind = (struct kind){type, robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED,
                                 protocol};
            if (!initialise())
                continue;
            if (protocol == PTHREAD_PRIO_PROTECT)
                check_ceiling();
            check_calls();
            check_exclusion();
            if (robust)
                check_robustness();
            note("%s %s mutex, protocol %s, %s", types[type], robust ? "robust" : "plain",
                 protocols[protocol], sharing_names[how]);
            done++;
        }
    }
    if (done == 0)
        SKIP("this libc has no such mutexes");
}

// Linux gives that thread another TID first, doesn't find it in the lock's word, and so forgets it.
TEST_SECONDS(exec_by_another_thread_than_the_first, 60)
{
    if (access("/proc/futex", R_OK) != 0)
        SKIP("Linux forgets the locks of a thread that isn't the first and execs");
    share(MEMORY);
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
        kind = (struct kind){PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, protocol};
        CHECK(initialise());
        for (int waits = 0; waits < 2; waits++)
            check_owner_death(another_thread_execs, NULL, 0, waits);
    }
}

#define LIMIT 60

TEST_SECONDS(private_mutexes, LIMIT)
{
    check_all(PRIVATE, PTHREAD_PRIO_NONE);
}

TEST_SECONDS(mutexes_in_shared_memory, LIMIT)
{
    check_all(MEMORY, PTHREAD_PRIO_NONE);
}

TEST_SECONDS(mutexes_in_a_mapped_file, LIMIT)
{
    check_all(MAPPED_FILE, PTHREAD_PRIO_NONE);
}

TEST_SECONDS(private_mutexes_with_inheritance, LIMIT)
{
    check_all(PRIVATE, PTHREAD_PRIO_INHERIT);
}

TEST_SECONDS(mutexes_with_inheritance_in_shared_memory, LIMIT)
{
    check_all(MEMORY, PTHREAD_PRIO_INHERIT);
}

TEST_SECONDS(mutexes_with_inheritance_in_a_mapped_file, LIMIT)
{
    check_all(MAPPED_FILE, PTHREAD_PRIO_INHERIT);
}

TEST_SECONDS(private_mutexes_with_a_ceiling, LIMIT)
{
    check_all(PRIVATE, PTHREAD_PRIO_PROTECT);
}

TEST_SECONDS(mutexes_with_a_ceiling_in_shared_memory, LIMIT)
{
    check_all(MEMORY, PTHREAD_PRIO_PROTECT);
}

TEST_SECONDS(mutexes_with_a_ceiling_in_a_mapped_file, LIMIT)
{
    check_all(MAPPED_FILE, PTHREAD_PRIO_PROTECT);
}
