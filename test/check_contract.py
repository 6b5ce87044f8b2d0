#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_contract.py [--self-test]: ipc/CONTRACT.md names a test for every sentence, and every test that it names is there.

A row is `| number | sentence | proofs | Linux |`; rows are numbered from 1 without a gap; a proof is `file:case`. Who says
that Linux passes it must name a test that Linux runs: a case of a guest program, or Python that runs on both kernels.
--self-test breaks each rule in a table and fails if that goes unnoticed.
"""
import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = "ipc/CONTRACT.md"
PROOF = re.compile(r"`([\w/]+):(\w+)`")
PROGRAM, UNIT, BOTH, ONE = "a guest program", "a host test", "Python on both kernels", "Python on one kernel"


def python_cases(text):
    """name -> does it run on both kernels? By its parameters and marks."""
    for head, name, arguments in re.findall(r"((?:^@.*\n(?:^[ ).].*\n)*)*)^def (test_\w+)\((.*?)\):", text, re.M):
        yield name, BOTH if "kernel" in arguments.split(", ") or '"linux"' in head else ONE


def cases(top):
    """(file, case) -> what kind of test it is."""
    found = {}
    for path in glob.glob(os.path.join(top, "test/guest/programs/*.c")):
        for case in re.findall(r"^TEST(?:_SECONDS)?\((\w+)", read(path), re.M):
            found[os.path.basename(path)[:-2], case] = PROGRAM
    unit = os.path.join(top, "test/unit")
    for path in glob.glob(os.path.join(unit, "*/*_test.c")):
        text = read(path)
        for case in re.findall(r"^static void (\w+)\(void \*\*state\)", text, re.M):
            if len(re.findall(r"\b%s\b" % case, text)) > 1:  # listed, too
                found[os.path.relpath(path, unit)[:-2], case] = UNIT
    for path in glob.glob(os.path.join(top, "test/guest/test_*.py")) + glob.glob(os.path.join(top, "test/bench/test_*.py")):
        for case, kind in python_cases(read(path)):
            found[os.path.basename(path)[:-3], case] = kind
    return found


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check(text, known):
    """What is wrong with the table."""
    rows = re.findall(r"^\| *(\d+) *\|(.*)\|(.*)\|(.*)\|$", text, re.M)
    if not rows:
        yield "no rows"
    for wanted, (number, sentence, proofs, linux) in enumerate(rows, 1):
        where = "row %s" % number
        if int(number) != wanted:
            yield "%s: should be %d" % (where, wanted)
        if not sentence.strip():
            yield "%s: no sentence" % where
        named = PROOF.findall(proofs)
        if not named:
            yield "%s: no test" % where
        for proof in named + PROOF.findall(linux):
            if proof not in known:
                yield "%s: there is no %s:%s" % ((where,) + proof)
        if not linux.strip():
            yield "%s: nothing about Linux" % where
        elif linux.strip() == "yes" and not any(known.get(proof) in (PROGRAM, BOTH) for proof in named):
            yield "%s: Linux runs none of its tests" % where
    for line in text.split("\n"):
        if line.startswith("|") and not re.match(r"\| *(\d+ *\|.*\|.*\|.*|\| The contract .*|--- .*)\|$", line):
            yield "no row: " + line


KNOWN = {("shm", "a"): PROGRAM, ("ipc/ids_test", "b"): UNIT, ("test_ipc", "test_c"): BOTH, ("test_ipc", "test_d"): ONE}
HEAD = "| | The contract | Proved by | Linux |\n| --- | --- | --- | --- |\n"
CLEAN = HEAD + ("| 1 | One | `shm:a` `ipc/ids_test:b` | yes |\n| 2 | Two | `ipc/ids_test:b` | it has no such thing: `shm:a` |\n"
                "| 3 | Three | `test_ipc:test_c` | yes |\n")
BROKEN = {
    "a case that is gone": CLEAN.replace("`shm:a` `", "`shm:z` `"),
    "a case that is gone, of Linux": CLEAN.replace("thing: `shm:a`", "thing: `shm:z`"),
    "no test": CLEAN.replace("`test_ipc:test_c`", "by hand"),
    "a gap": CLEAN.replace("| 2 |", "| 4 |"),
    "a row lost to its form": CLEAN.replace("| 2 |", "| two |"),
    "no sentence": CLEAN.replace(" Two ", " "),
    "not on Linux": CLEAN.replace("it has no such thing: `shm:a`", "yes"),
    "on one kernel": CLEAN.replace("test_c", "test_d"),
    "no word about Linux": CLEAN.replace("| yes |\n| 2", "| |\n| 2"),
    "empty": HEAD,
}
PYTHON = '@pytest.mark.slow\n@pytest.mark.parametrize("side", ["vireo",\n    "linux"])\ndef test_a(side):\n    pass\n\n\n' \
         'def test_b(lab, kernel):\n    pass\n\n\ndef test_c(lab):\n    pass\n'


def self_test():
    failures = ["the clean table: " + p for p in check(CLEAN, KNOWN)]
    if dict(python_cases(PYTHON)) != {"test_a": BOTH, "test_b": BOTH, "test_c": ONE}:
        failures.append("kinds of Python: %s" % dict(python_cases(PYTHON)))
    return failures + ["not noticed: " + what for what, text in BROKEN.items() if not list(check(text, KNOWN))]


def main():
    if sys.argv[1:] == ["--self-test"]:
        problems, passed = self_test(), "%d broken tables noticed" % len(BROKEN)
    elif not sys.argv[1:]:
        text = read(os.path.join(TOP, TABLE))
        problems = list(check(text, cases(TOP)))
        passed = "%d sentences, each with a test" % len(re.findall(r"^\| *\d+ *\|", text, re.M))
    else:
        sys.exit(__doc__)
    for problem in problems:
        print("contract: " + problem)
    if problems:
        sys.exit(1)
    print("contract: " + passed)


if __name__ == "__main__":
    main()
