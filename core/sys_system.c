// SPDX-License-Identifier: BSD-2-Clause
// The machine as a whole: names, figures, the kernel log, random bytes, power.
#include <arch/clock.h>
#include <arch/log.h>
#include <arch/sbi.h>
#include <arch/tlb.h>
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/random.h>
#include <core/reset.h>
#include <core/system.h>
#include <core/version.h>
#include <errno.h>
#include <fs/devices.h>
#include <linux/capability.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <stdio.h>
#include <string.h>
#include <sync/mutex.h>

#include "syscalls_priv.h"

#define RANDOM_CHUNK           256
#define LOG_TEXT_MAX           1024
#define LOG_LINE_MAX           (LOG_TEXT_MAX + 32)
#define SYS_RISCV_ICACHE_LOCAL 1UL // SYS_RISCV_FLUSH_ICACHE_LOCAL

static struct mutex names_lock =
    MUTEX_INIT(names_lock); // guards what may be set: nodename, domainname
static struct new_utsname names __attribute__((aligned(8))) = {
    .sysname = VERSION_SYSNAME,
    .nodename = "(none)",
    .release = VERSION_RELEASE,
    .version = VERSION_TEXT,
    .machine = VERSION_MACHINE,
    .domainname = "(none)",
};
static char *const host_name = names.nodename, *const domain_name = names.domainname;

void system_host_name(char name[SYSTEM_NAME_SIZE])
{
    mutex_lock(&names_lock);
    memcpy(name, host_name, SYSTEM_NAME_SIZE);
    mutex_unlock(&names_lock);
}

void system_domain_name(char name[SYSTEM_NAME_SIZE])
{
    mutex_lock(&names_lock);
    memcpy(name, domain_name, SYSTEM_NAME_SIZE);
    mutex_unlock(&names_lock);
}

long sys_uname(vaddr_t addr)
{
    mutex_lock(&names_lock);
    int err = user_copy_out(addr, &names, sizeof(names));
    mutex_unlock(&names_lock);
    return err;
}

static int set_name(char *name, const char *text, size_t n)
{
    if (!cred_has_cap(thread_self()->cred, CAP_SYS_ADMIN))
        return -EPERM;
    if (n >= SYSTEM_NAME_SIZE)
        return -EINVAL;
    mutex_lock(&names_lock);
    memset(name, 0, SYSTEM_NAME_SIZE);
    memcpy(name, text, n);
    mutex_unlock(&names_lock);
    return 0;
}

int system_set_host_name(const char *text, size_t n)
{
    return set_name(host_name, text, n);
}

int system_set_domain_name(const char *text, size_t n)
{
    return set_name(domain_name, text, n);
}

static long set_name_of_user(char *name, vaddr_t addr, int length)
{
    char text[SYSTEM_NAME_SIZE];
    if (!cred_has_cap(thread_self()->cred, CAP_SYS_ADMIN))
        return -EPERM;
    if (length < 0 || length >= (int)sizeof(text))
        return -EINVAL;
    int err = user_copy_in(text, addr, (size_t)length);
    return err != 0 ? err : set_name(name, text, (size_t)length);
}

long sys_sethostname(vaddr_t addr, int length)
{
    return set_name_of_user(host_name, addr, length);
}

long sys_setdomainname(vaddr_t addr, int length)
{
    return set_name_of_user(domain_name, addr, length);
}

long sys_sysinfo(vaddr_t addr)
{
    struct page_stats pages;
    struct sysinfo info;
    uint64_t load[3];
    page_stats(&pages);
    sched_loadavg(load);
    memset(&info, 0, sizeof(info));
    info.uptime = (long)(clock_monotonic_ns() / NS_PER_SEC);
    for (unsigned int i = 0; i < ARRAY_SIZE(load); i++)
        info.loads[i] = load[i]; // both 16.16: SI_LOAD_SHIFT
    info.totalram = pages.total;
    info.freeram = pages.free;
    info.bufferram = 0;
    info.procs = (uint16_t)MIN(thread_count(), 65535U);
    info.mem_unit = PAGE_SIZE;
    return user_copy_out(addr, &info, sizeof(info));
}

long sys_getrandom(vaddr_t addr, size_t size, unsigned int flags)
{
    uint8_t chunk[RANDOM_CHUNK];
    if ((flags & ~(unsigned int)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) ||
        (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    if (!(flags & GRND_INSECURE) && !random_is_ready()) {
        if (flags & GRND_NONBLOCK)
            return -EAGAIN;
        if (random_wait() != 0)
            return -ERESTARTSYS;
    }
    size = MIN(size, (size_t)INT_MAX);
    size_t done = 0;
    while (done < size) {
        size_t n = MIN(size - done, sizeof(chunk));
        random_fill(chunk, n);
        size_t left = user_copy_out_partial(addr + done, chunk, n);
        done += n - left;
        if (left != 0)
            break;
        // A long request ends early for a signal: a whole number of pages was given.
        if (done % PAGE_SIZE == 0 && done < size) {
            sched_relax();
            if (signal_is_pending(thread_self()))
                break;
        }
    }
    memset(chunk, 0, MIN(size, sizeof(chunk)));
    return done > 0 || size == 0 ? (long)done : -EFAULT;
}

long sys_reboot(int magic1, int magic2, unsigned int command, vaddr_t arg)
{
    if (!cred_has_cap(thread_self()->cred, CAP_SYS_BOOT))
        return -EPERM;
    if (magic1 != (int)LINUX_REBOOT_MAGIC1 ||
        (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
         magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
        return -EINVAL;
    switch (command) {
    case LINUX_REBOOT_CMD_CAD_ON:
    case LINUX_REBOOT_CMD_CAD_OFF:
        return 0; // there is no such key here
    case LINUX_REBOOT_CMD_RESTART:
    case LINUX_REBOOT_CMD_RESTART2:
        reset_machine(RESET_REBOOT);
    case LINUX_REBOOT_CMD_HALT: // powers off on RISC-V Linux, too
    case LINUX_REBOOT_CMD_POWER_OFF:
        reset_machine(RESET_POWEROFF);
    default:
        return -EINVAL;
    }
}

enum {
    SYSLOG_CLOSE,
    SYSLOG_OPEN,
    SYSLOG_READ,
    SYSLOG_READ_ALL,
    SYSLOG_READ_CLEAR,
    SYSLOG_CLEAR,
    SYSLOG_CONSOLE_OFF,
    SYSLOG_CONSOLE_ON,
    SYSLOG_CONSOLE_LEVEL,
    SYSLOG_SIZE_UNREAD,
    SYSLOG_SIZE_BUFFER,
};

static struct mutex syslog_lock = MUTEX_INIT(syslog_lock); // guards what follows
static uint64_t syslog_cleared;                            // READ_ALL begins here
static uint64_t syslog_read_seq;                           // READ goes on here ...
static size_t syslog_read_part;                            // ... behind so many bytes of the line
static int syslog_saved_level = -1;

// The line of the first record from *seq on, which moves past it. Its length, or -EAGAIN.
static int syslog_line(uint64_t *seq, char line[LOG_LINE_MAX])
{
    struct log_record r;
    char text[LOG_TEXT_MAX];
    int err;
    do
        err = log_read(seq, &r, text, sizeof(text));
    while (err == -EPIPE);
    if (err != 0)
        return err;
    return snprintf(line, LOG_LINE_MAX, "<%u>[%5lu.%06lu] %.*s\n", r.level,
                    (unsigned long)(r.time_ns / NS_PER_SEC),
                    (unsigned long)(r.time_ns % NS_PER_SEC / NS_PER_US), r.length, text);
}

static size_t syslog_size_from(uint64_t seq, char *line)
{
    size_t size = 0;
    int n;
    while ((n = syslog_line(&seq, line)) > 0)
        size += (size_t)n;
    return size;
}

// As many of the last lines from `seq` on as fit into size bytes.
static long syslog_copy_newest(uint64_t seq, vaddr_t addr, size_t size, char *line)
{
    size_t all = syslog_size_from(seq, line), done = 0;
    int n;
    while (done < size && (n = syslog_line(&seq, line)) > 0) {
        if (all > size) {
            all -= (size_t)n;
            continue;
        }
        if (done + (size_t)n > size)
            break;
        if (user_copy_out_partial(addr + done, line, (size_t)n) != 0)
            return -EFAULT;
        done += (size_t)n;
    }
    return (long)done;
}

// What is unread, whole lines; of the first line as much as fits if that is all.
static long syslog_copy_unread(vaddr_t addr, size_t size, char *line)
{
    uint64_t next = syslog_read_seq;
    size_t done = 0;
    int n;
    while (done < size && (n = syslog_line(&next, line)) > 0) {
        if (next != syslog_read_seq + 1)
            syslog_read_part = 0; // its rest was overwritten
        syslog_read_seq = next - 1;
        size_t rest = (size_t)n - syslog_read_part, part = MIN(rest, size - done);
        if (part < rest && done > 0)
            break;
        if (user_copy_out_partial(addr + done, line + syslog_read_part, part) != 0)
            return done > 0 ? (long)done : -EFAULT;
        done += part;
        syslog_read_part = part < rest ? syslog_read_part + part : 0;
        if (part < rest)
            break;
        syslog_read_seq = next;
    }
    return (long)done;
}

static long syslog_size_unread(char *line)
{
    size_t size = syslog_size_from(syslog_read_seq, line);
    return (long)(size - MIN(size, syslog_read_part));
}

static long syslog_read(int type, vaddr_t addr, int size, char *line)
{
    if (type == SYSLOG_READ)
        return syslog_copy_unread(addr, (size_t)size, line);
    if (type == SYSLOG_SIZE_UNREAD)
        return syslog_size_unread(line);
    long n = syslog_copy_newest(syslog_cleared, addr, (size_t)size, line);
    if (type == SYSLOG_READ_CLEAR && n >= 0)
        syslog_cleared = log_next_seq();
    return n;
}

static long syslog_console(int type, int level)
{
    if (type == SYSLOG_CONSOLE_LEVEL) {
        if (level < 1 || level > 8)
            return -EINVAL;
        log_set_console_level(level);
        syslog_saved_level = -1;
    } else if (type == SYSLOG_CONSOLE_OFF) {
        if (syslog_saved_level < 0)
            syslog_saved_level = log_console_level();
        log_set_console_level(1);
    } else if (syslog_saved_level >= 0) {
        log_set_console_level(syslog_saved_level);
        syslog_saved_level = -1;
    }
    return 0;
}

static long syslog_locked(int type, vaddr_t addr, int size)
{
    switch (type) {
    case SYSLOG_READ:
    case SYSLOG_READ_ALL:
    case SYSLOG_READ_CLEAR:
    case SYSLOG_SIZE_UNREAD: {
        char *line = kmalloc(LOG_LINE_MAX);
        long n = line ? syslog_read(type, addr, size, line) : -ENOMEM;
        kfree(line);
        return n;
    }
    case SYSLOG_CLEAR:
        syslog_cleared = log_next_seq();
        return 0;
    case SYSLOG_CONSOLE_OFF:
    case SYSLOG_CONSOLE_ON:
    case SYSLOG_CONSOLE_LEVEL:
        return syslog_console(type, size);
    default:
        return 0; // open and close
    }
}

long sys_syslog(int type, vaddr_t addr, int size)
{
    bool reads = type >= SYSLOG_READ && type <= SYSLOG_READ_CLEAR;
    if (type < SYSLOG_CLOSE || type > SYSLOG_SIZE_BUFFER)
        return -EINVAL;
    if (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER &&
        !cred_has_cap(thread_self()->cred, CAP_SYSLOG))
        return -EPERM;
    if (reads && (addr == 0 || size < 0))
        return -EINVAL;
    if (type == SYSLOG_SIZE_BUFFER)
        return (long)log_capacity();
    for (;;) {
        if (mutex_lock_killable(&syslog_lock) != 0)
            return -ERESTARTSYS;
        long result = syslog_locked(type, addr, size);
        uint64_t next = syslog_read_seq;
        mutex_unlock(&syslog_lock);
        if (type != SYSLOG_READ || size == 0 || result != 0)
            return result;
        if (kmsg_wait(next) != 0) // all was read: READ waits for more
            return -ERESTARTSYS;
    }
}

long sys_riscv_flush_icache(vaddr_t start, vaddr_t end, unsigned long flags)
{
    if (flags & ~SYS_RISCV_ICACHE_LOCAL)
        return -EINVAL;
    mmu_context_flush_icache(&process_self()->map->space.context);
    return 0;
}
