// SPDX-License-Identifier: BSD-2-Clause
// /proc/sys/fs/mqueue: limits of POSIX message queues. mq_overview(7).
#include "proc_priv.h"

#include <asm/stat.h>
#include <errno.h>
#include <fs/mqueue.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>

#define RW_ROOT (S_IFREG | 0644)

// A number between blanks.
static ssize_t store_limit(enum mqueue_limit which, const char *data, size_t n)
{
    char text[32], *end;
    if (n == 0 || n >= sizeof(text))
        return -EINVAL;
    memcpy(text, data, n);
    text[n] = 0;
    const char *at = text;
    while (*at != 0 && strchr(" \t\n", *at))
        at++;
    if (*at < '0' || *at > '9')
        return -EINVAL;
    uint64_t value = strtoul(at, &end, 10);
    if (*end != 0 && !strchr(" \t\n", *end))
        return -EINVAL;
    int err = mqueue_limit_set(which, value);
    return err != 0 ? err : (ssize_t)n;
}

#define LIMIT(name, limit)                                                                         \
    static int show_##name(struct text *t, uint64_t key)                                           \
    {                                                                                              \
        text_printf(t, "%lu\n", (unsigned long)mqueue_limit(limit));                               \
        return 0;                                                                                  \
    }                                                                                              \
    static ssize_t store_##name(uint64_t key, const char *data, size_t n)                          \
    {                                                                                              \
        return store_limit(limit, data, n);                                                        \
    }

LIMIT(queues_max, MQUEUE_QUEUES_MAX)
LIMIT(msg_max, MQUEUE_MSG_MAX)
LIMIT(msgsize_max, MQUEUE_MSGSIZE_MAX)
LIMIT(msg_default, MQUEUE_MSG_DEFAULT)
LIMIT(msgsize_default, MQUEUE_MSGSIZE_DEFAULT)

#define LIMIT_FILE(which)                                                                          \
    {                                                                                              \
        .name = #which, .mode = RW_ROOT, .show = show_##which, .store = store_##which              \
    }

const struct proc_file proc_mqueue_files[] = {
    LIMIT_FILE(queues_max),  LIMIT_FILE(msg_max),         LIMIT_FILE(msgsize_max),
    LIMIT_FILE(msg_default), LIMIT_FILE(msgsize_default), {.name = NULL},
};
