#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""lab.py on|off|cycle BOARD PORT, lab.py serve PORT, lab.py power BOARD PORT HTTP, or lab.py initrd: a machine in QEMU as
a board in a lab is: its power is a command, its serial line a TCP port (what ser2net gives). With it the drivers for
boards are tried without one: env/remote.yaml.
lab.py serve is the adapter at PORT, there whether the machine has power or not.
lab.py power is a power switch at the port HTTP: GET tells, PUT of 0 or 1 sets (labgrid's model "rest").
lab.py initrd prints the path of the suite's initramfs."""

import http.server
import os
import select
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../guest"), os.path.join(HERE, "../../flash")]


def running(pid_file):
    """The process that we started, if it still is that."""
    try:
        with open(pid_file, encoding="ascii") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return pid if b"qemu-system-riscv64" in file.read() else None
    except (OSError, ValueError):
        return None


def off(pid_file):
    pid = running(pid_file)
    if pid:
        os.kill(pid, signal.SIGTERM)
        for _ in range(100):
            if not running(pid_file):
                break
            time.sleep(0.05)


def on(pid_file, board, port):
    import system
    words = [word for word in system.arguments(board, os.environ.get("LAB_BOOT", "card"), "") if word != "-no-reboot"]
    words += ["-monitor", "none", "-serial", f"tcp:127.0.0.1:{int(port) + 1},reconnect=1"]  # as a cable: plugged in again it works
    qemu = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,  # pylint: disable=consider-using-with
                            start_new_session=True)
    with open(pid_file, "w", encoding="ascii") as file:
        file.write(str(qemu.pid))


def serve(port):
    """Bytes between whoever is connected at port and the machine at the port after it."""
    listeners = [socket.create_server(("127.0.0.1", port + n)) for n in range(2)]
    ends = [None, None]
    while True:
        for source in select.select(listeners + [end for end in ends if end], [], [])[0]:
            if source in listeners:
                ends[listeners.index(source)] = source.accept()[0]
                continue
            side = ends.index(source)
            try:
                data = source.recv(65536)
                if data and ends[1 - side]:
                    ends[1 - side].sendall(data)
            except OSError:
                data = b""
            if not data:
                ends[side] = None


def switch(pid_file, board, port, at):
    """The power switch."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, text):
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self):  # pylint: disable=invalid-name
            self.answer(b"1" if running(pid_file) else b"0")

        def do_PUT(self):  # pylint: disable=invalid-name
            value = self.rfile.read(int(self.headers["Content-Length"]))
            if value == b"0":
                off(pid_file)
            elif not running(pid_file):
                on(pid_file, board, port)
            self.answer(value)

    http.server.HTTPServer(("127.0.0.1", at), Handler).serve_forever()


def main():
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    if sys.argv[1:] == ["initrd"]:
        from harness import board as boards
        print(boards.initrd())
        return
    verb, board, port = sys.argv[1:4]
    pid_file = os.path.join(HERE, f"../../build/test/lab-{board}-{port}.pid")
    os.makedirs(os.path.dirname(pid_file), exist_ok=True)
    if verb == "power":
        switch(pid_file, board, port, int(sys.argv[4]))
    if verb in ("off", "cycle"):
        off(pid_file)
    if verb in ("on", "cycle"):
        on(pid_file, board, port)


if __name__ == "__main__":
    main()
