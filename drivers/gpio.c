// SPDX-License-Identifier: BSD-2-Clause
// GPIO chips as programs see them: /dev/gpiochipN by version 2 of Linux's interface (linux/gpio.h;
// Linux Documentation/userspace-api/gpio/chardev.rst): what lines there are, who uses them, and
// news of that for whoever watches lines. Lines are asked for in gpio_request.c.
//
// Chips live for ever. A watcher lives as long as its open file; its news are guarded by the lock
// of its chip.

#include "gpio_priv.h"

#include <arch/clock.h>
#include <arch/log.h>
#include <arch/uaccess.h>
#include <asm/poll.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/poll.h>
#include <libfdt.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <stdio.h>
#include <string.h>

#define NEWS_MAX 32U

struct gpio_watch { // file->private
    struct gpio_chip *chip;
    struct list_node node; // in chip->watchers
    uint64_t lines;
    unsigned int first, nr; // of news
    struct wait_queue readers;
    struct gpio_v2_line_info_changed news[NEWS_MAX];
};

static unsigned int nr_chips;

void gpio_line_info(struct gpio_chip *c, unsigned int line, struct gpio_v2_line_info *info)
{
    const struct gpio_line *l = &c->lines[line];

    spin_assert_held(&c->lock);
    *info = (struct gpio_v2_line_info){.offset = line, .flags = l->flags};
    info->flags |= l->is_output ? GPIO_V2_LINE_FLAG_OUTPUT : GPIO_V2_LINE_FLAG_INPUT;
    strlcpy(info->name, l->name, sizeof(info->name));
    if (l->request) {
        info->flags |= GPIO_V2_LINE_FLAG_USED;
        strlcpy(info->consumer, gpio_request_consumer(l->request), sizeof(info->consumer));
    }
}

void gpio_watchers_tell(struct gpio_chip *c, unsigned int line, uint32_t what)
{
    struct list_node *n;

    spin_assert_held(&c->lock);
    for (n = c->watchers.next; n != &c->watchers; n = n->next) {
        struct gpio_watch *w = container_of(n, struct gpio_watch, node);
        if (!(w->lines & BIT(line)) || w->nr == NEWS_MAX)
            continue; // as Linux: what nobody reads in time is lost
        struct gpio_v2_line_info_changed *news = &w->news[(w->first + w->nr++) % NEWS_MAX];
        *news = (struct gpio_v2_line_info_changed){.timestamp_ns = clock_monotonic_ns(),
                                                   .event_type = what};
        gpio_line_info(c, line, &news->info);
        wait_queue_wake_all(&w->readers);
    }
}

static bool watch_take(struct gpio_watch *w, struct gpio_v2_line_info_changed *news)
{
    irq_flags_t flags = spin_lock_irqsave(&w->chip->lock);
    bool any = w->nr > 0;

    if (any) {
        *news = w->news[w->first];
        w->first = (w->first + 1) % NEWS_MAX;
        w->nr--;
    }
    spin_unlock_irqrestore(&w->chip->lock, flags);
    return any;
}

static int chip_open(struct file *file)
{
    struct gpio_chip *c = file->private;
    struct gpio_watch *w = kzalloc(sizeof(*w));

    if (!w)
        return -ENOMEM;
    w->chip = c;
    wait_queue_init(&w->readers);
    irq_flags_t flags = spin_lock_irqsave(&c->lock);
    list_add_tail(&c->watchers, &w->node);
    spin_unlock_irqrestore(&c->lock, flags);
    file->private = w;
    return 0;
}

static void chip_release(struct file *file)
{
    struct gpio_watch *w = file->private;
    irq_flags_t flags = spin_lock_irqsave(&w->chip->lock);

    list_remove(&w->node);
    spin_unlock_irqrestore(&w->chip->lock, flags);
    kfree(w);
}

static ssize_t chip_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct gpio_watch *w = file->private;
    struct gpio_v2_line_info_changed news;
    size_t done = 0;

    if (uio->left < sizeof(news))
        return -EINVAL;
    while (uio->left >= sizeof(news)) {
        if (!watch_take(w, &news)) {
            if (done > 0)
                break;
            if (file->flags & O_NONBLOCK)
                return -EAGAIN;
            if (wait_event(&w->readers, watch_take(w, &news), PARK_INTERRUPTIBLE, TIME_NEVER) != 0)
                return -ERESTARTSYS;
        }
        if (uio_copy_out(uio, &news, sizeof(news)) != sizeof(news))
            return -EFAULT;
        done += sizeof(news);
    }
    return (ssize_t)done;
}

static unsigned int chip_poll(struct file *file, struct poll_table *table)
{
    struct gpio_watch *w = file->private;

    poll_add(table, &w->readers);
    irq_flags_t flags = spin_lock_irqsave(&w->chip->lock);
    unsigned int events = w->nr > 0 ? POLLIN | POLLRDNORM : 0;
    spin_unlock_irqrestore(&w->chip->lock, flags);
    return events;
}

static long chip_info(struct gpio_chip *c, unsigned long arg)
{
    struct gpiochip_info info = {.lines = c->nr_lines};

    strlcpy(info.name, c->name, sizeof(info.name));
    strlcpy(info.label, c->label, sizeof(info.label));
    return user_copy_out(arg, &info, sizeof(info));
}

// With `watch` it is also watched from now on.
static long line_info(struct gpio_watch *w, unsigned long arg, bool watch)
{
    struct gpio_chip *c = w->chip;
    struct gpio_v2_line_info info;
    uint32_t zeroes[ARRAY_SIZE(info.padding)] = {0};

    if (user_copy_in(&info, arg, sizeof(info)) != 0)
        return -EFAULT;
    if (memcmp(info.padding, zeroes, sizeof(zeroes)) != 0 || info.offset >= c->nr_lines)
        return -EINVAL;
    unsigned int line = info.offset;
    irq_flags_t flags = spin_lock_irqsave(&c->lock);
    bool busy = watch && (w->lines & BIT(line));
    if (watch)
        w->lines |= BIT(line);
    gpio_line_info(c, line, &info);
    spin_unlock_irqrestore(&c->lock, flags);
    if (busy)
        return -EBUSY;
    if (user_copy_out(arg, &info, sizeof(info)) == 0)
        return 0;
    if (watch) {
        flags = spin_lock_irqsave(&c->lock);
        w->lines &= ~BIT(line);
        spin_unlock_irqrestore(&c->lock, flags);
    }
    return -EFAULT;
}

static long line_unwatch(struct gpio_watch *w, unsigned long arg)
{
    uint32_t line;

    if (user_copy_in(&line, arg, sizeof(line)) != 0)
        return -EFAULT;
    if (line >= w->chip->nr_lines)
        return -EINVAL;
    irq_flags_t flags = spin_lock_irqsave(&w->chip->lock);
    bool watched = w->lines & BIT(line);
    w->lines &= ~BIT(line);
    spin_unlock_irqrestore(&w->chip->lock, flags);
    return watched ? 0 : -EBUSY;
}

static long chip_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
    struct gpio_watch *w = file->private;

    switch (request) {
    case GPIO_GET_CHIPINFO_IOCTL:
        return chip_info(w->chip, arg);
    case GPIO_V2_GET_LINEINFO_IOCTL:
        return line_info(w, arg, false);
    case GPIO_V2_GET_LINEINFO_WATCH_IOCTL:
        return line_info(w, arg, true);
    case GPIO_GET_LINEINFO_UNWATCH_IOCTL:
        return line_unwatch(w, arg);
    case GPIO_V2_GET_LINE_IOCTL:
        return gpio_request_create(w->chip, arg);
    default:
        return -EINVAL; // version 1 too, as where Linux is built without it
    }
}

static const struct file_ops chip_ops = {
    .open = chip_open,
    .read = chip_read,
    .poll = chip_poll,
    .ioctl = chip_ioctl,
    .release = chip_release,
    .stream = true,
};

// "gpio@10060000" is called "10060000.gpio", as by Linux.
static void label_from_node(struct gpio_chip *c, const void *fdt, int node)
{
    const char *name = fdt_get_name(fdt, node, NULL);
    const char *at = name ? strchr(name, '@') : NULL;

    if (at)
        snprintf(c->label, sizeof(c->label), "%s.%.*s", at + 1, (int)(at - name), name);
    else
        strlcpy(c->label, name ? name : "gpio", sizeof(c->label));
}

void gpio_chip_init(struct gpio_chip *c, const void *fdt, int node)
{
    spin_init(&c->lock);
    list_init(&c->watchers);
    label_from_node(c, fdt, node);
    for (unsigned int line = 0; line < c->nr_lines; line++) {
        const char *name = fdt_stringlist_get(fdt, node, "gpio-line-names", (int)line, NULL);
        if (name)
            strlcpy(c->lines[line].name, name, sizeof(c->lines[line].name));
    }
}

int gpio_chip_register(struct gpio_chip *c)
{
    irq_flags_t flags = spin_lock_irqsave(&c->lock);

    for (unsigned int line = 0; line < c->nr_lines; line++)
        c->lines[line].is_output = c->ops->is_output(c, line);
    spin_unlock_irqrestore(&c->lock, flags);
    unsigned int number = nr_chips++;
    snprintf(c->name, sizeof(c->name), "gpiochip%u", number);
    log_info("%s: %s, %u lines", c->name, c->label, c->nr_lines);
    return chrdev_register(c->name, DEV_MAKE(GPIO_MAJOR, number), 0600, &chip_ops, c);
}
