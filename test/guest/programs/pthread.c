// SPDX-License-Identifier: BSD-2-Clause
// Threads as glibc makes them: clone flags, TLS, futex wait and wake, join, cancel-free exit.
#include "ktap.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

enum { THREADS = 64, TOTAL = 1000000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long counter;
static int turn;
static __thread long own = 7;

static void *count_to_million(void *argument)
{
    (void)argument;
    for (int i = 0; i < TOTAL / THREADS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST_SECONDS(million_under_mutex_by_64_threads, 120)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, count_to_million, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(counter, TOTAL);
}

static void *own_storage(void *argument)
{
    long before = own;
    own += (long)argument;
    sched_yield();
    return (void *)(before == 7 ? own : -1);
}

TEST(thread_local_storage_is_per_thread)
{
    pthread_t threads[8];
    for (long i = 0; i < 8; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, own_storage, (void *)i), 0);
    for (long i = 0; i < 8; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_EQ((long)result, 7 + i);
    }
    CHECK_EQ(own, 7);
}

static void *take_turns(void *argument)
{
    long me = (long)argument;
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % 4 != me)
            pthread_cond_wait(&condition, &mutex);
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST_SECONDS(condition_variable_passes_the_turn, 60)
{
    pthread_t threads[4];
    turn = 0;
    for (long i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, take_turns, (void *)i), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(turn, 800);
}

TEST(timed_wait_ends_in_time)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 50000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_nsec -= 1000000000;
        end.tv_sec++;
    }
    int64_t start = now_ns(CLOCK_MONOTONIC);
    pthread_mutex_lock(&mutex);
    CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &end), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    int64_t took = now_ns(CLOCK_MONOTONIC) - start;
    CHECK(took >= 40000000 && took < 5000000000);
}

static sem_t ping, pong;

static void *echo_semaphore(void *argument)
{
    for (long i = 0; i < (long)argument; i++) {
        sem_wait(&ping);
        sem_post(&pong);
    }
    return NULL;
}

TEST_SECONDS(semaphores_ping_pong, 60)
{
    pthread_t thread;
    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    CHECK_EQ(pthread_create(&thread, NULL, echo_semaphore, (void *)500), 0);
    for (int i = 0; i < 500; i++) {
        sem_post(&ping);
        CHECK_EQ(sem_wait(&pong), 0);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

// Names of other threads are set through /proc, whose files belong to who runs the process.
TEST(user_names_another_thread)
{
    char name[16];
    pthread_t thread;
    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    CHECK_EQ(setgid(1000), 0);
    CHECK_EQ(setuid(1000), 0);
    CHECK_EQ(pthread_create(&thread, NULL, echo_semaphore, (void *)1), 0);
    CHECK_EQ(pthread_setname_np(thread, "a worker"), 0);
    CHECK_EQ(pthread_getname_np(thread, name, sizeof(name)), 0);
    CHECK_EQ(strcmp(name, "a worker"), 0);
    sem_post(&ping);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_ERRNO(open("/proc/1/comm", O_WRONLY), EACCES);
}

static pthread_barrier_t barrier;

static void *meet(void *argument)
{
    (void)argument;
    for (int i = 0; i < 50; i++)
        pthread_barrier_wait(&barrier);
    return NULL;
}

TEST_SECONDS(barrier_of_8, 60)
{
    pthread_t threads[8];
    pthread_barrier_init(&barrier, NULL, 8);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, meet, NULL), 0);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void *nothing(void *argument)
{
    return argument;
}

TEST_SECONDS(create_and_join_1000_times, 60)
{
    for (long i = 0; i < 1000; i++) {
        pthread_t thread;
        void *result;
        CHECK_EQ(pthread_create(&thread, NULL, nothing, (void *)i), 0);
        CHECK_EQ(pthread_join(thread, &result), 0);
        CHECK_EQ((long)result, i);
    }
}

__attribute__((noreturn)) static void *spin_forever(void *argument)
{
    volatile long *beat = argument;
    for (;;)
        ++*beat;
}

static long beats[4];

static void exit_with_threads(void)
{
    pthread_t thread;
    for (int i = 0; i < 4; i++)
        pthread_create(&thread, NULL, spin_forever, &beats[i]);
    sleep_ms(20);
    exit(42);
}

TEST(exit_group_ends_spinning_threads)
{
    int status = in_child(exit_with_threads);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 42);
}

static void fault_in_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, spin_forever, &beats[0]);
    pthread_create(&thread, NULL, spin_forever, NULL);
    for (;;)
        pause();
}

TEST(fault_of_one_thread_ends_the_process)
{
    int status = in_child(fault_in_thread);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static void exec_from_thread_body(void)
{
    execl("/bin/busybox", "sh", "-c", "exit 9", NULL);
    _exit(1);
}

static void *exec_from_thread(void *argument)
{
    exec_from_thread_body();
    return argument;
}

static void exec_with_siblings(void)
{
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, spin_forever, &beats[i]);
    pthread_create(&thread, NULL, exec_from_thread, NULL);
    for (;;)
        pause();
}

TEST(exec_from_a_thread_ends_its_siblings)
{
    int status = in_child(exec_with_siblings);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 9);
}

static volatile pid_t seen_tid, handled_tid;

static void remember_tid(int signal_number)
{
    (void)signal_number;
    handled_tid = syscall(SYS_gettid);
}

static void *wait_for_signal(void *argument)
{
    (void)argument;
    seen_tid = syscall(SYS_gettid);
    while (!handled_tid)
        sched_yield();
    return NULL;
}

TEST(pthread_kill_reaches_that_thread)
{
    struct sigaction action = {.sa_handler = remember_tid};
    pthread_t thread;
    sigaction(SIGUSR1, &action, NULL);
    CHECK_EQ(pthread_create(&thread, NULL, wait_for_signal, NULL), 0);
    while (!seen_tid)
        sched_yield();
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(handled_tid, seen_tid);
    CHECK(seen_tid != getpid());
    CHECK_EQ(syscall(SYS_gettid), getpid());
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2];

static void *read_or_write(void *argument)
{
    for (int i = 0; i < 500; i++) {
        if ((long)argument == 0) {
            pthread_rwlock_wrlock(&rwlock);
            pair[0]++;
            pair[1]--;
            pthread_rwlock_unlock(&rwlock);
        } else {
            pthread_rwlock_rdlock(&rwlock);
            long sum = pair[0] + pair[1];
            pthread_rwlock_unlock(&rwlock);
            if (sum != 0)
                return (void *)1;
        }
    }
    return NULL;
}

TEST_SECONDS(rwlock_readers_see_whole_writes, 60)
{
    pthread_t threads[6];
    for (long i = 0; i < 6; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, read_or_write, (void *)(i % 3)), 0);
    for (int i = 0; i < 6; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK(result == NULL);
    }
    CHECK_EQ(pair[0], 1000);
}
