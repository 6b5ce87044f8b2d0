// SPDX-License-Identifier: BSD-2-Clause
// SEM_UNDO of groups (CLONE_SYSVSEM, unshare) and of sleepers; and what else may come of a sleeper
// besides being served: refused when it is its turn, or left alone by signals that mean nothing.
#include "sysv.h"
#include <sched.h>

#define UNDO SEM_UNDO
#define NOW  IPC_NOWAIT

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
    return semctl(id, number, GETVAL);
}

static void set(int id, int number, int value)
{
    CHECK_EQ(semctl(id, number, SETVAL, value), 0);
}

static void wait_value(int id, int number, int value)
{
    for (int i = 0; get(id, number) != value && i < 5000; i++)
        sleep_ms(1);
    CHECK_EQ(get(id, number), value);
}

static void drop(int id)
{
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

// fork() with these flags of clone(2) besides.
static pid_t fork_with(unsigned long flags)
{
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

TEST(a_group_undoes_with_its_last)
{
    int id = make(1), go[2], status;
    char byte;
    set(id, 0, 10);
    CHECK_EQ(pipe(go), 0);
    pid_t first = CHILD({
        CHECK_EQ(op(id, 0, -1, UNDO), 0);
        pid_t second = fork_with(CLONE_SYSVSEM);
        if (second == 0) {
            CHECK_EQ(op(id, 0, -2, UNDO), 0);
            read(go[0], &byte, 1);
            _exit(0);
        }
        wait_value(id, 0, 7);
        _exit(0);
    });
    CHECK_EQ(waitpid(first, &status, 0), first);
    CHECK_EQ(status, 0);
    CHECK_EQ(get(id, 0), 7); // the second still has the list
    write(go[1], "", 1);
    wait_value(id, 0, 10);
    drop(id);
}

TEST(a_plain_child_has_its_own)
{
    int id = make(1);
    set(id, 0, 10);
    REAP(CHILD({
        CHECK_EQ(op(id, 0, -1, UNDO), 0);
        REAP(CHILD(CHECK_EQ(op(id, 0, -2, UNDO), 0)));
        CHECK_EQ(get(id, 0), 9);
        pid_t vforked = vfork();
        if (vforked == 0)
            _exit(0);
        CHECK_EQ(waitpid(vforked, NULL, 0), vforked);
        CHECK_EQ(get(id, 0), 9);
    }));
    CHECK_EQ(get(id, 0), 10);
    drop(id);
}

TEST(unshare_undoes_what_nobody_else_has)
{
    int id = make(1), go[2];
    char byte;
    set(id, 0, 10);
    CHECK_EQ(pipe(go), 0);
    REAP(CHILD({
        CHECK_EQ(op(id, 0, -1, UNDO), 0);
        CHECK_EQ(unshare(CLONE_SYSVSEM), 0);
        CHECK_EQ(get(id, 0), 10);
        CHECK_EQ(semctl(id, 0, GETPID), getpid());
        CHECK_EQ(unshare(CLONE_SYSVSEM), 0); // nothing left
        CHECK_EQ(op(id, 0, -3, UNDO), 0);
        pid_t other = fork_with(CLONE_SYSVSEM);
        if (other == 0) {
            read(go[0], &byte, 1);
            _exit(0);
        }
        CHECK_EQ(unshare(CLONE_SYSVSEM), 0);
        CHECK_EQ(get(id, 0), 7); // the other one has it still
        write(go[1], "", 1);
        REAP(other);
        CHECK_EQ(get(id, 0), 10);
    }));
    drop(id);
}

TEST(only_what_was_done_is_undone)
{
    int id = make(2), status;
    pid_t sleeper = CHILD(op(id, 0, -1, UNDO));
    wait_asleep(sleeper);
    CHECK_EQ(kill(sleeper, SIGKILL), 0);
    CHECK_EQ(waitpid(sleeper, &status, 0), sleeper);
    CHECK_EQ(get(id, 0), 0);
    // A sleeper that was served is undone like anybody.
    sleeper = CHILD(CHECK_EQ(op(id, 0, -1, UNDO), 0); pause());
    wait_asleep(sleeper);
    CHECK_EQ(op(id, 0, 1, 0), 0);
    wait_value(id, 0, 0);
    CHECK_EQ(kill(sleeper, SIGKILL), 0);
    CHECK_EQ(waitpid(sleeper, &status, 0), sleeper);
    CHECK_EQ(get(id, 0), 1);
    // Of refused operations nothing, in one call UNDO or not by op.
    set(id, 0, 5);
    REAP(CHILD({
        struct sembuf ops[] = {{0, -2, UNDO}, {0, -1, 0}, {1, -1, UNDO | NOW}};
        CHECK_ERRNO(semop(id, ops, 3), EAGAIN);
        CHECK_EQ(semop(id, ops, 2), 0);
    }));
    CHECK_EQ(get(id, 0), 4);
    drop(id);
}

TEST(undo_stays_within_the_range)
{
    int id = make(2);
    set(id, 0, 100);
    REAP(CHILD(CHECK_EQ(op(id, 0, -50, UNDO), 0); CHECK_EQ(op(id, 1, 50, UNDO), 0);
               CHECK_EQ(op(id, 0, 32700, 0), 0); CHECK_EQ(op(id, 1, -20, 0), 0)));
    CHECK_EQ(get(id, 0), 32767);
    CHECK_EQ(get(id, 1), 0);
    // Refused ones of the range leave the adjustment as it was.
    set(id, 0, 0);
    REAP(CHILD({
        CHECK_EQ(op(id, 0, 32767, UNDO), 0);
        CHECK_EQ(op(id, 0, -32767, 0), 0);
        struct sembuf ops[] = {{1, 3, UNDO}, {0, 2, UNDO}};
        CHECK_ERRNO(semop(id, ops, 2), ERANGE);
        CHECK_EQ(get(id, 1), 0);
        set(id, 0, 7); // all of it forgotten
        CHECK_EQ(op(id, 0, 2, UNDO), 0);
    }));
    CHECK_EQ(get(id, 0), 7);
    CHECK_EQ(get(id, 1), 0);
    drop(id);
}

TEST(setting_clears_the_undo_of_everybody)
{
    int id = make(3), go[2], made[2], status;
    char byte;
    unsigned short values[3] = {1, 1, 1};
    CHECK_EQ(pipe(go), 0);
    CHECK_EQ(pipe(made), 0);
    for (int all = 0; all < 2; all++) {
        pid_t pids[3];
        set(id, 0, 0);
        set(id, 1, 0);
        set(id, 2, 0);
        for (int i = 0; i < 3; i++) {
            pids[i] = CHILD({
                struct sembuf ops[] = {{0, 4, UNDO}, {1, 4, UNDO}, {2, 4, UNDO}};
                CHECK_EQ(semop(id, ops, 3), 0);
                write(made[1], "", 1);
                read(go[0], &byte, 1);
            });
            CHECK_EQ(read(made[0], &byte, 1), 1);
        }
        if (all)
            CHECK_EQ(semctl(id, 0, SETALL, values), 0);
        else
            set(id, 1, 1);
        write(go[1], "abc", 3);
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(waitpid(pids[i], &status, 0), pids[i]);
            CHECK_EQ(status, 0);
        }
        CHECK_EQ(get(id, 0), all ? 1 : 0);
        CHECK_EQ(get(id, 1), 1);
        CHECK_EQ(get(id, 2), all ? 1 : 0);
    }
    drop(id);
}

// Asleep on its first op, then, when that could be done, found to be refused by the second.
TEST(a_sleeper_can_be_refused_in_its_turn)
{
    int id = make(2);
    pid_t impatient = CHILD({
        struct sembuf ops[] = {{0, -1, 0}, {1, -1, NOW}};
        CHECK_ERRNO(semop(id, ops, 2), EAGAIN);
    });
    wait_asleep(impatient);
    CHECK_EQ(op(id, 0, 1, 0), 0);
    REAP(impatient);
    CHECK_EQ(get(id, 0), 1);
    set(id, 0, 0);
    set(id, 1, 32767);
    pid_t overflows = CHILD({
        struct sembuf ops[] = {{0, -1, 0}, {1, 1, 0}};
        CHECK_ERRNO(semop(id, ops, 2), ERANGE);
    });
    wait_asleep(overflows);
    CHECK_EQ(op(id, 0, 1, 0), 0);
    REAP(overflows);
    CHECK(get(id, 0) == 1 && get(id, 1) == 32767);
    // The first op's patience is what counts while it is the one that blocks.
    struct sembuf ops[] = {{0, -2, NOW}, {1, 0, 0}};
    CHECK_ERRNO(semop(id, ops, 2), EAGAIN);
    drop(id);
}

// Who waits for zero changes nothing: served before one that would make it more than zero again.
TEST(zero_is_seen_before_it_passes)
{
    int id = make(2);
    set(id, 0, 1);
    pid_t refill = CHILD({
        struct sembuf ops[] = {{1, -1, 0}, {0, 1, 0}};
        CHECK_EQ(semop(id, ops, 2), 0);
    });
    wait_asleep(refill);
    pid_t zero = CHILD(CHECK_EQ(op(id, 0, 0, 0), 0));
    wait_asleep(zero);
    struct sembuf both[] = {{0, -1, 0}, {1, 1, 0}};
    CHECK_EQ(semop(id, both, 2), 0);
    REAP(zero);
    REAP(refill);
    CHECK(get(id, 0) == 1 && get(id, 1) == 0);
    drop(id);
}

TEST(signals_that_mean_nothing_let_it_sleep)
{
    int id = make(1);
    pid_t pid = CHILD({
        sigset_t blocked;
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGUSR2);
        signal(SIGUSR1, SIG_IGN);
        CHECK_EQ(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
        CHECK_EQ(op(id, 0, -1, 0), 0);
    });
    wait_asleep(pid);
    CHECK_EQ(kill(pid, SIGUSR1), 0);
    CHECK_EQ(kill(pid, SIGUSR2), 0);
    CHECK_EQ(kill(pid, SIGCHLD), 0);
    sleep_ms(50);
    wait_asleep(pid);
    CHECK_EQ(semctl(id, 0, GETNCNT), 1);
    CHECK_EQ(op(id, 0, 1, 0), 0);
    REAP(pid);
    drop(id);
}

static void on_signal(int number)
{
    (void)number;
}

// A time limit that came with the call doesn't start again with a handler: the call ends.
TEST(no_wait_starts_again_after_a_handler)
{
    int id = make(1);
    for (int timed = 0; timed < 2; timed++) {
        pid_t pid = CHILD({
            struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
            struct timespec ever = {1L << 40, 0};
            struct sembuf zero[] = {{0, 1, UNDO}, {0, 0, 0}};
            CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
            CHECK_ERRNO(semtimedop(id, zero, 2, timed ? &ever : NULL), EINTR);
        });
        wait_asleep(pid);
        CHECK_EQ(semctl(id, 0, GETZCNT), 1);
        CHECK_EQ(kill(pid, SIGUSR1), 0);
        REAP(pid);
        CHECK_EQ(get(id, 0), 0);
        CHECK_EQ(semctl(id, 0, GETZCNT), 0);
    }
    drop(id);
}

TEST(one_number_of_each_semaphore_and_no_more)
{
    int id = make(3);
    unsigned short values[5] = {1, 2, 3, 77, 78};
    CHECK_EQ(semctl(id, 0, SETALL, values), 0);
    memset(values, 0x55, sizeof(values));
    CHECK_EQ(semctl(id, 0, GETALL, values), 0);
    CHECK(values[0] == 1 && values[1] == 2 && values[2] == 3);
    CHECK(values[3] == 0x5555 && values[4] == 0x5555);
    drop(id);
}
