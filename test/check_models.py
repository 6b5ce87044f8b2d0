#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_models.py: check every test/model/*.pml with spin.

The model as it stands must hold in all its states; with each word of its line "breaks:" defined, spin
must find an error: a model that can't fail proves nothing.
"""
import glob
import os
import re
import subprocess
import sys

OUT = "build/models"


def run(arguments):
    return subprocess.run(arguments, cwd=OUT, capture_output=True, text=True, check=False)


def errors(path, define):
    """How many errors an exhaustive search finds; None: it was not exhaustive."""
    words = ["-D" + define] if define else []
    made = run(["spin", *words, "-a", os.path.abspath(path)])
    if made.returncode:
        sys.exit(f"models: {path}: {made.stdout}{made.stderr}")
    built = run(["gcc", "-O1", "-w", "-DSAFETY", "-DMEMLIM=2000", "-DCOLLAPSE", "-o", "pan", "pan.c"])
    if built.returncode:
        sys.exit(f"models: {path}: {built.stderr}")
    said = run(["./pan", "-m400000"]).stdout
    found = re.search(r"errors: (\d+)", said)
    if not found or (int(found.group(1)) == 0 and ("depth too small" in said or "max search" in said)):
        return None
    return int(found.group(1))


def main():
    os.makedirs(OUT, exist_ok=True)
    bad = 0
    for path in sorted(glob.glob("test/model/*.pml")):
        with open(path, encoding="utf-8") as f:
            breaks = re.search(r"^// breaks: (.*)$", f.read(), re.M).group(1).split()
        for define in [None, *breaks]:
            count = errors(path, define)
            good = count == 0 if define is None else count
            bad += not good
            verdict = "holds" if count == 0 else f"errors: {count}"
            print(f"{'' if good else 'WRONG: '}{path} {define or 'as it is'}: {verdict}", flush=True)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
