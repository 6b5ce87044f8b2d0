// SPDX-License-Identifier: BSD-2-Clause
// From cpio entries to files: initramfs_entry.c does what initramfs.c parses.
#pragma once

#include <fs/file.h>
#include <lib/cpio.h>

struct initramfs_link;
struct initramfs_dir;

struct initramfs_target {
    struct fs_context *context;
    struct path_walk walk;
    struct file *file; // that gets the entry's data, or NULL
    uint64_t offset;
    char *link_text; // of a symbolic link, or NULL
    size_t link_length;
    struct initramfs_link *links; // first names of files with several
    struct initramfs_dir *dirs;   // whose times are set at the end
    unsigned int nr_failed;
};

int initramfs_target_init(struct initramfs_target *t);
void initramfs_target_end(struct initramfs_target *t);
// An entry that can't be made (a name in its way, no such directory) is skipped with a line in the
// log. 0, -ENOMEM or -ENOSPC.
int initramfs_begin_entry(struct initramfs_target *t, const struct cpio_entry *e);
int initramfs_write(struct initramfs_target *t, const struct cpio_entry *e, const void *data,
                    size_t size);
void initramfs_end_entry(struct initramfs_target *t, const struct cpio_entry *e);
void initramfs_forget_links(struct initramfs_target *t);
