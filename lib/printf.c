// SPDX-License-Identifier: BSD-2-Clause
// Formatting into a buffer: the integer and string part of ISO C's vsnprintf.

#include <ctype.h>
#include <lib/types.h>
#include <stdio.h>
#include <string.h>

struct output {
    char *buf;
    size_t size;
    size_t length; // what was produced, also past the end of buf
};

struct spec { // one conversion
    bool left, zero, plus, space, alternate;
    int width, precision; // precision -1: not given
    int size_bytes;       // of the integer argument
};

static void put(struct output *out, char c)
{
    if (out->length < out->size)
        out->buf[out->length] = c;
    out->length++;
}

static void put_repeated(struct output *out, char c, int n)
{
    for (; n > 0; n--)
        put(out, c);
}

static void put_bytes(struct output *out, const char *s, size_t n)
{
    size_t room = out->length < out->size ? out->size - out->length : 0;
    char *to = out->buf + out->length;
    out->length += n;
    for (n = MIN(n, room); n > 0; n--) // a call would cost more than most texts have characters
        *to++ = *s++;
}

static void put_text(struct output *out, const struct spec *spec, const char *s, int length)
{
    if (!spec->left)
        put_repeated(out, ' ', spec->width - length);
    put_bytes(out, s, (size_t)length);
    if (spec->left)
        put_repeated(out, ' ', spec->width - length);
}

// The digits of `value`, which end at `end`; none of 0. Where they begin. By base, so that the
// compiler knows the divisor.
static char *make_digits(char *end, uint64_t value, unsigned int base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    if (base == 10)
        for (; value != 0; value /= 10)
            *--end = (char)('0' + value % 10);
    else
        for (unsigned int shift = base == 16 ? 4 : 3; value != 0; value >>= shift)
            *--end = digits[value & (base - 1)];
    return end;
}

// `prefix` is a sign or "0x", which goes before padding zeros. `base` is 8, 10 or 16.
static void put_number(struct output *out, const struct spec *spec, uint64_t value,
                       unsigned int base, bool upper, const char *prefix)
{
    char text[24], *const end = text + sizeof(text), *start = make_digits(end, value, base, upper);

    if (spec->width == 0 && spec->precision < 0 && *prefix == '\0') {
        if (start == end)
            *--start = '0';
        put_bytes(out, start, (size_t)(end - start));
        return;
    }
    int length = (int)(end - start), prefix_length = (int)strlen(prefix);
    int zeros = MAX(spec->precision < 0 ? 1 : spec->precision, length) - length;
    int padding = spec->width - prefix_length - zeros - length;
    if (spec->zero && !spec->left && spec->precision < 0 && padding > 0) {
        zeros += padding;
        padding = 0;
    }
    if (!spec->left)
        put_repeated(out, ' ', padding);
    put_bytes(out, prefix, (size_t)prefix_length);
    put_repeated(out, '0', zeros);
    put_bytes(out, start, (size_t)length);
    if (spec->left)
        put_repeated(out, ' ', padding);
}

static const char *parse_flags(const char *fmt, struct spec *spec)
{
    for (;; fmt++) {
        switch (*fmt) {
        case '-':
            spec->left = true;
            break;
        case '0':
            spec->zero = true;
            break;
        case '+':
            spec->plus = true;
            break;
        case ' ':
            spec->space = true;
            break;
        case '#':
            spec->alternate = true;
            break;
        default:
            return fmt;
        }
    }
}

static const char *parse_number(const char *fmt, int *number)
{
    for (*number = 0; isdigit(*fmt); fmt++)
        *number = *number * 10 + (*fmt - '0');
    return fmt;
}

static const char *parse_length(const char *fmt, struct spec *spec)
{
    spec->size_bytes = sizeof(int);
    for (;; fmt++) {
        if (*fmt == 'l' || *fmt == 'z' || *fmt == 't' || *fmt == 'j')
            spec->size_bytes = sizeof(long);
        else if (*fmt == 'h')
            spec->size_bytes = spec->size_bytes == sizeof(short) ? 1 : sizeof(short);
        else
            return fmt;
    }
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
    const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";

    if (spec->size_bytes < (int)sizeof(int))
        value = spec->size_bytes == 1 ? (int8_t)value : (int16_t)value;
    put_number(out, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, false, sign);
}

static void put_unsigned(struct output *out, const struct spec *spec, uint64_t value,
                         char conversion)
{
    if (spec->size_bytes < (int)sizeof(int))
        value = spec->size_bytes == 1 ? (uint8_t)value : (uint16_t)value;
    switch (conversion) {
    case 'o':
        put_number(out, spec, value, 8, false, spec->alternate && value != 0 ? "0" : "");
        break;
    case 'x':
        put_number(out, spec, value, 16, false, spec->alternate && value != 0 ? "0x" : "");
        break;
    case 'X':
        put_number(out, spec, value, 16, true, spec->alternate && value != 0 ? "0X" : "");
        break;
    default:
        put_number(out, spec, value, 10, false, "");
        break;
    }
}

static void put_string(struct output *out, const struct spec *spec, const char *s)
{
    if (!s)
        s = "(null)";
    size_t length = spec->precision < 0 ? strlen(s) : strnlen(s, (size_t)spec->precision);
    put_text(out, spec, s, (int)length);
}

int vsnprintf(char *restrict buf, size_t size, const char *restrict fmt, va_list args)
{
    struct output out = {buf, size, 0};

    for (; *fmt != '\0'; fmt++) {
        if (*fmt != '%') {
            put(&out, *fmt);
            continue;
        }
        struct spec spec = {.precision = -1};
        fmt++;
        if (*fmt < 'a') // most have nothing before the length
            fmt = parse_flags(fmt, &spec);
        if (*fmt == '*') {
            spec.width = va_arg(args, int);
            spec.left |= spec.width < 0;
            spec.width = spec.width < 0 ? -spec.width : spec.width;
            fmt++;
        } else if (*fmt < 'a') {
            fmt = parse_number(fmt, &spec.width);
        }
        if (*fmt == '.') {
            fmt++;
            if (*fmt == '*') {
                spec.precision = va_arg(args, int);
                fmt++;
            } else {
                fmt = parse_number(fmt, &spec.precision);
            }
        }
        fmt = parse_length(fmt, &spec);
        bool is_long = spec.size_bytes == sizeof(long);
        char c;
        switch (*fmt) {
        case 'd':
        case 'i':
            put_signed(&out, &spec, is_long ? va_arg(args, long) : va_arg(args, int));
            break;
        case 'u':
        case 'x':
        case 'X':
        case 'o':
            put_unsigned(&out, &spec,
                         is_long ? va_arg(args, unsigned long) : va_arg(args, unsigned int), *fmt);
            break;
        case 'p':
            put_number(&out, &spec, (uintptr_t)va_arg(args, void *), 16, false, "0x");
            break;
        case 's':
            put_string(&out, &spec, va_arg(args, const char *));
            break;
        case 'c':
            c = (char)va_arg(args, int);
            put_text(&out, &spec, &c, 1);
            break;
        case '\0': // a lone % at the end
            fmt--;
            break;
        default:
            put(&out, *fmt);
            break;
        }
    }
    if (size > 0)
        buf[MIN(out.length, size - 1)] = '\0';
    return (int)out.length;
}

int snprintf(char *restrict buf, size_t size, const char *restrict fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int length = vsnprintf(buf, size, fmt, args);
    va_end(args);
    return length;
}
