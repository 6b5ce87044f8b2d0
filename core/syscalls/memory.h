// SPDX-License-Identifier: BSD-2-Clause
// Address space: core/sys_memory.c, core/sys_process_vm.c.
SYSCALL1(__NR_brk, sys_brk, vaddr_t)
SYSCALL2(__NR_munmap, sys_munmap, vaddr_t, size_t)
SYSCALL5(__NR_mremap, sys_mremap, vaddr_t, size_t, size_t, unsigned int, vaddr_t)
SYSCALL6(__NR_mmap, sys_mmap, vaddr_t, size_t, unsigned int, unsigned int, int, size_t)
SYSCALL3(__NR_mprotect, sys_mprotect, vaddr_t, size_t, unsigned int)
SYSCALL3(__NR_msync, sys_msync, vaddr_t, size_t, int)
SYSCALL2(__NR_mlock, sys_mlock, vaddr_t, size_t)
SYSCALL2(__NR_munlock, sys_munlock, vaddr_t, size_t)
SYSCALL3(__NR_mincore, sys_mincore, vaddr_t, size_t, vaddr_t)
SYSCALL3(__NR_madvise, sys_madvise, vaddr_t, size_t, int)
SYSCALL3(__NR_mlock2, sys_mlock2, vaddr_t, size_t, unsigned int)
SYSCALL1(__NR_mlockall, sys_mlockall, int)
SYSCALL0(__NR_munlockall, sys_munlockall)
SYSCALL6(__NR_process_vm_readv, sys_process_vm_readv, pid_t, vaddr_t, size_t, vaddr_t, size_t,
         unsigned long)
SYSCALL6(__NR_process_vm_writev, sys_process_vm_writev, pid_t, vaddr_t, size_t, vaddr_t, size_t,
         unsigned long)
