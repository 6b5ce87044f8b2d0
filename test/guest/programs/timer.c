// SPDX-License-Identifier: BSD-2-Clause
// POSIX timers.
#include "timer.h"
#include <pthread.h>
#include <sys/resource.h>

static void spin_ms(int ms)
{
    int64_t end = now_ns(CLOCK_THREAD_CPUTIME_ID) + ms * MS;
    while (now_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        ;
}

TEST(posix_timer_fires_once_with_its_value)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
    block(SIGUSR1);
    for (unsigned i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        timer_t timer = make(clocks[i], SIGUSR1, 77 + (int)i);
        int64_t begin = now_ns(CLOCK_MONOTONIC);
        start(timer, 20 * MS, 0);
        siginfo_t info;
        CHECK_EQ(wait_for(SIGUSR1, &info, 5000), SIGUSR1);
        CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 20 * MS);
        CHECK_EQ(info.si_code, SI_TIMER);
        CHECK_EQ(info.si_value.sival_int, 77 + i);
        CHECK_EQ(info.si_overrun, 0);
        CHECK_EQ(wait_for(SIGUSR1, &info, 50), -1);
        struct itimerspec now;
        CHECK_EQ(timer_gettime(timer, &now), 0);
        CHECK_EQ(now.it_value.tv_sec + now.it_value.tv_nsec + now.it_interval.tv_nsec, 0);
        CHECK_EQ(timer_delete(timer), 0);
    }
}

TEST(posix_timer_without_event_sends_sigalrm_with_its_id)
{
    int id;
    block(SIGALRM);
    CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id), 0);
    struct itimerspec set = every(MS, 0);
    CHECK_EQ(syscall(SYS_timer_settime, id, 0, &set, NULL), 0);
    siginfo_t info;
    CHECK_EQ(wait_for(SIGALRM, &info, 5000), SIGALRM);
    CHECK_EQ(info.si_value.sival_int, id);
    CHECK_EQ(info.si_timerid, id);
}

TEST(posix_timer_at_a_time_of_the_clock)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    block(SIGUSR1);
    for (unsigned i = 0; i < 2; i++) {
        timer_t timer = make(clocks[i], SIGUSR1, 1);
        struct timespec now;
        clock_gettime(clocks[i], &now);
        struct itimerspec set = {{0, 0}, now};
        set.it_value.tv_nsec += 30 * MS;
        if (set.it_value.tv_nsec >= 1000 * MS) {
            set.it_value.tv_nsec -= 1000 * MS;
            set.it_value.tv_sec++;
        }
        CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &set, NULL), 0);
        CHECK_EQ(wait_for(SIGUSR1, NULL, 5000), SIGUSR1);
        CHECK(now_ns(clocks[i]) >= set.it_value.tv_sec * 1000 * MS + set.it_value.tv_nsec);
        set.it_value = now; // in the past: at once
        CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &set, NULL), 0);
        CHECK_EQ(wait_for(SIGUSR1, NULL, 5000), SIGUSR1);
        CHECK_EQ(timer_delete(timer), 0);
    }
}

TEST(posix_timer_tells_what_is_left)
{
    struct itimerspec set = every(1000000 * MS, 250 * MS), old, none = every(0, 0);
    timer_t timer = make(CLOCK_MONOTONIC, SIGUSR1, 0);
    CHECK_EQ(timer_gettime(timer, &old), 0);
    CHECK_EQ(old.it_value.tv_sec + old.it_value.tv_nsec, 0);
    CHECK_EQ(timer_settime(timer, 0, &set, NULL), 0);
    CHECK_EQ(timer_gettime(timer, &old), 0);
    CHECK(old.it_value.tv_sec >= 990 && old.it_value.tv_sec < 1000);
    CHECK_EQ(old.it_interval.tv_nsec, 250 * MS);
    CHECK_EQ(timer_settime(timer, 0, &none, &old), 0);
    CHECK(old.it_value.tv_sec >= 990);
    CHECK_EQ(timer_gettime(timer, &old), 0);
    CHECK_EQ(old.it_value.tv_sec + old.it_value.tv_nsec + old.it_interval.tv_nsec, 0);
}

TEST(posix_timer_signal_waits_once_and_counts_the_rest)
{
    block(SIGRTMIN);
    timer_t timer = make(CLOCK_MONOTONIC, SIGRTMIN, 5);
    start(timer, 10 * MS, 10 * MS);
    sleep_ms(105);
    siginfo_t info;
    CHECK_EQ(wait_for(SIGRTMIN, &info, 1000), SIGRTMIN);
    CHECK(info.si_overrun >= 8 && info.si_overrun < 300);
    CHECK_EQ(timer_getoverrun(timer), info.si_overrun);
    CHECK_EQ(wait_for(SIGRTMIN, &info, 1000), SIGRTMIN); // it goes on, and queued no second one
    CHECK(info.si_overrun < 8);
    CHECK_EQ(timer_delete(timer), 0);
}

TEST(posix_timer_of_one_nanosecond_leaves_the_machine_alive)
{
    handle(SIGUSR1);
    timer_t timer = make(CLOCK_MONOTONIC, SIGUSR1, 0);
    start(timer, 1, 1);
    for (int64_t end = now_ns(CLOCK_MONOTONIC) + 100 * MS; now_ns(CLOCK_MONOTONIC) < end;)
        ;
    CHECK(count > 10);
    CHECK(timer_getoverrun(timer) > 100);
    CHECK_EQ(timer_delete(timer), 0);
    timer = make(CLOCK_MONOTONIC, SIGCHLD, 0); // ignored by default
    start(timer, 1, 1);
    spin_ms(50);
    CHECK_EQ(timer_delete(timer), 0);
}

TEST(posix_timer_interrupts_and_runs_its_handler)
{
    handle(SIGUSR1);
    timer_t timer = make(CLOCK_MONOTONIC, SIGUSR1, 42);
    start(timer, 5 * MS, 5 * MS);
    while (count < 5)
        pause();
    CHECK_EQ(last_value, 42);
    CHECK_EQ(last_code, SI_TIMER);
    CHECK_EQ(timer_delete(timer), 0);
    sleep_ms(10);
    int before = count;
    sleep_ms(50);
    CHECK_EQ(count, before);
}

TEST(posix_timer_of_no_signal_is_asked)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_NONE, .sigev_signo = 9999};
    struct itimerspec now;
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    start(timer, 10 * MS, 0);
    CHECK_EQ(timer_gettime(timer, &now), 0);
    CHECK(now.it_value.tv_nsec > 0);
    sleep_ms(20);
    CHECK_EQ(timer_gettime(timer, &now), 0);
    CHECK_EQ(now.it_value.tv_sec + now.it_value.tv_nsec, 0);
    start(timer, 10 * MS, 100000 * MS);
    sleep_ms(20);
    CHECK_EQ(timer_gettime(timer, &now), 0);
    CHECK(now.it_value.tv_sec >= 98 && now.it_value.tv_sec <= 100);
    CHECK_EQ(timer_delete(timer), 0);
}

static volatile pid_t heard_by;
static volatile int other_stops;

static void note_thread(int number)
{
    heard_by = (pid_t)syscall(SYS_gettid);
}

static void *other_thread(void *tid)
{
    *(volatile pid_t *)tid = (pid_t)syscall(SYS_gettid);
    while (!other_stops)
        sleep_ms(1);
    return NULL;
}

TEST(posix_timer_to_one_thread)
{
    pthread_t thread;
    volatile pid_t tid = 0;
    timer_t timer;
    signal(SIGUSR1, note_thread);
    CHECK_EQ(pthread_create(&thread, NULL, other_thread, (void *)&tid), 0);
    while (tid == 0)
        sleep_ms(1);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event._sigev_un._tid = tid;
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    start(timer, MS, MS);
    for (int i = 0; i < 1000 && heard_by == 0; i++)
        sleep_ms(1);
    CHECK_EQ(heard_by, tid);
    other_stops = 1;
    pthread_join(thread, NULL);
    sleep_ms(10); // the thread is gone, the timer is not
    CHECK_EQ(timer_delete(timer), 0);
    event._sigev_un._tid = 1; // not ours
    CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
}

static void call_back(union sigval value)
{
    count += value.sival_int;
}

TEST(posix_timer_runs_a_function_in_a_thread)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD,
                             .sigev_notify_function = call_back,
                             .sigev_value.sival_int = 3};
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    start(timer, MS, 0);
    for (int i = 0; i < 5000 && count == 0; i++)
        sleep_ms(1);
    CHECK_EQ(count, 3);
}

TEST(posix_timer_of_processor_time)
{
    static const clockid_t clocks[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    handle(SIGUSR1);
    for (unsigned i = 0; i < 2; i++) {
        timer_t timer = make(clocks[i], SIGUSR1, 1);
        count = 0;
        int64_t begin = now_ns(clocks[i]);
        start(timer, 50 * MS, 0);
        sleep_ms(100); // no processor time
        CHECK_EQ(count, 0);
        struct itimerspec left;
        CHECK_EQ(timer_gettime(timer, &left), 0);
        CHECK(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 50 * MS);
        while (count == 0)
            CHECK(now_ns(clocks[i]) - begin < 5000 * MS);
        CHECK(now_ns(clocks[i]) - begin >= 50 * MS);
        start(timer, 20 * MS, 20 * MS);
        while (count < 4)
            CHECK(now_ns(clocks[i]) - begin < 10000 * MS);
        CHECK_EQ(timer_delete(timer), 0);
    }
}

TEST(posix_timer_of_another_thread_or_nobody)
{
    timer_t timer;
    clockid_t clock;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    CHECK_EQ(clock_getcpuclockid(getpid(), &clock), 0);
    CHECK_EQ(timer_create(clock, &event, &timer), 0);
    CHECK_EQ(timer_delete(timer), 0);
    CHECK_EQ(pthread_getcpuclockid(pthread_self(), &clock), 0);
    CHECK_EQ(timer_create(clock, &event, &timer), 0);
    CHECK_EQ(timer_delete(timer), 0);
    clock = ~99999999 * 8 | 6; // a thread that there isn't
    CHECK_ERRNO(timer_create(clock, &event, &timer), EINVAL);
}

TEST(posix_timer_errors)
{
    timer_t timer;
    int id;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
    struct itimerspec set = every(MS, 0);
    CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    event.sigev_signo = 0;
    CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    event.sigev_signo = SIGUSR1;
    event.sigev_notify = 77;
    CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
    event.sigev_notify = SIGEV_SIGNAL;
    CHECK_ERRNO(syscall(SYS_timer_create, 99, &event, &id), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC_RAW, &event, &id), EOPNOTSUPP);
    CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_REALTIME_COARSE, &event, &id), EOPNOTSUPP);
    CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, 8, &id), EFAULT);
    CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_timer_settime, 12345, 0, &set, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_gettime, 12345, &set), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_getoverrun, 12345), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_delete, 12345), EINVAL);
    CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), 0);
    CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, 8, NULL), EFAULT);
    set.it_value.tv_nsec = 1000 * MS;
    CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, &set, NULL), EINVAL);
    set.it_value.tv_nsec = 1;
    set.it_interval.tv_sec = -1;
    CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, &set, NULL), EINVAL);
    CHECK_EQ(syscall(SYS_timer_delete, id), 0);
    CHECK_ERRNO(syscall(SYS_timer_delete, id), EINVAL);
}

TEST(posix_timers_count_as_pending_signals)
{
    struct rlimit limit = {20, 20};
    int id, made = 0;
    CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
    CHECK_EQ(setuid(12345), 0);
    struct sigevent none = {.sigev_notify = SIGEV_NONE}; // these as well
    while (made < 100 &&
           syscall(SYS_timer_create, CLOCK_MONOTONIC, made % 2 ? &none : NULL, &id) == 0)
        made++;
    CHECK_EQ(errno, EAGAIN);
    CHECK(made >= 10 && made <= 20);
    CHECK_EQ(syscall(SYS_timer_delete, id), 0);
    CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id), 0);
}

TEST(posix_timers_are_not_inherited_and_end_with_exec)
{
    char number[20];
    int id, status;
    signal(SIGUSR1, SIG_DFL); // ends the process
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), 0);
    if (fork() == 0) {
        struct itimerspec set;
        _exit(syscall(SYS_timer_gettime, id, &set) == -1 && errno == EINVAL ? 0 : 1);
    }
    CHECK(wait(&status) > 0);
    CHECK_EQ(status, 0);
    snprintf(number, sizeof(number), "%d", id);
    if (fork() == 0) {
        struct itimerspec set = every(100 * MS, 0);
        CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), 0);
        CHECK_EQ(syscall(SYS_timer_settime, id, 0, &set, NULL), 0);
        execl("/bin/busybox", "sleep", "0.3", NULL);
        _exit(127);
    }
    CHECK(wait(&status) > 0);
    CHECK_EQ(status, 0);
}

TEST(posix_timer_pending_at_its_end)
{
    block(SIGUSR1);
    for (int i = 0; i < 50; i++) {
        timer_t timer = make(CLOCK_MONOTONIC, SIGUSR1, i);
        start(timer, 1, 1);
        sigset_t set;
        do
            sigpending(&set);
        while (!sigismember(&set, SIGUSR1));
        if (i % 3 == 0) // set anew while it is queued
            start(timer, 1, 0);
        if (i % 3 == 1) { // thrown away
            signal(SIGUSR1, SIG_IGN);
            signal(SIGUSR1, SIG_DFL);
        }
        CHECK_EQ(timer_delete(timer), 0);
        while (wait_for(SIGUSR1, NULL, 0) == SIGUSR1)
            ;
    }
    for (int i = 0; i < 50; i++) // end with one that fires all the time
        if (fork() == 0) {
            start(make(CLOCK_REALTIME, SIGUSR2, 0), 1, 1);
            for (;;)
                ;
        }
    int status;
    while (wait(&status) > 0)
        CHECK_EQ(WTERMSIG(status), SIGUSR2);
}

static void *set_and_reset(void *timer)
{
    for (int i = 0; i < 400; i++) {
        struct itimerspec set = every(1 + i % 50 * 1000, i % 7 * 1000), old;
        timer_settime(*(timer_t *)timer, 0, &set, &old);
        timer_gettime(*(timer_t *)timer, &old);
        timer_getoverrun(*(timer_t *)timer);
    }
    return NULL;
}

TEST(posix_timer_storm)
{
    pthread_t threads[4];
    handle(SIGUSR1);
    timer_t timer = make(CLOCK_REALTIME, SIGUSR1, 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, set_and_reset, &timer), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    count = 0;
    start(timer, MS, MS);
    while (count < 3)
        pause();
    CHECK_EQ(timer_delete(timer), 0);
}
