// SPDX-License-Identifier: BSD-2-Clause
// Pipes: bytes come out as they went in, small writes are whole or not at all, ends that close are
// noticed, FIFOs wait for their partner, and every page is given back.
#include "fs_host.h"

#include <asm/poll.h>
#include <errno.h>
#include <fs/poll.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "../../../fs/devices_priv.h"
#include "../../../fs/pipe_priv.h"

static struct file *in, *out; // write end, read end
static struct cred cred = {.refs = {1}};
static char big[1 << 20], copy[1 << 20];

static void make(int flags)
{
    assert_int_equal(pipe_create(flags, &cred, &out, &in), 0);
}

static int setup(void **state)
{
    host_park = NULL;
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)random();
    make(O_NONBLOCK);
    return 0;
}

static void close_end(struct file **end)
{
    if (*end)
        file_put(*end);
    *end = NULL;
}

static int teardown(void **state)
{
    close_end(&in);
    close_end(&out);
    assert_int_equal(host_nr_pages, 0);
    return 0;
}

static void test_bytes(void **state)
{
    assert_int_equal(host_read(out, copy, 10), -EAGAIN);
    assert_int_equal(host_write(in, "hello", 5), 5);
    assert_int_equal(host_write(in, " world", 6), 6);
    assert_int_equal(host_read(out, copy, 3), 3);
    assert_int_equal(host_read(out, copy + 3, 100), 8);
    assert_memory_equal(copy, "hello world", 11);
    assert_int_equal(host_write(in, "", 0), 0);
    assert_int_equal(host_read(out, copy, 0), 0);
}

static void test_small_writes_share_a_page(void **state)
{
    for (int i = 0; i < 4096; i++)
        assert_int_equal(host_write(in, big + i, 1), 1);
    assert_int_equal(host_nr_pages, 1);
    assert_int_equal(host_read(out, copy, 4096), 4096);
    assert_memory_equal(copy, big, 4096);
}

static void test_capacity(void **state)
{
    assert_int_equal(pipe_get_size(in), 65536);
    assert_int_equal(host_write(in, big, 100000), 65536);
    assert_int_equal(host_write(in, big, 1), -EAGAIN);
    assert_int_equal(in->ops->poll(in, NULL) & POLLOUT, 0);
    assert_int_equal(host_read(out, copy, 1), 1);
    assert_int_equal(host_write(in, big, 1), -EAGAIN); // room comes by the page
    assert_int_equal(host_read(out, copy + 1, 4095), 4095);
    assert_int_equal(in->ops->poll(in, NULL) & POLLOUT, POLLOUT);
    assert_int_equal(host_write(in, big + 65536, 1), 1);
    assert_int_equal(host_read(out, copy + 4096, 100000), 61441);
    assert_memory_equal(copy, big, 65537);
}

// Up to PIPE_BUF bytes: all or nothing (pipe(7)).
static void test_small_writes_are_atomic(void **state)
{
    srandom(3);
    for (int round = 0; round < 2000; round++) {
        size_t n = 1 + (size_t)random() % 4096;
        ssize_t done = host_write(in, big, n);
        if (done == -EAGAIN)
            assert_true(host_read(out, copy, (size_t)random() % 60000 + 1) > 0);
        else
            assert_int_equal(done, n);
    }
}

static void test_random_stream(void **state)
{
    size_t written = 0, read = 0;
    srandom(2);
    while (read < sizeof(big)) {
        size_t n = MIN((size_t)random() % 20000, sizeof(big) - written);
        ssize_t done = host_write(in, big + written, n);
        written += done > 0 ? (size_t)done : 0;
        done = host_read(out, copy + read, (size_t)random() % 20000);
        read += done > 0 ? (size_t)done : 0;
    }
    assert_memory_equal(copy, big, sizeof(big));
}

static void test_end_of_file(void **state)
{
    host_write(in, "x", 1);
    assert_int_equal(out->ops->poll(out, NULL), POLLIN | POLLRDNORM);
    close_end(&in);
    assert_int_equal(out->ops->poll(out, NULL), POLLIN | POLLRDNORM | POLLHUP);
    assert_int_equal(host_read(out, copy, 10), 1);
    assert_int_equal(host_read(out, copy, 10), 0);
    assert_int_equal(out->ops->poll(out, NULL), POLLHUP);
}

static void test_broken_pipe(void **state)
{
    host_write(in, "x", 1);
    close_end(&out);
    assert_int_equal(host_write(in, "x", 1), -EPIPE);
    assert_true(in->ops->poll(in, NULL) & POLLERR);
}

static int nr_parks;

static int park_reads(uint64_t deadline_ns)
{
    nr_parks++;
    return host_read(out, copy, 65536) > 0 ? 0 : -EINTR;
}

static int park_interrupted(uint64_t deadline_ns)
{
    return -EINTR;
}

static int park_closes(uint64_t deadline_ns)
{
    close_end(&in);
    return 0;
}

static void test_waiting(void **state)
{
    in->flags &= ~(uint32_t)O_NONBLOCK;
    out->flags &= ~(uint32_t)O_NONBLOCK;
    host_park = park_reads;
    nr_parks = 0;
    assert_int_equal(host_write(in, big, sizeof(big)), sizeof(big));
    assert_int_equal(nr_parks, sizeof(big) / 65536 - 1);
    host_park = park_interrupted;
    assert_int_equal(host_write(in, big, 10), -ERESTARTSYS);
    host_read(out, copy, 65536);
    assert_int_equal(host_write(in, big, 100000), 65536); // what went stays gone
    host_read(out, copy, 65536);
    assert_int_equal(host_read(out, copy, 1), -ERESTARTSYS);
    host_park = park_closes;
    assert_int_equal(host_read(out, copy, 1), 0);
}

static void test_packets(void **state)
{
    close_end(&in);
    close_end(&out);
    make(O_NONBLOCK | O_DIRECT);
    host_write(in, "abc", 3);
    host_write(in, "de", 2);
    assert_int_equal(host_read(out, copy, 2), 2); // the rest of a packet is lost
    assert_int_equal(host_read(out, copy, 10), 2);
    assert_memory_equal(copy, "de", 2);
}

static void test_resize(void **state)
{
    host_write(in, big, 20000); // five pages
    assert_int_equal(pipe_set_size(in, 4097, &cred), -EBUSY);
    assert_int_equal(pipe_set_size(in, 20001, &cred), 32768);
    assert_int_equal(host_write(in, big + 20000, 12288), 12288); // the other three
    assert_int_equal(pipe_set_size(in, 2 << 20, &cred), -EPERM);
    cred.cap_effective = 1UL << CAP_SYS_RESOURCE;
    assert_int_equal(pipe_set_size(in, 2 << 20, &cred), 2 << 20);
    cred.cap_effective = 0;
    assert_int_equal(pipe_get_size(out), 2 << 20);
    assert_int_equal(host_read(out, copy, 100000), 32288);
    assert_memory_equal(copy, big, 32288);
    assert_int_equal(pipe_set_size(in, 0, &cred), -EINVAL);
}

static void test_bytes_waiting(void **state)
{
    int n = -1;
    host_write(in, big, 5000);
    host_read(out, copy, 10);
    assert_int_equal(out->ops->ioctl(out, 0x541b /* FIONREAD */, (unsigned long)&n), 0);
    assert_int_equal(n, 4990);
    assert_int_equal(out->ops->ioctl(out, 0x5401, 0), -ENOTTY);
}

static struct super_block sb;
static const struct inode_ops no_ops;
static struct inode *fifo;

static int fifo_open(struct file **f, unsigned int flags)
{
    inode_get(fifo);
    *f = host_file(&pipe_fifo_ops, fifo, flags);
    int err = pipe_fifo_ops.open(*f);
    if (err != 0) {
        free(*f);
        inode_put(fifo);
        *f = NULL;
    }
    return err;
}

static struct file *fifo_reader, *fifo_writer;

static int park_opens_writer(uint64_t deadline_ns)
{
    assert_int_equal(fifo_open(&fifo_writer, O_WRONLY), 0); // the reader is there: no wait
    return 0;
}

static void test_fifo(void **state)
{
    fifo = inode_create(&sb, &no_ops, 0010644, 0, 0);
    assert_int_equal(fifo_open(&fifo_writer, O_WRONLY | O_NONBLOCK), -ENXIO);
    host_park = park_interrupted;
    assert_int_equal(fifo_open(&fifo_reader, O_RDONLY), -ERESTARTSYS);
    assert_int_equal(fifo_open(&fifo_writer, O_WRONLY), -ERESTARTSYS);
    host_park = park_opens_writer;
    assert_int_equal(fifo_open(&fifo_reader, O_RDONLY), 0);
    assert_int_equal(host_write(fifo_writer, "fifo", 4), 4);
    assert_int_equal(host_read(fifo_reader, copy, 10), 4);
    close_end(&fifo_writer);
    assert_int_equal(fifo_reader->ops->poll(fifo_reader, NULL), POLLHUP);
    assert_int_equal(host_read(fifo_reader, copy, 10), 0);
    close_end(&fifo_reader);

    // Opened without a writer: no hang-up until one came and went.
    host_park = NULL;
    assert_int_equal(fifo_open(&fifo_reader, O_RDONLY | O_NONBLOCK), 0);
    assert_int_equal(fifo_reader->ops->poll(fifo_reader, NULL), 0);
    assert_int_equal(host_read(fifo_reader, copy, 10), 0);
    assert_int_equal(fifo_open(&fifo_writer, O_WRONLY | O_NONBLOCK), 0);
    assert_int_equal(host_read(fifo_reader, copy, 10), -EAGAIN);
    close_end(&fifo_writer);
    assert_int_equal(fifo_reader->ops->poll(fifo_reader, NULL), POLLHUP);
    close_end(&fifo_reader);

    assert_int_equal(fifo_open(&fifo_writer, O_RDWR), 0); // both ends at once: never waits
    host_write(fifo_writer, "x", 1);
    assert_int_equal(host_read(fifo_writer, copy, 1), 1);
    close_end(&fifo_writer);
    inode_put(fifo);
}

// /dev/stdin of a pipe: the same pipe opened once more.
static void test_open_again(void **state)
{
    struct file *again = host_file(&pipe_fifo_ops, out->inode, O_RDONLY);
    inode_get(out->inode);
    assert_int_equal(pipe_fifo_ops.open(again), 0);
    close_end(&out);
    host_write(in, "abc", 3);
    assert_int_equal(host_read(again, copy, 10), 3);
    close_end(&again);
    assert_int_equal(host_write(in, "x", 1), -EPIPE);
}

static struct waiter watcher;

static void watch(struct poll_table *table, struct wait_queue *queue)
{
    waiter_init(&watcher, false);
    wait_queue_add(queue, &watcher);
}

// epoll(7) with EPOLLET: each write is an event, though nobody read what came before.
static void test_each_write_wakes_a_poller(void **state)
{
    struct pipe *p = out->private;
    struct poll_table table;

    poll_table_init(&table);
    table.add = watch;
    assert_int_equal(pipe_poll(out, &table), 0);
    host_nr_wakes = 0;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(host_write(in, "x", 1), 1);
        assert_int_equal(host_nr_wakes, i);
    }
    assert_int_equal(host_write(in, big, 65536), 65536 - 4096);
    assert_int_equal(host_nr_wakes, 4);
    assert_int_equal(host_write(in, big, 1), -EAGAIN); // nothing came
    assert_int_equal(host_nr_wakes, 4);
    wait_queue_remove(&p->readers, &watcher);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_bytes),         TEST(test_small_writes_share_a_page),
        TEST(test_capacity),      TEST(test_small_writes_are_atomic),
        TEST(test_random_stream), TEST(test_end_of_file),
        TEST(test_broken_pipe),   TEST(test_waiting),
        TEST(test_packets),       TEST(test_resize),
        TEST(test_bytes_waiting), TEST(test_fifo),
        TEST(test_open_again),    TEST(test_each_write_wakes_a_poller),
    };
    pipe_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
