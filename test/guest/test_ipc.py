# SPDX-License-Identifier: BSD-2-Clause
"""System V IPC by programs that others wrote, unmodified from Debian: util-linux's ipcs, ipcmk, ipcrm and lsipc,
whose output must be what they print on Linux, and stress-ng, which checks what it does (--verify), of IPC by
System V and POSIX and of timers."""

import os
import re

import pytest

from harness import images

# The shared shell: what one case leaves, the next would see. Keys are random, ids and times are the kernel's.
COMMANDS = (
    "ipcmk -M 10000 -p 0640",
    "ipcmk -S 3 -p 0600",
    "ipcmk -Q",
    "ipcs",
    "ipcs -l",
    "ipcs -u",
    "ipcs -m -c",
    "ipcs -s -t | sed 's/[A-Z][a-z][a-z] .*/DATE/'",
    "ipcs -q -p",
    "lsipc",
    "lsipc -m --notruncate -o SIZE,NATTCH,STATUS,PERMS,OWNER,CUID,CGID,UID,GID",
    "lsipc -s -o NSEMS,PERMS,OWNER",
    "lsipc -q -o USEDBYTES,MSGS,PERMS,OWNER",
    "ipcrm -a",
    "ipcs",
    "ipcrm -m 5",
    "ipcrm -Q 77",
)

STRESSORS = ["shm-sysv", "sem-sysv", "msg"] + [
    pytest.param(name, marks=pytest.mark.slow) for name in ("shm", "sem", "mq", "timer", "timerfd", "sigfd")]


def shell_for(lab, kernel):
    return lab.shared_shell(lab.spec(kernel, initrd=images.ipc_initrd()))


def plain(text):
    """Numbers that are nobody's business, and the blanks that depend on their width."""
    text = re.sub(r"0x[0-9a-f]{8}", "KEY", text)
    text = re.sub(r"(id: |KEY +)\d+", r"\1ID", text)
    text = re.sub(r"(?m)^\d+( +(?:root|\d{3} +root))", r"ID\1", text)
    text = re.sub(r"(?m)^MQU.*\n", "", text)  # POSIX message queues
    text = re.sub(r"[ \t]+", " ", text)
    return re.sub(r"(?m) $", "", text)


def test_util_linux(lab, kernel):
    # A machine of its own: ipcrm says which file systems it misses.
    shell = lab.shell(lab.spec(kernel, initrd=images.ipc_initrd()))
    shell.run("export PATH=/usr/bin:/bin:/sbin; ipcrm -a")
    seen = ""
    for command in COMMANDS:
        status, text = shell.run(command)
        seen += f"$ {command} [{status}]\n{plain(text)}"
    with open(os.path.join(images.GUEST, "files/util_linux.txt"), encoding="utf-8") as wanted:
        assert seen == wanted.read()


def forgotten(segments):
    """Segments that stress-ng 0.19.02 forgets, on any kernel: its random key is 0 once in 65536 times, which is
    IPC_PRIVATE, and three calls that it expects to fail then make one each, of S, S + 1 MiB and S bytes in turn."""
    made = {}
    for line in segments:
        key, _, perms, size, creator, _, attaches, *_, attached, _, _, _, _ = map(int, line.split())
        if (key, perms, attaches, attached) == (0, 0, 0, 0):
            made.setdefault(creator, []).append((size, line))
    triples = [three for of_one in made.values() for three in zip(of_one[::3], of_one[1::3], of_one[2::3])]
    return [line for three in triples if [s - three[0][0] for s, _ in three] == [0, 1 << 20, 0] for _, line in three]


@pytest.mark.parametrize("stressor", STRESSORS)
def test_stress(lab, kernel, stressor, figure):
    shell = shell_for(lab, kernel)
    shell.run("export PATH=/usr/bin:/bin:/sbin; mkdir -p /tmp /dev/shm /dev/mqueue; ipcrm -a; "
              "grep -q /dev/shm /proc/mounts || mount -t tmpfs none /dev/shm; "
              "grep -q /dev/mqueue /proc/mounts || mount -t mqueue none /dev/mqueue")
    status, text = shell.run(f"stress-ng --{stressor} 4 -t 5 --verify --metrics --temp-path /tmp", 120)
    assert status == 0, text
    assert "passed: 4: " + stressor in text and "failed: 0" in text, text
    ops, seconds = re.search(rf"metrc: \[\d+\] {stressor} +(\d+) +([\d.]+) ", text).groups()
    figure(f"stress-ng --{stressor} 4, {kernel}", f"{int(ops) / float(seconds):.0f}", "bogo ops/s", "by a busy host's clock")
    segments = sorted(shell.check("cat /proc/sysvipc/shm").splitlines()[1:], key=lambda line: int(line.split()[1]))
    left = [line for line in segments if line not in forgotten(segments)]
    for others in ("sem", "msg"):
        left += shell.check(f"cat /proc/sysvipc/{others}").splitlines()[1:]
    assert left == []


# Kernel stacks of threads that are gone are kept for the next ones (mm/vmap.c). Nothing else may differ.
def look(shell):
    """Objects in use of each cache; pages that are none of free, slabs', tables', kernel stacks' and the shell's own,
    whose heap grows with what it is told; what is left of System V and POSIX queues."""
    for hart in range(8):  # each gives back what it keeps at hand; those that aren't there say so
        shell.run(f"taskset {1 << hart:x} sh -c 'echo 3 > /proc/sys/vm/drop_caches' 2>/dev/null")
    # By the shell itself: another process would have a stack of its own, of random size.
    text = shell.check("show() { while read -r line; do echo \"$line\"; done < $1; }; show /proc/$$/smaps_rollup; "
                       "show /proc/meminfo; show /proc/slabinfo; cat /proc/sysvipc/shm /proc/sysvipc/sem "
                       "/proc/sysvipc/msg; ls /dev/mqueue")
    objects = {name: int(used) for name, used in re.findall(r"^(\S+) +(\d+) +\d+ .* tunables", text, re.M)}
    assert len(objects) > 20, text
    kib = {name: int(value) for name, value in re.findall(r"^(\w+): +(\d+) kB", text, re.M)}
    pages = (kib["MemTotal"] - kib["MemFree"] - kib["Slab"] - kib["PageTables"] - kib["VmallocUsed"] -
             kib["Anonymous"]) // 4
    return objects, pages, text[text.index("key "):]


@pytest.mark.slow
def test_lack_of_memory_leaves_nothing(lab):
    """Every allocation of a call fails in turn, in a kernel that can do that."""
    boot = lab.spec("vireo", initrd=images.programs_initrd())
    shell = lab.shared_shell(boot.but(kernel=images.vireo("FAULTS=1")))
    shell.run("mkdir -p /dev/mqueue; mount -t mqueue none /dev/mqueue")
    seen = []
    for _ in range(3):
        status, text = shell.run("/test/faults", 120)
        assert status == 0 and "SKIP" not in text, text
        seen.append(look(shell))
    (objects, pages, left), after = seen[1], seen[2]
    assert after[0] == objects and after[2] == left
    assert after[1] == pages


@pytest.mark.slow
@pytest.mark.parametrize("part, command", [("shm", "ipcmk -M 4096"), ("sem", "ipcmk -S 2"), ("msg", "ipcmk -Q")])
def test_a_part_left_out(lab, part, command):
    """without_ipc of a board: the calls of that part are not there, the other two are."""
    boot = lab.spec("vireo", initrd=images.ipc_initrd())
    shell = lab.shared_shell(boot.but(kernel=images.vireo(f"without_ipc={part}")))
    shell.run("export PATH=/usr/bin:/bin:/sbin")
    for other in ("ipcmk -M 4096", "ipcmk -S 2", "ipcmk -Q"):
        status, text = shell.run(other)
        assert (status != 0) == (other == command), text
        assert ("Function not implemented" in text) == (other == command), text
    shell.check("cat /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg; ipcs; sysctl kernel.sem kernel.msgmni")


STORM = int(os.environ.get("STORM", "10000"))  # processes


@pytest.mark.slow
@pytest.mark.parametrize("name, case, processes, storm", [
    ("shm", "kill_storm", 300, STORM), ("semaphore", "kill_storm", 200, STORM), ("message", "kill_storm", 200, STORM),
    ("mqueue", "kill_storm", 300, STORM), ("shm", "fork_storm", 20 * 64, STORM),
    ("shm_huge", "killed_at_any_point", 40, STORM // 10)])
def test_storm_leaves_nothing(lab, name, case, processes, storm, figure):
    """10,000 processes killed in the middle of it, and their children: every object of the kernel that they had is gone,
    every segment, array and queue, every page but kernel stacks that are kept, with their tables."""
    shell = lab.shell(lab.spec("vireo", initrd=images.programs_initrd()))
    shell.run("mkdir -p /dev/mqueue; mount -t mqueue none /dev/mqueue")
    shell.check(f"/test/{name} {case} > /tmp/o; n=0", 120)
    look(shell)
    objects, pages, left = look(shell)
    loops = -(-storm // processes)
    status, text = shell.run(f"n=0; while [ $n -lt {loops} ] && /test/{name} {case} > /tmp/o; do n=$((n+1)); "
                             "done; cat /tmp/o; echo ran $n", 900)
    assert status == 0 and f"ran {loops}\n" in text, text
    objects_after, pages_after, left_after = look(shell)
    grown = {cache: (objects[cache], n) for cache, n in objects_after.items() if n != objects[cache]}
    figure(f"{case} of {name}, {loops * processes} processes", f"{pages_after - pages:+d}", "pages",
           f"objects: {grown or 'the same'}")
    assert not grown
    assert left_after == left
    assert pages_after == pages
