#!/usr/bin/python3
"""boards.py README [--check]: the table of boards in README, from the boards' own read-mes.

Each boards/NAME/README.md has lines "| what | how: proof |" under "## Proven"; a proof that names a test names one that
exists. --check says whether README has the table, and changes nothing.
"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BEGIN, END = "<!-- boards: made by make boards -->", "<!-- end of boards -->"
ROWS = ("shell", "harts", "card boot", "card read and write", "FAT", "netboot", "power off", "restart", "watchdog", "GPIO", "suite")


def proofs(board):
    """what -> (how, test or None) of one board."""
    with open(os.path.join(TOP, "boards", board, "README.md"), encoding="utf-8") as file:
        _, _, section = file.read().partition("\n## Proven\n")
    found = {}
    for what, how, proof in re.findall(r"^\| ([^|]+?) \| ([^|:]+?)(?:: `([^`]+)`)? \|$", section, re.M):
        if what not in ("", "what", "---"):
            found[what] = (how, proof)
    return found


def tests():
    """Names of all test functions."""
    names = set()
    for where, _, files in os.walk(os.path.join(TOP, "test")):
        for file in files:
            if file.startswith("test_") and file.endswith(".py"):
                with open(os.path.join(where, file), encoding="utf-8") as text:
                    names.update(re.findall(r"^def (test_\w+)", text.read(), re.M))
    return names


def table():
    boards = sorted(name for name in os.listdir(os.path.join(TOP, "boards"))
                    if os.path.exists(os.path.join(TOP, "boards", name, "board.mk")))
    known = tests()
    lines = ["| | " + " | ".join("[%s](boards/%s/README.md)" % (b, b) for b in boards) + " |", "| --- " * (len(boards) + 1) + "|"]
    of = {board: proofs(board) for board in boards}
    for board, found in of.items():
        for what, (_, proof) in found.items():
            if what not in ROWS:
                sys.exit("boards: boards/%s/README.md: no row %r; there are: %s" % (board, what, ", ".join(ROWS)))
            if proof and proof not in known:
                sys.exit("boards: boards/%s/README.md: there is no test %s" % (board, proof))
    for row in ROWS:
        lines.append("| %s | " % row + " | ".join(of[board].get(row, ("-", ""))[0] for board in boards) + " |")
    return "\n".join(lines)


def main():
    path = os.path.join(TOP, sys.argv[1])
    with open(path, encoding="utf-8") as file:
        text = file.read()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if not tail:
        sys.exit("boards: %s has no place for the table" % path)
    new = head + BEGIN + "\n" + table() + "\n" + END + tail
    if "--check" in sys.argv and new != text:
        sys.exit("boards: the table in %s is old: make boards" % sys.argv[1])
    if new != text:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)


if __name__ == "__main__":
    main()
