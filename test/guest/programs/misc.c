// SPDX-License-Identifier: BSD-2-Clause
// What describes the system and the process: uname, sysinfo, limits, prctl, random, umask, unknown
// calls.
#include "ktap.h"
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>

TEST(uname_says_riscv64)
{
    struct utsname name;
    CHECK_EQ(uname(&name), 0);
    CHECK_EQ(strcmp(name.machine, "riscv64"), 0);
    CHECK_EQ(strcmp(name.sysname, "Linux"), 0);
    int major = 0, minor = 0;
    CHECK_EQ(sscanf(name.release, "%d.%d", &major, &minor), 2);
    CHECK(major >= 5);
    char before[65];
    CHECK_EQ(gethostname(before, sizeof(before)), 0);
    CHECK_EQ(sethostname("other", 5), 0);
    CHECK_EQ(uname(&name), 0);
    CHECK_EQ(strcmp(name.nodename, "other"), 0);
    CHECK_EQ(sethostname(before, strlen(before)), 0);
    char long_name[80] = "";
    CHECK_ERRNO(sethostname(long_name, 65), EINVAL);
    CHECK_EQ(setdomainname("(none)", 6), 0);
}

TEST(sysinfo_adds_up)
{
    struct sysinfo info;
    CHECK_EQ(sysinfo(&info), 0);
    CHECK(info.totalram * info.mem_unit > 16UL << 20);
    CHECK(info.freeram <= info.totalram);
    CHECK(info.procs > 0);
    struct timespec boot;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    CHECK(labs(info.uptime - boot.tv_sec) <= 1);
}

TEST(limits)
{
    struct rlimit limit, old;
    CHECK_EQ(getrlimit(RLIMIT_STACK, &limit), 0);
    CHECK_EQ(limit.rlim_cur, 8 << 20);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(limit.rlim_cur, 1024);
    limit.rlim_cur = 100;
    CHECK_EQ(prlimit(0, RLIMIT_NOFILE, &limit, &old), 0);
    CHECK_EQ(old.rlim_cur, 1024);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(limit.rlim_cur, 100);
    limit.rlim_cur = 200;
    limit.rlim_max = 150;
    CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
    CHECK_ERRNO(getrlimit(99, &limit), EINVAL);
    CHECK_ERRNO(prlimit(0x3fffffff, RLIMIT_NOFILE, NULL, &old), ESRCH);
    for (int i = 0; i < 16; i++)
        CHECK_EQ(getrlimit(i, &limit), 0);
}

// A child that computes on and on, with a second to do it in.
static pid_t fork_spinner(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {1, 3};
        setrlimit(RLIMIT_CPU, &limit);
        for (;;)
            ;
    }
    return pid;
}

TEST(cpu_time_limit_sends_xcpu)
{
    pid_t pid = fork_spinner();
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGXCPU);
}

// Each of its turns is shorter than the scheduler's tick.
TEST(cpu_time_limit_of_who_makes_way_often)
{
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    CHECK_EQ(sched_setaffinity(0, sizeof(first), &first), 0);
    pid_t pid = fork_spinner();
    int status;
    pid_t ended;
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0)
        usleep(1000);
    CHECK_EQ(ended, pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGXCPU);
}

TEST(prctl_basics)
{
    char name[17] = "";
    CHECK_EQ(prctl(PR_SET_NAME, "a name that is cut"), 0);
    CHECK_EQ(prctl(PR_GET_NAME, name), 0);
    CHECK_EQ(strcmp(name, "a name that is "), 0);
    char comm[32] = "";
    int fd = open("/proc/self/comm", O_RDONLY);
    CHECK(read(fd, comm, sizeof(comm)) > 0);
    CHECK_EQ(strcmp(comm, "a name that is \n"), 0);
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    int value = -1;
    CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGTERM), 0);
    CHECK_EQ(prctl(PR_GET_PDEATHSIG, &value), 0);
    CHECK_EQ(value, SIGTERM);
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, 999), EINVAL);
    CHECK_ERRNO(prctl(99999), EINVAL);
}

static struct __user_cap_data_struct capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    CHECK_EQ(syscall(SYS_capget, &header, data), 0);
    return data[0];
}

// What is permitted outlives the last uid of 0 if that was asked for; what is effective never does.
TEST(capabilities_can_be_kept)
{
    CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
    CHECK_ERRNO(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(setresuid(1000, 1000, 1000), 0);
        CHECK(capabilities().permitted == 0 && capabilities().effective == 0);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    unsigned int all = capabilities().permitted;
    CHECK(all != 0);
    CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
    CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
    CHECK_EQ(setresuid(1000, 1000, 1000), 0);
    CHECK(capabilities().permitted == all && capabilities().effective == 0);
    CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
    // A program doesn't inherit it.
    pid = fork();
    if (pid == 0) {
        execl("/bin/busybox", "grep", "-q", "CapPrm:.0000000000000000", "/proc/self/status", NULL);
        _exit(1);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST(getrandom_differs_and_checks)
{
    unsigned char a[64] = {0}, b[64] = {0};
    CHECK_EQ(getrandom(a, sizeof(a), 0), 64);
    CHECK_EQ(getrandom(b, sizeof(b), GRND_NONBLOCK), 64);
    CHECK(memcmp(a, b, 64));
    int ones = 0;
    for (int i = 0; i < 64; i++)
        ones += __builtin_popcount(a[i]);
    CHECK(ones > 160 && ones < 352);
    CHECK_ERRNO(getrandom(a, 8, 0x80), EINVAL);
    char *large = malloc(1 << 20);
    CHECK_EQ(getrandom(large, 1 << 20, 0), 1 << 20);
}

static void nothing(int signal_number)
{
}

// A GiB into one place.
static ssize_t read_a_gib(const char *path)
{
    static char buffer[1 << 20];
    static struct iovec parts[1024];
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    for (int i = 0; i < 1024; i++)
        parts[i] = (struct iovec){buffer, sizeof(buffer)};
    return readv(fd, parts, 1024);
}

TEST_SECONDS(a_signal_ends_a_large_read_of_urandom, 60)
{
    struct sigaction action = {.sa_handler = nothing};
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    alarm(1);
    ssize_t n = read_a_gib("/dev/urandom");
    CHECK(n > 0);
    CHECK(n < 1 << 30);
}

TEST_SECONDS(a_large_read_can_be_killed, 60)
{
    pid_t child = fork();
    if (child == 0) {
        read_a_gib("/dev/urandom");
        _exit(0);
    }
    usleep(200000);
    CHECK_EQ(kill(child, SIGKILL), 0);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(unknown_calls_are_enosys)
{
    static const long numbers[] = {244, 259 + 10000, 600, 1000, 5000, 0x7fffffff, -1, 1L << 40};
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        CHECK_ERRNO(syscall(numbers[i], 1, 2, 3, 4, 5, 6), ENOSYS);
}

TEST(the_kernel_log)
{
    char line[600];
    int fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "<5>written by misc\n", 19), 19);
    bool found = false;
    ssize_t n;
    while ((n = read(fd, line, sizeof(line) - 1)) > 0 || (n == -1 && errno == EPIPE)) {
        line[n > 0 ? n : 0] = 0;
        unsigned priority, sequence;
        unsigned long micros;
        CHECK(n < 0 || sscanf(line, "%u,%u,%lu,", &priority, &sequence, &micros) == 3);
        found |= strstr(line, ";written by misc\n") != NULL;
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK(found);
}

static void on_alarm(int number)
{
    (void)number;
}

TEST(syslog_reads_in_pieces_and_waits)
{
    char line[600], piece[8];
    struct sigaction action = {.sa_handler = on_alarm};
    while (klogctl(9, NULL, 0) > 0)
        CHECK(klogctl(2, line, sizeof(line)) > 0);
    int fd = open("/dev/kmsg", O_WRONLY);
    CHECK_EQ(write(fd, "<5>seen by syslog\n", 18), 18);
    size_t length = 0;
    do {
        int n = klogctl(2, piece, 7);
        CHECK(n > 0 && n <= 7 && length + n < sizeof(line));
        memcpy(line + length, piece, n);
        length += n;
    } while (line[length - 1] != '\n');
    line[length] = 0;
    CHECK(strstr(line, "seen by syslog\n"));
    CHECK_EQ(klogctl(9, NULL, 0), 0);
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    CHECK_ERRNO(klogctl(2, line, sizeof(line)), EINTR);
    pid_t pid = fork();
    if (pid == 0) {
        sleep_ms(50);
        _exit(write(fd, "<5>woken\n", 9) != 9);
    }
    CHECK(klogctl(2, line, sizeof(line)) > 0);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static void *look_by_thread_id(void *unused)
{
    struct rlimit limit;
    CHECK(gettid() != getpid());
    CHECK_EQ(prlimit(gettid(), RLIMIT_NOFILE, NULL, &limit), 0);
    CHECK_EQ(getpgid(gettid()), getpgid(0));
    CHECK_EQ(getsid(gettid()), getsid(0));
    return unused;
}

TEST(a_thread_id_names_its_process)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, look_by_thread_id, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(supplementary_groups)
{
    gid_t set[3] = {7, 8, 9}, got[10];
    CHECK_EQ(syscall(SYS_setgroups, 3, set), 0);
    CHECK_EQ(getgroups(10, got), 3);
    CHECK_EQ(got[0] + got[1] + got[2], 24);
    CHECK_EQ(getgroups(0, NULL), 3);
    CHECK_ERRNO(getgroups(2, got), EINVAL);
    CHECK_EQ(setresgid(1000, 1000, 1000), 0);
    CHECK_EQ(setresuid(1000, 1000, 1000), 0);
    CHECK_ERRNO(syscall(SYS_setgroups, 0, NULL), EPERM);
}

TEST(reboot_needs_its_words_and_rights)
{
    CHECK_ERRNO(syscall(SYS_reboot, 1, 2, 3, 0), EINVAL);
    CHECK_EQ(setuid(1000), 0);
    CHECK_ERRNO(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0), EPERM);
}

TEST(getcpu_and_thread_ids)
{
    unsigned cpu = 1000, node = 1000;
    CHECK_EQ(getcpu(&cpu, &node), 0);
    CHECK(cpu < 64 && node == 0);
    CHECK_EQ(gettid(), getpid());
    CHECK_EQ(syscall(SYS_set_tid_address, NULL), getpid());
}
