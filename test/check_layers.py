#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_layers.py [--self-test]: the include edges and the layout that shared house rules fix.

A folder includes only from folders below it; private headers stay in their folder; every source is
in a sources.mk (or named by a board); nothing strays at the top; no mirror is named. --self-test
breaks each rule in a scratch tree and fails if that goes unnoticed.
"""
import os
import re
import subprocess
import sys
import tempfile

LEVEL = {"lib": 0, "arch/riscv": 1, "sync": 2, "mm": 3, "fs": 4, "ipc": 4, "core": 5, "drivers": 6,
         "boards": 7}
PREFIX = {"arch": "arch/riscv"}  # <arch/x.h> lives in arch/riscv/include
TOP = {"Makefile", "README.md", "LICENSE", "boards", "arch", "core", "mm", "sync", "ipc", "dts",
       "test", "flash", "lib", "drivers", "fs", "user"}
COMPILER = {"float.h", "iso646.h", "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h",
            "stdint.h", "stdnoreturn.h"}
EXTERNAL = {"libfdt.h", "fdt.h", "zlib.h"}
UAPI = ("linux/", "asm/", "asm-generic/")
INCLUDE = re.compile(r'^\s*#\s*include(?:_next)?\s+(["<])([^">]+)[">]', re.M)
MIRROR = re.compile(r"\b[a-z0-9-]+\.debian\.(?:org|net)\b|\bmirrors?\.[a-z0-9-]+\.[a-z]{2,}\b", re.I)
TABLES = "core/syscalls/"  # rows of the system call table: text to include, no declarations
UNLISTED = re.compile(r"(^|/)offsets\.c$|^arch/riscv/vdso_calls\.c$|^arch/riscv/vdso_sigreturn\.S$|^boards/[^/]+/board\.c$")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def tracked(root):
    """Files of the tree as git would commit them; symbolic links and deleted files are left out."""
    names = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], check=True,
                           capture_output=True, text=True).stdout.split("\n")
    return sorted(n for n in set(names) if n and os.path.isfile(os.path.join(root, n)))


def folder_of(path):
    for folder in LEVEL:
        if path.startswith(folder + "/"):
            return folder
    return None


def check_edge(root, path, folder, kind, name):
    if kind == '"':
        beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if beside.startswith(TABLES) and path.startswith("core/"):
            return None
        if "/" in name or not name.endswith("_priv.h"):
            return '"%s" is no private header of its folder (name_priv.h)' % name
        if not os.path.exists(os.path.join(root, os.path.dirname(path), name)):
            return '"%s" is not in the same folder' % name
        return None
    if name in COMPILER | EXTERNAL or name.startswith(UAPI):
        return None
    if name.startswith("generated/"):
        return None if folder == "arch/riscv" else "<%s> is for arch/riscv alone" % name
    if os.path.exists(os.path.join(root, "lib/libc", name)):
        return None
    target = name.split("/")[0]
    target = PREFIX.get(target, target)
    if target not in LEVEL or not os.path.exists(os.path.join(root, target, "include", name)):
        return "<%s> is no public header" % name
    if target != folder and LEVEL[target] >= LEVEL[folder]:
        return "<%s> is not below %s" % (name, folder)
    return None


def check_includes(root, files):
    for path in files:
        folder = folder_of(path)
        if not folder or not path.endswith((".c", ".h", ".S")):
            continue
        for kind, name in INCLUDE.findall(read(root, path)):
            problem = check_edge(root, path, folder, kind, name)
            if problem:
                yield "%s: %s" % (path, problem)


def check_user(root, files):
    """Programs of user/ know the kernel by its system calls alone."""
    for path in files:
        if path.startswith("user/") and path.endswith((".c", ".h", ".S")):
            for kind, name in INCLUDE.findall(read(root, path)):
                target = PREFIX.get(name.split("/")[0], name.split("/")[0])
                beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
                if os.path.exists(os.path.join(root, target, "include", name)) or (
                        kind == '"' and not beside.startswith("user/")):
                    yield "%s: includes %s of the kernel" % (path, name)


def check_headers(files):
    for path in files:
        folder = folder_of(path)
        if not folder or not path.endswith(".h") or path.startswith(("lib/libc/", TABLES)):
            continue
        name = "arch" if folder == "arch/riscv" else folder
        public = path.startswith("%s/include/%s/" % (folder, name))
        if public == path.endswith("_priv.h"):
            yield "%s: public headers live in %s/include/%s/, private ones end in _priv.h" % (
                path, folder, name)


def check_sources(root, files):
    listed = []
    for path in files:
        if os.path.basename(path) == "sources.mk":
            for line in read(root, path).split("\n"):
                line = line.split("#")[0].strip()
                found = re.fullmatch(r"sources\s*\+=\s*(\S+)", line)
                if found:
                    listed.append(found.group(1))
                    if folder_of(found.group(1)) != folder_of(path):
                        yield "%s: lists %s of another folder" % (path, found.group(1))
                elif line and not re.match(r"\$\(out\)/\S+\.o: file_flags := ", line):
                    yield "%s: not of the form 'sources += file': %s" % (path, line)
        elif os.path.basename(path) == "board.mk":
            found = re.search(r"^drivers\s*[:+]?=((?:[^\n\\]|\\\n)*)", read(root, path), re.M)
            names = found.group(1).replace("\\\n", " ").split() if found else []
            listed += ["drivers/%s.c" % name for name in names]
            lines = [l for l in read(root, path).split("\n") if l.strip() and l[0] != "#"]
            if len(lines) > 20:
                yield "%s: more than 20 lines" % path
    for path in sorted(set(listed)):
        if path not in files:
            yield "sources.mk or board.mk: no such file %s" % path
    for path in files:
        if folder_of(path) and path.endswith((".c", ".S")) and not UNLISTED.search(path):
            if path not in listed:
                yield "%s: in no sources.mk and no board" % path


def check_top(root, files):
    for name in sorted({path.split("/")[0] for path in files}):
        if name not in TOP and not name.startswith("."):
            yield "%s: not a name of the fixed top level" % name
    for name in sorted(TOP):
        folder = "arch/riscv" if name == "arch" else name
        if any(path.startswith(folder + "/") for path in files):
            if folder + "/README.md" not in files:
                yield "%s/: has no README.md" % folder


def check_mirrors(root, files):
    for path in files:
        found = MIRROR.search(read(root, path))
        if found:
            yield "%s: names a mirror: %s" % (path, found.group(0))


def check(root):
    files = tracked(root)
    problems = []
    for part in (check_includes(root, files), check_user(root, files), check_headers(files),
                 check_sources(root, files), check_top(root, files), check_mirrors(root, files)):
        problems += part
    return problems


# A small tree that keeps every rule, and changes to it that each break one.
CLEAN = {
    "README.md": "x", "lib/README.md": "x", "mm/README.md": "x", "core/README.md": "x",
    "fs/README.md": "x", "ipc/README.md": "x", "arch/riscv/README.md": "x",
    "drivers/README.md": "x", "boards/README.md": "x", "user/README.md": "x",
    "lib/libc/string.h": "", "lib/include/lib/list.h": "#include <stdint.h>\n",
    "arch/riscv/include/arch/trap.h": "#include <lib/list.h>\n",
    "arch/riscv/offsets.c": "#include <arch/trap.h>\n",
    "mm/include/mm/page.h": "#include <lib/list.h>\n", "mm/page_priv.h": "",
    "mm/page.c": '#include <mm/page.h>\n#include "page_priv.h"\n#include <linux/mman.h>\n',
    "mm/sources.mk": "sources += mm/page.c\n",
    "core/include/core/board.h": "", "fs/include/fs/file.h": "", "ipc/include/ipc/shm.h": "",
    "core/init.c": "#include <fs/file.h>\n#include <core/board.h>\n#include <string.h>\n",
    "core/sources.mk": "sources += core/init.c\n",
    "drivers/uart/ns16550.c": "#include <core/board.h>\n",
    "boards/b/board.mk": "drivers := \\\n    uart/ns16550\n", "boards/b/board.c": "#include <core/board.h>\n",
    "user/init.c": "#include <stdio.h>\n",
}
BROKEN = {
    "an include from above": {"mm/page.c": "#include <core/board.h>\n"},
    "an include between siblings": {"ipc/include/ipc/shm.h": "#include <fs/file.h>\n"},
    "an include from above in a header": {"lib/include/lib/list.h": "#include <mm/page.h>\n"},
    "an include of an unknown header": {"mm/page.c": "#include <stdio.h>\n"},
    "a private header of another folder": {"core/init.c": '#include "../mm/page_priv.h"\n'},
    "a private header by angle brackets": {"core/init.c": "#include <mm/page_priv.h>\n"},
    "a quoted public header": {"mm/page.c": '#include "page.h"\n'},
    "offsets outside arch": {"core/init.c": "#include <generated/offsets.h>\n"},
    "a program that includes the kernel": {"user/init.c": "#include <fs/file.h>\n"},
    "a program that reaches out of user": {"user/init.c": '#include "../mm/page_priv.h"\n'},
    "a public header that is named private": {"mm/include/mm/x_priv.h": ""},
    "a header in the wrong place": {"mm/x.h": ""},
    "a source in no list": {"mm/other.c": ""},
    "a driver of no board": {"drivers/other.c": ""},
    "a list with a file that is not there": {"mm/sources.mk": "sources += mm/page.c\nsources += mm/gone.c\n"},
    "a list that reaches elsewhere": {"mm/sources.mk": "sources += mm/page.c\nsources += core/init.c\n"},
    "a list with something else in it": {"mm/sources.mk": "sources += mm/page.c\nfoo := bar\n"},
    "a board of more than 20 lines": {"boards/b/board.mk": "drivers := uart/ns16550\n" + "x := y\n" * 20},
    "a stray at the top": {"notes.txt": "x"},
    "a folder without README": {"sync/include/sync/mutex.h": ""},
    "a mirror's name": {"lib/README.md": "see deb." + "debian.org"},
}


def write_tree(root, tree):
    for path, text in tree.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)


def self_test():
    def problems_with(change):
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["git", "init", "-q", root], check=True)
            write_tree(root, {**CLEAN, **change})
            return check(root)

    failures = ["the clean tree: " + p for p in problems_with({})]
    for what, change in BROKEN.items():
        if not problems_with(change):
            failures.append("not noticed: " + what)
    return failures


def main():
    if sys.argv[1:] == ["--self-test"]:
        problems, passed = self_test(), "%d broken rules noticed" % len(BROKEN)
    elif not sys.argv[1:]:
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        problems, passed = check(root), "layers and layout hold"
    else:
        sys.exit(__doc__)
    for problem in problems:
        print("layers: " + problem)
    if problems:
        sys.exit(1)
    print("layers: " + passed)


main()
