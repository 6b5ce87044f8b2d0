# SPDX-License-Identifier: BSD-2-Clause
"""Builds and boots the benchmark guest, and reads the lines that it prints.

The console goes to a file and nothing is typed, no device of the machine depends on the host (the one
disk is read only by the rows that measure it): with -icount the same kernel prints the same twice."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../guest"))
from harness import images  # noqa: E402
import initramfs  # noqa: E402
import qemu  # noqa: E402

OUT = os.path.join(images.TOP, "build/bench")
ICOUNT = ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2024-01-01,clock=vm"]
WORDS = "console=ttyS0 quiet nokaslr norandmaps"
MUSL = "-musl"
# Without a line for so long the guest counts as stuck: seconds of QEMU's own processor time, of which a busy host
# gives it little, and by the clock, as one that waits takes none.
SILENCE, SILENCE_BY_CLOCK = 240, 1200
LINE = re.compile(r"^@ (\S+) (ok|missing|failed) ?(.*)$")


class GuestError(Exception):
    """The guest did not do what it should; the message carries the end of its console."""


@dataclass
class Row:
    """What one kernel says of one benchmark: a figure, or a reason why there is none."""
    name: str
    value: float = None
    unit: str = ""
    note: str = ""


def build():
    images.command(["make", "-s", "-C", HERE, f"OUT={OUT}"])


def program(libc):
    """The program, stripped, with glibc or Debian's musl."""
    path, stripped = os.path.join(OUT, "bench" if libc == "glibc" else "bench-" + libc), os.path.join(OUT, libc)
    if libc == "musl":
        words, library = images.musl()
        sources = [os.path.join(HERE, name) for name in os.listdir(HERE) if name.endswith(".c") and name != "profile.c"]
        images.command(["riscv64-linux-gnu-gcc", "-std=gnu11", "-O2", "-static", "-fno-pie", "-no-pie", "-w", *words,
                        *sorted(sources), "-Wl,--start-group", f"{library}/libc.a", "-lgcc", "-Wl,--end-group",
                        f"{library}/crtn.o", "-o", path])
    images.command(["riscv64-linux-gnu-strip", "-o", stripped, path])
    return stripped


@dataclass(frozen=True)
class Bench:
    """A row of the program's tables: is it measured by the clock on several harts, only there, and with musl too."""
    name: str
    several: bool
    by_clock: bool
    libc: bool = False


def benches():
    """Every benchmark, in the order of the program's tables."""
    order = re.findall(r"bench_(\w+)", re.search(r"lists\[\] = \{(.*?)\};", source("main.c"), re.S).group(1))
    text = {}
    for path in sorted(os.listdir(HERE)):
        if path.endswith(".c") and path != "profile.c":
            table = re.search(r"const struct bench bench_(\w+)\[\] = \{(.*?)\n\};", source(path), re.S)
            if table:
                text[table.group(1)] = re.findall(r'\{"([\w-]+/[\w.-]+)",([^{}]*)\}', table.group(2))
    return [Bench(name, ".several" in rest, ".by_clock" in rest, ".libc" in rest)
            for which in order for name, rest in text[which]]


def musl_name(name):
    """What a row is called that was measured with musl."""
    return name + MUSL


def is_musl(name):
    return name.endswith(MUSL)


def source(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def modules():
    """Debian's modules for the disk, out of the package that the kernel came in: path -> bytes."""
    package = images.one(os.path.join(images.CACHE, "packages/linux-image-*.deb"))
    found = {}
    folder = os.path.join(OUT, "modules")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(f"dpkg-deb --fsys-tarfile {package} | tar -C {folder} -x --wildcards '*/virtio_mmio.ko.xz' '*/virtio_blk.ko.xz'",
                   shell=True, check=True)
    for root, _, files in os.walk(folder):
        found.update({name: os.path.join(root, name) for name in files})
    return found


def archive(libc="glibc"):
    """One initramfs for all kernels: the program is /init."""
    made = initramfs.Archive()
    for name in ("bin", "dev", "proc", "tmp", "modules"):
        made.add(name, 0o040755)
    made.add("dev/console", 0o020600, rdev=(5, 1))
    made.add_file(images.busybox(), "bin/busybox")
    made.add_file(program(libc), "init")
    made.add_file(os.path.join(OUT, "tiny"), "bin/tiny")
    images.linux()
    for name, path in sorted(modules().items()):
        made.add_file(path, f"modules/{name}")
    path = os.path.join(OUT, "bench.cpio" if libc == "glibc" else f"bench-{libc}.cpio")
    with open(path, "wb") as file:
        file.write(made.bytes())
    return path


def kernel_path(kernel):
    return images.linux() if kernel == "linux" else images.vireo("" if kernel == "vireo" else kernel)


def cpu_seconds(pid):
    """What a process has used of the host's processors; 0 of one that ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Guest:
    """One run of QEMU. lines() yields what the program says until it ends."""

    def __init__(self, kernel, mode, initrd, smp=1, mem="1536M", filter_="", after="", words=(), extra=(), disk=None):
        words = [WORDS, f"bench_mode={mode}", *words]
        words += [f"bench_filter={filter_}"] if filter_ else []
        words += [f"bench_after={after}"] if after else []
        self.log = os.path.join(OUT, f"console-{os.path.basename(kernel)}-{mode}-{smp}.log")
        icount = [] if mode == "clock" else ICOUNT
        self.args = qemu.Machine(boot="sbi", smp=smp, mem=mem, append=" ".join(words), initrd=initrd,
                                 kernel=kernel, bios=images.opensbi(), disk=disk, rng=False,
                                 extra=icount + list(extra)).args()
        self.args += ["-display", "none", "-monitor", "none", "-serial", f"file:{self.log}"]

    def lines(self, silence=SILENCE):
        open(self.log, "w", encoding="utf-8").close()
        with subprocess.Popen(["nice"] + self.args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as process, \
                open(self.log, encoding="utf-8", errors="replace") as log:
            try:
                yield from self.follow(process, log, silence)
            finally:
                process.kill()

    def follow(self, process, log, silence):
        rest, heard, used = "", time.monotonic(), 0
        while True:
            ended = process.poll() is not None
            text = log.read()
            if text:
                heard, used = time.monotonic(), cpu_seconds(process.pid)
                *whole, rest = (rest + text).split("\n")
                for line in whole:
                    line = line.strip()
                    yield line
                    if line == "@end":
                        process.wait(60)  # its power off lets QEMU's plug-ins write
                        return
                    if re.search("Kernel panic|panic:", line):
                        time.sleep(1)
                        raise GuestError(f"{line}\n{self.tail()}")
            elif ended:
                raise GuestError(f"QEMU ended with {process.returncode}: {process.stderr.read().decode()}\n{self.tail()}")
            elif cpu_seconds(process.pid) - used > silence or time.monotonic() - heard > SILENCE_BY_CLOCK:
                raise GuestError(f"no line for {time.monotonic() - heard:.0f} s\n{self.tail()}")
            else:
                time.sleep(0.05)

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-1500:]


def parse(line):
    """A Row of a line of the program, or None."""
    match = LINE.match(line)
    if not match:
        return None
    name, verdict, rest = match.groups()
    if verdict != "ok":
        return Row(name, note=f"{verdict}: {rest}")
    value, unit = rest.split(" ", 1)
    return Row(name, int(value) / 1000, unit)


def entry_ticks(initrd):
    """The timebase when a kernel is entered: what came before is the firmware's."""
    for line in Guest(os.path.join(OUT, "entry"), "boot", initrd, mem="512M").lines(60):
        match = re.match(r"@entry ([0-9a-f]{16})", line)
        if match:
            return int(match.group(1), 16)
    raise GuestError("no time of entry")
