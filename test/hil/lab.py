#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""lab.py on|off|cycle BOARD PORT, or lab.py initrd: a machine in QEMU as a board in a lab is: its power is a command, its serial line a TCP
port (what ser2net gives). With it the drivers for boards are tried without one: env/remote.yaml.
lab.py initrd prints the path of the suite's initramfs."""

import os
import signal
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
    words += ["-monitor", "none", "-serial", f"tcp:127.0.0.1:{port},server=on,wait=off"]
    qemu = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,  # pylint: disable=consider-using-with
                            start_new_session=True)
    with open(pid_file, "w", encoding="ascii") as file:
        file.write(str(qemu.pid))


def main():
    if sys.argv[1:] == ["initrd"]:
        from harness import board as boards
        print(boards.initrd())
        return
    verb, board, port = sys.argv[1:]
    pid_file = os.path.join(HERE, f"../../build/test/lab-{board}-{port}.pid")
    os.makedirs(os.path.dirname(pid_file), exist_ok=True)
    if verb in ("off", "cycle"):
        off(pid_file)
    if verb in ("on", "cycle"):
        on(pid_file, board, port)


if __name__ == "__main__":
    main()
