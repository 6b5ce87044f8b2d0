// SPDX-License-Identifier: BSD-2-Clause
// The vDSO as the C library and programs that read it themselves find it: an ELF object with the
// functions of vdso(7), whose clocks agree with the kernel's and need no system call.
#include "ktap.h"
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>

static const char *base;

static const void *section_of(long tag)
{
    const Elf64_Ehdr *e = (const void *)base;
    const Elf64_Phdr *p = (const void *)(base + e->e_phoff);
    for (int i = 0; i < e->e_phnum; i++)
        if (p[i].p_type == PT_DYNAMIC)
            for (const Elf64_Dyn *d = (const void *)(base + p[i].p_vaddr); d->d_tag; d++)
                if (d->d_tag == tag)
                    return base + d->d_un.d_ptr;
    return NULL;
}

static void *find(const char *name)
{
    base = (const char *)getauxval(AT_SYSINFO_EHDR);
    CHECK(base != NULL);
    CHECK(memcmp(base, ELFMAG, SELFMAG) == 0);
    const uint32_t *hash = section_of(DT_HASH);
    const Elf64_Sym *symbols = section_of(DT_SYMTAB);
    const char *strings = section_of(DT_STRTAB);
    CHECK(symbols && strings);
    // Linux 6.12 and later have DT_GNU_HASH alone; the symbols end where the strings begin.
    size_t n = hash ? hash[1] : (size_t)(strings - (const char *)symbols) / sizeof(*symbols);
    for (size_t i = 0; i < n; i++)
        if (strcmp(strings + symbols[i].st_name, name) == 0)
            return (void *)(base + symbols[i].st_value);
    return NULL;
}

static int64_t ns_of(const struct timespec *t)
{
    return t->tv_sec * 1000000000L + t->tv_nsec;
}

TEST(clocks_agree_with_the_kernel)
{
    int (*gettime)(clockid_t, struct timespec *) = find("__vdso_clock_gettime");
    const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
                                CLOCK_MONOTONIC_RAW};
    CHECK(gettime != NULL);
    for (int round = 0; round < 1000; round++)
        for (unsigned int i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
            struct timespec before, between, after;
            CHECK_EQ(syscall(SYS_clock_gettime, clocks[i], &before), 0);
            CHECK_EQ(gettime(clocks[i], &between), 0);
            CHECK_EQ(syscall(SYS_clock_gettime, clocks[i], &after), 0);
            CHECK(ns_of(&before) <= ns_of(&between) && ns_of(&between) <= ns_of(&after));
        }
    struct timespec cpu;
    CHECK_EQ(gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu), 0);
    CHECK(ns_of(&cpu) > 0);
    CHECK(gettime(12345, &cpu) != 0);
}

TEST(time_of_day_follows_settings)
{
    struct timespec now, later;
    struct timeval day;
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
    struct timespec set = {now.tv_sec + 5000, now.tv_nsec};
    CHECK_EQ(clock_settime(CLOCK_REALTIME, &set), 0);
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &later), 0);
    CHECK(later.tv_sec >= now.tv_sec + 5000);
    CHECK_EQ(gettimeofday(&day, NULL), 0);
    CHECK(day.tv_sec >= later.tv_sec && day.tv_sec < later.tv_sec + 10);
    set.tv_sec = later.tv_sec - 5000;
    CHECK_EQ(clock_settime(CLOCK_REALTIME, &set), 0);
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &later), 0);
    CHECK(later.tv_sec < now.tv_sec + 100);
}

TEST(other_functions_are_there)
{
    int (*getres)(clockid_t, struct timespec *) = find("__vdso_clock_getres");
    int (*cpu_of)(unsigned int *, unsigned int *, void *) = find("__vdso_getcpu");
    int (*flush)(void *, void *, unsigned long) = find("__vdso_flush_icache");
    int (*timeofday)(struct timeval *, void *) = find("__vdso_gettimeofday");
    struct timespec r;
    struct timeval t;
    unsigned int cpu = 1000;
    CHECK(getres && cpu_of && flush && timeofday && find("__vdso_rt_sigreturn"));
    CHECK_EQ(getres(CLOCK_MONOTONIC, &r), 0);
    CHECK_EQ(r.tv_nsec, 1);
    CHECK_EQ(cpu_of(&cpu, NULL, NULL), 0);
    CHECK(cpu < 64);
    CHECK_EQ(flush((void *)base, (void *)(base + 64), 0), 0);
    CHECK_EQ(timeofday(&t, NULL), 0);
    CHECK(t.tv_usec >= 0 && t.tv_usec < 1000000);
}

// Nobody may write what every program reads.
TEST(pages_are_read_only)
{
    int (*gettime)(clockid_t, struct timespec *) = find("__vdso_clock_gettime");
    CHECK(gettime != NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        *(volatile char *)base = 0;
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
