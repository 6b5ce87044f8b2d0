// SPDX-License-Identifier: BSD-2-Clause
// Process 1. Its thread begins in the kernel and tries the programs that boot offers it, one after
// another, until one can be executed; then it leaves for user mode as that.
#include <arch/clock.h>
#include <arch/log.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <string.h>

#include "exec_priv.h"
#include "process_priv.h"
#include "signal_priv.h"

// What process_start_init() asks of the thread, one at a time.
static struct {
    struct wait_queue wait; // for both sides
    bool asked, answered;   // release: the rest is written
    const char *path;
    const char *const *argv, *const *envp;
    int result;
} request = {.wait = WAIT_QUEUE_INIT(request.wait)};

static int exec_kernel(const char *path, const char *const *argv, const char *const *envp)
{
    struct exec_args args;
    struct exec *x = kzalloc(sizeof(*x));
    if (!x)
        return -ENOMEM;
    exec_args_init(&args);
    x->name = x->way = path;
    x->args = &args;
    x->walk = (struct path_walk){.context = process_self()->fs, .cred = thread_self()->cred};
    int err = exec_args_add_vector(&args, argv, &args.argc);
    if (err == 0)
        err = exec_args_add_vector(&args, envp, &args.envc);
    if (err == 0)
        err = exec_run(x, PATH_FOLLOW);
    exec_args_free(&args);
    kfree(x);
    return err;
}

// Descriptors 0, 1 and 2.
static void open_console(void)
{
    struct process *p = process_self();
    const struct path_walk walk = {.context = p->fs, .cred = thread_self()->cred};
    struct file *file;
    int err = file_open(&walk, "/dev/console", O_RDWR, 0, &file);
    if (err != 0) {
        log_warn("init: no /dev/console (error %d): process 1 starts without input and output",
                 err);
        return;
    }
    for (unsigned int fd = 0; fd < 3; fd++) {
        if (fd > 0)
            file_get(file);
        if (fd_install(p->fds, file, 0, FD_MAX, false) < 0)
            file_put(file);
    }
}

static void init_first_run(struct thread *t)
{
    open_console();
    for (;;) {
        (void)wait_event(&request.wait, atomic_load_acquire(&request.asked), PARK_UNINTERRUPTIBLE,
                         TIME_NEVER);
        request.asked = false;
        request.result = exec_kernel(request.path, request.argv, request.envp);
        bool done = request.result == 0;
        atomic_store_release(&request.answered, true);
        wait_queue_wake_all(&request.wait);
        if (done)
            return;
    }
}

static struct process *create_init(void)
{
    struct process *p = process_create();
    struct path root = vfs_root();
    if (!p)
        goto fail;
    memcpy(p->limits, kernel_process->limits, sizeof(p->limits));
    strlcpy(p->name, "init", sizeof(p->name));
    p->pid = p->group = p->session = 1;
    p->exit_signal = SIGCHLD;
    p->unkillable = true;
    p->start_ns = clock_monotonic_ns();
    p->actions = signal_actions_create();
    p->fds = fd_table_create();
    p->fs = fs_context_create(root);
    path_put(&root);
    if (p->actions && p->fds && p->fs)
        return p;
fail:
    panic("no memory for process 1: give the machine more");
}

static void start_thread(struct process *p)
{
    struct thread *t = thread_create(p, kernel_process_cred());
    if (!t)
        panic("no memory for process 1: give the machine more");
    strlcpy(t->name, p->name, sizeof(t->name));
    t->first_run = init_first_run;
    spin_lock(&process_tree_lock);
    process_link(p, kernel_process);
    init_process = p;
    (void)process_add_thread(t);
    spin_unlock(&process_tree_lock);
    thread_start(t);
    thread_put(t);
}

int process_start_init(const char *path, const char *const argv[], const char *const envp[])
{
    if (!init_process) {
        exec_init();
        start_thread(create_init());
    }
    request.path = path;
    request.argv = argv;
    request.envp = envp;
    request.answered = false;
    atomic_store_release(&request.asked, true);
    wait_queue_wake_all(&request.wait);
    (void)wait_event(&request.wait, atomic_load_acquire(&request.answered), PARK_UNINTERRUPTIBLE,
                     TIME_NEVER);
    return request.result;
}
