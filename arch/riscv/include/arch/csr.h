// SPDX-License-Identifier: BSD-2-Clause
// Supervisor CSRs: numbers, fields and access (privileged spec 12.1, chapter "Supervisor-Level
// ISA"). Also included by assembly: C-only parts are guarded.
#pragma once

#define SSTATUS_SIE  (1UL << 1)
#define SSTATUS_SPIE (1UL << 5)
#define SSTATUS_SPP  (1UL << 8)
#define SSTATUS_VS   (3UL << 9)
#define SSTATUS_FS   (3UL << 13)
#define SSTATUS_SUM  (1UL << 18)
#define SSTATUS_MXR  (1UL << 19)
#define SSTATUS_UXL  (2UL << 32) // as written: user mode is RV64

#define SSTATUS_FS_OFF     (0UL << 13)
#define SSTATUS_FS_INITIAL (1UL << 13)
#define SSTATUS_FS_CLEAN   (2UL << 13)
#define SSTATUS_FS_DIRTY   (3UL << 13)
#define SSTATUS_VS_OFF     (0UL << 9)
#define SSTATUS_VS_INITIAL (1UL << 9)
#define SSTATUS_VS_CLEAN   (2UL << 9)
#define SSTATUS_VS_DIRTY   (3UL << 9)

#define SIE_SSIE (1UL << 1)
#define SIE_STIE (1UL << 5)
#define SIE_SEIE (1UL << 9)

#define SCAUSE_INTERRUPT        (1UL << 63)
#define SCAUSE_IRQ_SOFTWARE     1
#define SCAUSE_IRQ_TIMER        5
#define SCAUSE_IRQ_EXTERNAL     9
#define SCAUSE_FETCH_MISALIGNED 0
#define SCAUSE_FETCH_ACCESS     1
#define SCAUSE_ILLEGAL          2
#define SCAUSE_BREAKPOINT       3
#define SCAUSE_LOAD_MISALIGNED  4
#define SCAUSE_LOAD_ACCESS      5
#define SCAUSE_STORE_MISALIGNED 6
#define SCAUSE_STORE_ACCESS     7
#define SCAUSE_ECALL_USER       8
#define SCAUSE_FETCH_PAGE_FAULT 12
#define SCAUSE_LOAD_PAGE_FAULT  13
#define SCAUSE_STORE_PAGE_FAULT 15

#define SATP_MODE_SV39  (8UL << 60)
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK  0xffffUL
#define SATP_PPN_MASK   ((1UL << 44) - 1)

#ifndef __ASSEMBLER__
#define csr_read(csr)                                                                              \
    ({                                                                                             \
        unsigned long csr_v;                                                                       \
        __asm__ volatile("csrr %0, " #csr : "=r"(csr_v)::"memory");                                \
        csr_v;                                                                                     \
    })
#define csr_write(csr, v)                                                                          \
    __asm__ volatile("csrw " #csr ", %0" ::"rK"((unsigned long)(v)) : "memory")
#define csr_set(csr, v) __asm__ volatile("csrs " #csr ", %0" ::"rK"((unsigned long)(v)) : "memory")
#define csr_clear(csr, v)                                                                          \
    __asm__ volatile("csrc " #csr ", %0" ::"rK"((unsigned long)(v)) : "memory")
#define csr_read_clear(csr, v)                                                                     \
    ({                                                                                             \
        unsigned long csr_v;                                                                       \
        __asm__ volatile("csrrc %0, " #csr ", %1"                                                  \
                         : "=r"(csr_v)                                                             \
                         : "rK"((unsigned long)(v))                                                \
                         : "memory");                                                              \
        csr_v;                                                                                     \
    })
#endif
