// SPDX-License-Identifier: BSD-2-Clause
// Validation of ELF and #! headers (elf_priv.h). No state, no allocation.
#include <errno.h>
#include <string.h>

#include "elf_priv.h"

#define MACHINE_RISCV   243
#define SCRIPT_LINE_MAX 256
#define INTERP_PATH_MAX 4096

int elf_check_header(const Elf64_Ehdr *h, uint64_t *table_offset, unsigned int *nr)
{
    // What else e_ident holds (byte order, version) decides nothing in Linux either.
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
        h->e_machine != MACHINE_RISCV)
        return -ENOEXEC;
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return -ENOEXEC;
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > ELF_HEADERS_MAX)
        return -ENOEXEC;
    if (h->e_phoff > INT64_MAX - ELF_HEADERS_MAX * sizeof(Elf64_Phdr))
        return -ENOEXEC;
    *table_offset = h->e_phoff;
    *nr = h->e_phnum;
    return 0;
}

static int add_segment(struct elf_image *image, const Elf64_Phdr *ph, vaddr_t user_end)
{
    if (ph->p_memsz == 0)
        return 0;
    if (ph->p_filesz > ph->p_memsz || image->nr_segments == ELF_SEGMENTS_MAX)
        return -ENOEXEC;
    if (ph->p_vaddr >= user_end || ph->p_memsz > user_end - ph->p_vaddr)
        return -ENOMEM;
    if (ph->p_offset > INT64_MAX - ph->p_filesz || ph->p_offset < ph->p_vaddr % PAGE_SIZE)
        return -ENOEXEC;
    if ((ph->p_vaddr - ph->p_offset) % PAGE_SIZE != 0)
        return -ENOEXEC;
    if (image->nr_segments > 0 && ph->p_vaddr < image->segments[image->nr_segments - 1].end)
        return -ENOEXEC;
    struct elf_segment *s = &image->segments[image->nr_segments++];
    s->start = ph->p_vaddr;
    s->file_end = ph->p_vaddr + ph->p_filesz;
    s->end = ph->p_vaddr + ph->p_memsz;
    s->offset = ph->p_offset;
    s->flags = ph->p_flags;
    // A bad alignment counts for nothing, as in Linux.
    if ((ph->p_align & (ph->p_align - 1)) == 0 && ph->p_align > image->align &&
        ph->p_align < user_end)
        image->align = ph->p_align;
    return 0;
}

static int add_interpreter(struct elf_image *image, const Elf64_Phdr *ph)
{
    if (image->interp_size != 0)
        return 0; // the first one counts
    if (ph->p_filesz < 2 || ph->p_filesz > INTERP_PATH_MAX ||
        ph->p_offset > INT64_MAX - ph->p_filesz)
        return -ENOEXEC;
    image->interp_offset = ph->p_offset;
    image->interp_size = ph->p_filesz;
    return 0;
}

// Where the program headers lie in memory: in the segment whose part of the file holds them.
static vaddr_t find_headers(const struct elf_image *image, const Elf64_Ehdr *h)
{
    for (unsigned int i = 0; i < image->nr_segments; i++) {
        const struct elf_segment *s = &image->segments[i];
        if (h->e_phoff >= s->offset && h->e_phoff - s->offset < s->file_end - s->start)
            return s->start + (h->e_phoff - s->offset);
    }
    return 0;
}

int elf_read_headers(const Elf64_Ehdr *h, const Elf64_Phdr *table, vaddr_t user_end,
                     struct elf_image *image)
{
    memset(image, 0, sizeof(*image));
    image->relocatable = h->e_type == ET_DYN;
    image->entry = h->e_entry;
    image->nr_headers = h->e_phnum;
    image->align = PAGE_SIZE;
    for (unsigned int i = 0; i < h->e_phnum; i++) {
        int err = 0;
        if (table[i].p_type == PT_LOAD)
            err = add_segment(image, &table[i], user_end);
        else if (table[i].p_type == PT_INTERP)
            err = add_interpreter(image, &table[i]);
        else if (table[i].p_type == PT_GNU_STACK)
            image->stack_exec = table[i].p_flags & PF_X;
        if (err != 0)
            return err;
    }
    if (image->nr_segments == 0)
        return -ENOEXEC;
    image->start = image->segments[0].start & PAGE_MASK;
    image->end = ALIGN_UP(image->segments[image->nr_segments - 1].end, PAGE_SIZE);
    image->headers = find_headers(image, h);
    return 0;
}

static char *skip_blanks(char *s, const char *end)
{
    while (s < end && (*s == ' ' || *s == '\t'))
        s++;
    return s;
}

int script_parse(char *head, size_t n, char **interpreter, char **argument)
{
    if (n < 2 || head[0] != '#' || head[1] != '!')
        return -ENOEXEC;
    n = MIN(n, (size_t)SCRIPT_LINE_MAX);
    char *end = memchr(head, '\n', n);
    bool whole = end != NULL || n < SCRIPT_LINE_MAX;
    if (!end)
        end = head + (whole ? n : n - 1);
    char *zero = memchr(head, '\0', (size_t)(end - head));
    if (zero)
        end = zero;
    char *name = skip_blanks(head + 2, end), *name_end = name;
    while (name_end < end && *name_end != ' ' && *name_end != '\t')
        name_end++;
    // Without a newline in sight the path must at least end, or it may have been cut.
    if (name == name_end || (!whole && !zero && name_end == end))
        return -ENOEXEC;
    char *arg = skip_blanks(name_end, end);
    while (end > arg && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *argument = arg < end ? arg : NULL;
    *interpreter = name;
    // head has room for the NUL: the line is shorter than the buffer or was cut above.
    *name_end = '\0';
    if (*argument)
        *end = '\0';
    return 0;
}
