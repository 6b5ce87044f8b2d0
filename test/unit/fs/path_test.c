// SPDX-License-Identifier: BSD-2-Clause
// Path walk and the operations on names: each error as Linux has it, and at every point where
// memory may be missing: ENOMEM (or ENOSPC from tmpfs), locks free, nothing lost.
#include <asm/fcntl.h>
#include <errno.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>

#include <fs/fd_table.h>

#include "host.h"
#include "vfs_host.h"

#define W (&vfs_walk)

static int begin(void **state)
{
    assert_int_equal(path_mkdir(W, "/d", 0755), 0);
    assert_int_equal(path_mkdir(W, "/d/sub", 0755), 0);
    vfs_make_file("/d/f", "content");
    assert_int_equal(path_symlink(W, "f", "/d/link"), 0);
    assert_int_equal(path_symlink(W, "/d", "/abs"), 0);
    assert_int_equal(path_symlink(W, "nowhere", "/d/dangling"), 0);
    assert_int_equal(path_symlink(W, "loop2", "/d/loop1"), 0);
    assert_int_equal(path_symlink(W, "loop1", "/d/loop2"), 0);
    return 0;
}

static int end(void **state)
{
    vfs_remove_all();
    assert_int_equal(host_locks_held, 0);
    return 0;
}

static void test_lookup_errors(void **state)
{
    static const struct {
        const char *name;
        unsigned int flags;
        int err;
    } cases[] = {
        {"", 0, -ENOENT},
        {"/", 0, 0},
        {"////", 0, 0},
        {"/..", 0, 0},
        {"/../d/../d/./f", 0, 0},
        {"d/f", 0, 0},
        {"/d/f/", 0, -ENOTDIR},
        {"/d/f/x", 0, -ENOTDIR},
        {"/d/f/..", 0, -ENOTDIR},
        {"/d/none", 0, -ENOENT},
        {"/none/x", 0, -ENOENT},
        {"/d/link", PATH_FOLLOW, 0},
        {"/d/link/", 0, -ENOTDIR},
        {"/abs/f", 0, 0},
        {"/abs/", 0, 0},
        {"/abs", PATH_DIRECTORY, -ENOTDIR},
        {"/abs", PATH_DIRECTORY | PATH_FOLLOW, 0},
        {"/d/dangling", 0, 0},
        {"/d/dangling", PATH_FOLLOW, -ENOENT},
        {"/d/loop1", 0, 0},
        {"/d/loop1", PATH_FOLLOW, -ELOOP},
        {"/d/loop1/x", 0, -ELOOP},
        {"/abs/f", PATH_NO_SYMLINKS, -ELOOP},
        {"/d", PATH_BENEATH, -EXDEV},
        {"..", PATH_BENEATH, -EXDEV},
        {"d/../d", PATH_BENEATH, 0},
        {"d/link", PATH_BENEATH | PATH_FOLLOW, 0},
        {"abs", PATH_BENEATH | PATH_FOLLOW, -EXDEV},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int err = vfs_lookup(cases[i].name, cases[i].flags);
        if (err != cases[i].err)
            fail_msg("%s (%x): %d instead of %d", cases[i].name, cases[i].flags, err, cases[i].err);
    }
}

static void test_long_names(void **state)
{
    char name[300] = "/d/";
    memset(name + 3, 'n', 255);
    name[258] = '\0';
    assert_int_equal(path_mkdir(W, name, 0755), 0);
    assert_int_equal(vfs_lookup(name, 0), 0);
    assert_int_equal(path_rename(W, name, W, "/d/short", 0), 0);
    assert_int_equal(path_rename(W, "/d/short", W, name, 0), 0);
    assert_int_equal(vfs_lookup(name, 0), 0);
    name[258] = 'n';
    name[259] = '\0';
    assert_int_equal(vfs_lookup(name, 0), -ENAMETOOLONG);
    assert_int_equal(path_mkdir(W, name, 0755), -ENAMETOOLONG);
}

static void test_forty_links_and_no_more(void **state)
{
    char name[16], target[16];
    vfs_make_file("/l0", "");
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "/l%d", i);
        snprintf(target, sizeof(target), "l%d", i - 1);
        assert_int_equal(path_symlink(W, target, name), 0);
    }
    assert_int_equal(vfs_lookup("/l40", PATH_FOLLOW), 0);
    assert_int_equal(vfs_lookup("/l41", PATH_FOLLOW), -ELOOP);
}

static void test_creation_errors(void **state)
{
    struct path f;
    struct file *file;
    assert_int_equal(path_mkdir(W, "/d", 0755), -EEXIST);
    assert_int_equal(path_mkdir(W, "/", 0755), -EEXIST);
    assert_int_equal(path_mkdir(W, "/d/.", 0755), -EEXIST);
    assert_int_equal(path_mkdir(W, "/d/dangling", 0755), -EEXIST);
    assert_int_equal(path_mkdir(W, "/d/f/x", 0755), -ENOTDIR);
    assert_int_equal(path_mkdir(W, "/none/x", 0755), -ENOENT);
    assert_int_equal(path_mkdir(W, "/d/new///", 0755), 0);
    assert_int_equal(path_mknod(W, "/d/new2/", S_IFREG | 0644, 0), -ENOENT);
    assert_int_equal(path_symlink(W, "", "/d/empty"), -ENOENT);
    assert_int_equal(path_lookup(W, "/d", 0, &f), 0);
    assert_int_equal(path_link(&f, W, "/d2"), -EPERM);
    path_put(&f);
    assert_int_equal(file_open(W, "/d/g/", O_CREAT | O_RDWR, 0644, &file), -EISDIR);
    assert_int_equal(file_open(W, "/d", O_CREAT | O_RDONLY, 0644, &file), -EISDIR);
    assert_int_equal(file_open(W, "/d", O_WRONLY, 0, &file), -EISDIR);
    assert_int_equal(file_open(W, "/d/f", O_CREAT | O_EXCL | O_RDWR, 0644, &file), -EEXIST);
    assert_int_equal(file_open(W, "/d/dangling", O_CREAT | O_EXCL | O_RDWR, 0644, &file), -EEXIST);
    assert_int_equal(file_open(W, "/d/link", O_NOFOLLOW | O_RDONLY, 0, &file), -ELOOP);
    assert_int_equal(file_open(W, "/d/f", O_DIRECTORY | O_RDONLY, 0, &file), -ENOTDIR);
    assert_int_equal(file_open(W, "/d/dangling", O_CREAT | O_RDWR, 0644, &file), 0);
    file_put(file);
    assert_int_equal(vfs_lookup("/d/nowhere", 0), 0); // made where the link leads
}

static void test_removal_errors(void **state)
{
    assert_int_equal(path_unlink(W, "/d", false), -EISDIR);
    assert_int_equal(path_unlink(W, "/d/f", true), -ENOTDIR);
    assert_int_equal(path_unlink(W, "/d/f/", false), -ENOTDIR);
    assert_int_equal(path_unlink(W, "/d", true), -ENOTEMPTY);
    assert_int_equal(path_unlink(W, "/d/sub/.", true), -EINVAL);
    assert_int_equal(path_unlink(W, "/d/sub/..", true), -ENOTEMPTY);
    assert_int_equal(path_unlink(W, "/", true), -EBUSY);
    assert_int_equal(path_unlink(W, "/d/none", false), -ENOENT);
    assert_int_equal(path_unlink(W, "/abs/", true), -ENOTDIR);
    assert_int_equal(path_unlink(W, "/d/sub/", true), 0);
    assert_int_equal(vfs_lookup("/d/sub", 0), -ENOENT);
}

static void test_rename_rules(void **state)
{
    assert_int_equal(path_mkdir(W, "/d/sub/deep", 0755), 0);
    assert_int_equal(path_rename(W, "/d", W, "/d/sub/deep/x", 0), -EINVAL);
    assert_int_equal(path_rename(W, "/d/sub/deep", W, "/d", 0), -ENOTEMPTY);
    assert_int_equal(path_rename(W, "/d/f", W, "/d/sub", 0), -EISDIR);
    assert_int_equal(path_rename(W, "/d/sub", W, "/d/f", 0), -ENOTDIR);
    assert_int_equal(path_rename(W, "/d/f", W, "/d/f2/", 0), -ENOTDIR);
    assert_int_equal(path_rename(W, "/d/.", W, "/e", 0), -EBUSY);
    assert_int_equal(path_rename(W, "/d/none", W, "/e", 0), -ENOENT);
    assert_int_equal(path_rename(W, "/d/f", W, "/d/link", RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(path_rename(W, "/d/f", W, "/d/none", RENAME_EXCHANGE), -ENOENT);
    assert_int_equal(path_rename(W, "/d/f", W, "/d/x", 1U << 5), -EINVAL);
    assert_int_equal(path_rename(W, "/d/f", W, "/d/sub", RENAME_EXCHANGE), 0);
    assert_int_equal(vfs_lookup("/d/f/deep", 0), 0);
    assert_int_equal(path_rename(W, "/d/f", W, "/moved/", 0), 0);
    assert_int_equal(vfs_lookup("/moved/deep/../../d/sub", 0), 0);
    assert_int_equal(path_rename(W, "/d/sub", W, "/d/sub", 0), 0);
}

static void test_rights(void **state)
{
    struct file *f;
    struct path d;
    assert_int_equal(path_mkdir(W, "/tmp", 0), 0);
    assert_int_equal(path_lookup(W, "/tmp", 0, &d), 0);
    assert_int_equal(path_chmod(&d, 01777, &vfs_root_cred), 0);
    vfs_make_file("/tmp/roots", "");
    W->cred = &vfs_user_cred;
    assert_int_equal(path_mkdir(W, "/d/mine", 0755), -EACCES);
    assert_int_equal(path_unlink(W, "/tmp/roots", false), -EPERM);
    assert_int_equal(path_rename(W, "/tmp/roots", W, "/tmp/x", 0), -EPERM);
    assert_int_equal(file_open(W, "/tmp/roots", O_WRONLY, 0, &f), -EACCES);
    assert_int_equal(path_chmod(&d, 0777, &vfs_user_cred), -EPERM);
    assert_int_equal(path_mkdir(W, "/tmp/mine", 0), 0);
    assert_int_equal(vfs_lookup("/tmp/mine/x", 0), -EACCES);
    assert_int_equal(path_unlink(W, "/tmp/mine", true), 0);
    W->cred = &vfs_root_cred;
    path_put(&d);
}

static void test_mounts_and_chroot(void **state)
{
    struct path sub;
    char buf[64];
    assert_int_equal(path_mount(W, "none", "/d/sub", "tmpfs", 0, "size=8k", W->cred), 0);
    assert_int_equal(path_mount(W, "none", "/d/f", "tmpfs", 0, NULL, W->cred), -ENOTDIR);
    assert_int_equal(path_mount(W, "none", "/d/sub", "nosuch", 0, NULL, W->cred), -ENODEV);
    assert_int_equal(path_mount(W, "none", "/d/sub", "tmpfs", 0, "what=1", W->cred), -EINVAL);
    assert_int_equal(path_mkdir(W, "/d/sub/in", 0755), 0);
    assert_int_equal(vfs_lookup("/d/sub/in/../../f", 0), 0);
    assert_int_equal(path_unlink(W, "/d/sub", true), -EBUSY);
    assert_int_equal(path_rename(W, "/d/sub/in", W, "/d/in", 0), -EXDEV);
    assert_int_equal(path_lookup(W, "/d/sub/in", 0, &sub), 0);
    assert_string_equal(path_text(&sub, NULL, buf, sizeof(buf)), "/d/sub/in");
    assert_int_equal(path_umount(W, "/d/sub", 0, W->cred), -EBUSY);
    assert_int_equal(path_umount(W, "/d", 0, W->cred), -EINVAL);
    struct path root = fs_context_root(vfs_context);
    fs_context_set_root(vfs_context, &sub);
    assert_int_equal(vfs_lookup("/../../d", 0), -ENOENT);
    assert_int_equal(vfs_lookup("/..", 0), 0);
    fs_context_set_root(vfs_context, &root);
    path_put(&root);
    path_put(&sub);
    assert_int_equal(path_umount(W, "/d/sub", 0, W->cred), 0);
    assert_int_equal(vfs_lookup("/d/sub/in", 0), -ENOENT);
}

static void test_descriptors(void **state)
{
    struct fd_table *t = fd_table_create();
    struct file *f;
    assert_non_null(t);
    assert_int_equal(file_open(W, "/d/f", O_RDONLY, 0, &f), 0);
    for (int i = 0; i < 200; i++) {
        file_get(f);
        assert_int_equal(fd_install(t, f, 0, 200, false), i);
    }
    assert_int_equal(fd_install(t, f, 0, 200, false), -EMFILE);
    assert_int_equal(fd_close(t, 77), 0);
    assert_int_equal(fd_close(t, 77), -EBADF);
    file_get(f);
    assert_int_equal(fd_install(t, f, 0, 1000, true), 77);
    assert_int_equal(fd_get_cloexec(t, 77), 1);
    struct fd_table *copy = fd_table_copy(t);
    assert_non_null(copy);
    fd_table_close_on_exec(copy);
    assert_int_equal(fd_get_cloexec(copy, 77), -EBADF);
    assert_int_equal(fd_close_range(copy, 10, 198, false), 0);
    assert_int_equal(fd_next_open(copy, 10), 199);
    fd_table_put(copy);
    fd_table_put(t);
    assert_int_equal(f->refs.count, 1);
    file_put(f);
}

// What the failure test runs: creates and removes everything it makes.
static int use_everything(void)
{
    struct file *f = NULL;
    uint64_t offset = 0;
    int err = path_mkdir(W, "/t", 0755), first = err;
    err = file_open(W, "/t/a-name-that-needs-memory-of-its-own", O_CREAT | O_RDWR, 0644, &f);
    if (err == 0) {
        ssize_t n = file_write_kernel(f, "x", 1, &offset);
        first = first ? first : n < 0 ? (int)n : 0;
        file_put(f);
    }
    first = first ? first : err;
    err = path_symlink(W, "a-name-that-needs-memory-of-its-own", "/t/l");
    first = first ? first : err;
    err = vfs_lookup("/t/l", PATH_FOLLOW);
    first = first ? first : err;
    err = path_rename(W, "/t/l", W, "/t/another-name-that-needs-memory-of-its-own", 0);
    first = first ? first : err;
    err = path_mount(W, "none", "/d/sub", "tmpfs", 0, "size=64k", W->cred);
    first = first ? first : err;
    err = path_umount(W, "/d/sub", 2, W->cred);
    first = first ? first : err;
    return first;
}

static void test_no_memory_anywhere(void **state)
{
    assert_int_equal(use_everything(), 0);
    vfs_remove_all();
    begin(NULL);
    uint64_t before = host_free_pages();
    for (uint64_t n = 1;; n++) {
        host_fail(n, false);
        int err = use_everything();
        uint64_t nr_allocs = host_nr_allocs;
        host_fail(0, false);
        assert_int_equal(host_locks_held, 0);
        vfs_remove_all();
        begin(NULL);
        assert_int_equal(host_free_pages(), before);
        if (nr_allocs < n) {
            assert_int_equal(err, 0);
            assert_true(n > 20); // it did fail at many places
            break;
        }
        // ENOENT and EINVAL come after what failed.
        if (err != 0 && err != -ENOMEM && err != -ENOENT && err != -EINVAL)
            fail_msg("allocation %lu failing gives %d", n, err);
        if (n > 500)
            fail_msg("it never ends");
    }
}

static int setup(void **state)
{
    vfs_start();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lookup_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_long_names, begin, end),
        cmocka_unit_test_setup_teardown(test_forty_links_and_no_more, begin, end),
        cmocka_unit_test_setup_teardown(test_creation_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_removal_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_rename_rules, begin, end),
        cmocka_unit_test_setup_teardown(test_rights, begin, end),
        cmocka_unit_test_setup_teardown(test_mounts_and_chroot, begin, end),
        cmocka_unit_test_setup_teardown(test_descriptors, begin, end),
        cmocka_unit_test_setup_teardown(test_no_memory_anywhere, begin, end),
    };
    return cmocka_run_group_tests_name("fs/path", tests, setup, NULL);
}
