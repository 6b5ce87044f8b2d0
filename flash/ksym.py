#!/usr/bin/python3
"""Turn `nm -n` of the kernel (standard input) into the assembly source of its symbol table.

The table is what <arch/ksym.h> declares: entries sorted by address, each the offset of a function
from _start and the offset of its name in one block of strings.
"""
import sys


def functions(lines):
    start = None
    found = []
    for line in lines:
        fields = line.split()
        if len(fields) != 3:
            continue
        address, kind, name = int(fields[0], 16), fields[1], fields[2]
        if name == "_start":
            start = address
        # .L and $x are labels that the assembler and the psABI put into code.
        if kind in "tTwW" and not name.startswith((".L", "$")):
            found.append((address, name))
    if start is None:
        return []
    seen = {}
    for address, name in sorted(found):
        if address >= start:
            seen.setdefault(address - start, name)
    return sorted(seen.items())


def main():
    table = functions(sys.stdin)
    names, blob = {}, 0
    out = ['.section .rodata.ksym, "a"', ".balign 8", ".global ksym_count", "ksym_count:",
           "    .quad %d" % len(table), ".global ksym_table", "ksym_table:"]
    for offset, name in table:
        if name not in names:
            names[name] = blob
            blob += len(name) + 1
        out.append("    .word 0x%x, %d" % (offset, names[name]))
    out += [".global ksym_names", "ksym_names:"]
    out += ['    .asciz "%s"' % name for name in names]
    out += ["    .byte 0", '.section .note.GNU-stack, "", @progbits']
    print("\n".join(out))


main()
