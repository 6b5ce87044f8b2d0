// SPDX-License-Identifier: BSD-2-Clause
// What code compiled with -fsanitize=undefined calls (make UBSAN=1); in other kernels nothing does,
// and the linker drops it. Undefined behaviour is a broken invariant: the first ends in a panic
// that names the place. Names and arguments are fixed by the compilers (GCC's and Clang's UBSan
// runtime interface); each handler's data begins with the place, and that is all we read of it.

#include <lib/assert.h>

struct ubsan_place {
    const char *file;
    uint32_t line, column;
};

static __noreturn void ubsan_report(const char *what, const struct ubsan_place *place)
{
    panic("undefined behaviour: %s at %s:%u:%u", what, place->file ? place->file : "?", place->line,
          place->column);
}

// One handler: it is declared here too, as no header of ours would ever be used for it. The
// compiler passes further arguments, which the calling convention lets us ignore.
#define UBSAN_HANDLER(name, what)                                                                  \
    void __ubsan_handle_##name(const struct ubsan_place *place);                                   \
    void __ubsan_handle_##name(const struct ubsan_place *place)                                    \
    {                                                                                              \
        ubsan_report(what, place);                                                                 \
    }

UBSAN_HANDLER(add_overflow, "signed addition overflows")
UBSAN_HANDLER(sub_overflow, "signed subtraction overflows")
UBSAN_HANDLER(mul_overflow, "signed multiplication overflows")
UBSAN_HANDLER(negate_overflow, "negation overflows")
UBSAN_HANDLER(divrem_overflow, "division by zero or overflow")
UBSAN_HANDLER(pointer_overflow, "pointer arithmetic overflows")
UBSAN_HANDLER(shift_out_of_bounds, "shift out of range")
UBSAN_HANDLER(out_of_bounds, "array index out of bounds")
UBSAN_HANDLER(type_mismatch_v1, "NULL, misaligned or too small object")
UBSAN_HANDLER(alignment_assumption, "pointer not aligned as assumed")
UBSAN_HANDLER(load_invalid_value, "value that its type can't have")
UBSAN_HANDLER(builtin_unreachable, "unreachable code reached")
UBSAN_HANDLER(missing_return, "no value returned")
UBSAN_HANDLER(vla_bound_not_positive, "array of no positive size")
UBSAN_HANDLER(nonnull_arg, "NULL for an argument that may not be")
UBSAN_HANDLER(invalid_builtin, "zero for a builtin that counts bits")

// The place of a return is its second argument.
void __ubsan_handle_nonnull_return_v1(const void *data, const struct ubsan_place *place);
void __ubsan_handle_nonnull_return_v1(const void *data, const struct ubsan_place *place)
{
    (void)data;
    ubsan_report("NULL returned where it may not be", place);
}
