// SPDX-License-Identifier: BSD-2-Clause
// GPIO lines that a program holds: GPIO_V2_GET_LINE_IOCTL gives it a file for one or more lines of
// a chip, by which it sets, reads and configures them and is told of edges. A line belongs to one
// request at a time. When the file goes its lines are free again; they stay as they were set.
//
// Debouncing, which Linux does in software, is refused. All is under the lock of the chip.

#include "gpio_priv.h"

#include <arch/clock.h>
#include <arch/uaccess.h>
#include <asm/poll.h>
#include <core/process.h>
#include <errno.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <string.h>

#define EVENTS_A_LINE 16U
#define EVENTS_MAX    (EVENTS_A_LINE * GPIO_V2_LINES_MAX)

#define FLAGS_DIRECTION (GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_OUTPUT)
#define FLAGS_EDGE      (GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING)
#define FLAGS_DRIVE     (GPIO_V2_LINE_FLAG_OPEN_DRAIN | GPIO_V2_LINE_FLAG_OPEN_SOURCE)
#define FLAGS_BIAS                                                                                 \
    (GPIO_V2_LINE_FLAG_BIAS_PULL_UP | GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN |                           \
     GPIO_V2_LINE_FLAG_BIAS_DISABLED)
#define FLAGS_KNOWN                                                                                \
    (FLAGS_DIRECTION | FLAGS_EDGE | FLAGS_DRIVE | FLAGS_BIAS | GPIO_V2_LINE_FLAG_ACTIVE_LOW |      \
     GPIO_V2_LINE_FLAG_EVENT_CLOCK_REALTIME)

struct gpio_event {
    uint64_t ns;
    uint32_t id, line, seqno, line_seqno;
};

struct gpio_request { // file->private
    struct gpio_chip *chip;
    unsigned int nr_lines;
    unsigned int lines[GPIO_V2_LINES_MAX]; // their numbers in the chip
    char consumer[GPIO_MAX_NAME_SIZE];

    unsigned int nr_claimed; // of lines, from the first on
    uint32_t seqno, line_seqno[GPIO_V2_LINES_MAX];
    struct wait_queue readers;
    unsigned int first, nr_events, max_events;
    struct gpio_event events[];
};

const char *gpio_request_consumer(const struct gpio_request *r)
{
    return r->consumer;
}

// What a configuration says of the index-th line of its request.

static const struct gpio_v2_line_attribute *config_find(const struct gpio_v2_line_config *config,
                                                        unsigned int index, uint32_t id)
{
    for (unsigned int i = 0; i < config->num_attrs; i++)
        if (config->attrs[i].attr.id == id && (config->attrs[i].mask & BIT(index)))
            return &config->attrs[i].attr;
    return NULL;
}

static uint64_t config_flags(const struct gpio_v2_line_config *config, unsigned int index)
{
    const struct gpio_v2_line_attribute *a = config_find(config, index, GPIO_V2_LINE_ATTR_ID_FLAGS);

    return a ? a->flags : config->flags;
}

static bool config_value(const struct gpio_v2_line_config *config, unsigned int index)
{
    const struct gpio_v2_line_attribute *a =
        config_find(config, index, GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES);

    return a && (a->values & BIT(index));
}

static int flags_check(uint64_t flags)
{
    uint64_t bias = flags & FLAGS_BIAS;

    if (flags & GPIO_V2_LINE_FLAG_EVENT_CLOCK_HTE)
        return -EOPNOTSUPP;
    if (flags & ~FLAGS_KNOWN)
        return -EINVAL;
    if ((flags & FLAGS_DIRECTION) == FLAGS_DIRECTION || (flags & FLAGS_DRIVE) == FLAGS_DRIVE)
        return -EINVAL;
    if ((flags & FLAGS_EDGE) && !(flags & GPIO_V2_LINE_FLAG_INPUT))
        return -EINVAL;
    if ((flags & FLAGS_DRIVE) && !(flags & GPIO_V2_LINE_FLAG_OUTPUT))
        return -EINVAL;
    if (bias && (!(flags & FLAGS_DIRECTION) || (bias & (bias - 1))))
        return -EINVAL;
    return 0;
}

static int config_check(const struct gpio_chip *c, const struct gpio_v2_line_config *config,
                        const unsigned int *lines, unsigned int nr_lines)
{
    uint32_t zeroes[ARRAY_SIZE(config->padding)] = {0};

    if (config->num_attrs > GPIO_V2_LINE_NUM_ATTRS_MAX ||
        memcmp(config->padding, zeroes, sizeof(zeroes)) != 0)
        return -EINVAL;
    for (unsigned int i = 0; i < config->num_attrs; i++)
        if (config->attrs[i].attr.padding != 0)
            return -EINVAL;
    for (unsigned int i = 0; i < nr_lines; i++) {
        uint64_t flags = config_flags(config, i);
        int err = flags_check(flags);
        if (err != 0)
            return err;
        const struct gpio_v2_line_attribute *debounce =
            config_find(config, i, GPIO_V2_LINE_ATTR_ID_DEBOUNCE);
        if (debounce && debounce->debounce_period_us != 0)
            return flags & GPIO_V2_LINE_FLAG_INPUT ? -EOPNOTSUPP : -EINVAL;
        if ((flags & FLAGS_EDGE) && !(c->edges & BIT(lines[i])))
            return -ENXIO;
    }
    return 0;
}

// Lines, with the chip's lock held. Values are logical: those of active-low lines are turned.

static bool line_value(struct gpio_chip *c, unsigned int line)
{
    return c->ops->level(c, line) != !!(c->lines[line].flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW);
}

// Open drain and open source are inputs while they don't drive.
static void line_drive(struct gpio_chip *c, unsigned int line, bool value)
{
    struct gpio_line *l = &c->lines[line];
    bool level = value != !!(l->flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW);

    l->is_output = true;
    if ((level && (l->flags & GPIO_V2_LINE_FLAG_OPEN_DRAIN)) ||
        (!level && (l->flags & GPIO_V2_LINE_FLAG_OPEN_SOURCE)))
        c->ops->set_input(c, line);
    else
        c->ops->set_output(c, line, level);
}

static void line_set_edges(struct gpio_chip *c, unsigned int line, uint64_t flags)
{
    bool rising = flags & GPIO_V2_LINE_FLAG_EDGE_RISING;
    bool falling = flags & GPIO_V2_LINE_FLAG_EDGE_FALLING;
    bool turned = flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW;

    c->ops->set_edges(c, line, turned ? falling : rising, turned ? rising : falling);
}

static void line_set_bias(struct gpio_chip *c, unsigned int line, uint64_t flags)
{
    if (!(flags & FLAGS_BIAS) || !c->ops->set_bias)
        return; // as Linux: a chip without resistors takes the request nevertheless
    c->ops->set_bias(c, line,
                     flags & GPIO_V2_LINE_FLAG_BIAS_PULL_UP     ? GPIO_BIAS_UP
                     : flags & GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN ? GPIO_BIAS_DOWN
                                                                : GPIO_BIAS_NONE);
}

static void line_configure(struct gpio_chip *c, unsigned int line, uint64_t flags, bool value)
{
    struct gpio_line *l = &c->lines[line];
    uint64_t edge_flags = FLAGS_EDGE | GPIO_V2_LINE_FLAG_ACTIVE_LOW;
    // Edges that go on being watched aren't forgotten.
    bool change =
        (l->flags & edge_flags) != (flags & edge_flags) && ((l->flags | flags) & FLAGS_EDGE);

    if (change)
        line_set_edges(c, line, 0);
    l->flags = flags & ~FLAGS_DIRECTION;
    if (flags & GPIO_V2_LINE_FLAG_OUTPUT) {
        line_drive(c, line, value);
    } else if (flags & GPIO_V2_LINE_FLAG_INPUT) {
        l->is_output = false;
        c->ops->set_input(c, line);
    }
    line_set_bias(c, line, flags);
    if (change)
        line_set_edges(c, line, flags);
}

void gpio_edge(struct gpio_chip *c, unsigned int line)
{
    struct gpio_line *l = &c->lines[line];
    struct gpio_request *r = l->request;
    uint64_t edges = l->flags & FLAGS_EDGE;

    spin_assert_held(&c->lock);
    if (!r || !edges)
        return;
    bool rising =
        edges == FLAGS_EDGE ? line_value(c, line) : edges == GPIO_V2_LINE_FLAG_EDGE_RISING;
    if (r->nr_events == r->max_events) { // the oldest goes
        r->first = (r->first + 1) % r->max_events;
        r->nr_events--;
    }
    r->events[(r->first + r->nr_events++) % r->max_events] = (struct gpio_event){
        .ns = l->flags & GPIO_V2_LINE_FLAG_EVENT_CLOCK_REALTIME ? clock_realtime_ns()
                                                                : clock_monotonic_ns(),
        .id = rising ? GPIO_V2_LINE_EVENT_RISING_EDGE : GPIO_V2_LINE_EVENT_FALLING_EDGE,
        .line = line,
        .seqno = ++r->seqno,
        .line_seqno = ++r->line_seqno[l->index],
    };
    wait_queue_wake_all(&r->readers);
}

// The file of a request.

static long request_get_values(struct gpio_request *r, unsigned long arg)
{
    struct gpio_v2_line_values v;
    bool any = false;

    if (user_copy_in(&v, arg, sizeof(v)) != 0)
        return -EFAULT;
    v.bits = 0;
    irq_flags_t flags = spin_lock_irqsave(&r->chip->lock);
    for (unsigned int i = 0; i < r->nr_lines; i++) {
        if (!(v.mask & BIT(i)))
            continue;
        any = true;
        if (line_value(r->chip, r->lines[i]))
            v.bits |= BIT(i);
    }
    spin_unlock_irqrestore(&r->chip->lock, flags);
    return any ? user_copy_out(arg, &v, sizeof(v)) : -EINVAL;
}

static long request_set_values_locked(struct gpio_request *r, const struct gpio_v2_line_values *v)
{
    bool any = false;

    for (unsigned int i = 0; i < r->nr_lines; i++) {
        if (!(v->mask & BIT(i)))
            continue;
        if (!r->chip->lines[r->lines[i]].is_output)
            return -EPERM;
        any = true;
    }
    for (unsigned int i = 0; i < r->nr_lines; i++)
        if (v->mask & BIT(i))
            line_drive(r->chip, r->lines[i], v->bits & BIT(i));
    return any ? 0 : -EINVAL;
}

static long request_set_values(struct gpio_request *r, unsigned long arg)
{
    struct gpio_v2_line_values v;

    if (user_copy_in(&v, arg, sizeof(v)) != 0)
        return -EFAULT;
    irq_flags_t flags = spin_lock_irqsave(&r->chip->lock);
    long result = request_set_values_locked(r, &v);
    spin_unlock_irqrestore(&r->chip->lock, flags);
    return result;
}

static long request_set_config(struct gpio_request *r, unsigned long arg)
{
    struct gpio_v2_line_config config;
    struct gpio_chip *c = r->chip;

    if (user_copy_in(&config, arg, sizeof(config)) != 0)
        return -EFAULT;
    int err = config_check(c, &config, r->lines, r->nr_lines);
    if (err != 0)
        return err;
    irq_flags_t flags = spin_lock_irqsave(&c->lock);
    for (unsigned int i = 0; i < r->nr_lines; i++) {
        if (!(config_flags(&config, i) & FLAGS_DIRECTION))
            continue; // stays as it is
        line_configure(c, r->lines[i], config_flags(&config, i), config_value(&config, i));
        gpio_watchers_tell(c, r->lines[i], GPIO_V2_LINE_CHANGED_CONFIG);
    }
    spin_unlock_irqrestore(&c->lock, flags);
    return 0;
}

static long request_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
    struct gpio_request *r = file->private;

    switch (request) {
    case GPIO_V2_LINE_GET_VALUES_IOCTL:
        return request_get_values(r, arg);
    case GPIO_V2_LINE_SET_VALUES_IOCTL:
        return request_set_values(r, arg);
    case GPIO_V2_LINE_SET_CONFIG_IOCTL:
        return request_set_config(r, arg);
    default:
        return -EINVAL;
    }
}

static bool request_take(struct gpio_request *r, struct gpio_v2_line_event *event)
{
    irq_flags_t flags = spin_lock_irqsave(&r->chip->lock);
    bool any = r->nr_events > 0;

    if (any) {
        const struct gpio_event *e = &r->events[r->first];
        *event = (struct gpio_v2_line_event){.timestamp_ns = e->ns,
                                             .id = e->id,
                                             .offset = e->line,
                                             .seqno = e->seqno,
                                             .line_seqno = e->line_seqno};
        r->first = (r->first + 1) % r->max_events;
        r->nr_events--;
    }
    spin_unlock_irqrestore(&r->chip->lock, flags);
    return any;
}

static ssize_t request_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct gpio_request *r = file->private;
    struct gpio_v2_line_event event;
    size_t done = 0;

    if (uio->left < sizeof(event))
        return -EINVAL;
    while (uio->left >= sizeof(event)) {
        if (!request_take(r, &event)) {
            if (done > 0)
                break;
            if (file->flags & O_NONBLOCK)
                return -EAGAIN;
            if (wait_event(&r->readers, request_take(r, &event), PARK_INTERRUPTIBLE, TIME_NEVER) !=
                0)
                return -ERESTARTSYS;
        }
        if (uio_copy_out(uio, &event, sizeof(event)) != sizeof(event))
            return -EFAULT;
        done += sizeof(event);
    }
    return (ssize_t)done;
}

static unsigned int request_poll(struct file *file, struct poll_table *table)
{
    struct gpio_request *r = file->private;

    poll_add(table, &r->readers);
    irq_flags_t flags = spin_lock_irqsave(&r->chip->lock);
    unsigned int events = r->nr_events > 0 ? POLLIN | POLLRDNORM : 0;
    spin_unlock_irqrestore(&r->chip->lock, flags);
    return events;
}

static void request_free(struct gpio_request *r)
{
    struct gpio_chip *c = r->chip;
    irq_flags_t flags = spin_lock_irqsave(&c->lock);

    for (unsigned int i = 0; i < r->nr_claimed; i++) {
        struct gpio_line *l = &c->lines[r->lines[i]];
        if (l->flags & FLAGS_EDGE)
            line_set_edges(c, r->lines[i], 0);
        l->flags = 0;
        l->request = NULL;
        gpio_watchers_tell(c, r->lines[i], GPIO_V2_LINE_CHANGED_RELEASED);
    }
    spin_unlock_irqrestore(&c->lock, flags);
    kfree(r);
}

static void request_release(struct file *file)
{
    request_free(file->private);
}

static const struct file_ops request_ops = {
    .read = request_read,
    .poll = request_poll,
    .ioctl = request_ioctl,
    .release = request_release,
    .stream = true,
};

// All of its lines, or -EBUSY; told and configured only when all are ours.
static int request_claim(struct gpio_request *r, const struct gpio_v2_line_config *config)
{
    struct gpio_chip *c = r->chip;
    unsigned int n;
    irq_flags_t flags = spin_lock_irqsave(&c->lock);

    for (n = 0; n < r->nr_lines && !c->lines[r->lines[n]].request; n++) {
        c->lines[r->lines[n]].request = r;
        c->lines[r->lines[n]].index = n;
    }
    bool busy = n < r->nr_lines;
    while (busy && n-- > 0)
        c->lines[r->lines[n]].request = NULL;
    for (unsigned int i = 0; !busy && i < r->nr_lines; i++) {
        line_configure(c, r->lines[i], config_flags(config, i), config_value(config, i));
        gpio_watchers_tell(c, r->lines[i], GPIO_V2_LINE_CHANGED_REQUESTED);
        r->nr_claimed++;
    }
    spin_unlock_irqrestore(&c->lock, flags);
    return busy ? -EBUSY : 0;
}

static struct gpio_request *request_alloc(struct gpio_chip *c, const struct gpio_v2_line_request *u)
{
    unsigned int max_events =
        MIN(u->event_buffer_size ? u->event_buffer_size : u->num_lines * EVENTS_A_LINE, EVENTS_MAX);
    struct gpio_request *r = kzalloc(sizeof(*r) + max_events * sizeof(r->events[0]));

    if (!r)
        return NULL;
    r->chip = c;
    r->nr_lines = u->num_lines;
    r->max_events = max_events;
    memcpy(r->lines, u->offsets, u->num_lines * sizeof(r->lines[0]));
    memcpy(r->consumer, u->consumer, sizeof(r->consumer) - 1);
    if (r->consumer[0] == '\0')
        strlcpy(r->consumer, "?", sizeof(r->consumer));
    wait_queue_init(&r->readers);
    return r;
}

static int request_check(const struct gpio_chip *c, const struct gpio_v2_line_request *u)
{
    uint32_t zeroes[ARRAY_SIZE(u->padding)] = {0};

    if (u->num_lines == 0 || u->num_lines > GPIO_V2_LINES_MAX ||
        memcmp(u->padding, zeroes, sizeof(zeroes)) != 0)
        return -EINVAL;
    for (unsigned int i = 0; i < u->num_lines; i++)
        if (u->offsets[i] >= c->nr_lines)
            return -EINVAL;
    return config_check(c, &u->config, u->offsets, u->num_lines);
}

// A descriptor for a request that holds its lines; takes it over in any case.
static int request_install(struct gpio_request *r)
{
    struct process *p = process_self();
    struct file *file;
    int err = file_create_object("anon_inode:gpio-line", &request_ops, r, O_RDONLY,
                                 thread_self()->cred, &file);

    if (err != 0) {
        request_free(r);
        return err;
    }
    int fd = fd_install(p->fds, file, 0, process_limit(p, RLIMIT_NOFILE), true);
    if (fd < 0)
        file_put(file);
    return fd;
}

long gpio_request_create(struct gpio_chip *c, unsigned long arg)
{
    struct gpio_v2_line_request u;

    if (user_copy_in(&u, arg, sizeof(u)) != 0)
        return -EFAULT;
    int err = request_check(c, &u);
    if (err != 0)
        return err;
    struct gpio_request *r = request_alloc(c, &u);
    if (!r)
        return -ENOMEM;
    err = request_claim(r, &u.config);
    if (err != 0) {
        kfree(r);
        return err;
    }
    u.fd = request_install(r);
    if (u.fd < 0)
        return u.fd;
    err = user_copy_out(arg, &u, sizeof(u));
    if (err != 0)
        fd_close(process_self()->fds, u.fd);
    return err;
}
