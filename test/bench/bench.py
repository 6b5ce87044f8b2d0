#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""bench.py [--filter RE] [--base FILE [--within PERCENT]] [--harts LIST] [--profile] [--commit]

make bench calls it: Vireo and Linux side by side. It boots both kernels with the same archive, prints a
table, and writes build/bench/results.json, RESULTS.md and results.svg. --profile adds where the
instructions go to each row above half of Linux; --commit puts RESULTS.md and results.svg beside this file;
--within fails if a figure of either kernel is further away from that in --base (not those by the clock)."""

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys

import flame
import guest
import report
from guest import OUT, Guest, GuestError, Row, images

SMOKE_SECONDS = 60
BOOT_ROWS = ("boot/to-init", "boot/to-shell", "usage/kernel-after-boot")
DISK = re.compile("disk-")


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
    else:
        sys.stderr.write(text + "\n")
    sys.stderr.flush()


def run_rows(kernel, mode, names, initrd, **options):
    """A Row for each of names. A guest that gets stuck or ends is booted again behind the row at fault."""
    rows, after = {}, ""
    where = f"{kernel}, {options.get('smp', 1)} hart{'s' if options.get('smp', 1) > 1 else ''}"
    filter_ = options.pop("filter_")
    while True:
        done = len(rows)
        try:
            for line in Guest(guest.kernel_path(kernel), mode, initrd, filter_=filter_, after=after, **options).lines():
                row = guest.parse(line)
                if row and row.name in names:
                    rows[row.name] = row
                    progress(f"{where}: {len(rows)} of {len(names)}: {row.name}")
                elif line.startswith("@error"):
                    progress(f"{where}: {line}\n")
            break
        except GuestError as error:
            left = [name for name in names if name not in rows]
            if not left or (len(rows) == done and not after and done == 0 and not options.get("smp")):
                raise
            after = left[0]
            rows[after] = Row(after, note="failed: " + str(error).split("\n", maxsplit=1)[0])
            progress(f"{where}: {after}: {error}\n")
            if len(left) == 1:
                break
    return [rows.get(name, Row(name, note="failed: no line")) for name in names]


def boot_rows(kernel, initrd, entry):
    """How long it takes to /init and to a shell, and what the kernel keeps for itself then."""
    found = {}
    for line in Guest(guest.kernel_path(kernel), "boot", initrd, mem="512M").lines(120):
        match = re.match(r"@boot (\S+) (\d+)", line)
        if match:
            found[match.group(1)] = int(match.group(2))
    return [Row(BOOT_ROWS[0], (found["init"] - entry) * 100, "instructions"),
            Row(BOOT_ROWS[1], (found["shell"] - entry) * 100, "instructions"),
            Row(BOOT_ROWS[2], 512 * 1024 - found["free-or-users-kib"], "KiB")]


def smoke():
    """Every benchmark runs on Vireo for a few operations: the problems, one a line."""
    guest.build()
    problems, seen = [], set()
    for line in Guest(guest.kernel_path("vireo"), "smoke", guest.archive(), disk=disk()).lines(SMOKE_SECONDS):
        row = guest.parse(line)
        if row:
            seen.add(row.name)
            if row.note and not row.note.startswith("missing"):
                problems.append(f"{row.name}: {row.note}")
    return problems + [f"{name}: no line" for name in (b.name for b in guest.benches()) if name not in seen]


def disk():
    """16 MiB of a pattern, which no kernel takes for partitions."""
    path = os.path.join(OUT, "disk.img")
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.write(bytes(range(1, 251)) * (16 * 1024 * 1024 // 250 + 1))
            file.truncate(16 * 1024 * 1024)
    return path


def output(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True, cwd=images.TOP).stdout.strip()


def about():
    """Which versions the figures are of."""
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo", encoding="utf-8").read())
    return {
        "Vireo": output("git", "describe", "--always", "--dirty", "--abbrev=12"),
        "Linux": "Debian " + os.path.basename(images.linux()).replace("vmlinux", "linux"),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": "QEMU virt, rv64, 1 hart under -icount shift=0,sleep=off; by the clock: without icount",
        "QEMU": output("qemu-system-riscv64", "--version").split("\n")[0],
        "firmware": os.path.basename(images.one(os.path.join(images.CACHE, "packages/opensbi_*.deb"))),
        "compiler": output("riscv64-linux-gnu-gcc", "--version").split("\n")[0],
        "C library": "glibc " + output("dpkg-query", "-W", "-f", "${Version}", "libc6-dev-riscv64-cross"),
        "host": f"{cpu.group(1) if cpu else os.uname().machine}, {os.cpu_count()} cores, Linux {os.uname().release}",
    }


def side(kernel, initrd, wanted, entry, harts):
    """All rows of one kernel. What could disturb others, or be disturbed, has a guest of its own."""
    found = []
    if entry is not None:
        found += [r for r in boot_rows(kernel, initrd, entry) if wanted(r.name)]
    chosen = [b for b in guest.benches() if wanted(b.name)]
    exact = [b.name for b in chosen if not b.by_clock]
    usage = [name for name in exact if name.startswith("usage/")]
    disks = [name for name in exact if DISK.search(name)]
    rest = [name for name in exact if name not in usage + disks]
    for name in usage:
        found += run_rows(kernel, "instructions", [name], initrd, filter_=f"^{name}$")
    if rest:
        found += run_rows(kernel, "instructions", rest, initrd, filter_=wanted.__self__.pattern)
    if disks:
        found += run_rows(kernel, "instructions", disks, initrd, disk=disk(), filter_="disk-")
    libc = [b.name for b in guest.benches() if b.libc and wanted(guest.musl_name(b.name))]
    if libc:
        rows = run_rows(kernel, "instructions", libc, guest.archive("musl"), words=["bench_libc=1"],
                        filter_="^(" + "|".join(libc) + ")$")
        found += [Row(guest.musl_name(r.name), r.value, r.unit, r.note) for r in rows]
    several = [b.name for b in chosen if b.several]
    for smp in harts if several else []:
        rows = run_rows(kernel, "clock", several, initrd, smp=smp, disk=disk(), filter_=wanted.__self__.pattern)
        found += [Row(f"{r.name}@{smp}", r.value, r.unit, r.note) for r in rows]
    return found


def measure(filter_, harts):
    initrd = guest.archive()
    wanted = re.compile(filter_).search
    entry = guest.entry_ticks(initrd) if any(map(wanted, BOOT_ROWS)) else None
    vireo, linux = (side(kernel, initrd, wanted, entry, harts) for kernel in ("vireo", "linux"))
    progress("")
    order = list(dict.fromkeys(report.family(r.name) for r in vireo))
    return sorted(report.merge(vireo, linux), key=lambda r: order.index(report.family(r["name"])))


def profiled(rows):
    """Add where its instructions go to each row above half of Linux. What is measured by the clock counts none: there
    it is the same operation on one hart, if it has a row."""
    counted = {r["name"] for r in rows if r["unit"] == "instructions" and not guest.is_musl(r["name"])} - set(BOOT_ROWS)
    above = {r["name"]: r["name"].split("@")[0] for r in rows if r["ratio"] is not None and r["ratio"] > 0.5}
    names = sorted(counted & set(above.values()))
    found = {}
    for number, name in enumerate(names, 1):
        progress(f"profile: {number} of {len(names)}: {name}")
        found[name] = flame.shares(name)
    for row in rows:
        if above.get(row["name"]) in found:
            row["profile"] = found[above[row["name"]]]
    progress("")


def write(results, commit):
    with open(os.path.join(OUT, "results.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    with open(os.path.join(OUT, "RESULTS.md"), "w", encoding="utf-8") as file:
        file.write(report.markdown(results))
    import chart  # late: what needs no picture runs without matplotlib
    chart.draw(results, os.path.join(OUT, "results.svg"))
    if commit:
        for name in ("RESULTS.md", "results.svg"):
            shutil.copy(os.path.join(OUT, name), guest.HERE)


def compare(rows, base, args, harts):
    """Print what moved against the rows of an earlier run. False: more than --within allows."""
    now = [r for r in rows if not args.within or not report.by_clock(r["name"])]
    of_both = {f"@{n}" for n in harts if not args.within}
    before = [r for r in base if re.search(args.filter, r["name"])
              and (not report.by_clock(r["name"]) or "@" + r["name"].split("@")[1] in of_both)]
    limit = args.within / 100 if args.within else report.MOVED
    lines = report.moved(before, now, limit, ("vireo", "linux") if args.within else ("vireo",))
    print("\n".join(["", f"against {args.base}: {len(lines)} of {len(now)} rows moved by more than {limit:.1%}"] + lines))
    return not (lines and args.within)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--filter", default=".")
    parser.add_argument("--base")
    parser.add_argument("--within", type=float)
    parser.add_argument("--harts", default="2,4")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--commit", action="store_true")
    args = parser.parse_args()
    args.filter = args.filter or "."
    try:
        pattern = re.compile(args.filter)
    except re.error as error:
        sys.exit(f"bench: FILTER is no regular expression: {args.filter}: {error}")
    names = [b.name for b in guest.benches()] + [guest.musl_name(b.name) for b in guest.benches() if b.libc]
    if not any(map(pattern.search, [*BOOT_ROWS, *names])):
        sys.exit(f"bench: no benchmark's name matches {args.filter}")
    if not re.fullmatch(r"([1-8](,[1-8])*)?", args.harts):
        sys.exit(f"bench: HARTS is a list like 2,4, not {args.harts}")
    return args


def read_base(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)["rows"]
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"bench: no results in {path}: {error}")


def main():
    args = arguments()
    base = read_base(args.base) if args.base else None
    harts = [int(n) for n in args.harts.split(",") if n]
    guest.build()
    rows = measure(args.filter, harts)
    report.explain(rows, report.reasons(guest.source("reasons.txt")))
    if args.profile:
        profiled(rows)
    results = {**report.summary(rows), "rows": rows, "about": about()}
    write(results, args.commit)
    print(report.text(results))
    if base is not None and not compare(rows, base, args, harts):
        sys.exit(f"bench: two runs differ by more than {args.within}%")


if __name__ == "__main__":
    try:
        main()
    except (GuestError, images.Missing) as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
