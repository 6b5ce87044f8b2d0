// SPDX-License-Identifier: BSD-2-Clause
// The kernel's <string.h>: the part of ISO C and POSIX that the kernel, libfdt and zlib use.
#pragma once
#include <stddef.h>
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
void *memrchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *haystack, const char *needle);
// Copy at most size-1 bytes and terminate; returns strlen(src). size 0 copies nothing.
size_t strlcpy(char *restrict dst, const char *restrict src, size_t size);
