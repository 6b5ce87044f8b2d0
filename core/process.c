// SPDX-License-Identifier: BSD-2-Clause
// The table of processes: by number, by group, by session and by age, and their tree.
//
// A process is in the tables from clone until its parent (or nobody, if the parent doesn't care)
// has reaped it. A number stays taken as long as a process, a group or a session has it, so none of
// them is ever confused with a later one. Everything here is guarded by process_tree_lock.
#include <core/process.h>
#include <core/random.h>
#include <lib/assert.h>
#include <mm/slab.h>

#include "process_priv.h"
#include "signal_priv.h"

#define HASH_SIZE 256 // a power of two: numbers are given out one after another

struct spinlock process_tree_lock = SPINLOCK_INIT;
struct process *kernel_process;
struct process *init_process;

static struct slab_cache *process_cache;
static struct list_node pid_hash[HASH_SIZE], group_hash[HASH_SIZE], session_hash[HASH_SIZE];
static struct list_node all_processes = LIST_INIT(all_processes);

static struct list_node *hash_chain(struct list_node hash[], pid_t number)
{
    return &hash[(unsigned int)number % HASH_SIZE];
}

struct process *process_create(void)
{
    struct process *p = slab_zalloc(process_cache);
    if (!p)
        return NULL;
    refcount_init(&p->refs);
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->all_node);
    list_init(&p->pid_node);
    list_init(&p->group_node);
    list_init(&p->session_node);
    list_init(&p->threads);
    spin_init(&p->lock);
    spin_init(&p->signal_lock);
    signal_queue_init(&p->signal_queue);
    wait_queue_init(&p->child_wait);
    wait_queue_init(&p->exit_wait);
    wait_queue_init(&p->stop_wait);
    wait_queue_init(&p->vfork_wait);
    list_init(&p->cpu_timers);
    itimer_init(p);
    p->dumpable = true;
    return p;
}

static void default_limits(struct process *p)
{
    static const struct rlimit64 limits[RLIM_NLIMITS] = {
        [RLIMIT_CPU] = {RLIM64_INFINITY, RLIM64_INFINITY},
        [RLIMIT_FSIZE] = {RLIM64_INFINITY, RLIM64_INFINITY},
        [RLIMIT_DATA] = {RLIM64_INFINITY, RLIM64_INFINITY},
        [RLIMIT_STACK] = {_STK_LIM, RLIM64_INFINITY},
        [RLIMIT_CORE] = {0, RLIM64_INFINITY},
        [RLIMIT_RSS] = {RLIM64_INFINITY, RLIM64_INFINITY},
        [RLIMIT_NPROC] = {4096, 4096},
        [RLIMIT_NOFILE] = {1024, 4096},
        [RLIMIT_MEMLOCK] = {MLOCK_LIMIT, MLOCK_LIMIT},
        [RLIMIT_AS] = {RLIM64_INFINITY, RLIM64_INFINITY},
        [RLIMIT_LOCKS] = {RLIM64_INFINITY, RLIM64_INFINITY},
        [RLIMIT_SIGPENDING] = {4096, 4096},
        [RLIMIT_MSGQUEUE] = {819200, 819200},
        [RLIMIT_NICE] = {0, 0},
        [RLIMIT_RTPRIO] = {0, 0},
        [RLIMIT_RTTIME] = {RLIM64_INFINITY, RLIM64_INFINITY},
    };
    for (unsigned int i = 0; i < RLIM_NLIMITS; i++)
        p->limits[i] = limits[i];
}

void process_init(void)
{
    process_cache = slab_cache_create("process", sizeof(struct process), 16);
    signal_init();
    for (unsigned int i = 0; i < HASH_SIZE; i++) {
        list_init(&pid_hash[i]);
        list_init(&group_hash[i]);
        list_init(&session_hash[i]);
    }
    kernel_process = process_create();
    if (kernel_process)
        kernel_process->actions = signal_actions_create();
    if (!kernel_process || !kernel_process->actions)
        panic("no memory for the first process: give the machine more");
    default_limits(kernel_process);
}

void process_get(struct process *p)
{
    refcount_get(&p->refs);
}

void process_put(struct process *p)
{
    if (!refcount_put(&p->refs))
        return;
    ASSERT(list_is_empty(&p->threads) && list_is_empty(&p->children));
    ASSERT(!p->map && !p->fds && !p->fs);
    signal_queue_flush(p, &p->signal_queue, ~0UL);
    if (p->actions)
        signal_actions_put(p->actions);
    slab_free(process_cache, p);
}

struct process *process_find_locked(pid_t pid)
{
    struct process *p;
    list_for_each_entry (p, hash_chain(pid_hash, pid), pid_node)
        if (p->pid == pid)
            return p;
    return NULL;
}

struct process *process_find(pid_t pid)
{
    spin_lock(&process_tree_lock);
    struct process *p = process_find_locked(pid);
    if (p)
        process_get(p);
    spin_unlock(&process_tree_lock);
    return p;
}

struct process *process_find_by_tid(pid_t tid)
{
    struct process *p = process_find(tid);
    struct thread *t = p ? NULL : thread_find(tid);
    if (t) {
        p = t->process;
        process_get(p);
        thread_put(t);
    }
    return p;
}

struct process *process_next(pid_t from)
{
    struct process *p, *best = NULL;
    spin_lock(&process_tree_lock);
    list_for_each_entry (p, &all_processes, all_node)
        if (p->pid >= from && (!best || p->pid < best->pid)) {
            best = p;
            if (p->pid == from)
                break;
        }
    if (best)
        process_get(best);
    spin_unlock(&process_tree_lock);
    return best;
}

// The first entry of `chain` behind `after` (NULL: from the start) for which `match` is true.
#define NEXT_IN_CHAIN(chain, after, member, match)                                                 \
    ({                                                                                             \
        struct list_node *chain_head = (chain);                                                    \
        struct list_node *chain_node = (after) ? (after)->member.next : chain_head->next;          \
        struct process *p = NULL;                                                                  \
        for (; chain_node != chain_head; chain_node = chain_node->next) {                          \
            p = list_entry(chain_node, struct process, member);                                    \
            if (match)                                                                             \
                break;                                                                             \
        }                                                                                          \
        chain_node == chain_head ? NULL : p;                                                       \
    })

struct process *process_next_in_group(pid_t group, struct process *after)
{
    return NEXT_IN_CHAIN(hash_chain(group_hash, group), after, group_node, p->group == group);
}

struct process *process_next_in_session(pid_t session, struct process *after)
{
    return NEXT_IN_CHAIN(hash_chain(session_hash, session), after, session_node,
                         p->session == session);
}

struct process *process_next_of_all(struct process *after)
{
    return NEXT_IN_CHAIN(&all_processes, after, all_node, true);
}

static void free_number_if_unused(pid_t number)
{
    if (number > 0 && !process_find_locked(number) && !process_next_in_group(number, NULL) &&
        !process_next_in_session(number, NULL))
        tid_free(number);
}

void process_link(struct process *p, struct process *parent)
{
    spin_assert_held(&process_tree_lock);
    p->parent = parent;
    list_add_tail(&parent->children, &p->sibling);
    list_add_tail(&all_processes, &p->all_node);
    list_add_head(hash_chain(pid_hash, p->pid), &p->pid_node);
    list_add_head(hash_chain(group_hash, p->group), &p->group_node);
    list_add_head(hash_chain(session_hash, p->session), &p->session_node);
}

void process_unlink(struct process *p)
{
    spin_assert_held(&process_tree_lock);
    list_remove(&p->sibling);
    list_remove(&p->all_node);
    list_remove(&p->pid_node);
    list_remove(&p->group_node);
    list_remove(&p->session_node);
    free_number_if_unused(p->pid);
    if (p->group != p->pid)
        free_number_if_unused(p->group);
    if (p->session != p->pid && p->session != p->group)
        free_number_if_unused(p->session);
}

void process_set_group(struct process *p, pid_t group, pid_t session)
{
    spin_assert_held(&process_tree_lock);
    pid_t old_group = p->group, old_session = p->session;
    list_remove(&p->group_node);
    list_remove(&p->session_node);
    p->group = group;
    p->session = session;
    list_add_head(hash_chain(group_hash, group), &p->group_node);
    list_add_head(hash_chain(session_hash, session), &p->session_node);
    free_number_if_unused(old_group);
    if (old_session != old_group)
        free_number_if_unused(old_session);
}

#define PROCESS_FIELD_GET(p, field, get)                                                           \
    ({                                                                                             \
        spin_lock(&(p)->lock);                                                                     \
        __typeof__((p)->field) field_value = (p)->field;                                           \
        if (field_value)                                                                           \
            get(field_value);                                                                      \
        spin_unlock(&(p)->lock);                                                                   \
        field_value;                                                                               \
    })

struct vm_map *process_map_get(struct process *p)
{
    return PROCESS_FIELD_GET(p, map, vm_map_get);
}

struct fd_table *process_fds_get(struct process *p)
{
    return PROCESS_FIELD_GET(p, fds, fd_table_get);
}

struct fs_context *process_fs_get(struct process *p)
{
    return PROCESS_FIELD_GET(p, fs, fs_context_get);
}

uint64_t process_limit(const struct process *p, int resource)
{
    return atomic_load(&p->limits[resource].rlim_cur);
}
