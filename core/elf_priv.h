// SPDX-License-Identifier: BSD-2-Clause
// ELF headers judged before anything is done with them: pure functions over bytes that came from a
// file and may be anything. elf(5); RISC-V ELF psABI.
#pragma once

#include <lib/types.h>
#include <linux/elf.h>

#define ELF_SEGMENTS_MAX 32
#define ELF_HEADERS_MAX  128 // program headers in all; of PT_LOAD no more than ELF_SEGMENTS_MAX

struct elf_segment {
    vaddr_t start, file_end, end; // start <= file_end <= end, bytes, as in the file (no bias)
    uint64_t offset;              // of start in the file; congruent to start modulo the page size
    unsigned int flags;           // PF_R | PF_W | PF_X
};

struct elf_image {
    bool relocatable; // ET_DYN
    vaddr_t entry;
    vaddr_t headers; // address of the program headers, 0 if no segment holds them
    unsigned int nr_headers;
    vaddr_t start, end;       // of all segments, page-aligned
    uint64_t align;           // the largest alignment asked for, at least a page
    uint64_t interp_offset;   // PT_INTERP
    size_t interp_size;       // with the NUL; 0: none
    bool stack_exec;          // PT_GNU_STACK asks for it
    unsigned int nr_segments; // at least 1, ascending and disjoint
    struct elf_segment segments[ELF_SEGMENTS_MAX];
};

// The file header: 0, or -ENOEXEC. *table_offset and *nr say where the program headers are;
// nr <= ELF_HEADERS_MAX, and nothing overflows.
int elf_check_header(const Elf64_Ehdr *h, uint64_t *table_offset, unsigned int *nr);
// The program headers, `user_end` the first address that no segment may reach. 0, or -ENOEXEC, or
// -ENOMEM for segments outside of user space.
int elf_read_headers(const Elf64_Ehdr *h, const Elf64_Phdr *table, vaddr_t user_end,
                     struct elf_image *image);

// The first line of a script, n bytes of the file (256 at most are looked at): "#!", the
// interpreter, and what follows it as one argument (NULL: none). They point into `head`, which is
// changed. 0, or -ENOEXEC: no script, or an interpreter that doesn't fit.
int script_parse(char *head, size_t n, char **interpreter, char **argument);
