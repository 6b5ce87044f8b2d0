// SPDX-License-Identifier: BSD-2-Clause
// What tests of POSIX message queues share.
#pragma once
#include "ktap.h"
#include <mqueue.h>

#define NAME "/ktap"

__attribute__((unused)) static mqd_t make_sized(int flags, long nr, long size)
{
    struct mq_attr attr = {.mq_maxmsg = nr, .mq_msgsize = size};
    mq_unlink(NAME);
    mqd_t q = mq_open(NAME, O_RDWR | O_CREAT | O_EXCL | flags, 0600, &attr);
    CHECK(q >= 0);
    return q;
}

__attribute__((unused)) static mqd_t make(int flags)
{
    return make_sized(flags, 4, 32);
}

__attribute__((unused)) static void put(mqd_t q, const char *text, unsigned priority)
{
    CHECK_EQ(mq_send(q, text, strlen(text), priority), 0);
}

__attribute__((unused)) static void get(mqd_t q, const char *text, unsigned priority)
{
    char seen[64];
    unsigned seen_priority;
    CHECK_EQ(mq_receive(q, seen, sizeof(seen), &seen_priority), strlen(text));
    CHECK_EQ(memcmp(seen, text, strlen(text)), 0);
    CHECK_EQ(seen_priority, priority);
}
