// SPDX-License-Identifier: BSD-2-Clause
// A new address space from validated ELF images: segments, heap, vDSO, stack region. Everything
// goes into a map that nobody runs yet, so any failure just drops it.
#include <arch/vdso.h>
#include <core/random.h>
#include <errno.h>
#include <linux/mman.h>
#include <mm/layout.h>

#include "exec_priv.h"

#define STACK_ROOM (128UL << 10) // mapped from the start, below what is on the stack

static const char zeros[256];

static unsigned int segment_prot(const struct elf_segment *s)
{
    return (s->flags & PF_R ? VM_READ : 0) | (s->flags & PF_W ? VM_WRITE : 0) |
           (s->flags & PF_X ? VM_EXEC : 0);
}

static int map_file_part(struct vm_map *map, struct file *file, const struct elf_segment *s,
                         vaddr_t bias)
{
    vaddr_t start = s->start & PAGE_MASK;
    struct vm_mmap_args args = {
        .addr = bias + start,
        .size = s->file_end - start,
        .prot = segment_prot(s),
        .flags = MAP_PRIVATE | MAP_FIXED,
        .offset = s->offset - (s->start - start),
        .file = file,
        .file_ops = &file_vm_ops,
    };
    if (!file->ops->mmap)
        return -ENOEXEC;
    int err = file->ops->mmap(file, &args.offset, args.size, &args.object);
    if (err != 0)
        return err;
    long addr = vm_map_mmap(map, &args);
    return addr < 0 ? (int)addr : 0;
}

// The rest of the last page of the file's part belongs to bss.
static int clear_tail(struct vm_map *map, const struct elf_segment *s, vaddr_t bias)
{
    vaddr_t addr = bias + s->file_end, end = ALIGN_UP(addr, PAGE_SIZE);
    if (s->file_end == s->end || !(s->flags & PF_W))
        return 0;
    while (addr < end) {
        size_t part = MIN(end - addr, sizeof(zeros));
        ssize_t n = vm_map_access(map, addr, (void *)zeros, part, true, true);
        if (n != (ssize_t)part)
            return n < 0 ? (int)n : -EFAULT;
        addr += part;
    }
    return 0;
}

static int map_bss(struct vm_map *map, const struct elf_segment *s, vaddr_t bias)
{
    vaddr_t start = ALIGN_UP(s->file_end, PAGE_SIZE), end = ALIGN_UP(s->end, PAGE_SIZE);
    if (s->file_end == s->start)
        start = s->start & PAGE_MASK;
    if (start >= end)
        return 0;
    const struct vm_mmap_args args = {
        .addr = bias + start,
        .size = end - start,
        .prot = segment_prot(s),
        .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
    };
    long addr = vm_map_mmap(map, &args);
    return addr < 0 ? (int)addr : 0;
}

static int map_segments(struct vm_map *map, struct file *file, const struct elf_image *image,
                        vaddr_t bias)
{
    for (unsigned int i = 0; i < image->nr_segments; i++) {
        const struct elf_segment *s = &image->segments[i];
        int err = 0;
        if (s->file_end > s->start)
            err = map_file_part(map, file, s, bias);
        if (err == 0 && s->file_end > s->start)
            err = clear_tail(map, s, bias);
        if (err == 0)
            err = map_bss(map, s, bias);
        if (err != 0)
            return err;
    }
    return 0;
}

// What to add to the program's addresses, or -errno.
static int choose_program_bias(const struct elf_image *image, vaddr_t *bias)
{
    *bias = 0;
    if (image->relocatable) {
        vaddr_t base = LAYOUT_PIE_BASE + (random_u64() % LAYOUT_MMAP_RANDOM & PAGE_MASK);
        base = ALIGN_DOWN(base, image->align);
        *bias = base - image->start;
    }
    if (*bias + image->start < USER_BASE || *bias + image->end > USER_END - PAGE_SIZE)
        return -ENOMEM;
    return 0;
}

// The interpreter goes where mmap would put it: reserve as much to learn the place.
static int choose_interp_bias(struct vm_map *map, const struct elf_image *image, vaddr_t *bias)
{
    *bias = 0;
    if (!image->relocatable)
        return image->start < USER_BASE ? -ENOMEM : 0;
    const struct vm_mmap_args args = {
        .size = image->end - image->start + image->align,
        .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
    };
    long place = vm_map_mmap(map, &args);
    if (place < 0)
        return (int)place;
    int err = vm_map_munmap(map, (vaddr_t)place, args.size);
    *bias = ALIGN_UP((vaddr_t)place, image->align) - image->start;
    return err;
}

// The vDSO, its data first, is the kernel's own memory, mapped as a device would be.
static paddr_t vdso_page(struct vm_object *o, uint64_t index)
{
    size_t size;
    const char *code = vdso_image(&size);
    if (index == 0)
        return kernel_image_paddr(vdso_data_image());
    return index <= DIV_ROUND_UP(size, PAGE_SIZE)
               ? kernel_image_paddr(code + (index - 1) * PAGE_SIZE)
               : 0;
}

static const struct vm_object_ops vdso_ops = {.device_page = vdso_page};
static struct vm_object vdso_object;

void exec_init(void)
{
    size_t size;
    (void)vdso_image(&size);
    vm_object_init(&vdso_object, &vdso_ops, PAGE_SIZE + ALIGN_UP(size, PAGE_SIZE));
}

static int map_vdso(struct vm_map *map)
{
    struct vm_mmap_args args = {
        .size = vdso_object.size_bytes,
        .prot = VM_READ,
        .flags = MAP_PRIVATE,
        .object = &vdso_object,
        .may = VM_MAYREAD,
        .name = "[vvar]",
    };
    long addr = vm_map_mmap(map, &args);
    if (addr < 0)
        return (int)addr;
    // The code takes the place behind the data.
    args.addr = (vaddr_t)addr + PAGE_SIZE;
    args.size -= PAGE_SIZE;
    args.offset = PAGE_SIZE;
    args.prot = VM_READ | VM_EXEC;
    args.flags |= MAP_FIXED;
    args.may = VM_MAYREAD | VM_MAYEXEC;
    args.name = "[vdso]";
    addr = vm_map_mmap(map, &args);
    if (addr < 0)
        return (int)addr;
    map->vdso = (vaddr_t)addr;
    return 0;
}

static int map_stack(struct exec *x)
{
    struct vm_map *map = x->map;
    size_t size = ALIGN_UP(exec_stack_size(x), PAGE_SIZE) + STACK_ROOM;
    size = MAX(MIN(size, ALIGN_DOWN(map->limits.stack, PAGE_SIZE)), size - STACK_ROOM);
    const struct vm_mmap_args args = {
        .addr = map->stack_top - size,
        .size = size,
        .prot = VM_READ | VM_WRITE | (x->image.stack_exec ? VM_EXEC : 0),
        .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN,
        .name = "[stack]",
    };
    long addr = vm_map_mmap(map, &args);
    return addr < 0 ? (int)addr : 0;
}

static void note_borders(struct vm_map *map, const struct elf_image *image, vaddr_t bias)
{
    for (unsigned int i = 0; i < image->nr_segments; i++) {
        const struct elf_segment *s = &image->segments[i];
        if (s->flags & PF_X) {
            if (map->code_start == 0)
                map->code_start = bias + s->start;
            map->code_end = bias + s->file_end;
        }
        map->data_start = bias + s->start;
        map->data_end = bias + s->file_end;
    }
}

static struct vm_map *create_map(void)
{
    uint64_t random[3];
    struct process *p = process_self();
    random_fill(random, sizeof(random));
    struct vm_map *map = vm_map_create(random);
    if (!map)
        return NULL;
    if (p->map)
        map->mdwe = vm_map_inherited_mdwe(p->map);
    map->limits = (struct vm_limits){
        .as = process_limit(p, RLIMIT_AS),
        .data = process_limit(p, RLIMIT_DATA),
        .stack = process_limit(p, RLIMIT_STACK),
    };
    return map;
}

// The program of a map may not be opened for writing while the map lives.
static void exe_get(void *file)
{
    (void)inode_run_begin(((struct file *)file)->inode); // somebody holds it already: can't fail
    file_get(file);
}

static void exe_put(void *file)
{
    inode_run_end(((struct file *)file)->inode);
    file_put(file);
}

static const struct vm_file_ops exe_ops = {.get = exe_get, .put = exe_put};

int exec_build_map(struct exec *x)
{
    vaddr_t bias, base = 0;
    x->map = create_map();
    if (!x->map)
        return -ENOMEM;
    int err = choose_program_bias(&x->image, &bias);
    if (err == 0)
        err = map_segments(x->map, x->file, &x->image, bias);
    if (err != 0)
        return err;
    note_borders(x->map, &x->image, bias);
    vm_map_set_brk(x->map, bias + x->image.segments[x->image.nr_segments - 1].end);
    x->entry = bias + x->image.entry;
    if (x->interp_file) {
        err = choose_interp_bias(x->map, &x->interp, &base);
        if (err == 0)
            err = map_segments(x->map, x->interp_file, &x->interp, base);
        if (err != 0)
            return err;
        x->entry = base + x->interp.entry;
        base += x->interp.start;
    }
    err = map_stack(x);
    if (err == 0)
        err = map_vdso(x->map);
    if (err == 0)
        err = exec_build_stack(x, bias, base);
    if (err != 0)
        return err;
    exe_get(x->file);
    x->map->exe = x->file;
    x->map->exe_ops = &exe_ops;
    return 0;
}
