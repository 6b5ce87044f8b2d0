// SPDX-License-Identifier: BSD-2-Clause
// Mounts and file system statistics.
SYSCALL5(__NR_mount, sys_mount, vaddr_t, vaddr_t, vaddr_t, unsigned long, vaddr_t)
SYSCALL2(__NR_umount2, sys_umount2, vaddr_t, int)
SYSCALL2(__NR_statfs, sys_statfs, vaddr_t, vaddr_t)
SYSCALL2(__NR_fstatfs, sys_fstatfs, int, vaddr_t)
