// SPDX-License-Identifier: BSD-2-Clause
// The log ring and the console line. Two rings that only grow in number: records by sequence, and
// the bytes of their texts. A record is there while neither ring has come round to its place, so
// there is nothing to drop and a reader finds any record in one step.
//
// Locks, never nested: ring_lock guards the rings; console_lock keeps lines whole. Both are held
// with interrupts off. A sink that logs (a driver's mistake) would wait for itself, so a hart that
// holds console_lock writes to the ring only.
#include <arch/clock.h>
#include <arch/log.h>
#include <arch/sbi.h>
#include <arch/thread.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log_priv.h"
#include "raw_lock_priv.h"

#define LOG_RECORDS    1024UL
#define LOG_TEXT_BYTES (64UL << 10)
#define LOG_LINE_MAX   400 // of text

struct log_slot {
    uint64_t time_ns;
    uint64_t text; // number of its first byte: its place is that modulo LOG_TEXT_BYTES
    uint16_t length;
    uint8_t level;
};

static struct raw_lock ring_lock;
static struct log_slot slots[LOG_RECORDS];
static char texts[LOG_TEXT_BYTES];
static uint64_t next_seq, next_text;

static struct raw_lock console_lock;
static uint32_t console_owner; // cpu + 1; atomic
static log_sink_fn console_sink;
static int console_level = 7;

static void (*log_notify)(void);
static bool panicking; // set once, by the only hart that goes on

static void ring_append(enum log_level level, uint64_t time_ns, const char *text, size_t length)
{
    slots[next_seq % LOG_RECORDS] = (struct log_slot){
        .time_ns = time_ns,
        .text = next_text,
        .length = (uint16_t)length,
        .level = (uint8_t)level,
    };
    size_t at = next_text % LOG_TEXT_BYTES;
    size_t first = MIN(length, LOG_TEXT_BYTES - at);
    memcpy(texts + at, text, first);
    memcpy(texts, text + first, length - first);
    next_text += length;
    // Release: partner is the lock-free read in log_next_seq().
    atomic_store_release(&next_seq, next_seq + 1);
}

static bool ring_has(uint64_t seq)
{
    if (next_seq > LOG_RECORDS && seq < next_seq - LOG_RECORDS)
        return false;
    return slots[seq % LOG_RECORDS].text + LOG_TEXT_BYTES >= next_text;
}

static void ring_copy_text(const struct log_slot *slot, char *out, size_t n)
{
    size_t at = slot->text % LOG_TEXT_BYTES;
    size_t first = MIN(n, LOG_TEXT_BYTES - at);
    memcpy(out, texts + at, first);
    memcpy(out + first, texts, n - first);
}

void log_enter_panic(void)
{
    panicking = true;
    console_level = LOG_DEBUG + 1;
}

// The stopped harts may hold a lock for ever, so a panic takes none.
static irq_flags_t log_lock(struct raw_lock *lock)
{
    return panicking ? irq_save() : raw_lock(lock);
}

static void log_print(uint64_t time_ns, const char *text, size_t length)
{
    if (!panicking && atomic_load(&console_owner) == hart_self()->cpu + 1)
        return;
    char line[LOG_LINE_MAX + 24];
    uint64_t us = time_ns / NS_PER_US;
    int n = snprintf(line, sizeof(line), "[%5lu.%06lu] %.*s\n", us / 1000000, us % 1000000,
                     (int)length, text);
    irq_flags_t flags = log_lock(&console_lock);
    atomic_store(&console_owner, hart_self()->cpu + 1);
    // In a panic the driver behind the sink may wait for a lock that a stopped hart holds.
    if (console_sink && !(panicking && sbi_info()->has_dbcn))
        console_sink(line, (size_t)n);
    else
        sbi_console_write(line, (size_t)n); // where would we report an error?
    atomic_store(&console_owner, 0);
    raw_unlock(&console_lock, flags);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    char text[LOG_LINE_MAX];
    va_list args;
    va_start(args, fmt);
    int wanted = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t length = MIN((size_t)MAX(wanted, 0), sizeof(text) - 1);
    if (length > 0 && text[length - 1] == '\n')
        length--;

    uint64_t now = clock_monotonic_ns();
    irq_flags_t flags = log_lock(&ring_lock);
    ring_append(level, now, text, length);
    raw_unlock(&ring_lock, flags);
    if ((int)level < console_level)
        log_print(now, text, length);

    void (*notify)(void) = atomic_load(&log_notify);
    if (notify && !panicking) {
        flags = irq_save();
        notify();
        irq_restore(flags);
    }
}

void log_set_console_level(int level)
{
    console_level = level;
}

int log_console_level(void)
{
    return console_level;
}

// The lock makes sure that nobody still writes to the old sink on return.
void log_set_sink(log_sink_fn sink)
{
    irq_flags_t flags = raw_lock(&console_lock);
    console_sink = sink;
    raw_unlock(&console_lock, flags);
}

void log_set_notify(void (*notify)(void))
{
    atomic_store(&log_notify, notify);
}

int log_read(uint64_t *seq, struct log_record *record, char *text, size_t size)
{
    irq_flags_t flags = raw_lock(&ring_lock);
    int err = 0;
    if (*seq >= next_seq) {
        err = -EAGAIN;
    } else if (!ring_has(*seq)) {
        while (!ring_has(*seq))
            ++*seq;
        err = -EPIPE;
    } else {
        const struct log_slot *slot = &slots[*seq % LOG_RECORDS];
        record->seq = *seq;
        record->time_ns = slot->time_ns;
        record->level = slot->level;
        record->length = slot->length;
        ring_copy_text(slot, text, MIN(size, slot->length));
        ++*seq;
    }
    raw_unlock(&ring_lock, flags);
    return err;
}

uint64_t log_next_seq(void)
{
    return atomic_load_acquire(&next_seq);
}

size_t log_capacity(void)
{
    return LOG_TEXT_BYTES;
}
