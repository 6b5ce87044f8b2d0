// SPDX-License-Identifier: BSD-2-Clause
// SIGCHLD: what the parent hears of its children. process_tree_lock held.
#include <core/process.h>
#include <string.h>

#include "process_priv.h"
#include "signal_priv.h"

#define CLOCK_TICK_NS (NS_PER_SEC / 100) // USER_HZ

static bool is_wanted(struct process *parent, int code)
{
    const struct signal_action *action = &parent->actions->action[SIGCHLD - 1];
    if (atomic_load(&action->handler) == HANDLER_IGNORE)
        return false;
    return (code != CLD_STOPPED && code != CLD_CONTINUED) || !(action->flags & SA_NOCLDSTOP);
}

void process_notify_parent(struct process *p, int code, int status)
{
    struct process *parent = p->parent;
    struct process_usage usage;
    siginfo_t info;
    spin_assert_held(&process_tree_lock);
    bool ended = code == CLD_EXITED || code == CLD_KILLED;
    int signal = ended ? p->exit_signal : SIGCHLD;
    if (signal != 0 && (signal != SIGCHLD || is_wanted(parent, code))) {
        memset(&info, 0, SIGNAL_INFO_SIZE);
        info.si_signo = signal;
        info.si_code = code;
        info.si_pid = p->pid;
        info.si_uid = p->uid;
        info.si_status = code == CLD_EXITED ? status >> 8 : status & 0x7f;
        process_usage_sum(p, &usage);
        info.si_utime = (long)(usage.user_ns / CLOCK_TICK_NS);
        info.si_stime = (long)(usage.system_ns / CLOCK_TICK_NS);
        signal_send_process(parent, signal, &info);
    }
    wait_queue_wake_all(&parent->child_wait);
}
