# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark's own tests: ratios, means and comparisons without booting; then every benchmark for a
few operations on Vireo, so that a row can't rot unseen between two runs of make bench."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import bench  # noqa: E402
import flame  # noqa: E402
import guest  # noqa: E402
import report  # noqa: E402
from guest import Row  # noqa: E402


def rows():
    vireo = [Row("calls/a", 100.0, "instructions"), Row("calls/b", 300.0, "instructions"),
             Row("ipc/c", None, "", "missing: shmget(): Function not implemented"), Row("calls/a@2", 50.0, "ns")]
    linux = [Row("calls/a", 200.0, "instructions"), Row("calls/b", 150.0, "instructions"),
             Row("ipc/c", 70.0, "instructions"), Row("calls/a@2", 200.0, "ns")]
    return report.merge(vireo, linux)


def test_a_ratio_is_vireo_by_linux():
    assert [r["ratio"] for r in rows()] == [0.5, 2.0, None, 0.25]


def test_means_are_geometric_and_keep_the_clock_apart():
    summary = report.summary(rows())
    assert summary["geomean"] == pytest.approx(1.0)
    assert summary["geomean_by_clock"] == pytest.approx(0.25)
    assert summary["families"]["calls"] == pytest.approx(1.0)
    assert summary["families"]["by the clock, 2 harts"] == pytest.approx(0.25)


def test_a_missing_call_is_listed_and_not_in_the_mean():
    summary = report.summary(rows())
    assert summary["without_ratio"] == ["ipc/c"] and summary["count"] == 4
    assert summary["families"]["ipc"] is None
    assert "Function not implemented" in report.markdown({**summary, "rows": rows(), "about": {}})


def test_a_row_without_a_line_from_linux_is_told():
    assert report.merge([Row("calls/a", 1.0, "ns")], [])[0]["note"] == "Linux: no line"


def test_at_or_above_linux_and_above_half():
    summary = report.summary(rows() + [report.row("x/one", 5.0, 5.0, "KiB"), report.row("x/half", 1.0, 2.0, "KiB")])
    assert summary["above_one"] == ["calls/b", "x/one"]
    assert summary["above_half"] == ["calls/b", "x/one"]


def test_comparing_names_what_moved_by_more_than_3_percent():
    before = [report.row("a/same", 100.0, 1.0, ""), report.row("a/little", 100.0, 1.0, ""),
              report.row("a/slow", 100.0, 1.0, ""), report.row("a/fast", 100.0, 1.0, ""),
              report.row("a/came", None, 1.0, ""), report.row("a/left", 1.0, 1.0, "")]
    now = [report.row("a/same", 100.0, 9.0, ""), report.row("a/little", 102.9, 1.0, ""),
           report.row("a/slow", 103.1, 1.0, ""), report.row("a/fast", 96.0, 1.0, ""),
           report.row("a/came", 7.0, 1.0, ""), report.row("a/new", 1.0, 1.0, "")]
    words = [line.split()[:2] for line in report.moved(before, now)]
    assert words == [["slower", "a/slow:"], ["faster", "a/fast:"], ["came", "a/came:"], ["new", "a/new"],
                     ["not", "run"]]


def test_two_runs_are_compared_on_both_kernels():
    before = [report.row("a/b", 100.0, 100.0, ""), report.row("a/c", 100.0, 100.0, "")]
    now = [report.row("a/b", 100.4, 100.6, ""), report.row("a/c", 100.6, 99.6, "")]
    lines = report.moved(before, now, 0.005, ("vireo", "linux"))
    assert [line.split()[:4] for line in lines] == [["slower", "a/b", "on", "linux:"], ["slower", "a/c:", "100", "to"]]


def test_rows_above_half_have_their_reason():
    rows = [report.row("a/slow", 60.0, 100.0, ""), report.row("a/fast", 40.0, 100.0, ""), report.row("b/x", 90.0, 100.0, "")]
    report.explain(rows, report.reasons("# PATTERN: reason\na/.*: copies: all of it\nb: another\n"))
    assert [r.get("reason") for r in rows] == ["copies: all of it", None, ""]
    rows[0]["profile"] = [("memcpy", 0.715)]
    page = "\n".join(report.misses(rows))
    assert "| a/slow | 0.60 | copies: all of it | memcpy 72% |" in page and "a/fast" not in page
    assert page.index("b/x") < page.index("a/slow")


def test_rows_by_the_clock_show_the_profile_of_one_hart(monkeypatch):
    asked = []
    monkeypatch.setattr(flame, "shares", lambda name: asked.append(name) or [(f"in_{name}", 0.5)])
    rows = [report.row("a/x", 10.0, 100.0, "instructions"), report.row("a/x@2", 90.0, 100.0, "ns"),
            report.row("a/x@4", 10.0, 100.0, "ns"), report.row("harts/y@2", 90.0, 100.0, "ns")]
    bench.profiled(rows)
    assert asked == ["a/x"] and [r["name"] for r in rows if "profile" in r] == ["a/x@2"]
    assert "on one hart: in_a/x 50% |" in "\n".join(report.misses(rows))


def test_reasons_are_of_benchmarks_that_exist():
    names = [b.name for b in guest.benches()]
    names += [guest.musl_name(b.name) for b in guest.benches() if b.libc] + [f"{b.name}@{n}" for b in guest.benches() for n in (2, 4)]
    assert [p.pattern for p, _ in report.reasons(guest.source("reasons.txt")) if not any(map(p.fullmatch, names))] == []


@pytest.mark.parametrize("words, message", [
    (["--filter", "nothing-like-it"], "no benchmark's name matches nothing-like-it"),
    (["--filter", "("], "no regular expression"), (["--base", "/nowhere.json"], "no results in /nowhere.json"),
    (["--harts", "two"], "HARTS is a list")])
def test_bad_words_are_told_in_one_line(words, message, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bench.py"] + words)
    with pytest.raises(SystemExit) as end:
        bench.main()
    assert message in str(end.value) and "\n" not in str(end.value)


@pytest.mark.parametrize("name, kernel, message", [
    ("calls/getpid", "vireo", "no benchmark calls/getpid: perhaps calls/getppid"),
    ("calls/getppid", "bsd", "KERNEL is vireo or linux"), ("usage/thread", "vireo", "not counted in instructions")])
def test_what_has_no_profile_is_told(name, kernel, message):
    with pytest.raises(SystemExit) as end:
        flame.check(name, kernel)
    assert message in str(end.value)


def test_a_figure_of_zero_does_not_break_the_mean():
    assert report.geomean([0.0, 1.0]) == pytest.approx(1e-3 ** 0.5)
    assert report.geomean([None]) is None
    assert report.row("a/b", 1.0, 0.0, "")["ratio"] is None


@pytest.mark.parametrize("line, expected", [
    ("@ calls/getppid ok 179000 instructions", Row("calls/getppid", 179.0, "instructions")),
    ("@ ipc/x missing shmget(): Function not implemented", Row("ipc/x", None, "", "missing: shmget(): Function not implemented")),
    ("@boot init 100", None), ("noise", None)])
def test_lines_of_the_program(line, expected):
    assert guest.parse(line) == expected


def test_the_tables_are_read_from_the_sources():
    found = {b.name: b for b in guest.benches()}
    assert len(found) == len(guest.benches()) > 150
    assert found["calls/getppid"] == guest.Bench("calls/getppid", False, False)
    assert found["harts/fault-on-all"].by_clock and found["processes/fork-exit"].several


def test_the_flame_graph_has_all_stacks():
    picture = flame.draw({("trap_entry", "sys_read"): 30.0, ("trap_entry",): 10.0, ("[user]",): 60.0}, "a <b>")
    assert "sys_read: 30.0 instructions, 30.0%" in picture and "trap_entry: 40.0 instructions, 40.0%" in picture
    assert "a &lt;b&gt;" in picture


def test_every_benchmark_runs_on_vireo():
    assert bench.smoke() == []


@pytest.mark.parametrize("side", ["vireo", pytest.param("linux", marks=pytest.mark.slow)])
def test_an_attach_costs_no_more_than_mmap(side):
    """Attach, touch, detach of a segment that is there, beside mmap, touch, munmap of the same size."""
    names = ["mappings/mmap-touch-munmap-64K", "ipc/shmat-touch-shmdt-64K"]
    guest.build()
    mmap, attach = bench.run_rows(side, "instructions", names, guest.archive(), filter_="^(" + "|".join(names) + ")$")
    assert not mmap.note and not attach.note, (mmap, attach)
    assert attach.value <= mmap.value
