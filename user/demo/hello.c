// SPDX-License-Identifier: BSD-2-Clause
// The smallest program on newlib: `make user`, then put it into an initramfs with FILES=.

#include <stdio.h>

int main(int argc, char **argv)
{
    printf("Hello from %s, on newlib.\n", argc > 0 ? argv[0] : "a program without a name");
    return 0;
}
