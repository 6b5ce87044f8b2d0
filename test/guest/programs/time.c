// SPDX-License-Identifier: BSD-2-Clause
// Clocks, sleeping, interval timers and POSIX timers.
#include "ktap.h"
#include <limits.h>
#include <sys/time.h>
#include <sys/times.h>

static volatile int count;

static void on_alarm(int number)
{
    (void)number;
    count++;
}

TEST(clocks_advance_and_agree)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME,           CLOCK_MONOTONIC,
                                       CLOCK_MONOTONIC_RAW,      CLOCK_BOOTTIME,
                                       CLOCK_REALTIME_COARSE,    CLOCK_MONOTONIC_COARSE,
                                       CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (unsigned i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        struct timespec resolution;
        CHECK_EQ(clock_getres(clocks[i], &resolution), 0);
        int64_t before = now_ns(clocks[i]);
        for (int64_t end = now_ns(CLOCK_MONOTONIC) + 40000000; now_ns(CLOCK_MONOTONIC) < end;)
            ;
        int64_t after = now_ns(clocks[i]);
        CHECK(after - before >= 8000000 && after - before < 5000000000);
    }
    struct timespec bad;
    CHECK_ERRNO(clock_gettime(99, &bad), EINVAL);
    struct timeval day;
    CHECK_EQ(gettimeofday(&day, NULL), 0);
    CHECK(llabs(day.tv_sec - time(NULL)) <= 1);
    CHECK(llabs(now_ns(CLOCK_BOOTTIME) - now_ns(CLOCK_MONOTONIC)) < 1000000000);
}

TEST(monotonic_never_goes_back_over_harts)
{
    for (int worker = 0; worker < 4; worker++)
        if (fork() == 0) {
            int64_t last = 0;
            for (int i = 0; i < 100000; i++) {
                int64_t now = now_ns(CLOCK_MONOTONIC);
                if (now < last)
                    _exit(1);
                last = now;
            }
            _exit(0);
        }
    int status;
    for (int i = 0; i < 4; i++) {
        CHECK(wait(&status) > 0);
        CHECK_EQ(status, 0);
    }
}

TEST(sleep_is_long_enough_and_not_much_longer)
{
    for (int ms = 1; ms <= 64; ms *= 2) {
        struct timespec want = {0, ms * 1000000L};
        int64_t start = now_ns(CLOCK_MONOTONIC);
        CHECK_EQ(nanosleep(&want, NULL), 0);
        int64_t took = now_ns(CLOCK_MONOTONIC) - start;
        CHECK(took >= ms * 1000000L);
        CHECK(took < ms * 1000000L + 500000000);
    }
    struct timespec bad = {0, 1000000000};
    CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
    bad.tv_sec = -1;
    bad.tv_nsec = 0;
    CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
    struct timespec zero = {0, 0};
    CHECK_EQ(nanosleep(&zero, NULL), 0);
}

TEST(absolute_sleep)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 30000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) >= until.tv_sec * 1000000000L + until.tv_nsec);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){0, 1000}, NULL), 0);
    CHECK_EQ(clock_nanosleep(99, 0, &until, NULL), EINVAL);
}

TEST(alarm_and_interval_timer)
{
    signal(SIGALRM, on_alarm);
    CHECK_EQ(alarm(100), 0);
    CHECK_EQ(alarm(0), 100);
    struct itimerval every = {{0, 10000}, {0, 20000}}, old;
    CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
    while (count < 5)
        pause();
    CHECK_EQ(getitimer(ITIMER_REAL, &old), 0);
    CHECK_EQ(old.it_interval.tv_usec, 10000);
    struct itimerval off = {{0, 0}, {0, 0}};
    CHECK_EQ(setitimer(ITIMER_REAL, &off, &old), 0);
    int before = count;
    sleep_ms(40);
    CHECK_EQ(count, before);
    every.it_value.tv_usec = 1000000;
    CHECK_ERRNO(setitimer(ITIMER_REAL, &every, NULL), EINVAL);
    CHECK_ERRNO(setitimer(9, &off, NULL), EINVAL);
}

static void arm(long interval_s, long interval_us, long value_us)
{
    struct itimerval timer = {{interval_s, interval_us}, {0, value_us}};
    CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

TEST(interval_timer_with_extreme_periods)
{
    signal(SIGALRM, on_alarm);
    static const long seconds[] = {LONG_MAX, 18446744072, 9223372037};
    for (int i = 0; i < 3; i++) {
        arm(seconds[i], 0, 1000);
        sleep_ms(30);
        CHECK_EQ(count, i + 1);
    }
    arm(0, 1, 1); // shorter than a signal takes: some get lost, and we go on all the same
    int64_t start = now_ns(CLOCK_MONOTONIC);
    while (now_ns(CLOCK_MONOTONIC) < start + 200000000)
        ;
    arm(0, 0, 0);
    CHECK(count > 3 + 10);
}

// The interrupt comes on the hart that is just about to go to sleep.
TEST_SECONDS(no_alarm_is_slept_through, 60)
{
    sigset_t mask, none;
    sigemptyset(&none);
    sigemptyset(&mask);
    sigaddset(&mask, SIGALRM);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signal(SIGALRM, on_alarm);
    int64_t end = now_ns(CLOCK_MONOTONIC) + 4000000000;
    int rounds;
    for (rounds = 0; now_ns(CLOCK_MONOTONIC) < end; rounds++) {
        arm(0, 0, 1 + rounds % 150);
        CHECK_ERRNO(sigsuspend(&none), EINTR);
        CHECK_EQ(count, rounds + 1);
    }
    CHECK(rounds > 100);
}

TEST(virtual_and_profiling_timers)
{
    signal(SIGVTALRM, on_alarm);
    signal(SIGPROF, on_alarm);
    struct itimerval once = {{0, 0}, {0, 30000}};
    int64_t start = now_ns(CLOCK_MONOTONIC), limit = start + 10000000000;
    CHECK_EQ(setitimer(ITIMER_VIRTUAL, &once, NULL), 0);
    sleep_ms(100);
    CHECK_EQ(count, 0);
    while (!count && now_ns(CLOCK_MONOTONIC) < limit)
        ;
    CHECK_EQ(count, 1);
    CHECK_EQ(setitimer(ITIMER_PROF, &once, NULL), 0);
    while (count < 2 && now_ns(CLOCK_MONOTONIC) < limit)
        ;
    CHECK_EQ(count, 2);
}

TEST(posix_timer_counts_overruns)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec set = {{0, 5000000}, {0, 5000000}};
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    CHECK_EQ(timer_settime(timer, 0, &set, NULL), 0);
    sleep_ms(60);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&mask, &info), SIGUSR1);
    CHECK_EQ(info.si_code, SI_TIMER);
    CHECK(timer_getoverrun(timer) >= 5);
    CHECK_EQ(timer_delete(timer), 0);
}

TEST(clock_can_be_set_by_root_only)
{
    struct timespec now, want = {1800000000, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t monotonic = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(clock_settime(CLOCK_REALTIME, &want), 0);
    CHECK(llabs(time(NULL) - 1800000000) <= 2);
    CHECK(now_ns(CLOCK_MONOTONIC) - monotonic < 2000000000);
    CHECK_EQ(clock_settime(CLOCK_REALTIME, &now), 0);
    CHECK_ERRNO(clock_settime(CLOCK_MONOTONIC, &want), EINVAL);
    want.tv_sec = 9000000000; // signed nanoseconds would soon be full
    CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &want), EINVAL);
    want.tv_sec = 1800000000;
    CHECK_EQ(setuid(1000), 0);
    CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &want), EPERM);
}

TEST(processor_time_is_of_this_process)
{
    struct tms before, after;
    CHECK(times(&before) != (clock_t)-1);
    int64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    sleep_ms(100);
    CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu < 60000000);
    int64_t end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 100000000;
    while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
        ;
    times(&after);
    long ticks = after.tms_utime + after.tms_stime - before.tms_utime - before.tms_stime;
    CHECK(ticks >= 5 && ticks < 100);
}

TEST(hundred_sleepers_wake_in_order_of_time)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    for (int i = 0; i < 100; i++)
        if (fork() == 0) {
            sleep_ms(100 + i * 37 % 100 * 5);
            unsigned char late = i;
            write(fds[1], &late, 1);
            _exit(0);
        }
    unsigned char seen;
    int total = 0;
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(read(fds[0], &seen, 1), 1);
        total += seen;
    }
    CHECK_EQ(total, 4950);
}
