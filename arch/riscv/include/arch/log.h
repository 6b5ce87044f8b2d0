// SPDX-License-Identifier: BSD-2-Clause
// The kernel log: a ring that /dev/kmsg and dmesg read, and the way to the console. It lives here
// because it must work before anything else does: it needs interrupts off, atomics and the SBI
// console, and every layer above uses it. Any context, also with locks held.
#pragma once

#include <lib/types.h>

enum log_level {
    LOG_EMERG,
    LOG_ALERT,
    LOG_CRIT,
    LOG_ERR,
    LOG_WARN,
    LOG_NOTICE,
    LOG_INFO,
    LOG_DEBUG
};

void log_write(enum log_level level, const char *fmt, ...) __printf(2, 3);
#define log_err(...)   log_write(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

// Messages of a level below `level` go to the console too (loglevel=, quiet). Default 7.
void log_set_console_level(int level);
int log_console_level(void);

// Where console text goes. Until one is set: sbi_console_write. Called with interrupts off.
typedef void (*log_sink_fn)(const char *text, size_t n);
void log_set_sink(log_sink_fn sink);

// One record of the ring, for readers.
struct log_record {
    uint64_t seq;
    uint64_t time_ns; // monotonic
    enum log_level level;
    uint16_t length; // of text; no newline, no NUL needed
};
// Read the first record with seq >= *seq into text[size]; *seq becomes the one after it. 0, or
// -EAGAIN: none yet; -EPIPE: it was overwritten, *seq moved to the oldest.
int log_read(uint64_t *seq, struct log_record *record, char *text, size_t size);
uint64_t log_next_seq(void);
// Called (interrupts off) after each new record, to wake readers. NULL: nobody.
void log_set_notify(void (*notify)(void));
size_t log_capacity(void); // bytes
