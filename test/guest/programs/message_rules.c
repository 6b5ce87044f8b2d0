// SPDX-License-Identifier: BSD-2-Clause
// Which message a receiver gets when its flags say two things, what a queue does whose limit is
// lowered under it, who of several senders enters first, and what a killed sender leaves.
#include "sysv.h"
#include <sched.h>

#define NOW IPC_NOWAIT
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

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

static void drop(int id)
{
    CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
}

static int put(int id, long type, const char *text, int flags)
{
    struct buffer b = {.type = type};
    strcpy(b.text, text);
    return msgsnd(id, &b, strlen(text), flags);
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

#define TAKE(id, which, flags, want_type, want)                                                    \
    do {                                                                                           \
        struct buffer b_ = {0};                                                                    \
        CHECK_EQ(msgrcv(id, &b_, sizeof(b_.text), which, flags), strlen(want));                    \
        CHECK_EQ(b_.type, want_type);                                                              \
        CHECK(!memcmp(b_.text, want, strlen(want)));                                               \
    } while (0)

TEST(of_one_type_the_oldest)
{
    int id = make();
    const char *texts[] = {"a", "b", "c", "d", "e", "f"};
    for (int i = 0; i < 6; i++)
        CHECK_EQ(put(id, 5 - i % 2, texts[i], 0), 0); // 5 4 5 4 5 4
    TAKE(id, -5, 0, 4, "b");
    TAKE(id, -5, 0, 4, "d");
    TAKE(id, 5, 0, 5, "a");
    TAKE(id, 0, 0, 5, "c");
    TAKE(id, -4, 0, 4, "f");
    TAKE(id, -5, 0, 5, "e");
    CHECK_ERRNO(msgrcv(id, &(struct buffer){0}, 1, 0, NOW), ENOMSG);
    drop(id);
}

TEST(except_is_of_positive_types)
{
    int id = make();
    CHECK_EQ(put(id, 3, "three", 0), 0);
    CHECK_EQ(put(id, 2, "two", 0), 0);
    CHECK_ERRNO(msgrcv(id, &(struct buffer){0}, 9, -1, MSG_EXCEPT | NOW), ENOMSG);
    TAKE(id, -3, MSG_EXCEPT, 2, "two");
    TAKE(id, 0, MSG_EXCEPT, 3, "three");
    drop(id);
}

TEST(the_lowest_type_up_to_a_number_first)
{
    int id = make();
    const long types[] = {9, 7, 8, 7, 1L << 40};
    for (int i = 0; i < 5; i++)
        CHECK_EQ(put(id, types[i], "x", 0), 0);
    CHECK_ERRNO(msgrcv(id, &(struct buffer){0}, 9, -6, NOW), ENOMSG);
    TAKE(id, -9, 0, 7, "x");
    TAKE(id, -__LONG_MAX__, 0, 7, "x");
    TAKE(id, -__LONG_MAX__, 0, 8, "x");
    TAKE(id, -__LONG_MAX__, 0, 9, "x");
    TAKE(id, -__LONG_MAX__, 0, 1L << 40, "x");
    drop(id);
}

// What is cut off is gone, the rest of the buffer stays as it was.
TEST(cut_or_refused)
{
    int id = make();
    struct buffer b;
    CHECK_EQ(put(id, 1, "12345678", 0), 0);
    CHECK_EQ(put(id, 2, "9", 0), 0);
    CHECK_ERRNO(msgrcv(id, &b, 0, 0, 0), E2BIG);
    CHECK_ERRNO(msgrcv(id, &b, 7, 1, NOW), E2BIG); // not the next one that would fit
    memset(&b, 0x55, sizeof(b));
    CHECK_EQ(msgrcv(id, &b, 3, 0, MSG_NOERROR), 3);
    CHECK(b.type == 1 && !memcmp(b.text, "123\x55", 4));
    CHECK_EQ(stat_of(id).__msg_cbytes, 1);
    CHECK_EQ(msgrcv(id, &b, 0, 0, MSG_NOERROR), 0);
    CHECK_EQ(b.type, 2);
    CHECK(stat_of(id).msg_qnum == 0 && stat_of(id).__msg_cbytes == 0);
    drop(id);
}

TEST(copies_go_by_number)
{
    int id = make();
    struct buffer b;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(put(id, 10 - i, i == 1 ? "" : "text", 0), 0);
    TAKE(id, 0, MSG_COPY | NOW, 10, "text");
    TAKE(id, 1, MSG_COPY | NOW, 9, "");
    TAKE(id, 2, MSG_COPY | NOW | MSG_NOERROR, 8, "text");
    TAKE(id, 2, MSG_COPY | NOW, 8, "text");
    CHECK_ERRNO(msgrcv(id, &b, 9, 3, MSG_COPY | NOW), ENOMSG);
    CHECK_ERRNO(msgrcv(id, &b, 9, -1, MSG_COPY | NOW), ENOMSG);
    CHECK_EQ(stat_of(id).msg_qnum, 3);
    AS_USER(1000, 1000, CHECK_ERRNO(msgrcv(id, &b, 9, 0, MSG_COPY | NOW), EACCES));
    TAKE(id, 0, 0, 10, "text"); // the numbers move up
    TAKE(id, 0, MSG_COPY | NOW, 9, "");
    drop(id);
}

TEST(a_lowered_limit_holds_for_what_comes)
{
    int id = make();
    CHECK_EQ(put(id, 1, "12345", 0), 0);
    CHECK_EQ(put(id, 1, "12345", 0), 0);
    set_bytes(id, 6);
    CHECK(stat_of(id).msg_qnum == 2 && stat_of(id).__msg_cbytes == 10);
    CHECK_ERRNO(put(id, 1, "", NOW), EAGAIN); // more than full
    TAKE(id, 0, 0, 1, "12345");
    CHECK_ERRNO(put(id, 1, "12", NOW), EAGAIN);
    CHECK_EQ(put(id, 1, "1", NOW), 0);
    // More than the limit by itself: nothing ever lets it in.
    TAKE(id, 0, 0, 1, "12345");
    TAKE(id, 0, 0, 1, "1");
    CHECK_ERRNO(put(id, 1, "1234567", NOW), EAGAIN);
    set_bytes(id, 0);
    CHECK_ERRNO(put(id, 1, "", NOW), EAGAIN);
    drop(id);
}

// On Linux those who sleep are woken in order and then race for it: so they share one hart and a
// policy that lets them run in the order of their waking.
TEST(senders_enter_in_order)
{
    enum { SENDERS = 5 };
    pid_t pids[SENDERS];
    cpu_set_t one;
    int id = make();
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    CHECK_EQ(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}), 0);
    set_bytes(id, 4);
    CHECK_EQ(put(id, 99, "full", 0), 0);
    for (int i = 0; i < SENDERS; i++) {
        pids[i] = CHILD(CHECK_EQ(put(id, i + 1, "next", 0), 0));
        wait_asleep(pids[i]);
    }
    TAKE(id, 0, 0, 99, "full");
    for (int i = 0; i < SENDERS; i++) {
        REAP(pids[i]);
        TAKE(id, 0, 0, i + 1, "next");
    }
    drop(id);
}

TEST(who_is_killed_sends_and_takes_nothing)
{
    int id = make(), status;
    set_bytes(id, 4);
    pid_t taker = CHILD(msgrcv(id, &(struct buffer){0}, 9, 7, 0));
    wait_asleep(taker);
    CHECK_EQ(kill(taker, SIGKILL), 0);
    CHECK_EQ(waitpid(taker, &status, 0), taker);
    CHECK_EQ(put(id, 7, "full", 0), 0);
    pid_t sender = CHILD(put(id, 1, "x", 0));
    wait_asleep(sender);
    CHECK_EQ(kill(sender, SIGKILL), 0);
    CHECK_EQ(waitpid(sender, &status, 0), sender);
    CHECK_EQ(stat_of(id).msg_lspid, getpid());
    TAKE(id, 0, 0, 7, "full");
    CHECK_EQ(stat_of(id).msg_qnum, 0);
    drop(id);
}

TEST(room_is_asked_for_even_if_somebody_waits)
{
    int id = make();
    pid_t taker = CHILD(TAKE(id, 5, 0, 5, "to you"));
    wait_asleep(taker);
    set_bytes(id, 2);
    CHECK_ERRNO(put(id, 5, "to you", NOW), EAGAIN);
    set_bytes(id, 6);
    CHECK_EQ(put(id, 4, "", NOW), 0);
    CHECK_EQ(put(id, 5, "to you", NOW), 0);
    REAP(taker);
    CHECK(stat_of(id).msg_qnum == 1 && stat_of(id).__msg_cbytes == 0);
    drop(id);
}
