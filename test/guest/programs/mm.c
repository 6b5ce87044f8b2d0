// SPDX-License-Identifier: BSD-2-Clause
// Memory as a process sees it: mmap, munmap, mprotect, brk, copy on write, stack growth, private
// file mappings, and the signal code of every kind of fault.
#include "ktap.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

enum { PAGE = 4096 };

static sigjmp_buf jump;
static volatile int fault_signal, fault_code;
static void *volatile fault_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    fault_signal = number;
    fault_code = info->si_code;
    fault_address = info->si_addr;
    siglongjmp(jump, 1);
}

static void catch_faults(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
    CHECK_EQ(sigaction(SIGBUS, &action, NULL), 0);
    CHECK_EQ(sigaction(SIGILL, &action, NULL), 0);
}

// The statement must fault with this signal, code and address.
#define FAULTS(statement, number, code, address)                                                   \
    do {                                                                                           \
        fault_signal = 0;                                                                          \
        if (sigsetjmp(jump, 1) == 0) {                                                             \
            statement;                                                                             \
            note("%s:%d: no fault: %s", __FILE__, __LINE__, #statement);                           \
            ktap_fail();                                                                           \
        }                                                                                          \
        CHECK_EQ(fault_signal, number);                                                            \
        CHECK_EQ(fault_code, code);                                                                \
        CHECK_EQ(fault_address, address);                                                          \
    } while (0)

static char *anonymous(size_t size)
{
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

TEST(anonymous_memory_is_zero_and_private)
{
    char *p = anonymous(64 * PAGE);
    for (int i = 0; i < 64 * PAGE; i++)
        CHECK_EQ(p[i], 0);
    for (int i = 0; i < 64; i++)
        p[i * PAGE] = (char)i;
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 64; i++) {
            if (p[i * PAGE] != (char)i)
                _exit(1);
            p[i * PAGE] = 99;
        }
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    for (int i = 0; i < 64; i++)
        CHECK_EQ(p[i * PAGE], i);
}

TEST(copy_on_write_both_ways_through_three_generations)
{
    char *p = anonymous(16 * PAGE);
    memset(p, 'a', 16 * PAGE);
    pid_t pid = fork();
    if (pid == 0) {
        memset(p, 'b', 8 * PAGE);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            memset(p, 'c', 4 * PAGE);
            _exit(p[0] != 'c' || p[4 * PAGE] != 'b' || p[8 * PAGE] != 'a');
        }
        int status;
        waitpid(grandchild, &status, 0);
        _exit(status != 0 || p[0] != 'b' || p[8 * PAGE] != 'a');
    }
    memset(p + 12 * PAGE, 'd', 4 * PAGE);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(p[0], 'a');
    CHECK_EQ(p[12 * PAGE], 'd');
}

TEST(shared_anonymous_memory_is_seen_by_the_child)
{
    int *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    pid_t pid = fork();
    if (pid == 0) {
        p[5] = 1234;
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK_EQ(p[5], 1234);
}

TEST(faults_have_the_right_code_and_address)
{
    catch_faults();
    volatile char *p = anonymous(4 * PAGE);
    FAULTS(*(volatile char *)16 = 1, SIGSEGV, SEGV_MAPERR, 16);
    FAULTS((void)*(volatile char *)0x2000000000UL, SIGSEGV, SEGV_MAPERR, 0x2000000000UL);
    FAULTS((void)*(volatile char *)-4096UL, SIGSEGV, SEGV_MAPERR, -4096L);
    CHECK_EQ(mprotect((void *)p, PAGE, PROT_READ), 0);
    FAULTS(p[8] = 1, SIGSEGV, SEGV_ACCERR, p + 8);
    CHECK_EQ(p[8], 0);
    CHECK_EQ(mprotect((void *)p, PAGE, PROT_NONE), 0);
    FAULTS((void)p[8], SIGSEGV, SEGV_ACCERR, p + 8);
    FAULTS(((void (*)(void))(uintptr_t)(p + PAGE))(), SIGSEGV, SEGV_ACCERR, p + PAGE);
    CHECK_EQ(munmap((void *)(p + 2 * PAGE), PAGE), 0);
    FAULTS(p[2 * PAGE + 1] = 1, SIGSEGV, SEGV_MAPERR, p + 2 * PAGE + 1);
    p[3 * PAGE] = 7;
    CHECK_EQ(p[3 * PAGE], 7);
}

TEST(kernel_addresses_fault_in_user_mode)
{
    catch_faults();
    fault_signal = 0;
    if (sigsetjmp(jump, 1) == 0) {
        *(volatile char *)0xffffffff80000000UL = 1;
        CHECK(!"wrote to the kernel");
    }
    CHECK_EQ(fault_signal, SIGSEGV);
    fault_signal = 0;
    if (sigsetjmp(jump, 1) == 0) {
        ((void (*)(void))0xffffffc000000000UL)();
        CHECK(!"ran the kernel");
    }
    CHECK_EQ(fault_signal, SIGSEGV);
}

TEST(illegal_instruction)
{
    catch_faults();
    fault_signal = 0;
    if (sigsetjmp(jump, 1) == 0)
        __asm__ volatile(".4byte 0");
    CHECK_EQ(fault_signal, SIGILL);
    CHECK_EQ(fault_code, ILL_ILLOPC);
    if (sigsetjmp(jump, 1) == 0)
        __asm__ volatile("csrr t0, sstatus" ::: "t0");
    CHECK_EQ(fault_signal, SIGILL);
}

TEST(ebreak_is_sigtrap)
{
    fault_signal = 0;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    if (sigsetjmp(jump, 1) == 0)
        __asm__ volatile("ebreak");
    CHECK_EQ(fault_signal, SIGTRAP);
}

TEST(mprotect_splits_and_restores)
{
    catch_faults();
    volatile char *p = anonymous(5 * PAGE);
    memset((void *)p, 1, 5 * PAGE);
    CHECK_EQ(mprotect((void *)(p + PAGE), 3 * PAGE, PROT_READ), 0);
    p[0] = 2;
    p[4 * PAGE] = 2;
    FAULTS(p[PAGE] = 2, SIGSEGV, SEGV_ACCERR, p + PAGE);
    FAULTS(p[3 * PAGE] = 2, SIGSEGV, SEGV_ACCERR, p + 3 * PAGE);
    CHECK_EQ(mprotect((void *)(p + 2 * PAGE), PAGE, PROT_READ | PROT_WRITE), 0);
    p[2 * PAGE] = 3;
    CHECK_EQ(p[PAGE] + p[2 * PAGE] + p[3 * PAGE], 5);
    CHECK_EQ(munmap((void *)(p + 2 * PAGE), PAGE), 0);
    CHECK_ERRNO(mprotect((void *)p, 5 * PAGE, PROT_READ | PROT_WRITE), ENOMEM);
    CHECK_ERRNO(mprotect((void *)(p + 1), PAGE, PROT_READ), EINVAL);
}

TEST(mmap_checks_its_arguments)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
    CHECK_ERRNO(mmap(NULL, 0, rw, flags, -1, 0), EINVAL);
    CHECK_ERRNO(mmap(NULL, PAGE, rw, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO(mmap((void *)1, PAGE, rw, flags | MAP_FIXED, -1, 0), EINVAL);
    CHECK_ERRNO(mmap(NULL, PAGE, rw, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERRNO(mmap(NULL, 1UL << 50, rw, flags, -1, 0), ENOMEM);
    CHECK_ERRNO(mmap(NULL, -PAGE, rw, flags, -1, 0), ENOMEM);
    CHECK_ERRNO(syscall(SYS_mmap, NULL, PAGE, rw, flags, -1, 1), EINVAL);
    CHECK_ERRNO(munmap((void *)1, PAGE), EINVAL);
    CHECK_ERRNO(munmap(NULL, 0), EINVAL);
    CHECK_EQ(munmap((void *)0x2000000000UL, PAGE), 0);
    int fd = open("/bin/busybox", O_RDONLY);
    CHECK_ERRNO(syscall(SYS_mmap, NULL, PAGE, rw, MAP_PRIVATE, fd, 100), EINVAL);
    CHECK_ERRNO(mmap(NULL, PAGE, rw, MAP_SHARED, fd, 0), EACCES);
    int pipe_fds[2];
    CHECK_EQ(pipe(pipe_fds), 0);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipe_fds[0], 0), ENODEV);
}

TEST(fixed_replaces_and_noreplace_does_not)
{
    char *p = anonymous(4 * PAGE);
    memset(p, 5, 4 * PAGE);
    int rw = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    CHECK(mmap(p + PAGE, PAGE, rw, flags | MAP_FIXED, -1, 0) == p + PAGE);
    CHECK_EQ(p[PAGE], 0);
    CHECK_EQ(p[0] + p[2 * PAGE], 10);
    CHECK_ERRNO(mmap(p, PAGE, rw, flags | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK_EQ(munmap(p, 4 * PAGE), 0);
    CHECK(mmap(p, PAGE, rw, flags | MAP_FIXED_NOREPLACE, -1, 0) == p);
}

TEST(munmap_of_middle_then_all)
{
    for (int round = 0; round < 200; round++) {
        char *p = anonymous(32 * PAGE);
        for (int i = 0; i < 32; i += 3)
            p[i * PAGE] = 1;
        CHECK_EQ(munmap(p + 7 * PAGE, 3 * PAGE), 0);
        CHECK_EQ(munmap(p + 20 * PAGE, PAGE), 0);
        CHECK_EQ(p[6 * PAGE], 1);
        CHECK_EQ(munmap(p, 32 * PAGE), 0);
    }
}

TEST(brk_grows_and_shrinks)
{
    char *start = sbrk(0);
    CHECK(sbrk(100000) == start);
    for (int i = 0; i < 100000; i++)
        CHECK_EQ(start[i], 0);
    memset(start, 1, 100000);
    CHECK_EQ(brk(start), 0);
    CHECK(sbrk(100000) == start);
    CHECK_EQ(start[99999 / 2], 0);
    CHECK_EQ(syscall(SYS_brk, 0), (long)(start + 100000));
    CHECK_EQ(syscall(SYS_brk, 1UL << 60), (long)(start + 100000));
}

static int deep(int levels)
{
    volatile char frame[4096];
    memset((char *)frame, levels, sizeof(frame));
    return levels == 0 ? frame[1] : deep(levels - 1) + frame[4095] * 0;
}

TEST(stack_grows_to_7_mib)
{
    CHECK_EQ(deep(7 * 256 - 64), 0);
}

static void overflow_stack(void)
{
    deep(1 << 20);
}

TEST(stack_ends_at_its_limit)
{
    int status = in_child(overflow_stack);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(private_file_mapping)
{
    char name[] = "/tmp/mmXXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    for (int i = 0; i < 3; i++) {
        char page[PAGE];
        memset(page, 'a' + i, PAGE);
        CHECK_EQ(write(fd, page, i == 2 ? 100 : PAGE), i == 2 ? 100 : PAGE);
    }
    char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED);
    char *second = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    CHECK(second != MAP_FAILED);
    CHECK_EQ(p[0], 'a');
    CHECK_EQ(second[17], 'b');
    CHECK_EQ(p[2 * PAGE + 99], 'c');
    CHECK_EQ(p[2 * PAGE + 100], 0);
    p[PAGE] = 'X';
    CHECK_EQ(second[0], 'b');
    char byte;
    CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQ(byte, 'b');
    catch_faults();
    FAULTS((void)*(volatile char *)(p + 3 * PAGE), SIGBUS, BUS_ADRERR, p + 3 * PAGE);
    close(fd);
    CHECK_EQ(p[2 * PAGE], 'c');
    CHECK_EQ(unlink(name), 0);
    CHECK_EQ(second[PAGE - 1], 'b');
}

TEST(shared_file_mapping_and_msync)
{
    char name[] = "/tmp/mmXXXXXX";
    int fd = mkstemp(name);
    CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    unlink(name);
    if (p == MAP_FAILED && (errno == ENODEV || errno == EINVAL || errno == EOPNOTSUPP))
        SKIP("shared file mappings are issue 3's");
    CHECK(p != MAP_FAILED);
    p[PAGE + 3] = 'w';
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, PAGE + 3), 1);
    CHECK_EQ(byte, 'w');
    CHECK_EQ(pwrite(fd, "r", 1, 9), 1);
    CHECK_EQ(p[9], 'r');
    CHECK_EQ(msync(p, 2 * PAGE, MS_SYNC), 0);
}

TEST(system_calls_answer_efault_for_bad_pointers)
{
    char *hole = anonymous(3 * PAGE);
    CHECK_EQ(munmap(hole + PAGE, PAGE), 0);
    int fd = open("/dev/zero", O_RDWR), pipe_fds[2];
    CHECK_EQ(pipe(pipe_fds), 0);
    void *bad[] = {(void *)8, hole + PAGE, (void *)0x7fffffff0000UL, (void *)0xffffffc000000000UL,
                   (void *)-1L};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_ERRNO(syscall(SYS_read, fd, bad[i], 64), EFAULT);
        CHECK_ERRNO(syscall(SYS_write, pipe_fds[1], bad[i], 64), EFAULT);
        CHECK_ERRNO(syscall(SYS_openat, AT_FDCWD, bad[i], O_RDONLY, 0), EFAULT);
        CHECK_ERRNO(syscall(SYS_getcwd, bad[i], 100), EFAULT);
        CHECK_ERRNO(syscall(SYS_nanosleep, bad[i], NULL), EFAULT);
        CHECK_ERRNO(syscall(SYS_clock_gettime, 0, bad[i]), EFAULT);
        CHECK_ERRNO(syscall(SYS_newfstatat, AT_FDCWD, "/", bad[i], 0), EFAULT);
        CHECK_ERRNO(syscall(SYS_pipe2, bad[i], 0), EFAULT);
        CHECK_ERRNO(syscall(SYS_uname, bad[i]), EFAULT);
        CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, bad[i], NULL, 8), EFAULT);
        CHECK_ERRNO(syscall(SYS_writev, pipe_fds[1], bad[i], 2), EFAULT);
        CHECK_ERRNO(syscall(SYS_getrandom, bad[i], 16, 0), EFAULT);
        CHECK_ERRNO(syscall(SYS_execve, bad[i], NULL, NULL), EFAULT);
    }
    // Up to the edge of a hole counts as a short transfer.
    CHECK_EQ(write(pipe_fds[1], hole + PAGE - 10, 10), 10);
    CHECK_EQ(read(pipe_fds[0], hole + PAGE - 10, 10), 10);
    // A string that ends just at the hole is read without touching it.
    strcpy(hole + PAGE - 10, "/dev/null");
    int null = open(hole + PAGE - 10, O_RDONLY);
    CHECK(null >= 0);
    memset(hole + PAGE - 10, '/', 10);
    CHECK_ERRNO(open(hole + PAGE - 10, O_RDONLY), EFAULT);
}

TEST(system_calls_fault_pages_in_and_break_copy_on_write)
{
    char *p = anonymous(8 * PAGE);
    int fd = open("/dev/zero", O_RDONLY);
    memset(p, 3, 8 * PAGE);
    pid_t pid = fork();
    if (pid == 0) {
        // A read into pages that the parent still shares must not reach the parent.
        _exit(read(fd, p, 8 * PAGE) != 8 * PAGE || p[5 * PAGE]);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(p[5 * PAGE], 3);
    char *untouched = anonymous(4 * PAGE);
    CHECK_EQ(read(fd, untouched, 4 * PAGE), 4 * PAGE);
    mprotect(p, PAGE, PROT_READ);
    CHECK_ERRNO(read(fd, p, 16), EFAULT);
}

TEST(readv_writev_with_many_parts)
{
    int pipe_fds[2];
    CHECK_EQ(pipe(pipe_fds), 0);
    char a[3] = "abc", b[4] = "defg", c[10] = {0};
    struct iovec out[] = {{a, 3}, {NULL, 0}, {b, 4}}, in[] = {{c, 2}, {c + 2, 8}};
    CHECK_EQ(writev(pipe_fds[1], out, 3), 7);
    CHECK_EQ(readv(pipe_fds[0], in, 2), 7);
    CHECK_EQ(memcmp(c, "abcdefg", 7), 0);
    CHECK_ERRNO(writev(pipe_fds[1], out, -1), EINVAL);
    CHECK_ERRNO(writev(pipe_fds[1], out, 1025), EINVAL);
}

TEST(madvise_dontneed_gives_zeroes)
{
    char *p = anonymous(4 * PAGE);
    memset(p, 9, 4 * PAGE);
    CHECK_EQ(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(p[0], 9);
    CHECK_EQ(p[PAGE], 0);
    CHECK_EQ(p[3 * PAGE], 9);
}

TEST(mremap_grows_in_place_or_moves)
{
    char *p = anonymous(2 * PAGE);
    memset(p, 6, 2 * PAGE);
    char *q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    if (q == MAP_FAILED && errno == ENOSYS)
        SKIP("mremap is issue 3's");
    CHECK(q != MAP_FAILED);
    CHECK_EQ(q[2 * PAGE - 1], 6);
    CHECK_EQ(q[2 * PAGE], 0);
    CHECK(mremap(q, 64 * PAGE, PAGE, 0) == q);
    CHECK_EQ(q[0], 6);
}

TEST(proc_maps_lists_what_mmap_made)
{
    char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char want[64], line[400];
    snprintf(want, sizeof(want), "%08lx-%08lx r-xp 00000000 00:00 0", (long)p, (long)p + 3 * PAGE);
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps);
    bool found = false, stack = false;
    unsigned long before = 0, start, end;
    while (fgets(line, sizeof(line), maps)) {
        CHECK_EQ(sscanf(line, "%lx-%lx", &start, &end), 2);
        CHECK(start >= before && end > start);
        before = end;
        found |= !strncmp(line, want, strlen(want));
        stack |=
            strstr(line, "[stack]") != NULL && start < (unsigned long)&p && end > (unsigned long)&p;
    }
    fclose(maps);
    CHECK(found);
    CHECK(stack);
}

TEST(address_space_limit)
{
    struct rlimit limit = {64 << 20, 64 << 20};
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    CHECK_ERRNO(mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK(mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

TEST_SECONDS(touch_64_mib_then_give_it_back, 60)
{
    for (int round = 0; round < 2; round++) {
        char *p = anonymous(64 << 20);
        for (long i = 0; i < 64 << 20; i += PAGE)
            *(long *)(p + i) = i;
        for (long i = 0; i < 64 << 20; i += PAGE)
            CHECK_EQ(*(long *)(p + i), i);
        CHECK_EQ(munmap(p, 64 << 20), 0);
    }
}
