# SPDX-License-Identifier: BSD-2-Clause
"""Boards other than qemu-virt for the tests: their kernels, the cards they boot from, and what to boot."""

import functools
import os
import stat
from dataclasses import dataclass

from . import images
from .images import TOP
from .machine import Boot
import image  # flash/image.py, found through images
import qemu

DEBIAN = os.path.join(TOP, "build/debian")


@dataclass(frozen=True)
class BoardBoot(Boot):
    """A Boot on the machine that a board's board.mk names; boot="card": as the board itself, from `disk`."""

    board: str = ""
    kernel: str = ""
    smp: int = 4
    mem: str = ""
    cpu: str = ""

    def argv(self):
        found = qemu.Machine(board=self.board, boot=self.boot, smp=self.smp, mem=self.mem or None, append=self.append,
                             initrd=self.initrd, kernel=self.kernel or kernel(self.board), bios=self.bios,
                             disk=self.disk, extra=list(self.extra), variant=self.variant)
        if self.dtb:
            found.dtb = self.dtb
        return found.args() + ["-display", "none"]


@functools.lru_cache(None)
def kernel(board):
    """Vireo as it is built for the board."""
    images.fetched("deb:opensbi")
    images.command(["make", "-C", TOP, "BOARD=" + board], seconds=900)
    return os.path.join(TOP, os.environ.get("BUILD", "build"), board, "Image")


def variables(board):
    return qemu.board_variables(board)


def console(board):
    return "console=" + variables(board)["console"]


@functools.lru_cache(None)
def initrd():
    """busybox with the tests' prompt, every test program under /test, and Debian's bash with its libraries."""
    archive = images.base_archive()
    archive.add("lib", stat.S_IFLNK | 0o777, b"usr/lib")
    images.add_program(archive, images.fetched("tree:bash") + "/", "usr/bin/bash")
    archive.add("usr/lib/ld-linux-riscv64-lp64d.so.1", stat.S_IFLNK | 0o777,
                b"riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1")
    for name, path in images.programs().items():
        archive.add_file(path, f"test/{name}")
    return images.stored(archive.bytes(), "board")


def card(board, name, append="", kernel_file=None, initrd_file=None):
    """A card as `make image` makes it, with the tests' initramfs: its path. Each test its own, as it may be written."""
    of_board = variables(board)
    images.fetched("deb:" + of_board["firmware"])
    if of_board.get("image_dtbs"):
        images.fetched("deb:linux-image-riscv64")
    os.makedirs(images.OUT, exist_ok=True)
    path = os.path.join(images.OUT, f"{board}-{name}.img")
    image.build(board, path, kernel_file or kernel(board), initrd() if initrd_file is None else initrd_file, append)
    return path


def from_card(board, name, **options):
    """What boots such a card."""
    extra = {k: options.pop(k) for k in ("append", "kernel_file", "initrd_file") if k in options}
    return BoardBoot(board=board, boot="card", disk=card(board, name, **extra), **options)
