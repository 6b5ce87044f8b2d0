// SPDX-License-Identifier: BSD-2-Clause
// System V message queues, sentence by sentence of the contract: the choice of a message by type,
// sizes, the queue's limit, sleepers and their order, removal, msgctl(2), limits, /proc.
#include "sysv.h"

#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#define NOW IPC_NOWAIT

struct buffer {
    long type;
    char text[8192];
};

static int make(void)
{
    int id = msgget(IPC_PRIVATE, 0600);
    CHECK(id >= 0);
    return id;
}

static int put(int id, long type, const char *text, int flags)
{
    struct buffer b = {.type = type};
    strcpy(b.text, text);
    return msgsnd(id, &b, strlen(text), flags);
}

// The text received must be this, of this type.
#define TAKE(id, want_type, flags, type_, text_)                                                   \
    do {                                                                                           \
        struct buffer b_ = {0};                                                                    \
        CHECK_EQ(msgrcv(id, &b_, sizeof(b_.text), want_type, flags), strlen(text_));               \
        CHECK_EQ(b_.type, type_);                                                                  \
        CHECK(!strcmp(b_.text, text_));                                                            \
    } while (0)

static void drop(int id)
{
    CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
}

static struct msqid_ds stat_of(int id)
{
    struct msqid_ds ds;
    CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
    return ds;
}

static void set_bytes(int id, unsigned long bytes)
{
    struct msqid_ds ds = stat_of(id);
    ds.msg_qbytes = bytes;
    CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
}

TEST(get_makes_finds_and_refuses)
{
    key_t key = own_key(0);
    CHECK_ERRNO(msgget(key, 0600), ENOENT);
    time_t before = time(NULL);
    int id = msgget(key, IPC_CREAT | 0640);
    CHECK(id >= 0);
    CHECK_EQ(msgget(key, 0), id);
    CHECK_EQ(msgget(key, IPC_CREAT | 0600), id);
    CHECK_ERRNO(msgget(key, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    struct msqid_ds ds = stat_of(id);
    CHECK(ds.msg_perm.mode == 0640 && ds.msg_perm.__key == key);
    CHECK(ds.msg_stime == 0 && ds.msg_rtime == 0 && ds.msg_ctime >= before);
    CHECK(ds.msg_lspid == 0 && ds.msg_lrpid == 0 && ds.msg_qnum == 0 && ds.__msg_cbytes == 0);
    CHECK_EQ(ds.msg_qbytes, 16384);
    drop(id);
    CHECK_ERRNO(msgctl(id, IPC_STAT, &ds), EINVAL);
    CHECK_ERRNO(put(id, 1, "", 0), EINVAL);
    CHECK_ERRNO(msgrcv(id, &ds, 1, 0, 0), EINVAL);
}

TEST(arguments_are_judged)
{
    struct buffer b = {.type = 1};
    int id = make();
    CHECK_ERRNO(put(id, 0, "x", 0), EINVAL);
    CHECK_ERRNO(put(id, -1, "x", 0), EINVAL);
    CHECK_ERRNO(msgsnd(id, &b, 8193, 0), EINVAL);
    CHECK_ERRNO(msgsnd(id, &b, -1, 0), EINVAL);
    CHECK_ERRNO(msgsnd(-1, &b, 1, 0), EINVAL);
    CHECK_ERRNO(msgsnd(id, (void *)8, 1, 0), EFAULT);
    CHECK_ERRNO(msgrcv(id, &b, -1, 0, NOW), EINVAL);
    CHECK_ERRNO(msgrcv(-1, &b, 1, 0, NOW), EINVAL);
    CHECK_ERRNO(msgrcv(id, &b, 1, 0, NOW), ENOMSG);
    CHECK_ERRNO(msgctl(id, 77, NULL), EINVAL);
    CHECK_ERRNO(msgctl(id, IPC_STAT, (void *)8), EFAULT);
    CHECK_ERRNO(msgctl(id, IPC_SET, (void *)8), EFAULT);
    CHECK_EQ(msgsnd(id, &b, 8192, 0), 0);
    CHECK_EQ(msgrcv(id, &b, 8192, 0, 0), 8192);
    CHECK_EQ(msgsnd(id, &b, 0, 0), 0);
    CHECK_EQ(stat_of(id).msg_qnum, 1);
    CHECK_EQ(msgrcv(id, &b, 0, 0, 0), 0);
    drop(id);
}

TEST(messages_are_chosen_by_type)
{
    int id = make();
    const char *texts[] = {"three", "one", "two", "one again", "five"};
    const long types[] = {3, 1, 2, 1, 5};
    for (int i = 0; i < 5; i++)
        CHECK_EQ(put(id, types[i], texts[i], 0), 0);
    CHECK_ERRNO(msgrcv(id, &(struct buffer){0}, 100, 4, NOW), ENOMSG);
    TAKE(id, 2, 0, 2, "two");
    TAKE(id, -4, 0, 1, "one");
    TAKE(id, 0, 0, 3, "three");
    TAKE(id, 1, MSG_EXCEPT, 5, "five");
    CHECK_ERRNO(msgrcv(id, &(struct buffer){0}, 100, 1, MSG_EXCEPT | NOW), ENOMSG);
    CHECK_EQ(put(id, 1L << 40, "far", 0), 0);
    TAKE(id, -__LONG_MAX__ - 1, 0, 1, "one again");
    TAKE(id, 1L << 40, 0, 1L << 40, "far");
    drop(id);
}

TEST(sizes)
{
    int id = make();
    char small[sizeof(long) + 4];
    CHECK_EQ(put(id, 1, "12345678", 0), 0);
    CHECK_ERRNO(msgrcv(id, small, 4, 0, 0), E2BIG);
    CHECK_EQ(stat_of(id).msg_qnum, 1);
    CHECK_EQ(msgrcv(id, small, 4, 0, MSG_NOERROR), 4);
    CHECK(!memcmp(small + sizeof(long), "1234", 4));
    CHECK_EQ(stat_of(id).msg_qnum, 0);
    drop(id);
}

TEST(copies_leave_the_message)
{
    int id = make();
    struct buffer b = {0};
    CHECK_EQ(put(id, 5, "first", 0), 0);
    CHECK_EQ(put(id, 3, "second", 0), 0);
    struct msqid_ds before = stat_of(id);
    TAKE(id, 1, MSG_COPY | NOW, 3, "second");
    TAKE(id, 0, MSG_COPY | NOW, 5, "first");
    CHECK_ERRNO(msgrcv(id, &b, 100, 2, MSG_COPY | NOW), ENOMSG);
    CHECK_ERRNO(msgrcv(id, &b, 100, 0, MSG_COPY), EINVAL);
    CHECK_ERRNO(msgrcv(id, &b, 100, 0, MSG_COPY | MSG_EXCEPT | NOW), EINVAL);
    CHECK_ERRNO(msgrcv(id, &b, 3, 0, MSG_COPY | NOW), E2BIG);
    CHECK_ERRNO(msgrcv(id, &b, 3, 0, MSG_COPY | NOW | MSG_NOERROR), EINVAL);
    struct msqid_ds after = stat_of(id);
    CHECK(!memcmp(&before, &after, sizeof(before)));
    drop(id);
}

TEST(times_pids_and_bytes)
{
    int id = make();
    time_t before = time(NULL);
    pid_t pid = CHILD(CHECK_EQ(put(id, 1, "hello", 0), 0));
    REAP(pid);
    struct msqid_ds ds = stat_of(id);
    CHECK(ds.msg_lspid == pid && ds.msg_lrpid == 0);
    CHECK(ds.msg_stime >= before && ds.msg_rtime == 0);
    CHECK(ds.msg_qnum == 1 && ds.__msg_cbytes == 5);
    TAKE(id, 0, 0, 1, "hello");
    ds = stat_of(id);
    CHECK(ds.msg_lrpid == getpid() && ds.msg_rtime >= before && ds.__msg_cbytes == 0);
    drop(id);
}

static void as_stranger(int id, int mode)
{
    if (mode & 2)
        CHECK_EQ(put(id, 1, "x", 0), 0);
    else
        CHECK_ERRNO(put(id, 1, "x", 0), EACCES);
    struct buffer b;
    if (mode & 4)
        CHECK_EQ(msgrcv(id, &b, 100, 0, 0), 1);
    else
        CHECK_ERRNO(msgrcv(id, &b, 100, 0, 0), EACCES);
    struct msqid_ds ds = {0};
    CHECK_ERRNO(msgctl(id, IPC_RMID, NULL), EPERM);
    CHECK_ERRNO(msgctl(id, IPC_SET, &ds), EPERM);
    if (!(mode & 4))
        CHECK_ERRNO(msgctl(id, IPC_STAT, &ds), EACCES);
}

TEST(permissions)
{
    int id = msgget(IPC_PRIVATE, 0602);
    AS_USER(1000, 1000, as_stranger(id, 2));
    AS_USER(1000, 0, as_stranger(id, 0));
    struct msqid_ds ds = stat_of(id);
    ds.msg_perm.mode = 07604;
    CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
    CHECK_EQ(stat_of(id).msg_perm.mode, 0604);
    AS_USER(1000, 1000, as_stranger(id, 4));
    drop(id);
}

TEST(a_full_queue)
{
    int id = make();
    set_bytes(id, 10);
    CHECK_EQ(put(id, 1, "12345", 0), 0);
    CHECK_ERRNO(put(id, 1, "123456", NOW), EAGAIN);
    CHECK_EQ(put(id, 1, "12345", NOW), 0);
    CHECK_ERRNO(put(id, 1, "1", NOW), EAGAIN);
    CHECK_EQ(put(id, 1, "", NOW), 0);
    set_bytes(id, 3);
    TAKE(id, 0, 0, 1, "12345");
    TAKE(id, 0, 0, 1, "12345");
    TAKE(id, 0, 0, 1, "");
    // As many messages as bytes, even empty ones.
    for (int i = 0; i < 3; i++)
        CHECK_EQ(put(id, 1, "", NOW), 0);
    CHECK_ERRNO(put(id, 1, "", NOW), EAGAIN);
    struct msqid_ds ds = stat_of(id);
    ds.msg_perm.uid = 1000;
    ds.msg_perm.mode = 0666;
    CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
    AS_USER(1000, 1000, {
        struct msqid_ds own = stat_of(id);
        own.msg_qbytes = 16385;
        CHECK_ERRNO(msgctl(id, IPC_SET, &own), EPERM);
        own.msg_qbytes = 16384;
        CHECK_EQ(msgctl(id, IPC_SET, &own), 0);
    });
    set_bytes(id, 20000);
    CHECK_EQ(stat_of(id).msg_qbytes, 20000);
    drop(id);
}

static pid_t sender(int id, long type, const char *text)
{
    pid_t pid = CHILD(CHECK_EQ(put(id, type, text, 0), 0));
    wait_asleep(pid);
    return pid;
}

TEST(senders_wait_for_room)
{
    int id = make();
    set_bytes(id, 4);
    CHECK_EQ(put(id, 9, "full", 0), 0);
    CHECK_EQ(put(id, 8, "", NOW), 0);
    pid_t a = sender(id, 1, "aaaa"), b = sender(id, 2, "b");
    CHECK_EQ(stat_of(id).msg_qnum, 2);
    TAKE(id, 8, 0, 8, ""); // no bytes: neither fits
    wait_asleep(a);
    wait_asleep(b);
    CHECK_EQ(stat_of(id).msg_qnum, 1);
    set_bytes(id, 5); // b fits, a doesn't
    REAP(b);
    wait_asleep(a);
    CHECK_EQ(stat_of(id).msg_lspid, b);
    TAKE(id, 9, 0, 9, "full");
    REAP(a);
    CHECK_EQ(stat_of(id).msg_lspid, a);
    TAKE(id, 0, 0, 2, "b");
    TAKE(id, 0, 0, 1, "aaaa");
    // A larger queue lets in as well.
    CHECK_EQ(put(id, 9, "full", 0), 0);
    a = sender(id, 1, "aa");
    set_bytes(id, 100);
    REAP(a);
    CHECK_EQ(stat_of(id).msg_qnum, 2);
    drop(id);
}

static pid_t receiver(int id, size_t size, long type, int flags, long want)
{
    pid_t pid = CHILD({
        struct buffer b;
        long n = msgrcv(id, &b, size, type, flags);
        CHECK_EQ(n < 0 ? -errno : b.type * 100 + n, want);
    });
    wait_asleep(pid);
    return pid;
}

TEST(receivers_wait_for_what_they_want)
{
    int id = make();
    pid_t two = receiver(id, 100, 2, 0, 203), low = receiver(id, 100, -3, 0, 303),
          other = receiver(id, 100, 3, MSG_EXCEPT, 403), any = receiver(id, 100, 0, 0, 301);
    CHECK_EQ(put(id, 4, "abc", 0), 0);
    REAP(other);
    CHECK_EQ(put(id, 3, "abc", 0), 0); // low was before any
    REAP(low);
    CHECK_EQ(put(id, 2, "abc", 0), 0); // two was before any
    REAP(two);
    CHECK_EQ(put(id, 3, "a", 0), 0);
    REAP(any);
    CHECK_EQ(stat_of(id).msg_qnum, 0);
    CHECK_EQ(stat_of(id).msg_lrpid, any);
    // Too large for the first: it is told, the second gets it.
    pid_t small = receiver(id, 2, 0, 0, -E2BIG), large = receiver(id, 100, 0, 0, 105);
    CHECK_EQ(put(id, 1, "large", 0), 0);
    REAP(small);
    REAP(large);
    pid_t cut = receiver(id, 2, 0, MSG_NOERROR, 102);
    CHECK_EQ(put(id, 1, "large", 0), 0);
    REAP(cut);
    drop(id);
}

TEST(removal_ends_sleepers)
{
    int id = make();
    set_bytes(id, 1);
    CHECK_EQ(put(id, 1, "x", 0), 0);
    pid_t in = receiver(id, 10, 5, 0, -EIDRM), out = CHILD(CHECK_ERRNO(put(id, 1, "y", 0), EIDRM));
    wait_asleep(out);
    drop(id);
    REAP(in);
    REAP(out);
}

TEST(stricter_permissions_end_sleepers)
{
    int id = msgget(IPC_PRIVATE, 0666);
    pid_t pid =
        CHILD(AS_USER(1000, 1000, CHECK_ERRNO(msgrcv(id, &(struct buffer){0}, 1, 0, 0), EACCES)));
    sleep_ms(100); // the grandchild; too early is no failure, it is refused at once
    struct msqid_ds ds = stat_of(id);
    ds.msg_perm.mode = 0600;
    CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
    REAP(pid);
    drop(id);
}

static int caught;

static void on_signal(int number)
{
    (void)number;
    caught++;
}

TEST(a_handler_interrupts_a_stop_does_not)
{
    int id = make(), status;
    set_bytes(id, 1);
    CHECK_EQ(put(id, 1, "x", 0), 0);
    for (int sends = 0; sends < 2; sends++) {
        pid_t pid = CHILD({
            struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
            struct buffer b;
            CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
            if (sends)
                CHECK_ERRNO(put(id, 1, "y", 0), EINTR);
            else
                CHECK_ERRNO(msgrcv(id, &b, 1, 2, 0), EINTR);
            CHECK_EQ(caught, 1);
        });
        wait_asleep(pid);
        CHECK_EQ(kill(pid, SIGSTOP), 0);
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK_EQ(kill(pid, SIGCONT), 0);
        CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
        wait_asleep(pid);
        CHECK_EQ(kill(pid, SIGUSR1), 0);
        REAP(pid);
    }
    CHECK_EQ(stat_of(id).msg_qnum, 1);
    drop(id);
}

TEST(a_bad_buffer_loses_the_message)
{
    int id = make();
    CHECK_EQ(put(id, 1, "x", 0), 0);
    CHECK_ERRNO(msgrcv(id, (void *)8, 1, 0, 0), EFAULT);
    CHECK_EQ(stat_of(id).msg_qnum, 0);
    drop(id);
}

TEST(info_stat_and_proc)
{
    struct msginfo info, usage;
    struct msqid_ds ds;
    char line[300], want[120];
    int id = msgget(own_key(1), IPC_CREAT | 0640), found = 0;
    int highest = msgctl(0, IPC_INFO, (void *)&info);
    CHECK(highest >= 0);
    CHECK(info.msgmax == 8192 && info.msgmnb == 16384 && info.msgmni == 32000);
    CHECK(info.msgssz == 16 && info.msgtql == 16384 && info.msgmap == 16384 &&
          info.msgseg == 0xffff);
    CHECK_EQ(info.msgpool, 512000);
    CHECK_EQ(msgctl(0, MSG_INFO, (void *)&usage), highest);
    CHECK_EQ(put(id, 1, "12345", 0), 0);
    CHECK_EQ(msgctl(0, MSG_INFO, (void *)&info), highest);
    CHECK(info.msgpool == usage.msgpool && info.msgmap == usage.msgmap + 1);
    CHECK_EQ(info.msgtql, usage.msgtql + 5);
    for (int i = 0; i <= highest; i++)
        found += msgctl(i, MSG_STAT, &ds) == id && ds.msg_qnum == 1;
    CHECK_EQ(found, 1);
    AS_USER(1000, 1000, {
        int seen = 0;
        for (int i = 0; i <= highest; i++)
            seen += msgctl(i, MSG_STAT_ANY, &ds) == id;
        CHECK_EQ(seen, 1);
    });
    CHECK(proc_line("msg", id, line, sizeof(line)));
    snprintf(want, sizeof(want),
             "%10d %10d   640           5          1 %5u     0     0     0     0     0 ",
             own_key(1), id, getpid());
    CHECK(!strncmp(line, want, strlen(want)));
    CHECK_EQ(strlen(line), strlen(want) + 33);
    drop(id);
    CHECK(!proc_line("msg", id, line, sizeof(line)));
}

TEST(limits_can_be_changed)
{
    struct buffer b = {.type = 1};
    CHECK_EQ(sysctl_read("msgmax"), 8192);
    CHECK_EQ(sysctl_read("msgmnb"), 16384);
    CHECK_EQ(sysctl_read("msgmni"), 32000);
    CHECK_EQ(sysctl_write("msgmax", "100\n"), 0);
    CHECK_EQ(sysctl_write("msgmnb", "200\n"), 0);
    int id = make(), large = msgsnd(id, &b, 101, 0), large_errno = errno,
        fits = msgsnd(id, &b, 100, 0);
    unsigned long bytes = stat_of(id).msg_qbytes;
    CHECK_EQ(sysctl_write("msgmax", "8192\n"), 0);
    CHECK_EQ(sysctl_write("msgmnb", "16384\n"), 0);
    CHECK(large == -1 && large_errno == EINVAL);
    CHECK_EQ(fits, 0);
    CHECK_EQ(bytes, 200);
    CHECK_EQ(sysctl_write("msgmni", "40000\n"), EINVAL);
    CHECK_EQ(sysctl_write("msgmax", "-1\n"), EINVAL);
    drop(id);
}

TEST_SECONDS(many_to_many, 60)
{
    enum { SENDERS = 4, EACH = 100 };
    int64_t start = now_ns(CLOCK_MONOTONIC);
    int id = make();
    pid_t pids[2 * SENDERS];
    for (int s = 0; s < SENDERS; s++) {
        pids[s] = CHILD(for (int i = 0; i < EACH; i++) {
            struct buffer b = {.type = 1 + i % 3};
            memcpy(b.text, &i, sizeof(i));
            CHECK_EQ(msgsnd(id, &b, 4 + i % 500, 0), 0);
        });
        pids[SENDERS + s] = CHILD(for (int i = 0; i < EACH; i++) {
            struct buffer b;
            int number;
            long n = msgrcv(id, &b, sizeof(b.text), 0, 0);
            memcpy(&number, b.text, sizeof(number));
            CHECK(n == 4 + number % 500 && b.type == 1 + number % 3);
        });
    }
    for (int i = 0; i < 2 * SENDERS; i++)
        REAP(pids[i]);
    struct msqid_ds ds = stat_of(id);
    CHECK(ds.msg_qnum == 0 && ds.__msg_cbytes == 0);
    note("%d messages in %lld ms", SENDERS * EACH, (now_ns(CLOCK_MONOTONIC) - start) / 1000000LL);
    drop(id);
}

TEST_SECONDS(kill_storm, 120)
{
    struct msginfo before, after;
    CHECK(msgctl(0, MSG_INFO, (void *)&before) >= 0);
    int id = make();
    for (int round = 0; round < 200; round++) {
        pid_t pids[3];
        for (int p = 0; p < 3; p++)
            pids[p] = CHILD(for (int i = 0;; i++) {
                struct buffer b = {.type = 1 + p};
                if (p < 2)
                    msgsnd(id, &b, i * 37 % 8192, 0);
                else
                    msgrcv(id, &b, sizeof(b.text), 0, 0);
            });
        for (volatile int i = 0; i < round % 40 * 3000; i++)
            ;
        for (int p = 0; p < 3; p++)
            kill(pids[p], SIGKILL);
        for (int p = 0; p < 3; p++) {
            int status;
            CHECK_EQ(waitpid(pids[p], &status, 0), pids[p]);
        }
    }
    drop(id);
    CHECK(msgctl(0, MSG_INFO, (void *)&after) >= 0);
    CHECK(!memcmp(&before, &after, sizeof(before)));
}
