# SPDX-License-Identifier: BSD-2-Clause
"""Debian's dynamic bash: PT_INTERP, shared libraries mapped from files, relocation, and a script of its own."""

from harness import images

WANTED = """sum of squares: 2870
process substitution: 3 lines, last three
COPROCESS SPEAKS
trapped USR1
subshell status 7
kernel 42
forked 50 times, last 50
maps has the libraries
mapped from files
bash script: done
"""


def test_script(lab, kernel):
    shell = lab.shell(lab.spec(kernel, initrd=images.bash_initrd()))
    assert shell.check("/root/script.bash", 60) == WANTED


def test_interactive(lab, kernel):
    shell = lab.shell(lab.spec(kernel, initrd=images.bash_initrd()))
    shell.machine.write("PS1='ba''sh# ' /usr/bin/bash --norc --noprofile\n")
    shell.machine.expect(r"bash# $", 30)
    shell.machine.write("echo $BASH_VERSION $((2 ** 40)) ${SHELLOPTS//:/ } | cut -c1-60\n")
    _, before, _ = shell.machine.expect(r"bash# $", 30)
    assert b"5.2" in before and b"1099511627776" in before
    shell.machine.write("exit 5\n")
    _, _, match = shell.machine.expect(r"\[(\d+)\]# ", 10)
    assert match.group(1) == b"5"
