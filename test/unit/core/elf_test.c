// SPDX-License-Identifier: BSD-2-Clause
// Program files come from users: each field of the ELF headers wrong in turn must give ENOEXEC or
// ENOMEM, or an image whose segments are disjoint, ascending and inside user space, as exec maps
// them without asking again. And #! lines as Linux cuts them.

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../core/elf_priv.h"

#define END 0x4000000000UL

struct file {
    Elf64_Ehdr h;
    Elf64_Phdr p[4];
};

// A dynamic program of text and data, as ld makes it.
static struct file good(void)
{
    struct file f = {
        .h = {.e_type = ET_DYN,
              .e_machine = 243,
              .e_version = 1,
              .e_entry = 0x1040,
              .e_phoff = sizeof(Elf64_Ehdr),
              .e_ehsize = sizeof(Elf64_Ehdr),
              .e_phentsize = sizeof(Elf64_Phdr),
              .e_phnum = 4},
        .p = {{.p_type = PT_INTERP, .p_offset = 0x200, .p_filesz = 33},
              {.p_type = PT_LOAD,
               .p_flags = PF_R | PF_X,
               .p_filesz = 0x1500,
               .p_memsz = 0x1500,
               .p_align = 0x1000},
              {.p_type = PT_LOAD,
               .p_flags = PF_R | PF_W,
               .p_offset = 0x1d00,
               .p_vaddr = 0x2d00,
               .p_filesz = 0x400,
               .p_memsz = 0x900,
               .p_align = 0x200000},
              {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W}},
    };
    memcpy(f.h.e_ident, "\177ELF\2\1\1", 7);
    return f;
}

static int load(const struct file *f, struct elf_image *image)
{
    uint64_t offset;
    unsigned int nr;
    int err = elf_check_header(&f->h, &offset, &nr);
    if (err != 0)
        return err;
    assert_true(nr >= 1 && nr <= ELF_HEADERS_MAX);
    assert_true(offset + nr * sizeof(Elf64_Phdr) > offset);
    if (nr > 4)
        return -ENOEXEC; // the file has no more: exec reads short
    return elf_read_headers(&f->h, f->p, END, image);
}

static void check_image(const struct elf_image *image)
{
    vaddr_t last = 0;
    assert_in_range(image->nr_segments, 1, ELF_SEGMENTS_MAX);
    for (unsigned int i = 0; i < image->nr_segments; i++) {
        const struct elf_segment *s = &image->segments[i];
        assert_true(s->start >= last);
        assert_true(s->start <= s->file_end && s->file_end <= s->end && s->start < s->end);
        assert_true(s->end <= END);
        assert_true(s->offset % PAGE_SIZE == s->start % PAGE_SIZE);
        assert_true(s->offset + (s->file_end - s->start) >= s->offset);
        last = s->end;
    }
    assert_true(image->start % PAGE_SIZE == 0 && image->end % PAGE_SIZE == 0);
    assert_true(image->align >= PAGE_SIZE && (image->align & (image->align - 1)) == 0);
    assert_true(image->interp_size <= 4096);
}

static void test_good(void **state)
{
    struct file f = good();
    struct elf_image image;
    assert_int_equal(load(&f, &image), 0);
    check_image(&image);
    assert_true(image.relocatable);
    assert_int_equal(image.entry, 0x1040);
    assert_int_equal(image.headers, sizeof(Elf64_Ehdr));
    assert_int_equal(image.nr_headers, 4);
    assert_int_equal(image.start, 0);
    assert_int_equal(image.end, 0x4000);
    assert_int_equal(image.align, 0x200000);
    assert_int_equal(image.interp_offset, 0x200);
    assert_int_equal(image.interp_size, 33);
    assert_false(image.stack_exec);
    assert_int_equal(image.nr_segments, 2);
    assert_int_equal(image.segments[1].file_end, 0x3100);
    assert_int_equal(image.segments[1].end, 0x3600);
}

// Fields that alone decide whether this is a program for us.
static void test_refused(void **state)
{
    struct elf_image image;
    struct file f;
#define REFUSED(change, error)                                                                     \
    f = good();                                                                                    \
    change;                                                                                        \
    assert_int_equal(load(&f, &image), error)
    for (int i = 0; i < 5; i++) {
        REFUSED(f.h.e_ident[i] ^= 0x40, -ENOEXEC);
    }
    REFUSED(f.h.e_ident[EI_CLASS] = ELFCLASS32, -ENOEXEC);
    REFUSED(f.h.e_type = ET_REL, -ENOEXEC);
    REFUSED(f.h.e_type = ET_CORE, -ENOEXEC);
    REFUSED(f.h.e_machine = EM_X86_64, -ENOEXEC);
    REFUSED(f.h.e_phentsize = 32, -ENOEXEC);
    REFUSED(f.h.e_phnum = 0, -ENOEXEC);
    REFUSED(f.h.e_phnum = 0xffff, -ENOEXEC);
    REFUSED(f.h.e_phoff = UINT64_MAX - 100, -ENOEXEC);
    REFUSED(f.p[1].p_filesz = 0x1501, -ENOEXEC);        // more in the file than in memory
    REFUSED(f.p[1].p_offset = 0x123, -ENOEXEC);         // not congruent
    REFUSED(f.p[2].p_vaddr = 0x1000 - 0x300, -ENOEXEC); // overlaps the first
    REFUSED(f.p[2].p_vaddr = END - 0x300, -ENOMEM);     // reaches the end of user space
    REFUSED(f.p[2].p_memsz = UINT64_MAX, -ENOMEM);
    REFUSED(f.p[2].p_vaddr = UINT64_MAX & ~0x2ffUL, -ENOMEM);
    REFUSED(f.p[2].p_offset = INT64_MAX & ~0x2ffUL, -ENOEXEC);
    REFUSED(f.p[0].p_filesz = 1, -ENOEXEC);
    REFUSED(f.p[0].p_filesz = 4097, -ENOEXEC);
    REFUSED(f.p[0].p_offset = UINT64_MAX, -ENOEXEC);
    REFUSED(f.p[1].p_type = f.p[2].p_type = PT_NULL, -ENOEXEC); // nothing to run
#undef REFUSED
}

// Every byte of the headers, every bit flipped and some values set: refused or sound.
static void test_every_byte(void **state)
{
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < sizeof(struct file); i++)
        for (unsigned int k = 0; k < 8 + sizeof(values); k++) {
            struct file *f = malloc(sizeof(*f)); // ASan knows its end
            struct elf_image image;
            *f = good();
            unsigned char *byte = (unsigned char *)f + i;
            *byte = k < 8 ? *byte ^ (unsigned char)(1 << k) : values[k - 8];
            int err = load(f, &image);
            if (err == 0)
                check_image(&image);
            else
                assert_true(err == -ENOEXEC || err == -ENOMEM);
            free(f);
        }
}

static void test_too_many_segments(void **state)
{
    Elf64_Phdr p[ELF_SEGMENTS_MAX + 1];
    struct elf_image image;
    struct file f = good();
    f.h.e_phnum = ELF_SEGMENTS_MAX + 1;
    for (unsigned int i = 0; i <= ELF_SEGMENTS_MAX; i++)
        p[i] = (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = i * PAGE_SIZE, .p_memsz = PAGE_SIZE};
    assert_int_equal(elf_read_headers(&f.h, p, END, &image), -ENOEXEC);
    f.h.e_phnum = ELF_SEGMENTS_MAX;
    assert_int_equal(elf_read_headers(&f.h, p, END, &image), 0);
    check_image(&image);
}

static int script(const char *text, size_t n, char **interpreter, char **argument)
{
    static char *head;
    free(head);
    head = malloc(n + 1); // room for the NUL and no more
    memcpy(head, text, n);
    *interpreter = *argument = NULL;
    return script_parse(head, n, interpreter, argument);
}

static void test_scripts(void **state)
{
    static const struct {
        const char *line, *interpreter, *argument;
    } cases[] = {
        {"#!/bin/sh\n", "/bin/sh", NULL},
        {"#!/bin/sh", "/bin/sh", NULL},
        {"#! \t/bin/sh \t\necho", "/bin/sh", NULL},
        {"#!/usr/bin/env  python3 -u \n", "/usr/bin/env", "python3 -u"},
        {"#!sh -e", "sh", "-e"},
        {"#!/bin/sh\n-x", "/bin/sh", NULL},
        {"#!\n/bin/sh", NULL, NULL},
        {"#!   \n", NULL, NULL},
        {"#!", NULL, NULL},
        {"#", NULL, NULL},
        {"", NULL, NULL},
        {"\177ELF", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *interpreter, *argument;
        int err = script(cases[i].line, strlen(cases[i].line), &interpreter, &argument);
        assert_int_equal(err, cases[i].interpreter ? 0 : -ENOEXEC);
        if (err != 0)
            continue;
        assert_string_equal(interpreter, cases[i].interpreter);
        if (cases[i].argument)
            assert_string_equal(argument, cases[i].argument);
        else
            assert_null(argument);
    }
}

// 255 characters of the first line count. A path that may have been cut there is refused, an
// argument that was cut is passed.
static void test_long_scripts(void **state)
{
    char text[600], *interpreter, *argument;
    memset(text, 'x', sizeof(text));
    memcpy(text, "#!/", 3);
    assert_int_equal(script(text, sizeof(text), &interpreter, &argument), -ENOEXEC);
    text[255] = '\n';
    assert_int_equal(script(text, sizeof(text), &interpreter, &argument), 0);
    assert_int_equal(strlen(interpreter), 253);
    text[255] = 'x';
    text[254] = '\n';
    assert_int_equal(script(text, sizeof(text), &interpreter, &argument), 0);
    assert_int_equal(strlen(interpreter), 252);
    text[254] = 'x';
    text[9] = ' ';
    assert_int_equal(script(text, sizeof(text), &interpreter, &argument), 0);
    assert_int_equal(strlen(interpreter), 7);
    assert_int_equal(strlen(argument), 255 - 10);
    text[200] = '\0';
    assert_int_equal(script(text, sizeof(text), &interpreter, &argument), 0);
    assert_int_equal(strlen(argument), 200 - 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_byte), cmocka_unit_test(test_too_many_segments),
        cmocka_unit_test(test_scripts),    cmocka_unit_test(test_long_scripts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
