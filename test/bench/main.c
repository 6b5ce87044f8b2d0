// SPDX-License-Identifier: BSD-2-Clause
// What the guest boots: as process 1 it stamps the boot, mounts what the benchmarks need, runs
// those that the environment chooses (words of the kernel's command line) and powers off.
// bench_filter (names to run, an extended regular expression), bench_after (begin behind that row),
// bench_libc (those alone that differ with the C library) and bench_mode: instructions, clock,
// boot, smoke (a few operations each), profile, symbols. It prints one line a row: "@ name
// ok|missing|failed value unit" (thousandths), and "@boot what ticks".
#include "bench.h"

#include <fcntl.h>
#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

// Of one repetition: 3 million instructions, or 5 ms by the clock: less than what a host takes a
// processor away for.
#define TARGET_TICKS       30000
#define TARGET_CLOCK_TICKS 50000
#define REPETITIONS        5
#define CLOCK_REPETITIONS  31
#define EXIT_MISSING       77

enum mode { INSTRUCTIONS, CLOCK, BOOT, SMOKE, PROFILE, SYMBOLS };
static const char *const mode_names[] = {"instructions", "clock",   "boot",
                                         "smoke",        "profile", "symbols"};

static const struct bench *const lists[] = {
    bench_calls, bench_signals, bench_processes, bench_switches,   bench_memory, bench_mappings,
    bench_futex, bench_sysv,    bench_files,     bench_throughput, bench_usage,  bench_harts_list,
};

long bench_arg, bench_harts;
static const struct bench *current;
static enum mode mode;
static uint64_t started, ticks;

void __attribute__((noinline)) profile_begin(void)
{
    __asm__ volatile("" ::: "memory");
}

void __attribute__((noinline)) profile_end(void)
{
    __asm__ volatile("" ::: "memory");
}

void __attribute__((noinline)) profile_reset(void)
{
    __asm__ volatile("" ::: "memory");
}

void bench_start(void)
{
    profile_begin();
    started = bench_ticks();
}

void bench_stop(void)
{
    ticks += bench_ticks() - started;
    profile_end();
}

void bench_result(uint64_t thousandths)
{
    printf("@ %s ok %llu %s\n", current->name, (unsigned long long)thousandths,
           current->unit   ? current->unit
           : mode == CLOCK ? "ns"
                           : "instructions");
    fflush(stdout);
}

void bench_fail(const char *what)
{
    const char *verdict = errno == ENOSYS ? "missing" : "failed";
    printf("@ %s %s %s: %s\n", current->name, verdict, what, strerror(errno));
    fflush(stdout);
    _exit(EXIT_MISSING);
}

static uint64_t timed_run(long n)
{
    ticks = 0;
    current->run(n);
    return ticks;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// One slow run must not end the calibration: by the clock the least of three counts.
static uint64_t calibrating_run(long n)
{
    uint64_t least = timed_run(n);
    for (int i = 1; mode == CLOCK && i < 3; i++) {
        uint64_t again = timed_run(n);
        least = again < least ? again : least;
    }
    return least;
}

// Doubles the number of operations until a run is long enough, which also warms what is to be warm;
// then the median of some repetitions, by the clock the least: what a busy host adds is not the
// kernel's.
static void measure(void)
{
    long limit = current->limit ? current->limit : 1L << 30, n = 1;
    uint64_t target = mode == CLOCK ? TARGET_CLOCK_TICKS : TARGET_TICKS;
    if (mode == SMOKE) {
        timed_run(limit < 3 ? limit : 3);
        return bench_result(0);
    }
    while (calibrating_run(n) < target && n < limit)
        n = n * 2 < limit ? n * 2 : limit;
    if (mode == PROFILE) {
        printf("@profile %ld\n", n);
        fflush(stdout);
        profile_reset();
        timed_run(n);
        return;
    }
    double figures[CLOCK_REPETITIONS];
    int count = mode == CLOCK ? CLOCK_REPETITIONS : REPETITIONS;
    for (int i = 0; i < count; i++)
        figures[i] = (double)timed_run(n) * 100000 / (double)n;
    qsort(figures, (size_t)count, sizeof(figures[0]), compare);
    bench_result((uint64_t)(figures[mode == CLOCK ? 0 : count / 2] + 0.5));
}

// In a child, so that memory, descriptors and threads are those of a new process for each.
static void run_one(const struct bench *bench)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        current = bench;
        bench_arg = bench->arg;
        if (bench->setup)
            bench->setup();
        if (bench->measure)
            bench->measure();
        else
            measure();
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        printf("@ %s failed fork: %s\n", bench->name, strerror(errno));
    else if (status != 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_MISSING))
        printf("@ %s failed status %x\n", bench->name, (unsigned int)status);
    kill(-pid, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    fflush(stdout);
}

static void run_all(const char *filter, const char *after)
{
    regex_t regex;
    if (regcomp(&regex, filter, REG_EXTENDED | REG_NOSUB)) {
        printf("@error no regular expression: %s\n", filter);
        return;
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (const struct bench *b = lists[i]; b->name; b++) {
            bool of_mode =
                mode == CLOCK ? b->several : mode == SMOKE || lists[i] != bench_harts_list;
            if (getenv("bench_libc") && !b->libc)
                continue;
            if (after && strcmp(b->name, after) == 0)
                after = NULL;
            else if (of_mode && !after && regexec(&regex, b->name, 0, NULL, 0) == 0)
                run_one(b);
        }
    }
}

// What is not there already; a kernel without one of these shows in the rows that need it.
static void prepare(void)
{
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mkdir("/dev", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mkdir("/dev/shm", 01777);
    mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL);
    mkdir("/dev/mqueue", 01777);
    mount("mqueue", "/dev/mqueue", "mqueue", 0, NULL);
    mkdir("/tmp", 01777);
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    struct rlimit files = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &files);
}

// What Debian's kernel needs for the disk; Vireo has its drivers built in and knows no modules.
static void load_module(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return;
    if (syscall(SYS_finit_module, fd, "", 4 /* MODULE_INIT_COMPRESSED_FILE */) && errno != ENOSYS)
        printf("@error %s: %s\n", path, strerror(errno));
    close(fd);
}

// The kernel's functions, for a kernel that comes without a list of them.
static void print_symbols(void)
{
    char line[512];
    FILE *file = fopen("/proc/kallsyms", "r");
    while (file && fgets(line, sizeof(line), file)) {
        char kind = strlen(line) > 18 ? line[17] : 0;
        if ((kind == 't' || kind == 'T' || kind == 'w' || kind == 'W') && !strchr(line, '['))
            fputs(line, stdout);
    }
}

// Waits until nothing else wants the hart: Linux tests its own ciphers in the background for
// seconds after boot, which would be counted as part of whatever runs.
static void await_quiet(void)
{
    for (int quiet = 0, tries = 0; quiet < 5 && tries < 600; tries++) {
        uint64_t before = bench_ticks();
        for (int i = 0; i < 20; i++)
            sched_yield();
        quiet = bench_ticks() - before < 2000 ? quiet + 1 : 0; // 10 us each
        usleep(100000);
    }
}

static void boot_rows(uint64_t at_entry)
{
    printf("@boot init %llu\n", (unsigned long long)at_entry);
    long used = bench_meminfo("MemFree:") + bench_meminfo("Cached:") + bench_meminfo("AnonPages:");
    printf("@boot free-or-users-kib %ld\n", used);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/busybox", "sh", "-c", "/init stamp", NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
    uint64_t at_entry = bench_ticks();
    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        return 0;
    if (argc > 1 && strcmp(argv[1], "stamp") == 0) {
        printf("@boot shell %llu\n", (unsigned long long)at_entry);
        return 0;
    }
    const char *mode_name = getenv("bench_mode"), *filter = getenv("bench_filter");
    for (int i = 0; mode_name && i <= SYMBOLS; i++) {
        if (strcmp(mode_name, mode_names[i]) == 0)
            mode = (enum mode)i;
    }
    bench_harts = sysconf(_SC_NPROCESSORS_ONLN);
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    if (mode == BOOT)
        boot_rows(at_entry);
    prepare();
    load_module("/modules/virtio_mmio.ko.xz");
    load_module("/modules/virtio_blk.ko.xz");
    if (mode != SMOKE)
        await_quiet();
    if (mode == SYMBOLS)
        print_symbols();
    else if (mode != BOOT)
        run_all(filter ? filter : ".", getenv("bench_after"));
    printf("@end\n");
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}
