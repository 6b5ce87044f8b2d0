#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""remote_lab.py BOARD: a whole lab on loopback until it is interrupted: labgrid's coordinator and exporter (Debian's,
unchanged; router.py between them), what they export (serial line and power switch of a machine in QEMU, lab.py), and the
place "desk" with both, taken by us. A suite reaches it by env/place.yaml, from wherever LG_CROSSBAR points here."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
ROUTER, SERIAL, POWER = 20408, 24115, 24118
PLACE = "desk"
RUN = "from labgrid.remote.{0} import main; main()"
# labgrid reads it through jinja: no line may begin with "# "
EXPORTS = f"""
{PLACE}:
  NetworkSerialPort:
    host: 127.0.0.1
    port: {SERIAL}
    protocol: raw
    speed: 115200
  NetworkPowerPort:
    model: rest
    host: 'http://127.0.0.1:{POWER}/{{index}}'
    index: 0
"""


def client(*words, check=True, **environment):
    """labgrid-client: its output."""
    result = subprocess.run([PYTHON, "-c", RUN.format("client"), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, timeout=60, check=False, env=dict(os.environ, **environment))
    assert not check or result.returncode == 0, f"labgrid-client {' '.join(words)} ended with {result.returncode}:\n{result.stdout}"
    return result.stdout


def await_port(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens at port {port}: {' '.join(process.args)}")


def await_text(words, wanted, seconds=30):
    """Ask the client until it says so."""
    end = time.monotonic() + seconds
    while True:
        text = client(*words, check=False)
        if wanted in text:
            return text
        if time.monotonic() > end:
            raise AssertionError(f"labgrid-client {' '.join(words)} never said {wanted!r}:\n{text}")
        time.sleep(0.3)


class Lab:
    """Processes by name; as a context, all of them up and the place ours."""

    def __init__(self, board):
        self.board = board
        self.folder = tempfile.TemporaryDirectory(prefix="vireo-lab-")
        self.processes = {}

    def start(self, name, *words, **environment):
        with open(self.log_path(name), "w", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen(words, cwd=self.folder.name, stdin=subprocess.DEVNULL, stdout=log,
                                                    stderr=subprocess.STDOUT, env=dict(os.environ, **environment))
        return self.processes[name]

    def log_path(self, name):
        return os.path.join(self.folder.name, name + ".log")

    def log(self, name):
        with open(self.log_path(name), encoding="utf-8") as file:
            return file.read()

    def await_log(self, name, wanted, seconds=30):
        end = time.monotonic() + seconds
        while wanted not in self.log(name):
            assert time.monotonic() < end and self.processes[name].poll() is None, f"{name}: no {wanted!r}:\n{self.log(name)}"
            time.sleep(0.1)

    def stop(self, name):
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def start_exporter(self):
        self.start("exporter", PYTHON, "-u", "-c", RUN.format("exporter"), "--name", "lab", "--hostname", "127.0.0.1",
                   os.path.join(self.folder.name, "exports.yaml"))

    def __enter__(self):
        try:
            with open(os.path.join(self.folder.name, "exports.yaml"), "w", encoding="ascii") as file:
                file.write(EXPORTS)
            lab = os.path.join(HERE, "lab.py")
            self.start("serial", lab, "serve", str(SERIAL))
            await_port(POWER, self.start("power", lab, "power", self.board, str(SERIAL), str(POWER)))
            await_port(ROUTER, self.start("router", os.path.join(HERE, "router.py"), str(ROUTER)))
            self.start("coordinator", PYTHON, "-u", "-m", "labgrid.remote.coordinator", WS=f"ws://127.0.0.1:{ROUTER}/ws")
            self.await_log("coordinator", "Coordinator ready.")
            self.start_exporter()
            await_text(["resources"], f"lab/{PLACE}/NetworkPowerPort")
            client("-p", PLACE, "create")
            client("-p", PLACE, "add-match", f"lab/{PLACE}/*")
            client("-p", PLACE, "acquire")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run([os.path.join(HERE, "lab.py"), "off", self.board, str(SERIAL)], check=False)
        for name in reversed(list(self.processes)):
            self.stop(name)
        self.folder.cleanup()


def main():
    with Lab(sys.argv[1]):
        print(f"lab: place {PLACE} is ours; make hil BOARD={sys.argv[1]} ENV=test/hil/env/place.yaml", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


if __name__ == "__main__":
    main()
