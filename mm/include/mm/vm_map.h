// SPDX-License-Identifier: BSD-2-Clause
// vm_map: the regions of a process, ordered by address in a tree augmented with the largest gap,
// over one vm_space. What mmap, munmap, mprotect, mremap, madvise, brk and fork edit and what
// /proc/PID/maps prints. Contract: shared/abi/address-space.md; mmap(2), mprotect(2), mremap(2),
// brk(2), madvise(2).
//
// Nothing here reaches for "current": the map, the limits and the object come as arguments.
// Lock order: vm_map.lock (write to edit, read to fault) > vm_object.lock > page tables. What
// changes pages takes its place in the order of a range with the map locked, and may go on without
// it.
#pragma once

#include <arch/port.h>
#include <lib/rbtree.h>
#include <lib/refcount.h>
#include <mm/vm_object.h>
#include <mm/vm_space.h>
#include <sync/rwlock.h>

#define VM_SHARED     BIT(4)
#define VM_GROWSDOWN  BIT(5) // a stack
#define VM_DONTFORK   BIT(6)
#define VM_WIPEONFORK BIT(7)
#define VM_NORESERVE  BIT(8)
#define VM_LOCKED     BIT(9)
#define VM_MAYREAD                                                                                 \
    BIT(10) // what mprotect may turn on (a shared map of a read-only file lacks MAYWRITE)
#define VM_MAYWRITE    BIT(11)
#define VM_MAYEXEC     BIT(12)
#define VM_HUGEPAGE    BIT(13) // madvise(2)'s
#define VM_NOHUGEPAGE  BIT(14)
#define VM_LOCKONFAULT BIT(15) // VM_LOCKED, but brought in by use alone
#define VM_HUGETLB     BIT(16) // of a pool's pages alone: 2 MiB, unless one of the next two is set
#define VM_HUGETLB_64K BIT(17)
#define VM_HUGETLB_1G  BIT(18)
#define VM_PROT_MASK   (VM_READ | VM_WRITE | VM_EXEC)

// What a mapped file tells mm and /proc/PID/maps; fs implements it over struct file.
struct vm_file_ops {
    void (*get)(void *file);
    void (*put)(void *file);
    // Path into buf (NUL-terminated, cut if longer), device and inode number.
    void (*describe)(void *file, char *buf, size_t size, dev_t *dev, ino_t *ino);
    // Make a hole (madvise(2)'s MADV_REMOVE): 0 or -errno. No lock of mm is held. NULL: the pages
    // are the object's alone.
    int (*punch)(void *file, uint64_t offset, uint64_t size);
};

struct vm_region {
    struct rb_node node;
    vaddr_t start, end; // half-open, page-aligned
    unsigned int flags; // VM_*
    vaddr_t gap;        // free bytes below it, and
    vaddr_t gap_max;    // the largest in its subtree
    struct vm_map *map;
    struct vm_object *object; // NULL: private anonymous
    uint64_t offset;          // of start in the object, bytes, page-aligned
    void *file;               // with file_ops, or NULL
    const struct vm_file_ops *file_ops;
    const char *name; // "[heap]", "[stack]", "[vdso]" or NULL
    struct list_node object_node;
};

struct vm_limits { // bytes; RLIM_INFINITY is UINT64_MAX. Read under no lock, written by prlimit
    uint64_t as, data, stack;
};

struct vm_map {
    struct refcount refs; // processes and kernel users
    uint64_t id;          // no two maps ever have the same, nor 0
    struct vm_space space;
    uint32_t nr_unmapping; // munmaps that go on without the lock; atomic
    struct rwlock lock;    // guards the rest
    struct rb_root regions;
    vaddr_t mmap_base; // searches go down from here
    vaddr_t brk_start, brk_end;
    vaddr_t stack_top;
    vaddr_t vdso;
    vaddr_t arg_start, arg_end, env_start, env_end; // for /proc/PID/cmdline and environ
    vaddr_t code_start, code_end, data_start, data_end;
    uint64_t auxv[64];
    unsigned int nr_auxv;
    unsigned int mdwe;       // PR_MDWE_* of prctl(2); atomic
    unsigned int lock_flags; // VM_LOCKED, VM_LOCKONFAULT: of new regions, by mlockall(MCL_FUTURE)
    uint64_t brk_random;     // bytes between the end of the program and its heap
    uint64_t nr_regions, total_pages, peak_pages, data_pages, stack_pages, locked_pages;
    struct vm_limits limits;
    pid_t owner; // for whom regions come and go: told to objects that count. Set by core
    void *exe;   // of the program, with exe_ops
    const struct vm_file_ops *exe_ops;
};

// An empty map with one reference, randomised bases (`random`: 8 bytes of entropy each), or NULL.
struct vm_map *vm_map_create(const uint64_t random[3]);
void vm_map_get(struct vm_map *m);
void vm_map_put(struct vm_map *m); // the last one frees everything; may sleep
// What a child or the next program keeps of m->mdwe.
unsigned int vm_map_inherited_mdwe(const struct vm_map *m);
// A copy for fork(2): copy-on-write. NULL: no memory.
struct vm_map *vm_map_fork(struct vm_map *m);

struct vm_mmap_args {
    vaddr_t addr;
    size_t size;
    unsigned int prot;        // VM_READ | VM_WRITE | VM_EXEC
    unsigned int flags;       // MAP_* of <linux/mman.h>
    struct vm_object *object; // NULL: anonymous (MAP_SHARED makes its own)
    uint64_t offset;          // bytes
    void *file;               // described by file_ops; the map takes its own reference
    const struct vm_file_ops *file_ops;
    unsigned int may; // VM_MAY* the file allows; 0 means all
    const char *name;
};
// The address, or -errno as mmap(2) (ENOMEM, EINVAL, EEXIST, EPERM). Takes its own references.
long vm_map_mmap(struct vm_map *m, const struct vm_mmap_args *args);
int vm_map_munmap(struct vm_map *m, vaddr_t addr, size_t size);
// Unmap what is left of the mapping by a file of `ops` whose offset 0 is at `addr`, wherever it was
// cut; other mappings of the same file, or of anything else, stay (shmdt(2)). 0 or -EINVAL: none.
int vm_map_unmap_mapping(struct vm_map *m, vaddr_t addr, const struct vm_file_ops *ops);
// VM_GROWSDOWN in prot: from the start of the stack around addr (PROT_GROWSDOWN).
int vm_map_mprotect(struct vm_map *m, vaddr_t addr, size_t size, unsigned int prot);
long vm_map_mremap(struct vm_map *m, vaddr_t old, size_t old_size, size_t new_size,
                   unsigned int flags, vaddr_t new_addr);
int vm_map_madvise(struct vm_map *m, vaddr_t addr, size_t size, int advice);
int vm_map_msync(struct vm_map *m, vaddr_t addr, size_t size, int flags);
int vm_map_mincore(struct vm_map *m, vaddr_t addr, size_t size, uint8_t *vec); // kernel vec
// lock: VM_LOCKED, with VM_LOCKONFAULT if the pages may come later; 0 unlocks.
int vm_map_mlock(struct vm_map *m, vaddr_t addr, size_t size, unsigned int lock);
// mlockall(2): `now` for all that is mapped, `later` for what will be (VM_* as above; 0: not).
int vm_map_mlockall(struct vm_map *m, unsigned int now, unsigned int later);
void vm_map_munlockall(struct vm_map *m);
// New break, or the current one if `addr` can't be had (brk(2) of the kernel).
vaddr_t vm_map_brk(struct vm_map *m, vaddr_t addr);
// exec: the program ends at `start`; the heap begins a random way above.
void vm_map_set_brk(struct vm_map *m, vaddr_t start);

// Resolve a fault. 0: the access can be retried; else the signal to send.
struct vm_fault_result {
    int signal; // 0, SIGSEGV, SIGBUS, SIGKILL (out of memory)
    int code;   // SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR
};
struct vm_fault_result vm_map_fault(struct vm_map *m, vaddr_t addr, enum vm_access access);

// Read or write another map's memory (proc mem, cmdline, process_vm_readv). Bytes done; if
// none, -EFAULT or -ENOMEM. `force` ignores page protection (ptrace-like) but not VM_MAY*.
ssize_t vm_map_access(struct vm_map *m, vaddr_t addr, void *buf, size_t size, bool write,
                      bool force);

static inline unsigned int vm_hugetlb_order(unsigned int flags)
{
    return flags & VM_HUGETLB_64K ? NAPOT_ORDER : flags & VM_HUGETLB_1G ? GIGA_ORDER : HUGE_ORDER;
}

// What a region with these flags is made of, and can be cut at; bytes.
static inline size_t vm_region_page_size(unsigned int flags)
{
    return PAGE_SIZE << (flags & VM_HUGETLB ? vm_hugetlb_order(flags) : 0);
}

// The pools of MAP_HUGETLB, in their pages, of NAPOT_ORDER (where harts have Svnapot), HUGE_ORDER
// or GIGA_ORDER. set: as far as they are to be had.
struct vm_hugetlb_stats {
    uint64_t nr_total, nr_free;
    uint64_t nr_promised; // of the free ones
};
bool vm_hugetlb_exists(unsigned int order);
void vm_hugetlb_stats(unsigned int order, struct vm_hugetlb_stats *stats);
void vm_hugetlb_set(unsigned int order, uint64_t nr_pages);

// Which anonymous memory may come in pages of 2 MiB: all but what madvise(2) excepts, what madvise
// asks for, none.
enum { VM_HUGE_ALWAYS, VM_HUGE_MADVISE, VM_HUGE_NEVER };
unsigned int vm_huge_mode(void);
void vm_huge_set_mode(unsigned int mode);

// What of a region is in memory, in pages. In vm_map_for_each().
struct vm_usage {
    uint64_t resident, shared_clean, shared_dirty, private_clean, private_dirty;
    uint64_t referenced, anonymous, huge;
    uint64_t shared_pool, private_pool; // of VM_HUGETLB, and in no other sum
};
void vm_region_usage(const struct vm_region *r, struct vm_usage *u);

// Resident pages that are not anonymous: of files, and of memory that has no other storage (tmpfs,
// shared). The map is read-locked.
struct vm_resident {
    uint64_t file, shmem;
};
void vm_map_resident_locked(const struct vm_map *m, struct vm_resident *resident);

// What /proc/PID/pagemap says of each of `nr` pages from `start` on, in [0, USER_END); proc(5).
void vm_map_pagemap(struct vm_map *m, vaddr_t start, size_t nr, bool with_frames,
                    uint64_t *entries);

// proc(5), /proc/sys/vm/overcommit_memory and overcommit_ratio.
enum { VM_OVERCOMMIT_GUESS, VM_OVERCOMMIT_ALWAYS, VM_OVERCOMMIT_NEVER };
void vm_overcommit_get(unsigned int *mode, unsigned int *ratio);
unsigned int vm_overcommit_mode(void);
int vm_overcommit_set_mode(unsigned int mode); // 0 or -EINVAL
void vm_overcommit_set_ratio(unsigned int percent);
void vm_overcommit_set_pages(uint64_t pages); // overcommit_kbytes
uint64_t vm_overcommit_pages(void);           // 0: the ratio counts
// /proc/sys/vm/max_map_count
extern unsigned int vm_regions_max; // atomic
uint64_t vm_committed_pages(void);
uint64_t vm_commit_limit_pages(void);

// Walk the regions at or after addr under the read lock. Non-zero stops and is returned.
int vm_map_for_each(struct vm_map *m, vaddr_t addr, int (*fn)(void *ctx, const struct vm_region *r),
                    void *ctx);
