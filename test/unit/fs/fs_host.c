// SPDX-License-Identifier: BSD-2-Clause
// Single-threaded stand-ins for sync, mm and the VFS: see fs_host.h.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arch/clock.h>
#include <arch/log.h>
#include <arch/uaccess.h>
#include <fs/chrdev.h>
#include <fs/poll.h>
#include <lib/assert.h>
#include <mm/slab.h>

#include "fs_host.h"

int (*host_park)(uint64_t deadline_ns);
int host_nr_pages, host_locks_held, host_nr_wakes;
uint64_t host_now_ns = NS_PER_SEC;
bool host_irqs_off;
char *host_ram;
static char self;

#define SELF ((struct thread *)&self)

void panic(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

void log_write(enum log_level level, const char *fmt, ...)
{
}

uint64_t clock_monotonic_ns(void)
{
    return host_now_ns;
}

void spin_init(struct spinlock *l)
{
    *l = (struct spinlock)SPINLOCK_INIT;
}

void spin_lock(struct spinlock *l)
{
    ASSERT(!l->owner);
    l->owner = &self;
    host_locks_held++;
}

void spin_unlock(struct spinlock *l)
{
    ASSERT(l->owner);
    l->owner = NULL;
    host_locks_held--;
}

irq_flags_t spin_lock_irqsave(struct spinlock *l)
{
    spin_lock(l);
    return irq_save();
}

void spin_unlock_irqrestore(struct spinlock *l, irq_flags_t flags)
{
    irq_restore(flags);
    spin_unlock(l);
}

void mutex_init(struct mutex *m)
{
    *m = (struct mutex)MUTEX_INIT(*m);
}

void mutex_lock(struct mutex *m)
{
    ASSERT(!m->owner && !host_irqs_off);
    m->owner = SELF;
    host_locks_held++;
}

void mutex_unlock(struct mutex *m)
{
    ASSERT(m->owner);
    m->owner = NULL;
    host_locks_held--;
}

void mutex_assert_held(const struct mutex *m)
{
    ASSERT(m->owner);
}

void wait_queue_init(struct wait_queue *q)
{
    spin_init(&q->lock);
    list_init(&q->waiters);
}

void waiter_init(struct waiter *w, bool exclusive)
{
    *w = (struct waiter){.thread = SELF, .exclusive = exclusive};
    list_init(&w->node);
}

void wait_queue_add(struct wait_queue *q, struct waiter *w)
{
    list_add_tail(&q->waiters, &w->node);
}

void wait_queue_remove(struct wait_queue *q, struct waiter *w)
{
    list_remove(&w->node);
}

static void host_wake(struct wait_queue *q)
{
    host_nr_wakes += !list_is_empty(&q->waiters);
}

void wait_queue_wake_one(struct wait_queue *q)
{
    host_wake(q);
}

void wait_queue_wake_all(struct wait_queue *q)
{
    host_wake(q);
}

int port_park(enum park_mode mode, uint64_t deadline_ns)
{
    ASSERT(host_locks_held == 0);
    ASSERT(host_park != NULL);
    return host_park(deadline_ns);
}

void *kmalloc(size_t size_bytes)
{
    return malloc(size_bytes);
}

void *kzalloc(size_t size_bytes)
{
    return calloc(1, size_bytes);
}

void *krealloc(void *p, size_t size_bytes)
{
    return realloc(p, size_bytes);
}

void kfree(void *p)
{
    free(p);
}

// A page is its struct and its memory in one allocation.
struct host_page {
    struct page page;
    char memory[PAGE_SIZE];
};

struct page *page_alloc(unsigned int order, unsigned int flags)
{
    struct host_page *p = malloc(sizeof(*p));
    ASSERT(order == 0);
    p->page.refs = 1;
    host_nr_pages++;
    return &p->page;
}

void page_put(struct page *p)
{
    ASSERT(p->refs > 0);
    if (--p->refs == 0) {
        free(p);
        host_nr_pages--;
    }
}

void *page_to_virt(const struct page *p)
{
    return ((struct host_page *)(uintptr_t)p)->memory;
}

const int user_efault = -EFAULT;

size_t user_copy_in_partial(void *dst, vaddr_t src, size_t n)
{
    memcpy(dst, (const void *)src, n);
    return 0;
}

size_t user_copy_out_partial(vaddr_t dst, const void *src, size_t n)
{
    memcpy((void *)dst, src, n);
    return 0;
}

size_t user_clear_partial(vaddr_t dst, size_t n)
{
    memset((void *)dst, 0, n);
    return 0;
}

struct inode *inode_create(struct super_block *sb, const struct inode_ops *ops, mode_t mode,
                           uid_t uid, gid_t gid)
{
    struct inode *inode = calloc(1, sizeof(*inode));
    refcount_init(&inode->refs);
    inode->sb = sb;
    inode->ops = ops;
    inode->mode = mode;
    inode->ino = sb->next_ino++;
    return inode;
}

void inode_get(struct inode *inode)
{
    refcount_get(&inode->refs);
}

void inode_put(struct inode *inode)
{
    if (!refcount_put(&inode->refs))
        return;
    if (inode->ops->release)
        inode->ops->release(inode);
    free(inode);
}

struct dentry *dentry_create(struct dentry *parent, const char *name, size_t length)
{
    struct dentry *d = calloc(1, sizeof(*d));
    d->name = strndup(name, length);
    return d;
}

void dentry_attach(struct dentry *d, struct inode *inode)
{
    d->inode = inode;
}

const struct file_ops directory_file_ops;

struct file *host_file(const struct file_ops *ops, struct inode *inode, unsigned int flags)
{
    struct file *f = calloc(1, sizeof(*f));
    refcount_init(&f->refs);
    f->ops = ops;
    f->inode = inode;
    f->flags = flags;
    return f;
}

int file_create_anonymous(struct inode *inode, const struct file_ops *ops, int flags,
                          struct cred *cred, struct file **file)
{
    *file = host_file(ops, inode, (unsigned int)flags);
    return 0;
}

void file_get(struct file *f)
{
    refcount_get(&f->refs);
}

void file_put(struct file *f)
{
    if (!refcount_put(&f->refs))
        return;
    if (f->ops->release)
        f->ops->release(f);
    if (f->inode)
        inode_put(f->inode);
    free(f);
}

ssize_t host_write(struct file *f, const void *data, size_t n)
{
    struct uio_segment segment;
    struct uio uio;
    uio_init_kernel(&uio, &segment, (void *)(uintptr_t)data, n);
    ssize_t result = f->ops->write(f, &uio, &f->offset);
    assert_int_equal(host_locks_held, 0);
    return result;
}

ssize_t host_read(struct file *f, void *buf, size_t n)
{
    struct uio_segment segment;
    struct uio uio;
    uio_init_kernel(&uio, &segment, buf, n);
    ssize_t result = f->ops->read(f, &uio, &f->offset);
    assert_int_equal(host_locks_held, 0);
    return result;
}

bool cred_has_cap(const struct cred *c, unsigned int cap)
{
    return (c->cap_effective >> cap) & 1;
}

int chrdev_register(const char *name, dev_t dev, mode_t mode, const struct file_ops *ops,
                    void *private)
{
    return 0;
}

dev_t dev_anonymous(void)
{
    return 1;
}

// Weak: a test of descriptors brings its own.
__attribute__((weak)) struct file *fd_get(struct fd_table *t, int fd)
{
    return NULL;
}
