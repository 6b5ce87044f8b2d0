// SPDX-License-Identifier: BSD-2-Clause
// Generated files: texts grow, names lead to the right description and key, a directory read in
// pieces shows each entry once, and content is made anew for a read from the start.
#include "fs_host.h"

#include <errno.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../fs/procfs_priv.h"

static void test_text(void **state)
{
    struct text t = {0};
    char want[4000] = "";
    for (int i = 0; i < 500; i++) {
        text_printf(&t, "%d,", i);
        sprintf(want + strlen(want), "%d,", i);
    }
    text_append(&t, "end", 3);
    strcat(want, "end");
    assert_false(t.failed);
    assert_int_equal(t.length, strlen(want));
    assert_string_equal(t.data, want);
    text_free(&t);
    text_append(&t, "x", 0);
    assert_null(t.data);
}

static int nr_shown;

static int show(struct text *t, uint64_t key)
{
    text_printf(t, "key %d, time %d\n", (int)key, ++nr_shown);
    return 0;
}

static int show_gone(struct text *t, uint64_t key)
{
    return -ESRCH;
}

static int show_long(struct text *t, uint64_t key)
{
    for (int i = 0; i < 1000; i++)
        text_printf(t, "%04d\n", i);
    return 0;
}

static char stored[64];

static ssize_t store(uint64_t key, const char *data, size_t n)
{
    snprintf(stored, sizeof(stored), "%d:%s", (int)key, data);
    return (ssize_t)n;
}

// Entries 3, 10 and 1000000.
static int64_t next(uint64_t key, int64_t from)
{
    return from <= 3 ? 3 : from <= 10 ? 10 : from <= 1000000 ? 1000000 : -1;
}

static uint64_t make_key(uint64_t key, int64_t number)
{
    return key * 100 + (uint64_t)number;
}

static void name_entry(uint64_t key, int64_t number, char *buf, size_t size)
{
    snprintf(buf, size, "cpu%d", (int)number);
}

static ssize_t readlink_text(uint64_t key, char *buf, size_t size)
{
    return snprintf(buf, size, "key%d", (int)key);
}

static const struct proc_file fd_entry = {.mode = S_IFLNK | 0777, .readlink = readlink_text};
static const struct proc_file in_process[] = {
    {.name = "stat", .mode = S_IFREG | 0444, .show = show},
    {.name = "fd", .mode = S_IFDIR | 0500, .next = next, .make_key = make_key, .entry = &fd_entry},
    {0},
};
static const struct proc_file process = {.mode = S_IFDIR | 0555, .children = in_process};
static const struct proc_file named = {.mode = S_IFREG | 0444, .show = show};
static const struct proc_file first[] = {
    {.name = "gone", .mode = S_IFREG | 0444, .show = show_gone},
    {.name = "", .mode = S_IFDIR | 0555, .next = next, .entry = &process},
    {.name = "long", .mode = S_IFREG | 0444, .show = show_long},
    {0},
};
static const struct proc_file second[] = {
    {.name = "set", .mode = S_IFREG | 0644, .show = show, .store = store},
    {.name = "cpus",
     .mode = S_IFDIR | 0555,
     .next = next,
     .name_entry = name_entry,
     .entry = &named},
    {0},
};
static struct proc_tree tree;

// procfs.c's own boot isn't part of this.
void sysfs_init(void)
{
}

const struct proc_file block_proc_files[] = {{0}};

void file_system_register(const struct file_system *fs)
{
}

static struct super_block sb;

// Look a path up from the root; NULL with the error in errno.
static struct inode *find(const char *path)
{
    struct inode *at = sb.root->inode;
    char copy[100], *name, *rest = copy;
    inode_get(at);
    strcpy(copy, path);
    while ((name = strsep(&rest, "/")) != NULL) {
        struct dentry *d = dentry_create(NULL, name, strlen(name));
        int err = at->ops->lookup(at, d);
        struct inode *found = d->inode;
        inode_put(at);
        free(d->name);
        free(d);
        if (err != 0) {
            errno = -err;
            return NULL;
        }
        at = found;
    }
    return at;
}

static void assert_absent(const char *path)
{
    assert_null(find(path));
    assert_int_equal(errno, ENOENT);
}

static void test_names(void **state)
{
    const char *const there[] = {"gone",    "long",         "set",       "3",
                                 "10/stat", "1000000/fd/3", "cpus/cpu10"};
    for (unsigned int i = 0; i < ARRAY_SIZE(there); i++) {
        struct inode *inode = find(there[i]), *again = find(there[i]);
        assert_non_null(inode);
        assert_int_equal(inode->ino, again->ino);
        inode_put(inode);
        inode_put(again);
    }
    const char *const absent[] = {
        "",   "no", "4",       "03",   "+3",        "3x",     "99999999999999999999",
        "-1", "1e", "10/fd/4", "10/x", "cpus/cpu4", "cpus/10"};
    for (unsigned int i = 0; i < ARRAY_SIZE(absent); i++)
        assert_absent(absent[i]);
}

static void test_keys(void **state)
{
    char buf[32];
    struct inode *inode = find("10/fd/3");
    ssize_t n = inode->ops->readlink(inode, buf, sizeof(buf));
    buf[n] = '\0';
    assert_string_equal(buf, "key1003");
    inode_put(inode);
}

static void test_attributes(void **state)
{
    struct inode *inode = find("10/fd");
    assert_int_equal(inode->mode, S_IFDIR | 0500);
    inode_put(inode);
    inode = find("set");
    assert_int_equal(inode->mode, S_IFREG | 0644);
    assert_int_equal(inode->size, 4096);
    inode_put(inode);
}

static struct file *open_file(const char *path)
{
    struct inode *inode = find(path);
    struct file *f = host_file(inode->file_ops, inode, 2);
    assert_int_equal(f->ops->open(f), 0);
    return f;
}

static void assert_file_reads(struct file *f, const char *text)
{
    char buf[100];
    ssize_t n = host_read(f, buf, sizeof(buf) - 1);
    assert_true(n >= 0);
    buf[n] = '\0';
    assert_string_equal(buf, text);
}

static void test_read(void **state)
{
    nr_shown = 0;
    struct file *f = open_file("10/stat");
    assert_file_reads(f, "key 10, time 1\n");
    assert_file_reads(f, "");
    f->offset = 0;
    assert_file_reads(f, "key 10, time 2\n");
    f->offset = 4;
    assert_file_reads(f, "10, time 2\n");
    file_put(f);
    f = open_file("gone");
    char c;
    assert_int_equal(host_read(f, &c, 1), -ESRCH);
    file_put(f);
}

static void test_read_in_pieces(void **state)
{
    char all[6000];
    size_t n = 0;
    ssize_t got;
    struct file *f = open_file("long");
    while ((got = host_read(f, all + n, 7)) > 0)
        n += (size_t)got;
    assert_int_equal(n, 5000);
    assert_memory_equal(all + 4990, "0998\n0999\n", 10);
    file_put(f);
}

static void test_write(void **state)
{
    struct file *f = open_file("set");
    assert_int_equal(host_write(f, "12\n", 3), 3);
    assert_string_equal(stored, "0:12\n");
    file_put(f);
    f = open_file("long");
    assert_int_equal(host_write(f, "12\n", 3), -EIO);
    file_put(f);
}

// sysfs refuses to open for writing what can't be written; procfs refuses the write.
static void test_open_for_writing(void **state)
{
    struct inode *inode = find("long");
    struct file *f = host_file(inode->file_ops, inode, 1);
    tree.like_proc = false;
    assert_int_equal(f->ops->open(f), -EACCES);
    tree.like_proc = true;
    assert_int_equal(f->ops->open(f), 0);
    file_put(f);
}

struct listing {
    char text[400];
    int room;
};

static bool fill(void *ctx, const char *name, size_t length, ino_t ino, unsigned int type,
                 uint64_t next_position)
{
    struct listing *l = ctx;
    if (l->room-- <= 0)
        return false;
    sprintf(l->text + strlen(l->text), "%.*s:%u ", (int)length, name, type);
    return true;
}

static void list(const char *path, int room, const char *want)
{
    struct listing l = {.room = room};
    struct inode *dir = path ? find(path) : sb.root->inode;
    uint64_t position = 0;
    size_t before;
    do { // as getdents64 does with a small buffer
        before = strlen(l.text);
        l.room = room;
        assert_int_equal(dir->ops->readdir(dir, &position, fill, &l), 0);
    } while (strlen(l.text) != before);
    assert_string_equal(l.text, want);
    if (path)
        inode_put(dir);
}

static void test_directories(void **state)
{
    const int rooms[] = {1, 2, 3, 100};
    for (unsigned int i = 0; i < ARRAY_SIZE(rooms); i++) {
        list(NULL, rooms[i], "gone:8 long:8 set:8 cpus:4 3:4 10:4 1000000:4 ");
        list("3", rooms[i], "stat:8 fd:4 ");
        list("3/fd", rooms[i], "3:10 10:10 1000000:10 ");
        list("cpus", rooms[i], "cpu3:8 cpu10:8 cpu1000000:8 ");
    }
}

static int setup_tree(void **state)
{
    tree.file_size = 4096;
    tree.like_proc = true;
    proc_tree_register(&tree, first);
    proc_tree_register(&tree, second);
    return proc_tree_mount(&tree, &sb);
}

static int teardown_tree(void **state)
{
    inode_put(sb.root->inode);
    free(sb.root->name);
    free(sb.root);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_in_pieces),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_open_for_writing),
    };
    return cmocka_run_group_tests(tests, setup_tree, teardown_tree);
}
