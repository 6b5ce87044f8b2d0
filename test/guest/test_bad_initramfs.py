# SPDX-License-Identifier: BSD-2-Clause
"""Truncated and corrupt initramfs archives: each ends at a prompt or in a panic that says what to do, after
one line that says what is wrong. Never silence, never a loop."""

import gzip
import os

import pytest

from harness import images, outcome

FIELDS = ["ino", "mode", "uid", "gid", "nlink", "mtime", "filesize", "devmajor", "devminor", "rdevmajor", "rdevminor",
          "namesize", "check"]


def archive():
    return images.base_archive().bytes()


def header_of(data, name):
    """Offset of the record whose name is name: from record to record, since busybox's own bytes hold such names."""
    at = 0
    while True:
        assert data[at:at + 6] == b"070701", f"no record {name}"
        field = {key: int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i, key in enumerate(FIELDS)}
        if data[at + 110:at + 110 + field["namesize"] - 1] == name.encode():
            return at
        at += (110 + field["namesize"] + 3) // 4 * 4 + (field["filesize"] + 3) // 4 * 4


def with_field(name, field, text):
    """The archive with 8 characters of one header field replaced."""
    data = bytearray(archive())
    at = header_of(data, name) + 6 + 8 * FIELDS.index(field)
    data[at:at + 8] = text.encode()
    return bytes(data)


def with_byte(data, at, value):
    data = bytearray(data)
    data[at] = value
    return bytes(data)


def packed():
    return gzip.compress(archive(), 6, mtime=0)


# name: (bytes, pattern of the line that says it, endings allowed). What comes before the fault is kept, as
# Linux keeps it: a fault behind /init and busybox still boots to the shell.
CASES = {
    "empty": (lambda: b"\0" * 512, r"init", ["rescue"]),
    "not an archive": (lambda: b"this is text, not an archive\n" * 50, r"initramfs.*(cpio|gzip|archive|header)", ["rescue"]),
    "random bytes": (lambda: bytes((i * 197 + i // 7) & 255 for i in range(8192)), r"initramfs", ["rescue"]),
    "cut in the first header": (lambda: archive()[:50], r"initramfs", ["rescue"]),
    "cut in busybox": (lambda: archive()[:200000], r"initramfs", ["rescue", "panic", "shell"]),
    "cut behind the last file": (lambda: archive()[:header_of(archive(), "TRAILER!!!") + 20], r"initramfs", ["shell"]),
    "no trailer": (lambda: archive()[:header_of(archive(), "TRAILER!!!")], r"", ["shell"]),
    "second header's magic": (lambda: with_byte(archive(), header_of(archive(), "bin/busybox") + 3, ord("9")), r"initramfs",
                              ["rescue"]),
    "old magic 070707": (lambda: b"070707" + archive()[6:], r"initramfs", ["rescue"]),
    "file size not hexadecimal": (lambda: with_field("bin/busybox", "filesize", "GARBAGE!"), r"initramfs", ["rescue"]),
    "file size beyond the end": (lambda: with_field("bin/busybox", "filesize", "0FFFFFFF"), r"initramfs", ["rescue"]),
    "file size largest": (lambda: with_field("bin/busybox", "filesize", "FFFFFFFF"), r"initramfs", ["rescue"]),
    "name size 0": (lambda: with_field("bin/busybox", "namesize", "00000000"), r"initramfs", ["rescue"]),
    "name size huge": (lambda: with_field("bin/busybox", "namesize", "FFFFFFFF"), r"initramfs", ["rescue"]),
    "name size beyond the end": (lambda: with_field("bin/busybox", "namesize", "00FFFFFF"), r"initramfs", ["rescue"]),
    "mode without a type": (lambda: with_field("etc/group", "mode", "00000000"), r"", ["shell"]),
    "mode all ones": (lambda: with_field("etc/group", "mode", "FFFFFFFF"), r"", ["shell"]),
    "device number huge": (lambda: with_field("dev/null", "rdevmajor", "FFFFFFFF"), r"", ["shell"]),
    "links huge": (lambda: with_field("etc/group", "nlink", "FFFFFFFF"), r"", ["shell"]),
    "gzip cut": (lambda: packed()[:len(packed()) // 2], r"initramfs", ["rescue", "panic", "shell"]),
    "gzip cut in the header": (lambda: packed()[:5], r"initramfs", ["rescue"]),
    "gzip with a wrong byte": (lambda: with_byte(packed(), len(packed()) // 2, packed()[len(packed()) // 2] ^ 0x55),
                               r"initramfs", ["rescue", "panic", "shell"]),
    "gzip with a wrong checksum": (lambda: with_byte(packed(), len(packed()) - 8, packed()[-8] ^ 1), r"initramfs", ["shell"]),
    "gzip with a wrong length": (lambda: with_byte(packed(), len(packed()) - 1, 0x7f), r"initramfs", ["shell"]),
    "gzip of a wrong method": (lambda: with_byte(packed(), 2, 9), r"initramfs", ["rescue"]),
    "gzip with reserved flags": (lambda: with_byte(packed(), 3, 0xe0), r"initramfs", ["rescue"]),
    "xz, which is not known": (lambda: b"\xfd7zXZ\0" + os.urandom(1000), r"initramfs", ["rescue"]),
    "junk behind a good archive": (lambda: archive() + b"junk" * 200, r"initramfs", ["shell"]),
    "init that is no program": (lambda: init_of(b"\x7fELF but nothing else"), r"init.*(can't|exec)", ["rescue", "panic", "shell"]),
    "init that is a directory": (lambda: init_of(None), r"init.*(can't|exec)", ["rescue", "panic", "shell"]),
    "init whose interpreter is missing": (lambda: init_of(b"#!/nothere\n"), r"init.*(can't|exec)", ["rescue", "panic", "shell"]),
    "init that ends": (lambda: init_of(b"#!/bin/busybox sh\nexit 3\n"), r"panic.*init", ["panic"]),
}
QUICK = ["not an archive", "cut in busybox", "file size beyond the end", "gzip cut", "gzip with a wrong byte", "init that ends"]


def init_of(content):
    base = images.base_archive()
    if content is None:
        base.add("init", 0o040755)
    else:
        base.add("init", 0o100755, content)
    return base.bytes()


def test_good_archive_followed_by_another(lab):
    """Two archives, one packed, one after the other: both are unpacked, as Linux does."""
    second = images.initramfs.Archive()
    second.add("second", 0o100644, b"from the second archive\n")
    data = archive() + gzip.compress(second.bytes(), 6, mtime=0)
    shell = lab.shell(lab.spec(initrd=images.stored(data, "double", packed=False)))
    assert shell.check("cat /second") == "from the second archive\n"


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in CASES])
def test_bad_initramfs(lab, name):
    make, pattern, endings = CASES[name]
    initrd = images.stored(make(), "bad", packed=False)
    ending, log = outcome.boot_outcome(lab, lab.spec(initrd=initrd, smp=2, mem="128M"))
    assert ending in endings, f"ended as {ending}:\n{log}"
    assert not pattern or outcome.line_like(log, pattern), f"no line like {pattern}:\n{log}"
