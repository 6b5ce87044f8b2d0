// SPDX-License-Identifier: BSD-2-Clause
// Number parsing of ISO C. There is no errno: a value that doesn't fit saturates.

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

static int digit_value(int c)
{
    if (isdigit(c))
        return c - '0';
    if (isalpha(c))
        return tolower(c) - 'a' + 10;
    return INT_MAX;
}

// Digits of `base` (0: by prefix) after optional white space and sign.
static unsigned long parse(const char *s, char **end, int base, bool *negative, bool *overflow)
{
    const char *start = s;
    unsigned long value = 0;
    bool any = false;

    while (isspace(*s))
        s++;
    *negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if ((base == 0 || base == 16) && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') &&
        isxdigit(s[2])) {
        base = 16;
        s += 2;
    } else if (base == 0) {
        base = *s == '0' ? 8 : 10;
    }
    *overflow = false;
    for (; digit_value(*s) < base; s++) {
        any = true;
        if (__builtin_mul_overflow(value, (unsigned long)base, &value) ||
            __builtin_add_overflow(value, (unsigned long)digit_value(*s), &value))
            *overflow = true;
    }
    if (end)
        *end = (char *)(any ? s : start);
    return value;
}

unsigned long strtoul(const char *restrict s, char **restrict end, int base)
{
    bool negative, overflow;
    unsigned long value = parse(s, end, base, &negative, &overflow);

    if (overflow)
        return ULONG_MAX;
    return negative ? -value : value;
}

long strtol(const char *restrict s, char **restrict end, int base)
{
    bool negative, overflow;
    unsigned long value = parse(s, end, base, &negative, &overflow);

    if (overflow || value > (unsigned long)LONG_MAX + negative)
        return negative ? LONG_MIN : LONG_MAX;
    return (long)(negative ? -value : value);
}
