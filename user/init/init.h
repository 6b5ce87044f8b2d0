// SPDX-License-Identifier: BSD-2-Clause
// The rescue init: pid 1 when no initramfs came. Says what was found on the board, checks that the
// kernel's basic services work, and offers a small prompt.
#pragma once

#include <stddef.h>

// report.c: the board as /proc and /sys tell it.
void report_board(void);
void report_file(const char *title, const char *path); // a file's text under a title

// checks.c: run every check, print a line each. How many failed.
int checks_run(void);

// prompt.c: read and run commands until the input ends.
void prompt_run(void);

// files.c
// Read a whole (small) file, NUL-terminated. Its length, or -1 with errno.
int file_read(const char *path, char *buf, size_t size);
// Call fn for each name in a directory but . and .. ; -1 with errno when it can't be read.
int dir_for_each(const char *path, void (*fn)(const char *name, void *ctx), void *ctx);
