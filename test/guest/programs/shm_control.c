// SPDX-License-Identifier: BSD-2-Clause
// System V shared memory as it is administered: limits, locks, SHM_INFO, /proc/sysvipc/shm,
// /proc/PID/maps, forced removal.
#include "shm.h"
#include <sys/resource.h>

TEST(limits_can_be_lowered)
{
    unsigned long max = sysctl_read("shmmax"), number = sysctl_read("shmmni");
    CHECK_EQ(max, ~0UL - (1UL << 24));
    CHECK_EQ(sysctl_read("shmall"), ~0UL - (1UL << 24));
    CHECK_EQ(number, 4096);
    CHECK_EQ(sysctl_read("shm_rmid_forced"), 0);
    char text[32], all[32];
    CHECK_EQ(sysctl_write("shmmax", "8192\n"), 0);
    CHECK_ERRNO(shmget(IPC_PRIVATE, 8193, 0600), EINVAL);
    drop(private_segment(8192));
    snprintf(all, sizeof(all), "%lu\n", max);
    CHECK_EQ(sysctl_write("shmmax", all), 0);
    CHECK_EQ(sysctl_write("shmmni", "40000\n"), EINVAL);
    snprintf(text, sizeof(text), "%d\n", usage_now().used_ids + 2);
    CHECK_EQ(sysctl_write("shmmni", text), 0);
    int a = private_segment(PAGE), b = private_segment(PAGE);
    int c = shmget(IPC_PRIVATE, PAGE, 0600), c_errno = errno;
    drop(a);
    drop(private_segment(PAGE));
    drop(b);
    CHECK_EQ(sysctl_write("shmmni", "4096\n"), 0);
    CHECK(c == -1 && c_errno == ENOSPC);
    snprintf(text, sizeof(text), "%lu\n", usage_now().shm_tot + 3);
    CHECK_EQ(sysctl_write("shmall", text), 0);
    a = private_segment(2 * PAGE);
    c = shmget(IPC_PRIVATE, PAGE + 1, 0600), c_errno = errno;
    drop(a);
    drop(private_segment(3 * PAGE));
    CHECK_EQ(sysctl_write("shmall", all), 0);
    CHECK(c == -1 && c_errno == ENOSPC);
    CHECK_EQ(sysctl_write("shmall", "x\n"), EINVAL);
}

TEST(more_than_the_machine_has)
{
    CHECK_ERRNO(shmget(IPC_PRIVATE, 1UL << 45, 0600), ENOMEM);
    int id = shmget(IPC_PRIVATE, 1UL << 36, SHM_NORESERVE | 0600);
    CHECK(id >= 0);
    CHECK_EQ(stat_of(id).shm_segsz, 1UL << 36);
    drop(id);
    // No huge pages are set aside.
    CHECK_ERRNO(shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600), ENOMEM);
    AS_USER(1000, 1000, CHECK_ERRNO(shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600), EPERM));
}

TEST(lock_shows_in_the_mode)
{
    int id = private_segment(PAGE);
    CHECK_EQ(shmctl(id, SHM_LOCK, NULL), 0);
    CHECK_EQ(stat_of(id).shm_perm.mode, 02600);
    struct shmid_ds ds = stat_of(id);
    ds.shm_perm.mode = 0644;
    CHECK_EQ(shmctl(id, IPC_SET, &ds), 0);
    CHECK_EQ(stat_of(id).shm_perm.mode, 02644);
    CHECK_EQ(shmctl(id, SHM_UNLOCK, NULL), 0);
    CHECK_EQ(stat_of(id).shm_perm.mode, 0644);
    drop(id);
}

static void lock_within_limit(void)
{
    struct rlimit limit = {4 * PAGE, 4 * PAGE};
    int small = private_segment(3 * PAGE), large = private_segment(5 * PAGE);
    CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    CHECK_EQ(shmctl(small, SHM_LOCK, NULL), 0);
    CHECK_ERRNO(shmctl(large, SHM_LOCK, NULL), ENOMEM);
    drop(small);
    drop(large);
    limit.rlim_cur = 0;
    CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    small = private_segment(PAGE);
    CHECK_ERRNO(shmctl(small, SHM_LOCK, NULL), EPERM);
    CHECK_EQ(shmctl(small, SHM_UNLOCK, NULL), 0);
    drop(small);
}

TEST(lock_is_limited)
{
    AS_USER(1000, 1000, lock_within_limit());
}

TEST(info_and_stat_by_index)
{
    struct shminfo info;
    struct shm_info usage, later;
    struct shmid_ds ds;
    int before = shmctl(0, SHM_INFO, (void *)&usage);
    CHECK(before >= 0);
    int id = shmget(own_key(3), 5 * PAGE + 1, IPC_CREAT | 0600);
    char *p = attach(id);
    memset(p, 1, 2 * PAGE);
    int highest = shmctl(0, IPC_INFO, (void *)&info);
    CHECK(highest >= 0);
    CHECK_EQ(info.shmmni, 4096);
    CHECK_EQ(info.shmmin, 1);
    CHECK_EQ(info.shmseg, 4096);
    CHECK_EQ(info.shmmax, ~0UL - (1UL << 24));
    CHECK_EQ(shmctl(0, SHM_INFO, (void *)&later), highest);
    CHECK_EQ(later.used_ids, usage.used_ids + 1);
    CHECK_EQ(later.shm_tot, usage.shm_tot + 6);
    CHECK_EQ(later.shm_rss, usage.shm_rss + 2);
    int found = 0;
    for (int i = 0; i <= highest; i++)
        if (shmctl(i, SHM_STAT, &ds) == id)
            found += ds.shm_perm.__key == own_key(3) && ds.shm_segsz == 5 * PAGE + 1;
    CHECK_EQ(found, 1);
    CHECK_ERRNO(shmctl(32767, SHM_STAT, &ds), EINVAL);
    AS_USER(1000, 1000, {
        int open_to_all = 0, closed = 0;
        for (int i = 0; i <= highest; i++) {
            open_to_all += shmctl(i, SHM_STAT_ANY, &ds) == id;
            closed += shmctl(i, SHM_STAT, &ds) == -1 && errno == EACCES;
        }
        CHECK_EQ(open_to_all, 1);
        CHECK(closed > 0);
    });
    drop(id);
}

TEST(proc_shows_segments)
{
    char line[400], want[100];
    int id = shmget(own_key(1), PAGE + 1, IPC_CREAT | 0640);
    char *p = attach(id);
    p[0] = 1;
    CHECK(proc_line("shm", id, line, sizeof(line)));
    snprintf(want, sizeof(want), "%10d %10d   640 %21d %5u %5u  %5u     0     0     0     0 ",
             own_key(1), id, PAGE + 1, getpid(), getpid(), 1);
    CHECK(!strncmp(line, want, strlen(want)));
    unsigned long values[16];
    CHECK_EQ(sscanf(line, "%lu %lu %lo %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu",
                    &values[0], &values[1], &values[2], &values[3], &values[4], &values[5],
                    &values[6], &values[7], &values[8], &values[9], &values[10], &values[11],
                    &values[12], &values[13], &values[14], &values[15]),
             16);
    CHECK_EQ(values[14], PAGE);
    CHECK_EQ(strlen(line), 170);
    drop(id);
    CHECK(proc_line("shm", id, line, sizeof(line)));
    CHECK(strstr(line, " 1640 "));
    CHECK_EQ(shmdt(p), 0);
    CHECK(!proc_line("shm", id, line, sizeof(line)));
}

TEST(maps_names_the_segment)
{
    char line[300], name[40];
    int id = shmget(own_key(2), PAGE, IPC_CREAT | 0600), found = 0;
    attach(id);
    snprintf(name, sizeof(name), "/SYSV%08x (deleted)\n", own_key(2));
    FILE *f = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), f))
        if (strstr(line, name)) {
            unsigned long inode = 0;
            CHECK(strstr(line, " rw-s 00000000 "));
            CHECK_EQ(sscanf(line, "%*s %*s %*s %*s %lu", &inode), 1);
            CHECK_EQ(inode, id);
            found++;
        }
    CHECK_EQ(found, 1);
    drop(id);
}

TEST(forced_removal)
{
    struct shmid_ds ds;
    int attached = private_segment(PAGE), alone = -1, fds[2];
    char *p = attach(attached);
    CHECK_EQ(pipe(fds), 0);
    // Made by one who is gone: an orphan, that goes when the switch is thrown.
    REAP(CHILD({
        int id = private_segment(PAGE);
        write(fds[1], &id, sizeof(id));
    }));
    CHECK_EQ(read(fds[0], &alone, sizeof(alone)), sizeof(alone));
    CHECK_EQ(attaches(alone), 0);
    int own = private_segment(PAGE);
    CHECK_EQ(sysctl_write("shm_rmid_forced", "2\n"), EINVAL);
    CHECK_EQ(sysctl_write("shm_rmid_forced", "1\n"), 0);
    int gone = shmctl(alone, IPC_STAT, &ds) == -1 && errno == EINVAL;
    int kept = shmctl(own, IPC_STAT, &ds);
    int detached = shmdt(p);
    int last = shmctl(attached, IPC_STAT, &ds) == -1 && errno == EINVAL;
    REAP(CHILD({
        int id = private_segment(PAGE);
        write(fds[1], &id, sizeof(id));
    }));
    CHECK_EQ(read(fds[0], &alone, sizeof(alone)), sizeof(alone));
    int at_exit = shmctl(alone, IPC_STAT, &ds) == -1 && errno == EINVAL;
    CHECK_EQ(sysctl_write("shm_rmid_forced", "0\n"), 0);
    CHECK(gone);
    CHECK_EQ(kept, 0);
    CHECK_EQ(detached, 0);
    CHECK(last);
    CHECK(at_exit);
    drop(own);
}
