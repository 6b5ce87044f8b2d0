# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's own device tree, taken from it and changed through libfdt."""

import os
import subprocess

import libfdt

from . import images


class Tree:
    """The tree that QEMU would make for a Boot; change it, then save() it for -dtb."""

    def __init__(self, boot):
        path = os.path.join(images.OUT, "virt.dtb")
        os.makedirs(images.OUT, exist_ok=True)
        subprocess.run(["qemu-system-riscv64", "-machine", f"virt,dumpdtb={path}", "-cpu", boot.cpu, "-smp", str(boot.smp),
                        "-m", boot.mem, "-display", "none"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(path, "rb") as file:
            data = file.read()
        self.fdt = libfdt.Fdt(bytearray(data))
        self.fdt.resize(len(data) + 65536)

    def nodes(self, wanted):
        """Paths of all nodes for which wanted(path, compatible strings) holds."""
        found = []

        def walk(offset, path):
            compatible = self.fdt.getprop(offset, "compatible", [libfdt.FDT_ERR_NOTFOUND])
            strings = [] if isinstance(compatible, int) else compatible[:-1].decode().split("\0")
            if wanted(path or "/", strings):
                found.append(path or "/")
            child = self.fdt.first_subnode(offset, [libfdt.FDT_ERR_NOTFOUND])
            while child >= 0:
                walk(child, f"{path}/{self.fdt.get_name(child)}")
                child = self.fdt.next_subnode(child, [libfdt.FDT_ERR_NOTFOUND])

        walk(0, "")
        return found

    def compatible(self, name):
        return self.nodes(lambda _, strings: name in strings)

    def drop_node(self, path):
        self.fdt.del_node(self.fdt.path_offset(path))

    def add_node(self, path, name):
        """It becomes the first of its parent."""
        self.fdt.add_subnode(self.fdt.path_offset(path), name)
        return f"{path.rstrip('/')}/{name}"

    def drop(self, path, name):
        self.fdt.delprop(self.fdt.path_offset(path), name)

    def set(self, path, name, value):
        self.fdt.setprop(self.fdt.path_offset(path), name, value)

    def save(self, name):
        path = os.path.join(images.OUT, f"{name}.dtb")
        with open(path, "wb") as file:
            file.write(bytes(self.fdt.as_bytearray()))
        return path
