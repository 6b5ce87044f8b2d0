#!/usr/bin/python3
"""The one place that composes a QEMU command line: for make run, make debug and the tests.

qemu.py run|debug|print|extlinux, with the Makefile's variables (BUILD BOARD BOOT SMP MEM CPU INITRD
APPEND DISK MACHINE) in the environment. Tests import this file: Machine(smp=2, append="quiet").args().
"""
import os
import re
import shlex
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# MACHINE=NAME[,CPU OPTIONS]: Debian's QEMU, our build of it (make machine) with all its options off, or
# with every check on; what follows the name goes to -cpu (MACHINE=strict,x-asid-bits=0).
BUILT = os.path.join(TOP, "build/machine/qemu-system-riscv64")
MACHINES = {"plain": ("qemu-system-riscv64", ""), "built": (BUILT, ""),
            "strict": (BUILT, ",svade=on,svadu=off,x-strict-tlb=on,x-strict-icache=on")}

CONSOLE = ["-display", "none", "-serial", "mon:stdio"]


def board_variables(board):
    """The variables of boards/BOARD/board.mk."""
    found = {}
    with open(os.path.join(TOP, "boards", board, "board.mk")) as file:
        for line in file:
            match = re.match(r"(\w+)\s*[:+?]?=\s*(.*?)\s*$", line)
            if match:
                found[match.group(1)] = match.group(2)
    return found


class Machine:
    """A virtual board. An argument left out is what the environment says, else the board's."""

    def __init__(self, board=None, boot=None, smp=None, mem=None, cpu=None, append=None,
                 initrd=None, kernel=None, bios=None, disk=None, rng=True, variant=None,
                 extra=()):
        env = os.environ.get
        self.board = board or env("BOARD") or "qemu-virt"
        self.out = os.path.join(TOP, env("BUILD") or "build", self.board)
        of_board = board_variables(self.board)
        self.boot = boot or env("BOOT") or "sbi"
        self.machine = of_board["qemu_machine"]
        name, comma, more = (variant or env("MACHINE") or "plain").partition(",")
        if name == "plain":
            name = of_board.get("qemu_build") or name
        self.qemu, self.cpu_options = MACHINES[name][0], MACHINES[name][1] + comma + more
        self.smp = int(smp or env("SMP") or of_board["qemu_smp"])
        self.mem = mem or env("MEM") or of_board["qemu_mem"]
        self.cpu = cpu or env("CPU") or of_board["qemu_cpu"]
        self.append = append if append is not None else env("APPEND") or ""
        # An empty initrd, or INITRD=none, means none at all: the rescue init inside the kernel.
        self.initrd = initrd if initrd is not None else (
            env("INITRD") or os.path.join(self.out, "initramfs.cpio"))
        if self.initrd == "none":
            self.initrd = ""
        self.kernel = kernel or os.path.join(self.out, "Image")
        self.bios = bios or os.path.join(
            TOP, "build/debian/opensbi/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin")
        self.dtb = os.path.join(self.out, "board.dtb") if of_board.get("dts") else None
        self.has_virtio = self.machine.startswith("virt")
        if of_board.get("qemu_dtb"):
            self.dtb = os.path.join(TOP, "build/debian/linux-image-riscv64/dtbs", of_board["qemu_dtb"])
        # Harts that run no kernel: QEMU counts them, we don't.
        self.other_harts = int(of_board.get("qemu_monitor") or 0)
        self.has_card = bool(of_board.get("image_parts"))
        self.card_index = of_board.get("qemu_card") or "0"
        # Serial ports before the console's.
        self.quiet_ports = int(of_board.get("qemu_serial") or 0)
        self.disk = disk or env("DISK")
        if self.boot == "uboot":
            self.disk = disk or os.path.join(self.out, "disk.img")
        self.flash_chip = None
        if self.boot == "card":
            self.start_from_card(of_board)
        self.rng = rng
        self.extra = list(extra)

    def start_from_card(self, of_board):
        """As the board itself: its ROM and all else from the card. The usual one is never changed by a run."""
        self.disk = self.disk or os.path.join(self.out, "card.img,snapshot=on")
        self.machine += of_board.get("qemu_card_options", "")
        if of_board.get("qemu_card_bios"):  # what the ROM would load; and the flash chip beside the card
            self.bios = os.path.join(TOP, "build/debian", of_board["firmware"], "usr/lib/u-boot",
                                     of_board["qemu_card_bios"])
            self.flash_chip = os.path.splitext(self.disk)[0] + ".nor"

    def boot_kernel(self):
        """What QEMU loads after the firmware."""
        if self.boot == "uboot":
            return os.path.join(TOP, "build/debian/u-boot-qemu/usr/lib/u-boot",
                                "qemu-riscv64_smode/u-boot.bin")
        return self.kernel

    def devices(self):
        """Arguments besides machine, memory, firmware and kernel."""
        args = ["-no-reboot", "-smp", str(self.smp + self.other_harts)] + ["-serial", "null"] * self.quiet_ports
        if self.has_virtio:
            args += ["-global", "virtio-mmio.force-legacy=false"]
        if self.has_virtio and self.rng:
            args += ["-device", "virtio-rng-device"]
        if self.boot == "sbi" and self.initrd:
            args += ["-initrd", self.initrd]
        if self.boot != "card" and self.dtb:
            args += ["-dtb", self.dtb]
        if self.disk and self.has_card:
            args += ["-drive", "file=%s,if=sd,index=%s,format=raw" % (self.disk, self.card_index)]
            if self.flash_chip:
                args += ["-drive", "file=%s,if=mtd,format=raw" % self.flash_chip]
        elif self.disk:
            args += ["-drive", "file=%s,if=none,format=raw,id=disk0" % self.disk,
                     "-device", "virtio-blk-device,drive=disk0"]
        return args + self.extra

    def cpu_args(self):
        """A board with harts of its own takes no -cpu; options of ours go to all harts of the machine then."""
        if self.cpu:
            return ["-cpu", self.cpu + self.cpu_options]
        options = [option for option in self.cpu_options.split(",") if option.startswith("x-")]
        return [word for option in options for word in ("-global", "riscv-cpu." + option)]

    def args(self):
        """The whole command but for the console."""
        args = [self.qemu, "-machine", self.machine] + self.cpu_args() + ["-m", self.mem]
        if self.boot == "card":
            return args + (["-bios", self.bios] if self.flash_chip else []) + self.devices()
        args += ["-bios", self.bios, "-kernel", self.boot_kernel()]
        if self.boot != "uboot" and self.append:
            args += ["-append", self.append]
        return args + self.devices()

    def extlinux(self):
        """extlinux.conf for the same boot through U-Boot."""
        lines = ["timeout 1", "default vireo", "label vireo", "    kernel /Image"]
        if self.initrd:
            lines.append("    initrd /initrd")
        if self.append:  # U-Boot rejects an empty one
            lines.append("    append " + self.append)
        return "\n".join(lines) + "\n"


def debug(machine):
    """QEMU halted at entry with its console on a pseudo terminal; gdb in the foreground."""
    socket = os.path.join(machine.out, "gdb.sock")
    log = os.path.join(machine.out, "console.log")
    elf = os.path.join(machine.out, "vireo.elf")
    qemu = subprocess.Popen(
        machine.args() + ["-display", "none", "-monitor", "none", "-S",
                          "-gdb", "unix:%s,server=on,wait=off" % socket,
                          "-chardev", "pty,id=con,logfile=%s" % log, "-serial", "chardev:con"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        print(qemu.stdout.readline().strip())
        print("console: that terminal (screen /dev/pts/N), and a copy in %s" % log)
        command = ["gdb-multiarch", "-q", elf, "-x", os.path.join(TOP, "flash/gdb/vireo.py"),
                   "-ex", "target remote " + socket, "-ex", "thbreak port_main"]
        print("the kernel waits at the firmware's entry: 'continue' runs it to port_main")
        return subprocess.call(command + shlex.split(os.environ.get("GDBFLAGS", "")))
    finally:
        qemu.kill()
        qemu.wait()


def main():
    verb = sys.argv[1] if len(sys.argv) == 2 else "help"
    machine = Machine()
    if verb == "run":
        args = machine.args() + CONSOLE
        os.execvp(args[0], args)
    elif verb == "debug":
        sys.exit(debug(machine))
    elif verb == "print":
        print(shlex.join(machine.args() + CONSOLE))
    elif verb == "extlinux":
        sys.stdout.write(machine.extlinux())
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
