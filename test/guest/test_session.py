# SPDX-License-Identifier: BSD-2-Clause
"""The scripted session on Vireo against the same on Debian's own Linux kernel, step by step."""

import os
import re

import pytest

import session_script as script
from harness import images, session

WORDS = "loglevel=1"


def label(step):
    return re.sub(r"[^A-Za-z0-9]+", "-", step.line)[:40].strip("-")


@pytest.fixture(scope="module")
def played(lab_of_session, request):
    """(Vireo's transcript, Linux's); Linux is played live in make test-full, else once for each input."""
    lab = lab_of_session
    initrd = images.session_initrd()

    def play(kernel):
        try:
            shell = lab.shell(lab.spec(kernel, initrd=initrd, append=WORDS))
            return session.play(shell, script.STEPS)
        finally:
            lab.end_own()

    live = "not slow" not in (request.config.getoption("-m") or "")
    scripts = [script.__file__, os.path.join(images.GUEST, "harness/shell.py")]
    linux = session.reference(lambda: play("linux"), initrd, images.linux(), scripts, live)
    return play("vireo"), linux


def test_session_has_60_commands():
    assert len(script.STEPS) >= 60


def test_linux_answered_every_step(played):
    _, linux = played
    assert [name for name, text, status in linux if status == -1] == []
    assert len(linux) == len(script.STEPS)


@pytest.mark.parametrize("number", range(len(script.STEPS)), ids=[f"{n}-{label(s)}" for n, s in enumerate(script.STEPS)])
def test_step(played, number):
    step = script.STEPS[number]
    ours, linux = played
    assert number < len(ours), "the session ended before: " + ours[-1][1]
    (_, our_text, our_status), (_, text, status) = ours[number], linux[number]
    assert session.normalised(our_text, step, script.BUT).splitlines() == \
        session.normalised(text, step, script.BUT).splitlines()
    assert our_status == status
