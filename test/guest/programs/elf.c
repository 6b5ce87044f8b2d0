// SPDX-License-Identifier: BSD-2-Clause
// execve of ELF files in which one field is wrong. Each row states what Linux answers, and this
// program run on Linux proves the rows: an errno from execve, a signal that ends the new program,
// or exit 42. LATE: Linux sees the fault when the old program is gone already and kills; to refuse
// before is as good.
#include "ktap.h"
#include <elf.h>
#include <stddef.h>
#include <sys/stat.h>

enum { BASE = 0x10000, DATA = 0x20000, OK = 42, ERRNO = 1000, SIGNAL = 2000, LATE = 3000 };

// One page of text that ends with exit(42), one page of data.
struct image {
    Elf64_Ehdr header;
    Elf64_Phdr program[4];
    uint32_t code[16];
    char interpreter[64];
    char rest[4096];
};

static struct image good_image(void)
{
    struct image image = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_RISCV,
                   .e_version = EV_CURRENT,
                   .e_entry = BASE + offsetof(struct image, code),
                   .e_phoff = offsetof(struct image, program),
                   .e_flags = 5,
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2},
        .program = {{.p_type = PT_LOAD,
                     .p_flags = PF_R | PF_X,
                     .p_vaddr = BASE,
                     .p_paddr = BASE,
                     .p_align = 4096},
                    {.p_type = PT_LOAD,
                     .p_flags = PF_R | PF_W,
                     .p_vaddr = DATA,
                     .p_paddr = DATA,
                     .p_filesz = 4096,
                     .p_memsz = 12288,
                     .p_align = 4096}},
        // lui t0, DATA; ld t1, 0(t0); sd t1, 1024(t0); sd zero, 2000(t0); li a0, 42; li a7, 93;
        // ecall
        .code = {0x000202b7, 0x0002b303, 0x4062b023, 0x7c02b823, 0x02a00513, 0x05d00893,
                 0x00000073},
    };
    image.program[0].p_filesz = image.program[0].p_memsz = sizeof(image);
    return image;
}

static const char *const path = "/tmp/bad.elf";

static void write_image(const char *name, const void *image, size_t size)
{
    unlink(name);
    int fd = open(name, O_CREAT | O_WRONLY, 0700);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, image, size), size);
    CHECK_EQ(close(fd), 0);
}

static int run(const char *name)
{
    int status, failure = 0, fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(2);
        execl(name, name, NULL);
        failure = errno;
        write(fds[1], &failure, sizeof(failure));
        _exit(99);
    }
    CHECK(pid > 0);
    close(fds[1]);
    bool failed = read(fds[0], &failure, sizeof(failure)) == sizeof(failure);
    close(fds[0]);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return failed                ? ERRNO + failure
           : WIFSIGNALED(status) ? SIGNAL + WTERMSIG(status)
                                 : WEXITSTATUS(status);
}

struct row {
    const char *name;
    size_t offset, size;
    uint64_t value;
    int want;
};

#define HEADER(field, value, want)                                                                 \
    {                                                                                              \
#field "=" #value, offsetof(struct image, header.field), sizeof(((Elf64_Ehdr *)0)->field), \
            value, want                                                                            \
    }
#define IDENT(index, value, want)                                                                  \
    {                                                                                              \
        "e_ident[" #index "]=" #value, index, 1, value, want                                       \
    }
#define SEGMENT(number, field, value, want)                                                        \
    {                                                                                              \
        "segment " #number " " #field "=" #value, offsetof(struct image, program[number].field),   \
            sizeof(((Elf64_Phdr *)0)->field), value, want                                          \
    }

static void check_rows(const struct row *rows, size_t count)
{
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        struct image image = good_image();
        memcpy((char *)&image + rows[i].offset, &rows[i].value, rows[i].size);
        write_image(path, &image, sizeof(image));
        int got = run(path);
        bool late = got == SIGNAL + SIGSEGV || got == ERRNO + ENOEXEC || got == ERRNO + EINVAL ||
                    got == ERRNO + ENOMEM;
        if (rows[i].want == LATE ? !late : got != rows[i].want) {
            note("%s: got %d, want %d", rows[i].name, got, rows[i].want);
            wrong++;
        }
    }
    unlink(path);
    CHECK_EQ(wrong, 0);
}

TEST(the_unchanged_image_runs)
{
    struct image image = good_image();
    write_image(path, &image, sizeof(image));
    CHECK_EQ(run(path), OK);
}

TEST(every_field_of_the_header)
{
    static const struct row rows[] = {
        IDENT(0, 0, ERRNO + ENOEXEC),
        IDENT(1, 'e', ERRNO + ENOEXEC),
        IDENT(3, 0xff, ERRNO + ENOEXEC),
        IDENT(4, 0, ERRNO + ENOEXEC),
        IDENT(4, 1, ERRNO + ENOEXEC),
        IDENT(5, 2, OK),
        IDENT(6, 0, OK),
        IDENT(7, 9, OK),
        HEADER(e_type, ET_NONE, ERRNO + ENOEXEC),
        HEADER(e_type, ET_REL, ERRNO + ENOEXEC),
        HEADER(e_type, ET_CORE, ERRNO + ENOEXEC),
        HEADER(e_type, 0xffff, ERRNO + ENOEXEC),
        HEADER(e_machine, EM_X86_64, ERRNO + ENOEXEC),
        HEADER(e_machine, 0, ERRNO + ENOEXEC),
        HEADER(e_version, 0, OK),
        HEADER(e_entry, 0, SIGNAL + SIGSEGV),
        HEADER(e_entry, 0x30000000, SIGNAL + SIGSEGV),
        HEADER(e_entry, DATA, SIGNAL + SIGSEGV),
        HEADER(e_entry, 0xffffffff80000000, LATE),
        HEADER(e_phoff, 0, LATE),
        HEADER(e_phoff, 1000000, ERRNO + ENOEXEC),
        HEADER(e_phoff, 0x7fffffffffffffff, ERRNO + ENOEXEC),
        HEADER(e_phoff, -1UL, ERRNO + ENOEXEC),
        HEADER(e_shoff, -1UL, OK),
        HEADER(e_flags, -1, OK),
        HEADER(e_ehsize, 0, OK),
        HEADER(e_phentsize, 0, ERRNO + ENOEXEC),
        HEADER(e_phentsize, 55, ERRNO + ENOEXEC),
        HEADER(e_phentsize, 64, ERRNO + ENOEXEC),
        HEADER(e_phnum, 0, ERRNO + ENOEXEC),
        HEADER(e_phnum, 1, SIGNAL + SIGSEGV),
        HEADER(e_phnum, 0xffff, ERRNO + ENOEXEC),
        HEADER(e_phnum, 1000, ERRNO + ENOEXEC),
        HEADER(e_shentsize, 0xffff, OK),
        HEADER(e_shnum, 0xffff, OK),
        HEADER(e_shstrndx, 0xffff, OK),
    };
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(every_field_of_a_segment)
{
    static const struct row rows[] = {
        SEGMENT(0, p_type, PT_NULL, LATE),
        SEGMENT(0, p_type, 0x12345678, LATE),
        SEGMENT(1, p_type, PT_NOTE, SIGNAL + SIGSEGV),
        SEGMENT(1, p_type, PT_TLS, SIGNAL + SIGSEGV),
        SEGMENT(0, p_flags, 0, SIGNAL + SIGSEGV),
        SEGMENT(0, p_flags, PF_R, SIGNAL + SIGSEGV),
        SEGMENT(1, p_flags, PF_R, SIGNAL + SIGSEGV),
        SEGMENT(1, p_flags, PF_R | PF_W | PF_X, OK),
        SEGMENT(1, p_offset, 4096, OK),
        SEGMENT(1, p_offset, 100, LATE),
        SEGMENT(1, p_offset, 1000000, LATE),
        SEGMENT(0, p_vaddr, 0xffffffff80000000, LATE),
        SEGMENT(1, p_vaddr, 0x7000000000000000, LATE),
        SEGMENT(1, p_vaddr, DATA + 0x1000, SIGNAL + SIGSEGV),
        SEGMENT(1, p_vaddr, DATA + 8, LATE),
        SEGMENT(0, p_paddr, -1UL, OK),
        SEGMENT(1, p_filesz, 0, OK),
        SEGMENT(1, p_filesz, 20000, LATE),
        SEGMENT(1, p_filesz, -1UL, LATE),
        SEGMENT(1, p_memsz, 0, LATE),
        SEGMENT(1, p_memsz, 1UL << 62, LATE),
        SEGMENT(1, p_memsz, -1UL, LATE),
        SEGMENT(1, p_align, 0, OK),
        SEGMENT(1, p_align, 3, OK),
        SEGMENT(1, p_align, 1UL << 40, OK),
    };
    check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(cut_short_anywhere)
{
    static const struct {
        int size, want;
    } rows[] = {{0, ERRNO + ENOEXEC},   {1, ERRNO + ENOEXEC},   {4, ERRNO + ENOEXEC},
                {63, ERRNO + ENOEXEC},  {64, ERRNO + ENOEXEC},  {100, ERRNO + ENOEXEC},
                {175, ERRNO + ENOEXEC}, {200, SIGNAL + SIGILL}, {288, SIGNAL + SIGILL}};
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct image image = good_image();
        write_image(path, &image, rows[i].size);
        int got = run(path);
        if (got != rows[i].want)
            note("%d bytes: got %d, want %d", rows[i].size, got, rows[i].want);
        CHECK_EQ(got, rows[i].want);
    }
}

static int run_with_interpreter(const char *name, size_t size)
{
    struct image image = good_image();
    memcpy(image.interpreter, name, size);
    image.header.e_phnum = 3;
    image.program[2] = image.program[1];
    image.program[1] = image.program[0];
    image.program[0] = (Elf64_Phdr){.p_type = PT_INTERP,
                                    .p_flags = PF_R,
                                    .p_filesz = size,
                                    .p_memsz = size,
                                    .p_offset = offsetof(struct image, interpreter)};
    write_image(path, &image, sizeof(image));
    return run(path);
}

TEST(interpreters)
{
    struct image interpreter = good_image();
    CHECK_EQ(run_with_interpreter("/nothere", 9), ERRNO + ENOENT);
    CHECK_EQ(run_with_interpreter("/nothere", 8), ERRNO + ENOEXEC);
    CHECK_EQ(run_with_interpreter("", 1), ERRNO + ENOEXEC);
    CHECK_EQ(run_with_interpreter("", 0), ERRNO + ENOEXEC);
    CHECK_EQ(run_with_interpreter("/tmp", 5), ERRNO + EACCES);
    CHECK_EQ(run_with_interpreter("/etc/passwd", 12), ERRNO + EACCES);
    CHECK_EQ(run_with_interpreter("/dev/null", 10), ERRNO + EACCES);
    write_image("/tmp/ld", "text", 4);
    CHECK_EQ(run_with_interpreter("/tmp/ld", 8), ERRNO + EIO);
    interpreter.header.e_type = ET_DYN;
    interpreter.header.e_machine = EM_X86_64;
    write_image("/tmp/ld", &interpreter, sizeof(interpreter));
    CHECK_EQ(run_with_interpreter("/tmp/ld", 8), ERRNO + ELIBBAD);
    unlink("/tmp/ld");
}

TEST(bss_after_a_partial_page_is_zero)
{
    struct image image = good_image();
    // exit(byte at DATA + 100): file bytes end at 50, the rest of the page must read as zero.
    static const uint32_t code[] = {0x000202b7, 0x0642c503, 0x05d00893, 0x00000073};
    memset(image.code, 0, sizeof(image.code));
    memcpy(image.code, code, sizeof(code));
    memset((char *)&image + 64 + 56 * 4 + 64, 0x55, 64);
    image.program[1].p_filesz = 50;
    image.program[1].p_memsz = 200;
    write_image(path, &image, sizeof(image));
    CHECK_EQ(run(path), 0);
    unlink(path);
}

TEST(a_file_open_for_writing_is_busy)
{
    struct image image = good_image();
    write_image(path, &image, sizeof(image));
    int fd = open(path, O_WRONLY);
    CHECK_EQ(run(path), ERRNO + ETXTBSY);
    close(fd);
    CHECK_EQ(run(path), OK);
    unlink(path);
}

TEST_SECONDS(five_hundred_random_images, 90)
{
    unsigned long state = 88172645463325252UL;
    for (int i = 0; i < 500; i++) {
        struct image image = good_image();
        for (int j = 0; j < 1 + i % 4; j++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((unsigned char *)&image)[state % (sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr))] =
                (unsigned char)(state >> 32);
        }
        write_image(path, &image, sizeof(image));
        CHECK(run(path) >= 0);
    }
    unlink(path);
}
