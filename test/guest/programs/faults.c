// SPDX-License-Identifier: BSD-2-Clause
// Lack of memory at every point: the first allocation of a call fails, then the second, and so on
// until the call makes do. Each time it must say so with its errno and leave nothing behind. On a
// kernel built with FAULTS=1; test_ipc.py also looks at free memory.
#include "ktap.h"
#include <mqueue.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#define POINTS_MAX 400

static int fail_fd = -1;
static int id;
static void *place;

// First of all in a case: what it makes before it steps aside would stay.
static void need_faults(void)
{
    fail_fd = open("/proc/fail-nth", O_RDWR | O_CLOEXEC);
    if (fail_fd < 0)
        SKIP("no /proc/fail-nth: the kernel isn't built with FAULTS=1");
}

static void arm(uint32_t n)
{
    CHECK_EQ(pwrite(fail_fd, &n, sizeof(n), 0), sizeof(n));
}

static uint32_t left(void)
{
    uint32_t n;
    CHECK_EQ(pread(fail_fd, &n, sizeof(n), 0), sizeof(n));
    return n;
}

// `undo` takes back what a call that succeeded did.
static void fail_each(long (*call)(void), void (*undo)(long), int error)
{
    unsigned n, failed = 0;
    for (n = 1; n < POINTS_MAX; n++) {
        arm(n);
        long result = call();
        int e = errno;
        uint32_t rest = left();
        arm(0);
        if (result >= 0)
            undo(result);
        if (result >= 0 && rest > 0)
            break;
        if (result >= 0)
            continue; // it could do without
        failed++;
        if (rest > 0 || e != error)
            note("allocation %u: errno %d, want %d", n, e, error);
        CHECK_EQ(rest, 0);
        CHECK_EQ(e, error);
    }
    CHECK(n > 1 && n < POINTS_MAX && failed > 0);
    note("%u allocations, %u needed", n - 1, failed);
}

static long call_shmget(void)
{
    return shmget(IPC_PRIVATE, 65536, 0600);
}

static void undo_shmget(long segment)
{
    CHECK_EQ(shmctl((int)segment, IPC_RMID, NULL), 0);
}

TEST(shmget_without_memory)
{
    need_faults();
    fail_each(call_shmget, undo_shmget, ENOMEM);
}

static long nr_attached(void)
{
    struct shmid_ds ds;
    CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
    return (long)ds.shm_nattch;
}

static long call_shmat(void)
{
    place = shmat(id, NULL, 0);
    return place == (void *)-1 ? -1 : 0;
}

static void undo_shmat(long result)
{
    CHECK_EQ(shmdt(place), 0);
    CHECK_EQ(nr_attached(), 0);
}

TEST(shmat_without_memory)
{
    need_faults();
    id = shmget(IPC_PRIVATE, 65536, 0600);
    fail_each(call_shmat, undo_shmat, ENOMEM);
    CHECK_EQ(nr_attached(), 0);
    CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static long call_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid < 0)
        return -1;
    return pid;
}

static void undo_fork(long pid)
{
    CHECK_EQ(waitpid((pid_t)pid, NULL, 0), pid);
}

TEST(fork_with_attaches_without_memory)
{
    need_faults();
    char *at[3];
    id = shmget(IPC_PRIVATE, 65536, 0600);
    for (int i = 0; i < 3; i++) {
        at[i] = shmat(id, NULL, i == 1 ? SHM_RDONLY : 0);
        CHECK(at[i] != (void *)-1);
    }
    memset(at[0], 1, 65536);
    fail_each(call_fork, undo_fork, ENOMEM);
    CHECK_EQ(nr_attached(), 3);
    CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static long call_semget(void)
{
    return semget(IPC_PRIVATE, 20, 0600);
}

static void undo_semget(long set)
{
    CHECK_EQ(semctl((int)set, 0, IPC_RMID), 0);
}

TEST(semget_without_memory)
{
    need_faults();
    fail_each(call_semget, undo_semget, ENOMEM);
}

static long call_semop(void)
{
    struct sembuf ops[] = {{0, 1, SEM_UNDO}, {1, 2, SEM_UNDO}, {2, 1, 0}};
    return semop(id, ops, 3);
}

static void undo_semop(long result)
{
    CHECK_EQ(semctl(id, 1, GETVAL), 2);
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0); // so that the next one needs a new record
    id = semget(IPC_PRIVATE, 3, 0600);
}

TEST(semop_with_undo_without_memory)
{
    need_faults();
    id = semget(IPC_PRIVATE, 3, 0600);
    fail_each(call_semop, undo_semop, ENOMEM);
    CHECK_EQ(semctl(id, 0, GETVAL), 0); // nothing was done by those that failed
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

static long call_msgget(void)
{
    return msgget(IPC_PRIVATE, 0600);
}

static void undo_msgget(long queue)
{
    CHECK_EQ(msgctl((int)queue, IPC_RMID, NULL), 0);
}

TEST(msgget_without_memory)
{
    need_faults();
    fail_each(call_msgget, undo_msgget, ENOMEM);
}

static struct {
    long type;
    char text[6000];
} message = {.type = 1};

static long call_msgsnd(void)
{
    return msgsnd(id, &message, sizeof(message.text), 0);
}

static void undo_msgsnd(long result)
{
    CHECK_EQ(msgrcv(id, &message, sizeof(message.text), 0, IPC_NOWAIT), sizeof(message.text));
}

TEST(msgsnd_without_memory)
{
    need_faults();
    struct msqid_ds ds;
    id = msgget(IPC_PRIVATE, 0600);
    fail_each(call_msgsnd, undo_msgsnd, ENOMEM);
    CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
    CHECK_EQ(ds.msg_qnum, 0);
    CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
}

static mqd_t queue;

static long call_mq_open(void)
{
    return mq_open("/faults", O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
}

static void undo_mq_open(long q)
{
    CHECK_EQ(mq_close((mqd_t)q), 0);
    CHECK_EQ(mq_unlink("/faults"), 0);
}

// One that was made and couldn't be opened stays, as on Linux.
static long call_mq_open_again(void)
{
    long q = call_mq_open();
    int e = errno;
    if (q < 0)
        mq_unlink("/faults");
    errno = e;
    return q;
}

TEST(mq_open_without_memory)
{
    need_faults();
    fail_each(call_mq_open_again, undo_mq_open, ENOMEM);
}

static long call_mq_send(void)
{
    return mq_send(queue, message.text, 5000, 0);
}

static void undo_mq_send(long result)
{
    char text[8192];
    CHECK_EQ(mq_receive(queue, text, sizeof(text), NULL), 5000);
}

TEST(mq_send_without_memory)
{
    need_faults();
    struct mq_attr attr;
    mq_unlink("/faults");
    queue = (mqd_t)call_mq_open();
    CHECK(queue >= 0);
    fail_each(call_mq_send, undo_mq_send, ENOMEM);
    CHECK_EQ(mq_getattr(queue, &attr), 0);
    CHECK_EQ(attr.mq_curmsgs, 0);
    undo_mq_open(queue);
}

static long call_mq_notify(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    return mq_notify(queue, &event);
}

static void undo_mq_notify(long result)
{
    CHECK_EQ(mq_notify(queue, NULL), 0);
}

TEST(mq_notify_without_memory)
{
    need_faults();
    mq_unlink("/faults");
    queue = (mqd_t)call_mq_open();
    fail_each(call_mq_notify, undo_mq_notify, ENOMEM);
    undo_mq_open(queue);
}

static long call_timer_create(void)
{
    int timer;
    return syscall(SYS_timer_create, CLOCK_REALTIME, NULL, &timer) ? -1 : timer;
}

static void undo_timer_create(long timer)
{
    CHECK_EQ(syscall(SYS_timer_delete, (int)timer), 0);
}

TEST(timer_create_without_memory)
{
    need_faults();
    fail_each(call_timer_create, undo_timer_create, EAGAIN);
}

static void close_it(long fd)
{
    close((int)fd);
}

static long call_timerfd(void)
{
    return timerfd_create(CLOCK_REALTIME, 0);
}

TEST(timerfd_create_without_memory)
{
    need_faults();
    fail_each(call_timerfd, close_it, ENOMEM);
}

static long call_signalfd(void)
{
    sigset_t set;
    sigemptyset(&set);
    return signalfd(-1, &set, 0);
}

TEST(signalfd_without_memory)
{
    need_faults();
    fail_each(call_signalfd, close_it, ENOMEM);
}
