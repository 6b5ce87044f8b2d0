// SPDX-License-Identifier: BSD-2-Clause
// sysfs as far as programs look that don't manage devices: processors, device numbers by class,
// sizes of disks. Everything is computed from the tables of devices and harts when it is read.
// The mechanism and its locking are in procfs.c.
#include <arch/thread.h>
#include <errno.h>
#include <fs/block.h>
#include <fs/chrdev.h>
#include <fs/tty.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>

#include "procfs_priv.h"

#define DIRECTORY (S_IFDIR | 0755)
#define READABLE  (S_IFREG | 0444)

static struct proc_tree sysfs_tree = {.file_size = PAGE_SIZE};

// "0-3", "0,2-3": the cpus for which `want` holds.
static void sysfs_cpu_list(struct text *t, bool online_only)
{
    cpu_t n = cpu_count();
    const char *comma = "";
    for (cpu_t first = 0; first < n; first++) {
        cpu_t end = first;
        while (end < n && (!online_only || hart_of_cpu(end)->online))
            end++;
        if (end == first)
            continue;
        text_printf(t, end - first > 1 ? "%s%u-%u" : "%s%u", comma, first, end - 1);
        comma = ",";
        first = end;
    }
    text_append(t, "\n", 1);
}

static int sysfs_show_cpu_online(struct text *t, uint64_t key)
{
    sysfs_cpu_list(t, true);
    return 0;
}

static int sysfs_show_cpu_present(struct text *t, uint64_t key)
{
    sysfs_cpu_list(t, false);
    return 0;
}

static int sysfs_show_cpu_kernel_max(struct text *t, uint64_t key)
{
    text_printf(t, "%d\n", NR_CPUS_MAX - 1);
    return 0;
}

static int64_t sysfs_next_cpu(uint64_t key, int64_t from)
{
    return from < (int64_t)cpu_count() ? from : -1;
}

static void sysfs_name_cpu(uint64_t key, int64_t number, char *buf, size_t size)
{
    snprintf(buf, size, "cpu%d", (int)number);
}

static int sysfs_show_one_cpu_online(struct text *t, uint64_t key)
{
    text_printf(t, "%d\n", hart_of_cpu((cpu_t)key)->online);
    return 0;
}

static const struct proc_file sysfs_one_cpu[] = {
    {.name = "online", .mode = READABLE, .show = sysfs_show_one_cpu_online},
    {0},
};
static const struct proc_file sysfs_cpu_entry = {.mode = DIRECTORY, .children = sysfs_one_cpu};
static const struct proc_file sysfs_cpu[] = {
    {.name = "kernel_max", .mode = READABLE, .show = sysfs_show_cpu_kernel_max},
    {.name = "online", .mode = READABLE, .show = sysfs_show_cpu_online},
    {.name = "possible", .mode = READABLE, .show = sysfs_show_cpu_present},
    {.name = "present", .mode = READABLE, .show = sysfs_show_cpu_present},
    {0},
};
static const struct proc_file sysfs_system[] = {
    {.name = "cpu",
     .mode = DIRECTORY,
     .children = sysfs_cpu,
     .next = sysfs_next_cpu,
     .name_entry = sysfs_name_cpu,
     .entry = &sysfs_cpu_entry},
    {0},
};
static const struct proc_file sysfs_devices[] = {
    {.name = "system", .mode = DIRECTORY, .children = sysfs_system},
    {0},
};

// Keys of device directories: index in the table of device_at(), and which table.
#define KEY_BLOCK (1ULL << 32)

static bool sysfs_device(uint64_t key, const char **name, dev_t *dev)
{
    return device_at((key & KEY_BLOCK) != 0, (unsigned int)key, name, dev);
}

static int sysfs_show_dev(struct text *t, uint64_t key)
{
    const char *name;
    dev_t dev;
    if (!sysfs_device(key, &name, &dev))
        return -ENODEV;
    text_printf(t, "%u:%u\n", DEV_MAJOR(dev), DEV_MINOR(dev));
    return 0;
}

static int sysfs_show_uevent(struct text *t, uint64_t key)
{
    const char *name;
    dev_t dev;
    if (!sysfs_device(key, &name, &dev))
        return -ENODEV;
    text_printf(t, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", DEV_MAJOR(dev), DEV_MINOR(dev), name);
    if (key & KEY_BLOCK)
        text_printf(t, "DEVTYPE=disk\n");
    return 0;
}

static struct block_device *sysfs_block(uint64_t key)
{
    const struct file_ops *ops;
    const char *name;
    void *private;
    dev_t dev;
    if (!sysfs_device(key, &name, &dev) || blkdev_find(dev, &ops, &private) != 0)
        return NULL;
    return private;
}

static int sysfs_show_size(struct text *t, uint64_t key)
{
    const struct block_device *b = sysfs_block(key);
    if (b == NULL)
        return -ENODEV;
    text_printf(t, "%llu\n", (unsigned long long)b->nr_sectors);
    return 0;
}

static int sysfs_show_ro(struct text *t, uint64_t key)
{
    const struct block_device *b = sysfs_block(key);
    if (b == NULL)
        return -ENODEV;
    text_printf(t, "%d\n", b->read_only);
    return 0;
}

#define CONSOLE_DEV DEV_MAKE(TTYAUX_MAJOR, 1)

// /sys/class/tty/console differs from the others: it names the terminal behind it.
static int sysfs_show_console_active(struct text *t, uint64_t key)
{
    const struct tty *tty = tty_console();
    text_printf(t, "%s\n", tty != NULL ? tty->name : "");
    return 0;
}

static int sysfs_show_console_dev(struct text *t, uint64_t key)
{
    text_printf(t, "%u:%u\n", DEV_MAJOR(CONSOLE_DEV), DEV_MINOR(CONSOLE_DEV));
    return 0;
}

static int sysfs_show_console_uevent(struct text *t, uint64_t key)
{
    text_printf(t, "MAJOR=%u\nMINOR=%u\nDEVNAME=console\n", DEV_MAJOR(CONSOLE_DEV),
                DEV_MINOR(CONSOLE_DEV));
    return 0;
}

static const struct proc_file sysfs_console_files[] = {
    {.name = "active", .mode = READABLE, .show = sysfs_show_console_active},
    {.name = "dev", .mode = READABLE, .show = sysfs_show_console_dev},
    {.name = "uevent", .mode = READABLE, .show = sysfs_show_console_uevent},
    {0},
};
static const struct proc_file sysfs_console[] = {
    {.name = "console", .mode = DIRECTORY, .children = sysfs_console_files},
    {0},
};

// What the three classes of character devices are, by major number, and GPIO chips, which Linux has
// on a bus. A pseudo-terminal's nodes live in devpts and aren't listed.
enum sysfs_class { CLASS_MEM, CLASS_TTY, CLASS_MISC, BUS_GPIO };

static enum sysfs_class sysfs_class_of(dev_t dev)
{
    switch (DEV_MAJOR(dev)) {
    case MEM_MAJOR:
        return CLASS_MEM;
    case TTY_MAJOR:
    case TTYAUX_MAJOR:
        return CLASS_TTY;
    case GPIO_MAJOR:
        return BUS_GPIO;
    default:
        return CLASS_MISC;
    }
}

static int64_t sysfs_next_in_class(enum sysfs_class class, int64_t from)
{
    const char *name;
    dev_t dev;
    for (; from <= INT32_MAX && device_at(false, (unsigned int)from, &name, &dev); from++)
        if (sysfs_class_of(dev) == class && dev != CONSOLE_DEV)
            return from;
    return -1;
}

static int64_t sysfs_next_mem(uint64_t key, int64_t from)
{
    return sysfs_next_in_class(CLASS_MEM, from);
}

static int64_t sysfs_next_tty(uint64_t key, int64_t from)
{
    return sysfs_next_in_class(CLASS_TTY, from);
}

static int64_t sysfs_next_misc(uint64_t key, int64_t from)
{
    return sysfs_next_in_class(CLASS_MISC, from);
}

static int64_t sysfs_next_gpio(uint64_t key, int64_t from)
{
    return sysfs_next_in_class(BUS_GPIO, from);
}

static int64_t sysfs_next_block(uint64_t key, int64_t from)
{
    const char *name;
    dev_t dev;
    return from <= INT32_MAX && device_at(true, (unsigned int)from, &name, &dev) ? from : -1;
}

static uint64_t sysfs_block_key(uint64_t key, int64_t number)
{
    return KEY_BLOCK | (uint64_t)number;
}

static void sysfs_copy_name(uint64_t key, char *buf, size_t size)
{
    const char *name = "";
    dev_t dev;
    sysfs_device(key, &name, &dev);
    strlcpy(buf, name, size);
    for (char *slash = buf; (slash = strchr(slash, '/')) != NULL;)
        *slash = '!';
}

static void sysfs_name_chr(uint64_t key, int64_t number, char *buf, size_t size)
{
    sysfs_copy_name((uint64_t)number, buf, size);
}

static void sysfs_name_block(uint64_t key, int64_t number, char *buf, size_t size)
{
    sysfs_copy_name(sysfs_block_key(key, number), buf, size);
}

// /sys/dev/char/5:1, /sys/dev/block/179:3: devices by number, and of which class they are.

static int64_t sysfs_next_chr(uint64_t key, int64_t from)
{
    const char *name;
    dev_t dev;
    return from <= INT32_MAX && device_at(false, (unsigned int)from, &name, &dev) ? from : -1;
}

static void sysfs_name_number(uint64_t key, char *buf, size_t size)
{
    const char *name;
    dev_t dev = 0;
    sysfs_device(key, &name, &dev);
    snprintf(buf, size, "%u:%u", DEV_MAJOR(dev), DEV_MINOR(dev));
}

static void sysfs_name_chr_number(uint64_t key, int64_t number, char *buf, size_t size)
{
    sysfs_name_number((uint64_t)number, buf, size);
}

static void sysfs_name_block_number(uint64_t key, int64_t number, char *buf, size_t size)
{
    sysfs_name_number(sysfs_block_key(key, number), buf, size);
}

static ssize_t sysfs_subsystem(uint64_t key, char *buf, size_t size)
{
    static const char *const places[] = {
        [CLASS_MEM] = "class/mem",
        [CLASS_TTY] = "class/tty",
        [CLASS_MISC] = "class/misc",
        [BUS_GPIO] = "bus/gpio",
    };
    const char *name, *place = "class/block";
    dev_t dev;
    if (!sysfs_device(key, &name, &dev))
        return -ENODEV;
    if (!(key & KEY_BLOCK))
        place = places[sysfs_class_of(dev)];
    int n = snprintf(buf, size, "../../../%s", place);
    return MIN(n, (int)size - 1);
}

static ssize_t sysfs_device_by_number(uint64_t key, char *buf, size_t size)
{
    char number[24];
    sysfs_name_number(key, number, sizeof(number));
    int n = snprintf(buf, size, "../../../dev/char/%s", number);
    return MIN(n, (int)size - 1);
}

static const struct proc_file sysfs_number_files[] = {
    {.name = "dev", .mode = READABLE, .show = sysfs_show_dev},
    {.name = "subsystem", .mode = S_IFLNK | 0777, .readlink = sysfs_subsystem},
    {.name = "uevent", .mode = READABLE, .show = sysfs_show_uevent},
    {0},
};
static const struct proc_file sysfs_number_entry = {.mode = DIRECTORY,
                                                    .children = sysfs_number_files};
static const struct proc_file sysfs_gpio_entry = {.mode = S_IFLNK | 0777,
                                                  .readlink = sysfs_device_by_number};
static const struct proc_file sysfs_numbers[] = {
    {.name = "block",
     .mode = DIRECTORY,
     .next = sysfs_next_block,
     .name_entry = sysfs_name_block_number,
     .make_key = sysfs_block_key,
     .entry = &sysfs_number_entry},
    {.name = "char",
     .mode = DIRECTORY,
     .next = sysfs_next_chr,
     .name_entry = sysfs_name_chr_number,
     .entry = &sysfs_number_entry},
    {0},
};
static const struct proc_file sysfs_bus_gpio[] = {
    {.name = "devices",
     .mode = DIRECTORY,
     .next = sysfs_next_gpio,
     .name_entry = sysfs_name_chr,
     .entry = &sysfs_gpio_entry},
    {0},
};
static const struct proc_file sysfs_bus[] = {
    {.name = "gpio", .mode = DIRECTORY, .children = sysfs_bus_gpio},
    {0},
};

static const struct proc_file sysfs_chr_files[] = {
    {.name = "dev", .mode = READABLE, .show = sysfs_show_dev},
    {.name = "uevent", .mode = READABLE, .show = sysfs_show_uevent},
    {0},
};
static const struct proc_file sysfs_block_files[] = {
    {.name = "dev", .mode = READABLE, .show = sysfs_show_dev},
    {.name = "ro", .mode = READABLE, .show = sysfs_show_ro},
    {.name = "size", .mode = READABLE, .show = sysfs_show_size},
    {.name = "uevent", .mode = READABLE, .show = sysfs_show_uevent},
    {0},
};
static const struct proc_file sysfs_chr_entry = {.mode = DIRECTORY, .children = sysfs_chr_files};
static const struct proc_file sysfs_block_entry = {.mode = DIRECTORY,
                                                   .children = sysfs_block_files};

#define CHR_CLASS(class_name, next_fn, others)                                                     \
    {                                                                                              \
        .name = class_name, .mode = DIRECTORY, .next = next_fn, .name_entry = sysfs_name_chr,      \
        .entry = &sysfs_chr_entry, .children = others                                              \
    }
#define BLOCK_CLASS                                                                                \
    {                                                                                              \
        .name = "block", .mode = DIRECTORY, .next = sysfs_next_block,                              \
        .name_entry = sysfs_name_block, .make_key = sysfs_block_key, .entry = &sysfs_block_entry   \
    }

static const struct proc_file sysfs_class[] = {
    BLOCK_CLASS,
    CHR_CLASS("mem", sysfs_next_mem, NULL),
    CHR_CLASS("misc", sysfs_next_misc, NULL),
    CHR_CLASS("tty", sysfs_next_tty, sysfs_console),
    {0},
};

static int sysfs_show_address_bits(struct text *t, uint64_t key)
{
    text_printf(t, "64\n");
    return 0;
}

static int sysfs_show_byteorder(struct text *t, uint64_t key)
{
    text_printf(t, "little\n");
    return 0;
}

static const struct proc_file sysfs_kernel[] = {
    {.name = "address_bits", .mode = READABLE, .show = sysfs_show_address_bits},
    {.name = "cpu_byteorder", .mode = READABLE, .show = sysfs_show_byteorder},
    {.name = "mm", .mode = DIRECTORY, .children = sysfs_mm_files},
    {0},
};

static const struct proc_file sysfs_tops[] = {
    BLOCK_CLASS,
    {.name = "bus", .mode = DIRECTORY, .children = sysfs_bus},
    {.name = "class", .mode = DIRECTORY, .children = sysfs_class},
    {.name = "dev", .mode = DIRECTORY, .children = sysfs_numbers},
    {.name = "devices", .mode = DIRECTORY, .children = sysfs_devices},
    {.name = "kernel", .mode = DIRECTORY, .children = sysfs_kernel},
    {0},
};

static int sysfs_mount(struct super_block *sb, const char *source, const char *options)
{
    return proc_tree_mount(&sysfs_tree, sb);
}

static const struct file_system sysfs_type = {
    .name = "sysfs",
    .nodev = true,
    .mount = sysfs_mount,
    .magic = SYSFS_MAGIC,
};

void sysfs_register(const struct proc_file *files)
{
    proc_tree_register(&sysfs_tree, files);
}

void sysfs_init(void)
{
    sysfs_register(sysfs_tops);
    file_system_register(&sysfs_type);
}
