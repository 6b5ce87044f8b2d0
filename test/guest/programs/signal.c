// SPDX-License-Identifier: BSD-2-Clause
// Signals: handlers and their frames, masks, alternate stacks, restarted calls, waiting for
// signals, floating-point registers across handlers and switches.
#include "ktap.h"
#include <poll.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile int count, last, last_code, last_value, last_status;
static volatile pid_t last_pid;
static void *volatile last_stack;
static int order[64];

static void on_signal(int number)
{
    last = number;
    last_stack = __builtin_frame_address(0);
    order[count++ % 64] = number;
}

static void on_info(int number, siginfo_t *info, void *context)
{
    (void)context;
    last_code = info->si_code;
    last_pid = info->si_pid;
    last_value = info->si_value.sival_int;
    last_status = info->si_status;
    on_signal(number);
}

static void handle(int number, int flags)
{
    struct sigaction action = {.sa_flags = flags};
    if (flags & SA_SIGINFO)
        action.sa_sigaction = on_info;
    else
        action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    CHECK_EQ(sigaction(number, &action, NULL), 0);
}

static sigset_t set_of(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return set;
}

TEST(handler_runs_and_returns)
{
    handle(SIGUSR1, 0);
    for (int i = 1; i <= 1000; i++) {
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK_EQ(count, i);
    }
    struct sigaction old;
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK(old.sa_handler == on_signal);
}

TEST(sigaction_errors)
{
    struct sigaction action = {.sa_handler = on_signal};
    CHECK_ERRNO(sigaction(SIGKILL, &action, NULL), EINVAL);
    CHECK_ERRNO(sigaction(SIGSTOP, &action, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 65, &action, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 0, &action, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 4), EINVAL);
    CHECK_ERRNO(kill(getpid(), 65), EINVAL);
    CHECK_ERRNO(kill(0x3fffffff, SIGUSR1), ESRCH);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 77, &action, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
    CHECK_ERRNO(syscall(SYS_tgkill, 1, getpid(), SIGUSR1), ESRCH);
}

TEST(siginfo_names_the_sender)
{
    handle(SIGUSR1, SA_SIGINFO);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(last_code, SI_USER);
    CHECK_EQ(last_pid, getpid());
    raise(SIGUSR1);
    CHECK_EQ(last_code, SI_TKILL);
    union sigval value = {.sival_int = 4711};
    CHECK_EQ(sigqueue(getpid(), SIGUSR1, value), 0);
    CHECK_EQ(last_code, SI_QUEUE);
    CHECK_EQ(last_value, 4711);
    handle(SIGCHLD, SA_SIGINFO);
    pid_t pid = fork();
    if (pid == 0)
        _exit(17);
    while (last != SIGCHLD)
        sleep_ms(1);
    CHECK_EQ(last_code, CLD_EXITED);
    CHECK_EQ(last_pid, pid);
    CHECK_EQ(last_status, 17);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

TEST(blocked_signals_wait_and_standard_ones_merge)
{
    sigset_t set = set_of(SIGUSR1), pending;
    handle(SIGUSR1, 0);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    for (int i = 0; i < 5; i++)
        raise(SIGUSR1);
    CHECK_EQ(count, 0);
    CHECK_EQ(sigpending(&pending), 0);
    CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
    CHECK_EQ(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
    CHECK_EQ(count, 1);
}

TEST(realtime_signals_queue_in_order)
{
    sigset_t set = set_of(SIGRTMIN);
    sigaddset(&set, SIGRTMIN + 1);
    handle(SIGRTMIN, SA_SIGINFO);
    handle(SIGRTMIN + 1, SA_SIGINFO);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 5; i++) {
        union sigval value = {.sival_int = i};
        CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, value), 0);
        CHECK_EQ(sigqueue(getpid(), SIGRTMIN, value), 0);
    }
    siginfo_t info;
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
        CHECK_EQ(info.si_value.sival_int, i);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    CHECK_EQ(count, 5);
    CHECK_EQ(last, SIGRTMIN + 1);
}

TEST(a_handler_masks_its_own_signal_unless_nodefer)
{
    void nested(int number)
    {
        int before = count++;
        if (before < 3)
            raise(number);
        last = count;
    }
    struct sigaction action = {.sa_handler = nested, .sa_flags = SA_NODEFER};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    CHECK_EQ(count, 4);
    count = 0;
    action.sa_flags = 0;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    CHECK_EQ(last, 4);
}

TEST(resethand_runs_once)
{
    handle(SIGUSR1, SA_RESETHAND);
    raise(SIGUSR1);
    CHECK_EQ(count, 1);
    struct sigaction old;
    sigaction(SIGUSR1, NULL, &old);
    CHECK(old.sa_handler == SIG_DFL);
}

TEST(sa_mask_holds_others_back)
{
    void send_other(int number)
    {
        (void)number;
        raise(SIGUSR2);
        last_value = count;
    }
    struct sigaction action = {.sa_handler = send_other, .sa_mask = set_of(SIGUSR2)};
    handle(SIGUSR2, 0);
    sigaction(SIGUSR1, &action, NULL);
    last_value = -1;
    raise(SIGUSR1);
    CHECK_EQ(last_value, 0);
    CHECK_EQ(count, 1);
}

TEST(alternate_stack)
{
    static char stack[32768] __attribute__((aligned(16)));
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;
    CHECK_EQ(sigaltstack(&alternate, NULL), 0);
    handle(SIGUSR1, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK((char *)last_stack > stack && (char *)last_stack < stack + sizeof(stack));
    handle(SIGUSR2, 0);
    raise(SIGUSR2);
    CHECK((char *)last_stack < stack || (char *)last_stack > stack + sizeof(stack));
    CHECK_EQ(sigaltstack(NULL, &old), 0);
    CHECK(old.ss_sp == stack && old.ss_flags == 0);
    alternate.ss_size = 100;
    CHECK_ERRNO(sigaltstack(&alternate, NULL), ENOMEM);
    alternate.ss_flags = 0x40;
    CHECK_ERRNO(sigaltstack(&alternate, NULL), EINVAL);
}

static sigjmp_buf jump;

static void jump_back(int number)
{
    last = number;
    siglongjmp(jump, 1);
}

static int endless(int n)
{
    volatile char frame[1000];
    frame[0] = (char)n;
    return endless(n + 1) + frame[0];
}

TEST(stack_overflow_is_handled_on_the_alternate_stack)
{
    static char stack[32768] __attribute__((aligned(16)));
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    CHECK_EQ(sigaltstack(&alternate, NULL), 0);
    struct sigaction action = {.sa_handler = jump_back, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    for (int i = 0; i < 3; i++)
        if (sigsetjmp(jump, 1) == 0)
            last = endless(0);
    CHECK_EQ(last, SIGSEGV);
}

static void no_handler_stack(void)
{
    struct sigaction action = {.sa_handler = jump_back};
    sigaction(SIGSEGV, &action, NULL);
    last = endless(0);
}

TEST(no_room_for_the_frame_kills)
{
    int status = in_child(no_handler_stack);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static void change_context(int number, siginfo_t *info, void *raw)
{
    (void)number, (void)info;
    ucontext_t *context = raw;
    context->uc_mcontext.__gregs[REG_PC] += 4;
    context->uc_mcontext.__gregs[REG_A0] = 1234;
    sigaddset(&context->uc_sigmask, SIGUSR2);
}

TEST(handler_changes_the_context)
{
    struct sigaction action = {.sa_sigaction = change_context, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    register long a0 __asm__("a0") = 1;
    __asm__ volatile(".4byte 0" : "+r"(a0)::"memory");
    CHECK_EQ(a0, 1234);
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    CHECK_EQ(sigismember(&mask, SIGUSR2), 1);
}

static void all_registers(int number)
{
    (void)number;
    __asm__ volatile(
        "li t0, -1\nli t1, -1\nli t2, -1\nli t3, -1\nli t4, -1\nli t5, -1\nli t6, -1\n"
        "li a0, -1\nli a1, -1\nli a2, -1\nli a3, -1\nli a4, -1\nli a5, -1\nli a6, -1\nli a7, -1\n"
        "fcvt.d.l ft0, t0\nfcvt.d.l fa0, t0\nfcvt.d.l ft11, t0\nfcvt.d.l fa7, t0\nfrcsr t0\nfsrm "
        "t0, t0" ::
            : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a0", "a1", "a2", "a3", "a4", "a5", "a6",
              "a7", "ft0", "fa0", "ft11", "fa7");
    count++;
}

TEST(asynchronous_handler_preserves_every_register)
{
    struct itimerval every = {{0, 2000}, {0, 2000}};
    signal(SIGALRM, all_registers);
    setitimer(ITIMER_REAL, &every, NULL);
    int64_t end = now_ns(CLOCK_MONOTONIC) + 400000000;
    unsigned long bad = 0;
    while (now_ns(CLOCK_MONOTONIC) < end && !bad)
        __asm__ volatile(
            "li t1, 1000\nli t2, 2\nli t3, 3\nli t4, 4\nli t5, 5\nli t6, 6\nli a1, 11\nli a2, 12\n"
            "li a3, 13\nli a4, 14\nli a5, 15\nli a6, 16\nli a7, 17\n"
            "fcvt.d.l ft0, t2\nfcvt.d.l fa0, t3\nfcvt.d.l ft11, t4\nfcvt.d.l fa7, t5\nfcvt.d.l "
            "fs1, t6\n"
            "1: addi t1, t1, -1\nbnez t1, 1b\n"
            "addi t2, t2, -2\naddi t3, t3, -3\naddi t4, t4, -4\naddi t5, t5, -5\naddi t6, t6, -6\n"
            "addi a1, a1, -11\naddi a2, a2, -12\naddi a3, a3, -13\naddi a4, a4, -14\naddi a5, a5, "
            "-15\n"
            "addi a6, a6, -16\naddi a7, a7, -17\n"
            "or %0, t2, t3\nor %0, %0, t4\nor %0, %0, t5\nor %0, %0, t6\nor %0, %0, a1\nor %0, %0, "
            "a2\n"
            "or %0, %0, a3\nor %0, %0, a4\nor %0, %0, a5\nor %0, %0, a6\nor %0, %0, a7\n"
            "fcvt.l.d t2, ft0\nfcvt.l.d t3, fa0\nfcvt.l.d t4, ft11\nfcvt.l.d t5, fa7\nfcvt.l.d t6, "
            "fs1\n"
            "addi t2, t2, -2\naddi t3, t3, -3\naddi t4, t4, -4\naddi t5, t5, -5\naddi t6, t6, -6\n"
            "or %0, %0, t2\nor %0, %0, t3\nor %0, %0, t4\nor %0, %0, t5\nor %0, %0, t6\n"
            : "=&r"(bad)::"t1", "t2", "t3", "t4", "t5", "t6", "a1", "a2", "a3", "a4", "a5", "a6",
              "a7", "ft0", "fa0", "ft11", "fa7", "fs1");
    CHECK_EQ(bad, 0);
    CHECK(count > 20);
}

TEST(default_actions)
{
    static const struct {
        int number, ends;
    } table[] = {{SIGHUP, 1},  {SIGINT, 1},  {SIGQUIT, 1}, {SIGABRT, 1},  {SIGUSR1, 1},
                 {SIGPIPE, 1}, {SIGALRM, 1}, {SIGTERM, 1}, {SIGXCPU, 1},  {SIGSYS, 1},
                 {40, 1},      {SIGCHLD, 0}, {SIGURG, 0},  {SIGWINCH, 0}, {SIGCONT, 0}};
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            raise(table[i].number);
            _exit(0);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : 0, table[i].ends ? table[i].number : 0);
    }
}

// A child that sends this process a signal in so many ms.
static pid_t signal_later(int ms, int number)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        sleep_ms(ms);
        kill(parent, number);
        sleep_ms(ms);
        _exit(0);
    }
    CHECK(pid > 0);
    return pid;
}

TEST(read_restarts_or_ends_with_eintr)
{
    int fds[2];
    char byte;
    CHECK_EQ(pipe(fds), 0);
    handle(SIGUSR1, 0);
    signal_later(50, SIGUSR1);
    CHECK_ERRNO(read(fds[0], &byte, 1), EINTR);
    handle(SIGUSR1, SA_RESTART);
    count = 0;
    pid_t writer = fork();
    if (writer == 0) {
        sleep_ms(150);
        write(fds[1], "x", 1);
        _exit(0);
    }
    signal_later(50, SIGUSR1);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(count, 1);
}

TEST(wait_restarts_with_sa_restart)
{
    handle(SIGUSR1, SA_RESTART);
    pid_t pid = fork();
    if (pid == 0) {
        sleep_ms(150);
        _exit(4);
    }
    signal_later(40, SIGUSR1);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 4);
    CHECK_EQ(count, 1);
}

TEST(nanosleep_tells_what_is_left)
{
    struct timespec want = {2, 0}, left = {9, 9};
    handle(SIGUSR1, SA_RESTART);
    signal_later(100, SIGUSR1);
    CHECK_ERRNO(nanosleep(&want, &left), EINTR);
    CHECK(left.tv_sec == 1 && left.tv_nsec > 0);
    struct pollfd none = {-1, 0, 0};
    signal_later(50, SIGUSR1);
    CHECK_ERRNO(poll(&none, 1, 2000), EINTR);
}

TEST(stopped_sleep_goes_on_after_continue)
{
    pid_t pid = fork();
    if (pid == 0) {
        int64_t start = now_ns(CLOCK_MONOTONIC);
        struct timespec want = {0, 300000000};
        int result = nanosleep(&want, NULL);
        _exit(result != 0 || now_ns(CLOCK_MONOTONIC) - start < 300000000);
    }
    int status;
    sleep_ms(50);
    kill(pid, SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    kill(pid, SIGCONT);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST(sigsuspend_pause_and_sigtimedwait)
{
    sigset_t set = set_of(SIGUSR1), none;
    sigemptyset(&none);
    handle(SIGUSR1, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK_EQ(count, 1);
    struct timespec short_time = {0, 20000000};
    CHECK_ERRNO(sigtimedwait(&set, NULL, &short_time), EAGAIN);
    raise(SIGUSR1);
    CHECK_EQ(sigtimedwait(&set, NULL, &short_time), SIGUSR1);
    CHECK_EQ(count, 1);
    signal_later(30, SIGUSR1);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    signal_later(30, SIGUSR1);
    CHECK_ERRNO(pause(), EINTR);
}

TEST(ppoll_swaps_the_mask)
{
    sigset_t set = set_of(SIGUSR1), none;
    sigemptyset(&none);
    handle(SIGUSR1, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    struct timespec second = {1, 0};
    CHECK_EQ(ppoll(NULL, 0, &(struct timespec){0, 1000000}, NULL), 0);
    CHECK_EQ(count, 0);
    CHECK_ERRNO(ppoll(NULL, 0, &second, &none), EINTR);
    CHECK_EQ(count, 1);
}

TEST(queued_info_with_junk_behind_it)
{
    siginfo_t info, got;
    sigset_t set = set_of(SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    memset(&info, 0xa5, sizeof(info));
    info.si_code = SI_QUEUE;
    info.si_errno = 0;
    info.si_value.sival_int = 77;
    CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info), 0);
    CHECK_EQ(sigwaitinfo(&set, &got), SIGUSR1);
    CHECK_EQ(got.si_value.sival_int, 77);
    info.si_code = -8; // of no known layout
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info), E2BIG);
}

TEST(sigpipe_and_epipe)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    close(fds[0]);
    handle(SIGPIPE, 0);
    CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
    CHECK_EQ(count, 1);
}

TEST(ignored_and_unblockable)
{
    signal(SIGUSR1, SIG_IGN);
    CHECK_EQ(raise(SIGUSR1), 0);
    sigset_t all, now;
    sigfillset(&all);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &all, NULL), 0);
    CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    CHECK_EQ(sigismember(&now, SIGKILL), 0);
    CHECK_EQ(sigismember(&now, SIGSTOP), 0);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGKILL);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
}

static void blocked_fault(void)
{
    sigset_t set = set_of(SIGSEGV);
    handle(SIGSEGV, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    *(volatile int *)8 = 1;
}

TEST(a_blocked_fault_kills)
{
    int status = in_child(blocked_fault);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static void bad_return(void)
{
    struct {
        char frame[1088];
    } junk;
    memset(&junk, 0xa5, sizeof(junk));
    __asm__ volatile("mv sp, %0\nli a7, 139\necall" ::"r"(&junk) : "memory");
    _exit(0);
}

TEST(sigreturn_from_junk_kills_only_the_caller)
{
    int status = in_child(bad_return);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(parent_death_signal)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            handle(SIGUSR2, 0);
            prctl(PR_SET_PDEATHSIG, SIGUSR2);
            write(fds[1], "r", 1);
            while (!count)
                sleep_ms(1);
            write(fds[1], "d", 1);
            _exit(0);
        }
        char byte;
        read(fds[0], &byte, 1);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    char byte;
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(byte, 'd');
}

TEST_SECONDS(storm_between_two_processes, 60)
{
    handle(SIGUSR1, 0);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 3000; i++)
            kill(parent, SIGUSR1);
        _exit(0);
    }
    int status;
    pid_t got;
    while ((got = waitpid(pid, &status, 0)) == -1 && errno == EINTR)
        ;
    CHECK_EQ(got, pid);
    CHECK(count > 0);
}
