// SPDX-License-Identifier: BSD-2-Clause
// See vfs_host.h. Devices and pipes aren't linked: opening one says ENXIO here.
#include <asm/fcntl.h>
#include <errno.h>
#include <string.h>

#include <arch/clock.h>
#include <fs/block.h>
#include <fs/chrdev.h>
#include <fs/epoll.h>
#include <fs/pipe.h>
#include <linux/stat.h>
#include <sync/wait_queue.h>

#include "host.h"
#include "vfs_host.h"

struct cred vfs_root_cred = {.refs = {1}, .cap_effective = UINT64_MAX, .cap_permitted = UINT64_MAX};
struct cred vfs_user_cred = {.refs = {1},
                             .uid = 1000,
                             .euid = 1000,
                             .fsuid = 1000,
                             .gid = 1000,
                             .egid = 1000,
                             .fsgid = 1000};
struct fs_context *vfs_context;
struct path_walk vfs_walk;
const struct file_ops pipe_fifo_ops;
static uint64_t now_ns = 1700000000ULL * NS_PER_SEC;

uint64_t clock_realtime_ns(void)
{
    return now_ns++;
}

dev_t dev_anonymous(void)
{
    static dev_t last;
    return ++last;
}

void epoll_file_released(struct file *file)
{
}

int chrdev_find(dev_t dev, const struct file_ops **ops, void **private)
{
    return -ENXIO;
}

int blkdev_find(dev_t dev, const struct file_ops **ops, void **private)
{
    return -ENXIO;
}

int block_hold(dev_t dev, bool write, struct block_device **b)
{
    return -ENXIO;
}

void block_drop(struct block_device *b)
{
    fail_msg("there is no block device here");
}

int block_flush(struct block_device *b)
{
    fail_msg("there is no block device here");
    return -EIO;
}

void wait_queue_init(struct wait_queue *q)
{
    list_init(&q->waiters);
}

void waiter_init(struct waiter *w, bool exclusive)
{
    fail_msg("nobody may have to wait here");
}

void wait_queue_add(struct wait_queue *q, struct waiter *w)
{
}

void wait_queue_remove(struct wait_queue *q, struct waiter *w)
{
}

void wait_queue_wake_all(struct wait_queue *q)
{
}

int port_park(enum park_mode mode, uint64_t deadline_ns)
{
    return -EINTR;
}

void vfs_start(void)
{
    host_start(4096);
    vfs_init();
    struct path root = vfs_root();
    vfs_context = fs_context_create(root);
    path_put(&root);
    assert_non_null(vfs_context);
    vfs_walk = (struct path_walk){.context = vfs_context, .cred = &vfs_root_cred};
}

void vfs_make_file(const char *name, const char *content)
{
    struct file *f;
    uint64_t offset = 0;
    assert_int_equal(file_open(&vfs_walk, name, O_CREAT | O_WRONLY | O_TRUNC, 0644, &f), 0);
    assert_int_equal(file_write_kernel(f, content, strlen(content), &offset), strlen(content));
    file_put(f);
}

int vfs_lookup(const char *name, unsigned int flags)
{
    struct path path;
    int err = path_lookup(&vfs_walk, name, flags, &path);
    if (err == 0)
        path_put(&path);
    return err;
}

struct first_entry {
    char name[NAME_MAX_LEN + 1];
    bool found;
};

static bool take_first(void *ctx, const char *name, size_t length, ino_t ino, unsigned int type,
                       uint64_t next)
{
    struct first_entry *e = ctx;
    if (strncmp(name, "..", length) == 0)
        return true;
    memcpy(e->name, name, length);
    e->name[length] = '\0';
    e->found = true;
    return false;
}

static void remove_below(struct path_walk *w)
{
    struct first_entry e;
    struct file *dir;
    for (;;) {
        assert_int_equal(file_open(w, ".", O_RDONLY | O_DIRECTORY, 0, &dir), 0);
        e.found = false;
        assert_int_equal(file_readdir(dir, take_first, &e), 0);
        file_put(dir);
        if (!e.found)
            return;
        int err = path_unlink(w, e.name, false);
        if (err == -EISDIR)
            err = path_unlink(w, e.name, true);
        if (err == -ENOTEMPTY) {
            struct path_walk below = *w;
            err = path_lookup(w, e.name, 0, &below.at);
            assert_int_equal(err, 0);
            remove_below(&below);
            path_put(&below.at);
        }
        assert_int_equal(err, 0);
    }
}

void vfs_remove_all(void)
{
    vfs_walk.cred = &vfs_root_cred;
    remove_below(&vfs_walk);
}
