// SPDX-License-Identifier: BSD-2-Clause
// What tests of timers share: a handler that counts, and POSIX timers.
#pragma once
#include "ktap.h"

#define MS 1000000L

static volatile int count;
static volatile int last_value, last_code;

__attribute__((unused)) static void on_signal(int number, siginfo_t *info, void *context)
{
    count++;
    last_value = info->si_value.sival_int;
    last_code = info->si_code;
}

__attribute__((unused)) static void handle(int number)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK_EQ(sigaction(number, &action, NULL), 0);
}

__attribute__((unused)) static sigset_t set_of(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return set;
}

__attribute__((unused)) static void block(int number)
{
    sigset_t set = set_of(number);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
}

__attribute__((unused)) static timer_t make(clockid_t clock, int number, int value)
{
    timer_t timer;
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number, .sigev_value.sival_int = value};
    CHECK_EQ(timer_create(clock, &event, &timer), 0);
    return timer;
}

__attribute__((unused)) static struct itimerspec every(long first_ns, long period_ns)
{
    return (struct itimerspec){{period_ns / (1000 * MS), period_ns % (1000 * MS)},
                               {first_ns / (1000 * MS), first_ns % (1000 * MS)}};
}

__attribute__((unused)) static void start(timer_t timer, long first_ns, long period_ns)
{
    struct itimerspec set = every(first_ns, period_ns);
    CHECK_EQ(timer_settime(timer, 0, &set, NULL), 0);
}

__attribute__((unused)) static int wait_for(int number, siginfo_t *info, int ms)
{
    sigset_t set = set_of(number);
    struct timespec limit = {ms / 1000, ms % 1000 * MS};
    return sigtimedwait(&set, info, &limit);
}
