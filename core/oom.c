// SPDX-License-Identifier: BSD-2-Clause
// Out of memory. What this hart keeps at hand is given back first; when that isn't enough the
// process with the most private memory and page tables is sent SIGKILL, init excepted. One victim
// at a time: whoever runs out of memory meanwhile waits for the same one, until it has dropped its
// map or doesn't get around to it (it may sleep for a lock that the waiter holds); then the next is
// chosen. oom_lock guards the victim's name and the choice.
#include <core/oom.h>

#include <arch/clock.h>
#include <arch/log.h>
#include <core/process.h>
#include <core/signal.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <mm/page.h>
#include <mm/vm_map.h>
#include <sync/mutex.h>
#include <sync/port.h>

#define WAIT_STEP_NS (5 * NS_PER_MS)
#define WAIT_NS      (500 * NS_PER_MS)

static struct mutex oom_lock = MUTEX_INIT(oom_lock);
static pid_t victim_pid; // 0: none
static uint64_t victim_since_ns;

// About what would be free again if `p` ended, in pages: not the program's text, which others
// share.
static uint64_t process_weight(struct process *p)
{
    struct vm_map *map = process_map_get(p);
    if (!map)
        return 0;
    uint64_t pages = MIN(map->space.nr_resident, map->data_pages + map->stack_pages);
    pages += map->space.nr_tables;
    vm_map_put(map);
    return pages;
}

// The heaviest process but pid 1, with a reference; NULL: there is none.
static struct process *choose_victim(pid_t except, uint64_t *pages)
{
    struct process *best = NULL, *p;
    *pages = 0;
    for (pid_t pid = 2; (p = process_next(pid)) != NULL;) {
        pid = p->pid + 1;
        uint64_t weight = p->pid == except ? 0 : process_weight(p);
        if (weight > *pages) {
            if (best)
                process_put(best);
            best = p;
            *pages = weight;
        } else {
            process_put(p);
        }
    }
    return best;
}

// Is an earlier victim still on its way, and has it time for that?
static bool victim_is_dying(void)
{
    if (victim_pid == 0 || clock_monotonic_ns() - victim_since_ns >= WAIT_NS)
        return false;
    struct process *p = process_find(victim_pid);
    if (!p)
        return false;
    bool dying = process_weight(p) > 0;
    process_put(p);
    return dying;
}

static void end_victim(struct process *p, uint64_t pages)
{
    struct page_stats s;
    victim_pid = p->pid;
    victim_since_ns = clock_monotonic_ns();
    page_stats(&s);
    log_err("out of memory: killed process %d (%s) with %lu KiB; %lu of %lu KiB are free", p->pid,
            p->name, (unsigned long)(pages << (PAGE_SHIFT - 10)),
            (unsigned long)(s.free << (PAGE_SHIFT - 10)),
            (unsigned long)(s.total << (PAGE_SHIFT - 10)));
    signal_send_process(p, SIGKILL, NULL);
}

// oom_lock held.
static void choose_and_end(void)
{
    uint64_t pages;
    struct process *p = choose_victim(victim_pid, &pages);
    if (!p)
        p = choose_victim(0, &pages);
    if (!p) {
        log_write(LOG_EMERG, "out of memory, and only init is left: give the machine more memory");
        signal_force_self(SIGKILL, SI_KERNEL, 0);
        return;
    }
    end_victim(p, pages);
    process_put(p);
}

void oom_end_one(void)
{
    if (page_reclaim() || mutex_lock_killable(&oom_lock) != 0)
        return;
    if (!victim_is_dying())
        choose_and_end();
    mutex_unlock(&oom_lock);
    // A token or signal may end the sleep early: then the caller is back soon.
    (void)port_park(PARK_KILLABLE, clock_monotonic_ns() + WAIT_STEP_NS);
}
