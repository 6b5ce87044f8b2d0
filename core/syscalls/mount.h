// SPDX-License-Identifier: BSD-2-Clause
// Mounts: core/sys_mount.c.
SYSCALL2(__NR_umount2, sys_umount2, vaddr_t, int)
SYSCALL5(__NR_mount, sys_mount, vaddr_t, vaddr_t, vaddr_t, unsigned long, vaddr_t)
SYSCALL1(__NR_chroot, sys_chroot, vaddr_t)
