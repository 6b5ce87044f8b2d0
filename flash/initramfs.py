#!/usr/bin/python3
"""initramfs.py -o OUT [-z] SOURCE...: write a newc cpio archive.

A SOURCE is a folder, whose content goes to the root, or FILE:PATH, one file under that path. Later
ones win. Everything belongs to root and has time 0, so that the same sources give the same bytes;
/dev/console, /dev/null and the links bin, lib, sbin into usr are always there.
"""
import argparse
import gzip
import os
import stat


class Archive:
    def __init__(self):
        self.entries = {}

    def add(self, path, mode, data=b"", rdev=(0, 0)):
        path = self.resolve(path.strip("/"))
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.add(parent, stat.S_IFDIR | 0o755)
        self.entries[path] = (mode, data, rdev)

    def resolve(self, path):
        """The path with links on its way followed, as the kernel that unpacks it would."""
        parent, name = os.path.split(path)
        if not parent:
            return path
        parent = self.resolve(parent)
        mode, target, _ = self.entries.get(parent, (0, b"", None))
        if stat.S_ISLNK(mode):
            target = target.decode()
            base = "" if target.startswith("/") else os.path.dirname(parent)
            parent = self.resolve(os.path.normpath(os.path.join(base, target.strip("/"))))
        return os.path.join(parent, name)

    def add_file(self, source, path):
        info = os.lstat(source)
        if stat.S_ISLNK(info.st_mode):
            self.add(path, stat.S_IFLNK | 0o777, os.readlink(source).encode())
        elif stat.S_ISDIR(info.st_mode):
            # A folder where a link to one already is (bin -> usr/bin): keep the link.
            if self.resolve(path) not in self.entries:
                self.add(path, stat.S_IFDIR | (info.st_mode & 0o7777))
        elif stat.S_ISREG(info.st_mode):
            with open(source, "rb") as file:
                self.add(path, stat.S_IFREG | (info.st_mode & 0o7777), file.read())
        else:
            raise SystemExit("initramfs: %s is neither file, folder nor link" % source)

    def add_tree(self, folder):
        for where, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(folders + files):
                if not name.startswith(".fetched"):
                    source = os.path.join(where, name)
                    self.add_file(source, os.path.relpath(source, folder))

    def bytes(self):
        out = bytearray()
        for inode, path in enumerate(sorted(self.entries), 1):
            out += self.record(inode, path, *self.entries[path])
        out += self.record(0, "TRAILER!!!", 0, b"", (0, 0))
        return bytes(out) + b"\0" * (-len(out) % 512)

    @staticmethod
    def record(inode, path, mode, data, rdev):
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, rdev[0], rdev[1], len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("-o", dest="out", required=True)
    options.add_argument("-z", dest="gzip", action="store_true", help="compress with gzip")
    options.add_argument("sources", nargs="+")
    given = options.parse_args()
    archive = Archive()
    # As Debian lays out its files, so that its packages can be put over it.
    for name in ("bin", "lib", "sbin"):
        archive.add("usr/" + name, stat.S_IFDIR | 0o755)
        archive.add(name, stat.S_IFLNK | 0o777, b"usr/" + name.encode())
    archive.add("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    archive.add("dev/null", stat.S_IFCHR | 0o666, rdev=(1, 3))
    for source in given.sources:
        if os.path.isdir(source):
            archive.add_tree(source)
        else:
            file, _, path = source.partition(":")
            archive.add_file(file, path or os.path.basename(file))
    data = archive.bytes()
    with open(given.out, "wb") as file:
        file.write(gzip.compress(data, 9, mtime=0) if given.gzip else data)


if __name__ == "__main__":
    main()
