# SPDX-License-Identifier: BSD-2-Clause
"""VisionFive 2's twin for the tests: what to boot on it, its card, and its devices over QEMU's qtest.

Qtest is QEMU without harts: the test makes
the bus accesses and moves the clock, so that a test of a device takes no time and depends on no software.
"""

import lzma
import os
import re
import socket
import subprocess
import tempfile
from dataclasses import dataclass

from . import images
from .images import TOP
from .machine import Boot
import qemu  # flash/qemu.py, found through images

BOARD = "visionfive2"
SPL_TYPE = "2E54B353-1271-4842-806F-E436D6AF6985"
UBOOT_TYPE = "BC13C2FF-59E6-4262-A352-B275FD6F7172"
CONSOLE = "console=ttyS0,115200"


@dataclass(frozen=True)
class TwinBoot(Boot):
    """A Boot on the twin; mem and cpu are the board's."""

    mem: str = "4G"
    machine: str = ""  # more -machine options

    def argv(self):
        found = qemu.Machine(board=BOARD, boot=self.boot, smp=self.smp, mem=self.mem, append=self.append,
                             initrd=self.initrd, kernel=self.kernel, bios=self.bios or images.opensbi(),
                             disk=self.disk, extra=list(self.extra), variant=self.variant)
        found.machine += self.machine
        if self.dtb:
            found.dtb = self.dtb
        return found.args() + ["-display", "none"]


def vireo():
    """Vireo as it is built for the board."""
    images.command(["make", "-C", TOP, "BOARD=" + BOARD], seconds=900)
    return os.path.join(TOP, os.environ.get("BUILD", "build"), BOARD, "Image")


def linux():
    return images.linux()


# In the order in which they are loaded: each after those that it needs.
MODULES = {
    "i2c": ["i2c/busses/i2c-designware-platform"],
    "mmc": ["mmc/core/mmc_core", "mmc/core/mmc_block", "mmc/host/dw_mmc", "mmc/host/dw_mmc-pltfm",
            "mmc/host/dw_mmc-starfive"],
    "watchdog": ["watchdog/watchdog", "watchdog/starfive-wdt"],
}


def linux_initrd():
    """busybox and the drivers of Debian's kernel for this board, under /modules."""
    archive = images.base_archive()
    drivers = images.fetched("deb:linux-image-riscv64") + "/modules/drivers/"
    archive.add("modules", 0o040755)
    for name in sum(MODULES.values(), []):
        with lzma.open(drivers + name + ".ko.xz") as file:
            archive.add("modules/" + os.path.basename(name) + ".ko", 0o100644, file.read())
    return images.stored(archive.bytes(), "twin-linux", packed=False)


def load(shell, group):
    for name in MODULES[group]:
        shell.check(f"insmod /modules/{os.path.basename(name)}.ko", 30)


def blank_card(name, megabytes=64):
    """A card of numbered sectors; each test its own."""
    path = os.path.join(images.OUT, name + ".img")
    os.makedirs(images.OUT, exist_ok=True)
    with open(path, "wb") as file:
        for start in range(0, megabytes << 11, 2048):
            file.write(b"".join(b"sector %08d\n" % n + bytes([n & 0xff]) * 496 for n in range(start, start + 2048)))
    return path


def boot_card(name, kernel, initrd, append):
    """A card as in visionfive2.md of the notes: SPL, U-Boot with OpenSBI, and a FAT partition with extlinux.conf."""
    uboot = images.fetched("deb:u-boot-starfive") + "/usr/lib/u-boot/starfive_visionfive2"
    tree = images.fetched("deb:linux-image-riscv64") + "/dtbs/starfive/jh7110-starfive-visionfive-2-v1.3b.dtb"
    path = os.path.join(images.OUT, name + ".img")
    with tempfile.TemporaryDirectory(prefix="vireo-card-") as work:
        root = os.path.join(work, "root")
        for source, target in ((kernel, "Image"), (initrd, "initrd.img"), (tree, "dtbs/starfive/" + os.path.basename(tree))):
            os.makedirs(os.path.dirname(os.path.join(root, target)), exist_ok=True)
            images.command(["cp", os.path.realpath(source), os.path.join(root, target)])
        os.makedirs(root + "/extlinux")
        with open(root + "/extlinux/extlinux.conf", "w", encoding="ascii") as file:
            file.write("timeout 1\ndefault one\nlabel one\n    kernel /Image\n    initrd /initrd.img\n"
                       f"    fdtdir /dtbs\n    append {append}\n")
        with open(work + "/card.cfg", "w", encoding="ascii") as file:
            file.write(f'''
image boot.vfat {{ vfat {{ label = "BOOT" }} size = 64M }}
image card.img {{
    hdimage {{ partition-table-type = "gpt" }}
    size = 128M
    partition spl {{
        image = "{uboot}/u-boot-spl.bin.normal.out"
        partition-type-uuid = {SPL_TYPE}
        offset = 2M
        size = 2M
    }}
    partition uboot {{
        image = "{uboot}/u-boot.itb"
        partition-type-uuid = {UBOOT_TYPE}
        offset = 4M
        size = 4M
    }}
    partition boot {{ image = "boot.vfat" bootable = true offset = 8M }}
}}
''')
        os.makedirs(work + "/in")
        images.command(["genimage", "--config", work + "/card.cfg", "--rootpath", root, "--inputpath", work + "/in",
                        "--outputpath", work + "/out", "--tmppath", work + "/tmp"])
        images.command(["mv", work + "/out/card.img", path])
    return path


class Devices:
    """The twin without harts, over qtest: read32, write32, memory, step; and what QEMU says on stderr."""

    def __init__(self, *extra, machine=""):
        self.folder = tempfile.TemporaryDirectory(prefix="vireo-qtest-")
        path = os.path.join(self.folder.name, "qtest")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(20)
        found = qemu.Machine(board=BOARD)
        self.errors = open(os.path.join(self.folder.name, "stderr"), "w+", encoding="utf-8")  # pylint: disable=consider-using-with
        self.qemu = subprocess.Popen(  # pylint: disable=consider-using-with
            [found.qemu, "-machine", found.machine + machine, "-accel", "qtest", "-qtest", "unix:" + path, "-bios", "none",
             "-display", "none", "-monitor", "none", "-serial", "file:" + os.path.join(self.folder.name, "serial"),
             "-m", "4G", "-no-reboot", *extra],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors)
        try:
            self.socket, _ = listener.accept()
        except socket.timeout:
            raise AssertionError("QEMU did not start:\n" + self.stderr()) from None
        finally:
            listener.close()
        self.socket.settimeout(20)
        self.stream = self.socket.makefile("rw", encoding="ascii", newline="\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.qemu.kill()
        self.qemu.wait()
        self.socket.close()
        self.errors.close()
        self.folder.cleanup()

    def stderr(self):
        self.errors.flush()
        with open(self.errors.name, encoding="utf-8") as file:
            return file.read()

    def complaints(self):
        """What the twin said about accesses, without QEMU's own words."""
        return re.findall(r"visionfive2: (.*)", self.stderr())

    def serial(self):
        with open(os.path.join(self.folder.name, "serial"), "rb") as file:
            return file.read()

    def ask(self, *words):
        while True:
            try:
                if words:
                    self.stream.write(" ".join(str(w) for w in words) + "\n")
                    self.stream.flush()
                    words = ()
                answer = self.stream.readline().split()
            except (BrokenPipeError, ConnectionResetError):
                answer = []
            if not answer:
                raise EOFError("QEMU ended:\n" + self.stderr())
            if answer[0] == "OK":
                return answer[1:]
            assert answer[0] == "IRQ", answer

    def read32(self, address):
        return int(self.ask("readl", hex(address))[0], 16)

    def write32(self, address, value):
        self.ask("writel", hex(address), hex(value & 0xffffffff))

    def write_memory(self, address, data):
        self.ask("write", hex(address), hex(len(data)), "0x" + data.hex())

    def read_memory(self, address, size):
        return bytes.fromhex(self.ask("read", hex(address), hex(size))[0][2:])

    def step(self, nanoseconds):
        self.ask("clock_step", nanoseconds)


SYSCRG = 0x13020000
SYSCRG_RESETS = SYSCRG + 0x2f8


def open_clock(devices, number, on=True):
    value = devices.read32(SYSCRG + 4 * number)
    devices.write32(SYSCRG + 4 * number, value | 1 << 31 if on else value & ~(1 << 31))


def hold_reset(devices, number, on=True):
    address = SYSCRG_RESETS + 4 * (number // 32)
    value = devices.read32(address)
    devices.write32(address, value | 1 << number % 32 if on else value & ~(1 << number % 32))
