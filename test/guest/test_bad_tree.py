# SPDX-License-Identifier: BSD-2-Clause
"""Device trees that lack, one after the other, each node and property that the kernel reads, or have it wrong."""

import pytest

from harness import images, outcome
from harness.devicetree import Tree

ALL = ["shell", "rescue"]
CPUS = [f"/cpus/cpu@{n}" for n in range(2)]
SERIAL = "/soc/serial@10000000"
# OpenSBI draws lots which hart boots: it may be the one that can't be used.
BOOT_OR_ONE = r"harts: 1 usable|the boot hart, 1, isn't among the 1 harts"


def each(paths, change):
    def apply(tree):
        for path in paths:
            change(tree, path)
    return apply


def lacking(paths, name):
    return each(paths, lambda tree, path: tree.drop(path, name))


def lacking_nodes(compatible):
    def apply(tree):
        paths = tree.compatible(compatible)
        assert paths, f"QEMU's tree has no {compatible}"
        for path in paths:
            tree.drop_node(path)
    return apply


def memory(change):
    return lambda tree: change(tree, tree.nodes(lambda path, _: path.startswith("/memory@"))[0])


def deaf_serial_first(tree):
    """Another port without an alias and an interrupt, found before that which the alias serial0 names."""
    other = tree.add_node("/soc", "serial@10000001")
    tree.set(other, "compatible", b"ns16550a\0")
    tree.set(other, "reg", bytes.fromhex("0000000010000000" "0000000000000100"))
    if "/aliases" not in tree.nodes(lambda path, _: True):
        tree.add_node("/", "aliases")
    tree.set("/aliases", "serial0", SERIAL.encode() + b"\0")


# name: (change, endings allowed, pattern of a line that says it, or "" where nothing is amiss).
CASES = {
    "no memory node": (memory(lambda t, p: t.drop_node(p)), ["panic", "ended"], r"memory"),
    "memory without reg": (memory(lambda t, p: t.drop(p, "reg")), ["panic"], r"memory"),
    "memory with an empty reg": (memory(lambda t, p: t.set(p, "reg", b"")), ["panic"], r"memory"),
    "memory with half a reg": (memory(lambda t, p: t.set(p, "reg", b"\0\0\0\0\x80\0\0")), ["panic"], r"memory"),
    "memory elsewhere": (memory(lambda t, p: t.set(p, "reg", bytes.fromhex("0000000100000000") + bytes.fromhex("0000000008000000"))),
                         ["panic", "ended"], r"memory"),
    "no timebase-frequency": (lacking(["/cpus"], "timebase-frequency"), ["panic"], r"timebase"),
    "timebase-frequency 0": (lambda t: t.set("/cpus", "timebase-frequency", b"\0\0\0\0"), ["panic"], r"timebase"),
    "no mmu-type on any hart": (lacking(CPUS, "mmu-type"), ["panic"], r"mmu-type"),
    "no mmu-type on hart 1": (lacking(CPUS[1:], "mmu-type"), ["shell", "panic"], BOOT_OR_ONE),
    "hart 1 disabled": (lambda t: t.set(CPUS[1], "status", b"disabled\0"), ["shell", "panic"], BOOT_OR_ONE),
    "no isa string": (lacking(CPUS, "riscv,isa"), ["shell", "panic"], r""),
    "isa extensions in the new form": (
        each(CPUS, lambda t, p: (t.drop(p, "riscv,isa"),
                                 t.set(p, "riscv,isa-extensions", b"i\0m\0a\0f\0d\0c\0zicsr\0zifencei\0sstc\0"),
                                 t.set(p, "riscv,isa-base", b"rv64i\0"))), ["shell"], r""),
    "no interrupt controller in a hart": (each(CPUS, lambda t, p: t.drop_node(p + "/interrupt-controller")),
                                          ["shell", "panic"], r"interrupt|intc|plic"),
    "too little memory for the tree": (memory(lambda t, p: t.set(p, "reg", bytes.fromhex("00000000800000000000000008000000"))),
                                    ["panic"], r"no memory where it lies itself"),
    "no PLIC": (lacking_nodes("riscv,plic0"), ["shell", "panic"], r"interrupt|plic"),
    "PLIC without interrupts-extended": (lambda t: t.drop(t.compatible("riscv,plic0")[0], "interrupts-extended"),
                                         ["shell", "panic"], r"interrupt|plic"),
    "PLIC without riscv,ndev": (lambda t: t.drop(t.compatible("riscv,plic0")[0], "riscv,ndev"), ["shell", "panic"], r""),
    "PLIC without reg": (lambda t: t.drop(t.compatible("riscv,plic0")[0], "reg"), ["shell", "panic"], r"plic|interrupt"),
    "no chosen/stdout-path": (lacking(["/chosen"], "stdout-path"), ["shell"], r""),
    "no chosen/rng-seed": (lacking(["/chosen"], "rng-seed"), ["shell"], r""),
    "uart without reg": (lacking([SERIAL], "reg"), ["console", "panic"], r"uart|serial|ns16550|console"),
    "uart without interrupts": (lacking([SERIAL], "interrupts"), ["shell"], r"ttyS0: no interrupt"),
    "uart without clock-frequency": (lacking([SERIAL], "clock-frequency"), ["shell"], r""),
    "another uart before that of serial0": (deaf_serial_first, ["shell"], r"ttyS1: no interrupt"),
    "no uart at all": (lambda t: t.drop_node(SERIAL), ["console", "panic"], r"console"),
    "no wall clock": (lacking_nodes("google,goldfish-rtc"), ["shell"], r""),
    "no reset devices": (lambda t: (lacking_nodes("syscon-poweroff")(t), lacking_nodes("syscon-reboot")(t)), ["shell"], r""),
    "no virtio": (lacking_nodes("virtio,mmio"), ["shell"], r""),
    "soc without ranges": (lacking(["/soc"], "ranges"), ["shell", "console", "panic"], r""),
    "another board's compatible": (lambda t: t.set("/", "compatible", b"some,other\0"), ["shell"], r"device tree"),
    "no compatible": (lacking(["/"], "compatible"), ["shell"], r"device tree"),
    "addresses of one cell": (lambda t: t.set("/soc", "#address-cells", b"\0\0\0\1"), ["shell", "console", "panic"], r""),
}
# OpenSBI itself does not start with these: it gets QEMU's own tree, and U-Boot gives these to the kernel.
BY_UBOOT = ["no timebase-frequency", "no isa string", "no interrupt controller in a hart", "PLIC without interrupts-extended",
            "uart without reg", "no uart at all", "addresses of one cell", "too little memory for the tree"]
QUICK = ["no memory node", "no timebase-frequency", "no mmu-type on any hart", "no PLIC", "no isa string"]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in CASES])
def test_tree(lab, name):
    change, endings, pattern = CASES[name]
    by_uboot = name in BY_UBOOT
    boot = lab.spec(initrd=images.session_initrd(), smp=2, mem="512M" if by_uboot else "128M")
    tree = Tree(boot)
    change(tree)
    dtb = tree.save("bad")
    if by_uboot:
        boot = boot.but(boot="uboot", disk=images.uboot_disk(boot.initrd, boot.append, dtb))
    else:
        boot = boot.but(dtb=dtb)
    ending, log = outcome.boot_outcome_of_tree(lab, boot)
    assert ending in endings, f"ended as {ending}:\n{log}"
    assert not pattern or outcome.line_like(log, pattern), f"no line like {pattern}:\n{log}"
