// SPDX-License-Identifier: BSD-2-Clause
// System calls with random numbers and arguments. No answer is wanted but one: the kernel lives on
// and the processes that called can be killed. Each round names its seed: fuzz CASE repeats all.
#include "ktap.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { ROUNDS = 60, CALLS = 400, NUMBERS = 460 };

// Calls that end the test's own world by doing just what they should.
static const short harmful[] = {
    SYS_exit,
    SYS_exit_group,
    SYS_reboot,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_umount2,
    SYS_mount,
    SYS_chroot,
    SYS_pivot_root,
    SYS_vhangup,
    SYS_rt_sigreturn,
    SYS_clone,
    SYS_clone3,
    SYS_execve,
    SYS_execveat,
    SYS_rt_sigsuspend,
    SYS_clock_settime,
    SYS_settimeofday,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_setpgid,
    SYS_setsid,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_syslog,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_sched_setscheduler,
    SYS_sched_setattr,
    SYS_sched_setparam,
    SYS_quotactl,
    SYS_swapon,
    SYS_swapoff,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_bpf,
    SYS_mount_setattr,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fchmodat,
    SYS_fchownat,
    SYS_fchmod,
    SYS_fchown,
    SYS_truncate,
    SYS_setns,
    SYS_unshare,
    SYS_pidfd_send_signal,
    SYS_process_madvise,
    SYS_sync,
    SYS_syncfs,
    SYS_fsync,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_fallocate,
    SYS_setpriority,
};

static unsigned long state;

static unsigned long next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static char *area;

static unsigned long argument(void)
{
    static const unsigned long corners[] = {0,
                                            1,
                                            2,
                                            8,
                                            15,
                                            16,
                                            4095,
                                            4096,
                                            4097,
                                            0x7fff,
                                            0xffff,
                                            0x10000,
                                            0x7fffffff,
                                            0x80000000,
                                            0xffffffff,
                                            0x3fffffffff,
                                            0x4000000000,
                                            0x7fffffffffff,
                                            0x7fffffffffffffff,
                                            0x8000000000000000,
                                            0xffffffc000000000,
                                            0xffffffff80000000,
                                            -4096UL,
                                            -100UL,
                                            -1UL};
    switch (next() % 8) {
    case 0:
    case 1:
        return corners[next() % (sizeof(corners) / sizeof(corners[0]))];
    case 2:
        return next() % 12;
    case 3:
        return (unsigned long)area + next() % 8192;
    case 4:
        return (unsigned long)area + 8192 - next() % 64;
    case 5:
        return 1UL << next() % 64;
    case 6:
        return next() % 100000;
    default:
        return next();
    }
}

static bool is_harmful(long number)
{
    for (unsigned i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++)
        if (harmful[i] == number)
            return true;
    return false;
}

static void call_at_random(unsigned long seed)
{
    int fds[2];
    state = seed * 2654435761UL + 88172645463325252UL;
    prctl(PR_SET_NAME, "fuzz");
    area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 8192; i++)
        area[i] = (char)next();
    strcpy(area + 100, "/tmp/fuzz/file");
    setsid();
    for (int i = 0; i < 12; i++)
        close(i);
    open("/dev/null", O_RDWR);
    open("/dev/zero", O_RDWR);
    open("/tmp/fuzz/file", O_CREAT | O_RDWR, 0600);
    open("/proc/self/maps", O_RDONLY);
    open("/tmp/fuzz", O_RDONLY | O_DIRECTORY);
    open("/proc", O_RDONLY | O_DIRECTORY);
    pipe2(fds, O_NONBLOCK);
    if (seed % 2) {
        setgid(1000);
        setuid(1000);
    }
    alarm(2);
    for (int i = 0; i < CALLS; i++) {
        long number = next() % NUMBERS;
        if (!is_harmful(number))
            syscall(number, argument(), argument(), argument(), argument(), argument(), argument());
    }
    _exit(0);
}

TEST_SECONDS(random_calls_never_hurt_the_kernel, 200)
{
    int ended = 0, killed = 0, status;
    CHECK_EQ(mkdir("/tmp/fuzz", 0777), 0);
    CHECK_EQ(chdir("/tmp/fuzz"), 0);
    for (unsigned long seed = 1; seed <= ROUNDS; seed++) {
        pid_t pid = fork();
        if (pid == 0)
            call_at_random(seed);
        CHECK(pid > 0);
        int64_t end = now_ns(CLOCK_MONOTONIC) + 3000000000;
        pid_t got;
        while ((got = waitpid(pid, &status, WNOHANG)) == 0 && now_ns(CLOCK_MONOTONIC) < end)
            sleep_ms(2);
        if (got == 0) {
            CHECK_EQ(kill(pid, SIGKILL), 0);
            end = now_ns(CLOCK_MONOTONIC) + 5000000000;
            while ((got = waitpid(pid, &status, WNOHANG)) == 0 && now_ns(CLOCK_MONOTONIC) < end)
                sleep_ms(2);
            if (got != pid)
                note("seed %lu: SIGKILL does not end it", seed);
            CHECK_EQ(got, pid);
        }
        if (WIFSIGNALED(status))
            killed++;
        else
            ended++;
    }
    note("%d rounds ended, %d were killed", ended, killed);
    CHECK_EQ(system("/bin/busybox rm -rf /tmp/fuzz"), 0);
    // The system still works.
    CHECK_EQ(system("/bin/busybox true"), 0);
}

TEST_SECONDS(every_number_with_every_argument_bad, 60)
{
    static const unsigned long values[] = {0, -1UL, 0x4000000000, 0xffffffc000000000, 7};
    for (unsigned v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
        pid_t pid = fork();
        if (pid == 0) {
            setsid();
            signal(SIGALRM, SIG_DFL);
            for (int i = 0; i < 10; i++)
                close(i);
            setuid(1000);
            for (long number = 0; number < NUMBERS; number++) {
                alarm(1);
                if (!is_harmful(number) && number != SYS_ppoll && number != SYS_pselect6 &&
                    number != SYS_rt_sigtimedwait)
                    syscall(number, values[v], values[v], values[v], values[v], values[v],
                            values[v]);
            }
            _exit(0);
        }
        int status;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
    }
}
