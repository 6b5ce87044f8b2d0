#!/usr/bin/python3
"""write.py [--yes] [--plain-file] DEV IMAGE: write a card's image to a device, and prove it.

Shows what DEV is, refuses what is mounted, part of the running system, only a partition, read-only or too
small, asks, writes with progress, then reads back and compares. --plain-file: DEV is a file (it must be there).
"""
import fcntl
import os
import stat
import struct
import sys

CHUNK = 4 << 20
BLKFLSBUF = 0x1261
BLKGETSIZE64 = 0x80081272


class Refused(Exception):
    """Why not."""


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


class Disk:
    """A block device as /sys and /proc describe it; other roots are for tests."""

    def __init__(self, path, sys_root="/sys", proc_root="/proc"):
        self.path = os.path.realpath(path)
        self.name = os.path.basename(self.path)
        self.folder = os.path.join(sys_root, "class/block", self.name)
        self.proc = proc_root

    def text(self, name):
        return read_text(os.path.join(self.folder, name))

    def size(self):
        return int(self.text("size") or 0) * 512

    def partitions(self):
        """Names of its partitions."""
        if not os.path.isdir(self.folder):
            return []
        return sorted(name for name in os.listdir(self.folder)
                      if os.path.exists(os.path.join(self.folder, name, "partition")))

    def numbers(self):
        """major:minor of it and of its partitions."""
        found = {self.text("dev"): self.name}
        for name in self.partitions():
            found[read_text(os.path.join(self.folder, name, "dev"))] = name
        return found

    def users(self):
        """Each use that forbids to write: mounts, swap, and what lies on top (LVM, RAID, encryption)."""
        numbers = self.numbers()
        for line in read_text(os.path.join(self.proc, "self/mountinfo")).splitlines():
            words = line.split()
            if words[2] in numbers:
                where = words[4].replace("\\040", " ")
                what = "holds the running system, mounted" if where in ("/", "/usr", "/boot", "/boot/efi") else "is mounted"
                yield "%s %s on %s" % (numbers[words[2]], what, where)
            else:  # some file systems have numbers of their own and name their device after the dash
                source = words[words.index("-") + 2] if "-" in words else ""
                if os.path.basename(source) in numbers.values() and source.startswith("/dev/"):
                    yield "%s is mounted on %s" % (os.path.basename(source), words[4])
        for line in read_text(os.path.join(self.proc, "swaps")).splitlines()[1:]:
            if os.path.basename(line.split()[0]) in numbers.values():
                yield "%s is used as swap" % line.split()[0]
        for name in numbers.values():
            inside = self.folder if name == self.name else os.path.join(self.folder, name)
            holders = os.path.join(inside, "holders")
            for holder in sorted(os.listdir(holders)) if os.path.isdir(holders) else []:
                yield "%s is part of %s" % (name, holder)

    def check(self, needed):
        """Raises Refused with the reason."""
        if not os.path.isdir(self.folder):
            raise Refused("%s is not a disk that this system knows" % self.path)
        if self.text("partition"):
            raise Refused("%s is a partition; the image is for the whole disk" % self.path)
        used = list(self.users())
        if used:
            raise Refused("; ".join(used))
        if self.text("ro") == "1":
            raise Refused("%s is read-only (a card's lock?)" % self.path)
        if self.size() < needed:
            raise Refused("%s has %s, the image %s" % (self.path, human(self.size()), human(needed)))

    def describe(self):
        lines = ["%s: %s, %s %s" % (self.path, human(self.size()), self.text("device/vendor") or "unknown vendor",
                                     self.text("device/model") or self.text("device/name") or "unknown model")]
        lines.append("  removable: %s" % ("yes" if self.text("removable") == "1" else "NO"))
        lines.append("  partitions: %s" % (", ".join(self.partitions()) or "none"))
        return "\n".join(lines)


def human(size):
    return "%.1f GB" % (size / 1e9) if size >= 1e9 else "%.1f MB" % (size / 1e6)


def progress(verb, done, total):
    if sys.stderr.isatty() or done == total:
        end = "\n" if done == total else ""
        sys.stderr.write("\r%s %3d %%  %s of %s%s" % (verb, done * 100 // total, human(done), human(total), end))
        sys.stderr.flush()


def device_size(fd):
    info = os.fstat(fd)
    if stat.S_ISBLK(info.st_mode):
        return struct.unpack("Q", fcntl.ioctl(fd, BLKGETSIZE64, bytes(8)))[0]
    return info.st_size


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def copy(fd, image, total):
    done = 0
    while chunk := image.read(CHUNK):
        write_all(fd, chunk)
        done += len(chunk)
        progress("writing", done, total)
    os.fsync(fd)


def compare(fd, image, total):
    """First byte that differs, None if none does. The kernel's memory of what was written is thrown away first."""
    if stat.S_ISBLK(os.fstat(fd).st_mode):
        fcntl.ioctl(fd, BLKFLSBUF)
    else:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.lseek(fd, 0, os.SEEK_SET)
    image.seek(0)
    done = 0
    while chunk := image.read(CHUNK):
        found = b""
        while len(found) < len(chunk) and (part := os.read(fd, len(chunk) - len(found))):
            found += part
        if found != chunk:
            same = next((i for i, pair in enumerate(zip(found, chunk)) if pair[0] != pair[1]), len(found))
            return done + same
        done += len(chunk)
        progress("reading", done, total)
    return None


def flash(path, image_path, plain=False, ask=True):
    total = os.path.getsize(image_path)
    if not os.path.exists(path):
        raise Refused("%s is not there" % path)
    is_block = stat.S_ISBLK(os.stat(path).st_mode)
    if is_block:
        disk = Disk(path)
        disk.check(total)
        print(disk.describe())
    elif not plain or not stat.S_ISREG(os.stat(path).st_mode):
        raise Refused("%s is no disk" % path)
    if ask:
        sys.stdout.write("All of it will be overwritten with %s. Type yes: " % image_path)
        sys.stdout.flush()
        if sys.stdin.readline().strip() != "yes":
            raise Refused("nothing was written")
    # O_EXCL: the kernel refuses a block device that somebody else uses.
    fd = os.open(path, os.O_RDWR | (os.O_EXCL if is_block else 0))
    try:
        if device_size(fd) < total:
            raise Refused("%s has %s, the image %s" % (path, human(device_size(fd)), human(total)))
        with open(image_path, "rb") as image:
            copy(fd, image, total)
            wrong = compare(fd, image, total)
        if wrong is not None:
            raise Refused("byte %d of %s is not what was written: the card is broken, or not the size it says" % (wrong, path))
    finally:
        os.close(fd)
    print("flash: %s holds %s" % (path, image_path))


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    options = set(sys.argv[1:]) - set(words)
    if len(words) != 2 or options - {"--yes", "--plain-file"}:
        sys.exit(__doc__)
    try:
        flash(*words, plain="--plain-file" in options, ask="--yes" not in options)
    except (Refused, OSError) as why:
        sys.exit("flash: refused: %s" % why)


if __name__ == "__main__":
    main()
