// SPDX-License-Identifier: BSD-2-Clause
// System V and POSIX inter-process communication.
#include "bench.h"

#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static int id, second;
static mqd_t queue, answers;

struct message {
    long type;
    char text[8192];
};

static void loop_shmget(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        int segment = MUST(shmget(IPC_PRIVATE, 65536, 0600));
        MUST(shmctl(segment, IPC_RMID, NULL));
    }
    bench_stop();
}

// A segment's whole life, each page touched.
static void loop_segment(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        int segment = MUST(shmget(IPC_PRIVATE, (size_t)bench_arg, 0600));
        void *at = MUST(shmat(segment, NULL, 0));
        bench_touch(at, (size_t)bench_arg);
        MUST(shmdt(at));
        MUST(shmctl(segment, IPC_RMID, NULL));
    }
    bench_stop();
}

static void make_segment(void)
{
    id = MUST(shmget(IPC_PRIVATE, 65536, 0600));
    void *at = MUST(shmat(id, NULL, 0));
    MUST(shmctl(id, IPC_RMID, NULL));
    bench_touch(at, 65536);
}

static void loop_shmat(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        void *at = MUST(shmat(id, NULL, 0));
        if (bench_arg)
            bench_touch(at, (size_t)bench_arg * 4096);
        MUST(shmdt(at));
    }
    bench_stop();
}

static void loop_semget(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        int set = MUST(semget(IPC_PRIVATE, 4, 0600));
        MUST(semctl(set, 0, IPC_RMID));
    }
    bench_stop();
}

// A set removed while its id is still known would leave nothing behind, but ids must stay usable
// for the whole benchmark: the guest powers off afterwards.
static void make_set(void)
{
    id = MUST(semget(IPC_PRIVATE, 4, 0600));
}

static void change(int which, int by, int flags)
{
    struct sembuf operation = {(unsigned short)which, (short)by, (short)flags};
    MUST(semop(id, &operation, 1));
}

static void loop_semop(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        change(0, 1, (int)bench_arg);
        change(0, -1, (int)bench_arg);
    }
    bench_stop();
}

static void loop_semop_4(long n)
{
    struct sembuf up[4], down[4];
    for (unsigned short i = 0; i < 4; i++) {
        up[i] = (struct sembuf){i, 1, 0};
        down[i] = (struct sembuf){i, -1, 0};
    }
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(semop(id, up, 4));
        MUST(semop(id, down, 4));
    }
    bench_stop();
}

static void other_set(long arg)
{
    for (;;) {
        change(0, -1, 0);
        change(1, 1, 0);
    }
}

static void make_set_pair(void)
{
    make_set();
    bench_fork(other_set, 0);
}

static void loop_semop_pair(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        change(0, 1, 0);
        change(1, -1, 0);
    }
    bench_stop();
}

static void loop_msgget(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        int made = MUST(msgget(IPC_PRIVATE, 0600));
        MUST(msgctl(made, IPC_RMID, NULL));
    }
    bench_stop();
}

static void make_queue(void)
{
    id = MUST(msgget(IPC_PRIVATE, 0600));
    second = MUST(msgget(IPC_PRIVATE, 0600));
}

static void loop_message(long n)
{
    struct message message = {.type = 1};
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(msgsnd(id, &message, (size_t)bench_arg, 0));
        MUST(msgrcv(id, &message, sizeof(message.text), 0, 0));
    }
    bench_stop();
}

static void other_queue(long arg)
{
    struct message message;
    for (;;) {
        MUST(msgrcv(id, &message, sizeof(message.text), 0, 0));
        MUST(msgsnd(second, &message, (size_t)bench_arg, 0));
    }
}

static void make_queue_pair(void)
{
    make_queue();
    bench_fork(other_queue, 0);
}

static void loop_message_pair(long n)
{
    struct message message = {.type = 1};
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(msgsnd(id, &message, (size_t)bench_arg, 0));
        MUST(msgrcv(second, &message, sizeof(message.text), 0, 0));
    }
    bench_stop();
}

static void make_mqueue(void)
{
    struct mq_attr attributes = {.mq_maxmsg = 8, .mq_msgsize = 64};
    mq_unlink("/bench");
    mq_unlink("/answers");
    queue = MUST(mq_open("/bench", O_RDWR | O_CREAT, 0600, &attributes));
    answers = MUST(mq_open("/answers", O_RDWR | O_CREAT, 0600, &attributes));
}

static void loop_mqueue(long n)
{
    char text[64] = {0};
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(mq_send(queue, text, 16, 0));
        MUST(mq_receive(queue, text, sizeof(text), NULL));
    }
    bench_stop();
}

static void other_mqueue(long arg)
{
    char text[64];
    for (;;) {
        MUST(mq_receive(queue, text, sizeof(text), NULL));
        MUST(mq_send(answers, text, 16, 0));
    }
}

static void make_mqueue_pair(void)
{
    make_mqueue();
    bench_fork(other_mqueue, 0);
}

static void loop_mqueue_pair(long n)
{
    char text[64] = {0};
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(mq_send(queue, text, 16, 0));
        MUST(mq_receive(answers, text, sizeof(text), NULL));
    }
    bench_stop();
}

static void loop_shm_open(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        int fd = MUST(shm_open("/bench", O_RDWR | O_CREAT, 0600));
        MUST(ftruncate(fd, 4096));
        char *map = MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
        *map = 1;
        MUST(munmap(map, 4096));
        close(fd);
        MUST(shm_unlink("/bench"));
    }
    bench_stop();
}

static void loop_sem_open(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        sem_t *semaphore = sem_open("/bench", O_CREAT, 0600, 1);
        if (semaphore == SEM_FAILED)
            bench_fail("sem_open");
        sem_close(semaphore);
        MUST(sem_unlink("/bench"));
    }
    bench_stop();
}

const struct bench bench_sysv[] = {
    {"ipc/shmget-remove", NULL, loop_shmget},
    {"ipc/segment-4K", NULL, loop_segment, 4096},
    {"ipc/segment-1M", NULL, loop_segment, 1 << 20},
    {"ipc/segment-64M", NULL, loop_segment, 64 << 20},
    {"ipc/shmat-shmdt", make_segment, loop_shmat, 0},
    {"ipc/shmat-touch-shmdt-64K", make_segment, loop_shmat, 16},
    {"ipc/semget-remove", NULL, loop_semget},
    {"ipc/semop-up-down", make_set, loop_semop, 0},
    {"ipc/semop-up-down-undo", make_set, loop_semop, SEM_UNDO},
    {"ipc/semop-4-up-down", make_set, loop_semop_4},
    {"ipc/semop-ping-pong", make_set_pair, loop_semop_pair, .several = true},
    {"ipc/msgget-remove", NULL, loop_msgget},
    {"ipc/msgsnd-msgrcv-16", make_queue, loop_message, 16},
    {"ipc/msgsnd-msgrcv-1K", make_queue, loop_message, 1024},
    {"ipc/message-ping-pong", make_queue_pair, loop_message_pair, 16, .several = true},
    {"ipc/message-ping-pong-64", make_queue_pair, loop_message_pair, 64},
    {"ipc/message-ping-pong-8K", make_queue_pair, loop_message_pair, 8192},
    {"ipc/mq_send-mq_receive", make_mqueue, loop_mqueue},
    {"ipc/mqueue-ping-pong", make_mqueue_pair, loop_mqueue_pair, .several = true},
    {"ipc/shm_open-map-unlink", NULL, loop_shm_open},
    {"ipc/sem_open-unlink", NULL, loop_sem_open},
    {0},
};
