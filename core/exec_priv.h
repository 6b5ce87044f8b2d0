// SPDX-License-Identifier: BSD-2-Clause
// What the files of execve(2) share: the arguments on their way into the new stack, and the program
// under construction.
#pragma once

#include <core/process.h>
#include <fs/file.h>

#include "elf_priv.h"

#define EXEC_HEAD_SIZE   1024 // of the file; holds ELF headers of up to 17 segments
#define EXEC_SCRIPTS_MAX 5
#define EXEC_PREFIX_MAX  (2 * EXEC_SCRIPTS_MAX + 1)
#define EXEC_STRING_MAX  (32 * PAGE_SIZE) // MAX_ARG_STRLEN

// The strings of argv, then envp, then the file name, packed into pages one after another; and the
// offset of each. Freed by exec_args_free().
struct exec_args {
    char **pages;
    unsigned int nr_pages, max_pages;
    uint32_t *offsets; // of string i; offsets[nr] = used
    unsigned int nr, max;
    unsigned int argc, envc; // nr = argc + envc once the environment is in, + 1 with the file name
    size_t used, limit;      // bytes
};

void exec_args_init(struct exec_args *a);
void exec_args_free(struct exec_args *a);
// All return 0, -E2BIG, -EFAULT or -ENOMEM.
int exec_args_add(struct exec_args *a, const char *string); // kernel memory
int exec_args_add_vector(struct exec_args *a, const char *const *vector, unsigned int *count);
int exec_args_add_user_vector(struct exec_args *a, vaddr_t vector, unsigned int *count);

struct exec {
    const char *name; // as called
    const char *way;  // as the program or its interpreter finds it: name, or /dev/fd/N/name
    bool closes;      // ... which leads nowhere: N is closed on the way
    struct exec_args *args;
    struct path_walk walk; // for interpreters
    struct file *file;     // of the program, after scripts were followed
    // What scripts put before the arguments in place of argv[0], first to last; kmalloc'ed.
    char *prefix[EXEC_PREFIX_MAX];
    unsigned int nr_prefix, nr_scripts;
    struct elf_image image, interp;
    struct file *interp_file; // NULL: no PT_INTERP
    struct cred *cred;        // of the program, with a reference
    bool secure;              // AT_SECURE
    struct vm_map *map;       // with a reference
    vaddr_t entry, sp;
    char head[EXEC_HEAD_SIZE + 8] __attribute__((aligned(8)));
};

// All of execve(2): x->name, x->walk and x->args (argv, then envp) are set, the rest is zero; flags
// are PATH_*. 0 or -errno; either way x holds nothing any more.
int exec_run(struct exec *x, unsigned int flags);
// Become the program. Its registers are in the calling thread's frame afterwards. -errno: nothing
// has changed.
int exec_commit(struct exec *x);
// Boot: the object behind [vdso].
void exec_init(void);
// Build x->map from files, images, arguments and credentials; sets entry and sp. 0 or -errno.
int exec_build_map(struct exec *x);
// Write strings, auxiliary vector and pointers to the stack of x->map (which has a stack region
// from `bottom`). Sets sp. bias: what was added to the program's addresses, base: the
// interpreter's.
int exec_build_stack(struct exec *x, vaddr_t bias, vaddr_t base);
// Bytes below the stack's top that exec_build_stack() will need, at most.
size_t exec_stack_size(const struct exec *x);
