// SPDX-License-Identifier: BSD-2-Clause
// Which call changes which time and which pid of segments, semaphore arrays and message queues, and
// which don't: each step of a case is in a second of its own.
#include "shm.h"

#define UNDO SEM_UNDO

#define SHM_TIMES(id, a, d, c)                                                                     \
    do {                                                                                           \
        struct shmid_ds ds_ = stat_of(id);                                                         \
        CHECK_EQ(ds_.shm_atime, a);                                                                \
        CHECK_EQ(ds_.shm_dtime, d);                                                                \
        CHECK_EQ(ds_.shm_ctime, c);                                                                \
    } while (0)

// A call within the second `at`, or, when that has gone by, the next: `at` says which it was.
#define WITHIN(at, call)                                                                           \
    do {                                                                                           \
        at = next_second();                                                                        \
        call;                                                                                      \
        CHECK_EQ(time(NULL), at);                                                                  \
    } while (0)

TEST(of_segments)
{
    time_t made, attached, detached, set, later;
    int id = -1;
    void *p = NULL;
    WITHIN(made, id = private_segment(2 * PAGE));
    SHM_TIMES(id, 0, 0, made);
    WITHIN(attached, p = attach(id));
    SHM_TIMES(id, attached, 0, made);
    WITHIN(later, *(char *)p = 1);
    CHECK_EQ(shmctl(id, SHM_LOCK, NULL), 0);
    CHECK_EQ(shmctl(id, SHM_UNLOCK, NULL), 0);
    CHECK_ERRNO(shmat(id, (char *)p + 1, 0), EINVAL);
    SHM_TIMES(id, attached, 0, made);
    WITHIN(detached, CHECK_EQ(shmdt(p), 0));
    SHM_TIMES(id, attached, detached, made);
    struct shmid_ds ds = stat_of(id);
    WITHIN(set, CHECK_EQ(shmctl(id, IPC_SET, &ds), 0));
    SHM_TIMES(id, attached, detached, set);
    p = attach(id);
    // A child attaches by being born, and detaches by its end; removal changes none.
    int go[2];
    char byte;
    pid_t child = -1;
    CHECK_EQ(pipe(go), 0);
    WITHIN(attached, child = CHILD(read(go[0], &byte, 1)));
    SHM_TIMES(id, attached, detached, set);
    CHECK_EQ(stat_of(id).shm_lpid, getpid());
    WITHIN(detached, write(go[1], "", 1); REAP(child));
    SHM_TIMES(id, attached, detached, set);
    CHECK_EQ(stat_of(id).shm_lpid, child);
    WITHIN(later, drop(id));
    SHM_TIMES(id, attached, detached, set);
    // A region cut in two is one attach more, whole or not.
    WITHIN(later, CHECK_EQ(munmap(p, PAGE), 0));
    CHECK_EQ(stat_of(id).shm_ctime, set);
    CHECK_EQ(stat_of(id).shm_lpid, getpid());
}

static int op(int id, int number, int by, int flags)
{
    struct sembuf b = {number, by, flags};
    return semop(id, &b, 1);
}

static struct semid_ds sem_of(int id)
{
    struct semid_ds ds;
    CHECK_EQ(semctl(id, 0, IPC_STAT, &ds), 0);
    return ds;
}

#define SEM_TIMES(id, o, c)                                                                        \
    do {                                                                                           \
        struct semid_ds ds_ = sem_of(id);                                                          \
        CHECK_EQ(ds_.sem_otime, o);                                                                \
        CHECK_EQ(ds_.sem_ctime, c);                                                                \
    } while (0)

TEST_SECONDS(of_semaphores, 40)
{
    time_t made, operated, set, later;
    unsigned short values[2] = {3, 3};
    int id = -1;
    WITHIN(made, id = semget(IPC_PRIVATE, 2, 0600));
    SEM_TIMES(id, 0, made);
    WITHIN(operated, CHECK_EQ(op(id, 0, 1, 0), 0));
    SEM_TIMES(id, operated, made);
    WITHIN(later, CHECK_ERRNO(op(id, 1, -1, IPC_NOWAIT), EAGAIN));
    CHECK_ERRNO(op(id, 0, 32767, 0), ERANGE);
    CHECK_EQ(semctl(id, 0, GETVAL), 1);
    CHECK_EQ(semctl(id, 0, GETALL, values), 0);
    SEM_TIMES(id, operated, made);
    WITHIN(operated, CHECK_EQ(op(id, 1, 0, 0), 0)); // asking for zero is an operation
    SEM_TIMES(id, operated, made);
    WITHIN(set, CHECK_EQ(semctl(id, 0, SETVAL, 1), 0));
    SEM_TIMES(id, operated, set);
    WITHIN(set, CHECK_EQ(semctl(id, 0, SETALL, values), 0));
    SEM_TIMES(id, operated, set);
    struct semid_ds ds = sem_of(id);
    WITHIN(set, CHECK_EQ(semctl(id, 0, IPC_SET, &ds), 0));
    SEM_TIMES(id, operated, set);
    // Somebody served is an operation, too.
    pid_t child = CHILD(CHECK_EQ(op(id, 1, -3, 0), 0));
    wait_asleep(child);
    WITHIN(operated, CHECK_EQ(semctl(id, 1, SETVAL, 3), 0); REAP(child));
    SEM_TIMES(id, operated, operated);
    set = operated;
    // Undo, as well.
    int go[2];
    char byte;
    CHECK_EQ(pipe(go), 0);
    child = CHILD(CHECK_EQ(op(id, 0, 1, UNDO), 0); read(go[0], &byte, 1));
    wait_asleep(child);
    WITHIN(operated, write(go[1], "", 1); REAP(child));
    SEM_TIMES(id, operated, set);
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

TEST(pids_of_semaphores)
{
    int id = semget(IPC_PRIVATE, 4, 0600);
    unsigned short values[4] = {0, 1, 2, 3};
    pid_t child = CHILD(CHECK_EQ(semctl(id, 0, SETALL, values), 0));
    REAP(child);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(semctl(id, i, GETPID), child);
    CHECK_EQ(semctl(id, 2, SETVAL, 5), 0);
    CHECK_EQ(semctl(id, 2, GETPID), getpid());
    CHECK_EQ(semctl(id, 3, GETPID), child);
    // Who failed did nothing.
    struct sembuf ops[] = {{1, 1, 0}, {3, -1, 0}, {0, -1, IPC_NOWAIT}};
    CHECK_ERRNO(semop(id, ops, 3), EAGAIN);
    CHECK_EQ(semctl(id, 1, GETPID), child);
    CHECK_EQ(semop(id, ops, 2), 0);
    CHECK_EQ(semctl(id, 1, GETPID), getpid());
    CHECK_EQ(semctl(id, 3, GETPID), getpid());
    CHECK_EQ(semctl(id, 0, GETPID), child);
    // It is who asked, not who made it possible.
    pid_t sleeper = CHILD(CHECK_EQ(op(id, 0, -1, 0), 0));
    wait_asleep(sleeper);
    CHECK_EQ(semctl(id, 0, GETPID), child);
    CHECK_EQ(op(id, 0, 1, 0), 0);
    REAP(sleeper);
    CHECK_EQ(semctl(id, 0, GETPID), sleeper);
    // Undo names who ended, where there is something to undo.
    child = CHILD(CHECK_EQ(op(id, 1, 1, UNDO), 0); CHECK_EQ(op(id, 3, 1, UNDO), 0);
                  CHECK_EQ(op(id, 3, -1, UNDO), 0));
    REAP(child);
    CHECK_EQ(semctl(id, 1, GETPID), child);
    CHECK_EQ(semctl(id, 2, GETPID), getpid());
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

static struct msqid_ds queue_of(int id)
{
    struct msqid_ds ds;
    CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
    return ds;
}

#define MSG_TIMES(id, s, r, c)                                                                     \
    do {                                                                                           \
        struct msqid_ds ds_ = queue_of(id);                                                        \
        CHECK_EQ(ds_.msg_stime, s);                                                                \
        CHECK_EQ(ds_.msg_rtime, r);                                                                \
        CHECK_EQ(ds_.msg_ctime, c);                                                                \
    } while (0)

TEST(of_queues)
{
    struct msgbuf m = {.mtype = 1};
    time_t made, sent, received, set, later;
    int id = -1;
    WITHIN(made, id = msgget(IPC_PRIVATE, 0600));
    MSG_TIMES(id, 0, 0, made);
    WITHIN(sent, CHECK_EQ(msgsnd(id, &m, 1, 0), 0));
    MSG_TIMES(id, sent, 0, made);
    CHECK(queue_of(id).msg_lspid == getpid() && queue_of(id).msg_lrpid == 0);
    WITHIN(later, CHECK_ERRNO(msgrcv(id, &m, 1, 2, IPC_NOWAIT), ENOMSG));
    CHECK_ERRNO(msgrcv(id, &m, 0, 0, 0), E2BIG);
    CHECK_EQ(msgrcv(id, &m, 1, 0, 040000 | IPC_NOWAIT), 1); // a copy
    MSG_TIMES(id, sent, 0, made);
    CHECK_EQ(queue_of(id).msg_lrpid, 0);
    WITHIN(received, CHECK_EQ(msgrcv(id, &m, 1, 0, 0), 1));
    MSG_TIMES(id, sent, received, made);
    struct msqid_ds ds = queue_of(id);
    WITHIN(set, CHECK_EQ(msgctl(id, IPC_SET, &ds), 0));
    MSG_TIMES(id, sent, received, set);
    // To one who waits: both at once, and both pids.
    pid_t child = CHILD(CHECK_EQ(msgrcv(id, &m, 1, 0, 0), 1));
    wait_asleep(child);
    WITHIN(sent, CHECK_EQ(msgsnd(id, &m, 1, 0), 0); REAP(child));
    MSG_TIMES(id, sent, sent, set);
    CHECK(queue_of(id).msg_lspid == getpid() && queue_of(id).msg_lrpid == child);
    CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
}
