// SPDX-License-Identifier: BSD-2-Clause
// /proc/PID/{fd,exe,cwd,root,mounts}: the files and directories of a process.

#include "proc_priv.h"

#include <asm/stat.h>
#include <errno.h>
#include <fs/file.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>
#include <string.h>

int64_t proc_fd_next(uint64_t key, int64_t from)
{
    struct process *p = proc_process(key);

    if (!p)
        return -1;
    struct fd_table *fds = process_fds_get(p);
    process_put(p);
    if (!fds)
        return -1;
    int fd = from > FD_MAX ? -1 : fd_next_open(fds, (int)from);
    fd_table_put(fds);
    return fd;
}

uint64_t proc_fd_key(uint64_t key, int64_t fd)
{
    return proc_key(proc_key_pid(key), (uint32_t)fd + 1);
}

static struct file *file_of_key(uint64_t key)
{
    struct process *p = proc_process(key);

    if (!p)
        return NULL;
    struct fd_table *fds = process_fds_get(p);
    process_put(p);
    if (!fds)
        return NULL;
    struct file *f = fd_get(fds, (int)proc_key_low(key) - 1);
    fd_table_put(fds);
    return f;
}

static ssize_t describe_file(struct file *f, char *buf, size_t size)
{
    dev_t dev;
    ino_t ino;

    file_vm_ops.describe(f, buf, size, &dev, &ino);
    return (ssize_t)strlen(buf);
}

static ssize_t readlink_fd(uint64_t key, char *buf, size_t size)
{
    struct file *f = file_of_key(key);

    if (!f)
        return -ENOENT;
    ssize_t n = describe_file(f, buf, size);
    file_put(f);
    return n;
}

static int follow_fd(uint64_t key, struct path *path)
{
    struct file *f = file_of_key(key);

    if (!f)
        return -ENOENT;
    *path = f->path;
    path_get(path);
    file_put(f);
    return 0;
}

static void owner_of_fd(uint64_t key, uid_t *uid, gid_t *gid)
{
    struct file *f = file_of_key(key);

    *uid = f ? f->cred->euid : 0;
    *gid = f ? f->cred->egid : 0;
    if (f)
        file_put(f);
}

const struct proc_file proc_fd_entry = {
    .name = "",
    .mode = S_IFLNK | 0700,
    .readlink = readlink_fd,
    .follow = follow_fd,
    .owner = owner_of_fd,
};

// The program's file, with a reference; NULL: kernel thread or zombie.
static struct file *exe_of_key(uint64_t key, int *err)
{
    struct process *p = proc_process(key);

    *err = -ESRCH;
    if (!p)
        return NULL;
    *err = proc_may_look(key);
    struct vm_map *m = *err == 0 ? process_map_get(p) : NULL;
    process_put(p);
    if (*err != 0)
        return NULL;
    *err = -ENOENT;
    if (!m)
        return NULL;
    rwlock_read_lock(&m->lock);
    struct file *f = m->exe;
    if (f)
        file_get(f);
    rwlock_read_unlock(&m->lock);
    vm_map_put(m);
    return f;
}

ssize_t proc_readlink_exe(uint64_t key, char *buf, size_t size)
{
    int err;
    struct file *f = exe_of_key(key, &err);

    if (!f)
        return err;
    ssize_t n = describe_file(f, buf, size);
    file_put(f);
    return n;
}

int proc_follow_exe(uint64_t key, struct path *path)
{
    int err;
    struct file *f = exe_of_key(key, &err);

    if (!f)
        return err;
    *path = f->path;
    path_get(path);
    file_put(f);
    return 0;
}

// cwd or root of a process, with references.
static int context_path(uint64_t key, bool root, struct path *path)
{
    struct process *p = proc_process(key);
    int err = proc_may_look(key);

    if (!p || err != 0) {
        if (p)
            process_put(p);
        return p ? err : -ESRCH;
    }
    struct fs_context *c = process_fs_get(p);
    process_put(p);
    if (!c)
        return -ENOENT;
    rwlock_read_lock(&c->lock);
    *path = root ? c->root : c->cwd;
    path_get(path);
    rwlock_read_unlock(&c->lock);
    fs_context_put(c);
    return 0;
}

static ssize_t readlink_context(uint64_t key, bool root, char *buf, size_t size)
{
    struct path path;
    int err = context_path(key, root, &path);

    if (err)
        return err;
    char *text = kmalloc(PATH_MAX_LEN);
    ssize_t result = -ENOMEM;
    if (text) {
        const char *s = path_text(&path, NULL, text, PATH_MAX_LEN);
        result = s ? (ssize_t)MIN(strlen(s), size) : -ENAMETOOLONG;
        if (s)
            memcpy(buf, s, (size_t)result);
    }
    kfree(text);
    path_put(&path);
    return result;
}

ssize_t proc_readlink_cwd(uint64_t key, char *buf, size_t size)
{
    return readlink_context(key, false, buf, size);
}

int proc_follow_cwd(uint64_t key, struct path *path)
{
    return context_path(key, false, path);
}

ssize_t proc_readlink_root(uint64_t key, char *buf, size_t size)
{
    return readlink_context(key, true, buf, size);
}

int proc_follow_root(uint64_t key, struct path *path)
{
    return context_path(key, true, path);
}

struct mounts_context {
    struct text *text;
    struct path root;
    char *path; // PATH_MAX_LEN bytes
};

static int show_mount(void *ctx, const struct mount *m)
{
    static const struct {
        unsigned long flag;
        const char *option;
    } options[] = {
        {MS_NOSUID, ",nosuid"},           {MS_NODEV, ",nodev"},
        {MS_NOEXEC, ",noexec"},           {MS_NOATIME, ",noatime"},
        {MS_NODIRATIME, ",nodiratime"},   {MS_RELATIME, ",relatime"},
        {MS_NOSYMFOLLOW, ",nosymfollow"},
    };
    char of_type[64] = "";
    struct mounts_context *c = ctx;
    struct path at = {m->parent ? m->parent : (struct mount *)m,
                      m->parent ? m->mountpoint : m->root};
    const char *where = path_text(&at, &c->root, c->path, PATH_MAX_LEN);

    if (!where)
        return 0;
    unsigned long flags = m->flags | m->sb->flags;
    text_printf(c->text, "%s %s %s %s", m->source, where, m->sb->fs->name,
                flags & MS_RDONLY ? "ro" : "rw");
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (flags & options[i].flag)
            text_printf(c->text, "%s", options[i].option);
    if (m->sb->fs->show_options)
        m->sb->fs->show_options(m->sb, of_type, sizeof(of_type));
    text_printf(c->text, "%s 0 0\n", of_type);
    return 0;
}

int proc_show_mounts(struct text *t, uint64_t key)
{
    struct mounts_context c = {.text = t, .path = kmalloc(PATH_MAX_LEN)};
    int err = c.path ? context_path(key, true, &c.root) : -ENOMEM;

    if (!err) {
        err = mount_for_each(show_mount, &c);
        path_put(&c.root);
    }
    kfree(c.path);
    return err;
}
