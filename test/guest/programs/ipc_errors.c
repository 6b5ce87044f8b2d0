// SPDX-License-Identifier: BSD-2-Clause
// Calls of System V IPC that are wrong in two ways at once: which error comes first.
#include "shm.h"

#define BAD  ((void *)8)
#define NOW  IPC_NOWAIT
#define COPY 040000 // MSG_COPY

// An id that was.
static int stale(int id)
{
    drop(id);
    return id;
}

TEST(of_shmat_and_shmdt)
{
    int id = shmget(IPC_PRIVATE, PAGE, 0600);
    AS_USER(1000, 1000, {
        CHECK_ERRNO(shmat(id, (void *)0x10000001, 0), EINVAL); // the place before the right
        CHECK_ERRNO(shmat(id, NULL, SHM_REMAP), EINVAL);
        CHECK_ERRNO(shmat(id, (void *)1, SHM_REMAP | SHM_RND), EINVAL);
        char *busy = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK_ERRNO(shmat(id, busy, 0), EACCES); // the right before what is there
        CHECK_ERRNO(shmat(id, (void *)-PAGE, 0), EACCES);
    });
    CHECK_ERRNO(shmat(id, (void *)-PAGE, 0), EINVAL); // wraps
    CHECK_ERRNO(shmat(id, (void *)(1UL << 62), 0), ENOMEM);
    CHECK_ERRNO(shmat(id, (void *)(1UL << 62), SHM_REMAP), ENOMEM);
    CHECK_EQ(attaches(id), 0);
    CHECK_ERRNO(shmat(stale(id), NULL, 0), EINVAL);
    CHECK_ERRNO(shmdt(NULL), EINVAL);
    CHECK_ERRNO(shmdt((void *)-PAGE), EINVAL);
    CHECK_ERRNO(shmdt((void *)(1UL << 62)), EINVAL);
}

TEST(of_shmctl)
{
    int id = private_segment(PAGE), gone = stale(private_segment(PAGE));
    struct shmid_ds ds = stat_of(id);
    CHECK_ERRNO(shmctl(gone, IPC_STAT, BAD), EINVAL);
    CHECK_ERRNO(shmctl(gone, IPC_SET, BAD), EFAULT); // what to set is read first
    CHECK_ERRNO(shmctl(gone, IPC_SET, &ds), EINVAL);
    CHECK_ERRNO(shmctl(gone, SHM_LOCK, NULL), EINVAL);
    CHECK_ERRNO(shmctl(gone, 77, BAD), EINVAL);
    AS_USER(1000, 1000, {
        CHECK_ERRNO(shmctl(id, IPC_STAT, BAD), EACCES);
        CHECK_ERRNO(shmctl(id, IPC_SET, BAD), EFAULT);
        ds.shm_perm.uid = -1;
        CHECK_ERRNO(shmctl(id, IPC_SET, &ds), EPERM);
        CHECK_ERRNO(shmctl(id, 77, BAD), EINVAL);
        CHECK_ERRNO(shmctl(id, IPC_RMID, BAD), EPERM);
    });
    CHECK_EQ(shmctl(id, IPC_RMID, BAD), 0);
}

static int sem_stale(void)
{
    int id = semget(IPC_PRIVATE, 1, 0600);
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
    return id;
}

TEST(of_semop)
{
    int id = semget(IPC_PRIVATE, 1, 0600), gone = sem_stale();
    struct timespec bad = {0, 1000000000}, negative = {0, -1};
    struct sembuf ops[501] = {{0, -1, 0}}, far = {1, -1, 0}, undo = {0, 1, SEM_UNDO};
    CHECK_ERRNO(semtimedop(gone, BAD, 0, BAD), EFAULT); // the time is read first
    CHECK_ERRNO(semtimedop(gone, BAD, 501, &bad), E2BIG);
    CHECK_ERRNO(semtimedop(gone, BAD, 0, &bad), EINVAL);
    CHECK_ERRNO(semop(gone, BAD, -1), E2BIG);
    CHECK_ERRNO(semtimedop(gone, BAD, 1, &bad), EFAULT); // ops, before the time is judged
    CHECK_ERRNO(semtimedop(-1, BAD, 1, NULL), EFAULT);
    CHECK_ERRNO(semtimedop(id, ops, 1, &negative), EINVAL);
    CHECK_ERRNO(semop(gone, &undo, 1), EINVAL);
    CHECK_ERRNO(semop(gone, &far, 1), EINVAL);
    AS_USER(1000, 1000, {
        CHECK_ERRNO(semop(id, &far, 1), EFBIG); // the number before the right
        CHECK_ERRNO(semop(id, ops, 1), EACCES);
    });
    far.sem_flg = NOW;
    CHECK_ERRNO(semop(id, &far, 1), EFBIG);
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

TEST(of_semctl)
{
    int id = semget(IPC_PRIVATE, 2, 0600), gone = sem_stale();
    unsigned short values[2] = {0, 40000};
    CHECK_ERRNO(semctl(gone, 0, SETVAL, 40000), ERANGE); // the value before the id
    CHECK_ERRNO(semctl(id, 2, SETVAL, 40000), ERANGE);
    CHECK_ERRNO(semctl(gone, 5, GETVAL), EINVAL);
    CHECK_ERRNO(semctl(gone, 0, GETALL, BAD), EINVAL);
    CHECK_ERRNO(semctl(gone, 0, SETALL, BAD), EINVAL);
    CHECK_ERRNO(semctl(gone, 0, IPC_STAT, BAD), EINVAL);
    CHECK_ERRNO(semctl(gone, 0, IPC_SET, BAD), EFAULT);
    CHECK_ERRNO(semctl(id, 0, SETALL, BAD), EFAULT);
    CHECK_ERRNO(semctl(id, 0, SETALL, values), ERANGE);
    CHECK_EQ(semctl(id, 77, GETALL, values), 0); // asks for no number
    AS_USER(1000, 1000, {
        CHECK_ERRNO(semctl(id, 2, SETVAL, 1), EINVAL);
        CHECK_ERRNO(semctl(id, 2, GETVAL), EACCES);
        CHECK_ERRNO(semctl(id, 0, GETALL, BAD), EACCES);
        CHECK_ERRNO(semctl(id, 0, SETALL, BAD), EACCES);
        CHECK_ERRNO(semctl(id, 0, IPC_STAT, BAD), EACCES);
        CHECK_ERRNO(semctl(id, 0, IPC_SET, BAD), EFAULT);
        CHECK_ERRNO(semctl(id, 77, IPC_RMID), EPERM);
        CHECK_ERRNO(semctl(id, 0, 77, BAD), EINVAL);
    });
    CHECK_EQ(semctl(id, 77, IPC_RMID), 0);
}

TEST(of_messages)
{
    struct {
        long type;
        char text[9000];
    } m = {.type = 1};
    int id = msgget(IPC_PRIVATE, 0600), gone = msgget(IPC_PRIVATE, 0600);
    CHECK_EQ(msgctl(gone, IPC_RMID, NULL), 0);
    // The type can be read, the text can't.
    char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(munmap(edge + PAGE, PAGE), 0);
    long *type = (long *)(edge + PAGE) - 1;
    *type = 0;
    CHECK_ERRNO(msgsnd(-1, BAD, 9000, 0), EFAULT); // the type is read before all
    CHECK_ERRNO(msgsnd(id, type, 1, 0), EINVAL);
    *type = 1;
    CHECK_ERRNO(msgsnd(id, type, 8193, 0), EINVAL);
    CHECK_ERRNO(msgsnd(-1, type, 1, 0), EINVAL);
    CHECK_ERRNO(msgsnd(gone, type, 1, 0), EFAULT); // the text before the queue
    CHECK_ERRNO(msgsnd(gone, &m, 1, 0), EINVAL);
    CHECK_ERRNO(msgrcv(gone, BAD, 1, 0, NOW), EINVAL);
    CHECK_ERRNO(msgrcv(gone, &m, 1, 0, COPY), EINVAL);
    CHECK_ERRNO(msgrcv(id, BAD, 1, 0, NOW), ENOMSG);
    CHECK_EQ(msgsnd(id, &m, 8000, 0), 0);
    CHECK_EQ(msgsnd(id, &m, 8000, 0), 0);
    CHECK_ERRNO(msgrcv(id, BAD, 1, 0, 0), E2BIG);
    CHECK_ERRNO(msgsnd(id, &m, 8000, NOW), EAGAIN);
    AS_USER(1000, 1000, {
        CHECK_ERRNO(msgsnd(id, type, 1, NOW), EFAULT);
        CHECK_ERRNO(msgsnd(id, &m, 8000, NOW), EACCES); // before there is no room
        CHECK_ERRNO(msgrcv(id, BAD, 1, 0, 0), EACCES);
        CHECK_ERRNO(msgrcv(id, BAD, 1, 5, NOW), EACCES);
    });
    CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
}

TEST(of_msgctl)
{
    int id = msgget(IPC_PRIVATE, 0600), gone = msgget(IPC_PRIVATE, 0600);
    struct msqid_ds ds;
    CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
    CHECK_EQ(msgctl(gone, IPC_RMID, NULL), 0);
    CHECK_ERRNO(msgctl(gone, IPC_STAT, BAD), EINVAL);
    CHECK_ERRNO(msgctl(gone, IPC_SET, BAD), EFAULT);
    CHECK_ERRNO(msgctl(gone, IPC_SET, &ds), EINVAL);
    CHECK_ERRNO(msgctl(-1, IPC_SET, BAD), EINVAL);
    CHECK_ERRNO(msgctl(id, -1, BAD), EINVAL);
    ds.msg_perm.uid = 1000;
    CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
    AS_USER(1001, 1001, {
        CHECK_ERRNO(msgctl(id, IPC_STAT, BAD), EACCES);
        CHECK_ERRNO(msgctl(id, IPC_SET, BAD), EFAULT);
        CHECK_ERRNO(msgctl(id, IPC_SET, &ds), EPERM);
    });
    ds.msg_perm.uid = -1;
    CHECK_ERRNO(msgctl(id, IPC_SET, &ds), EINVAL);
    ds.msg_qbytes = 20000;
    AS_USER(1000, 1000, CHECK_ERRNO(msgctl(id, IPC_SET, &ds), EPERM)); // bytes before the user
    CHECK_EQ(msgctl(id, IPC_RMID, BAD), 0);
}
