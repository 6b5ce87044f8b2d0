// SPDX-License-Identifier: BSD-2-Clause
// From a place in the tree back to its text: getcwd(2), /proc/PID/fd, /proc/mounts. The text is
// written from its end to its beginning, under the dentry tree lock.
#include <errno.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>

#include "vfs_priv.h"

struct text_end { // the text so far is [start, end of the buffer)
    char *buf, *start;
};

static bool prepend(struct text_end *t, const char *s, size_t n)
{
    if ((size_t)(t->start - t->buf) < n)
        return false;
    t->start -= n;
    memcpy(t->start, s, n);
    return true;
}

// Names up to `root` or the top of all. *reached: it was `root`.
static bool prepend_names(struct text_end *t, struct path p, const struct path *root, bool *reached)
{
    for (;;) {
        if (root && p.dentry == root->dentry && p.mount == root->mount) {
            *reached = true;
            return true;
        }
        if (p.dentry == p.mount->root) {
            if (!p.mount->parent) {
                *reached = root == NULL;
                return true;
            }
            p.dentry = p.mount->mountpoint;
            p.mount = p.mount->parent;
            continue;
        }
        if (p.dentry == p.dentry->parent) { // cut off from its mount
            *reached = false;
            return true;
        }
        if (!prepend(t, p.dentry->name, p.dentry->name_length) || !prepend(t, "/", 1))
            return false;
        p.dentry = p.dentry->parent;
    }
}

static char *text_anonymous(const struct dentry *d, char *buf, size_t size)
{
    const struct inode *inode = d->inode;
    int n;
    if (S_ISREG(inode->mode))
        n = snprintf(buf, size, "/%s (deleted)", d->name);
    else if (S_ISFIFO(inode->mode))
        n = snprintf(buf, size, "pipe:[%lu]", inode->ino);
    else if (S_ISSOCK(inode->mode))
        n = snprintf(buf, size, "socket:[%lu]", inode->ino);
    else if (inode->ops->readlink) { // eventfd, epoll: their own "anon_inode:[x]"
        n = (int)inode->ops->readlink(d->inode, buf, size - 1);
        buf[n] = '\0';
    } else
        n = snprintf(buf, size, "anon_inode:%s", d->name);
    return (size_t)n < size ? buf : NULL;
}

// As path_text, and says if `root` is above the path.
static char *path_text_reached(const struct path *path, const struct path *root, char *buf,
                               size_t size, bool *reached)
{
    static const char deleted[] = " (deleted)";
    struct text_end t = {buf, buf + size};
    if (path->mount == anonymous_mount) {
        *reached = true;
        return text_anonymous(path->dentry, buf, size);
    }
    if (!prepend(&t, "", 1) ||
        (path->dentry->unlinked && !prepend(&t, deleted, sizeof(deleted) - 1)))
        return NULL;
    const char *names_end = t.start;
    unsigned int slot = dentry_tree_read_lock();
    bool fits = prepend_names(&t, *path, root, reached);
    dentry_tree_read_unlock(slot);
    if (fits && t.start == names_end)
        fits = prepend(&t, "/", 1);
    return fits ? t.start : NULL;
}

char *path_text(const struct path *path, const struct path *root, char *buf, size_t size)
{
    bool reached;
    return path_text_reached(path, root, buf, size, &reached);
}

ssize_t fs_context_getcwd(struct fs_context *c, char *buf, size_t size, char **text)
{
    static const char unreachable[] = "(unreachable)";
    struct path cwd = fs_context_cwd(c), root = fs_context_root(c);
    ssize_t result = -ENOENT;
    bool reached;

    if (!cwd.dentry->unlinked) {
        size_t room = sizeof(unreachable) - 1;
        *text = path_text_reached(&cwd, &root, buf + room, size - room, &reached);
        if (*text && !reached) {
            *text -= room;
            memcpy(*text, unreachable, room);
        }
        result = *text ? (ssize_t)strlen(*text) + 1 : -ENAMETOOLONG;
    }
    path_put(&cwd);
    path_put(&root);
    return result;
}
