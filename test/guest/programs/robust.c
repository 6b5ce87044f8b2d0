// SPDX-License-Identifier: BSD-2-Clause
// Robust lists (set_robust_list(2)): what a thread that ends or becomes another program leaves
// locked is marked, and one who waits for it is woken; whatever the list looks like.
#include "ktap.h"
#include "futex.h"

#include <signal.h>
#include <stddef.h>

static struct lock_entry {
    struct robust_list list;
    uint32_t word;
} entries[8];
static struct robust_list_head head;

// The list of a thread that has entries[first..last) locked.
static void robust_prepare(int first, int last)
{
    pid_t tid = syscall(SYS_gettid);
    struct robust_list *previous = &head.list;
    for (int i = first; i < last; i++) {
        entries[i].word = (uint32_t)tid;
        previous->next = &entries[i].list;
        previous = &entries[i].list;
    }
    previous->next = &head.list;
    head.futex_offset = offsetof(struct lock_entry, word);
    CHECK_EQ(syscall(SYS_set_robust_list, &head, sizeof(head)), 0);
}

// A process of shared memory, so that what it leaves can be seen.
static int robust_child(int (*body)(void *))
{
    static char stack[65536] __attribute__((aligned(16)));
    int status;
    pid_t pid = clone(body, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
    CHECK(pid > 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

static int robust_exits(void *unused)
{
    robust_prepare(0, 4);
    entries[1].word |= FUTEX_WAITERS;
    entries[2].word = 1; // another's
    head.list_op_pending = &entries[3].list;
    syscall(SYS_exit, 0);
    return 0;
}

TEST(robust_list_is_walked_at_exit)
{
    struct waiter w = {.word = &entries[1].word, .bitset = ~0U, .op = FUTEX_WAIT_BITSET};
    start_waiters(&w, 1);
    CHECK_EQ(robust_child(robust_exits), 0);
    pthread_join(w.thread, NULL); // the one who waits is woken
    CHECK_EQ(w.result, 0);
    CHECK_EQ(entries[0].word, FUTEX_OWNER_DIED);
    CHECK_EQ(entries[1].word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
    CHECK_EQ(entries[2].word, 1);
    CHECK_EQ(entries[3].word, FUTEX_OWNER_DIED);
}

static int robust_execs(void *unused)
{
    robust_prepare(0, 2);
    execl("/bin/busybox", "true", NULL);
    return 1;
}

TEST(robust_list_is_walked_at_exec)
{
    CHECK_EQ(robust_child(robust_execs), 0);
    CHECK_EQ(entries[0].word, FUTEX_OWNER_DIED);
    CHECK_EQ(entries[1].word, FUTEX_OWNER_DIED);
}

// Circles, wild pointers, misaligned words: the walk ends, the rest of the exit goes on.
static int robust_circle(void *unused)
{
    robust_prepare(0, 3);
    entries[2].list.next = &entries[0].list;
    syscall(SYS_exit, 0);
    return 0;
}

static int robust_wild(void *unused)
{
    robust_prepare(0, 2);
    entries[1].list.next = (struct robust_list *)0x12345678;
    head.list_op_pending = (void *)-16L;
    syscall(SYS_exit, 0);
    return 0;
}

static int robust_misaligned(void *unused)
{
    robust_prepare(0, 2);
    head.futex_offset++;
    syscall(SYS_exit, 0);
    return 0;
}

TEST(corrupt_robust_lists_end_the_walk)
{
    CHECK_EQ(robust_child(robust_circle), 0);
    CHECK_EQ(entries[0].word | entries[1].word | entries[2].word, FUTEX_OWNER_DIED);
    CHECK_EQ(robust_child(robust_wild), 0);
    CHECK_EQ(entries[1].word, FUTEX_OWNER_DIED);
    head.list_op_pending = NULL;
    CHECK_EQ(robust_child(robust_misaligned), 0);
    CHECK(entries[0].word != FUTEX_OWNER_DIED);
}

// It had unlocked, and was killed before it could wake.
static int robust_pending(void *unused)
{
    robust_prepare(0, 0);
    entries[5].word = FUTEX_WAITERS;
    head.list_op_pending = &entries[5].list;
    syscall(SYS_exit, 0);
    return 0;
}

TEST(robust_pending_unlock_wakes)
{
    struct waiter w = {.word = &entries[5].word, .bitset = ~0U, .op = FUTEX_WAIT_BITSET};
    start_waiters(&w, 1);
    CHECK_EQ(robust_child(robust_pending), 0);
    pthread_join(w.thread, NULL);
    CHECK_EQ(w.result, 0);
}

TEST(get_robust_list)
{
    struct robust_list_head *got;
    size_t size;
    CHECK_ERRNO(syscall(SYS_set_robust_list, &head, 23), EINVAL);
    CHECK_EQ(syscall(SYS_set_robust_list, &head, sizeof(head)), 0);
    CHECK_EQ(syscall(SYS_get_robust_list, 0, &got, &size), 0);
    CHECK(got == &head && size == sizeof(head));
    CHECK_ERRNO(syscall(SYS_get_robust_list, 0, (void *)8, &size), EFAULT);
    CHECK_ERRNO(syscall(SYS_get_robust_list, 0x3ffffff, &got, &size), ESRCH);
}
