# SPDX-License-Identifier: BSD-2-Clause
"""Plays the scripted session on a kernel and keeps what the terminal showed, step by step."""

import hashlib
import json
import os
import re
import time

from . import images
from .shell import PROMPT


def play_step(shell, step):
    """Every byte that the step brought to the terminal, as text."""
    if not step.keys:
        return shell.raw(step.line, step.seconds)
    heard = b""
    for piece, awaited in step.keys:
        shell.machine.write(piece)
        if awaited:
            _, before, match = shell.machine.expect(awaited, step.seconds)
            heard += before + match.group(0)
    return 0, heard


def play(shell, steps):
    """[label, text, status] of each step. A step that never comes back ends the session there, with the console."""
    shell.screen(24, 80)
    transcript = []
    for step in steps:
        try:
            status, heard = play_step(shell, step)
        except AssertionError as error:
            transcript.append([step.line, "(no answer) " + str(error).split("\n", maxsplit=1)[0], -1])
            try:
                shell.machine.write("\x03")
                time.sleep(0.5)
                shell.machine.write(f"\x03echo again-$(({len(transcript)} + 0))\n")
                shell.machine.expect(rf"again-{len(transcript)}\r\n" + PROMPT, 5)
            except AssertionError:
                break
            continue
        transcript.append([step.line, heard.decode("utf-8", "replace"), status])
    return transcript


def normalised(text, step, but):
    text = text.replace("\x1b[6n", "")  # asked of the terminal whenever no key is waiting
    for name in step.but:
        pattern, replacement, _ = but[name]
        text = pattern(text) if callable(pattern) else re.sub(pattern, replacement, text)
    return text


def reference(play_it, initrd, kernel, scripts, live):
    """Linux's transcript: played now if live, else as kept for exactly these inputs."""
    digest = hashlib.sha256(os.path.basename(kernel).encode())
    for path in [initrd, __file__] + scripts:
        with open(path, "rb") as file:
            digest.update(hashlib.sha256(file.read()).digest())
    path = os.path.join(images.CACHE, f"session-{digest.hexdigest()[:24]}.json")
    if not live and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    transcript = play_it()
    os.makedirs(images.CACHE, exist_ok=True)
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(transcript, file)
    os.rename(path + ".part", path)
    return transcript
