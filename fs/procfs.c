// SPDX-License-Identifier: BSD-2-Clause
// procfs, and the mechanism of generated files that sysfs shares.
//
// A tree is described by constant struct proc_file arrays; inodes and dentries are made when a name
// is looked up and die when nobody uses them. An inode's private part says which description it
// follows and with which key (a pid, a pid and descriptor, ...). Inode numbers are computed from
// both, so that they stay the same while the object lives.
//
// Locking: descriptions are constant after boot. The text of an open file is guarded by the mutex
// beside it; vfs holds dir->lock in lookup and readdir.
#include <arch/clock.h>
#include <errno.h>
#include <fs/file.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>
#include <string.h>

#include "procfs_priv.h"

#define PROC_WRITE_MAX PAGE_SIZE

// What follows the fixed entries of a directory in readdir positions.
#define POSITION_NUMBERS (1ULL << 40)

struct proc_node { // inode->private
    const struct proc_tree *tree;
    const struct proc_file *file; // NULL: the root
    uint64_t key;
    uint64_t since_ns; // made then, by the monotonic clock
};

struct proc_reader {   // file->private of an open regular file
    struct mutex lock; // guards the rest
    struct text text;
    bool ready;
    uint64_t version; // constant
};

static const struct inode_ops proc_dir_ops, proc_plain_dir_ops, proc_file_inode_ops, proc_link_ops,
    proc_place_ops;
static const struct file_ops proc_file_ops;

static ino_t proc_ino(const struct proc_file *file, uint64_t key)
{
    uint64_t h = ((uint64_t)(uintptr_t)file >> 3) * 0x9e3779b97f4a7c15ULL;
    h = (h ^ key) * 0xff51afd7ed558ccdULL;
    return ((h ^ (h >> 33)) & 0xffffffffULL) | 1ULL << 32; // never small: 1 is the root
}

static const struct inode_ops *proc_ops_of(const struct proc_tree *tree,
                                           const struct proc_file *file, mode_t mode)
{
    if (S_ISDIR(mode))
        return tree->like_proc ? &proc_dir_ops : &proc_plain_dir_ops;
    if (S_ISLNK(mode))
        return file->follow != NULL ? &proc_place_ops : &proc_link_ops;
    return &proc_file_inode_ops;
}

static struct inode *proc_inode_create(struct super_block *sb, const struct proc_tree *tree,
                                       const struct proc_file *file, uint64_t key)
{
    struct proc_node *node = kmalloc(sizeof(*node));
    if (node == NULL)
        return NULL;
    *node = (struct proc_node){
        .tree = tree, .file = file, .key = key, .since_ns = clock_monotonic_ns()};

    mode_t mode = file != NULL ? file->mode : (S_IFDIR | 0555);
    const struct inode_ops *ops = proc_ops_of(tree, file, mode);
    uid_t uid = 0;
    gid_t gid = 0;
    if (file != NULL && file->owner != NULL)
        file->owner(key, &uid, &gid);
    struct inode *inode = inode_create(sb, ops, mode, uid, gid);
    if (inode == NULL) {
        kfree(node);
        return NULL;
    }
    inode->private = node;
    inode->ino = file != NULL ? proc_ino(file, key) : 1;
    inode->nlink = S_ISDIR(mode) ? 2 : 1;
    if (S_ISDIR(mode))
        inode->file_ops = &directory_file_ops;
    if (file != NULL && file->device != NULL)
        inode->rdev = file->device(key);
    if (S_ISREG(mode)) {
        inode->size = tree->file_size;
        inode->file_ops = &proc_file_ops;
    }
    return inode;
}

bool procfs_identify(const struct inode *inode, const struct proc_file *file, uint64_t *key,
                     uint64_t *since_ns)
{
    if (inode->ops != &proc_dir_ops && inode->ops != &proc_plain_dir_ops)
        return false;
    const struct proc_node *node = inode->private;
    *key = node->key;
    *since_ns = node->since_ns;
    return node->file == file;
}

static void proc_inode_release(struct inode *inode)
{
    kfree(inode->private);
}

// The k-th array of fixed entries of a directory, NULL past the last.
static const struct proc_file *proc_dir_array(const struct proc_node *node, unsigned int k)
{
    if (node->file == NULL)
        return k < node->tree->nr_tops ? node->tree->tops[k] : NULL;
    return k == 0 ? node->file->children : NULL;
}

// The k-th description of entries made on the fly, NULL past the last.
static const struct proc_file *proc_dir_numbers(const struct proc_node *node, unsigned int k)
{
    if (node->file != NULL)
        return k == 0 && node->file->next != NULL ? node->file : NULL;
    for (unsigned int i = 0; i < node->tree->nr_tops; i++)
        for (const struct proc_file *f = node->tree->tops[i]; f->name != NULL; f++)
            if (f->name[0] == '\0' && k-- == 0)
                return f;
    return NULL;
}

// A decimal number as the directory would print it, or -1.
static int64_t proc_parse_number(const char *name)
{
    int64_t n = 0;
    if (name[0] == '\0' || (name[0] == '0' && name[1] != '\0') || strlen(name) > 18)
        return -1;
    for (; *name != '\0'; name++) {
        if (*name < '0' || *name > '9')
            return -1;
        n = n * 10 + (*name - '0');
    }
    return n;
}

static void proc_name_entry(const struct proc_file *f, uint64_t key, int64_t number, char *buf,
                            size_t size)
{
    if (f->name_entry != NULL)
        f->name_entry(key, number, buf, size);
    else
        snprintf(buf, size, "%lld", (long long)number);
}

// The number behind a name, -1: no such entry now.
static int64_t proc_find_number(const struct proc_file *f, uint64_t key, const char *name)
{
    char buf[32];

    if (f->name_entry == NULL) {
        int64_t n = proc_parse_number(name);
        return n >= 0 && f->next(key, n) == n ? n : -1;
    }
    for (int64_t n = f->next(key, 0); n >= 0; n = f->next(key, n + 1)) {
        f->name_entry(key, n, buf, sizeof(buf));
        if (strcmp(buf, name) == 0)
            return n;
    }
    return -1;
}

static uint64_t proc_entry_key(const struct proc_file *f, uint64_t key, int64_t number)
{
    return f->make_key != NULL ? f->make_key(key, number) : (uint64_t)number;
}

static int proc_lookup(struct inode *dir, struct dentry *dentry)
{
    const struct proc_node *node = dir->private;
    const struct proc_file *found = NULL, *f;
    uint64_t key = node->key;

    for (unsigned int k = 0; found == NULL && (f = proc_dir_array(node, k)) != NULL; k++)
        for (; f->name != NULL && found == NULL; f++)
            if (f->name[0] != '\0' && strcmp(f->name, dentry->name) == 0)
                found = f;
    for (unsigned int k = 0; found == NULL && (f = proc_dir_numbers(node, k)) != NULL; k++) {
        int64_t number = proc_find_number(f, node->key, dentry->name);
        if (number < 0)
            continue;
        found = f->entry;
        key = proc_entry_key(f, node->key, number);
    }
    if (found == NULL)
        return -ENOENT;

    struct inode *inode = proc_inode_create(dir->sb, node->tree, found, key);
    if (inode == NULL)
        return -ENOMEM;
    dentry_attach(dentry, inode);
    return 0;
}

typedef bool (*proc_fill_fn)(void *ctx, const char *name, size_t length, ino_t ino,
                             unsigned int type, uint64_t next);

static unsigned int proc_dirent_type(mode_t mode)
{
    return (mode & S_IFMT) >> 12; // DT_* are the S_IF* shifted
}

// Positions: 0.. the fixed entries in order; then POSITION_NUMBERS * (1 + k) + number.
static int proc_readdir(struct inode *dir, uint64_t *position, proc_fill_fn fill, void *ctx)
{
    const struct proc_node *node = dir->private;
    const struct proc_file *f;
    uint64_t at = 0;
    char name[32];

    for (unsigned int k = 0; (f = proc_dir_array(node, k)) != NULL; k++) {
        for (; f->name != NULL; f++, at++) {
            if (at < *position || f->name[0] == '\0')
                continue;
            if (!fill(ctx, f->name, strlen(f->name), proc_ino(f, node->key),
                      proc_dirent_type(f->mode), at + 1))
                return 0;
            *position = at + 1;
        }
    }
    for (unsigned int k = 0; (f = proc_dir_numbers(node, k)) != NULL; k++) {
        uint64_t base = POSITION_NUMBERS * (1 + k);
        if (*position >= base + POSITION_NUMBERS)
            continue;
        int64_t from = *position > base ? (int64_t)(*position - base) : 0;
        for (int64_t n = f->next(node->key, from); n >= 0; n = f->next(node->key, n + 1)) {
            uint64_t key = proc_entry_key(f, node->key, n);
            proc_name_entry(f, node->key, n, name, sizeof(name));
            if (!fill(ctx, name, strlen(name), proc_ino(f->entry, key),
                      proc_dirent_type(f->entry->mode), base + (uint64_t)n + 1))
                return 0;
            *position = base + (uint64_t)n + 1;
        }
        *position = base + POSITION_NUMBERS;
    }
    return 0;
}

static ssize_t proc_readlink(struct inode *inode, char *buf, size_t size)
{
    const struct proc_node *node = inode->private;
    return node->file->readlink(node->key, buf, size);
}

static int proc_follow(struct inode *inode, struct path *path)
{
    const struct proc_node *node = inode->private;
    return node->file->follow(node->key, path);
}

static int proc_open(struct file *file)
{
    const struct proc_node *node = file->inode->private;
    if (!node->tree->like_proc && (file->flags & O_ACCMODE) != O_RDONLY &&
        node->file->store == NULL)
        return -EACCES;
    struct proc_reader *reader = kzalloc(sizeof(*reader));
    if (reader == NULL)
        return -ENOMEM;
    mutex_init(&reader->lock);
    // Noted before the question: if another takes its place in between, it isn't opened.
    if (node->file->version != NULL)
        reader->version = node->file->version(node->key);
    int err = node->file->may_open != NULL ? node->file->may_open(node->key) : 0;
    if (err != 0) {
        kfree(reader);
        return err;
    }
    file->private = reader;
    return 0;
}

static void proc_release(struct file *file)
{
    struct proc_reader *reader = file->private;
    text_free(&reader->text);
    kfree(reader);
}

// Caller holds reader->lock.
static int proc_generate(struct proc_reader *reader, const struct proc_node *node)
{
    reader->ready = false;
    reader->text.length = 0;
    reader->text.failed = false;
    if (node->file->show == NULL)
        return -EINVAL;
    if (node->file->version != NULL && node->file->version(node->key) != reader->version) {
        reader->ready = true; // and empty
        return 0;
    }
    int err = node->file->show(&reader->text, node->key);
    if (err != 0)
        return err;
    if (reader->text.failed)
        return -ENOMEM;
    reader->ready = true;
    return 0;
}

static ssize_t proc_access(const struct file *file, struct uio *uio, uint64_t *offset, bool write)
{
    const struct proc_reader *reader = file->private;
    const struct proc_node *node = file->inode->private;
    ssize_t n = node->file->access(node->key, reader->version, *offset, uio, write);
    if (n > 0)
        *offset += (uint64_t)n;
    return n;
}

static ssize_t proc_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct proc_reader *reader = file->private;
    const struct proc_node *node = file->inode->private;
    ssize_t result = 0;

    if (node->file->access != NULL)
        return proc_access(file, uio, offset, false);
    mutex_lock(&reader->lock);
    if (*offset == 0 || !reader->ready)
        result = proc_generate(reader, file->inode->private);
    if (result == 0 && *offset < reader->text.length && uio->left != 0) {
        size_t n = uio_copy_out(uio, reader->text.data + *offset, reader->text.length - *offset);
        *offset += n;
        result = n != 0 ? (ssize_t)n : -EFAULT;
    }
    mutex_unlock(&reader->lock);
    return result;
}

static ssize_t proc_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    const struct proc_node *node = file->inode->private;
    size_t n = MIN(uio->left, PROC_WRITE_MAX - 1);

    if (node->file->access != NULL)
        return proc_access(file, uio, offset, true);
    if (node->file->store == NULL)
        return -EIO;
    char *data = kmalloc(n + 1);
    if (data == NULL)
        return -ENOMEM;
    ssize_t result = -EFAULT;
    if (uio_copy_in(uio, data, n) == n) {
        data[n] = '\0'; // for parsers; not counted
        result = node->file->store(node->key, data, n);
        if (result > 0)
            *offset += (uint64_t)result;
    }
    kfree(data);
    return result;
}

static int proc_create(struct inode *dir, struct dentry *dentry, mode_t mode, dev_t rdev,
                       const struct cred *cred)
{
    return -ENOENT;
}

static int proc_symlink(struct inode *dir, struct dentry *dentry, const char *target,
                        const struct cred *cred)
{
    return -ENOENT;
}

static int proc_truncate(struct inode *inode, uint64_t size)
{
    return 0; // O_TRUNC of `echo x > /proc/...`
}

static bool proc_is_gone(const struct inode *inode)
{
    const struct proc_node *node = inode->private;
    return node->file && node->file->is_gone && node->file->is_gone(node->key);
}

static const struct inode_ops proc_dir_ops = {
    .is_gone = proc_is_gone,
    .lookup = proc_lookup,
    .readdir = proc_readdir,
    .create = proc_create,
    .symlink = proc_symlink,
    .release = proc_inode_release,
};

static const struct inode_ops proc_plain_dir_ops = {
    .lookup = proc_lookup,
    .readdir = proc_readdir,
    .release = proc_inode_release,
};

static const struct inode_ops proc_file_inode_ops = {
    .truncate = proc_truncate,
    .release = proc_inode_release,
};

// Links that have no place of their own are followed by their text.
static const struct inode_ops proc_link_ops = {
    .readlink = proc_readlink,
    .release = proc_inode_release,
};

static const struct inode_ops proc_place_ops = {
    .readlink = proc_readlink,
    .follow = proc_follow,
    .release = proc_inode_release,
};

static const struct file_ops proc_file_ops = {
    .open = proc_open,
    .read = proc_read,
    .write = proc_write,
    .release = proc_release,
};

void proc_tree_register(struct proc_tree *tree, const struct proc_file *files)
{
    ASSERT(tree->nr_tops < PROC_TREE_MAX);
    tree->tops[tree->nr_tops++] = files;
}

int proc_tree_mount(struct proc_tree *tree, struct super_block *sb)
{
    struct inode *inode = proc_inode_create(sb, tree, NULL, 0);
    if (inode == NULL)
        return -ENOMEM;
    struct dentry *root = dentry_create(NULL, "", 0);
    if (root == NULL) {
        inode_put(inode);
        return -ENOMEM;
    }
    dentry_attach(root, inode);
    sb->root = root;
    return 0;
}

static struct proc_tree procfs_tree = {.like_proc = true};

static int procfs_mount(struct super_block *sb, const char *source, const char *options)
{
    return proc_tree_mount(&procfs_tree, sb);
}

static const struct file_system procfs_type = {
    .name = "proc",
    .nodev = true,
    .mount = procfs_mount,
    .magic = PROC_SUPER_MAGIC,
};

void procfs_register(const struct proc_file *files)
{
    proc_tree_register(&procfs_tree, files);
}

void procfs_init(void)
{
    file_system_register(&procfs_type);
    procfs_register(block_proc_files);
    sysfs_init();
}
