// SPDX-License-Identifier: BSD-2-Clause
// System V shared memory, sentence by sentence of the contract: keys and ids, permissions, attaches
// counted through fork, exec, exit, munmap, mremap and MAP_FIXED, removal; storms of kills and
// forks.
#include "shm.h"
#include <sched.h>
#include <sys/resource.h>

TEST(get_makes_finds_and_refuses)
{
    key_t key = own_key(0);
    CHECK_ERRNO(shmget(key, PAGE, 0600), ENOENT);
    CHECK_ERRNO(shmget(key, 0, IPC_CREAT | 0600), EINVAL);
    int id = shmget(key, PAGE + 1, IPC_CREAT | 0640);
    CHECK(id >= 0);
    CHECK_EQ(shmget(key, 0, 0), id);
    CHECK_EQ(shmget(key, PAGE, IPC_CREAT | 0600), id);
    CHECK_EQ(shmget(key, PAGE + 1, 0600), id);
    CHECK_ERRNO(shmget(key, PAGE + 2, 0600), EINVAL);
    CHECK_ERRNO(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    int other = shmget(IPC_PRIVATE, PAGE, 0600),
        third = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
    CHECK(other >= 0 && third >= 0 && other != id && third != other);
    drop(other);
    drop(third);
    drop(id);
    CHECK_ERRNO(shmget(key, PAGE, 0600), ENOENT);
}

TEST(a_new_segment_tells_of_itself)
{
    time_t before = time(NULL);
    int id = shmget(own_key(0), 3 * PAGE + 5, IPC_CREAT | 0751);
    CHECK(id >= 0);
    struct shmid_ds ds = stat_of(id);
    CHECK_EQ(ds.shm_perm.__key, own_key(0));
    CHECK_EQ(ds.shm_segsz, 3 * PAGE + 5);
    CHECK_EQ(ds.shm_perm.mode, 0751);
    CHECK_EQ(ds.shm_perm.uid, 0);
    CHECK_EQ(ds.shm_perm.cuid, 0);
    CHECK_EQ(ds.shm_cpid, getpid());
    CHECK_EQ(ds.shm_lpid, 0);
    CHECK_EQ(ds.shm_nattch, 0);
    CHECK_EQ(ds.shm_atime, 0);
    CHECK_EQ(ds.shm_dtime, 0);
    CHECK(ds.shm_ctime >= before && ds.shm_ctime <= time(NULL));
    void *p = attach(id);
    ds = stat_of(id);
    CHECK_EQ(ds.shm_lpid, getpid());
    CHECK_EQ(ds.shm_nattch, 1);
    CHECK(ds.shm_atime >= before && ds.shm_dtime == 0);
    CHECK_EQ(shmdt(p), 0);
    ds = stat_of(id);
    CHECK(ds.shm_dtime >= before && ds.shm_nattch == 0);
    // Telling changes nothing.
    struct shmid_ds again = stat_of(id);
    CHECK(!memcmp(&again, &ds, sizeof(ds)));
    drop(id);
}

TEST(a_stale_id_finds_nothing)
{
    int ids[100];
    for (int i = 0; i < 100; i++) {
        ids[i] = private_segment(PAGE);
        drop(ids[i]);
    }
    int now = private_segment(PAGE);
    for (int i = 0; i < 100; i++) {
        CHECK(ids[i] != now);
        CHECK_ERRNO(shmctl(ids[i], IPC_RMID, NULL), EINVAL);
        CHECK_ERRNO(shmat(ids[i], NULL, 0), EINVAL);
    }
    CHECK_ERRNO(shmat(-1, NULL, 0), EINVAL);
    CHECK_ERRNO(shmctl(-1, IPC_RMID, NULL), EINVAL);
    CHECK_ERRNO(shmctl(now, 99, NULL), EINVAL);
    CHECK_ERRNO(shmctl(now, -1, NULL), EINVAL);
    CHECK_ERRNO(shmctl(now, IPC_STAT, (void *)8), EFAULT);
    CHECK_ERRNO(shmctl(now, IPC_SET, (void *)8), EFAULT);
    drop(now);
}

static void as_stranger(int id, key_t key)
{
    CHECK_ERRNO(shmget(key, PAGE, 0600), EACCES);
    CHECK_ERRNO(shmget(key, PAGE, 0006), EACCES);
    CHECK_EQ(shmget(key, PAGE, 0004), id);
    CHECK_EQ(shmget(key, PAGE, 0), id);
    CHECK_ERRNO(shmat(id, NULL, 0), EACCES);
    CHECK_ERRNO(shmat(id, NULL, SHM_RDONLY | SHM_EXEC), EACCES);
    void *p = shmat(id, NULL, SHM_RDONLY);
    CHECK(p != (void *)-1);
    CHECK_ERRNO(mprotect(p, PAGE, PROT_READ | PROT_WRITE), EACCES);
    CHECK_EQ(shmdt(p), 0);
    CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EPERM);
    struct shmid_ds ds = stat_of(id);
    CHECK_ERRNO(shmctl(id, IPC_SET, &ds), EPERM);
    CHECK_ERRNO(shmctl(id, SHM_LOCK, NULL), EPERM);
}

static void as_group(int id)
{
    CHECK_ERRNO(shmat(id, NULL, SHM_RDONLY), EACCES);
    struct shmid_ds ds;
    CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EACCES);
    CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EPERM);
}

TEST(permissions_by_owner_group_and_others)
{
    key_t key = own_key(0);
    int id = shmget(key, PAGE, IPC_CREAT | 0624);
    CHECK(id >= 0);
    AS_USER(1000, 1000, as_stranger(id, key));
    // The group may write alone, which isn't enough to attach, and not read.
    AS_USER(1000, 0, as_group(id));
    struct shmid_ds ds = stat_of(id);
    ds.shm_perm.uid = 1000;
    CHECK_EQ(shmctl(id, IPC_SET, &ds), 0);
    AS_USER(1000, 1000, CHECK(shmat(id, NULL, 0) != (void *)-1));
    AS_USER(1001, 1001, CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EPERM));
    AS_USER(1000, 1000, CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0));
    CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST(set_takes_owner_and_nine_bits_and_takes_effect)
{
    int id = private_segment(PAGE);
    struct shmid_ds before = stat_of(id), ds = before;
    ds.shm_perm.uid = 7;
    ds.shm_perm.gid = 8;
    ds.shm_perm.mode = 07777;
    ds.shm_perm.cuid = 9;
    ds.shm_perm.__key = 99;
    ds.shm_segsz = 1;
    ds.shm_nattch = 5;
    ds.shm_cpid = 1;
    CHECK_EQ(shmctl(id, IPC_SET, &ds), 0);
    ds = stat_of(id);
    CHECK_EQ(ds.shm_perm.uid, 7);
    CHECK_EQ(ds.shm_perm.gid, 8);
    CHECK_EQ(ds.shm_perm.mode, 0777);
    CHECK_EQ(ds.shm_perm.cuid, 0);
    CHECK_EQ(ds.shm_perm.__key, 0);
    CHECK_EQ(ds.shm_segsz, PAGE);
    CHECK_EQ(ds.shm_nattch, 0);
    CHECK_EQ(ds.shm_cpid, getpid());
    ds.shm_perm.uid = -1;
    CHECK_ERRNO(shmctl(id, IPC_SET, &ds), EINVAL);
    AS_USER(55, 55, CHECK_EQ(stat_of(id).shm_perm.uid, 7));
    drop(id);
}

TEST(memory_is_zero_shared_and_stays)
{
    int id = private_segment(8 * PAGE);
    char *a = attach(id), *b = attach(id);
    CHECK(a != b);
    for (int i = 0; i < 8 * PAGE; i++)
        CHECK_EQ(a[i], 0);
    a[5 * PAGE] = 42;
    CHECK_EQ(b[5 * PAGE], 42);
    REAP(CHILD(b[6 * PAGE] = 43));
    CHECK_EQ(a[6 * PAGE], 43);
    CHECK_EQ(attaches(id), 2);
    CHECK_EQ(shmdt(a), 0);
    CHECK_EQ(shmdt(b), 0);
    a = attach(id);
    CHECK_EQ(a[5 * PAGE], 42);
    drop(id);
}

TEST(attach_where_it_is_wanted)
{
    int id = private_segment(2 * PAGE);
    char *free_range = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_ERRNO(shmat(id, free_range, 0), EINVAL);
    CHECK_ERRNO(shmat(id, free_range + 1, 0), EINVAL);
    CHECK_ERRNO(shmat(id, NULL, SHM_REMAP), EINVAL);
    CHECK_EQ(munmap(free_range, 8 * PAGE), 0);
    CHECK_EQ(shmat(id, free_range, 0), free_range);
    CHECK_ERRNO(shmat(id, free_range + PAGE, 0), EINVAL);
    CHECK_ERRNO(shmat(id, free_range - PAGE, 0), EINVAL);
    CHECK_EQ(shmat(id, free_range + 4 * PAGE + 77, SHM_RND), free_range + 4 * PAGE);
    CHECK_EQ(attaches(id), 2);
    CHECK_EQ(shmdt(free_range), 0);
    CHECK_EQ(shmdt(free_range + 4 * PAGE), 0);
    // SHM_REMAP takes a range over.
    char *busy = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(busy, 1, 4 * PAGE);
    CHECK_EQ(shmat(id, busy + PAGE, SHM_REMAP), busy + PAGE);
    CHECK_EQ(busy[0], 1);
    CHECK_EQ(busy[PAGE], 0);
    CHECK_EQ(busy[3 * PAGE], 1);
    CHECK_EQ(shmdt(busy + PAGE), 0);
    CHECK_EQ(attaches(id), 0);
    drop(id);
}

TEST(detach_knows_its_own)
{
    int id = private_segment(4 * PAGE);
    char *p = attach(id);
    CHECK_ERRNO(shmdt(p + PAGE), EINVAL);
    CHECK_ERRNO(shmdt(p + 1), EINVAL);
    CHECK_EQ(shmdt(p), 0);
    CHECK_ERRNO(shmdt(p), EINVAL);
    char *m =
        mmap(p, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK_EQ(m, p);
    CHECK_ERRNO(shmdt(p), EINVAL);
    m[0] = 1;
    // Memory mapped over a part since stays.
    CHECK_EQ(munmap(m, 4 * PAGE), 0);
    p = attach(id);
    CHECK_EQ(mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                  -1, 0),
             p + PAGE);
    p[PAGE] = 77;
    CHECK_EQ(attaches(id), 2);
    CHECK_EQ(shmdt(p), 0);
    CHECK_EQ(attaches(id), 0);
    CHECK_EQ(p[PAGE], 77);
    drop(id);
}

TEST(detach_after_the_beginning_went)
{
    int id = private_segment(4 * PAGE);
    char *p = attach(id);
    CHECK_EQ(munmap(p, PAGE), 0);
    CHECK_EQ(attaches(id), 1);
    CHECK_EQ(shmdt(p), 0);
    CHECK_EQ(attaches(id), 0);
    // Another attach of the segment beside it stays.
    p = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(munmap(p, 8 * PAGE), 0);
    CHECK_EQ(shmat(id, p, 0), p);
    CHECK_EQ(munmap(p + 2 * PAGE, 2 * PAGE), 0);
    CHECK_EQ(shmat(id, p + 2 * PAGE, 0), p + 2 * PAGE);
    CHECK_EQ(shmdt(p), 0);
    CHECK_EQ(attaches(id), 1);
    CHECK_EQ(shmdt(p + 2 * PAGE), 0);
    CHECK_EQ(attaches(id), 0);
    drop(id);
}

TEST(attaches_count_regions)
{
    int id = private_segment(8 * PAGE);
    char *p = attach(id);
    CHECK_EQ(munmap(p + 3 * PAGE, PAGE), 0);
    CHECK_EQ(attaches(id), 2);
    CHECK_EQ(mprotect(p + PAGE, PAGE, PROT_READ), 0);
    CHECK_EQ(attaches(id), 4);
    char *to = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(mremap(p + 4 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    CHECK_EQ(attaches(id), 4);
    to[0] = 9;
    CHECK_EQ(mmap(p, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), p);
    CHECK_EQ(attaches(id), 3);
    CHECK_EQ(munmap(p, 8 * PAGE), 0);
    CHECK_EQ(attaches(id), 1);
    CHECK_EQ(munmap(to, 8 * PAGE), 0);
    CHECK_EQ(attaches(id), 0);
    p = attach(id);
    CHECK_EQ(p[4 * PAGE], 9);
    drop(id);
}

TEST(fork_exec_and_exit)
{
    int id = private_segment(PAGE), go[2], ready[2];
    char byte;
    CHECK_EQ(pipe(go), 0);
    CHECK_EQ(pipe(ready), 0);
    attach(id);
    pid_t pid = CHILD({
        write(ready[1], "", 1);
        read(go[0], &byte, 1);
    });
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_EQ(attaches(id), 2);
    CHECK_EQ(stat_of(id).shm_lpid, getpid());
    write(go[1], "", 1);
    REAP(pid);
    CHECK_EQ(attaches(id), 1);
    CHECK_EQ(stat_of(id).shm_lpid, pid);
    // Exec drops them: the new program tells by reading from the pipe.
    CHECK_EQ(dup2(go[0], 0), 0);
    pid = CHILD(execl("/bin/busybox", "head", "-c1", NULL); _exit(1));
    for (int i = 0; attaches(id) != 1 && i < 5000; i++)
        sleep_ms(1);
    CHECK_EQ(attaches(id), 1);
    CHECK_EQ(kill(pid, 0), 0);
    write(go[1], "\n", 1);
    REAP(pid);
    // A kill, as well.
    pid = CHILD(attach(id); attach(id); write(ready[1], "", 1); pause());
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_EQ(attaches(id), 4);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(attaches(id), 1);
    drop(id);
}

static int shared_id;

static int attach_in_clone(void *arg)
{
    *(void **)arg = attach(shared_id);
    return 0;
}

TEST(processes_that_share_memory_share_attaches)
{
    static char stack[16384] __attribute__((aligned(16)));
    void *at = NULL;
    shared_id = private_segment(PAGE);
    pid_t pid = clone(attach_in_clone, stack + sizeof(stack), CLONE_VM | SIGCHLD, &at);
    CHECK(pid > 0);
    REAP(pid);
    CHECK_EQ(attaches(shared_id), 1);
    *(char *)at = 1;
    CHECK_EQ(shmdt(at), 0);
    CHECK_EQ(attaches(shared_id), 0);
    drop(shared_id);
}

TEST(removal_waits_for_the_last_attach)
{
    key_t key = own_key(0);
    int id = shmget(key, PAGE, IPC_CREAT | 0666);
    char *p = attach(id);
    p[0] = 5;
    drop(id);
    struct shmid_ds ds = stat_of(id);
    CHECK_EQ(ds.shm_perm.mode, 01666);
    CHECK_EQ(ds.shm_perm.__key, 0);
    CHECK_ERRNO(shmget(key, PAGE, 0600), ENOENT);
    // The key is free for another.
    int other = shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(other >= 0 && other != id);
    char *again = attach(id); // by its id it is still to be had
    CHECK_EQ(again[0], 5);
    drop(id); // once more: no harm
    CHECK_EQ(shmdt(p), 0);
    CHECK_EQ(attaches(id), 1);
    CHECK_EQ(shmdt(again), 0);
    CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
    drop(other);
}

TEST(rights_of_an_attach)
{
    int id = shmget(IPC_PRIVATE, PAGE, 0700);
    char *p = shmat(id, NULL, SHM_RDONLY);
    CHECK(p != (void *)-1);
    CHECK_EQ(p[0], 0);
    pid_t pid = CHILD(p[0] = 1);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK_ERRNO(mprotect(p, PAGE, PROT_WRITE), EACCES);
    CHECK_EQ(shmdt(p), 0);
    uint32_t *code = shmat(id, NULL, SHM_EXEC);
    CHECK(code != (void *)-1);
    code[0] = 0x02a00513; // li a0, 42
    code[1] = 0x00008067; // ret
    __builtin___clear_cache((char *)code, (char *)(code + 2));
    CHECK_EQ(((int (*)(void))code)(), 42);
    drop(id);
}

TEST(a_failed_attach_leaves_nothing)
{
    int id = private_segment(4 * PAGE);
    struct rlimit limit, old;
    CHECK_EQ(getrlimit(RLIMIT_AS, &old), 0);
    limit = (struct rlimit){4 * PAGE, old.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    CHECK_ERRNO(shmat(id, NULL, 0), ENOMEM);
    CHECK_EQ(setrlimit(RLIMIT_AS, &old), 0);
    CHECK_EQ(attaches(id), 0);
    CHECK_EQ(stat_of(id).shm_lpid, 0);
    drop(id);
    struct shmid_ds ds;
    CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST_SECONDS(kill_storm, 120)
{
    unsigned long before = usage_now().shm_rss;
    int id = private_segment(16 * PAGE);
    char *p = attach(id);
    for (int round = 0; round < 300; round++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            for (int i = 0;; i++) {
                char *q = shmat(id, NULL, i % 2 ? SHM_RDONLY : 0);
                if (i % 3 == 0)
                    munmap(q + 4 * PAGE, PAGE);
                p[i % 16 * PAGE]++;
                if (i % 5 == 0 && fork() == 0) {
                    shmdt(q);
                    _exit(0);
                }
                if (i % 2)
                    shmdt(q);
            }
        }
        for (volatile int i = 0; i < round % 50 * 2000; i++)
            ;
        CHECK_EQ(kill(pid, SIGKILL), 0);
        int status;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
    }
    // Grandchildren end by themselves.
    for (int i = 0; attaches(id) != 1 && i < 5000; i++)
        sleep_ms(1);
    CHECK_EQ(attaches(id), 1);
    drop(id);
    CHECK_EQ(shmdt(p), 0);
    CHECK_EQ(usage_now().shm_rss, before);
}

TEST_SECONDS(fork_storm, 120)
{
    int id = private_segment(4 * PAGE);
    attach(id);
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            for (int depth = 0; depth < 6; depth++)
                if (fork() < 0)
                    _exit(1);
            attach(id);
            _exit(0);
        }
        REAP(pid);
    }
    for (int i = 0; attaches(id) != 1 && i < 10000; i++)
        sleep_ms(1);
    CHECK_EQ(attaches(id), 1);
    drop(id);
}
