// SPDX-License-Identifier: BSD-2-Clause
// Bytes through pipes and from the disk. One operation is the block that the name says.
#include "bench.h"

#include <fcntl.h>
#include <sys/ioctl.h>

static int ends[2];
static char buffer[1 << 20];

static void drain(long size)
{
    close(ends[1]);
    while (read(ends[0], buffer, (size_t)size) > 0)
        ;
}

static void make_pipe(void)
{
    MUST(pipe(ends));
    bench_fork(drain, bench_arg);
}

static void loop_pipe(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        if (MUST(write(ends[1], buffer, (size_t)bench_arg)) != bench_arg)
            bench_fail("write");
    }
    bench_stop();
}

static void open_disk(void)
{
    ends[0] = MUST(open("/dev/vda", O_RDONLY));
}

static void read_disk(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(pread(ends[0], buffer, (size_t)bench_arg, 0));
    bench_stop();
}

#define IOCTL_FLUSH_BUFFERS 0x1261 // BLKFLSBUF

// What was read before is dropped, so that each block comes from the device.
static void read_disk_cold(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(ioctl(ends[0], IOCTL_FLUSH_BUFFERS, 0));
        MUST(pread(ends[0], buffer, (size_t)bench_arg, 0));
    }
    bench_stop();
}

const struct bench bench_throughput[] = {
    {"throughput/pipe-4K", make_pipe, loop_pipe, 4096, .several = true},
    {"throughput/pipe-64K", make_pipe, loop_pipe, 65536, .several = true},
    {"throughput/disk-cached-4K", open_disk, read_disk, 4096},
    {"throughput/disk-cached-1M", open_disk, read_disk, 1 << 20},
    {"throughput/disk-1M", open_disk, read_disk_cold, 1 << 20, .several = true, .by_clock = true},
    {0},
};
