// SPDX-License-Identifier: BSD-2-Clause
// newlib on Vireo (and on Linux: nothing here is ours alone): the system calls that newlib's libc
// expects (newlib manual, "System Calls"), with flags, errors and structures translated, since
// newlib's numbers are not Linux's.

#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

#undef errno
extern int errno;

char **environ;

extern int main(int argc, char **argv, char **envp);
extern void __libc_init_array(void);
void port_start(long *stack) __attribute__((noreturn));

void port_start(long *stack)
{
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);

    environ = argv + argc + 1;
    __libc_init_array();
    exit(main(argc, argv, environ));
}

void _init(void)
{
}

void _fini(void)
{
}

// Up to 34 (ERANGE) the numbers agree; above, each has its own history.
static int errno_from_linux(int e)
{
    static const struct {
        int linux, newlib;
    } table[] = {
        {35, EDEADLK},    {36, ENAMETOOLONG},  {37, ENOLCK},       {38, ENOSYS},
        {39, ENOTEMPTY},  {40, ELOOP},         {75, EOVERFLOW},    {84, EILSEQ},
        {88, ENOTSOCK},   {95, ENOTSUP},       {97, EAFNOSUPPORT}, {98, EADDRINUSE},
        {110, ETIMEDOUT}, {111, ECONNREFUSED},
    };

    if (e <= 34)
        return e;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].linux == e)
            return table[i].newlib;
    return EIO;
}

static long set_errno(long result)
{
    if (result >= 0 || result < -4095)
        return result;
    errno = errno_from_linux((int)-result);
    return -1;
}

long linux_call(long nr, ...)
{
    long a[6];
    va_list args;

    va_start(args, nr);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    return set_errno(linux_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]));
}

static long open_flags_to_linux(int flags)
{
    static const struct {
        int newlib;
        long linux;
    } table[] = {
        {O_CREAT, 0100},        {O_EXCL, 0200},        {O_NOCTTY, 0400},
        {O_TRUNC, 01000},       {O_APPEND, 02000},     {O_NONBLOCK, 04000},
        {O_DIRECTORY, 0200000}, {O_NOFOLLOW, 0400000}, {O_CLOEXEC, 02000000},
    };
    long result = flags & O_ACCMODE;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (flags & table[i].newlib)
            result |= table[i].linux;
    return result;
}

int _open(const char *name, int flags, int mode)
{
    return (int)linux_call(LINUX_openat, LINUX_AT_FDCWD, name, open_flags_to_linux(flags), mode);
}

int _close(int fd)
{
    return (int)linux_call(LINUX_close, fd);
}

_ssize_t _read(int fd, void *buf, size_t n)
{
    return linux_call(LINUX_read, fd, buf, n);
}

_ssize_t _write(int fd, const void *buf, size_t n)
{
    return linux_call(LINUX_write, fd, buf, n);
}

_off_t _lseek(int fd, _off_t offset, int whence)
{
    return linux_call(LINUX_lseek, fd, offset, whence);
}

struct linux_stat { // asm-generic/stat.h
    uint64_t dev, ino;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev, pad1;
    int64_t size;
    int32_t blksize, pad2;
    int64_t blocks, atime;
    uint64_t atime_ns;
    int64_t mtime;
    uint64_t mtime_ns;
    int64_t ctime;
    uint64_t ctime_ns;
    uint32_t unused[2];
};

static void stat_from_linux(struct stat *st, const struct linux_stat *l)
{
    memset(st, 0, sizeof(*st));
    st->st_dev = (dev_t)l->dev;
    st->st_ino = (ino_t)l->ino;
    st->st_mode = l->mode;
    st->st_nlink = (nlink_t)l->nlink;
    st->st_uid = (uid_t)l->uid;
    st->st_gid = (gid_t)l->gid;
    st->st_rdev = (dev_t)l->rdev;
    st->st_size = l->size;
    st->st_blksize = l->blksize;
    st->st_blocks = l->blocks;
    st->st_mtime = l->mtime;
}

int _fstat(int fd, struct stat *st)
{
    struct linux_stat l;
    long err = linux_call(LINUX_fstat, fd, &l);

    if (err == 0)
        stat_from_linux(st, &l);
    return (int)err;
}

int _stat(const char *name, struct stat *st)
{
    struct linux_stat l;
    long err = linux_call(LINUX_newfstatat, LINUX_AT_FDCWD, name, &l, 0);

    if (err == 0)
        stat_from_linux(st, &l);
    return (int)err;
}

int _isatty(int fd)
{
    struct stat st;

    return _fstat(fd, &st) == 0 && S_ISCHR(st.st_mode);
}

int _link(const char *old, const char *new)
{
    return (int)linux_call(LINUX_linkat, LINUX_AT_FDCWD, old, LINUX_AT_FDCWD, new, 0);
}

int _unlink(const char *name)
{
    return (int)linux_call(LINUX_unlinkat, LINUX_AT_FDCWD, name, 0);
}

int mkdir(const char *name, mode_t mode)
{
    return (int)linux_call(LINUX_mkdirat, LINUX_AT_FDCWD, name, mode);
}

int chdir(const char *name)
{
    return (int)linux_call(LINUX_chdir, name);
}

void *_sbrk(ptrdiff_t increment)
{
    static uintptr_t now;

    if (now == 0)
        now = (uintptr_t)linux_syscall(LINUX_brk, 0);
    uintptr_t wanted = now + (uintptr_t)increment;
    if ((uintptr_t)linux_syscall(LINUX_brk, wanted) != wanted) {
        errno = ENOMEM;
        return (void *)-1;
    }
    uintptr_t before = now;
    now = wanted;
    return (void *)before;
}

void _exit(int status)
{
    for (;;)
        linux_syscall(LINUX_exit_group, status);
}

int _getpid(void)
{
    return (int)linux_syscall(LINUX_getpid);
}

// Signal numbers that differ: newlib follows 4.3BSD above SIGTERM.
static int signal_to_linux(int sig)
{
    switch (sig) {
    case SIGUSR1:
        return 10;
    case SIGUSR2:
        return 12;
    case SIGCHLD:
        return 17;
    case SIGCONT:
        return 18;
    case SIGSTOP:
        return 19;
    case SIGBUS:
        return 7;
    default:
        return sig;
    }
}

int _kill(int pid, int sig)
{
    return (int)linux_call(LINUX_kill, pid, signal_to_linux(sig));
}

int _fork(void)
{
    return (int)linux_call(LINUX_clone, LINUX_SIGCHLD, 0, 0, 0, 0);
}

int _execve(const char *name, char *const argv[], char *const envp[])
{
    return (int)linux_call(LINUX_execve, name, argv, envp);
}

// Status has the same layout on both sides.
int _wait(int *status)
{
    return (int)linux_call(LINUX_wait4, -1, status, 0, 0);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    return (pid_t)linux_call(LINUX_wait4, pid, status, options, 0);
}

clock_t _times(struct tms *t)
{
    return (clock_t)linux_call(LINUX_times, t);
}

int _gettimeofday(struct timeval *tv, void *tz)
{
    struct {
        int64_t seconds, microseconds;
    } l;
    long err = linux_call(LINUX_gettimeofday, &l, 0);

    (void)tz;
    tv->tv_sec = l.seconds;
    tv->tv_usec = (suseconds_t)l.microseconds;
    return (int)err;
}

int pipe(int fds[2])
{
    return (int)linux_call(LINUX_pipe2, fds, 0);
}
