#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""flame.py BENCH [vireo|linux]: where the instructions of one benchmark go, as a flame graph.

make profile BENCH=name calls it. QEMU's plug-in profile.so counts instructions by the kernel's call
stack; this draws build/bench/profile-BENCH-KERNEL.svg and prints the functions that take most."""

import collections
import difflib
import html
import os
import re
import sys

import guest
from guest import OUT, Guest, GuestError, images

WIDTH, ROW = 1200, 17


def symbols(kernel):
    """A file of "address name" lines, ascending, for the plug-in. Linux is asked for its own, once."""
    of = os.path.basename(images.linux()) if kernel == "linux" else kernel
    path = os.path.join(OUT, f"symbols-{of}")
    if kernel == "linux":
        if os.path.exists(path):
            return path
        lines = list(Guest(guest.kernel_path(kernel), "symbols", guest.archive()).lines())
    else:
        elf = os.path.join(os.path.dirname(guest.kernel_path(kernel)), "vireo.elf")
        lines = images.command(["riscv64-linux-gnu-nm", "-n", elf]).split("\n")
    found = [match.groups() for match in (re.match(r"([0-9a-f]{16}) [tTwW] (\S+)", entry) for entry in lines) if match]
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{address} {name}\n" for address, name in sorted(found) if not name.startswith((".L", "$")))
    return path


def markers():
    """Arguments of the plug-in: the functions of the program between which it counts."""
    text = images.command(["riscv64-linux-gnu-nm", os.path.join(OUT, "bench")])
    return [f"{name}=0x" + re.search(rf"^(\w+) T profile_{name}$", text, re.M).group(1)
            for name in ("begin", "end", "reset")]


def run(bench, kernel):
    """{stack as a tuple: instructions of one operation}."""
    folded = os.path.join(OUT, "folded")
    plugin = ",".join([os.path.join(OUT, "profile.so"), f"symbols={symbols(kernel)}", f"out={folded}"] + markers())
    disk = __import__("bench").disk() if "disk-" in bench else None
    count = None
    for line in Guest(guest.kernel_path(kernel), "profile", guest.archive(), filter_=f"^{bench}$",
                      extra=["-plugin", plugin], disk=disk).lines():
        match = re.match(r"@profile (\d+)", line)
        count = int(match.group(1)) if match else count
        row = guest.parse(line)
        if row and row.note:
            raise GuestError(f"{row.name}: {row.note}")
    if not count:
        raise GuestError(f"{bench} ran no operation")
    stacks = {}
    with open(folded, encoding="utf-8") as file:
        for line in file:
            stack, instructions = line.rsplit(" ", 1)
            stacks[tuple(stack.split(";"))] = int(instructions) / count
    return stacks


def own(stacks):
    """Instructions by function, without those that it calls."""
    counts = collections.Counter()
    for stack, value in stacks.items():
        counts[stack[-1]] += value
    return counts


def shares(bench, count=5):
    """[(function, share)] of the functions that take most of a benchmark on Vireo."""
    counts = own(run(bench, "vireo"))
    return [(name, value / sum(counts.values())) for name, value in counts.most_common(count)]


def tree(stacks):
    """Nodes [own and below, {name: node}]."""
    root = [0, {}]
    for stack, value in stacks.items():
        node = root
        node[0] += value
        for name in stack:
            node = node[1].setdefault(name, [0, {}])
            node[0] += value
    return root


def depth(node):
    return 1 + max((depth(child) for child in node[1].values()), default=0)


def color(name):
    if name.startswith("["):
        return "#b0bec5"
    shade = sum(map(ord, name)) % 60
    return f"rgb({205 + shade % 50},{90 + shade * 2},{55 + shade % 30})"


def draw(stacks, title):
    root = tree(stacks)
    total, rows = root[0], depth(root)
    height = rows * ROW + 50
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="11">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>', f'<text x="8" y="20" font-size="14">{html.escape(title)}</text>']

    def frame(node, name, x, level):
        width = node[0] / total * (WIDTH - 16)
        if width < 0.4:
            return
        y = height - 10 - (level + 1) * ROW
        share = f"{name}: {node[0]:,.1f} instructions, {node[0] / total:.1%}"
        out.append(f'<g><title>{html.escape(share)}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" '
                   f'height="{ROW - 1}" fill="{color(name)}" rx="2"/>')
        if width > 30:
            out.append(f'<text x="{x + 3:.1f}" y="{y + 12}">{html.escape(name[:int(width / 6.3)])}</text>')
        out.append("</g>")
        for child_name, child in sorted(node[1].items(), key=lambda item: -item[1][0]):
            frame(child, child_name, x, level + 1)
            x += child[0] / total * (WIDTH - 16)

    frame(root, "all", 8, 0)
    return "\n".join(out + ["</svg>"]) + "\n"


def check(bench, kernel):
    """Ends with a line for the user if there is no such profile."""
    found = {b.name: b for b in guest.benches()}
    if kernel not in ("vireo", "linux"):
        sys.exit(f"profile: KERNEL is vireo or linux, not {kernel}")
    if bench not in found:
        near = difflib.get_close_matches(bench, found, 3, 0.5)
        sys.exit(f"profile: no benchmark {bench}" + (": perhaps " + ", ".join(near) if near else ""))
    if found[bench].by_clock or bench.startswith("usage/"):
        sys.exit(f"profile: {bench} is not counted in instructions")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    bench, kernel = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "vireo"
    check(bench, kernel)
    guest.build()
    stacks = run(bench, kernel)
    total = sum(stacks.values())
    path = os.path.join(OUT, f"profile-{bench.replace('/', '-')}-{kernel}.svg")
    with open(path, "w", encoding="utf-8") as file:
        file.write(draw(stacks, f"{bench} on {kernel}: {total:,.0f} instructions an operation"))
    print(f"{bench} on {kernel}: {total:,.1f} instructions an operation")
    for name, value in own(stacks).most_common(30):
        print(f"{value:12,.1f} {value / total:6.1%}  {name}")
    print(path)


if __name__ == "__main__":
    try:
        main()
    except (GuestError, images.Missing) as failure:
        sys.exit(f"profile: {failure}")
