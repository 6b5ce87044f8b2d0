# SPDX-License-Identifier: BSD-2-Clause
"""Figures of two kernels to ratios, means, tables; comparing with an earlier run. Boots nothing."""

import math
import re

MOVED = 0.03  # what the comparison with an earlier run names
UNITS = {"instructions": 0, "ns": 0, "KiB": 1}


def row(name, vireo, linux, unit, note=""):
    """One row of the results. A figure is None where that kernel has none; the note says why."""
    ratio = vireo / linux if vireo is not None and linux else None
    return {"name": name, "vireo": vireo, "linux": linux, "ratio": ratio, "unit": unit, "note": note}


def family(name):
    """The part before the slash; rows by the clock (name@harts) are families of their own."""
    head = name.split("/")[0]
    return f"by the clock, {name.split('@')[1]} harts" if "@" in name else head


def by_clock(name):
    return "@" in name


def geomean(ratios):
    """None of no ratios. A figure of 0 has no logarithm: it counts as a thousandth."""
    ratios = [max(r, 1e-3) for r in ratios if r is not None]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def merge(vireo, linux):
    """Rows of two lists of guest.Row, in the order of the first."""
    other = {r.name: r for r in linux}
    rows = []
    for mine in vireo:
        theirs = other.get(mine.name)
        notes = [f"Vireo: {mine.note}"] if mine.note else []
        notes += [f"Linux: {theirs.note}"] if theirs and theirs.note else []
        notes += [] if theirs else ["Linux: no line"]
        unit = mine.unit or (theirs.unit if theirs else "")
        rows.append(row(mine.name, mine.value, theirs.value if theirs else None, unit, "; ".join(notes)))
    return rows


def summary(rows):
    """geomean (of all rows in instructions and KiB), geomean_by_clock, families, and counts."""
    families = {}
    for r in rows:
        families.setdefault(family(r["name"]), []).append(r)
    exact = [r for r in rows if not by_clock(r["name"])]
    return {
        "geomean": geomean(r["ratio"] for r in exact),
        "geomean_by_clock": geomean(r["ratio"] for r in rows if by_clock(r["name"])),
        "families": {name: geomean(r["ratio"] for r in members) for name, members in families.items()},
        "count": len(rows),
        "without_ratio": [r["name"] for r in rows if r["ratio"] is None],
        "above_half": [r["name"] for r in rows if r["ratio"] is not None and r["ratio"] > 0.5],
        "above_one": [r["name"] for r in rows if r["ratio"] is not None and r["ratio"] >= 1],
    }


def moved(before, now, limit=MOVED, kernels=("vireo",)):
    """Lines about rows with a figure that moved by more than limit, came or went since an earlier run."""
    old = {r["name"]: r for r in before}
    lines = []
    for r in now:
        was = old.pop(r["name"], None)
        if was is None:
            lines.append(f"new        {r['name']}")
            continue
        for kernel in kernels:
            name = r["name"] if kernel == "vireo" else f"{r['name']} on {kernel}"
            if (was[kernel] is None) != (r[kernel] is None):
                lines.append(f"{'gone' if r[kernel] is None else 'came':10} {name}: {r['note']}")
            elif r[kernel] is not None and was[kernel] != r[kernel]:
                change = r[kernel] / was[kernel] - 1 if was[kernel] else math.inf
                if abs(change) > limit:
                    word = "slower" if change > 0 else "faster"
                    lines.append(f"{word:10} {name}: {figure(was[kernel])} to {figure(r[kernel])} ({change:+.1%})")
    return lines + [f"not run    {name}" for name in old]


def reasons(text):
    """[(pattern of names, reason)] of reasons.txt: "PATTERN: reason" lines, # begins a comment."""
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    return [(re.compile(pattern), reason.strip()) for pattern, reason in (line.split(":", 1) for line in lines)]


def explain(rows, known):
    """Give each row above half of Linux its reason: that of the first pattern that matches all of its name."""
    for r in rows:
        if r["ratio"] is not None and r["ratio"] > 0.5:
            found = [reason for pattern, reason in known if pattern.fullmatch(r["name"])]
            r["reason"] = found[0] if found else ""


def figure(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def ratio(value):
    return "-" if value is None else f"{value:.2f}" if value >= 0.01 else f"{value:.4f}"


def line(r):
    """A row for the terminal."""
    mark = "" if r["ratio"] is None or r["ratio"] <= 0.5 else "  *" if r["ratio"] < 1 else "  ***"
    note = f"  ({r['note']})" if r["note"] else ""
    return f"{r['name']:42} {figure(r['vireo']):>14} {figure(r['linux']):>14} {ratio(r['ratio']):>7}  {r['unit']}{mark}{note}"


def text(results):
    """The whole table for the terminal."""
    head = f"{'':42} {'Vireo':>14} {'Linux':>14} {'ratio':>7}"
    lines, last = [], None
    for r in results["rows"]:
        if family(r["name"]) != last:
            last = family(r["name"])
            lines += ["", f"{last}: {ratio(results['families'].get(last))}", head]
        lines.append(line(r))
    return "\n".join(lines + [""] + closing(results))


def closing(results):
    """What a reader looks for first."""
    lines = [f"geometric mean of all rows in instructions and KiB: {ratio(results['geomean'])}"]
    if results["geomean_by_clock"] is not None:
        lines.append(f"geometric mean of the rows by the clock: {ratio(results['geomean_by_clock'])}")
    lines.append(f"{results['count']} rows; at or above Linux: {len(results['above_one'])}; "
                 f"above half of Linux: {len(results['above_half'])}; without a ratio: {len(results['without_ratio'])}")
    if results["above_one"]:
        lines.append("at or above Linux: " + ", ".join(results["above_one"]))
    if results["without_ratio"]:
        lines.append("without a ratio: " + ", ".join(results["without_ratio"]))
    return lines


def markdown(results, chart="results.svg"):
    """The page of results."""
    lines = ["# Vireo and Linux, side by side", "",
             "Made by `make bench`; [README.md](README.md) tells the method. A figure is what one operation costs, a "
             "ratio below 1 means that Vireo is cheaper.", ""]
    lines += [f"- {key}: {value}" for key, value in results["about"].items()] + [""]
    lines += [f"- {sentence}" for sentence in closing(results)] + ["", f"![Ratios by family]({chart})", ""]
    lines += ["| family | geometric mean |", "| --- | ---: |"]
    lines += [f"| {name} | {ratio(mean)} |" for name, mean in results["families"].items()]
    last = None
    for r in results["rows"]:
        if family(r["name"]) != last:
            last = family(r["name"])
            lines += ["", f"## {last}", "", "| row | Vireo | Linux | ratio | unit | |", "| --- | ---: | ---: | ---: | --- | --- |"]
        lines.append(f"| {r['name']} | {figure(r['vireo'])} | {figure(r['linux'])} | {ratio(r['ratio'])} | {r['unit']} | {r['note']} |")
    return "\n".join(lines + misses(results["rows"])) + "\n"


def misses(rows):
    """The rows above half of Linux, most first, with the reason and where the instructions go."""
    above = sorted((r for r in rows if r["ratio"] is not None and r["ratio"] > 0.5), key=lambda r: -r["ratio"])
    if not above:
        return []
    lines = ["", "## Above half of Linux", "", "| row | ratio | why | functions with most instructions |",
             "| --- | ---: | --- | --- |"]
    for r in above:
        top = ", ".join(f"{name} {share:.0%}" for name, share in r.get("profile", []))
        if top and by_clock(r["name"]):
            top = f"on one hart: {top}"
        lines.append(f"| {r['name']} | {ratio(r['ratio'])} | {r.get('reason', '')} | {top} |")
    return lines
