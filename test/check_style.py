#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_style.py [--self-test]: what of the house style a program can see.

Each C file opens with the licence line and a comment that says what it is for; files and functions
keep within their size; no banners, no code that waits in comments or #if 0, no notes to self.
--self-test breaks each rule in a text and fails if that goes unnoticed.
"""
import os
import re
import subprocess
import sys

FOLDERS = ("lib/", "arch/", "sync/", "mm/", "fs/", "ipc/", "core/", "drivers/", "boards/", "user/",
           "test/")
FOREIGN = "test/qemu/files/"  # goes into QEMU, in QEMU's style
FILE_LINES, FUNCTION_LINES = 600, 80
SPDX = "SPDX-License-Identifier: BSD-2-Clause"
RULES = (
    ("a banner", re.compile(r"^\s*(?://|/\*|\*)\s*[-=*#/]{5,}", re.M)),
    ("code under #if 0", re.compile(r"^\s*#\s*if\s+0\b", re.M)),
    ("a note to self", re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")),
    ("commented-out code", re.compile(r"^\s*//\s*(?:[\w.>-]+\(.*\);|(?:if|for|while) \(.*\)\s*\{?"
                                      r"|[\w.>\[\]-]+\s*[-+|&]?=\s*[^=;]+;)\s*$", re.M)),
    ("a typedef that hides a struct", re.compile(r"^\s*typedef\s+(?:struct|union)\b", re.M)),
    ("trailing blanks", re.compile(r"[ \t]+$", re.M)),
    ("a tab", re.compile(r"^ *\t", re.M)),
)


def functions(lines):
    """(name, first line, length) of each function: its brace opens on a line of its own."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            head = "".join(lines[max(0, start - 4):start - 1])
            names = re.findall(r"(\w+)\s*\(", head)
            yield (names[-1] if names else "?", start, number - start - 1)
            start = None


def check_text(path, text):
    lines = text.split("\n")
    if SPDX not in lines[0]:
        yield "%s:1: no licence line (%s)" % (path, SPDX)
    elif not re.match(r"\s*(//|/\*|#) *\S", lines[1] if len(lines) > 1 else ""):
        yield "%s:2: no comment that says what the file is for" % path
    if len(lines) > FILE_LINES:
        yield "%s: %d lines, more than %d: split it by idea" % (path, len(lines), FILE_LINES)
    if path.endswith((".c", ".h")):
        for name, line, length in functions(lines):
            if length > FUNCTION_LINES:
                yield "%s:%d: %s has %d lines, more than %d" % (path, line, name, length,
                                                                FUNCTION_LINES)
    for what, pattern in RULES:
        if path.endswith(".S") and what == "a tab":
            continue
        found = pattern.search(text)
        if found:
            yield "%s:%d: %s" % (path, text.count("\n", 0, found.start()) + 1, what)


def check(root):
    names = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], check=True,
                           capture_output=True, text=True).stdout.split("\n")
    for path in sorted(set(names)):
        if path.startswith(FOLDERS) and not path.startswith(FOREIGN) and path.endswith((".c", ".h", ".S")):
            full = os.path.join(root, path)
            if os.path.isfile(full):
                with open(full, encoding="utf-8") as file:
                    yield from check_text(path, file.read())


CLEAN = ("// %s\n// Counts things: object, life, locks.\n\n#include <x.h>\n\n"
         "// Returns a, which f(b); would not.\nint f(void)\n{\n    return 0;\n}\n" % SPDX)
BROKEN = {
    "no licence": CLEAN.replace("SPDX", "SPD"),
    "no purpose": CLEAN.replace("// Counts things: object, life, locks.\n", ""),
    "a long file": CLEAN + "int x;\n" * FILE_LINES,
    "a long function": CLEAN.replace("    return 0;\n", "    g();\n" * (FUNCTION_LINES + 1)),
    "a banner": CLEAN + "// ------- helpers\n",
    "#if 0": CLEAN + "#if 0\n#endif\n",
    "a note": CLEAN + "// TO" + "DO: more\n",
    "a call in a comment": CLEAN + "// f(1);\n",
    "an assignment in a comment": CLEAN + "    // x->y = 3;\n",
    "a condition in a comment": CLEAN + "// if (x) {\n",
    "a typedef": CLEAN + "typedef struct x x_t;\n",
    "blanks": CLEAN + "int x; \n",
    "a tab": CLEAN + "\tint x;\n",
}


def self_test():
    failures = ["the clean text: " + p for p in check_text("a.c", CLEAN)]
    return failures + ["not noticed: " + what for what, text in BROKEN.items()
                       if not list(check_text("a.c", text))]


def main():
    if sys.argv[1:] == ["--self-test"]:
        problems, passed = self_test(), "%d broken rules noticed" % len(BROKEN)
    elif not sys.argv[1:]:
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        problems, passed = list(check(root)), "holds"
    else:
        sys.exit(__doc__)
    for problem in problems:
        print("style: " + problem)
    if problems:
        sys.exit(1)
    print("style: " + passed)


main()
