/*
 * The strict machine: what its two files share.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef RISCV_STRICT_PRIV_H
#define RISCV_STRICT_PRIV_H

#include "strict.h"

#define STRICT_EXIT 97 /* QEMU's exit code after a report */
#define STRICT_LOG 8
#define STRICT_LEVELS 5
#define STRICT_NONE (~(hwaddr)0)

typedef struct StrictEntry StrictEntry;

typedef struct StrictFence {
    const char *what; /* NULL: this place of the log is free */
    uint32_t forms;
    target_ulong rs1, rs2, pc;
    int priv;
} StrictFence;

struct StrictHart {
    /* The TLB: only the hart itself comes here. Entries of an older generation are gone. */
    StrictEntry **buckets, *entries;
    uint32_t next_entry;
    uint32_t generation;
    uint32_t *asid_generation;
    uint32_t shifts; /* bit n: there was an entry for pages of 4 KiB << n */
    uint32_t filled, served, denied;

    /* The walk at work. */
    enum { STRICT_IDLE, STRICT_TLB, STRICT_MEMORY } phase;
    vaddr va;
    StrictEntry *found;
    bool used_node, global, one_shot;
    target_ulong pte;
    hwaddr slot;
    hwaddr chain[STRICT_LEVELS]; /* the slots that this walk has read */
    uint32_t nr_chain;

    StrictFence log[STRICT_LOG], pending_sinval[STRICT_LOG];
    uint32_t log_next, nr_sinval;

    /* Under the lock of strict_watch.c: the PTE (RAM address) that this hart may be writing. */
    ram_addr_t writing;
    /* The epoch of the last fence.i; 0: none since the hart was made. */
    uint32_t fenced;
};

/* About to read this PTE: tell the harts that depend on it when somebody writes it. */
void strict_watch_slot(CPURISCVState *env, hwaddr slot);

/*
 * May the change of what this hart walked, or of the slot, be part of a shootdown that has not reached
 * this hart yet? Yes, while another thread that wrote it has not gone to user mode since.
 */
bool strict_in_flight(CPURISCVState *env, hwaddr slot);

/* Who wrote this slot last, as far as that was seen. */
void strict_print_writer(CPURISCVState *env, hwaddr slot);

/* One report only; then the hart's last fences, and the end. */
void strict_report_begin(void);
void strict_report_end(CPURISCVState *env) G_NORETURN;
void strict_log(CPURISCVState *env, const char *what, uint32_t forms, target_ulong rs1,
                target_ulong rs2);

#endif
