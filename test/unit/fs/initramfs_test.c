// SPDX-License-Identifier: BSD-2-Clause
// Unpacking: every kind of entry, several archives in a row, plain and gzip, in one piece; then the
// archive cut at every byte, each byte made wrong, and memory missing at every point: it comes to
// an end, keeps what it had, and loses nothing.
#include <errno.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include <fs/initramfs.h>

#include "host.h"
#include "vfs_host.h"

static char archive[16384];
static size_t archive_size;

static void put(const char *name, unsigned int mode, unsigned int ino, unsigned int nlink,
                const char *data, unsigned int rdev)
{
    size_t size = strlen(data);
    char *at = archive + archive_size;
    int n = sprintf(at, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X%s", ino, mode,
                    7U, 8U, nlink, 1000000000U, size, 0U, 1U, rdev >> 8, rdev & 255,
                    strlen(name) + 1, 0U, name);
    n = (n + 1 + 3) / 4 * 4;
    memcpy(at + n, data, size);
    archive_size += (size_t)n + (size + 3) / 4 * 4;
}

static void build(void)
{
    memset(archive, 0, sizeof(archive));
    archive_size = 0;
    put(".", S_IFDIR | 0755, 7, 2, "", 0);
    put("dir", S_IFDIR | 0750, 1, 2, "", 0);
    put("dir/file", S_IFREG | 04755, 2, 1, "some content", 0);
    put("first", S_IFREG | 0644, 3, 2, "", 0);
    put("second", S_IFREG | 0644, 3, 2, "of both", 0);
    put("link", S_IFLNK | 0777, 4, 1, "dir/file", 0);
    put("null", S_IFCHR | 0666, 5, 1, "", 0x103);
    put("pipe", S_IFIFO | 0600, 6, 1, "", 0);
    put("TRAILER!!!", 0, 0, 1, "", 0);
}

static void assert_content(const char *name, const char *content)
{
    char buf[64];
    struct file *f;
    assert_int_equal(file_open(&vfs_walk, name, 0, 0, &f), 0);
    ssize_t n = file_read_kernel(f, buf, sizeof(buf), 0);
    file_put(f);
    assert_int_equal(n, strlen(content));
    assert_memory_equal(buf, content, n);
}

static void assert_unpacked(void)
{
    struct path p;
    assert_content("/dir/file", "some content");
    assert_content("/first", "of both");
    assert_content("/link", "some content");
    assert_int_equal(path_lookup(&vfs_walk, "/dir/file", 0, &p), 0);
    assert_int_equal(p.dentry->inode->mode, S_IFREG | 04755);
    assert_int_equal(p.dentry->inode->uid, 7);
    assert_int_equal(p.dentry->inode->mtime.seconds, 1000000000);
    path_put(&p);
    assert_int_equal(path_lookup(&vfs_walk, "/dir", 0, &p), 0);
    assert_int_equal(p.dentry->inode->mode, S_IFDIR | 0750);
    assert_int_equal(p.dentry->inode->mtime.seconds, 1000000000);
    path_put(&p);
    assert_int_equal(path_lookup(&vfs_walk, "/second", 0, &p), 0);
    assert_int_equal(p.dentry->inode->nlink, 2);
    path_put(&p);
    assert_int_equal(path_lookup(&vfs_walk, "/null", 0, &p), 0);
    assert_int_equal(p.dentry->inode->rdev, 0x103);
    path_put(&p);
    assert_int_equal(vfs_lookup("/pipe", 0), 0);
}

static size_t pack(char *out, size_t room)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
    z.next_in = (Bytef *)archive;
    z.avail_in = (uInt)archive_size;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static void test_every_kind(void **state)
{
    build();
    assert_int_equal(initramfs_unpack(archive, archive_size), 0);
    assert_unpacked();
    assert_int_equal(initramfs_unpack(archive, archive_size), 0); // over what is there
    assert_unpacked();
    vfs_remove_all();
}

static void test_archives_in_a_row(void **state)
{
    static char row[40000];
    build();
    size_t n = pack(row, sizeof(row));
    n += 3; // zeros between, at any place
    archive_size = 0;
    memset(archive, 0, sizeof(archive));
    put("plain", S_IFREG | 0644, 2, 1, "between", 0);
    put("TRAILER!!!", 0, 0, 1, "", 0);
    n = (n + 3) / 4 * 4;
    memcpy(row + n, archive, archive_size);
    n += (archive_size + 511) / 512 * 512;
    archive_size = 0;
    memset(archive, 0, sizeof(archive));
    put("plain", S_IFREG | 0644, 2, 1, "the last wins", 0);
    put("TRAILER!!!", 0, 0, 1, "", 0);
    n += pack(row + n, sizeof(row) - n);
    assert_int_equal(initramfs_unpack(row, n), 0);
    assert_unpacked();
    assert_content("/plain", "the last wins");
    vfs_remove_all();
}

static void test_cut_and_damaged(void **state)
{
    static char packed[16384];
    build();
    vfs_remove_all();
    uint64_t before = host_free_pages();
    for (size_t i = 0; i < archive_size; i++) {
        initramfs_unpack(archive, i);
        vfs_remove_all();
        archive[i] ^= 0x15;
        initramfs_unpack(archive, archive_size);
        archive[i] ^= 0x15;
        vfs_remove_all();
        assert_int_equal(host_locks_held, 0);
    }
    size_t size = pack(packed, sizeof(packed));
    for (size_t i = 0; i < size; i++) {
        assert_true(i == 0 || initramfs_unpack(packed, i) == -EINVAL);
        vfs_remove_all();
        packed[i] ^= 0x15;
        initramfs_unpack(packed, size);
        packed[i] ^= 0x15;
        vfs_remove_all();
    }
    assert_int_equal(host_free_pages(), before);
}

static void test_no_memory(void **state)
{
    build();
    vfs_remove_all();
    uint64_t before = host_free_pages();
    for (uint64_t n = 1;; n++) {
        host_fail(n, true);
        int err = initramfs_unpack(archive, archive_size);
        uint64_t nr_allocs = host_nr_allocs;
        host_fail(0, false);
        if (nr_allocs < n) {
            assert_int_equal(err, 0);
            assert_unpacked();
        } else {
            assert_true(err == -ENOMEM || err == -ENOSPC);
        }
        vfs_remove_all();
        assert_int_equal(host_locks_held, 0);
        assert_int_equal(host_free_pages(), before);
        if (err == 0)
            break;
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
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_archives_in_a_row),
        cmocka_unit_test(test_cut_and_damaged),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests_name("fs/initramfs", tests, setup, NULL);
}
