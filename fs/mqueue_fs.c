// SPDX-License-Identifier: BSD-2-Clause
// POSIX message queues as a file system: names, rights, limits and charges. There is one such file
// system; mount(2) shows it (Linux's /dev/mqueue), mq_open(3) uses it where it is.
//
// Each queue is charged with all it may ever hold to the user who made it, until its inode goes.
// Locking: the root's inode lock for names; mqueue_lock for counts and charges.
#include <errno.h>
#include <fs/chrdev.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "mount_priv.h"
#include "mqueue_priv.h"
#include "vfs_priv.h"

#define FILE_SIZE  80 // st_size, as Linux's
#define ENTRY_SIZE 20
#define NR_HARD    65536 // messages of a queue and bytes of one, whoever asks
#define SIZE_HARD  (16UL << 20)
#define MAGIC      0x19800202

struct mqueue_user {
    struct list_node node;
    uid_t uid;
    uint64_t bytes;
};

static struct spinlock mqueue_lock = SPINLOCK_INIT; // guards the next two
static struct list_node users = LIST_INIT(users);   // those that are charged for something
static uint64_t nr_queues;

static struct super_block mqueue_sb;
static struct mount *mqueue_mount;

static struct {
    uint64_t value, min, max;
} limits[MQUEUE_NR_LIMITS] = {
    [MQUEUE_QUEUES_MAX] = {256, 0, INT32_MAX},         [MQUEUE_MSG_MAX] = {10, 1, NR_HARD},
    [MQUEUE_MSGSIZE_MAX] = {8192, 128, SIZE_HARD},     [MQUEUE_MSG_DEFAULT] = {10, 1, NR_HARD},
    [MQUEUE_MSGSIZE_DEFAULT] = {8192, 128, SIZE_HARD},
};

uint64_t mqueue_limit(enum mqueue_limit which)
{
    return atomic_load(&limits[which].value);
}

int mqueue_limit_set(enum mqueue_limit which, uint64_t value)
{
    if (value < limits[which].min || value > limits[which].max)
        return -EINVAL;
    atomic_store(&limits[which].value, value);
    return 0;
}

static struct mqueue_user *find_user_locked(uid_t uid)
{
    struct mqueue_user *u;
    spin_assert_held(&mqueue_lock);
    list_for_each_entry (u, &users, node)
        if (u->uid == uid)
            return u;
    return NULL;
}

static void uncharge(uid_t uid, uint64_t bytes)
{
    spin_lock(&mqueue_lock);
    struct mqueue_user *u = find_user_locked(uid);
    nr_queues--;
    u->bytes -= bytes;
    if (u->bytes == 0)
        list_remove(&u->node);
    else
        u = NULL;
    spin_unlock(&mqueue_lock);
    kfree(u);
}

// One queue more, of so many bytes. 0, -ENOSPC, -EMFILE, -ENOMEM.
static int charge(const struct cred *cred, uint64_t bytes, uint64_t bytes_max)
{
    struct mqueue_user *fresh = kzalloc(sizeof(*fresh)), *u;
    int err = 0;
    if (!fresh)
        return -ENOMEM;
    spin_lock(&mqueue_lock);
    u = find_user_locked(cred->uid);
    uint64_t before = u ? u->bytes : 0;
    if (nr_queues >= mqueue_limit(MQUEUE_QUEUES_MAX) && !cred_has_cap(cred, CAP_SYS_RESOURCE))
        err = -ENOSPC;
    else if (bytes > bytes_max || before > bytes_max - bytes)
        err = -EMFILE;
    if (err == 0 && !u) {
        u = fresh;
        fresh = NULL;
        u->uid = cred->uid;
        list_add_tail(&users, &u->node);
    }
    if (err == 0) {
        u->bytes += bytes;
        nr_queues++;
    }
    spin_unlock(&mqueue_lock);
    kfree(fresh);
    return err;
}

// What a queue costs its user: the text, and Linux's headers for each message and priority, so that
// as many fit into RLIMIT_MSGQUEUE.
static uint64_t queue_bytes(uint64_t nr, uint64_t size)
{
    return nr * size + nr * 48 + MIN(nr, (uint64_t)MQ_PRIO_MAX) * 48;
}

// Sizes of a new queue. 0 or -EINVAL.
static int choose_sizes(const struct mq_attr *attr, const struct cred *cred, uint64_t *nr,
                        uint64_t *size)
{
    uint64_t nr_max = mqueue_limit(MQUEUE_MSG_MAX), size_max = mqueue_limit(MQUEUE_MSGSIZE_MAX);
    if (!attr) {
        *nr = MIN(nr_max, mqueue_limit(MQUEUE_MSG_DEFAULT));
        *size = MIN(size_max, mqueue_limit(MQUEUE_MSGSIZE_DEFAULT));
        return 0;
    }
    if (cred_has_cap(cred, CAP_SYS_RESOURCE)) {
        nr_max = NR_HARD;
        size_max = SIZE_HARD;
    }
    if (attr->mq_maxmsg <= 0 || attr->mq_msgsize <= 0)
        return -EINVAL;
    *nr = (uint64_t)attr->mq_maxmsg;
    *size = (uint64_t)attr->mq_msgsize;
    return *nr <= nr_max && *size <= size_max ? 0 : -EINVAL;
}

static void mqueue_release(struct inode *inode)
{
    struct mqueue *q = inode->private;
    if (!q)
        return;
    uncharge(q->uid, q->charge);
    mqueue_destroy(q);
}

static const struct inode_ops queue_inode_ops = {.release = mqueue_release};

static int make_queue(struct inode *dir, struct dentry *dentry, mode_t mode,
                      const struct cred *cred, const struct mq_attr *attr, uint64_t bytes_max)
{
    uint64_t nr, size;
    int err = choose_sizes(attr, cred, &nr, &size);
    if (err != 0)
        return err;
    uint64_t bytes = queue_bytes(nr, size);
    err = charge(cred, bytes, bytes_max);
    if (err != 0)
        return err;
    struct mqueue *q = mqueue_create(nr, size);
    struct inode *inode = q ? inode_create_in(dir, &queue_inode_ops, mode, cred) : NULL;
    if (!inode) {
        uncharge(cred->uid, bytes);
        if (q)
            mqueue_destroy(q);
        return -ENOMEM;
    }
    q->charge = bytes;
    q->uid = cred->uid;
    inode->private = q;
    inode->file_ops = &mqueue_file_ops;
    inode->size = FILE_SIZE;
    dentry_attach(dentry, inode);
    dir->size += ENTRY_SIZE;
    inode_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
    return 0;
}

// open(2) with O_CREAT below a mount of it.
static int directory_create(struct inode *dir, struct dentry *dentry, mode_t mode, dev_t rdev,
                            const struct cred *cred)
{
    return S_ISREG(mode) ? make_queue(dir, dentry, mode, cred, NULL, MQ_BYTES_MAX) : -EPERM;
}

static int directory_unlink(struct inode *dir, struct dentry *dentry)
{
    dentry->inode->nlink--;
    inode_touch(dentry->inode, TOUCH_CTIME);
    dir->size -= ENTRY_SIZE;
    inode_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
    return 0;
}

static const struct inode_ops directory_ops = {
    .create = directory_create,
    .unlink = directory_unlink,
};

// One component, which isn't "." or "..". 0, or -errno of mq_open(3).
static int check_name(const char *name)
{
    if (name[0] == '\0')
        return -ENOENT;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
        return -EACCES;
    return strlen(name) > NAME_MAX_LEN ? -ENAMETOOLONG : 0;
}

static int check_existing(const struct inode *inode, int flags, const struct cred *cred)
{
    static const unsigned int rights[] = {4, 2, 6};
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if ((flags & O_ACCMODE) == O_ACCMODE)
        return -EINVAL;
    return inode_permission(inode, rights[flags & O_ACCMODE], cred);
}

static int create_locked(const struct mqueue_caller *c, struct dentry *root, const char *name,
                         mode_t mode, const struct mq_attr *attr, struct dentry **child)
{
    int err = path_may_create(root, c->cred);
    if (err != 0)
        return err;
    struct dentry *d = dentry_create(root, name, strlen(name));
    if (!d)
        return -ENOMEM;
    mode = S_IFREG | (mode & 07777 & ~fs_context_umask(c->context));
    err = make_queue(root->inode, d, mode, c->cred, attr, c->bytes_max);
    if (err == 0)
        *child = d;
    else
        dentry_put(d);
    return err;
}

int mqueue_open(const struct mqueue_caller *c, const char *name, int flags, mode_t mode,
                const struct mq_attr *attr, struct file **file)
{
    struct dentry *root = mqueue_sb.root, *d = NULL;
    int err = check_name(name);
    if (err != 0)
        return err;
    mutex_lock(&root->inode->lock);
    err = path_lookup_locked(root, name, strlen(name), &d);
    if (err == 0) {
        err = check_existing(d->inode, flags, c->cred);
        if (err != 0)
            dentry_put(d);
    } else if (err == -ENOENT && (flags & O_CREAT)) {
        err = create_locked(c, root, name, mode, attr, &d);
    }
    mutex_unlock(&root->inode->lock);
    if (err != 0)
        return err;
    struct path path = {mqueue_mount, d};
    err = file_open_path(&path, flags & (O_ACCMODE | O_NONBLOCK), c->cred, file);
    dentry_put(d);
    return err;
}

int mqueue_unlink(const struct mqueue_caller *c, const char *name)
{
    struct dentry *root = mqueue_sb.root, *d;
    int err = check_name(name);
    if (err != 0)
        return err;
    mutex_lock(&root->inode->lock);
    err = path_lookup_locked(root, name, strlen(name), &d);
    if (err == 0) {
        mutex_lock(&d->inode->lock); // as unlink(2) does
        err = path_may_delete(root, d, false, c->cred);
        if (err == 0)
            err = directory_unlink(root->inode, d);
        if (err == 0)
            dentry_detach(d);
        mutex_unlock(&d->inode->lock);
        dentry_put(d);
    }
    mutex_unlock(&root->inode->lock);
    return err;
}

static int mqueue_mount_super(struct super_block *sb, const char *source, const char *options)
{
    dentry_get(mqueue_sb.root);
    sb->root = mqueue_sb.root;
    return 0;
}

static const struct file_system mqueue_type = {
    .name = "mqueue",
    .nodev = true,
    .mount = mqueue_mount_super,
    .magic = MAGIC,
};

void mqueue_init(void)
{
    refcount_init(&mqueue_sb.refs);
    mqueue_sb.fs = &mqueue_type;
    mqueue_sb.dev = dev_anonymous();
    mqueue_sb.next_ino = 1;
    struct dentry *root = dentry_create(NULL, "", 0);
    struct inode *inode = inode_create(&mqueue_sb, &directory_ops, S_IFDIR | S_ISVTX | 0777, 0, 0);
    if (!root || !inode)
        panic("no memory for message queues: give the machine more");
    inode->file_ops = &directory_file_ops;
    inode->nlink = 2;
    dentry_attach(root, inode);
    mqueue_sb.root = root;
    if (mount_create(&mqueue_type, "mqueue", 0, 0, NULL, &mqueue_mount) != 0)
        panic("no memory for message queues: give the machine more");
    file_system_register(&mqueue_type);
}
