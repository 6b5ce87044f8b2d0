// SPDX-License-Identifier: BSD-2-Clause
// Netlink sockets as far as mq_notify(3) with SIGEV_THREAD needs them, by way of the C library and
// by hand; and what the calls of sockets say that there is no more of.
#include "ktap.h"
#include <linux/netlink.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define NAME   "/ktap-netlink"
#define COOKIE 32

static mqd_t make_queue(void)
{
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16};
    mq_unlink(NAME);
    mqd_t q = mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    CHECK(q >= 0);
    return q;
}

static int make_socket(int flags)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, 0);
    CHECK(fd >= 0);
    return fd;
}

static sem_t told;
static int told_value;
static pthread_t told_in;

static void tell(union sigval value)
{
    told_value = value.sival_int;
    told_in = pthread_self();
    sem_post(&told);
}

TEST(a_thread_is_told)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell};
    mqd_t q = make_queue();
    char text[16];
    sem_init(&told, 0, 0);
    for (int round = 1; round <= 20; round++) {
        event.sigev_value.sival_int = round;
        CHECK_EQ(mq_notify(q, &event), 0);
        CHECK_ERRNO(mq_notify(q, &event), EBUSY);
        CHECK_EQ(mq_send(q, "x", 1, 0), 0);
        CHECK_EQ(sem_wait(&told), 0);
        CHECK_EQ(told_value, round);
        CHECK(!pthread_equal(told_in, pthread_self()));
        CHECK_EQ(mq_receive(q, text, sizeof(text), NULL), 1);
    }
    CHECK_EQ(mq_notify(q, &event), 0);
    CHECK_EQ(mq_notify(q, NULL), 0);
    CHECK_EQ(mq_send(q, "x", 1, 0), 0);
    sleep_ms(50);
    CHECK_EQ(sem_trywait(&told), -1);
    mq_unlink(NAME);
}

static int notify_by_hand(mqd_t q, int fd, const char *cookie)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_signo = fd};
    event.sigev_value.sival_ptr = (void *)cookie;
    return (int)syscall(SYS_mq_notify, q, &event);
}

TEST(a_cookie_comes_back)
{
    static const char cookie[COOKIE] = "thirty-one bytes and what became";
    char back[64], show[100];
    mqd_t q = make_queue();
    int fd = make_socket(0);
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLOUT);
    CHECK_ERRNO(recv(fd, back, sizeof(back), MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(notify_by_hand(q, fd, cookie), 0);
    // The queue's file tells of the kind, and of no signal.
    CHECK_EQ(lseek(q, 0, SEEK_SET), 0);
    CHECK(read(q, show, sizeof(show)) > 0);
    CHECK(strstr(show, "NOTIFY:2") && strstr(show, "SIGNO:0"));
    CHECK_EQ(mq_send(q, "x", 1, 0), 0);
    CHECK_EQ(poll(&p, 1, 1000), 1);
    CHECK_EQ(p.revents, POLLIN | POLLOUT);
    CHECK_EQ(recv(fd, back, 5, MSG_PEEK), 5);
    CHECK_EQ(recv(fd, back, 5, MSG_PEEK | MSG_TRUNC), COOKIE);
    struct sockaddr_nl sender;
    socklen_t size = sizeof(sender);
    memset(&sender, 7, sizeof(sender));
    CHECK_EQ(recvfrom(fd, back, sizeof(back), MSG_WAITALL, (void *)&sender, &size), COOKIE);
    CHECK_EQ(size, sizeof(sender));
    CHECK_EQ(sender.nl_family, AF_NETLINK);
    CHECK_EQ(sender.nl_pid, 0);
    CHECK(!memcmp(back, cookie, COOKIE - 1));
    CHECK_EQ(back[COOKIE - 1], 1);
    // Taken back, or its queue closed: told so. Cut to what there is room for.
    CHECK_EQ(mq_receive(q, show, 16, NULL), 1);
    CHECK_EQ(notify_by_hand(q, fd, cookie), 0);
    CHECK_EQ(syscall(SYS_mq_notify, q, NULL), 0);
    CHECK_EQ(read(fd, back, sizeof(back)), COOKIE);
    CHECK_EQ(back[COOKIE - 1], 2);
    CHECK_EQ(notify_by_hand(q, fd, cookie), 0);
    CHECK_EQ(mq_close(q), 0);
    CHECK_EQ(recv(fd, back, 3, 0), 3);
    CHECK_ERRNO(recv(fd, back, sizeof(back), MSG_DONTWAIT), EAGAIN);
    mq_unlink(NAME);
}

TEST(what_is_refused)
{
    static const char cookie[COOKIE];
    char byte;
    mqd_t q = make_queue();
    int fd = make_socket(0), other = open("/dev/null", O_RDONLY);
    CHECK_ERRNO(notify_by_hand(q, other, cookie), ENOTSOCK);
    CHECK_ERRNO(notify_by_hand(q, 99, cookie), EBADF);
    CHECK_ERRNO(notify_by_hand(q, fd, (char *)8), EFAULT);
    CHECK_ERRNO(notify_by_hand(other, fd, cookie), EBADF);
    CHECK_ERRNO(recv(other, &byte, 1, 0), ENOTSOCK);
    CHECK_ERRNO(recv(99, &byte, 1, 0), EBADF);
    CHECK_ERRNO(recv(fd, &byte, 1, MSG_OOB), EOPNOTSUPP);
    CHECK_ERRNO(listen(fd, 1), EOPNOTSUPP);
    CHECK_ERRNO(accept(fd, NULL, NULL), EOPNOTSUPP);
    CHECK_ERRNO(listen(other, 1), ENOTSOCK);
    CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, 1), EPROTONOSUPPORT);
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, -1), EPROTONOSUPPORT);
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW | 0x100000, 0), EINVAL);
    CHECK_ERRNO(socket(99, SOCK_RAW, 0), EAFNOSUPPORT);
    CHECK_ERRNO(socket(-1, SOCK_RAW, 0), EAFNOSUPPORT);
    CHECK_ERRNO(socket(AF_NETLINK, 12, 0), EINVAL);
    int pair[2];
    CHECK_ERRNO(socketpair(AF_NETLINK, SOCK_RAW, 0, pair), EOPNOTSUPP);
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK(S_ISSOCK(st.st_mode));
    char path[40], name[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, name, sizeof(name) - 1);
    CHECK(n > 8 && !memcmp(name, "socket:[", 8));
    mq_unlink(NAME);
}

static void on_alarm(int signal)
{
}

// Notices that nobody reads fill the socket: the next one waits, O_NONBLOCK or not.
TEST(a_full_socket_waits)
{
    static const char cookie[COOKIE];
    struct sigaction action = {.sa_handler = on_alarm};
    char back[COOKIE];
    mqd_t q = make_queue();
    int fd = make_socket(SOCK_NONBLOCK), n = 0;
    sigaction(SIGALRM, &action, NULL);
    alarm(2);
    while (notify_by_hand(q, fd, cookie) == 0) {
        CHECK_EQ(syscall(SYS_mq_notify, q, NULL), 0);
        n++;
    }
    CHECK_EQ(errno, EINTR);
    CHECK(n >= 50 && n < 10000);
    pid_t pid = fork();
    if (pid == 0) {
        sleep_ms(100);
        for (int i = 0; i < n; i++)
            CHECK_EQ(read(fd, back, sizeof(back)), COOKIE);
        _exit(0);
    }
    CHECK_EQ(notify_by_hand(q, fd, cookie), 0); // as soon as there is room
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(mq_close(q), 0);
    CHECK_EQ(read(fd, back, sizeof(back)), COOKIE);
    CHECK_ERRNO(read(fd, back, sizeof(back)), EAGAIN);
    close(fd);
    fd = make_socket(0);
    alarm(1);
    CHECK_ERRNO(recv(fd, back, sizeof(back), MSG_WAITALL), EINTR);
    mq_unlink(NAME);
}
