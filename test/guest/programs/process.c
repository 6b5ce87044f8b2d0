// SPDX-License-Identifier: BSD-2-Clause
// Life and death of processes: fork, vfork, clone, exec in all its forms and errors, wait in all
// its forms, orphans, credentials.
#include "ktap.h"
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

extern char **environ;

static void make_file(const char *path, const char *content, size_t size, int mode)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0700);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, content, size), size);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(chmod(path, mode), 0);
}

// Exit status of path run with one argument; 1000 + errno if exec fails, 2000 + signal.
static int run(const char *path, const char *argument)
{
    int status, failure = 0, fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        execl(path, path, argument, NULL);
        failure = errno;
        write(fds[1], &failure, sizeof(failure));
        _exit(99);
    }
    CHECK(pid > 0);
    close(fds[1]);
    bool failed = read(fds[0], &failure, sizeof(failure)) == sizeof(failure);
    close(fds[0]);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return failed                ? 1000 + failure
           : WIFSIGNALED(status) ? 2000 + WTERMSIG(status)
                                 : WEXITSTATUS(status);
}

TEST(fork_copies_and_wait_reports)
{
    volatile int here = 1;
    pid_t pid = fork();
    if (pid == 0) {
        here = 2;
        _exit(here + 40);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 42);
    CHECK_EQ(here, 1);
    CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
}

TEST(wait_without_children)
{
    CHECK_ERRNO(wait(NULL), ECHILD);
    CHECK_ERRNO(waitpid(1, NULL, 0), ECHILD);
    CHECK_ERRNO(waitpid(-1, NULL, 0x1000), EINVAL);
    siginfo_t info;
    CHECK_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
    CHECK_ERRNO(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
}

TEST(wnohang_and_wnowait)
{
    int fds[2], status;
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(fds[1]);
        read(fds[0], &byte, 1);
        _exit(3);
    }
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    siginfo_t info = {.si_pid = 55};
    CHECK_EQ(waitid(P_PID, pid, &info, WEXITED | WNOHANG), 0);
    CHECK_EQ(info.si_pid, 0);
    close(fds[1]);
    CHECK_EQ(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_status, 3);
    CHECK_EQ(info.si_signo, SIGCHLD);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 3);
}

TEST(waitid_tells_kill_stop_continue)
{
    siginfo_t info;
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    CHECK_EQ(kill(pid, SIGSTOP), 0);
    CHECK_EQ(waitid(P_PID, pid, &info, WSTOPPED), 0);
    CHECK_EQ(info.si_code, CLD_STOPPED);
    CHECK_EQ(info.si_status, SIGSTOP);
    CHECK_EQ(kill(pid, SIGCONT), 0);
    CHECK_EQ(waitid(P_PID, pid, &info, WCONTINUED), 0);
    CHECK_EQ(info.si_code, CLD_CONTINUED);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitid(P_PID, pid, &info, WEXITED), 0);
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_status, SIGKILL);
}

// The letter in /proc/PID/stat.
static char state_of(pid_t pid)
{
    char path[40], line[200] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    CHECK(read(fd, line, sizeof(line) - 1) > 0);
    close(fd);
    const char *end = strrchr(line, ')');
    CHECK(end);
    return end[2];
}

static void *pause_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

// A child with threads that stand still.
static pid_t fork_threads(int nr)
{
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        while (--nr > 0)
            if (pthread_create(&thread, NULL, pause_for_ever, NULL) != 0)
                _exit(1);
        pause_for_ever(NULL);
    }
    CHECK(pid > 0);
    return pid;
}

TEST(stopped_processes_are_shown_so)
{
    int status;
    pid_t pid = fork_threads(2);
    CHECK_EQ(kill(pid, SIGSTOP), 0);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(state_of(pid), 'T');
    CHECK_EQ(kill(pid, SIGCONT), 0);
    CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
    for (int i = 0; i < 1000 && state_of(pid) != 'S'; i++)
        sleep_ms(2);
    CHECK_EQ(state_of(pid), 'S');
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
}

TEST(who_is_killed_while_stopped_does_not_stop_again)
{
    int status;
    for (int i = 0; i < 30; i++) {
        pid_t pid = fork_threads(4);
        sleep_ms(i % 3);
        CHECK_EQ(kill(pid, SIGSTOP), 0);
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSTOPPED(status));
        CHECK_EQ(kill(pid, SIGKILL), 0);
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSIGNALED(status));
    }
}

TEST(wait_by_process_group)
{
    int status;
    pid_t grouped = fork();
    if (grouped == 0) {
        setpgid(0, 0);
        sleep_ms(30);
        _exit(1);
    }
    setpgid(grouped, grouped);
    pid_t plain = fork();
    if (plain == 0)
        _exit(2);
    CHECK_EQ(waitpid(0, &status, 0), plain);
    CHECK_EQ(WEXITSTATUS(status), 2);
    CHECK_EQ(waitpid(-grouped, &status, 0), grouped);
    CHECK_EQ(WEXITSTATUS(status), 1);
}

static volatile int shared_by_vfork;

TEST(vfork_shares_memory_and_parent_waits)
{
    pid_t pid = vfork();
    if (pid == 0) {
        struct timespec t = {0, 30000000};
        syscall(SYS_nanosleep, &t, NULL);
        shared_by_vfork = 77;
        _exit(0);
    }
    CHECK_EQ(shared_by_vfork, 77);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    pid = vfork();
    if (pid == 0) {
        execl("/bin/busybox", "sh", "-c", "exit 6", NULL);
        _exit(1);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 6);
}

TEST(exec_passes_arguments_and_environment)
{
    char *argv[] = {"sh", "-c", "[ \"$0$1$2$V\" = 'a b*7' ] && [ $# = 2 ]", "a", " b", "*", NULL};
    char *envp[] = {"V=7", NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execve("/bin/busybox", argv, envp);
        _exit(99);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST(exec_errors)
{
    CHECK_EQ(run("/nothere", NULL), 1000 + ENOENT);
    CHECK_EQ(run("/tmp", NULL), 1000 + EACCES);
    CHECK_EQ(run("/etc/passwd/x", NULL), 1000 + ENOTDIR);
    CHECK_EQ(run("", NULL), 1000 + ENOENT);
    make_file("/tmp/exec_a", "not a program\n", 14, 0755);
    CHECK_EQ(run("/tmp/exec_a", NULL), 1000 + ENOEXEC);
    make_file("/tmp/exec_a", "", 0, 0755);
    CHECK_EQ(run("/tmp/exec_a", NULL), 1000 + ENOEXEC);
    make_file("/tmp/exec_a", "#!/bin/busybox sh\nexit 4\n", 25, 0644);
    CHECK_EQ(run("/tmp/exec_a", NULL), 1000 + EACCES);
    CHECK_EQ(symlink("/tmp/exec_l", "/tmp/exec_l"), 0);
    CHECK_EQ(run("/tmp/exec_l", NULL), 1000 + ELOOP);
    unlink("/tmp/exec_a");
    unlink("/tmp/exec_l");
}

TEST(scripts)
{
    make_file("/tmp/script", "#!/bin/busybox sh\n[ \"$0 $1\" = '/tmp/script one' ] && exit 5\n", 60,
              0755);
    CHECK_EQ(run("/tmp/script", "one"), 5);
    make_file("/tmp/script", "#! /bin/busybox  sh \nexit 8\n", 28, 0755);
    CHECK_EQ(run("/tmp/script", NULL), 8);
    make_file("/tmp/script2", "#!/tmp/script\n", 14, 0755);
    make_file("/tmp/script", "#!/bin/busybox sh\n[ $1 = /tmp/script2 ] && exit 11\n", 51, 0755);
    CHECK_EQ(run("/tmp/script2", NULL), 11);
    make_file("/tmp/script", "#!/tmp/script\n", 14, 0755);
    CHECK_EQ(run("/tmp/script", NULL), 1000 + ELOOP);
    make_file("/tmp/script", "#!/nothere\n", 11, 0755);
    CHECK_EQ(run("/tmp/script", NULL), 1000 + ENOENT);
    make_file("/tmp/script", "#!\n", 3, 0755);
    CHECK_EQ(run("/tmp/script", NULL), 1000 + ENOEXEC);
    unlink("/tmp/script");
    unlink("/tmp/script2");
}

TEST(scripts_by_descriptor)
{
    static char *const argv[] = {"script", NULL};
    int status;
    CHECK(symlink("/proc/self/fd", "/dev/fd") == 0 || errno == EEXIST);
    make_file("/tmp/script", "#!/bin/busybox sh\nexit 6\n", 25, 0755);
    int fd = open("/tmp/script", O_RDONLY), tmp = open("/tmp", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0 && tmp >= 0);
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            syscall(SYS_execveat, i ? tmp : fd, i ? "script" : "", argv, environ,
                    i ? 0 : AT_EMPTY_PATH);
            _exit(99);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(WEXITSTATUS(status), 6);
    }
    CHECK_EQ(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    CHECK_ERRNO(syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH), ENOENT);
    unlink("/tmp/script");
}

TEST(exec_closes_cloexec_and_resets_handlers)
{
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, (void (*)(int))(uintptr_t)ktap_fail);
    int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char script[200];
    snprintf(
        script, sizeof(script),
        "[ -e /proc/self/fd/%d ] && [ ! -e /proc/self/fd/%d ] && kill -USR1 $$ && kill -USR2 $$",
        kept, closed);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/busybox", "sh", "-c", script, NULL);
        _exit(99);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGUSR2);
}

TEST(argument_list_too_long)
{
    char **argv = calloc(70000, sizeof(char *));
    static char word[4000];
    memset(word, 'x', sizeof(word) - 1);
    for (int i = 0; i < 3000; i++)
        argv[i] = word;
    pid_t pid = fork();
    if (pid == 0) {
        execve("/bin/busybox", argv, environ);
        _exit(errno == E2BIG ? 7 : 8);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 7);
    char *big = malloc(100001);
    memset(big, 'y', 100000);
    big[100000] = 0;
    char *fits[] = {"sh", "-c", "[ ${#0} = 100000 ]", big, NULL};
    pid = fork();
    if (pid == 0) {
        execve("/bin/busybox", fits, environ);
        _exit(99);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST(auxiliary_vector)
{
    CHECK_EQ(getauxval(AT_PAGESZ), 4096);
    CHECK_EQ(getauxval(AT_UID), getuid());
    CHECK_EQ(getauxval(AT_SECURE), 0);
    CHECK(getauxval(AT_PHDR) && getauxval(AT_PHNUM) && getauxval(AT_ENTRY));
    CHECK_EQ(getauxval(AT_PHENT), 56);
    CHECK(getauxval(AT_RANDOM));
    CHECK_EQ(getauxval(AT_CLKTCK), 100);
    CHECK(strstr((char *)getauxval(AT_EXECFN), "process"));
    // a, c, d, f, i, m of the ISA string
    CHECK_EQ(getauxval(AT_HWCAP) & 0x112d, 0x112d);
}

TEST(orphans_go_to_init)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            while (getppid() != 1)
                sleep_ms(1);
            write(fds[1], "1", 1);
            _exit(0);
        }
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    char byte = 0;
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(byte, '1');
}

TEST(subreaper_gets_orphans)
{
    CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            sleep_ms(30);
            _exit(21);
        }
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK(wait(&status) > 0);
    CHECK_EQ(WEXITSTATUS(status), 21);
}

TEST(ignored_sigchld_reaps_by_itself)
{
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
}

TEST(zombie_shows_in_proc_until_waited_for)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t info;
    CHECK_EQ(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
    char path[40], line[200] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    CHECK(read(fd, line, sizeof(line) - 1) > 0);
    CHECK(strstr(line, ") Z "));
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
    CHECK_ERRNO(kill(pid, 0), ESRCH);
}

static int clone_body(void *argument)
{
    *(int *)argument = 5;
    return 9;
}

TEST(clone_with_shared_memory)
{
    static int cell;
    char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t pid = clone(clone_body, stack + 65536, CLONE_VM | SIGCHLD, &cell);
    CHECK(pid > 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 9);
    CHECK_EQ(cell, 5);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
}

static int open_null(void *argument)
{
    *(int *)argument = open("/dev/null", O_RDONLY);
    return 0;
}

TEST(clone_with_shared_files)
{
    char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static int fd = -1;
    pid_t pid = clone(open_null, stack + 65536, CLONE_VM | CLONE_FILES | SIGCHLD, &fd);
    CHECK(pid > 0);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK(fd > 2);
    CHECK(fcntl(fd, F_GETFD) >= 0);
}

TEST(user_ids_drop_for_good)
{
    CHECK_EQ(setgid(1000), 0);
    CHECK_EQ(setuid(1000), 0);
    CHECK_EQ(geteuid(), 1000);
    CHECK_ERRNO(setuid(0), EPERM);
    CHECK_ERRNO(open("/etc/new", O_CREAT | O_WRONLY, 0600), EACCES);
    CHECK_ERRNO(kill(1, SIGTERM), EPERM);
    CHECK_ERRNO(chroot("/tmp"), EPERM);
    uid_t real, effective, saved;
    CHECK_EQ(getresuid(&real, &effective, &saved), 0);
    CHECK_EQ(real + effective + saved, 3000);
    struct rlimit limit = {2000, 3000000};
    CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
}

TEST(process_count_limit)
{
    struct rlimit limit = {1, 1};
    CHECK_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
    CHECK_EQ(setuid(1234), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    CHECK_EQ(pid, -1);
    CHECK_EQ(errno, EAGAIN);
}

TEST_SECONDS(fork_500_children_at_once, 60)
{
    pid_t pids[500];
    int fds[2], status;
    CHECK_EQ(pipe(fds), 0);
    for (int i = 0; i < 500; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            char byte;
            close(fds[1]);
            read(fds[0], &byte, 1);
            _exit(i & 63);
        }
        CHECK(pids[i] > 0);
    }
    close(fds[1]);
    for (int i = 0; i < 500; i++) {
        CHECK_EQ(waitpid(pids[i], &status, 0), pids[i]);
        CHECK_EQ(WEXITSTATUS(status), i & 63);
    }
}

TEST(usage_of_children_is_counted)
{
    pid_t pid = fork();
    if (pid == 0) {
        int64_t end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 60000000;
        while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
            ;
        _exit(0);
    }
    int status;
    struct rusage usage, children;
    CHECK_EQ(wait4(pid, &status, 0, &usage), pid);
    CHECK_EQ(getrusage(RUSAGE_CHILDREN, &children), 0);
    CHECK(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 40000);
    CHECK(children.ru_utime.tv_usec + children.ru_stime.tv_usec >= 40000);
}
