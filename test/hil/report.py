# SPDX-License-Identifier: BSD-2-Clause
"""One HTML page about a run: results, figures, boot times and temperatures as plots (SVG, no library), the console."""

import html
import os
import time

COLOURS = {"passed": "#2a7d2a", "failed": "#b22222", "skipped": "#8a6d00"}


def text(value):
    return html.escape(str(value))


def results(reports):
    rows = []
    for r in reports:
        reason = r.longrepr[2] if r.skipped and isinstance(r.longrepr, tuple) else r.longreprtext if r.failed else ""
        detail = f"<details><summary>why</summary><pre>{text(reason)}</pre></details>" if r.failed else text(reason)
        rows.append(f"<tr><td>{text(r.nodeid.split('::')[-1])}<td style='color:{COLOURS[r.outcome]}'>{r.outcome}"
                    f"<td class=n>{r.duration:.1f} s<td>{detail}</tr>")
    return "<table><tr><th>test<th>result<th>time<th></tr>" + "".join(rows) + "</table>"


def bars(boots):
    """Boot times: power on or restart to the prompt, of which the kernel's part is dark."""
    if not boots:
        return "<p>No boot.</p>"
    longest = max(seconds for _, seconds, _ in boots)
    lines = []
    for i, (why, seconds, kernel) in enumerate(boots):
        y, width = 22 * i, 420 * seconds / longest
        lines.append(f"<text x=0 y={y + 14}>{text(why)}</text><rect x=110 y={y + 2} width={width:.1f} height=16 fill='#9db8d2'/>")
        if kernel:
            lines.append(f"<rect x=110 y={y + 2} width={max(1, 420 * kernel / longest):.1f} height=16 fill='#24527a'/>")
        lines.append(f"<text x={116 + width:.0f} y={y + 14}>{seconds:.1f} s" + (f", kernel {kernel:.2f} s" if kernel else "") + "</text>")
    return f"<svg width=720 height={22 * len(boots) + 4}>{''.join(lines)}</svg>"


def curve(samples):
    if len(samples) < 2:
        return "<p>This machine tells no temperature.</p>"
    start, end = samples[0][0], samples[-1][0]
    low, high = min(t for _, t in samples) - 1, max(t for _, t in samples) + 1
    points = " ".join(f"{40 + 600 * (at - start) / (end - start):.0f},{110 - 100 * (t - low) / (high - low):.0f}" for at, t in samples)
    return (f"<svg width=720 height=120><polyline points='{points}' fill=none stroke='#b22222'/>"
            f"<text x=0 y=14>{high:.0f} °C</text><text x=0 y=112>{low:.0f} °C</text></svg>")


def write(path, environment, reports):
    import system
    found = system.FIGURES
    console = ""
    log = os.path.join(os.path.dirname(path), "console.log")
    if os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as file:
            console = file.read()
    counts = ", ".join(f"{sum(r.outcome == o for r in reports)} {o}" for o in COLOURS)
    values = "".join(f"<tr><td>{text(n)}<td class=n>{text(v)} {text(u)}</tr>" for n, v, u in found["values"])
    with open(environment, encoding="utf-8") as file:
        settings = file.read()
    page = f"""<!doctype html><meta charset=utf-8><title>Vireo: {text(os.path.basename(environment))}</title>
<style>body{{font:15px sans-serif;max-width:60em;margin:2em auto}} table{{border-collapse:collapse}} td,th{{padding:.2em .8em;
text-align:left;border-bottom:1px solid #ddd}} .n{{text-align:right}} pre{{background:#f4f4f4;padding:.6em;overflow:auto;
max-height:40em}} svg{{font-size:13px}}</style>
<h1>{text(os.path.basename(environment))}</h1><p>{time.strftime('%Y-%m-%d %H:%M')}: {counts}</p>
{results(reports)}<h2>Figures</h2><table>{values}</table><h2>Boot times</h2>{bars(found['boots'])}
<h2>Temperature</h2>{curve(found['temperatures'])}<h2>Environment</h2><pre>{text(settings)}</pre>
<h2>Console</h2><details><summary>{len(console.splitlines())} lines</summary><pre>{text(console)}</pre></details>
"""
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)
