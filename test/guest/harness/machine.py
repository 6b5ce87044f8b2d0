# SPDX-License-Identifier: BSD-2-Clause
"""A QEMU machine under labgrid: boots any kernel with any initramfs and never waits without bound.

Life of a Machine: made from a Boot, on() starts QEMU, expect()/write() talk to its serial line, off()
ends it (also at exit). Everything that the serial line ever said is in Machine.log.
"""

import json
import os
import re
import select
import socket
import tempfile
import time
from dataclasses import dataclass, replace

import attr
import pexpect
from labgrid import Target, target_factory
from labgrid.driver import QEMUDriver

from . import images
import qemu  # flash/qemu.py, found through images

LOG_TAIL = 6000


class GuestTimeout(AssertionError):
    """Nothing of what was awaited came in time; the message carries the end of the console."""


class GuestEnded(AssertionError):
    """QEMU ended (power off, reset or crash) while more was awaited."""


@dataclass(frozen=True)
class Boot:
    """What to boot. kernel and initrd are paths; no initrd means none. The rest is what flash/qemu.py
    takes; extra goes to QEMU as it is."""

    kernel: str
    initrd: str = ""
    smp: int = 4
    mem: str = "512M"
    append: str = ""
    cpu: str = "rv64"
    bios: str = None
    dtb: str = None
    boot: str = "sbi"
    disk: str = None
    icount: bool = False
    extra: tuple = ()
    variant: str = None  # what make calls MACHINE=

    def but(self, **changes):
        return replace(self, **changes)

    def argv(self):
        """QEMU's command line without the console, which labgrid's driver attaches."""
        extra = list(self.extra)
        if self.dtb:
            extra += ["-dtb", self.dtb]
        if self.icount:
            extra += ["-icount", "shift=0,sleep=off"]
        bios = self.bios or images.opensbi()
        return qemu.Machine(boot=self.boot, smp=self.smp, mem=self.mem, cpu=self.cpu, append=self.append,
                            initrd=self.initrd, kernel=self.kernel, bios=bios, disk=self.disk,
                            extra=extra, variant=self.variant).args() + ["-display", "none"]


@target_factory.reg_driver
@attr.s(eq=False)
class BoundedQEMUDriver(QEMUDriver):
    """labgrid's driver with the whole command line given, a log of the console, and no endless wait."""

    argv = attr.ib(factory=list)

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        self.heard = bytearray()

    def on_activate(self):
        self._tempdir = tempfile.mkdtemp(prefix="vireo-test-")
        if any(word.startswith("sifive_u") for word in self.argv):
            # QEMU 7.2's SiFive UART writes byte by byte and drops what the socket doesn't take; a Unix socket is full
            # after some 280 such writes, TCP joins them.
            self._socket = socket.create_server(("127.0.0.1", 0))
            chardev = f"host=127.0.0.1,port={self._socket.getsockname()[1]},nodelay=on"
        else:
            path = os.path.join(self._tempdir, "serial")
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.bind(path)
            self._socket.listen(0)
            chardev = f"path={path}"
        self._socket.settimeout(20)
        self._cmd = self.argv + [
            "-S", "-qmp", "stdio", "-monitor", "none",
            "-chardev", f"socket,id=serialsocket,{chardev}", "-serial", "chardev:serialsocket"]

    def on_deactivate(self):
        super().on_deactivate()
        self._socket.close()

    def _read(self, size=1, timeout=10):
        ready, _, _ = select.select([self._clientsocket], [], [], max(timeout, 0))
        if not ready:
            raise pexpect.TIMEOUT(f"nothing for {timeout:.1f} s")
        data = self._clientsocket.recv(65536)
        if not data:
            raise pexpect.EOF("QEMU closed the serial line")
        self.heard += data
        return data

    def _write(self, data):
        view = memoryview(bytes(data))
        end = time.monotonic() + 30
        while view:
            _, ready, _ = select.select([], [self._clientsocket], [], 1)
            if ready:
                view = view[self._clientsocket.send(view):]
            elif time.monotonic() > end:
                raise pexpect.TIMEOUT("the guest does not take its input")
        return len(data)

    def off(self):
        """End QEMU whatever state it is in; never raises for a guest that already ended."""
        child, self._child, self.status = self._child, None, 0
        if child and child.poll() is None:
            child.terminate()
            try:
                child.wait(5)
            except Exception:
                child.kill()
                child.wait(5)
        if child:
            child.stdin.close()
            child.stdout.close()
        if self._clientsocket:
            self._clientsocket.close()
            self._clientsocket = None


class Line:
    """A serial line with a system at its end, through a labgrid console driver that keeps what it `heard`."""

    GONE = "the serial line is gone (was the adapter unplugged?)"

    def __init__(self, driver):
        self.driver = driver

    @property
    def log(self):
        return self.driver.heard.decode("utf-8", "replace")

    def write(self, data):
        self.driver.write(data.encode() if isinstance(data, str) else data)

    def expect(self, patterns, timeout):
        """Wait for one of the regular expressions: (index, text before it, match)."""
        patterns = [patterns] if isinstance(patterns, (str, bytes)) else list(patterns)
        patterns = [p.encode() if isinstance(p, str) else p for p in patterns]
        try:
            index, before, match, _ = self.driver.expect(patterns, timeout=timeout)
        except pexpect.TIMEOUT:
            raise GuestTimeout(
                f"none of {patterns} within {timeout} s; the console's end:\n{self.tail()}") from None
        except (pexpect.EOF, OSError):
            raise GuestEnded(
                f"{self.GONE} while {patterns} was awaited; the console's end:\n{self.tail()}") from None
        return index, before, match

    def drain(self, seconds):
        """Read on for so long, or until the line ends; returns what the console said in all."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self.driver.read(timeout=left)
            except (pexpect.EOF, pexpect.TIMEOUT, OSError):
                break
        return self.log

    def tail(self):
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.log[-LOG_TAIL:])


class Machine(Line):
    """One run of QEMU."""

    GONE = "QEMU ended"

    def __init__(self, boot):
        self.boot = boot
        self.started = None
        target = Target("guest")
        super().__init__(BoundedQEMUDriver(
            target, name=None, qemu_bin="qemu", machine="virt", cpu=boot.cpu, memory=boot.mem,
            extra_args="", argv=boot.argv()))
        target.activate(self.driver)

    @property
    def running(self):
        child = self.driver._child
        return child is not None and child.poll() is None

    def on(self):
        self.started = time.monotonic()
        self.driver.on()
        return self

    def off(self):
        target = self.driver.target
        self.driver.off()
        target.deactivate(self.driver)

    def __enter__(self):
        return self.on()

    def __exit__(self, *_):
        self.off()

    def monitor(self, command, **arguments):
        """A command of QEMU's monitor (QMP): its answer. labgrid's knows no arguments."""
        qmp = self.driver.qmp
        qmp.monitor_in.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        qmp.monitor_in.flush()
        answer = {"event": None}
        while "event" in answer:
            answer = json.loads(qmp.monitor_out.readline())
        assert "return" in answer, f"{command}: {answer}"
        return answer["return"]

    def wait_end(self, timeout):
        """QEMU's exit code once the guest powers off (or resets: -no-reboot)."""
        child = self.driver._child
        end = time.monotonic() + timeout
        while child.poll() is None:
            if time.monotonic() > end:
                raise GuestTimeout(
                    f"the machine did not end within {timeout} s; the console's end:\n{self.tail()}")
            try:
                self.driver.read(timeout=0.2)
            except pexpect.TIMEOUT:
                pass
            except (pexpect.EOF, OSError):
                time.sleep(0.05)
        return child.returncode
