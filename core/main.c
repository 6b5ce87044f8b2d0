// SPDX-License-Identifier: BSD-2-Clause
// The boot: from arch's first C code on the boot hart to /init. port_main() brings up what threads
// need and becomes the boot hart's idle thread; the rest happens in a kernel thread, which may
// sleep.
#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/log.h>
#include <arch/mmu.h>
#include <arch/panic.h>
#include <arch/port.h>
#include <arch/sbi.h>
#include <arch/tlb.h>
#include <core/board.h>
#include <core/cmdline.h>
#include <core/driver.h>
#include <core/process.h>
#include <core/random.h>
#include <core/version.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/devices.h>
#include <fs/initramfs.h>
#include <fs/mqueue.h>
#include <fs/path.h>
#include <fs/procfs.h>
#include <fs/tty.h>
#include <ipc/ipc.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vmap.h>
#include <stdio.h>
#include <string.h>
#include <sync/futex.h>

#include "sched_priv.h"
#include "thread_priv.h"

#define FDT_SIZE_MAX (4UL << 20)

static const void *boot_fdt;

static const void *boot_check_tree(paddr_t pa)
{
    const void *fdt = phys_to_virt(pa);
    if (pa == 0 || pa >= LINEAR_SIZE - FDT_SIZE_MAX || dt_check(fdt, FDT_SIZE_MAX) != 0)
        panic(
            "no device tree at %#lx (register a1 at entry): the firmware or boot loader must pass "
            "one",
            (unsigned long)pa);
    return fdt;
}

static void boot_command_line(const void *fdt)
{
    struct dt_chosen chosen;
    dt_chosen_read(fdt, &chosen);
    log_info("Vireo %s on %s", VERSION_RELEASE, board->name);
    cmdline_parse(chosen.bootargs);
    panic_set_timeout(cmdline.panic_seconds);
    if (cmdline.loglevel >= 0)
        log_set_console_level(cmdline.loglevel);
    log_info("command line: %s", cmdline.text);
    if (fdt_node_check_compatible(fdt, 0, board->compatible) != 0)
        log_warn("the device tree isn't %s's (%s): going on", board->name, board->compatible);
}

static void boot_clock_and_harts(const void *fdt)
{
    uint32_t hz = dt_timebase(fdt);
    if (hz == 0)
        panic("the device tree has no timebase-frequency in /cpus: the kernel can't tell time");
    clock_init(hz);
    if (cpu_init(fdt, cpu_boot_hart(), cmdline.maxcpus) != 0)
        panic("the device tree describes no hart with an mmu-type that could be used");
    const struct sbi_info *sbi = sbi_info();
    log_info("harts: %u usable, booted on %lu, timebase %u Hz, SBI %u.%u", cpu_count(),
             cpu_boot_hart(), hz, sbi->spec_major, sbi->spec_minor);
}

struct boot_place {
    paddr_t start, end;
    bool found;
};

static int boot_find_place(void *arg, paddr_t base, uint64_t size, const char *name)
{
    struct boot_place *place = arg;

    if (place->start >= base && place->end <= base + size)
        place->found = true;
    return 0;
}

// A tree that isn't this machine's: what we run from must lie in the memory that it tells of.
static void boot_check_memory(const void *fdt, paddr_t fdt_base)
{
    struct boot_place kernel = {.found = false},
                      tree = {fdt_base, fdt_base + fdt_totalsize(fdt), false};

    kernel_image_range(&kernel.start, &kernel.end);
    dt_for_each_memory(fdt, boot_find_place, &kernel);
    if (!kernel.found)
        panic("the device tree has no memory where the kernel lies: is it this machine's?");
    dt_for_each_memory(fdt, boot_find_place, &tree);
    if (!tree.found)
        panic("the device tree has no memory where it lies itself: is it this machine's?");
}

static int boot_map_range(void *unused, paddr_t base, uint64_t size, const char *name)
{
    mmu_map_ram(ALIGN_UP(base, PAGE_SIZE), ALIGN_DOWN(base + size, PAGE_SIZE));
    return 0;
}

static void boot_memory(const void *fdt, paddr_t fdt_base)
{
    boot_check_memory(fdt, fdt_base);
    page_early_init(fdt, fdt_base);
    mmu_init(page_early_alloc);
    dt_for_each_memory(fdt, boot_map_range, NULL);
    mmu_enable();
    page_init();
    slab_init();
    vmap_init();
    asid_init();
    tlb_set_flush_pages(board->tlb_flush_pages);
    struct page_stats stats;
    page_stats(&stats);
    log_info("memory: %lu MiB, %lu KiB free, %u ASID bits", stats.total >> (20 - PAGE_SHIFT),
             stats.free << (PAGE_SHIFT - 10), asid_bits());
}

static void boot_random(const void *fdt)
{
    struct dt_chosen chosen;
    dt_chosen_read(fdt, &chosen);
    random_init(chosen.rng_seed, chosen.rng_seed_size);
}

static ssize_t random_device_read(void *buf, size_t n)
{
    random_fill(buf, n);
    return (ssize_t)n;
}

static void random_device_add(const void *buf, size_t n)
{
    random_add(buf, n, 0); // anybody may write: it stirs, but counts for nothing
}

static const struct device_random random_device = {random_device_read, random_device_add};

// What stands in the root before any initramfs: as Linux's own built-in one has it.
static void boot_make_root(struct fs_context *context)
{
    struct path_walk w = {.context = context, .cred = &kernel_cred};
    path_mkdir(&w, "/dev", 0755);
    path_mknod(&w, "/dev/console", S_IFCHR | 0600, DEV_MAKE(5, 1));
    path_mkdir(&w, "/root", 0700);
}

static void boot_file_systems(void)
{
    vfs_init();
    procfs_init();
    devtmpfs_init();
    mqueue_init();
    fat_init();
    devices_init(&random_device);
    tty_set_jobs(&process_tty_jobs);
    proc_files_init();
    struct path root = vfs_root();
    struct fs_context *context = fs_context_create(root);
    if (!context)
        panic("no memory for the root directory: give the machine more memory");
    boot_make_root(context);
    fs_context_put(context);
}

static void boot_initramfs(const void *fdt)
{
    struct dt_chosen chosen;
    dt_chosen_read(fdt, &chosen);
    paddr_t start = chosen.initrd_start, end = chosen.initrd_end;
    if (end <= start) {
        log_info("initramfs: none was given");
        return;
    }
    if (!phys_to_page(start) || !phys_to_page(end - 1)) {
        log_err("initramfs: %#lx to %#lx isn't memory: ignored", (unsigned long)start,
                (unsigned long)end);
        return;
    }
    uint64_t begin = clock_monotonic_ns();
    if (initramfs_unpack(phys_to_virt(start), end - start) == 0)
        log_info("initramfs: %lu KiB unpacked in %lu us", (end - start) >> 10,
                 (unsigned long)((clock_monotonic_ns() - begin) / NS_PER_US));
    page_release_range(start, end);
}

static void boot_say_time(void)
{
    uint64_t ns = clock_ticks_to_ns(clock_ticks() - clock_entry_ticks());
    log_info("boot: entry to init %lu.%03u us", (unsigned long)(ns / NS_PER_US),
             (unsigned int)(ns % NS_PER_US));
}

static int boot_try_init(const char *path)
{
    cmdline.init_argv[0] = path;
    return process_start_init(path, cmdline.init_argv, cmdline.init_envp);
}

static struct fs_context *boot_fs_context(void)
{
    struct path root = vfs_root();
    struct fs_context *context = fs_context_create(root);
    path_put(&root);
    return context;
}

// Tells a program that isn't there from one whose interpreter isn't: exec says ENOENT for both.
static bool boot_file_exists(const char *name)
{
    struct fs_context *context = boot_fs_context();
    struct path_walk w = {.context = context, .cred = &kernel_cred};
    struct path path;
    bool exists = context && path_lookup(&w, name, PATH_FOLLOW, &path) == 0;
    if (exists)
        path_put(&path);
    fs_context_put(context);
    return exists;
}

// An ELF that the build may have put into the image: for when there is nothing else to run.
extern const char rescue_init_start[], rescue_init_end[];
#pragma weak rescue_init_start
#pragma weak rescue_init_end

static int boot_try_rescue(void)
{
    static const char name[] = "/rescue-init";
    size_t size = (size_t)(rescue_init_end - rescue_init_start), done = 0;
    if (!rescue_init_start || size == 0)
        return -ENOENT;
    struct fs_context *context = boot_fs_context();
    if (!context)
        return -ENOMEM;
    struct path_walk w = {.context = context, .cred = &kernel_cred};
    struct file *file;
    int err = file_open(&w, name, O_CREAT | O_WRONLY, 0755, &file);
    if (err == 0) {
        uint64_t offset = 0;
        ssize_t n = file_write_kernel(file, rescue_init_start, size, &offset);
        done = n > 0 ? (size_t)n : 0;
        file_put(file);
    }
    fs_context_put(context);
    if (done != size)
        return err != 0 ? err : -ENOMEM;
    return boot_try_init(name);
}

static void boot_start_init(void)
{
    static const char *const paths[] = {"/init", "/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
    boot_say_time();
    int err;
    if (cmdline.init) {
        err = boot_try_init(cmdline.init);
        if (err == 0)
            return;
        log_err("init: %s can't be executed (%d), trying others", cmdline.init, err);
    }
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        err = boot_try_init(paths[i]);
        if (err == 0)
            return;
        if (err != -ENOENT || boot_file_exists(paths[i]))
            log_err("init: %s can't be executed (%d)", paths[i], err);
    }
    log_warn("init: nothing to run was found, starting the rescue program");
    err = boot_try_rescue();
    if (err != 0)
        panic("no init found (rescue program: %d): give an initramfs (QEMU -initrd, U-Boot booti) "
              "that holds /init, or name one by rdinit=",
              err);
}

static void boot_threads(void)
{
    if (!thread_create_kernel("reaper", thread_reaper, NULL) ||
        !thread_create_kernel("tty", tty_thread, NULL))
        panic("no memory for the first threads: give the machine more memory");
}

static void boot_thread(void *unused)
{
    boot_file_systems();
    driver_probe_all(boot_fdt);
    boot_threads();
    sched_start_harts();
    sched_start_load();
    boot_initramfs(boot_fdt);
    log_info("harts: %u online", sched_wait_for_harts());
    boot_start_init();
}

__noreturn void port_main(paddr_t fdt)
{
    boot_fdt = boot_check_tree(fdt);
    boot_command_line(boot_fdt);
    boot_clock_and_harts(boot_fdt);
    boot_memory(boot_fdt, fdt);
    boot_random(boot_fdt);
    futex_init();
    ipc_init(board->nr_ipc_ids_max, board->msg_bytes_max);
    thread_init();
    process_init();
    sched_init();
    irq_enable();
    if (!thread_create_kernel("boot", boot_thread, NULL))
        panic("no memory for the first thread: give the machine more memory");
    sched_idle_loop();
}
