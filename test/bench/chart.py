# SPDX-License-Identifier: BSD-2-Clause
"""The bar chart of a run: the geometric mean of each family, and its rows as points."""

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

import report  # noqa: E402

plt.rcParams["svg.hashsalt"] = "vireo"  # the same bytes for the same figures
plt.rcParams["svg.fonttype"] = "none"


def draw(results, path):
    families = [(name, mean) for name, mean in results["families"].items() if mean is not None]
    fig, axes = plt.subplots(figsize=(9, 1.2 + 0.34 * (len(families) + 1)))
    entries = families + ([("all (instructions, KiB)", results["geomean"])] if results["geomean"] else [])
    for at, (name, mean) in enumerate(entries):
        ratios = [r["ratio"] for r in results["rows"] if r["ratio"] is not None and report.family(r["name"]) == name]
        axes.barh(at, mean, color="#2a6f97" if at < len(families) else "#012a4a", height=0.7, zorder=2)
        axes.plot([min(r, 2.45) for r in ratios], [at] * len(ratios), "o", ms=3.5, color="#e07a5f", alpha=0.75, zorder=3)
        axes.text(2.52, at, report.ratio(mean), va="center", fontsize=9)
    axes.axvline(1, color="black", lw=1)
    axes.axvline(0.5, color="gray", lw=0.8, ls=":")
    axes.set_xlim(0, 2.5)
    axes.set_yticks(range(len(entries)), [name for name, _ in entries])
    axes.invert_yaxis()
    axes.grid(axis="x", color="#dddddd", zorder=0)
    axes.set_xlabel("cost on Vireo / cost on Linux (1: the same; points: rows, those beyond 2.45 at the edge)")
    axes.set_title(f"Vireo {results['about']['Vireo']} and {results['about']['Linux']}", fontsize=10)
    fig.tight_layout()
    fig.savefig(path, metadata={"Date": None})
