// SPDX-License-Identifier: BSD-2-Clause
// The kernel command line (/chosen/bootargs): Linux's words console= earlycon root= rdinit= init=
// loglevel= maxcpus= panic= quiet ro rw; what follows `--` and unknown words go to init, as Linux
// does.
#pragma once

#include <lib/types.h>

struct cmdline {
    char text[2048];  // as given, for /proc/cmdline
    const char *init; // init= / rdinit=
    const char *console;
    int loglevel; // -1: default
    unsigned int maxcpus;
    int panic_seconds; // 0: stay
    const char *init_argv[32], *init_envp[32];
};
extern struct cmdline cmdline;
void cmdline_parse(const char *bootargs);
