#!/usr/bin/python3
"""image.py BOARD OUT KERNEL INITRD [APPEND]: the card that a board boots from, as one file.

boards/BOARD/board.mk says what is on it: image_parts, image_boot, image_size, image_dtbs, console (see
boards/README.md). The partitions of the firmware come first, then a FAT with extlinux.conf, the kernel
twice (one to replace, one to fall back on), the initramfs and the device trees. A boards/BOARD/boot.cmd
becomes U-Boot's /boot.scr, and OUT with .nor for .img: the flash chip that holds it as well.

The same sources give the same bytes: times are the commit's, identifiers are made from names. Needs
genimage, mtools, dosfstools.
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import uuid
import zlib

import qemu

SECTOR = 512
FAT_TYPE = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"  # what every system offers to mount
NAMESPACE = uuid.UUID("7a3c1a52-54a5-5d3e-9e0f-3d0c5b9b1f6e")  # of the identifiers on our cards
NOR_SIZE = 32 << 20
NOR_SCRIPT = 0x1fff000  # where U-Boot of HiFive Unleashed looks for a script


def commit_time():
    """Seconds of what is built: SOURCE_DATE_EPOCH, else the commit's, else 0."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    git = subprocess.run(["git", "-C", qemu.TOP, "log", "-1", "--format=%ct"], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return int(git.stdout or 0)


def identifier(board, name):
    return str(uuid.uuid5(NAMESPACE, board + "/" + name))


def parts_of(of_board):
    """(name, first sector, type, file) of each partition of the firmware."""
    for part in of_board["image_parts"].split():
        name, sector, kind, file = part.split(":")
        yield name, int(sector), kind, os.path.join(qemu.TOP, "build/debian", of_board["firmware"],
                                                    "usr/lib/u-boot", file)


def extlinux(console, append, has_trees):
    """Three ways to start: as it should be, the kernel that is known to work, the firmware's device tree."""
    words = " ".join(filter(None, ["console=" + console, append]))
    trees = ["    fdtdir /dtbs"] if has_trees else []

    def label(name, title, kernel, trees):
        return ["", "label " + name, "    menu label " + title, "    kernel " + kernel, "    initrd /initrd.img"] \
            + trees + ["    append " + words]

    lines = ["menu title Vireo", "timeout 20", "default vireo"]
    lines += label("vireo", "Vireo", "/Image", trees)
    lines += label("fallback", "Vireo, the kernel that worked", "/Image.fallback", trees)
    if has_trees:
        lines += label("firmware-tree", "Vireo, with the device tree of the firmware", "/Image", [])
    return "\n".join(lines) + "\n"


def script_image(text, seconds):
    """A U-Boot script in its legacy image format (U-Boot, include/image.h)."""
    data = struct.pack(">II", len(text), 0) + text
    name = b"boot.scr".ljust(32, b"\0")

    def header(crc):
        # magic, own CRC, time, size, load, entry, CRC of data; Linux, RISC-V, script, not packed
        return struct.pack(">7I4B32s", 0x27051956, crc, seconds, len(data), 0, 0, zlib.crc32(data), 5, 26, 6, 0, name)

    return header(zlib.crc32(header(0))) + data


def config(board, of_board, uboot_parts):
    text = 'image boot.vfat {\n    vfat { label = "VIREO" extraargs = "-F 32 --invariant" }\n    size = %s\n}\n' % (
        size_of_boot(of_board))
    text += "image card.img {\n    hdimage {\n        align = 512\n        partition-table-type = gpt\n"
    text += "        disk-uuid = %s\n    }\n    size = %s\n" % (identifier(board, "disk"), of_board["image_size"])
    for name, sector, kind, file in uboot_parts + [("boot", int(of_board["image_boot"]), FAT_TYPE, "boot.vfat")]:
        text += '    partition %s {\n        image = "%s"\n        offset = %d\n        partition-uuid = %s\n' % (
            name, file, sector * SECTOR, identifier(board, name))
        text += "        partition-type-uuid = %s\n" % kind
        text += "        bootable = true\n    }\n" if name == "boot" else "    }\n"
    return text + "}\n"


def bytes_of(size):
    return int(size[:-1]) << {"M": 20, "G": 30}[size[-1]]


def size_of_boot(of_board):
    """What is left, in whole MiB: the last one holds the second GPT."""
    left = bytes_of(of_board["image_size"]) - int(of_board["image_boot"]) * SECTOR
    return "%dM" % ((left >> 20) - 1)


def fill(root, board, of_board, kernel, initrd, append, seconds):
    """The files of the FAT."""
    os.makedirs(os.path.join(root, "extlinux"))
    trees = of_board.get("image_dtbs", "").split()
    with open(os.path.join(root, "extlinux/extlinux.conf"), "w", encoding="ascii") as file:
        file.write(extlinux(of_board["console"], append, bool(trees)))
    shutil.copy(kernel, os.path.join(root, "Image"))
    shutil.copy(kernel, os.path.join(root, "Image.fallback"))
    if initrd:
        shutil.copy(initrd, os.path.join(root, "initrd.img"))
    for tree in trees:
        target = os.path.join(root, "dtbs", tree)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(os.path.join(qemu.TOP, "build/debian/linux-image-riscv64/dtbs", tree), target)
    script = script_of(board, seconds)
    if script:
        with open(os.path.join(root, "boot.scr"), "wb") as file:
            file.write(script)
    for where, folders, files in os.walk(root):
        for name in folders + files:
            os.utime(os.path.join(where, name), (seconds, seconds))


def script_of(board, seconds):
    path = os.path.join(qemu.TOP, "boards", board, "boot.cmd")
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return script_image(file.read(), seconds)


def write_nor(path, script):
    with open(path, "wb") as file:
        file.write(b"\xff" * NOR_SCRIPT + script)
        file.write(b"\xff" * (NOR_SIZE - file.tell()))


def build(board, out, kernel, initrd, append=""):
    of_board = qemu.board_variables(board)
    seconds = commit_time()
    parts = list(parts_of(of_board))
    for file in [p[3] for p in parts] + [kernel] + ([initrd] if initrd else []):
        if not os.path.exists(file):
            raise SystemExit("image: %s is missing" % file)
    with tempfile.TemporaryDirectory(prefix="vireo-image-") as work:
        root = os.path.join(work, "root")
        os.makedirs(os.path.join(work, "in"))
        fill(root, board, of_board, kernel, initrd, append, seconds)
        with open(os.path.join(work, "card.cfg"), "w", encoding="ascii") as file:
            file.write(config(board, of_board, parts))
        result = subprocess.run(
            ["genimage", "--config", work + "/card.cfg", "--rootpath", root, "--inputpath", work + "/in",
             "--outputpath", work + "/out", "--tmppath", work + "/tmp"], text=True, check=False,
            env=dict(os.environ, SOURCE_DATE_EPOCH=str(seconds), TZ="UTC", LC_ALL="C"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if result.returncode:
            raise SystemExit(result.stdout + "image: genimage can't make it")
        shutil.move(work + "/out/card.img", out)
    script = script_of(board, seconds)
    if script:
        write_nor(os.path.splitext(out)[0] + ".nor", script)


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    build(*sys.argv[1:])
