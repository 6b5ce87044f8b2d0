// SPDX-License-Identifier: BSD-2-Clause
// File seals (fcntl(2), "File Sealing"; memfd_create(2)): what is sealed off stays so for the life
// of the inode. Checks and changes are made under inode->lock; the file system that has seals
// (tmpfs) checks before it writes, cuts or grows a file, mmap(2) holds the lock from its check
// until the region is there, so that F_SEAL_WRITE finds every mapping.
#include <errno.h>
#include <fs/file.h>
#include <linux/fcntl.h>

#define SEALS_ALL                                                                                  \
    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)
#define SEALS_WRITE (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static int add_seals(struct inode *inode, uint32_t seals)
{
    if (inode->seals & F_SEAL_SEAL)
        return -EPERM;
    if ((seals & ~inode->seals & F_SEAL_WRITE) && vm_object_is_shared_writable(inode->object))
        return -EBUSY;
    // A program that can't be made not executable can't be changed either.
    if ((seals & F_SEAL_EXEC) && (inode->mode & 0111))
        seals |= F_SEAL_SHRINK | F_SEAL_GROW | SEALS_WRITE;
    inode->seals |= seals;
    return 0;
}

int file_add_seals(struct file *f, unsigned int seals)
{
    if (!f->can_write)
        return -EPERM;
    if ((seals & ~(unsigned int)SEALS_ALL) || !f->inode->has_seals)
        return -EINVAL;
    mutex_lock(&f->inode->lock);
    int err = add_seals(f->inode, seals);
    mutex_unlock(&f->inode->lock);
    return err;
}

int file_get_seals(struct file *f)
{
    return f->inode->has_seals ? (int)f->inode->seals : -EINVAL;
}

int file_begin_shared_mapping(struct file *f, bool writable, unsigned int *may)
{
    if (!f->inode->has_seals)
        return 0;
    mutex_lock(&f->inode->lock);
    if (!(f->inode->seals & SEALS_WRITE))
        return 0;
    if (writable) {
        mutex_unlock(&f->inode->lock);
        return -EPERM;
    }
    *may &= ~(unsigned int)VM_MAYWRITE;
    return 0;
}

void file_end_shared_mapping(struct file *f)
{
    if (f->inode->has_seals)
        mutex_unlock(&f->inode->lock);
}
