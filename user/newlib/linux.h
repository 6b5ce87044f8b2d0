// SPDX-License-Identifier: BSD-2-Clause
// The kernel's side of the port: raw system calls of the Linux riscv64 ABI, whose numbers,
// structures and constants differ from newlib's in places. Programs use it for what newlib has no
// function for (mount, getdents64, reboot); port.c for everything else.
#pragma once

#include <stddef.h>
#include <stdint.h>

// asm-generic/unistd.h
enum linux_nr {
    LINUX_getcwd = 17,
    LINUX_mkdirat = 34,
    LINUX_unlinkat = 35,
    LINUX_linkat = 37,
    LINUX_mount = 40,
    LINUX_chdir = 49,
    LINUX_openat = 56,
    LINUX_close = 57,
    LINUX_pipe2 = 59,
    LINUX_getdents64 = 61,
    LINUX_lseek = 62,
    LINUX_read = 63,
    LINUX_write = 64,
    LINUX_newfstatat = 79,
    LINUX_fstat = 80,
    LINUX_exit_group = 94,
    LINUX_nanosleep = 101,
    LINUX_clock_gettime = 113,
    LINUX_syslog = 116,
    LINUX_kill = 129,
    LINUX_rt_sigaction = 134,
    LINUX_rt_sigprocmask = 135,
    LINUX_reboot = 142,
    LINUX_times = 153,
    LINUX_uname = 160,
    LINUX_gettimeofday = 169,
    LINUX_getpid = 172,
    LINUX_brk = 214,
    LINUX_munmap = 215,
    LINUX_clone = 220,
    LINUX_execve = 221,
    LINUX_mmap = 222,
    LINUX_wait4 = 260,
    LINUX_getrandom = 278,
    LINUX_ioctl = 29,
    LINUX_setsid = 157,
    LINUX_sync = 81,
};

#define LINUX_AT_FDCWD         (-100)
#define LINUX_SIGCHLD          17
#define LINUX_PROT_READ        1
#define LINUX_PROT_WRITE       2
#define LINUX_MAP_PRIVATE      2
#define LINUX_MAP_ANON         0x20
#define LINUX_REBOOT_MAGIC1    0xfee1deadUL
#define LINUX_REBOOT_MAGIC2    672274793UL
#define LINUX_REBOOT_POWER_OFF 0x4321fedcUL
#define LINUX_REBOOT_RESTART   0x01234567UL

struct linux_dirent {
    uint64_t ino;
    int64_t next;
    uint16_t length;
    uint8_t type; // DT_DIR 4, DT_REG 8 ...
    char name[];
};

struct linux_uname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

// The kernel's result as it is: a value or -errno in Linux's numbering.
long linux_syscall(long nr, ...);
// The same, with newlib's errno set and -1 returned on error.
long linux_call(long nr, ...);
