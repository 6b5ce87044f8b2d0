// SPDX-License-Identifier: BSD-2-Clause
// poll: what is ready is found, sleepers are on every queue and on none afterwards, files stay open
// while somebody sleeps on them, deadlines and signals end the wait.
#include "fs_host.h"

#include <asm/poll.h>
#include <errno.h>
#include <fs/poll.h>
#include <stdlib.h>
#include <string.h>

#define NR_FILES 200

struct source {
    unsigned int events;
    struct wait_queue queues[2];
    int nr_released;
};

static struct source sources[NR_FILES];
static struct file *files[NR_FILES];

static unsigned int source_poll(struct file *file, struct poll_table *table)
{
    struct source *s = file->private;
    poll_add(table, &s->queues[0]);
    poll_add(table, &s->queues[1]);
    return s->events;
}

static void source_release(struct file *file)
{
    struct source *s = file->private;
    s->nr_released++;
}

static const struct file_ops source_ops = {.poll = source_poll, .release = source_release};

// Others have it too: files are asked for by fd_get.
static struct fd_table shared = {.refs = {2}};

struct file *fd_get(struct fd_table *t, int fd)
{
    if (fd >= NR_FILES || !files[fd])
        return NULL;
    file_get(files[fd]);
    return files[fd];
}

static int setup(void **state)
{
    memset(sources, 0, sizeof(sources));
    for (int i = 0; i < NR_FILES; i++) {
        wait_queue_init(&sources[i].queues[0]);
        wait_queue_init(&sources[i].queues[1]);
        files[i] = host_file(&source_ops, NULL, 0);
        files[i]->private = &sources[i];
    }
    host_park = NULL;
    return 0;
}

static int teardown(void **state)
{
    for (int i = 0; i < NR_FILES; i++) {
        if (files[i])
            file_put(files[i]);
        files[i] = NULL;
        assert_int_equal(sources[i].nr_released, 1);
        assert_true(list_is_empty(&sources[i].queues[0].waiters));
        assert_true(list_is_empty(&sources[i].queues[1].waiters));
    }
    return 0;
}

static void test_ready_now(void **state)
{
    struct pollfd p[5] = {{.fd = 0, .events = POLLIN},
                          {.fd = 1, .events = POLLOUT},
                          {.fd = 2},
                          {.fd = NR_FILES, .events = POLLIN},
                          {.fd = -5, .events = POLLIN, .revents = 99}};
    sources[0].events = POLLIN | POLLOUT;
    sources[1].events = POLLIN;
    sources[2].events = POLLHUP | POLLIN;
    assert_int_equal(poll_wait(&shared, p, 5, POLLERR | POLLHUP, TIME_NEVER), 3);
    assert_int_equal(p[0].revents, POLLIN);
    assert_int_equal(p[1].revents, 0);
    assert_int_equal(p[2].revents, POLLHUP);
    assert_int_equal(p[3].revents, POLLNVAL);
    assert_int_equal(p[4].revents, 0);
    // select doesn't want to know of what it didn't ask for
    assert_int_equal(poll_wait(&shared, p + 2, 1, 0, 0), 0);
}

static void test_no_time(void **state)
{
    struct pollfd p = {.fd = 0, .events = POLLIN};
    assert_int_equal(poll_wait(&shared, &p, 1, 0, 0), 0);
}

static int nr_parks;

static int park_makes_last_ready(uint64_t deadline_ns)
{
    for (int i = 0; i < NR_FILES; i++)
        for (int k = 0; k < 2; k++)
            assert_false(list_is_empty(&sources[i].queues[k].waiters));
    if (++nr_parks == 3) // twice for nothing
        sources[NR_FILES - 1].events = POLLIN;
    return 0;
}

static void test_many(void **state)
{
    struct pollfd p[NR_FILES];
    for (int i = 0; i < NR_FILES; i++)
        p[i] = (struct pollfd){.fd = i, .events = POLLIN};
    host_park = park_makes_last_ready;
    nr_parks = 0;
    assert_int_equal(poll_wait(&shared, p, NR_FILES, 0, TIME_NEVER), 1);
    assert_int_equal(p[NR_FILES - 1].revents, POLLIN);
    assert_int_equal(nr_parks, 3);
}

static int park_closes(uint64_t deadline_ns)
{
    struct file *f = files[0];
    files[0] = NULL;
    file_put(f);
    assert_int_equal(sources[0].nr_released, 0); // the sleeper keeps it
    sources[1].events = POLLIN;
    return 0;
}

static void test_closed_meanwhile(void **state)
{
    struct pollfd p[2] = {{.fd = 0, .events = POLLIN}, {.fd = 1, .events = POLLIN}};
    host_park = park_closes;
    assert_int_equal(poll_wait(&shared, p, 2, 0, TIME_NEVER), 2);
    assert_int_equal(p[0].revents, POLLNVAL);
}

static int park_times_out(uint64_t deadline_ns)
{
    assert_int_equal(deadline_ns, 1234);
    return -ETIMEDOUT;
}

static int park_interrupted(uint64_t deadline_ns)
{
    return -EINTR;
}

static int park_interrupted_late(uint64_t deadline_ns)
{
    sources[0].events = POLLIN;
    return -EINTR;
}

static void test_ends_of_waiting(void **state)
{
    struct pollfd p = {.fd = 0, .events = POLLIN};
    host_park = park_times_out;
    assert_int_equal(poll_wait(&shared, &p, 1, 0, 1234), 0);
    host_park = park_interrupted;
    assert_int_equal(poll_wait(&shared, &p, 1, 0, TIME_NEVER), -EINTR);
    assert_int_equal(poll_wait(&shared, NULL, 0, 0, TIME_NEVER), -EINTR); // pause(2)
    host_park = park_interrupted_late;
    assert_int_equal(poll_wait(&shared, &p, 1, 0, TIME_NEVER), 1); // what is ready comes first
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ready_now),        TEST(test_no_time),         TEST(test_many),
        TEST(test_closed_meanwhile), TEST(test_ends_of_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
