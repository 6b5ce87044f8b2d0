// SPDX-License-Identifier: BSD-2-Clause
// Files of 2 MiB pages: memfd_create(2) with MFD_HUGETLB. They have no name in any tree; their
// content is a vm_object whose pages come from the pool (mm/vm_hugetlb_object.c). They are mapped,
// read, cut, punched and sealed, but never written to by write(2), as on Linux.
//
// Life: the inode's, as tmpfs. Locking: inode->lock for size and seals.
#include <errno.h>
#include <fs/chrdev.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>

#include "devices_priv.h"
#include "vfs_priv.h"

#define HUGE PT_SIZE(1)

static const struct file_system hugetlbfs_type = {
    .name = "hugetlbfs", .nodev = true, .magic = HUGETLBFS_MAGIC};
static struct super_block hugetlbfs_sb = {.refs = {1}, .fs = &hugetlbfs_type};

static ssize_t hugetlbfs_read(struct file *f, struct uio *uio, uint64_t *offset)
{
    uint64_t size = __atomic_load_n(&f->inode->size, __ATOMIC_RELAXED);
    if (*offset >= size)
        return 0;
    size_t held_back = uio->left - MIN(uio->left, size - *offset);
    uio->left -= held_back;
    ssize_t n = vm_object_read(f->inode->object, *offset, uio);
    uio->left += held_back;
    if (n > 0)
        *offset += (uint64_t)n;
    return n;
}

static int hugetlbfs_mmap(struct file *f, uint64_t *offset, size_t size, struct vm_object **object)
{
    *object = f->inode->object;
    return *offset % HUGE == 0 ? 0 : -EINVAL;
}

static void grow(struct inode *inode, uint64_t size)
{
    if (size <= inode->size)
        return;
    vm_object_resize(inode->object, ALIGN_UP(size, HUGE));
    inode->size = size;
}

// A mapping that can be written makes the file as long as it is, whatever its seals say.
static void hugetlbfs_reach(struct file *f, uint64_t end)
{
    mutex_lock(&f->inode->lock);
    grow(f->inode, end);
    mutex_unlock(&f->inode->lock);
}

static const struct file_ops hugetlbfs_file_ops = {
    .read = hugetlbfs_read,
    .mmap = hugetlbfs_mmap,
    .reach = hugetlbfs_reach,
};

static int hugetlbfs_truncate(struct inode *inode, uint64_t size)
{
    if (size % HUGE != 0)
        return -EINVAL;
    if (inode->seals & (size < inode->size ? F_SEAL_SHRINK : size > inode->size ? F_SEAL_GROW : 0))
        return -EPERM;
    vm_object_resize(inode->object, size);
    inode->size = size;
    return 0;
}

static int populate(struct vm_object *o, uint64_t offset, uint64_t end)
{
    struct page *page;
    for (uint64_t at = ALIGN_DOWN(offset, HUGE); at < end; at += HUGE) {
        int err = vm_object_page(o, at >> PAGE_SHIFT, true, &page);
        if (err != 0)
            return err == -EFAULT ? -ENOSPC : err;
        page_put(page);
    }
    return 0;
}

static int hugetlbfs_allocate(struct inode *inode, int mode, uint64_t offset, uint64_t size)
{
    uint64_t end = offset + size;
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
        return -EOPNOTSUPP;
    if (mode & FALLOC_FL_PUNCH_HOLE) {
        if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
            return -EPERM;
        vm_object_punch_huge(inode->object, offset, end);
        return 0;
    }
    if ((inode->seals & F_SEAL_GROW) && end > inode->size)
        return -EPERM;
    int err = populate(inode->object, offset, end);
    if (err == 0 && !(mode & FALLOC_FL_KEEP_SIZE))
        grow(inode, end);
    return err;
}

static const struct inode_ops hugetlbfs_inode_ops = {
    .truncate = hugetlbfs_truncate,
    .allocate = hugetlbfs_allocate,
};

struct inode *hugetlbfs_create_inode(mode_t mode, const struct cred *cred)
{
    struct inode *inode =
        inode_create(&hugetlbfs_sb, &hugetlbfs_inode_ops, S_IFREG | mode, cred->fsuid, cred->fsgid);
    if (!inode)
        return NULL;
    inode->file_ops = &hugetlbfs_file_ops;
    inode->has_seals = true;
    inode->nlink = 0;
    inode->object = vm_object_create_shared(0);
    if (!inode->object) {
        inode_put(inode);
        return NULL;
    }
    vm_object_make_huge(inode->object);
    return inode;
}

void hugetlbfs_init(void)
{
    hugetlbfs_sb.dev = dev_anonymous();
    hugetlbfs_sb.next_ino = 1;
}
