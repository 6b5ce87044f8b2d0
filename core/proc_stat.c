// SPDX-License-Identifier: BSD-2-Clause
// /proc/PID/{stat,statm,status,limits}: numbers of a process or thread. Field order: proc(5).

#include "proc_priv.h"
#include "process_priv.h"

#include <arch/cpu.h>
#include <errno.h>
#include <fs/tty.h>
#include <linux/sched.h>
#include <string.h>

// What stat and status are made of, collected under the locks that guard each part.
struct snapshot {
    pid_t pid, tid, parent, group, session, tty_group;
    dev_t tty;
    char name[THREAD_NAME_SIZE];
    char state;
    unsigned int nr_threads;
    struct process_usage usage, children;
    int exit_signal, exit_status, nice;
    int rt_priority, inherited; // as set, and what it runs with
    unsigned int policy;
    cpu_t cpu;
    uint64_t affinity, start_ns;
    sigmask_t pending, shared_pending, blocked, ignored, caught;
    uid_t uid[4];
    gid_t gid[4];
    unsigned int nr_groups;
    gid_t groups[CRED_GROUPS_MAX];
    uint64_t cap_inheritable, cap_permitted, cap_effective;
    bool no_new_privs;
    uint64_t total_pages, peak_pages, table_pages, resident_pages, data_pages, stack_pages,
        locked_pages;
    vaddr_t code_start, code_end, data_start, data_end, brk_start, stack_top;
    vaddr_t arg_start, arg_end, env_start, env_end;
};

static char thread_state_letter(const struct thread *t)
{
    if (t->signal.stopped && t->process->group_stop)
        return 'T';
    switch (t->state) {
    case THREAD_RUNNABLE:
        return 'R';
    case THREAD_DEAD:
        return 'X';
    default:
        return t->park_mode == PARK_UNINTERRUPTIBLE ? 'D' : 'S';
    }
}

static void collect_cred(struct snapshot *s, const struct cred *c)
{
    uid_t uid[4] = {c->uid, c->euid, c->suid, c->fsuid};
    gid_t gid[4] = {c->gid, c->egid, c->sgid, c->fsgid};

    memcpy(s->uid, uid, sizeof(uid));
    memcpy(s->gid, gid, sizeof(gid));
    s->nr_groups = c->nr_groups;
    memcpy(s->groups, c->groups, c->nr_groups * sizeof(c->groups[0]));
    s->cap_inheritable = c->cap_inheritable;
    s->cap_permitted = c->cap_permitted;
    s->cap_effective = c->cap_effective;
}

static void collect_thread(struct snapshot *s, struct process *p, uint64_t key)
{
    struct thread *t = proc_thread(p, key);

    if (!t) {
        s->state = 'Z';
        return;
    }
    s->tid = t->tid;
    memcpy(s->name, t->name, sizeof(s->name));
    s->state = thread_state_letter(t);
    s->policy = t->sched.policy;
    s->rt_priority = t->sched.set_priority;
    s->inherited = t->sched.rt_priority;
    s->nice = t->sched.nice;
    s->cpu = t->sched.cpu;
    s->affinity = t->sched.affinity;
    if (proc_key_low(key) != 0)
        process_usage_of_thread(t, &s->usage);
    spin_lock(&p->lock);
    collect_cred(s, t->cred);
    spin_unlock(&p->lock);
    thread_put(t);
}

static void collect_signals(struct snapshot *s, struct process *p, uint64_t key)
{
    struct thread *t = proc_thread(p, key);
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);

    s->shared_pending = p->signal_queue.pending;
    if (t) {
        s->pending = t->signal.queue.pending;
        s->blocked = t->signal.mask;
    }
    for (int signal = 1; p->actions && signal <= NR_SIGNALS; signal++) {
        vaddr_t handler = p->actions->action[signal - 1].handler;
        if (handler == (vaddr_t)SIG_IGN)
            s->ignored |= SIGMASK(signal);
        else if (handler != (vaddr_t)SIG_DFL)
            s->caught |= SIGMASK(signal);
    }
    spin_unlock_irqrestore(&p->signal_lock, flags);
    if (t)
        thread_put(t);
}

static void collect_memory(struct snapshot *s, struct process *p)
{
    struct vm_map *m = process_map_get(p);

    if (!m)
        return;
    rwlock_read_lock(&m->lock);
    s->total_pages = m->total_pages;
    s->peak_pages = m->peak_pages;
    s->table_pages = m->space.nr_tables;
    s->resident_pages = m->space.nr_resident;
    s->data_pages = m->data_pages;
    s->stack_pages = m->stack_pages;
    s->locked_pages = m->locked_pages;
    s->code_start = m->code_start;
    s->code_end = m->code_end;
    s->data_start = m->data_start;
    s->data_end = m->data_end;
    s->brk_start = m->brk_start;
    s->stack_top = m->stack_top;
    s->arg_start = m->arg_start;
    s->arg_end = m->arg_end;
    s->env_start = m->env_start;
    s->env_end = m->env_end;
    rwlock_read_unlock(&m->lock);
    vm_map_put(m);
}

static void collect_tree(struct snapshot *s, struct process *p)
{
    spin_lock(&process_tree_lock);
    // The parent of one that was waited for may be gone.
    s->parent = p->state != PROCESS_DEAD && p->parent ? p->parent->pid : 0;
    s->group = p->group;
    s->session = p->session;
    s->tty_group = -1;
    if (p->tty) {
        s->tty = p->tty->dev;
        s->tty_group = p->tty->group;
    }
    s->exit_signal = p->exit_signal;
    s->exit_status = p->exit_status;
    s->children = p->children_usage;
    if (p->state != PROCESS_ALIVE)
        s->state = 'Z';
    spin_unlock(&process_tree_lock);
}

static int collect(struct snapshot *s, uint64_t key)
{
    struct process *p = proc_process(key);

    if (!p)
        return -ESRCH;
    memset(s, 0, sizeof(*s));
    s->pid = s->tid = p->pid;
    memcpy(s->name, p->name, sizeof(s->name));
    s->nr_threads = p->nr_threads;
    s->start_ns = p->start_ns;
    s->no_new_privs = p->no_new_privs;
    process_usage_sum(p, &s->usage);
    collect_thread(s, p, key);
    collect_tree(s, p);
    collect_signals(s, p, key);
    collect_memory(s, p);
    process_put(p);
    return 0;
}

int proc_show_stat(struct text *t, uint64_t key)
{
    struct snapshot s;
    int err = collect(&s, key);

    if (err)
        return err;
    int priority = s.inherited ? -1 - s.inherited : 20 + s.nice;
    text_printf(t, "%d (%s) %c %d %d %d %d %d 0 %lu 0 0 0", s.tid, s.name, s.state, s.parent,
                s.group, s.session, (int)s.tty, s.tty_group, (unsigned long)s.usage.minor_faults);
    text_printf(t, " %lu %lu %lu %lu %d %d %u 0 %lu", PROC_TICKS(s.usage.user_ns),
                PROC_TICKS(s.usage.system_ns), PROC_TICKS(s.children.user_ns),
                PROC_TICKS(s.children.system_ns), priority, s.nice, s.nr_threads,
                PROC_TICKS(s.start_ns));
    text_printf(t, " %lu %lu %lu %lu %lu %lu 0 0", (unsigned long)(s.total_pages * PAGE_SIZE),
                (unsigned long)s.resident_pages, (unsigned long)RLIM64_INFINITY, s.code_start,
                s.code_end, s.stack_top);
    text_printf(t, " %lu %lu %lu %lu 0 0 0 %d %u %d %u 0 0 0", (unsigned long)s.pending,
                (unsigned long)s.blocked, (unsigned long)s.ignored, (unsigned long)s.caught,
                s.exit_signal, s.cpu, s.rt_priority, s.policy);
    text_printf(t, " %lu %lu %lu %lu %lu %lu %lu %d\n", s.data_start, s.data_end, s.brk_start,
                s.arg_start, s.arg_end, s.env_start, s.env_end, s.exit_status);
    return 0;
}

// What is resident, by kind. It takes a walk, so only files that tell it ask.
static struct vm_resident collect_resident(uint64_t key)
{
    struct vm_resident resident = {0, 0};
    struct process *p = proc_process(key);
    struct vm_map *m = p ? process_map_get(p) : NULL;

    if (p)
        process_put(p);
    if (!m)
        return resident;
    rwlock_read_lock(&m->lock);
    vm_map_resident_locked(m, &resident);
    rwlock_read_unlock(&m->lock);
    vm_map_put(m);
    return resident;
}

int proc_show_statm(struct text *t, uint64_t key)
{
    struct snapshot s;
    int err = collect(&s, key);

    if (err)
        return err;
    struct vm_resident resident = collect_resident(key);
    unsigned long text_pages = DIV_ROUND_UP(s.code_end - s.code_start, PAGE_SIZE);
    text_printf(t, "%lu %lu %lu %lu 0 %lu 0\n", (unsigned long)s.total_pages,
                (unsigned long)s.resident_pages, (unsigned long)(resident.file + resident.shmem),
                text_pages, (unsigned long)(s.data_pages + s.stack_pages));
    return 0;
}

static const char *state_name(char letter)
{
    switch (letter) {
    case 'R':
        return "R (running)";
    case 'S':
        return "S (sleeping)";
    case 'D':
        return "D (disk sleep)";
    case 'T':
        return "T (stopped)";
    case 'Z':
        return "Z (zombie)";
    default:
        return "X (dead)";
    }
}

static void show_ids(struct text *t, const struct snapshot *s)
{
    text_printf(t, "Uid:\t%u\t%u\t%u\t%u\n", s->uid[0], s->uid[1], s->uid[2], s->uid[3]);
    text_printf(t, "Gid:\t%u\t%u\t%u\t%u\n", s->gid[0], s->gid[1], s->gid[2], s->gid[3]);
    text_printf(t, "Groups:\t");
    for (unsigned int i = 0; i < s->nr_groups; i++)
        text_printf(t, "%u ", s->groups[i]);
    text_printf(t, "\n");
}

static void show_memory(struct text *t, const struct snapshot *s, uint64_t key)
{
    if (s->total_pages == 0)
        return;
    text_printf(t, "VmPeak:\t%8lu kB\n", PROC_PAGES_TO_KIB(s->peak_pages));
    text_printf(t, "VmSize:\t%8lu kB\n", PROC_PAGES_TO_KIB(s->total_pages));
    text_printf(t, "VmLck:\t%8lu kB\n", PROC_PAGES_TO_KIB(s->locked_pages));
    text_printf(t, "VmHWM:\t%8lu kB\n",
                PROC_PAGES_TO_KIB(MAX(s->usage.max_resident_pages, s->resident_pages)));
    struct vm_resident resident = collect_resident(key);
    uint64_t others = resident.file + resident.shmem;
    uint64_t rss = MAX(s->resident_pages, others); // pages come and go between the two looks
    text_printf(t, "VmRSS:\t%8lu kB\n", PROC_PAGES_TO_KIB(rss));
    text_printf(t, "RssAnon:\t%8lu kB\n", PROC_PAGES_TO_KIB(rss - others));
    text_printf(t, "RssFile:\t%8lu kB\n", PROC_PAGES_TO_KIB(resident.file));
    text_printf(t, "RssShmem:\t%8lu kB\n", PROC_PAGES_TO_KIB(resident.shmem));
    text_printf(t, "VmData:\t%8lu kB\n", PROC_PAGES_TO_KIB(s->data_pages));
    text_printf(t, "VmStk:\t%8lu kB\n", PROC_PAGES_TO_KIB(s->stack_pages));
    text_printf(t, "VmExe:\t%8lu kB\n", (s->code_end - s->code_start) / 1024);
    text_printf(t, "VmPTE:\t%8lu kB\n", PROC_PAGES_TO_KIB(s->table_pages));
    text_printf(t, "VmSwap:\t%8lu kB\n", 0UL);
}

int proc_show_status(struct text *t, uint64_t key)
{
    struct snapshot s;
    int err = collect(&s, key);

    if (err)
        return err;
    text_printf(t, "Name:\t%s\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n", s.name,
                state_name(s.state), s.pid, s.tid, s.parent);
    text_printf(t, "TracerPid:\t0\n");
    show_ids(t, &s);
    show_memory(t, &s, key);
    text_printf(t, "Threads:\t%u\n", s.nr_threads);
    text_printf(t, "SigPnd:\t%016lx\nShdPnd:\t%016lx\n", (unsigned long)s.pending,
                (unsigned long)s.shared_pending);
    text_printf(t, "SigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", (unsigned long)s.blocked,
                (unsigned long)s.ignored, (unsigned long)s.caught);
    text_printf(t, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n",
                (unsigned long)s.cap_inheritable, (unsigned long)s.cap_permitted,
                (unsigned long)s.cap_effective);
    text_printf(t, "NoNewPrivs:\t%d\n", s.no_new_privs);
    uint64_t cpus = s.affinity & (BIT(cpu_count()) - 1);
    text_printf(t, "Cpus_allowed:\t%lx\n", (unsigned long)cpus);
    text_printf(t, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
                (unsigned long)s.usage.nr_voluntary, (unsigned long)s.usage.nr_involuntary);
    return 0;
}

int proc_show_limits(struct text *t, uint64_t key)
{
    static const struct {
        const char *name, *unit;
    } rows[RLIM_NLIMITS] = {
        [RLIMIT_CPU] = {"Max cpu time", "seconds"},
        [RLIMIT_FSIZE] = {"Max file size", "bytes"},
        [RLIMIT_DATA] = {"Max data size", "bytes"},
        [RLIMIT_STACK] = {"Max stack size", "bytes"},
        [RLIMIT_CORE] = {"Max core file size", "bytes"},
        [RLIMIT_RSS] = {"Max resident set", "bytes"},
        [RLIMIT_NPROC] = {"Max processes", "processes"},
        [RLIMIT_NOFILE] = {"Max open files", "files"},
        [RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
        [RLIMIT_AS] = {"Max address space", "bytes"},
        [RLIMIT_LOCKS] = {"Max file locks", "locks"},
        [RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
        [RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
        [RLIMIT_NICE] = {"Max nice priority", ""},
        [RLIMIT_RTPRIO] = {"Max realtime priority", ""},
        [RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
    };
    struct process *p = proc_process(key);

    if (!p)
        return -ESRCH;
    text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        const uint64_t values[] = {p->limits[i].rlim_cur, p->limits[i].rlim_max};
        text_printf(t, "%-25s ", rows[i].name);
        for (int j = 0; j < 2; j++) {
            if (values[j] == RLIM64_INFINITY)
                text_printf(t, "%-20s ", "unlimited");
            else
                text_printf(t, "%-20lu ", (unsigned long)values[j]);
        }
        text_printf(t, "%-10s\n", rows[i].unit);
    }
    process_put(p);
    return 0;
}
