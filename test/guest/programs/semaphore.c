// SPDX-License-Identifier: BSD-2-Clause
// System V semaphores, sentence by sentence of the contract: all or nothing, waiting for zero,
// timeouts, signals, removal, the order of sleepers, SEM_UNDO, semctl(2), limits, /proc.
#include "sysv.h"
#include <pthread.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
#define UNDO SEM_UNDO
#define NOW  IPC_NOWAIT

union arg {
    int value;
    struct semid_ds *ds;
    unsigned short *all;
    struct seminfo *info;
};

static int make(int nr)
{
    int id = semget(IPC_PRIVATE, nr, 0600);
    CHECK(id >= 0);
    return id;
}

static int op(int id, int number, int by, int flags)
{
    struct sembuf b = {number, by, flags};
    return semop(id, &b, 1);
}

static int get(int id, int number)
{
    int value = semctl(id, number, GETVAL);
    CHECK(value >= 0);
    return value;
}

static void set(int id, int number, int value)
{
    CHECK_EQ(semctl(id, number, SETVAL, (union arg){.value = value}), 0);
}

static void drop(int id)
{
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

static struct semid_ds stat_of(int id)
{
    struct semid_ds ds;
    CHECK_EQ(semctl(id, 0, IPC_STAT, (union arg){.ds = &ds}), 0);
    return ds;
}

// Wait until so many sleep on the semaphore, for more or for zero.
static void wait_count(int id, int number, int command, int count)
{
    for (int i = 0; i < 5000; i++) {
        if (semctl(id, number, command) == count)
            return;
        sleep_ms(1);
    }
    CHECK_EQ(semctl(id, number, command), count);
}

TEST(get_makes_finds_and_refuses)
{
    key_t key = own_key(0);
    CHECK_ERRNO(semget(key, 3, 0600), ENOENT);
    CHECK_ERRNO(semget(key, 0, IPC_CREAT | 0600), EINVAL);
    CHECK_ERRNO(semget(key, -1, IPC_CREAT | 0600), EINVAL);
    CHECK_ERRNO(semget(key, 32001, IPC_CREAT | 0600), EINVAL);
    time_t before = time(NULL);
    int id = semget(key, 3, IPC_CREAT | 0640);
    CHECK(id >= 0);
    CHECK_EQ(semget(key, 0, 0), id);
    CHECK_EQ(semget(key, 3, IPC_CREAT | 0600), id);
    CHECK_ERRNO(semget(key, 4, 0600), EINVAL);
    CHECK_ERRNO(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    struct semid_ds ds = stat_of(id);
    CHECK_EQ(ds.sem_nsems, 3);
    CHECK_EQ(ds.sem_perm.mode, 0640);
    CHECK_EQ(ds.sem_perm.__key, key);
    CHECK_EQ(ds.sem_otime, 0);
    CHECK(ds.sem_ctime >= before && ds.sem_ctime <= time(NULL));
    for (int i = 0; i < 3; i++)
        CHECK(get(id, i) == 0 && semctl(id, i, GETPID) == 0);
    drop(id);
    CHECK_ERRNO(semctl(id, 0, GETVAL), EINVAL);
    CHECK_ERRNO(op(id, 0, 1, 0), EINVAL);
    CHECK_ERRNO(semctl(id, 0, IPC_RMID), EINVAL);
}

TEST(arguments_are_judged)
{
    struct sembuf many[501] = {0};
    int id = make(2);
    CHECK_ERRNO(semop(id, many, 501), E2BIG);
    CHECK_ERRNO(semop(id, many, 0), EINVAL);
    CHECK_ERRNO(semop(id, (void *)8, 1), EFAULT);
    CHECK_ERRNO(semop(-1, many, 1), EINVAL);
    CHECK_ERRNO(op(id, 2, 1, 0), EFBIG);
    CHECK_ERRNO(op(id, 65535, 0, 0), EFBIG);
    CHECK_EQ(semop(id, many, 500), 0);
    struct timespec bad = {0, 1000000000}, negative = {-1, 0};
    CHECK_ERRNO(semtimedop(id, many, 1, &bad), EINVAL);
    CHECK_ERRNO(semtimedop(id, many, 1, &negative), EINVAL);
    CHECK_ERRNO(semctl(id, 2, GETVAL), EINVAL);
    CHECK_ERRNO(semctl(id, -1, GETVAL), EINVAL);
    CHECK_ERRNO(semctl(id, 2, SETVAL, (union arg){.value = 1}), EINVAL);
    CHECK_ERRNO(semctl(id, 0, SETVAL, (union arg){.value = -1}), ERANGE);
    CHECK_ERRNO(semctl(id, 0, SETVAL, (union arg){.value = 32768}), ERANGE);
    CHECK_ERRNO(semctl(id, 0, 77), EINVAL);
    CHECK_ERRNO(semctl(-1, 0, GETVAL), EINVAL);
    CHECK_ERRNO(semctl(id, 0, IPC_STAT, (union arg){.ds = (void *)8}), EFAULT);
    CHECK_ERRNO(semctl(id, 0, GETALL, (union arg){.all = (void *)8}), EFAULT);
    unsigned short values[2] = {1, 32768};
    CHECK_ERRNO(semctl(id, 0, SETALL, (union arg){.all = values}), ERANGE);
    CHECK_EQ(get(id, 0), 0);
    drop(id);
}

TEST(values_pids_and_times)
{
    int id = make(3);
    time_t before = time(NULL);
    CHECK_EQ(op(id, 0, 5, 0), 0);
    CHECK_EQ(op(id, 0, -2, 0), 0);
    CHECK_EQ(get(id, 0), 3);
    CHECK_EQ(semctl(id, 0, GETPID), getpid());
    CHECK_EQ(semctl(id, 1, GETPID), 0);
    CHECK(stat_of(id).sem_otime >= before);
    pid_t pid = CHILD(CHECK_EQ(op(id, 1, 0, 0), 0));
    REAP(pid);
    CHECK_EQ(semctl(id, 1, GETPID), pid);
    set(id, 0, 32767);
    CHECK_ERRNO(op(id, 0, 1, 0), ERANGE);
    CHECK_ERRNO(op(id, 0, 0, NOW), EAGAIN);
    CHECK_ERRNO(op(id, 1, -1, NOW), EAGAIN);
    unsigned short values[3] = {7, 8, 9}, got[3] = {0};
    CHECK_EQ(semctl(id, 0, SETALL, (union arg){.all = values}), 0);
    CHECK_EQ(semctl(id, 0, GETALL, (union arg){.all = got}), 0);
    CHECK(!memcmp(values, got, sizeof(got)));
    CHECK_EQ(semctl(id, 2, GETPID), getpid());
    drop(id);
}

TEST(all_or_nothing)
{
    int id = make(3);
    set(id, 0, 5);
    struct sembuf ops[] = {{0, -3, 0}, {1, 2, 0}, {2, -1, NOW}};
    CHECK_ERRNO(semop(id, ops, 3), EAGAIN);
    CHECK(get(id, 0) == 5 && get(id, 1) == 0);
    set(id, 2, 1);
    CHECK_EQ(semop(id, ops, 3), 0);
    CHECK(get(id, 0) == 2 && get(id, 1) == 2 && get(id, 2) == 0);
    // In order, on one semaphore: up, then down, then zero is asked for.
    struct sembuf same[] = {{2, 3, 0}, {2, -3, 0}, {2, 0, 0}};
    CHECK_EQ(semop(id, same, 3), 0);
    struct sembuf over[] = {{0, 1, 0}, {1, 32766, 0}};
    CHECK_ERRNO(semop(id, over, 2), ERANGE);
    CHECK(get(id, 0) == 2 && get(id, 1) == 2);
    drop(id);
}

static void as_stranger(int id)
{
    CHECK_ERRNO(op(id, 0, 1, NOW), EACCES);
    CHECK_EQ(op(id, 0, 0, NOW), 0);
    CHECK_EQ(semctl(id, 0, GETVAL), 0);
    CHECK_ERRNO(semctl(id, 0, SETVAL, (union arg){.value = 1}), EACCES);
    unsigned short value = 1;
    CHECK_ERRNO(semctl(id, 0, SETALL, (union arg){.all = &value}), EACCES);
    CHECK_ERRNO(semctl(id, 0, IPC_RMID), EPERM);
    struct semid_ds ds = stat_of(id);
    CHECK_ERRNO(semctl(id, 0, IPC_SET, (union arg){.ds = &ds}), EPERM);
}

TEST(permissions)
{
    int id = semget(IPC_PRIVATE, 1, 0604);
    AS_USER(1000, 1000, as_stranger(id));
    AS_USER(1000, 0, CHECK_ERRNO(op(id, 0, 0, NOW), EACCES);
            CHECK_ERRNO(semctl(id, 0, GETVAL), EACCES));
    struct semid_ds ds = stat_of(id);
    ds.sem_perm.uid = 1000;
    ds.sem_perm.mode = 07600;
    CHECK_EQ(semctl(id, 0, IPC_SET, (union arg){.ds = &ds}), 0);
    CHECK_EQ(stat_of(id).sem_perm.mode, 0600);
    AS_USER(1000, 1000, CHECK_EQ(op(id, 0, 1, 0), 0); drop(id));
}

TEST(a_sleeper_goes_on_when_there_is_enough)
{
    int id = make(1);
    pid_t pid = CHILD(CHECK_EQ(op(id, 0, -3, 0), 0));
    wait_count(id, 0, GETNCNT, 1);
    CHECK_EQ(semctl(id, 0, GETZCNT), 0);
    CHECK_EQ(op(id, 0, 2, 0), 0);
    CHECK_EQ(get(id, 0), 2);
    CHECK_EQ(op(id, 0, 2, 0), 0);
    REAP(pid);
    CHECK_EQ(get(id, 0), 1);
    CHECK_EQ(semctl(id, 0, GETPID), pid);
    pid = CHILD(CHECK_EQ(op(id, 0, 0, 0), 0));
    wait_count(id, 0, GETZCNT, 1);
    CHECK_EQ(op(id, 0, -1, 0), 0);
    REAP(pid);
    drop(id);
}

// Sleepers start one after the other and write their number when they have gone on.
static int order_pipe[2];

static pid_t queue_up(int id, char name, struct sembuf *ops, int nr)
{
    pid_t pid = CHILD(CHECK_EQ(semop(id, ops, nr), 0); write(order_pipe[1], &name, 1));
    wait_asleep(pid);
    return pid;
}

TEST(sleepers_are_served_in_order_and_block_nobody)
{
    char name;
    int id = make(1);
    CHECK_EQ(pipe(order_pipe), 0);
    struct sembuf two = {0, -2, 0}, one = {0, -1, 0};
    pid_t a = queue_up(id, 'a', &two, 1), b = queue_up(id, 'b', &one, 1),
          c = queue_up(id, 'c', &one, 1);
    CHECK_EQ(op(id, 0, 1, 0), 0); // not enough for a; b is next
    CHECK_EQ(read(order_pipe[0], &name, 1), 1);
    CHECK_EQ(name, 'b');
    REAP(b);
    CHECK_EQ(op(id, 0, 2, 0), 0); // a and c could both start: a was first
    CHECK_EQ(read(order_pipe[0], &name, 1), 1);
    CHECK_EQ(name, 'a');
    REAP(a);
    CHECK_EQ(semctl(id, 0, GETNCNT), 1);
    CHECK_EQ(op(id, 0, 1, 0), 0);
    REAP(c);
    drop(id);
}

TEST(one_wake_up_serves_all_that_can_run)
{
    int id = make(2);
    CHECK_EQ(pipe(order_pipe), 0);
    struct sembuf take = {0, -1, 0}, zero = {0, 0, 0}, pair[] = {{0, -1, 0}, {1, 1, 0}},
                  second = {1, -1, 0};
    set(id, 0, 1);
    pid_t z = queue_up(id, 'z', &zero, 1), s = queue_up(id, 's', &second, 1);
    CHECK_EQ(op(id, 0, -1, 0), 0);
    REAP(z);
    pid_t t1 = queue_up(id, 't', &take, 1), t2 = queue_up(id, 't', &take, 1),
          p = queue_up(id, 'p', pair, 2);
    CHECK_EQ(op(id, 0, 3, 0), 0); // both takers, the pair, and through it the one on semaphore 1
    REAP(t1);
    REAP(t2);
    REAP(p);
    REAP(s);
    CHECK(get(id, 0) == 0 && get(id, 1) == 0);
    // SETVAL and SETALL serve as well.
    t1 = queue_up(id, 't', &take, 1);
    set(id, 0, 1);
    REAP(t1);
    t1 = queue_up(id, 't', &take, 1);
    unsigned short values[2] = {1, 0};
    CHECK_EQ(semctl(id, 0, SETALL, (union arg){.all = values}), 0);
    REAP(t1);
    drop(id);
}

TEST(counts_name_what_blocks)
{
    int id = make(3);
    CHECK_EQ(pipe(order_pipe), 0);
    set(id, 0, 1);
    struct sembuf ops[] = {{0, -1, 0}, {1, -1, 0}, {2, 0, 0}};
    pid_t pid = queue_up(id, 'x', ops, 3);
    CHECK(semctl(id, 0, GETNCNT) == 0 && semctl(id, 1, GETNCNT) == 1);
    set(id, 2, 1);
    CHECK_EQ(op(id, 1, 1, 0), 0);
    CHECK(semctl(id, 1, GETNCNT) == 0 && semctl(id, 2, GETZCNT) == 1);
    CHECK_EQ(op(id, 2, -1, 0), 0);
    REAP(pid);
    drop(id);
}

TEST(removal_ends_sleepers)
{
    int id = make(2);
    struct sembuf pair[] = {{0, -1, 0}, {1, 0, 0}};
    pid_t a = CHILD(CHECK_ERRNO(op(id, 0, -1, 0), EIDRM)),
          b = CHILD(CHECK_ERRNO(semop(id, pair, 2), EIDRM));
    wait_count(id, 0, GETNCNT, 2);
    drop(id);
    REAP(a);
    REAP(b);
}

static void on_signal(int number)
{
    (void)number;
}

static void interrupted(int id, int report)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_ERRNO(op(id, 0, -1, 0), EINTR);
    write(report, "", 1);
    struct timespec long_time = {100, 0};
    struct sembuf b = {0, -1, 0};
    CHECK_ERRNO(semtimedop(id, &b, 1, &long_time), EINTR);
}

TEST(a_signal_interrupts_for_good)
{
    int id = make(1), fds[2];
    char byte;
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = CHILD(interrupted(id, fds[1]));
    wait_count(id, 0, GETNCNT, 1);
    CHECK_EQ(kill(pid, SIGUSR1), 0);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    wait_count(id, 0, GETNCNT, 1);
    CHECK_EQ(kill(pid, SIGUSR1), 0);
    REAP(pid);
    CHECK_EQ(semctl(id, 0, GETNCNT), 0);
    // Nor does it go on after a stop.
    pid = CHILD(CHECK_ERRNO(op(id, 0, -1, 0), EINTR));
    wait_count(id, 0, GETNCNT, 1);
    int status;
    CHECK_EQ(kill(pid, SIGSTOP), 0);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_EQ(kill(pid, SIGCONT), 0);
    REAP(pid);
    drop(id);
}

TEST(timeouts)
{
    int id = make(1);
    struct timespec t = {0, 50000000}, none = {0, 0};
    struct sembuf b = {0, -1, 0};
    int64_t before = now_ns(CLOCK_MONOTONIC);
    CHECK_ERRNO(semtimedop(id, &b, 1, &t), EAGAIN);
    CHECK(now_ns(CLOCK_MONOTONIC) - before >= 50000000);
    CHECK_ERRNO(semtimedop(id, &b, 1, &none), EAGAIN);
    CHECK_EQ(semctl(id, 0, GETNCNT), 0);
    set(id, 0, 1);
    CHECK_EQ(semtimedop(id, &b, 1, &none), 0);
    drop(id);
}

TEST(undo_at_exit_and_by_kill)
{
    int id = make(2);
    set(id, 0, 5);
    pid_t pid = CHILD(CHECK_EQ(op(id, 0, -2, UNDO), 0); CHECK_EQ(op(id, 1, 3, UNDO), 0);
                      CHECK_EQ(op(id, 1, 4, 0), 0));
    REAP(pid);
    CHECK_EQ(get(id, 0), 5);
    CHECK_EQ(get(id, 1), 4);
    CHECK_EQ(semctl(id, 0, GETPID), pid);
    // What can't be taken back is lost.
    pid = CHILD(CHECK_EQ(op(id, 0, 3, UNDO), 0); CHECK_EQ(op(id, 0, -8, 0), 0));
    REAP(pid);
    CHECK_EQ(get(id, 0), 0);
    int status;
    set(id, 0, 1);
    pid = CHILD(CHECK_EQ(op(id, 0, -1, UNDO), 0); pause());
    for (int i = 0; get(id, 0) != 0 && i < 5000; i++)
        sleep_ms(1);
    pid_t waits = CHILD(CHECK_EQ(op(id, 0, -1, 0), 0));
    wait_count(id, 0, GETNCNT, 1);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    REAP(waits);
    drop(id);
}

TEST(undo_is_kept_by_exec_not_by_fork)
{
    int id = make(1);
    set(id, 0, 3);
    pid_t pid = CHILD({
        CHECK_EQ(op(id, 0, -1, UNDO), 0);
        REAP(CHILD());
        CHECK_EQ(get(id, 0), 2);
        execl("/bin/busybox", "true", NULL);
        _exit(1);
    });
    REAP(pid);
    CHECK_EQ(get(id, 0), 3);
    drop(id);
}

static int thread_id;

static void *take_with_undo(void *arg)
{
    CHECK_EQ(op(thread_id, 0, -1, UNDO), 0);
    return arg;
}

TEST(threads_share_undo)
{
    thread_id = make(1);
    set(thread_id, 0, 2);
    REAP(CHILD({
        pthread_t t;
        CHECK_EQ(pthread_create(&t, NULL, take_with_undo, NULL), 0);
        CHECK_EQ(pthread_join(t, NULL), 0);
        CHECK_EQ(get(thread_id, 0), 1); // the process goes on
    }));
    CHECK_EQ(get(thread_id, 0), 2);
    drop(thread_id);
}

TEST(setting_a_value_clears_undo)
{
    int id = make(2), fds[2];
    char byte;
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = CHILD({
        struct sembuf both[] = {{0, 4, UNDO}, {1, 4, UNDO}};
        CHECK_EQ(semop(id, both, 2), 0);
        read(fds[0], &byte, 1);
    });
    for (int i = 0; get(id, 1) != 4 && i < 5000; i++)
        sleep_ms(1);
    set(id, 0, 4);
    write(fds[1], "", 1);
    REAP(pid);
    CHECK_EQ(get(id, 0), 4);
    CHECK_EQ(get(id, 1), 0);
    pid = CHILD(CHECK_EQ(op(id, 0, 1, UNDO), 0); read(fds[0], &byte, 1));
    for (int i = 0; get(id, 0) != 5 && i < 5000; i++)
        sleep_ms(1);
    unsigned short values[2] = {5, 5};
    CHECK_EQ(semctl(id, 0, SETALL, (union arg){.all = values}), 0);
    write(fds[1], "", 1);
    REAP(pid);
    CHECK_EQ(get(id, 0), 5);
    drop(id);
}

TEST(undo_has_a_range)
{
    int id = make(1);
    REAP(CHILD({
        CHECK_EQ(op(id, 0, 32767, UNDO), 0);
        CHECK_EQ(op(id, 0, -32767, 0), 0);
        CHECK_EQ(op(id, 0, 1, UNDO), 0); // -32768 is in range
        CHECK_EQ(op(id, 0, -1, 0), 0);
        CHECK_ERRNO(op(id, 0, 1, UNDO), ERANGE);
        CHECK_EQ(get(id, 0), 0);
    }));
    drop(id);
}

TEST(undo_after_removal_is_nothing)
{
    int id = make(1);
    REAP(CHILD({
        CHECK_EQ(op(id, 0, 1, UNDO), 0);
        drop(id);
        int other = make(1);
        set(other, 0, 3);
        CHECK_EQ(op(other, 0, 1, UNDO), 0);
        drop(other);
    }));
    id = make(1);
    CHECK_EQ(get(id, 0), 0);
    drop(id);
}

TEST(info_stat_and_proc)
{
    struct seminfo info, usage;
    struct semid_ds ds;
    char line[300], want[100];
    int id = semget(own_key(1), 5, IPC_CREAT | 0640), found = 0;
    int highest = semctl(0, 0, IPC_INFO, (union arg){.info = &info});
    CHECK(highest >= 0);
    CHECK(info.semmni == 32000 && info.semmsl == 32000 && info.semmns == 1024000000);
    CHECK(info.semopm == 500 && info.semvmx == 32767 && info.semaem == 32767);
    CHECK(info.semmap == 1024000000 && info.semmnu == 1024000000 && info.semume == 500);
    CHECK_EQ(info.semusz, 20);
    CHECK_EQ(semctl(0, 0, SEM_INFO, (union arg){.info = &usage}), highest);
    CHECK(usage.semusz >= 1 && usage.semaem >= 5);
    for (int i = 0; i <= highest; i++)
        found += semctl(i, 0, SEM_STAT, (union arg){.ds = &ds}) == id && ds.sem_nsems == 5;
    CHECK_EQ(found, 1);
    CHECK(proc_line("sem", id, line, sizeof(line)));
    snprintf(want, sizeof(want), "%10d %10d   640          5     0     0     0     0          0 ",
             own_key(1), id);
    CHECK(!strncmp(line, want, strlen(want)));
    CHECK_EQ(strlen(line), strlen(want) + 11);
    char limits[80];
    int fd = open("/proc/sys/kernel/sem", O_RDONLY);
    ssize_t n = read(fd, limits, sizeof(limits));
    CHECK_EQ(n, sizeof("32000\t1024000000\t500\t32000\n") - 1);
    CHECK(!memcmp(limits, "32000\t1024000000\t500\t32000\n", n));
    drop(id);
    CHECK(!proc_line("sem", id, line, sizeof(line)));
}

TEST(limits_can_be_lowered)
{
    CHECK_EQ(sysctl_write("sem", "10 1024000000 3 32000\n"), 0);
    int eleven = semget(IPC_PRIVATE, 11, 0600), first = errno;
    int ten = semget(IPC_PRIVATE, 10, 0600);
    struct sembuf ops[4] = {{0, 1, 0}, {0, 1, 0}, {0, 1, 0}, {0, 1, 0}};
    int four = semop(ten, ops, 4), second = errno, three = semop(ten, ops, 3);
    CHECK_EQ(sysctl_write("sem", "32000\t1024000000 500 32000\n"), 0);
    CHECK(eleven == -1 && first == EINVAL);
    CHECK(four == -1 && second == E2BIG);
    CHECK_EQ(three, 0);
    drop(ten);
    CHECK_EQ(sysctl_write("sem", "32000 1024000000 500 40000\n"), ERANGE);
}

TEST_SECONDS(kill_storm, 120)
{
    int id = make(4);
    for (int i = 0; i < 4; i++)
        set(id, i, 1);
    for (int round = 0; round < 200; round++) {
        pid_t pids[3];
        for (int p = 0; p < 3; p++)
            pids[p] = CHILD(for (;;) {
                struct sembuf ops[] = {{(round + p) % 4, -1, UNDO},
                                       {(round + p + 1) % 4, -1, UNDO}};
                semop(id, ops, 2);
                ops[0].sem_op = ops[1].sem_op = 1;
                semop(id, ops, 2);
                op(id, p, -1, UNDO);
                op(id, p, 1, UNDO);
            });
        for (volatile int i = 0; i < round % 40 * 3000; i++)
            ;
        for (int p = 0; p < 3; p++)
            kill(pids[p], SIGKILL);
        for (int p = 0; p < 3; p++) {
            int status;
            CHECK_EQ(waitpid(pids[p], &status, 0), pids[p]);
        }
        for (int i = 0; i < 4; i++)
            CHECK(get(id, i) == 1 && semctl(id, i, GETNCNT) == 0);
    }
    drop(id);
}

TEST_SECONDS(ping_pong, 60)
{
    int id = make(2), rounds = 5000;
    pid_t pid = CHILD(for (int i = 0; i < rounds; i++) {
        CHECK_EQ(op(id, 0, -1, 0), 0);
        CHECK_EQ(op(id, 1, 1, 0), 0);
    });
    for (int i = 0; i < rounds; i++) {
        CHECK_EQ(op(id, 0, 1, 0), 0);
        CHECK_EQ(op(id, 1, -1, 0), 0);
    }
    REAP(pid);
    CHECK(get(id, 0) == 0 && get(id, 1) == 0);
    drop(id);
}
