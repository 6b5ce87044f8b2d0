// SPDX-License-Identifier: BSD-2-Clause
// The machine: names, memory figures, log, reboot, random bytes, harts: core/sys_system.c.
SYSCALL1(__NR_uname, sys_uname, vaddr_t)
SYSCALL2(__NR_sethostname, sys_sethostname, vaddr_t, int)
SYSCALL2(__NR_setdomainname, sys_setdomainname, vaddr_t, int)
SYSCALL1(__NR_sysinfo, sys_sysinfo, vaddr_t)
SYSCALL3(__NR_getrandom, sys_getrandom, vaddr_t, size_t, unsigned int)
SYSCALL4(__NR_reboot, sys_reboot, int, int, unsigned int, vaddr_t)
SYSCALL3(__NR_syslog, sys_syslog, int, vaddr_t, int)
SYSCALL3(__NR_membarrier, sys_membarrier, int, unsigned int, int)
SYSCALL3(__NR_riscv_flush_icache, sys_riscv_flush_icache, vaddr_t, vaddr_t, unsigned long)
