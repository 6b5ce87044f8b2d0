// SPDX-License-Identifier: BSD-2-Clause
// GPIO controllers: what a driver of one offers, and what gpio.c (chips and their files) and
// gpio_request.c (lines that a program holds) share.
//
// chip->lock is irq-safe and guards all of a chip, its lines, its watchers and the requests of its
// lines; ops are called with it held. wait_queue.lock comes after it.
#pragma once

#include <lib/list.h>
#include <linux/gpio.h>
#include <sync/spinlock.h>
#include <sync/wait_queue.h>

#define GPIO_LINES_MAX 64U

struct file;
struct gpio_chip;
struct gpio_request;

enum gpio_bias { GPIO_BIAS_NONE, GPIO_BIAS_UP, GPIO_BIAS_DOWN };

// Levels are those of the pin: true is high.
struct gpio_ops {
    bool (*is_output)(struct gpio_chip *c, unsigned int line);
    bool (*level)(struct gpio_chip *c, unsigned int line); // of an output: what it drives
    void (*set_input)(struct gpio_chip *c, unsigned int line);
    void (*set_output)(struct gpio_chip *c, unsigned int line, bool level); // level, then direction
    // NULL: pins have no resistors. A kind that there is not is left out.
    void (*set_bias)(struct gpio_chip *c, unsigned int line, enum gpio_bias bias);
    // Which edges are told by gpio_edge() from now on; those of before are forgotten. NULL: none.
    void (*set_edges)(struct gpio_chip *c, unsigned int line, bool rising, bool falling);
};

struct gpio_line {
    char name[GPIO_MAX_NAME_SIZE]; // constant
    uint64_t flags;                // GPIO_V2_LINE_FLAG_* of its request but USED and direction
    bool is_output;                // also an open drain that just now doesn't drive
    struct gpio_request *request;  // who holds it; NULL: nobody
    unsigned int index;            // in its request
};

struct gpio_chip {
    const struct gpio_ops *ops;
    char label[GPIO_MAX_NAME_SIZE];
    unsigned int nr_lines;
    char name[16];  // "gpiochip0"
    uint64_t edges; // lines whose edges can be told

    struct spinlock lock;
    struct gpio_line lines[GPIO_LINES_MAX];
    struct list_node watchers; // of struct gpio_watch
};

// Complete a chip whose ops, nr_lines and edges are set (lock, label and line names come from the
// node) and make /dev/gpiochipN. Boot only. 0 or -errno.
void gpio_chip_init(struct gpio_chip *c, const void *fdt, int node);
int gpio_chip_register(struct gpio_chip *c);
// From an interrupt handler, with chip->lock held and the edge acknowledged.
void gpio_edge(struct gpio_chip *c, unsigned int line);

// What /dev/gpiochipN and the watchers are told of a line. Locked.
void gpio_line_info(struct gpio_chip *c, unsigned int line, struct gpio_v2_line_info *info);
void gpio_watchers_tell(struct gpio_chip *c, unsigned int line, uint32_t what);
// GPIO_V2_GET_LINE_IOCTL: 0 or -errno.
long gpio_request_create(struct gpio_chip *c, unsigned long arg);
const char *gpio_request_consumer(const struct gpio_request *r);
