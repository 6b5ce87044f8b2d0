// SPDX-License-Identifier: BSD-2-Clause
// What segments, semaphore arrays and message queues have in common, each case for all three: `get`
// and its errors in their order, ids, permissions and capabilities, IPC_SET, what tells and changes
// nothing, /proc/sysvipc and the limits in /proc/sys/kernel.
#include "sysv.h"
#include <linux/capability.h>
#include <sys/prctl.h>

enum kind { SHM, SEM, MSG, KINDS };
enum { STAT_INDEX, STAT_ANY, INFO };

static const char *const names[KINDS] = {"shm", "sem", "msg"};
static const int commands[KINDS][3] = {{13, 15, 14}, {18, 20, 19}, {11, 13, 12}};

union status {
    struct shmid_ds shm;
    struct semid_ds sem;
    struct msqid_ds msg;
    struct ipc_perm perm; // first in each
};

#define EACH(k) for (enum kind k = SHM; k < KINDS; k++)

// `size` pages or semaphores.
static int get(enum kind k, key_t key, int size, int flags)
{
    switch (k) {
    case SHM:
        return shmget(key, (size_t)size * PAGE, flags);
    case SEM:
        return semget(key, size, flags);
    default:
        return msgget(key, flags);
    }
}

static int control(enum kind k, int id, int command, void *buf)
{
    switch (k) {
    case SHM:
        return shmctl(id, command, buf);
    case SEM:
        return semctl(id, 0, command, buf);
    default:
        return msgctl(id, command, buf);
    }
}

static int make(enum kind k, key_t key, int flags)
{
    int id = get(k, key, 2, IPC_CREAT | flags);
    CHECK(id >= 0);
    return id;
}

static void drop(enum kind k, int id)
{
    CHECK_EQ(control(k, id, IPC_RMID, NULL), 0);
}

static union status stat_of(enum kind k, int id)
{
    union status s;
    memset(&s, 0, sizeof(s));
    CHECK_EQ(control(k, id, IPC_STAT, &s), 0);
    return s;
}

static void set_mode(enum kind k, int id, int mode)
{
    union status s = stat_of(k, id);
    s.perm.mode = mode;
    CHECK_EQ(control(k, id, IPC_SET, &s), 0);
}

// Something that needs the right to write (and to read, for segments). 0 or -1 with errno.
static int alter(enum kind k, int id)
{
    switch (k) {
    case SHM: {
        void *p = shmat(id, NULL, 0);
        return p == (void *)-1 ? -1 : shmdt(p);
    }
    case SEM:
        return semctl(id, 0, SETVAL, 1);
    default:
        return msgsnd(id, &(struct msgbuf){.mtype = 1}, 1, IPC_NOWAIT);
    }
}

TEST(errors_of_get_in_their_order)
{
    EACH(k)
    {
        key_t key = own_key(k);
        CHECK_ERRNO(get(k, key, 0, 0), ENOENT);
        CHECK_ERRNO(get(k, key, 30000, IPC_EXCL | 0600), ENOENT);
        int id = make(k, key, 0600);
        CHECK_EQ(get(k, key, 0, 0600), id);
        CHECK_EQ(get(k, key, 2, IPC_EXCL | 0600), id); // means nothing without IPC_CREAT
        AS_USER(1000, 1000, {
            CHECK_ERRNO(get(k, key, 3, IPC_CREAT | IPC_EXCL | 0666), EEXIST);
            if (k != MSG)
                CHECK_ERRNO(get(k, key, 3, 0600), EINVAL);
            CHECK_ERRNO(get(k, key, 2, 0600), EACCES);
            CHECK_ERRNO(get(k, key, 2, IPC_CREAT | 0600), EACCES);
            CHECK_EQ(get(k, key, 2, IPC_CREAT), id);
        });
        drop(k, id);
        CHECK_ERRNO(get(k, key, 2, 0600), ENOENT);
    }
    CHECK_ERRNO(shmget(own_key(0), ~0UL, 0600), ENOENT);
    CHECK_ERRNO(shmget(own_key(0), ~0UL, IPC_CREAT | 0600), EINVAL);
    CHECK_ERRNO(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
    CHECK_ERRNO(semget(own_key(1), -1, 0600), EINVAL); // judged before the key is looked for
    CHECK_ERRNO(semget(own_key(1), 32001, 0600), EINVAL);
    CHECK_ERRNO(semget(IPC_PRIVATE, 0, 0600), EINVAL);
}

TEST(private_is_always_new)
{
    EACH(k)
    {
        int a = make(k, IPC_PRIVATE, 0600), b = make(k, IPC_PRIVATE, IPC_EXCL | 0600),
            c = get(k, IPC_PRIVATE, 1, 0);
        CHECK(c >= 0 && a != b && b != c && a != c);
        CHECK_EQ(stat_of(k, a).perm.__key, IPC_PRIVATE);
        CHECK_EQ(stat_of(k, c).perm.mode, 0);
        drop(k, a);
        drop(k, b);
        drop(k, c);
    }
}

TEST(a_new_one_is_its_makers)
{
    EACH(k)
    {
        int fds[2], id;
        CHECK_EQ(pipe(fds), 0);
        key_t key = own_key(k);
        time_t before = time(NULL);
        AS_USER(1000, 2000, id = make(k, key, 0751); write(fds[1], &id, sizeof(id)));
        CHECK_EQ(read(fds[0], &id, sizeof(id)), sizeof(id));
        union status s = stat_of(k, id);
        CHECK(s.perm.uid == 1000 && s.perm.cuid == 1000);
        CHECK(s.perm.gid == 2000 && s.perm.cgid == 2000);
        CHECK_EQ(s.perm.mode, 0751);
        CHECK_EQ(s.perm.__key, key);
        time_t ctime = k == SHM ? s.shm.shm_ctime : k == SEM ? s.sem.sem_ctime : s.msg.msg_ctime;
        CHECK(ctime >= before && ctime <= time(NULL));
        drop(k, id);
    }
}

// Slots come back after some time; their old ids never mean what is there now.
TEST(a_stale_id_is_never_somebody_else)
{
    enum { TRIES = 3000 };
    EACH(k)
    {
        int old = make(k, IPC_PRIVATE, 0600), id = -1, tries = 0;
        drop(k, old);
        do {
            if (id >= 0)
                drop(k, id);
            id = make(k, IPC_PRIVATE, 0600);
            CHECK(id != old);
        } while (id % 32768 != old % 32768 && ++tries < TRIES);
        CHECK(tries < TRIES);
        union status s = stat_of(k, id);
        CHECK_EQ(s.perm.__seq, id / 32768);
        CHECK_ERRNO(control(k, old, IPC_STAT, &s), EINVAL);
        CHECK_ERRNO(control(k, old, IPC_SET, &s), EINVAL);
        CHECK_ERRNO(control(k, old, IPC_RMID, NULL), EINVAL);
        CHECK_ERRNO(alter(k, old), EINVAL);
        CHECK_EQ(alter(k, id), 0);
        drop(k, id);
    }
}

// The last id there is, then round again.
TEST(ids_are_positive)
{
    EACH(k)
    {
        char name[20];
        int id = make(k, IPC_PRIVATE, 0600), wanted = 65535 * 32768 + id % 32768; // a free index
        drop(k, id);
        char text[20];
        snprintf(text, sizeof(text), "%d\n", wanted);
        snprintf(name, sizeof(name), "%s_next_id", names[k]);
        CHECK_EQ(sysctl_write(name, text), 0);
        int last = make(k, IPC_PRIVATE, 0600);
        CHECK_EQ(last, wanted);
        CHECK_EQ(stat_of(k, last).perm.__seq, 65535);
        drop(k, last);
        for (int i = 0; i < 300; i++) {
            int id = make(k, IPC_PRIVATE, 0600);
            CHECK(id != last);
            drop(k, id);
        }
        CHECK_ERRNO(control(k, -1, IPC_STAT, &(union status){}), EINVAL);
        CHECK_ERRNO(control(k, -2147483647 - 1, IPC_RMID, NULL), EINVAL);
    }
}

enum right { NOTHING, READ_ONLY, ALL };

static void expect(enum kind k, int id, enum right right)
{
    union status s;
    if (right == NOTHING)
        CHECK_ERRNO(control(k, id, IPC_STAT, &s), EACCES);
    else
        CHECK_EQ(control(k, id, IPC_STAT, &s), 0);
    if (right == ALL)
        CHECK_EQ(alter(k, id), 0);
    else
        CHECK_ERRNO(alter(k, id), EACCES);
}

static void expect_as(uid_t ruid, uid_t euid, gid_t gid, gid_t other_group, enum kind k, int id,
                      enum right right)
{
    REAP(CHILD({
        CHECK_EQ(setgroups(1, &other_group), 0);
        CHECK_EQ(setresgid(gid, gid, gid), 0);
        CHECK_EQ(setresuid(ruid, euid, ruid), 0);
        expect(k, id, right);
    }));
}

TEST(owner_creator_groups_and_others)
{
    EACH(k)
    {
        int fds[2], id;
        CHECK_EQ(pipe(fds), 0);
        AS_USER(1000, 2000, id = make(k, IPC_PRIVATE, 0640); write(fds[1], &id, sizeof(id)));
        CHECK_EQ(read(fds[0], &id, sizeof(id)), sizeof(id));
        union status s = stat_of(k, id);
        s.perm.uid = 1001;
        s.perm.gid = 2001;
        CHECK_EQ(control(k, id, IPC_SET, &s), 0);
        expect_as(1000, 1000, 9, 9, k, id, ALL);    // creator
        expect_as(1001, 1001, 9, 9, k, id, ALL);    // owner
        expect_as(9, 1001, 9, 9, k, id, ALL);       // by the effective id
        expect_as(1001, 9, 9, 9, k, id, NOTHING);   // not by the real one
        expect_as(9, 9, 2000, 9, k, id, READ_ONLY); // creator's group
        expect_as(9, 9, 2001, 9, k, id, READ_ONLY); // owner's
        expect_as(9, 9, 9, 2001, k, id, READ_ONLY); // as one of many
        expect_as(9, 9, 9, 9, k, id, NOTHING);      // others
        set_mode(k, id, 0066);                      // the nearest word counts, not the kindest
        expect_as(1000, 1000, 2000, 9, k, id, NOTHING);
        expect_as(9, 9, 2000, 9, k, id, ALL);
        set_mode(k, id, 0606);
        expect_as(9, 9, 9, 2001, k, id, NOTHING);
        expect_as(9, 9, 9, 9, k, id, ALL);
        drop(k, id);
    }
}

TEST(only_owner_and_creator_change_and_remove)
{
    EACH(k)
    {
        int fds[2], id;
        CHECK_EQ(pipe(fds), 0);
        AS_USER(1000, 2000, id = make(k, IPC_PRIVATE, 0666); write(fds[1], &id, sizeof(id)));
        CHECK_EQ(read(fds[0], &id, sizeof(id)), sizeof(id));
        union status s = stat_of(k, id);
        s.perm.uid = 1001;
        CHECK_EQ(control(k, id, IPC_SET, &s), 0);
        AS_USER(1002, 2000, { // the group doesn't help
            s.perm.uid = 1002;
            CHECK_ERRNO(control(k, id, IPC_SET, &s), EPERM);
            CHECK_ERRNO(control(k, id, IPC_RMID, NULL), EPERM);
        });
        s.perm.uid = 1001;
        AS_USER(1001, 1, CHECK_EQ(control(k, id, IPC_SET, &s), 0));
        AS_USER(1000, 1, CHECK_EQ(control(k, id, IPC_SET, &s), 0));
        set_mode(k, id, 0); // no bit is asked for
        AS_USER(1000, 1, CHECK_EQ(control(k, id, IPC_RMID, NULL), 0));
        CHECK_ERRNO(control(k, id, IPC_RMID, NULL), EINVAL);
    }
}

// User 1000 with this capability and no other.
static void become(int capability)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    data[capability / 32].effective = data[capability / 32].permitted = 1U << capability % 32;
    CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
    CHECK_EQ(setgroups(0, NULL), 0);
    CHECK_EQ(setresgid(1000, 1000, 1000), 0);
    CHECK_EQ(setresuid(1000, 1000, 1000), 0);
    CHECK_EQ(syscall(SYS_capset, &header, data), 0);
}

TEST(each_capability_has_its_use)
{
    EACH(k)
    {
        int id = make(k, IPC_PRIVATE, 0);
        union status s = stat_of(k, id);
        REAP(CHILD({
            become(CAP_IPC_OWNER);
            expect(k, id, ALL);
            CHECK_ERRNO(control(k, id, IPC_SET, &s), EPERM);
            CHECK_ERRNO(control(k, id, IPC_RMID, NULL), EPERM);
        }));
        REAP(CHILD({
            become(CAP_SYS_RESOURCE);
            expect(k, id, NOTHING);
            CHECK_ERRNO(control(k, id, IPC_RMID, NULL), EPERM);
        }));
        REAP(CHILD({
            become(CAP_SYS_ADMIN);
            expect(k, id, NOTHING);
            if (k == MSG) {
                s.msg.msg_qbytes = 16385;
                CHECK_ERRNO(control(k, id, IPC_SET, &s), EPERM);
                s.msg.msg_qbytes = 16384;
            }
            CHECK_EQ(control(k, id, IPC_SET, &s), 0);
            CHECK_EQ(control(k, id, IPC_RMID, NULL), 0);
        }));
    }
    int queue = make(MSG, IPC_PRIVATE, 0), segment = make(SHM, IPC_PRIVATE, 0);
    union status s = stat_of(MSG, queue);
    s.perm.uid = 1000;
    CHECK_EQ(control(MSG, queue, IPC_SET, &s), 0);
    s.msg.msg_qbytes = 16385;
    REAP(CHILD(become(CAP_SYS_RESOURCE); CHECK_EQ(control(MSG, queue, IPC_SET, &s), 0)));
    REAP(CHILD(become(CAP_IPC_LOCK); CHECK_EQ(shmctl(segment, SHM_LOCK, NULL), 0)));
    REAP(CHILD(become(CAP_SYS_ADMIN); CHECK_ERRNO(shmctl(segment, SHM_LOCK, NULL), EPERM)));
    drop(MSG, queue);
    drop(SHM, segment);
}

TEST(set_takes_uid_gid_nine_bits_and_nothing_else)
{
    EACH(k)
    {
        int id = make(k, own_key(k), 0600);
        union status before = stat_of(k, id), s = before;
        memset(&s, 0x55, sizeof(s)); // all it might take
        s.perm.uid = 7;
        s.perm.gid = 8;
        s.perm.mode = 0177640;
        if (k == MSG)
            s.msg.msg_qbytes = 77; // but this
        CHECK_EQ(control(k, id, IPC_SET, &s), 0);
        s = stat_of(k, id);
        CHECK(s.perm.uid == 7 && s.perm.gid == 8 && s.perm.mode == 0640);
        if (k == MSG)
            CHECK_EQ(s.msg.msg_qbytes, 77);
        // All else is as it was, but for the time of the change.
        s.perm.uid = s.perm.gid = 0;
        s.perm.mode = 0600;
        if (k == SHM)
            s.shm.shm_ctime = before.shm.shm_ctime;
        if (k == SEM)
            s.sem.sem_ctime = before.sem.sem_ctime;
        if (k == MSG) {
            s.msg.msg_qbytes = before.msg.msg_qbytes;
            s.msg.msg_ctime = before.msg.msg_ctime;
        }
        CHECK(!memcmp(&s, &before, sizeof(s)));
        AS_USER(7, 9, expect(k, id, ALL));
        AS_USER(9, 8, expect(k, id, READ_ONLY));
        s.perm.uid = -1;
        s.perm.mode = 0777;
        CHECK_ERRNO(control(k, id, IPC_SET, &s), EINVAL);
        s.perm.uid = 7;
        s.perm.gid = -1;
        CHECK_ERRNO(control(k, id, IPC_SET, &s), EINVAL);
        CHECK_EQ(stat_of(k, id).perm.mode, 0640);
        drop(k, id);
    }
}

TEST(what_tells_changes_nothing)
{
    EACH(k)
    {
        int id = make(k, own_key(k), 0640);
        CHECK_EQ(alter(k, id), 0);
        char info[200], line[300];
        union status before = stat_of(k, id), s = before;
        next_second();
        CHECK_EQ(control(k, id % 32768, commands[k][STAT_INDEX], &s), id);
        CHECK_EQ(control(k, id % 32768, commands[k][STAT_ANY], &s), id);
        CHECK(control(k, 0, commands[k][INFO], info) >= 0);
        CHECK(control(k, 0, IPC_INFO, info) >= 0);
        CHECK(proc_line(names[k], id, line, sizeof(line)));
        s = stat_of(k, id);
        CHECK(!memcmp(&s, &before, sizeof(s)));
        drop(k, id);
    }
}

TEST(told_by_index)
{
    EACH(k)
    {
        const int stat = commands[k][STAT_INDEX], any = commands[k][STAT_ANY];
        int id = make(k, own_key(k), 0600), index = id % 32768;
        union status s, byid = stat_of(k, id);
        memset(&s, 0, sizeof(s));
        CHECK_EQ(control(k, index, stat, &s), id);
        CHECK(!memcmp(&s, &byid, sizeof(s)));
        CHECK_EQ(control(k, index, any, &s), id);
        CHECK(!memcmp(&s, &byid, sizeof(s)));
        // Of a whole id the index counts.
        CHECK_EQ(control(k, id, stat, &s), id);
        CHECK_EQ(control(k, index + 32768, any, &s), id);
        AS_USER(1000, 1000, {
            CHECK_ERRNO(control(k, index, stat, &s), EACCES);
            CHECK_ERRNO(control(k, id, IPC_STAT, &s), EACCES);
            CHECK_EQ(control(k, index, any, &s), id);
            CHECK(!memcmp(&s, &byid, sizeof(s)));
        });
        CHECK_ERRNO(control(k, -1, stat, &s), EINVAL);
        CHECK_ERRNO(control(k, 32767, any, &s), EINVAL);
        CHECK_ERRNO(control(k, index, stat, (void *)8), EFAULT);
        CHECK(control(k, 0, IPC_INFO, &(char[200]){}) >= index);
        CHECK_ERRNO(control(k, 0, IPC_INFO, (void *)8), EFAULT);
        CHECK_ERRNO(control(k, -1, IPC_INFO, &(char[200]){}), EINVAL);
        drop(k, id);
        CHECK_ERRNO(control(k, index, stat, &s), EINVAL);
    }
}

// As the kernel writes them, without the C library between.
TEST(structures_as_riscv64_has_them)
{
    static const int calls[KINDS] = {SYS_shmctl, SYS_semctl, SYS_msgctl};
    static const size_t sizes[KINDS] = {112, 88, 120};
    EACH(k)
    {
        unsigned char raw[160];
        int id = make(k, own_key(k), 0612);
        memset(raw, 0xaa, sizeof(raw));
        CHECK_EQ(k == SEM ? syscall(calls[k], id, 0, IPC_STAT, raw)
                          : syscall(calls[k], id, IPC_STAT, raw),
                 0);
        for (size_t i = 0; i < sizeof(raw); i++)
            CHECK_EQ(raw[i] == 0xaa, i >= sizes[k]);
        CHECK_EQ(*(int *)raw, own_key(k));
        CHECK_EQ(*(unsigned int *)(raw + 20), 0612);
        CHECK_EQ(*(unsigned short *)(raw + 24), id / 32768);
        long ctime = *(long *)(raw + (k == SHM ? 72 : k == SEM ? 56 : 64));
        CHECK(ctime <= time(NULL) && ctime > time(NULL) - 10);
        if (k == SHM) {
            CHECK_EQ(*(long *)(raw + 48), 2 * PAGE);
            CHECK_EQ(*(int *)(raw + 80), getpid());
            CHECK_EQ(*(long *)(raw + 88), 0);
        } else if (k == SEM) {
            CHECK_EQ(*(long *)(raw + 64), 2);
        } else {
            CHECK_EQ(*(long *)(raw + 88), 16384);
        }
        drop(k, id);
    }
}

TEST(proc_has_a_head_and_a_line_each)
{
    static const char *const heads[KINDS] = {
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid"
        "  cgid      atime      dtime      ctime                   rss                  swap\n",
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n",
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
        "      stime      rtime      ctime\n"};
    EACH(k)
    {
        char path[40], line[300], own[300];
        int id = make(k, own_key(k), 0600), other = make(k, IPC_PRIVATE, 0);
        union status s = stat_of(k, id);
        s.perm.uid = 1001;
        s.perm.gid = 123456;
        CHECK_EQ(control(k, id, IPC_SET, &s), 0);
        snprintf(path, sizeof(path), "/proc/sysvipc/%s", names[k]);
        FILE *f = fopen(path, "r");
        CHECK(fgets(line, sizeof(line), f) && !strcmp(line, heads[k]));
        fclose(f);
        CHECK(proc_line(names[k], id, own, sizeof(own)));
        CHECK(strstr(own, "  1001 123456     0     0 "));
        CHECK(proc_line(names[k], other, line, sizeof(line)));
        AS_USER(1000, 1000, { // whoever may read it
            CHECK(proc_line(names[k], id, line, sizeof(line)));
            CHECK(!strcmp(line, own));
            CHECK(proc_line(names[k], other, line, sizeof(line)));
        });
        CHECK_ERRNO(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
        drop(k, id);
        drop(k, other);
        CHECK(!proc_line(names[k], id, line, sizeof(line)));
    }
}

static void read_all(const char *name, char *text, size_t size)
{
    char path[60];
    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    ssize_t n = read(fd, text, size - 1);
    CHECK(n > 0);
    text[n] = 0;
    close(fd);
}

TEST(limits_have_the_defaults_and_are_written_by_root)
{
    static const struct {
        const char *name, *text, *other;
    } limits[] = {
        {"shmmax", "18446744073692774399\n", "123456789\n"},
        {"shmall", "18446744073692774399\n", "99999999\n"},
        {"shmmni", "4096\n", "4000\n"},
        {"shm_rmid_forced", "0\n", NULL},
        {"sem", "32000\t1024000000\t500\t32000\n", "31000\t1000000\t400\t3000\n"},
        {"msgmax", "8192\n", "8000\n"},
        {"msgmnb", "16384\n", "16000\n"},
        {"msgmni", "32000\n", "3000\n"},
    };
    char text[80];
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const char *name = limits[i].name;
        read_all(name, text, sizeof(text));
        CHECK(!strcmp(text, limits[i].text));
        AS_USER(1000, 1000, {
            char path[60];
            snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
            CHECK_ERRNO(open(path, O_WRONLY), EACCES);
            read_all(name, text, sizeof(text));
            CHECK(!strcmp(text, limits[i].text));
        });
        if (!limits[i].other)
            continue;
        CHECK_EQ(sysctl_write(name, limits[i].other), 0);
        read_all(name, text, sizeof(text));
        CHECK_EQ(sysctl_write(name, limits[i].text), 0);
        CHECK(!strcmp(text, limits[i].other));
    }
    // Of four numbers the first one alone.
    CHECK_EQ(sysctl_write("sem", "31999"), 0);
    read_all("sem", text, sizeof(text));
    CHECK_EQ(sysctl_write("sem", limits[4].text), 0);
    CHECK(!strcmp(text, "31999\t1024000000\t500\t32000\n"));
}

// What write(2) gives, or -errno.
static long written(const char *name, const char *text)
{
    char path[60];
    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0);
    long n = write(fd, text, strlen(text));
    int e = errno;
    close(fd);
    return n < 0 ? -e : n;
}

TEST(limits_are_numbers_between_blanks)
{
    static const struct {
        const char *text;
        long result, value;
    } cases[] = {
        {"0x1000", 6, 4096},
        {" 3000\n\n", 7, 3000},
        {"010", 3, 8},
        {"2999 1", 5, 2999},
        {"", 0, 2999},
        {" ", -EINVAL, 2999},
        {"9x", -EINVAL, 2999},
        {"+5", -EINVAL, 2999},
        {"-1", -EINVAL, 2999},
        {"32769", -EINVAL, 2999},
        {"4294967297", -EINVAL, 2999},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQ(written("shmmni", cases[i].text), cases[i].result);
        CHECK_EQ(sysctl_read("shmmni"), cases[i].value);
    }
    CHECK_EQ(sysctl_write("shmmni", "4096\n"), 0);
    char text[80];
    CHECK_EQ(written("sem", "1 2 3 4 5"), 8); // there are four
    read_all("sem", text, sizeof(text));
    CHECK_EQ(sysctl_write("sem", "32000\t1024000000\t500\t32000\n"), 0);
    CHECK(!strcmp(text, "1\t2\t3\t4\n"));
}
