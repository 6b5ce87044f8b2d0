// SPDX-License-Identifier: BSD-2-Clause
// Rescue init: mount, report, check, prompt.

#include "../newlib/linux.h"
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void mount_one(const char *type, const char *where)
{
    mkdir(where, 0755);
    if (linux_call(LINUX_mount, type, where, type, 0, 0) != 0 && errno != EBUSY)
        printf("can't mount %s: %s\n", where, strerror(errno));
}

// Without an initramfs nobody has opened the console for us.
static void open_console(void)
{
    struct stat st;

    if (fstat(STDIN_FILENO, &st) == 0)
        return;
    for (int fd = 0; fd < 3; fd++)
        open("/dev/console", O_RDWR);
}

int main(void)
{
    mkdir("/dev", 0755);
    if (linux_call(LINUX_mount, "devtmpfs", "/dev", "devtmpfs", 0, 0) != 0 && errno != EBUSY)
        return 1; // no console to complain on: the kernel reports that init exited
    open_console();
    setvbuf(stdout, NULL, _IOLBF, 0);
    mount_one("proc", "/proc");
    mount_one("sysfs", "/sys");

    printf("\nVireo rescue: no initramfs came with the kernel, so this small program is running.\n"
           "Give one with the loader's initrd (make run INITRD=file, extlinux `initrd`).\n\n");
    report_board();
    int failed = checks_run();
    printf(failed ? "\n%d checks failed.\n" : "\nAll checks passed.\n", failed);
    printf("Type `help` for what can be done here.\n");
    prompt_run();
    for (;;) // the console is gone; pid 1 must stay
        linux_syscall(LINUX_wait4, -1, 0, 0, 0);
}
