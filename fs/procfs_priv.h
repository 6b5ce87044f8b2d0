// SPDX-License-Identifier: BSD-2-Clause
// A tree of generated files: what procfs and sysfs have in common (procfs.c).
#pragma once

#include <fs/procfs.h>

#define PROC_TREE_MAX 32

struct proc_tree { // filled at boot, constant afterwards
    const struct proc_file
        *tops[PROC_TREE_MAX]; // arrays of top-level files, each ended by name NULL
    unsigned int nr_tops;
    uint64_t file_size; // st_size of its regular files
    // What Linux's procfs does and its other trees don't: let files be opened for writing that
    // can't be written, and say ENOENT of every new name.
    bool like_proc;
};

void proc_tree_register(struct proc_tree *tree, const struct proc_file *files);
// Make the root of a new super block over the tree. 0 or -ENOMEM.
int proc_tree_mount(struct proc_tree *tree, struct super_block *sb);

void sysfs_init(void);
extern const struct proc_file block_proc_files[]; // block.c

extern const struct proc_file sysfs_mm_files[]; // sysfs_mm.c
