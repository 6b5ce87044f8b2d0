// SPDX-License-Identifier: BSD-2-Clause
// POSIX message queues: order, errors, waiting.
#include "queue.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>

static struct timespec in_ms(int ms)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += ms % 1000 * 1000000L;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

TEST(messages_come_by_priority_then_age)
{
    mqd_t q = make_sized(0, 10, 32);
    put(q, "a", 1);
    put(q, "b", 5);
    put(q, "c", 1);
    put(q, "", 32767);
    put(q, "d", 5);
    put(q, "e", 0);
    struct mq_attr attr;
    CHECK_EQ(mq_getattr(q, &attr), 0);
    CHECK_EQ(attr.mq_curmsgs, 6);
    get(q, "", 32767);
    get(q, "b", 5);
    get(q, "d", 5);
    get(q, "a", 1);
    get(q, "c", 1);
    get(q, "e", 0);
    CHECK_EQ(mq_unlink(NAME), 0);
}

TEST(attributes)
{
    struct mq_attr attr, old;
    mqd_t q = make_sized(O_NONBLOCK, 7, 50);
    CHECK_EQ(mq_getattr(q, &attr), 0);
    CHECK_EQ(attr.mq_flags, O_NONBLOCK);
    CHECK_EQ(attr.mq_maxmsg, 7);
    CHECK_EQ(attr.mq_msgsize, 50);
    CHECK_EQ(attr.mq_curmsgs, 0);
    attr.mq_flags = 0;
    attr.mq_maxmsg = 1; // ignored
    CHECK_EQ(mq_setattr(q, &attr, &old), 0);
    CHECK_EQ(old.mq_flags, O_NONBLOCK);
    CHECK_EQ(mq_getattr(q, &attr), 0);
    CHECK_EQ(attr.mq_flags, 0);
    CHECK_EQ(attr.mq_maxmsg, 7);
    attr.mq_flags = 1;
    CHECK_ERRNO(mq_setattr(q, &attr, NULL), EINVAL);
    CHECK_EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(mq_close(q), 0);
    CHECK_ERRNO(mq_getattr(q, &attr), EBADF);
    CHECK_EQ(mq_unlink(NAME), 0);
    q = mq_open(NAME, O_RDONLY | O_CREAT, 0600, NULL); // the defaults
    CHECK_EQ(mq_getattr(q, &attr), 0);
    CHECK_EQ(attr.mq_maxmsg, 10);
    CHECK_EQ(attr.mq_msgsize, 8192);
    CHECK_EQ(mq_unlink(NAME), 0);
}

TEST(open_errors)
{
    struct mq_attr attr = {.mq_maxmsg = 0, .mq_msgsize = 32};
    char name[300];
    mq_unlink(NAME);
    CHECK_ERRNO(mq_open(NAME, O_RDWR), ENOENT);
    CHECK_ERRNO(mq_open("/", O_RDWR | O_CREAT, 0600, NULL), ENOENT);
    CHECK_ERRNO(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
    CHECK_ERRNO(mq_open("/..", O_RDWR | O_CREAT, 0600, NULL), EACCES);
    memset(name, 'x', sizeof(name));
    name[0] = '/';
    name[257] = 0;
    CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT, 0600, NULL), ENAMETOOLONG);
    name[256] = 0;
    mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);
    CHECK(q >= 0);
    CHECK_EQ(mq_unlink(name), 0);
    CHECK_ERRNO(mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr), EINVAL);
    attr.mq_maxmsg = 4;
    attr.mq_msgsize = -1;
    CHECK_ERRNO(mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr), EINVAL);
    attr.mq_msgsize = 17 << 20;
    CHECK_ERRNO(mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr), EINVAL);
    attr.mq_msgsize = 32;
    attr.mq_maxmsg = 65537;
    CHECK_ERRNO(mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr), EINVAL);
    CHECK_ERRNO(syscall(SYS_mq_open, "ktap", O_RDWR | O_CREAT, 0600, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_mq_open, 8, O_RDWR | O_CREAT, 0600, NULL), EFAULT);
    q = make(0);
    CHECK_ERRNO(mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, NULL), EEXIST);
    CHECK_ERRNO(mq_open(NAME, O_WRONLY | O_RDWR), EINVAL);
    CHECK(mq_open(NAME, O_RDWR | O_CREAT, 0600, &(struct mq_attr){0}) >= 0); // not looked at
    CHECK_EQ(mq_unlink(NAME), 0);
    CHECK_ERRNO(mq_unlink(NAME), ENOENT);
    CHECK_ERRNO(mq_unlink("/"), ENOENT);
    put(q, "still here", 1);
    get(q, "still here", 1);
}

TEST(send_and_receive_errors)
{
    mqd_t q = make(O_NONBLOCK);
    char text[64];
    struct timespec bad = {0, 1000000000}, past = {1, 0};
    CHECK_ERRNO(mq_send(q, text, 33, 0), EMSGSIZE);
    CHECK_ERRNO(mq_receive(q, text, 31, NULL), EMSGSIZE);
    CHECK_ERRNO(mq_send(q, text, 1, 32768), EINVAL);
    CHECK_ERRNO(mq_receive(q, text, 32, NULL), EAGAIN);
    CHECK_ERRNO(mq_timedreceive(q, text, 32, NULL, &bad), EINVAL);
    CHECK_ERRNO(mq_timedsend(q, text, 1, 0, &bad), EINVAL);
    bad = (struct timespec){-1, 0};
    CHECK_ERRNO(mq_timedsend(q, text, 1, 0, &bad), EINVAL);
    CHECK_EQ(mq_timedsend(q, text, 1, 0, &past), 0); // there is room
    for (int i = 1; i < 4; i++)
        put(q, "x", 0);
    CHECK_ERRNO(mq_send(q, text, 1, 0), EAGAIN);
    CHECK_ERRNO(mq_send(99, text, 1, 0), EBADF);
    CHECK_ERRNO(mq_send(0, text, 1, 0), EBADF); // not a queue
    CHECK_ERRNO(mq_receive(0, text, 32, NULL), EBADF);
    CHECK_ERRNO(mq_notify(0, NULL), EBADF);
    CHECK_ERRNO(syscall(SYS_mq_timedsend, q, 8, 1, 0, NULL), EFAULT);
    CHECK_ERRNO(syscall(SYS_mq_timedsend, q, text, 1, 0, 8), EFAULT);
    CHECK_EQ(syscall(SYS_mq_timedreceive, q, text, 32, NULL, NULL), 1);
    CHECK_ERRNO(syscall(SYS_mq_timedreceive, q, 8, 32, NULL, NULL), EFAULT); // and it is lost
    mqd_t reader = mq_open(NAME, O_RDONLY), writer = mq_open(NAME, O_WRONLY);
    CHECK_ERRNO(mq_send(reader, text, 1, 0), EBADF);
    CHECK_ERRNO(mq_receive(writer, text, 32, NULL), EBADF);
    mq_unlink(NAME);
}

TEST(waits_end_in_time)
{
    mqd_t q = make_sized(0, 1, 32);
    char text[32];
    struct timespec until = in_ms(50), past = {1, 0};
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    CHECK_ERRNO(mq_timedreceive(q, text, 32, NULL, &until), ETIMEDOUT);
    CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 40000000);
    CHECK_ERRNO(mq_timedreceive(q, text, 32, NULL, &past), ETIMEDOUT);
    put(q, "x", 0);
    until = in_ms(50);
    CHECK_ERRNO(mq_timedsend(q, text, 1, 0, &until), ETIMEDOUT);
    CHECK_ERRNO(mq_timedsend(q, text, 1, 0, &past), ETIMEDOUT);
    mq_unlink(NAME);
}

static void on_signal(int number)
{
}

TEST(waits_end_by_signals)
{
    struct sigaction action = {.sa_handler = on_signal};
    mqd_t q = make(0);
    char text[32];
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    CHECK_ERRNO(mq_receive(q, text, 32, NULL), EINTR);
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    struct timespec until = in_ms(1500);
    CHECK_ERRNO(mq_timedreceive(q, text, 32, NULL, &until), ETIMEDOUT);
    mq_unlink(NAME);
}

TEST(sleepers_are_served)
{
    mqd_t q = make_sized(0, 2, 32);
    int status;
    pid_t pid = fork();
    if (pid == 0) { // 200 through a queue of two
        for (int i = 0; i < 200; i++)
            CHECK_EQ(mq_send(q, (char *)&i, sizeof(i), 3), 0);
        _exit(0);
    }
    for (int i = 0; i < 200; i++) {
        char text[32];
        if (i % 50 == 0)
            sleep_ms(20);
        CHECK_EQ(mq_receive(q, text, 32, NULL), sizeof(int));
        CHECK_EQ(*(int *)text, i);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    mq_unlink(NAME);
}

TEST(the_urgent_sleeper_is_served_first)
{
    mqd_t q = make(0);
    int fds[2];
    char who;
    CHECK_EQ(pipe(fds), 0);
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            char text[32];
            if (i == 2) {
                struct sched_param p = {.sched_priority = 10};
                CHECK_EQ(sched_setscheduler(0, SCHED_FIFO, &p), 0);
            }
            CHECK_EQ(mq_receive(q, text, 32, NULL), 1);
            who = '0' + i;
            CHECK_EQ(write(fds[1], &who, 1), 1);
            _exit(0);
        }
        sleep_ms(100); // the next one comes later
    }
    static const char order[] = "201";
    for (int i = 0; i < 3; i++) {
        put(q, "x", 0);
        CHECK_EQ(read(fds[0], &who, 1), 1);
        CHECK_EQ(who, order[i]);
    }
    mq_unlink(NAME);
}

static short poll_now(mqd_t q, int ms)
{
    struct pollfd p = {q, POLLIN | POLLOUT, 0};
    CHECK(poll(&p, 1, ms) >= 0);
    return p.revents;
}

TEST(poll_and_epoll)
{
    mqd_t q = make_sized(0, 2, 32);
    CHECK_EQ(poll_now(q, 0), POLLOUT);
    put(q, "a", 0);
    CHECK_EQ(poll_now(q, 0), POLLIN | POLLOUT);
    put(q, "b", 0);
    CHECK_EQ(poll_now(q, 0), POLLIN);
    get(q, "a", 0);
    get(q, "b", 0);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, q, &event), 0);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    if (fork() == 0) {
        sleep_ms(50);
        put(q, "c", 0);
        _exit(0);
    }
    CHECK_EQ(epoll_wait(epoll, &event, 1, 10000), 1);
    get(q, "c", 0);
    mq_unlink(NAME);
}

TEST(random_messages_keep_their_order)
{
    static unsigned priority[64];
    static int number[64];
    int nr = 0, next = 0;
    mqd_t q = make_sized(O_NONBLOCK, 64, 32);
    srand(7);
    for (int i = 0; i < 5000; i++) {
        if (rand() % 2) {
            unsigned p = (unsigned)rand() % 5;
            int sent = mq_send(q, (char *)&next, sizeof(next), p);
            CHECK_EQ(sent, nr == 64 ? -1 : 0);
            if (nr == 64)
                continue;
            priority[nr] = p;
            number[nr++] = next++;
        } else {
            char text[32];
            unsigned p;
            ssize_t n = mq_receive(q, text, 32, &p);
            CHECK_EQ(n, nr == 0 ? -1 : (ssize_t)sizeof(int));
            if (nr == 0)
                continue;
            int best = 0;
            for (int j = 1; j < nr; j++)
                if (priority[j] > priority[best])
                    best = j;
            CHECK_EQ(p, priority[best]);
            CHECK_EQ(*(int *)text, number[best]);
            nr--;
            memmove(&priority[best], &priority[best + 1], sizeof(int) * (nr - best));
            memmove(&number[best], &number[best + 1], sizeof(int) * (nr - best));
        }
    }
    mq_unlink(NAME);
}

static void *pass_on(void *to)
{
    mqd_t *q = to;
    char text[32];
    for (int i = 0; i < 300; i++) {
        CHECK_EQ(mq_receive(q[0], text, 32, NULL), 4);
        CHECK_EQ(mq_send(q[1], text, 4, (unsigned)rand() % 3), 0);
    }
    return to;
}

TEST(a_ring_of_threads_loses_nothing)
{
    mqd_t q[2];
    pthread_t threads[6];
    q[0] = make_sized(0, 3, 32);
    mq_unlink("/ktap2");
    struct mq_attr attr = {.mq_maxmsg = 3, .mq_msgsize = 32};
    q[1] = mq_open("/ktap2", O_RDWR | O_CREAT, 0600, &attr);
    CHECK(q[1] >= 0);
    mqd_t back[2] = {q[1], q[0]};
    for (int i = 0; i < 6; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, pass_on, i % 2 ? back : q), 0);
    for (int i = 0; i < 3; i++)
        put(q[0], "abcd", 1);
    for (int i = 0; i < 6; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK(result != NULL);
    }
    struct mq_attr one, two;
    CHECK_EQ(mq_getattr(q[0], &one), 0);
    CHECK_EQ(mq_getattr(q[1], &two), 0);
    CHECK_EQ(one.mq_curmsgs + two.mq_curmsgs, 3);
    mq_unlink(NAME);
    mq_unlink("/ktap2");
}

TEST_SECONDS(kill_storm, 60)
{
    mqd_t q = make_sized(0, 2, 32);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCHLD};
    for (int round = 0; round < 100; round++) {
        pid_t pids[3];
        for (int i = 0; i < 3; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                char text[32];
                for (;;) {
                    if (i == 0)
                        mq_notify(q, &event);
                    if ((rand() + i) % 2)
                        mq_send(q, "x", 1, 0);
                    else
                        mq_receive(q, text, 32, NULL);
                }
            }
        }
        usleep(rand() % 3000);
        for (int i = 0; i < 3; i++) {
            kill(pids[i], SIGKILL);
            CHECK_EQ(waitpid(pids[i], NULL, 0), pids[i]);
        }
    }
    struct mq_attr attr = {.mq_flags = O_NONBLOCK};
    char text[32];
    CHECK_EQ(mq_setattr(q, &attr, NULL), 0);
    while (mq_receive(q, text, 32, NULL) >= 0)
        ;
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(mq_notify(q, &event), 0); // nobody's any more
    put(q, "works", 3);
    get(q, "works", 3);
    mq_unlink(NAME);
}
