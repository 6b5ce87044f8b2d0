# SPDX-License-Identifier: BSD-2-Clause
"""gdb's view of a running kernel: the commands of flash/gdb/vireo.py, as make debug loads them."""

import os
import re
import subprocess

from harness import images

COMMANDS = ["vireo threads", "vireo processes", "vireo walk &port_main", "vireo walk 0x10", "vireo walk 1UL<<50",
            "vireo log 3", "detach"]


def gdb(elf, socket):
    """What each command printed, as {command: text}."""
    helpers = os.path.join(images.TOP, "flash/gdb/vireo.py")
    line = ["gdb-multiarch", "-q", "-nx", "-batch", elf, "-x", helpers, "-ex", f"target remote {socket}"]
    for command in COMMANDS:
        line += ["-ex", f"echo <{command}>\\n", "-ex", command]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120, check=False)
    parts = re.split(r"^<(.*)>$", done.stdout, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def test_gdb_commands(lab, tmp_path):
    socket = str(tmp_path / "gdb")
    elf = os.path.join(os.path.dirname(images.vireo("")), "vireo.elf")
    shell = lab.shell(lab.spec(initrd=images.session_initrd(), smp=4,
                               extra=("-gdb", f"unix:{socket},server=on,wait=off")))
    shell.run("sleep 1000 &")
    child = int(shell.check("echo $!"))
    shell.check("echo '<6>gdb reads this' > /dev/kmsg")
    seen = gdb(elf, socket)
    assert list(seen) == COMMANDS

    threads = seen["vireo threads"]
    assert re.search(rf"^ *{child} +{child} +\w+ +\*?\d+ +sleep ", threads, re.M), threads
    assert re.search(r"^ *1 +1 +\w+ +\*?\d+ +init ", threads, re.M), threads
    assert len(re.findall(r"^ .* idle", threads, re.M)) == 4, threads

    processes = seen["vireo processes"]
    assert re.search(r"^ *1 +0 .* init$", processes, re.M), processes
    assert re.search(rf"^ *{child} +\d+ +{child} +\d+ +\w+ +1 sleep$", processes, re.M), processes

    text = seen["vireo walk &port_main"]
    assert re.search(r"VR-X-G.*\n.* is physical 0x8\w+, in a page of (4|2048) KiB", text), text
    assert seen["vireo walk 0x10"].strip().endswith("not mapped"), seen["vireo walk 0x10"]
    assert "not canonical in Sv39" in seen["vireo walk 1UL<<50"]
    assert re.search(r"^6 \[ +\d+\.\d+\] gdb reads this$", seen["vireo log 3"], re.M), seen["vireo log 3"]
    assert shell.check("echo still here") == "still here\n"
