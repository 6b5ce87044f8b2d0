// SPDX-License-Identifier: BSD-2-Clause
// What a TLB and an instruction cache may still hold: a kernel of no more than that, for the strict
// machine and plain QEMU. Each case gives one letter: A, the old page is still seen; B, the new one
// is; F, the access faults. "Old" and "new" are two pages with that letter in them, mapped one
// after the other.
//
// The word at SELECT (QEMU's -device loader) says what to run: 0 all cases that a TLB can show, n
// case n alone. Every case begins with an sfence.vma of everything.
#include "bare.h"

static struct space one, two;
static uint64_t boot_hart;
static uint8_t code_page[4096] __attribute__((aligned(4096)));
static volatile uint32_t command, answer;
enum { IDLE, LOAD, CALL, ENTER, WAIT };

static char see(void)
{
    int byte = bare_load(VA);

    return byte < 0 ? 'F' : (char)byte;
}

// The old page is mapped and seen in ASID 1; then the new one is mapped.
static void change(enum size size, uint64_t flags)
{
    map(&one, size, OLD, LEAF | flags);
    enter(&one, 1);
    see();
    map(&one, size, NEW, LEAF | flags);
}

enum form {
    NO_FENCE,
    ALL,
    ALL_OF_ASID,
    ALL_OF_OTHER_ASID,
    ADDRESS,
    OTHER_ADDRESS,
    ADDRESS_OF_ASID,
    ADDRESS_OF_OTHER_ASID,
    NO_ADDRESS,
    NR_FORMS
};

static void fence(enum form form)
{
    switch (form) {
    case ALL:
        fence_all();
        break;
    case ALL_OF_ASID:
        fence_asid(1);
        break;
    case ALL_OF_OTHER_ASID:
        fence_asid(2);
        break;
    case ADDRESS:
        fence_va(VA + 0x123);
        break;
    case OTHER_ADDRESS:
        fence_va(OTHER_VA);
        break;
    case ADDRESS_OF_ASID:
        fence_va_asid(VA, 1);
        break;
    case ADDRESS_OF_OTHER_ASID:
        fence_va_asid(VA, 2);
        break;
    case NO_ADDRESS:
        fence_va(1UL << 62 | VA);
        break;
    default:
        break;
    }
}

static char reuse_asid(void)
{
    map(&one, KIB4, OLD, LEAF);
    map(&two, KIB4, NEW, LEAF);
    enter(&one, 1);
    see();
    enter(&two, 1);
    return see();
}

static char reuse_asid_fenced(void)
{
    map(&one, KIB4, OLD, LEAF);
    map(&two, KIB4, NEW, LEAF);
    enter(&one, 1);
    see();
    enter(&two, 1);
    fence_asid(1);
    return see();
}

static char other_asid(void)
{
    map(&one, KIB4, OLD, LEAF);
    map(&two, KIB4, NEW, LEAF);
    enter(&one, 1);
    see();
    enter(&two, 2);
    return see();
}

static char sixteen_asids_on(void)
{
    map(&one, KIB4, OLD, LEAF);
    map(&two, KIB4, NEW, LEAF);
    enter(&one, 1);
    see();
    enter(&two, 17);
    return see();
}

static char there_and_back(void)
{
    other_asid();
    map(&one, KIB4, NEW, LEAF);
    enter(&one, 1);
    return see();
}

static char global_elsewhere(void)
{
    map(&one, KIB4, OLD, LEAF | G);
    map(&two, KIB4, NEW, LEAF);
    enter(&one, 1);
    see();
    enter(&two, 2);
    return see();
}

// A pointer with the global bit makes all below it global.
static char global_pointer(void)
{
    map(&one, KIB4, OLD, LEAF);
    map(&two, KIB4, NEW, LEAF);
    one.root[VA >> 30] |= G;
    enter(&one, 1);
    see();
    enter(&two, 2);
    return see();
}

static char become_valid(void)
{
    map(&one, KIB4, NEW, 0);
    enter(&one, 1);
    see();
    map(&one, KIB4, NEW, LEAF);
    return see();
}

static char become_valid_fenced(void)
{
    become_valid();
    fence_va_asid(VA, 1);
    return see();
}

static char become_invalid(void)
{
    map(&one, KIB4, OLD, LEAF);
    enter(&one, 1);
    see();
    map(&one, KIB4, OLD, 0);
    return see();
}

static char store(void)
{
    return bare_store(VA) < 0 ? 'F' : 'B';
}

static char become_writable(void)
{
    map(&one, KIB4, NEW, LEAF & ~W);
    enter(&one, 1);
    store();
    map(&one, KIB4, NEW, LEAF);
    return store();
}

static char become_writable_fenced(void)
{
    become_writable();
    fence_va(VA);
    return store();
}

static char become_dirty(void)
{
    map(&one, KIB4, NEW, LEAF & ~D);
    enter(&one, 1);
    store();
    map(&one, KIB4, NEW, LEAF);
    return store();
}

static char become_read_only(void)
{
    map(&one, KIB4, OLD, LEAF);
    enter(&one, 1);
    store();
    map(&one, KIB4, OLD, LEAF & ~W);
    return store() == 'B' ? 'A' : 'F';
}

// Forbidden to read, allowed before: the page is only loaded from, and the store comes much later.
static char store_after_load(void)
{
    map(&one, KIB4, OLD, LEAF);
    enter(&one, 1);
    see();
    map(&one, KIB4, OLD, LEAF & ~W);
    see();
    return store() == 'B' ? 'A' : 'F';
}

static void change_pointer(void)
{
    map(&one, KIB4, OLD, LEAF);
    enter(&one, 1);
    see();
    one.other_last[0] = leaf(NEW + OFFSET, LEAF);
    one.middle[OFFSET >> 21] = pointer(one.other_last);
}

static char pointer_unfenced(void)
{
    change_pointer();
    return see();
}

// An address form is for leaf entries: what the hart keeps of pointers may stay.
static char pointer_fenced_by_address(void)
{
    change_pointer();
    fence_va(VA);
    return see();
}

static char pointer_fenced(void)
{
    change_pointer();
    fence_asid(1);
    return see();
}

static char split(void)
{
    map(&one, MIB2, OLD, LEAF);
    enter(&one, 1);
    see();
    map(&one, KIB4, NEW, LEAF);
    return see();
}

static char split_fenced(void)
{
    map(&one, MIB2, OLD, LEAF);
    enter(&one, 1);
    see();
    map(&one, KIB4, NEW, LEAF);
    fence_va(VA + 0x1000);
    return see();
}

static char ask_second(uint32_t what)
{
    answer = 0;
    __atomic_store_n(&command, what, __ATOMIC_RELEASE);
    while (__atomic_load_n(&command, __ATOMIC_ACQUIRE) != IDLE) {
    }
    return (char)answer;
}

static void change_for_second(void)
{
    map(&one, KIB4, OLD, LEAF);
    enter(&one, 1);
    ask_second(ENTER);
    ask_second(LOAD);
    see();
    map(&one, KIB4, NEW, LEAF);
    fence_all();
}

// While this thread stays in the kernel, the fence that the second hart needs may be on its way.
static char second_not_yet(void)
{
    change_for_second();
    return ask_second(LOAD);
}

static char second_unfenced(void)
{
    change_for_second();
    bare_visit_user();
    return ask_second(LOAD);
}

static char second_asked(long function, uint64_t size, uint64_t asid)
{
    change_for_second();
    if (sbi(0x52464e43, function, 1UL << (boot_hart ^ 1), 0, VA, size, asid).error) {
        return 'E';
    }
    bare_visit_user();
    return ask_second(LOAD);
}

static char second_fenced(void)
{
    return second_asked(1, 4096, 0);
}

static char second_fenced_asid(void)
{
    return second_asked(2, 4096, 1);
}

static char second_fenced_other_asid(void)
{
    return second_asked(2, 4096, 2);
}

static void write_code(const uint8_t *code)
{
    for (int i = 0; i < 8; i++) {
        ((volatile uint8_t *)code_page)[i] = code[i];
    }
}

static char call_code(void)
{
    return (char)((int (*)(void))code_page)();
}

static char code_unfenced(void)
{
    write_code(code_b);
    return call_code();
}

static char code_fenced(void)
{
    write_code(code_b);
    __asm__ volatile("fence.i" ::: "memory");
    return call_code();
}

static char code_again(void)
{
    write_code(code_a);
    __asm__ volatile("fence.i" ::: "memory");
    call_code();
    write_code(code_b);
    return call_code();
}

static char code_second_unfenced(void)
{
    code_fenced();
    return ask_second(CALL);
}

static char code_second_fenced(void)
{
    code_fenced();
    if (sbi(0x52464e43, 0, 1UL << (boot_hart ^ 1), 0, 0, 0, 0).error) {
        return 'E';
    }
    return ask_second(CALL);
}

static const struct {
    const char *name;
    char (*run)(void);
} cases[] = {
    {"reuse of an ASID", reuse_asid},
    {"reuse of an ASID, fenced", reuse_asid_fenced},
    {"another ASID", other_asid},
    {"ASID 17 after ASID 1", sixteen_asids_on},
    {"there and back", there_and_back},
    {"global, in another ASID", global_elsewhere},
    {"global by its pointer", global_pointer},
    {"invalid to valid", become_valid},
    {"invalid to valid, fenced", become_valid_fenced},
    {"valid to invalid", become_invalid},
    {"read-only to writable", become_writable},
    {"read-only to writable, fenced", become_writable_fenced},
    {"clean to dirty", become_dirty},
    {"writable to read-only", become_read_only},
    {"writable to read-only, first store", store_after_load},
    {"pointer changed", pointer_unfenced},
    {"pointer changed, fenced by address", pointer_fenced_by_address},
    {"pointer changed, fenced by ASID", pointer_fenced},
    {"2 MiB split", split},
    {"2 MiB split, fenced by an address of it", split_fenced},
    {"second hart, fence on its way", second_not_yet},
    {"second hart", second_unfenced},
    {"second hart, fenced", second_fenced},
    {"second hart, fenced by ASID", second_fenced_asid},
    {"second hart, another ASID fenced", second_fenced_other_asid},
    {"code", code_unfenced},
    {"code, fenced", code_fenced},
    {"code changed after its use", code_again},
    {"code, second hart", code_second_unfenced},
    {"code, second hart, fenced", code_second_fenced},
};
enum { NR_CASES = sizeof(cases) / sizeof(cases[0]), NR_CHANGES = 3 * 2 * NR_FORMS };

static const char *const sizes[] = {"4 KiB", "2 MiB", "1 GiB"};
static const char *const forms[NR_FORMS] = {
    "no fence",      "all",      "all of its ASID",         "all of another ASID", "address",
    "other address", "its both", "address of another ASID", "no address"};

// The first cases are made: each page size, global or not, each form of fence.
static void run(unsigned n)
{
    char seen[2] = {0};

    fence_all();
    put("case ");
    put_number(n);
    put(": ");
    if (n <= NR_CHANGES) {
        unsigned form = (n - 1) % NR_FORMS, size = (n - 1) / NR_FORMS % 3;
        int global = n > NR_CHANGES / 2;

        put(sizes[size]);
        put(global ? ", global, " : ", ");
        put(forms[form]);
        put(" = ");
        change((enum size)size, global ? G : 0);
        fence((enum form)form);
        seen[0] = see();
    } else {
        put(cases[n - NR_CHANGES - 1].name);
        put(" = ");
        seen[0] = cases[n - NR_CHANGES - 1].run();
    }
    put(seen);
    put("\n");
}

// The second hart does what it is told, with no fence of its own.
void bare_second(void)
{
    for (;;) {
        switch (__atomic_load_n(&command, __ATOMIC_ACQUIRE)) {
        case LOAD:
            answer = (uint32_t)see();
            break;
        case CALL:
            answer = (uint32_t)call_code();
            break;
        case ENTER:
            enter(&one, 1);
            fence_all();
            break;
        case IDLE:
            continue;
        default:
            break;
        }
        __atomic_store_n(&command, IDLE, __ATOMIC_RELEASE);
    }
}

void bare_main(uint64_t hart)
{
    uint32_t select = *(volatile uint32_t *)SELECT;

    boot_hart = hart;
    *(volatile char *)(OLD + OFFSET) = 'A';
    *(volatile char *)(NEW + OFFSET) = 'B';
    sbi(0x48534d, 0, hart ^ 1, (uint64_t)start_second, 0, 0, 0);
    ask_second(WAIT); // the firmware fences no hart that it has not started yet
    if (select) {
        run(select);
    }
    for (unsigned n = 1; !select && n <= NR_CHANGES + NR_CASES; n++) {
        run(n);
    }
    put("end\n");
    sbi(0x53525354, 0, 0, 0, 0, 0, 0);
}
