// SPDX-License-Identifier: BSD-2-Clause
// What processes used: getrusage(2), times(2), wait4(2), /proc/PID/stat.
#include <core/process.h>
#include <linux/resource.h>
#include <string.h>

#include "process_priv.h"

void process_usage_add(struct process_usage *to, const struct process_usage *from)
{
    to->user_ns += from->user_ns;
    to->system_ns += from->system_ns;
    to->nr_voluntary += from->nr_voluntary;
    to->nr_involuntary += from->nr_involuntary;
    to->minor_faults += from->minor_faults;
    to->max_resident_pages = MAX(to->max_resident_pages, from->max_resident_pages);
}

void process_usage_of_thread(struct thread *t, struct process_usage *usage)
{
    memset(usage, 0, sizeof(*usage));
    sched_thread_times(t, &usage->user_ns, &usage->system_ns);
    usage->nr_voluntary = t->nr_voluntary;
    usage->nr_involuntary = t->nr_involuntary;
    usage->minor_faults = t->minor_faults;
}

void process_usage_sum(struct process *p, struct process_usage *usage)
{
    struct thread *t;
    spin_lock(&p->lock);
    *usage = p->exited_usage;
    list_for_each_entry (t, &p->threads, process_node) {
        struct process_usage one;
        process_usage_of_thread(t, &one);
        process_usage_add(usage, &one);
    }
    if (p->map)
        usage->max_resident_pages = MAX(usage->max_resident_pages, p->map->space.nr_resident);
    spin_unlock(&p->lock);
}

uint64_t process_cpu_ns_locked(struct process *p)
{
    struct thread *t;
    uint64_t user_ns, system_ns, sum = p->exited_usage.user_ns + p->exited_usage.system_ns;
    spin_assert_held(&p->signal_lock);
    list_for_each_entry (t, &p->threads, process_node) {
        sched_thread_times(t, &user_ns, &system_ns);
        sum += user_ns + system_ns;
    }
    return sum;
}

static struct __kernel_old_timeval to_timeval(uint64_t ns)
{
    return (struct __kernel_old_timeval){(long)(ns / NS_PER_SEC),
                                         (long)(ns % NS_PER_SEC / NS_PER_US)};
}

void process_usage_to_rusage(const struct process_usage *usage, struct rusage *r)
{
    memset(r, 0, sizeof(*r));
    r->ru_utime = to_timeval(usage->user_ns);
    r->ru_stime = to_timeval(usage->system_ns);
    r->ru_maxrss = (long)(usage->max_resident_pages * (PAGE_SIZE / 1024));
    r->ru_minflt = (long)usage->minor_faults;
    r->ru_nvcsw = (long)usage->nr_voluntary;
    r->ru_nivcsw = (long)usage->nr_involuntary;
}
