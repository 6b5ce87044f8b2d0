# SPDX-License-Identifier: BSD-2-Clause
"""Reads KTAP version 1 as guest programs print it."""

import re
from dataclasses import dataclass, field

RESULT = re.compile(r"^(not ok|ok) (\d+)(?: (?:- )?([^#]*?))?\s*(?:#\s*(SKIP|TODO)\s*(.*))?$")


@dataclass
class Case:
    number: int
    name: str
    ok: bool
    skip: str = None
    notes: list = field(default_factory=list)


@dataclass
class Report:
    planned: int = None
    cases: list = field(default_factory=list)
    faults: list = field(default_factory=list)

    @property
    def failed(self):
        return [case for case in self.cases if not case.ok]

    @property
    def skipped(self):
        return [case for case in self.cases if case.skip is not None]


def parse(text):
    """A Report of text; whatever breaks the plan (missing, repeated or absent cases) is a fault."""
    report = Report()
    started = False
    notes = []
    for line in text.replace("\r", "").split("\n"):
        line = line.strip()
        if line.startswith("KTAP version"):
            started = True
            continue
        if not started:
            continue
        if re.fullmatch(r"1\.\.\d+", line):
            report.planned = int(line[3:])
            continue
        match = RESULT.match(line)
        if match:
            verdict, number, name, directive, reason = match.groups()
            skip = (reason or "no reason given") if directive == "SKIP" else None
            report.cases.append(Case(int(number), (name or "").strip(), verdict == "ok", skip, notes))
            notes = []
        elif line:
            notes.append(line)
    if not started:
        report.faults.append("no KTAP header")
    if report.planned is None:
        report.faults.append("no plan")
    elif [case.number for case in report.cases] != list(range(1, report.planned + 1)):
        seen = [case.number for case in report.cases]
        report.faults.append(f"plan is 1..{report.planned}, seen {seen}")
    if notes and report.faults:
        report.faults.append("last words: " + " | ".join(notes[-8:]))
    return report
