// SPDX-License-Identifier: BSD-2-Clause
// Signals: installing a handler, delivery and return, faults that a handler repairs.
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <ucontext.h>

static volatile long handled;
static char *page;

static void handler(int signal)
{
    handled++;
}

static void loop_sigaction(long n)
{
    struct sigaction action = {.sa_handler = handler};
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(sigaction(SIGUSR1, &action, NULL));
    bench_stop();
}

static void loop_sigprocmask(long n)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(sigprocmask(i & 1 ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL));
    bench_stop();
}

static void install(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = (int)bench_arg};
    stack_t stack = {.ss_sp = bench_map(65536), .ss_size = 65536};
    MUST(sigaltstack(&stack, NULL));
    MUST(sigaction(SIGUSR1, &action, NULL));
}

static void loop_kill_self(long n)
{
    pid_t self = getpid();
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(kill(self, SIGUSR1));
    bench_stop();
}

static void block(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    MUST(sigprocmask(SIG_BLOCK, &set, NULL));
}

static void loop_sigtimedwait(long n)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pid_t self = getpid();
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(kill(self, SIGUSR1));
        MUST(sigwaitinfo(&set, NULL));
    }
    bench_stop();
}

static void loop_signalfd(long n)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int fd = MUST(signalfd(-1, &set, 0));
    struct signalfd_siginfo info;
    pid_t self = getpid();
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(kill(self, SIGUSR1));
        MUST(read(fd, &info, sizeof(info)));
    }
    bench_stop();
    close(fd);
}

// A timer that is due already, and its signal.
static void loop_timer(long n)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec long_ago = {.it_value.tv_nsec = 1};
    timer_t timer;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    MUST(timer_create(CLOCK_MONOTONIC, &event, &timer));
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(timer_settime(timer, TIMER_ABSTIME, &long_ago, NULL));
        MUST(sigwaitinfo(&set, NULL));
    }
    bench_stop();
    timer_delete(timer);
}

// Steps over the load that faulted, which is 2 or 4 bytes long.
static void skip(int signal, siginfo_t *info, void *context)
{
    unsigned long *pc = &((ucontext_t *)context)->uc_mcontext.__gregs[0];
    *pc += (*(const uint16_t *)*pc & 3) == 3 ? 4 : 2;
}

static void make_page(void)
{
    struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
    MUST(sigaction(SIGSEGV, &action, NULL));
    page = MUST(mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void loop_fault(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        (void)*(volatile char *)page;
    bench_stop();
}

// As a garbage collector has it: the handler opens the page, the loop closes it again.
static void open_page(int signal, siginfo_t *info, void *context)
{
    MUST(mprotect(page, 4096, PROT_READ | PROT_WRITE));
}

static void make_barrier(void)
{
    struct sigaction action = {.sa_sigaction = open_page, .sa_flags = SA_SIGINFO};
    MUST(sigaction(SIGSEGV, &action, NULL));
    page = bench_map(4096);
    bench_touch(page, 4096);
}

static void loop_barrier(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(mprotect(page, 4096, PROT_READ));
        *(volatile char *)page = 1;
    }
    bench_stop();
}

static void wait_for_signals(long parent)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    for (;;) {
        sigwaitinfo(&set, NULL);
        kill((pid_t)parent, SIGUSR1);
    }
}

static pid_t peer;

static void make_peer(void)
{
    block();
    peer = bench_fork(wait_for_signals, getpid());
}

static void loop_ping(long n)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(kill(peer, SIGUSR1));
        MUST(sigwaitinfo(&set, NULL));
    }
    bench_stop();
}

const struct bench bench_signals[] = {
    {"signals/sigaction", NULL, loop_sigaction},
    {"signals/sigprocmask", NULL, loop_sigprocmask},
    {"signals/deliver-return", install, loop_kill_self},
    {"signals/deliver-return-siginfo-altstack", install, loop_kill_self, SA_SIGINFO | SA_ONSTACK},
    {"signals/kill-sigwaitinfo", block, loop_sigtimedwait},
    {"signals/kill-signalfd", block, loop_signalfd},
    {"signals/timer-sigwaitinfo", block, loop_timer},
    {"signals/fault-handled", make_page, loop_fault},
    {"signals/fault-mprotect-twice", make_barrier, loop_barrier},
    {"signals/ping-pong", make_peer, loop_ping, .several = true},
    {0},
};
