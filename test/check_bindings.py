#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_bindings.py FOLDER: every compatible string and property that a driver looks for is in Linux's device tree
bindings (FOLDER is Documentation/devicetree/bindings of a Linux source). Boards' compatibles, too."""

import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Of the Devicetree Specification itself, which is the binding of both.
QEMU = {"riscv-virtio"}  # its virt machine, which nobody sells
BASIC = {"compatible", "reg", "status", "interrupts", "clocks", "resets"}


def wanted(text):
    """Names that a driver's text asks the tree for."""
    for array in re.findall(r"_compatible\[\] = \{(.*?)\}", text, re.S):
        yield from re.findall(r'"([^"]+)"', array)
    yield from re.findall(r'(?:dt_is_compatible|dt_find_compatible)\([^"()]*"([^"]+)"\)', text)
    yield from re.findall(r'\.compatible = "([^"]+)"', text)
    yield from re.findall(r'(?:dt_u32|dt_u64|dt_string|fdt_getprop|fdt_stringlist_search|reference_at)\([^"()]*"([^"]+)"', text)


def known(folder):
    text = []
    for where, _, files in os.walk(folder):
        for file in files:
            if file.endswith((".yaml", ".txt")):
                with open(os.path.join(where, file), encoding="utf-8", errors="replace") as stream:
                    text.append(stream.read())
    return "\n".join(text)


def check(folder, paths):
    """(how many names, complaints)."""
    bindings = known(folder)
    if len(bindings) < 1 << 20:
        sys.exit("bindings: %s has none" % folder)
    words = set(re.findall(r"[A-Za-z0-9#][A-Za-z0-9,._+#-]*", bindings))
    count, complaints = 0, []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for name in sorted(set(wanted(file.read()))):
                count += 1
                if name not in words and name not in BASIC | QEMU:
                    complaints.append("%s: %s is in no binding" % (os.path.relpath(path, TOP), name))
    return count, complaints


def main():
    paths = sorted(glob.glob(os.path.join(TOP, "drivers/*.c")) + glob.glob(os.path.join(TOP, "boards/*/board.c")))
    count, complaints = check(sys.argv[1], paths)
    print("\n".join(complaints) or "bindings: %d names of %d files are there" % (count, len(paths)))
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
