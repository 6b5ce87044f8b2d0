// SPDX-License-Identifier: BSD-2-Clause
// POSIX message queues as files: who is told of messages, the file system, rights and limits.
#include "queue.h"
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static sigset_t block(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    return set;
}

static int told(const sigset_t *set, siginfo_t *info, int ms)
{
    struct timespec limit = {ms / 1000, ms % 1000 * 1000000L};
    return sigtimedwait(set, info, &limit);
}

TEST(notification_comes_once_and_only_for_an_empty_queue)
{
    mqd_t q = make(0);
    sigset_t set = block(SIGUSR1);
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 55};
    siginfo_t info;
    int status;
    put(q, "old", 0);
    CHECK_EQ(mq_notify(q, &event), 0);
    CHECK_ERRNO(mq_notify(q, &event), EBUSY);
    put(q, "not to an empty one", 0);
    CHECK_EQ(told(&set, &info, 50), -1);
    get(q, "old", 0);
    get(q, "not to an empty one", 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_ERRNO(mq_notify(q, &event), EBUSY);
        CHECK_EQ(mq_notify(q, NULL), 0); // not ours: nothing happens
        close(q);                        // nor by this
        q = mq_open(NAME, O_RDWR);
        put(q, "new", 0);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(told(&set, &info, 5000), SIGUSR1);
    CHECK_EQ(info.si_code, SI_MESGQ);
    CHECK_EQ(info.si_value.sival_int, 55);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_uid, getuid());
    get(q, "new", 0);
    put(q, "again", 0);
    CHECK_EQ(told(&set, &info, 50), -1); // once
    get(q, "again", 0);
    CHECK_EQ(mq_notify(q, &event), 0);
    CHECK_EQ(mq_notify(q, NULL), 0);
    put(q, "again", 0);
    CHECK_EQ(told(&set, &info, 50), -1);
    mq_unlink(NAME);
}

TEST(notification_gives_way_to_a_receiver)
{
    mqd_t q = make(0);
    sigset_t set = block(SIGUSR1);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    siginfo_t info;
    if (fork() == 0) {
        get(q, "for the receiver", 0);
        _exit(0);
    }
    sleep_ms(100);
    CHECK_EQ(mq_notify(q, &event), 0);
    put(q, "for the receiver", 0);
    CHECK_EQ(told(&set, &info, 100), -1);
    put(q, "for all", 0);
    CHECK_EQ(told(&set, &info, 5000), SIGUSR1);
    mq_unlink(NAME);
}

TEST(notification_ends_with_its_descriptor_or_process)
{
    mqd_t q = make(0);
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    int status;
    CHECK_EQ(mq_notify(q, &event), 0);
    CHECK_EQ(close(dup(q)), 0); // any descriptor of it, as POSIX's mq_close
    CHECK_EQ(mq_notify(q, &event), 0);
    CHECK_EQ(mq_notify(q, NULL), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(mq_notify(q, &event), 0);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(mq_notify(q, &event), 0);
    event.sigev_notify = 99;
    CHECK_ERRNO(mq_notify(q, &event), EINVAL);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 65;
    CHECK_ERRNO(mq_notify(q, &event), EINVAL);
    mq_unlink(NAME);
}

TEST(a_file_system_of_queues)
{
    char text[200];
    struct stat st;
    struct statfs fs;
    mqd_t q = make(0);
    mkdir("/tmp/mq", 0755);
    CHECK_EQ(mount("mqueue", "/tmp/mq", "mqueue", 0, NULL), 0);
    CHECK_EQ(statfs("/tmp/mq", &fs), 0);
    CHECK_EQ(fs.f_type, 0x19800202);
    CHECK_EQ(stat("/tmp/mq", &st), 0);
    CHECK_EQ(st.st_mode, S_IFDIR | 01777);
    CHECK_EQ(stat("/tmp/mq/ktap", &st), 0);
    CHECK_EQ(st.st_mode, S_IFREG | 0600);
    CHECK_EQ(st.st_size, 80);
    put(q, "twelve bytes", 0);
    int fd = open("/tmp/mq/ktap", O_RDWR);
    CHECK(fd >= 0);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    CHECK(n > 0);
    text[n] = 0;
    CHECK_EQ(strcmp(text, "QSIZE:12         NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n"), 0);
    CHECK_EQ(read(fd, text, sizeof(text)), 0);
    get(fd, "twelve bytes", 0); // it is the queue itself
    CHECK_ERRNO(write(fd, text, 1), EINVAL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    CHECK_EQ(mq_notify(q, &event), 0);
    n = pread(fd, text, sizeof(text) - 1, 0);
    CHECK(n > 0);
    text[n] = 0;
    int kind, number, pid;
    CHECK_EQ(sscanf(text, "QSIZE:0 NOTIFY:%d SIGNO:%d NOTIFY_PID:%d", &kind, &number, &pid), 3);
    CHECK_EQ(kind, SIGEV_SIGNAL);
    CHECK_EQ(number, SIGUSR2);
    CHECK_EQ(pid, getpid());
    close(fd);
    CHECK_EQ(unlink("/tmp/mq/ktap"), 0);
    CHECK_ERRNO(mq_open(NAME, O_RDWR), ENOENT);
    fd = open("/tmp/mq/made", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    mqd_t made = mq_open("/made", O_RDWR);
    CHECK(made >= 0);
    struct mq_attr attr;
    CHECK_EQ(mq_getattr(made, &attr), 0);
    CHECK_EQ(attr.mq_maxmsg, 10);
    CHECK_ERRNO(mkdir("/tmp/mq/dir", 0700), EPERM);
    CHECK_ERRNO(rename("/tmp/mq/made", "/tmp/mq/other"), EPERM);
    CHECK_EQ(mq_unlink("/made"), 0);
    CHECK_ERRNO(umount("/tmp/mq"), EBUSY);
    close(fd);
    CHECK_EQ(umount("/tmp/mq"), 0);
}

TEST(rights)
{
    mqd_t q = make(0);
    CHECK_EQ(fchmod(q, 0640), 0);
    int status;
    if (fork() == 0) {
        CHECK_EQ(setgid(4000), 0);
        CHECK_EQ(setuid(4000), 0);
        CHECK_ERRNO(mq_open(NAME, O_RDONLY), EACCES);
        CHECK_ERRNO(syscall(SYS_mq_unlink, &NAME[1]), EPERM);                 // sticky, as /tmp
        mqd_t own = mq_open("/own", O_WRONLY | O_CREAT | O_EXCL, 0400, NULL); // rights for others
        CHECK(own >= 0);
        CHECK_EQ(mq_send(own, "x", 1, 0), 0);
        CHECK_ERRNO(mq_open("/own", O_WRONLY), EACCES);
        CHECK_EQ(mq_unlink("/own"), 0);
        struct mq_attr attr = {.mq_maxmsg = 11, .mq_msgsize = 8};
        CHECK_ERRNO(mq_open("/own", O_RDWR | O_CREAT, 0600, &attr), EINVAL); // msg_max
        attr.mq_maxmsg = 4;
        attr.mq_msgsize = 8193;
        CHECK_ERRNO(mq_open("/own", O_RDWR | O_CREAT, 0600, &attr), EINVAL); // msgsize_max
        _exit(0);
    }
    CHECK(wait(&status) > 0);
    CHECK_EQ(status, 0);
    CHECK_EQ(mq_unlink(NAME), 0);
    umask(077);
    q = mq_open(NAME, O_RDWR | O_CREAT, 0666, NULL);
    struct stat st;
    CHECK_EQ(fstat(q, &st), 0);
    CHECK_EQ(st.st_mode & 0777, 0600);
    CHECK_EQ(mq_unlink(NAME), 0);
}

TEST(a_user_has_so_many_bytes)
{
    struct rlimit limit = {50000, 50000};
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 8000};
    CHECK_EQ(setrlimit(RLIMIT_MSGQUEUE, &limit), 0);
    CHECK_EQ(setuid(4001), 0);
    mqd_t q = mq_open("/one", O_RDWR | O_CREAT, 0600, &attr);
    CHECK(q >= 0);
    CHECK_ERRNO(mq_open("/two", O_RDWR | O_CREAT, 0600, &attr), EMFILE);
    CHECK_EQ(mq_unlink("/one"), 0); // still open
    CHECK_ERRNO(mq_open("/two", O_RDWR | O_CREAT, 0600, &attr), EMFILE);
    CHECK_EQ(mq_close(q), 0);
    CHECK(mq_open("/two", O_RDWR | O_CREAT, 0600, &attr) >= 0);
    CHECK_EQ(mq_unlink("/two"), 0);
}

static void write_limit(const char *name, const char *value, int error)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/sys/fs/mqueue/%s", name);
    int fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    if (error)
        CHECK_ERRNO(write(fd, value, strlen(value)), error);
    else
        CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
    close(fd);
}

TEST(limits_can_be_set)
{
    struct mq_attr attr = {.mq_maxmsg = 12, .mq_msgsize = 200}, seen;
    write_limit("msg_max", "12\n", 0);
    write_limit("msg_max", "0", EINVAL);
    write_limit("msg_max", "65537", EINVAL);
    write_limit("msg_max", "many", EINVAL);
    write_limit("msgsize_max", "127", EINVAL);
    write_limit("queues_max", "0", 0);
    write_limit("msg_default", "3", 0);
    int status;
    if (fork() == 0) {
        CHECK_EQ(setuid(4002), 0);
        CHECK_ERRNO(mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr), ENOSPC);
        _exit(0);
    }
    CHECK(wait(&status) > 0);
    write_limit("queues_max", "256", 0);
    CHECK_EQ(status, 0);
    mqd_t q = mq_open(NAME, O_RDWR | O_CREAT, 0600, NULL);
    CHECK_EQ(mq_getattr(q, &seen), 0);
    CHECK_EQ(mq_unlink(NAME), 0);
    write_limit("msg_default", "10", 0);
    CHECK_EQ(seen.mq_maxmsg, 3);
    if (fork() == 0) {
        CHECK_EQ(setuid(4002), 0);
        CHECK(mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr) >= 0);
        CHECK_EQ(mq_unlink(NAME), 0);
        _exit(0);
    }
    CHECK(wait(&status) > 0);
    write_limit("msg_max", "10", 0);
    CHECK_EQ(status, 0);
}
