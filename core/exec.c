// SPDX-License-Identifier: BSD-2-Clause
// execve(2): find the program, follow #! lines, judge the ELF headers, build the new address space
// beside the old one. All that can fail happens before the point of no return; what comes after it
// (exec_commit.c) can't, so a program either runs or its caller gets an errno.
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "exec_priv.h"

#define MAY_EXEC 1

// A file that the caller may execute. Read permission isn't asked for.
static int open_program(const struct exec *x, const struct path *path, struct file **file)
{
    struct inode *inode = path->dentry->inode;
    if (!S_ISREG(inode->mode) || (path->mount->flags & MS_NOEXEC))
        return -EACCES;
    int err = inode_permission(inode, MAY_EXEC, x->walk.cred);
    if (err == 0)
        err = inode_run_begin(inode);
    if (err != 0)
        return err;
    err = file_open_path(path, O_RDONLY, thread_self()->cred, file);
    if (err != 0)
        inode_run_end(inode);
    return err;
}

static void close_program(struct file *file)
{
    inode_run_end(file->inode);
    file_put(file);
}

static int open_by_name(const struct exec *x, const char *name, struct file **file)
{
    struct path path;
    int err = path_lookup(&x->walk, name, PATH_FOLLOW, &path);
    if (err != 0)
        return err;
    err = open_program(x, &path, file);
    path_put(&path);
    return err;
}

static int prepend(struct exec *x, const char *string)
{
    char *copy = kstrdup(string);
    if (!copy)
        return -ENOMEM;
    ASSERT(x->nr_prefix < EXEC_PREFIX_MAX);
    memmove(&x->prefix[1], &x->prefix[0], x->nr_prefix * sizeof(x->prefix[0]));
    x->prefix[0] = copy;
    x->nr_prefix++;
    return 0;
}

// argv[0] of what the line before made becomes: interpreter, its argument, and the script's name.
static int follow_script(struct exec *x, char *interpreter, char *argument)
{
    int err = 0;
    if (x->nr_scripts++ == EXEC_SCRIPTS_MAX)
        return -ELOOP;
    if (x->closes)
        return -ENOENT;
    if (x->nr_prefix == 0)
        err = prepend(x, x->way);
    if (err == 0 && argument)
        err = prepend(x, argument);
    if (err == 0)
        err = prepend(x, interpreter);
    if (err != 0)
        return err;
    close_program(x->file);
    x->file = NULL;
    x->walk.at = (struct path){NULL, NULL};
    return open_by_name(x, x->prefix[0], &x->file);
}

// The program headers of `file`, whose first `n` bytes are in x->head.
static int read_elf(struct exec *x, struct file *file, size_t n, struct elf_image *image)
{
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)x->head;
    uint64_t offset;
    unsigned int nr;
    if (n < sizeof(*h))
        return -ENOEXEC;
    int err = elf_check_header(h, &offset, &nr);
    if (err != 0)
        return err;
    size_t size = nr * sizeof(Elf64_Phdr);
    if (offset + size <= n && offset % 8 == 0)
        return elf_read_headers(h, (const Elf64_Phdr *)(x->head + offset), USER_END, image);
    Elf64_Phdr *table = kmalloc(size);
    if (!table)
        return -ENOMEM;
    ssize_t got = file_read_kernel(file, table, size, offset);
    err = got == (ssize_t)size ? elf_read_headers(h, table, USER_END, image)
                               : (got < 0 ? (int)got : -ENOEXEC);
    kfree(table);
    return err;
}

static int read_head(struct exec *x, struct file *file, size_t *n)
{
    ssize_t got = file_read_kernel(file, x->head, EXEC_HEAD_SIZE, 0);
    if (got < 0)
        return (int)got;
    memset(x->head + got, 0, sizeof(x->head) - (size_t)got);
    *n = (size_t)got;
    return 0;
}

static int load_interpreter(struct exec *x)
{
    size_t n = 0, size = x->image.interp_size;
    char *name = kmalloc(size);
    if (!name)
        return -ENOMEM;
    ssize_t got = file_read_kernel(x->file, name, size, x->image.interp_offset);
    int err = got < 0 ? (int)got : 0;
    if (err == 0 && got != (ssize_t)size)
        err = -EIO;
    if (err == 0 && name[size - 1] != '\0')
        err = -ENOEXEC;
    if (err == 0)
        err = open_by_name(x, name, &x->interp_file);
    kfree(name);
    if (err == 0)
        err = read_head(x, x->interp_file, &n);
    if (err == 0 && n < sizeof(Elf64_Ehdr))
        err = -EIO;
    if (err != 0)
        return err;
    err = read_elf(x, x->interp_file, n, &x->interp);
    return err == -ENOEXEC ? -ELIBBAD : err;
}

// Set-user-id and set-group-id of the program; root's capabilities (capabilities(7),
// "Transformation of capabilities during execve()").
static int make_cred(struct exec *x)
{
    const struct cred *old = thread_self()->cred;
    const struct inode *inode = x->file->inode;
    bool honoured = !(x->file->path.mount->flags & MS_NOSUID) && !process_self()->no_new_privs;
    bool set_uid = honoured && (inode->mode & S_ISUID);
    bool set_gid = honoured && (inode->mode & (S_ISGID | 0010)) == (S_ISGID | 0010);
    uid_t euid = set_uid ? inode->uid : old->euid;
    gid_t egid = set_gid ? inode->gid : old->egid;
    uint64_t permitted = euid == 0 || old->uid == 0 ? CRED_CAPS_ALL : 0;
    uint64_t effective = euid == 0 ? permitted : 0;
    x->secure = euid != old->uid || egid != old->gid;
    if (euid == old->euid && egid == old->egid && old->suid == euid && old->sgid == egid &&
        old->fsuid == euid && old->fsgid == egid && old->cap_permitted == permitted &&
        old->cap_effective == effective && !old->keep_caps) {
        x->cred = thread_self()->cred;
        cred_get(x->cred);
        return 0;
    }
    x->cred = cred_copy(old);
    if (!x->cred)
        return -ENOMEM;
    x->cred->euid = x->cred->suid = x->cred->fsuid = euid;
    x->cred->egid = x->cred->sgid = x->cred->fsgid = egid;
    x->cred->cap_permitted = permitted;
    x->cred->cap_effective = effective;
    x->cred->keep_caps = false;
    return 0;
}

static int exec_prepare(struct exec *x)
{
    size_t n = 0;
    int err;
    for (;;) {
        char *interpreter, *argument;
        err = read_head(x, x->file, &n);
        if (err != 0)
            return err;
        if (script_parse(x->head, n, &interpreter, &argument) != 0)
            break;
        err = follow_script(x, interpreter, argument);
        if (err != 0)
            return err;
    }
    err = read_elf(x, x->file, n, &x->image);
    if (err == 0 && x->image.interp_size != 0)
        err = load_interpreter(x);
    if (err == 0)
        err = make_cred(x);
    return err != 0 ? err : exec_build_map(x);
}

static void exec_discard(struct exec *x)
{
    for (unsigned int i = 0; i < x->nr_prefix; i++)
        kfree(x->prefix[i]);
    if (x->file)
        close_program(x->file);
    if (x->interp_file)
        close_program(x->interp_file);
    if (x->cred)
        cred_put(x->cred);
    if (x->map)
        vm_map_put(x->map);
}

static int exec_open(struct exec *x, unsigned int flags)
{
    struct path path;
    int err = path_lookup(&x->walk, x->name, flags, &path);
    if (err != 0)
        return err;
    // The last component is a symbolic link, and it wasn't to be followed.
    err = S_ISLNK(path.dentry->inode->mode) ? -ELOOP : open_program(x, &path, &x->file);
    path_put(&path);
    return err;
}

int exec_run(struct exec *x, unsigned int flags)
{
    int err = exec_args_add(x->args, x->way);
    if (err == 0)
        err = exec_open(x, flags);
    if (err == 0)
        err = exec_prepare(x);
    if (err == 0)
        err = exec_commit(x);
    exec_discard(x);
    return err;
}
