// SPDX-License-Identifier: BSD-2-Clause
// /dev/gpiochip0 by version 2 of Linux's interface: what is refused and how, who owns a line and
// for how long, levels that are driven and read back, edges. Needs a chip whose lines 0 to 3
// nothing is wired to: HiFive Unleashed's in QEMU has a pull-up in place of wires.
#include "ktap.h"
#include <linux/gpio.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define CHIP "/dev/gpiochip0"

static int chip_open(void)
{
    int fd = open(CHIP, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        SKIP("there is no " CHIP);
    CHECK(fd >= 0);
    return fd;
}

// Lines first, first + 1, ... with these flags.
static struct gpio_v2_line_request want(unsigned int first, unsigned int nr, uint64_t flags)
{
    struct gpio_v2_line_request r = {.num_lines = nr, .consumer = "test", .config.flags = flags};
    for (unsigned int i = 0; i < nr && i < GPIO_V2_LINES_MAX; i++)
        r.offsets[i] = first + i;
    return r;
}

static int take(int chip, unsigned int first, unsigned int nr, uint64_t flags)
{
    struct gpio_v2_line_request r = want(first, nr, flags);
    CHECK_EQ(ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &r), 0);
    CHECK(r.fd >= 0 && r.fd != chip);
    return r.fd;
}

static struct gpio_v2_line_info info_of(int chip, unsigned int line)
{
    struct gpio_v2_line_info info = {.offset = line};
    CHECK_EQ(ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &info), 0);
    CHECK_EQ(info.offset, line);
    return info;
}

static uint64_t values(int fd, uint64_t mask)
{
    struct gpio_v2_line_values v = {.mask = mask, .bits = ~0ULL};
    CHECK_EQ(ioctl(fd, GPIO_V2_LINE_GET_VALUES_IOCTL, &v), 0);
    CHECK_EQ(v.bits & ~mask, 0);
    return v.bits;
}

static int set(int fd, uint64_t mask, uint64_t bits)
{
    struct gpio_v2_line_values v = {.mask = mask, .bits = bits};
    return ioctl(fd, GPIO_V2_LINE_SET_VALUES_IOCTL, &v);
}

static int configure(int fd, uint64_t flags)
{
    struct gpio_v2_line_config config = {.flags = flags};
    return ioctl(fd, GPIO_V2_LINE_SET_CONFIG_IOCTL, &config);
}

TEST(chip_tells_of_itself)
{
    int chip = chip_open();
    struct gpiochip_info info;
    CHECK_EQ(ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, &info), 0);
    CHECK_EQ(strcmp(info.name, "gpiochip0"), 0);
    CHECK(info.label[0] && info.lines >= 4 && info.lines <= 64);
    CHECK_ERRNO(ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, 8), EFAULT);
    CHECK_ERRNO(ioctl(chip, 0x1234, &info), EINVAL);
    struct gpio_v2_line_info line = {.offset = info.lines};
    CHECK_ERRNO(ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &line), EINVAL);
    line = (struct gpio_v2_line_info){.padding[3] = 1};
    CHECK_ERRNO(ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &line), EINVAL);
    CHECK_ERRNO(ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, 8), EFAULT);
    CHECK_EQ(info_of(chip, 0).flags & GPIO_V2_LINE_FLAG_USED, 0);
}

static void refused(int chip, struct gpio_v2_line_request r, int code)
{
    CHECK_ERRNO(ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &r), code);
    for (unsigned int line = 0; line < 4; line++)
        CHECK_EQ(info_of(chip, line).flags & GPIO_V2_LINE_FLAG_USED, 0);
}

TEST(bad_requests_are_refused)
{
    int chip = chip_open();
    struct gpiochip_info info;
    CHECK_EQ(ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, &info), 0);
    CHECK_ERRNO(ioctl(chip, GPIO_V2_GET_LINE_IOCTL, 8), EFAULT);
    refused(chip, want(0, 0, 0), EINVAL);
    refused(chip, want(0, 65, 0), EINVAL);
    refused(chip, want(0, ~0U, 0), EINVAL);
    refused(chip, want(info.lines, 1, 0), EINVAL);
    refused(chip, want(~0U, 1, 0), EINVAL);
    struct gpio_v2_line_request r = want(0, 1, 0);
    r.padding[4] = 1;
    refused(chip, r, EINVAL);
    r = want(0, 1, 0);
    r.config.padding[0] = 1;
    refused(chip, r, EINVAL);
    r = want(0, 1, 0);
    r.config.num_attrs = GPIO_V2_LINE_NUM_ATTRS_MAX + 1;
    refused(chip, r, EINVAL);
    const uint64_t in = GPIO_V2_LINE_FLAG_INPUT, out = GPIO_V2_LINE_FLAG_OUTPUT;
    const uint64_t bad[] = {
        in | out,
        1ULL << 40,
        GPIO_V2_LINE_FLAG_USED,
        GPIO_V2_LINE_FLAG_BIAS_PULL_UP,
        in | GPIO_V2_LINE_FLAG_BIAS_PULL_UP | GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN,
        in | GPIO_V2_LINE_FLAG_OPEN_DRAIN,
        out | GPIO_V2_LINE_FLAG_OPEN_DRAIN | GPIO_V2_LINE_FLAG_OPEN_SOURCE,
        out | GPIO_V2_LINE_FLAG_EDGE_RISING,
        GPIO_V2_LINE_FLAG_EDGE_FALLING,
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(chip, want(0, 1, bad[i]), EINVAL);
    // Among many lines one bad one is enough, and none stays taken; nor does a line twice.
    r = want(0, 3, in);
    r.config.num_attrs = 1;
    r.config.attrs[0].attr.id = GPIO_V2_LINE_ATTR_ID_FLAGS;
    r.config.attrs[0].attr.flags = in | out;
    r.config.attrs[0].mask = 4;
    refused(chip, r, EINVAL);
    r = want(0, 3, in);
    r.offsets[2] = 1;
    refused(chip, r, EBUSY);
}

TEST(result_that_cannot_be_told_takes_nothing)
{
    int chip = chip_open();
    struct gpio_v2_line_request *r =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(r != MAP_FAILED);
    *r = want(0, 1, GPIO_V2_LINE_FLAG_INPUT);
    CHECK_EQ(mprotect(r, 4096, PROT_READ), 0);
    int next = dup(chip);
    close(next);
    CHECK_ERRNO(ioctl(chip, GPIO_V2_GET_LINE_IOCTL, r), EFAULT);
    CHECK_EQ(dup(chip), next);
    CHECK_EQ(info_of(chip, 0).flags & GPIO_V2_LINE_FLAG_USED, 0);
}

TEST(line_has_one_owner_until_its_last_descriptor_goes)
{
    int chip = chip_open();
    int fd = take(chip, 1, 2, GPIO_V2_LINE_FLAG_INPUT);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    struct gpio_v2_line_info info = info_of(chip, 2);
    CHECK_EQ(info.flags, GPIO_V2_LINE_FLAG_USED | GPIO_V2_LINE_FLAG_INPUT);
    CHECK_EQ(strcmp(info.consumer, "test"), 0);
    CHECK_EQ(info_of(chip, 0).flags & GPIO_V2_LINE_FLAG_USED, 0);
    struct gpio_v2_line_request r = want(0, 4, GPIO_V2_LINE_FLAG_INPUT);
    CHECK_ERRNO(ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &r), EBUSY);
    CHECK_EQ(info_of(chip, 0).flags & GPIO_V2_LINE_FLAG_USED, 0);
    int other = chip_open();
    r = want(1, 1, 0);
    CHECK_ERRNO(ioctl(other, GPIO_V2_GET_LINE_IOCTL, &r), EBUSY);
    int copy = dup(fd);
    close(fd);
    close(chip);
    CHECK_ERRNO(ioctl(other, GPIO_V2_GET_LINE_IOCTL, &r), EBUSY);
    close(copy);
    CHECK_EQ(ioctl(other, GPIO_V2_GET_LINE_IOCTL, &r), 0);
    close(r.fd);
    // A process that ends lets go, too.
    pid_t child = fork();
    if (child == 0) {
        take(other, 3, 1, GPIO_V2_LINE_FLAG_INPUT);
        kill(getpid(), SIGKILL);
    }
    CHECK_EQ(waitpid(child, NULL, 0), child);
    CHECK_EQ(info_of(other, 3).flags & GPIO_V2_LINE_FLAG_USED, 0);
}

TEST(outputs_are_driven_and_read_back)
{
    int chip = chip_open();
    struct gpio_v2_line_request r = want(0, 3, GPIO_V2_LINE_FLAG_OUTPUT);
    r.config.num_attrs = 1;
    r.config.attrs[0].attr.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES;
    r.config.attrs[0].attr.values = 5;
    r.config.attrs[0].mask = 7;
    CHECK_EQ(ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &r), 0);
    CHECK_EQ(values(r.fd, 7), 5);
    CHECK_EQ(values(r.fd, 4), 4);
    CHECK_EQ(set(r.fd, 6, 2), 0);
    CHECK_EQ(values(r.fd, 7), 3);
    CHECK_EQ(set(r.fd, ~0ULL, 4), 0); // bits beyond the lines don't matter
    CHECK_EQ(values(r.fd, 7), 4);
    CHECK_ERRNO(set(r.fd, 0, 0), EINVAL);
    CHECK_ERRNO(set(r.fd, 8, 8), EINVAL);
    struct gpio_v2_line_values v = {.mask = 8};
    CHECK_ERRNO(ioctl(r.fd, GPIO_V2_LINE_GET_VALUES_IOCTL, &v), EINVAL);
    CHECK_ERRNO(ioctl(r.fd, GPIO_V2_LINE_GET_VALUES_IOCTL, 8), EFAULT);
    CHECK_ERRNO(ioctl(r.fd, GPIO_V2_LINE_SET_VALUES_IOCTL, 8), EFAULT);
    CHECK_ERRNO(ioctl(r.fd, GPIO_V2_LINE_SET_CONFIG_IOCTL, 8), EFAULT);
    CHECK_ERRNO(ioctl(r.fd, 0x1234, 0), EINVAL);
    CHECK_EQ(info_of(chip, 0).flags, GPIO_V2_LINE_FLAG_USED | GPIO_V2_LINE_FLAG_OUTPUT);
    close(r.fd);
    // What was driven is, until somebody asks for something else.
    int fd = take(chip, 0, 3, 0);
    CHECK_EQ(values(fd, 7), 4);
    CHECK_EQ(info_of(chip, 0).flags, GPIO_V2_LINE_FLAG_USED | GPIO_V2_LINE_FLAG_OUTPUT);
    CHECK_EQ(configure(fd, GPIO_V2_LINE_FLAG_INPUT), 0);
    CHECK_ERRNO(set(fd, 1, 1), EPERM);
}

TEST(active_low_turns_values)
{
    int chip = chip_open();
    int fd = take(chip, 0, 1, GPIO_V2_LINE_FLAG_OUTPUT | GPIO_V2_LINE_FLAG_ACTIVE_LOW);
    CHECK_EQ(values(fd, 1), 0);
    CHECK_EQ(configure(fd, GPIO_V2_LINE_FLAG_OUTPUT), 0); // low
    CHECK_EQ(values(fd, 1), 0);
    CHECK_EQ(set(fd, 1, 1), 0);
    close(fd);
    fd = take(chip, 0, 1, GPIO_V2_LINE_FLAG_ACTIVE_LOW); // as it is: high
    CHECK_EQ(values(fd, 1), 0);
    CHECK_EQ(set(fd, 1, 1), 0);
    CHECK_EQ(values(fd, 1), 1);
    close(fd);
    fd = take(chip, 0, 1, 0);
    CHECK_EQ(values(fd, 1), 0);
    CHECK_EQ(configure(fd, GPIO_V2_LINE_FLAG_INPUT), 0);
}

static bool has_resistors(int fd)
{
    CHECK_EQ(configure(fd, GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_BIAS_PULL_UP), 0);
    return values(fd, 1) == 1;
}

TEST(pull_up_and_open_drain)
{
    int chip = chip_open();
    int fd = take(chip, 0, 1, GPIO_V2_LINE_FLAG_INPUT);
    if (!has_resistors(fd))
        SKIP("the machine's pins have no pull-up");
    CHECK(info_of(chip, 0).flags & GPIO_V2_LINE_FLAG_BIAS_PULL_UP);
    CHECK_EQ(configure(fd, GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_BIAS_DISABLED), 0);
    CHECK_EQ(values(fd, 1), 0);
    const uint64_t drain = GPIO_V2_LINE_FLAG_OUTPUT | GPIO_V2_LINE_FLAG_OPEN_DRAIN;
    CHECK_EQ(configure(fd, drain | GPIO_V2_LINE_FLAG_BIAS_PULL_UP), 0);
    CHECK_EQ(values(fd, 1), 0);
    CHECK_EQ(set(fd, 1, 1), 0);
    CHECK_EQ(values(fd, 1), 1);
    CHECK(info_of(chip, 0).flags & GPIO_V2_LINE_FLAG_OUTPUT);
    CHECK_EQ(set(fd, 1, 0), 0);
    CHECK_EQ(values(fd, 1), 0);
    CHECK_EQ(configure(fd, GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_BIAS_DISABLED), 0);
}

// A floating pin goes up and down with its pull-up.
static void pull(int fd, bool up, uint64_t flags)
{
    flags |= up ? GPIO_V2_LINE_FLAG_BIAS_PULL_UP : GPIO_V2_LINE_FLAG_BIAS_DISABLED;
    CHECK_EQ(configure(fd, GPIO_V2_LINE_FLAG_INPUT | flags), 0);
}

TEST(edges_are_told)
{
    int chip = chip_open();
    int fd = take(chip, 0, 2, GPIO_V2_LINE_FLAG_INPUT);
    if (!has_resistors(fd))
        SKIP("the machine's pins have no pull-up");
    const uint64_t both = GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING;
    pull(fd, false, both);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK_EQ(poll(&p, 1, 0), 0);
    int64_t before = now_ns(CLOCK_MONOTONIC);
    pull(fd, true, both);
    CHECK_EQ(poll(&p, 1, 5000), 1);
    CHECK_EQ(p.revents, POLLIN);
    pull(fd, false, both);
    struct gpio_v2_line_event e[8];
    CHECK_ERRNO(read(fd, e, sizeof(e[0]) - 1), EINVAL);
    unsigned int n = 0;
    while (n < 4) {
        ssize_t got = read(fd, e + n, sizeof(e) - n * sizeof(e[0]));
        CHECK(got > 0 && got % sizeof(e[0]) == 0);
        n += got / sizeof(e[0]);
    }
    CHECK_EQ(n, 4);
    for (unsigned int i = 0; i < n; i++) {
        CHECK_EQ(e[i].id, i < 2 ? GPIO_V2_LINE_EVENT_RISING_EDGE : GPIO_V2_LINE_EVENT_FALLING_EDGE);
        CHECK_EQ(e[i].seqno, i + 1);
        CHECK_EQ(e[i].line_seqno, i / 2 + 1);
        CHECK(e[i].timestamp_ns >= (uint64_t)before);
    }
    CHECK_EQ(e[0].offset + e[1].offset, 1);
    // Only falling ones, turned: what the pin does is to rise.
    pull(fd, false, GPIO_V2_LINE_FLAG_EDGE_FALLING | GPIO_V2_LINE_FLAG_ACTIVE_LOW);
    pull(fd, true, GPIO_V2_LINE_FLAG_EDGE_FALLING | GPIO_V2_LINE_FLAG_ACTIVE_LOW);
    CHECK_EQ(read(fd, e, sizeof(e[0])), sizeof(e[0]));
    CHECK_EQ(e[0].id, GPIO_V2_LINE_EVENT_FALLING_EDGE);
    CHECK_EQ(e[0].seqno, 5);
}

TEST(events_beyond_the_buffer_push_out_the_oldest)
{
    int chip = chip_open();
    struct gpio_v2_line_request r = want(0, 1, GPIO_V2_LINE_FLAG_INPUT);
    r.event_buffer_size = 3;
    CHECK_EQ(ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &r), 0);
    if (!has_resistors(r.fd))
        SKIP("the machine's pins have no pull-up");
    pull(r.fd, false, GPIO_V2_LINE_FLAG_EDGE_RISING);
    for (int i = 0; i < 5; i++) {
        pull(r.fd, true, GPIO_V2_LINE_FLAG_EDGE_RISING);
        pull(r.fd, false, GPIO_V2_LINE_FLAG_EDGE_RISING);
        sleep_ms(20);
    }
    struct gpio_v2_line_event e[8];
    CHECK_EQ(read(r.fd, e, sizeof(e)), 3 * sizeof(e[0]));
    CHECK_EQ(e[0].seqno, 3);
    CHECK_EQ(e[2].seqno, 5);
    CHECK_EQ(fcntl(r.fd, F_SETFL, O_NONBLOCK), 0);
    CHECK_ERRNO(read(r.fd, e, sizeof(e)), EAGAIN);
}

TEST(watchers_are_told_of_changes)
{
    int chip = chip_open(), other = chip_open();
    struct gpio_v2_line_info info = {.offset = 2};
    CHECK_EQ(ioctl(chip, GPIO_V2_GET_LINEINFO_WATCH_IOCTL, &info), 0);
    CHECK_ERRNO(ioctl(chip, GPIO_V2_GET_LINEINFO_WATCH_IOCTL, &info), EBUSY);
    int fd = take(other, 1, 2, GPIO_V2_LINE_FLAG_INPUT);
    CHECK_EQ(configure(fd, GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_ACTIVE_LOW), 0);
    close(fd);
    struct gpio_v2_line_info_changed news[4];
    CHECK_ERRNO(read(chip, news, sizeof(news[0]) - 1), EINVAL);
    CHECK_EQ(read(chip, news, sizeof(news)), 3 * sizeof(news[0]));
    CHECK_EQ(news[0].event_type, GPIO_V2_LINE_CHANGED_REQUESTED);
    CHECK_EQ(strcmp(news[0].info.consumer, "test"), 0);
    CHECK_EQ(news[0].info.offset, 2);
    CHECK_EQ(news[1].event_type, GPIO_V2_LINE_CHANGED_CONFIG);
    CHECK(news[1].info.flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW);
    CHECK_EQ(news[2].event_type, GPIO_V2_LINE_CHANGED_RELEASED);
    CHECK_EQ(news[2].info.flags, GPIO_V2_LINE_FLAG_INPUT);
    uint32_t line = 2;
    CHECK_EQ(ioctl(chip, GPIO_GET_LINEINFO_UNWATCH_IOCTL, &line), 0);
    CHECK_ERRNO(ioctl(chip, GPIO_GET_LINEINFO_UNWATCH_IOCTL, &line), EBUSY);
    line = 64;
    CHECK_ERRNO(ioctl(chip, GPIO_GET_LINEINFO_UNWATCH_IOCTL, &line), EINVAL);
    close(take(other, 2, 1, 0));
    CHECK_EQ(fcntl(chip, F_SETFL, O_NONBLOCK), 0);
    CHECK_ERRNO(read(chip, news, sizeof(news)), EAGAIN);
}
