#!/usr/bin/python3
"""recover.py PORT SPL UBOOT: start a board whose flash is empty or broken, over its serial line.

With the board's switches on UART its ROM asks for a program by XMODEM ("CCC"): it gets SPL. That asks for the
next by YMODEM: it gets UBOOT (u-boot.itb). Then what the board says is shown for a while, until U-Boot's prompt.
From that prompt the card or the flash can be written (boards/*/README.md). Needs lrzsz.
"""
import os
import re
import select
import subprocess
import sys
import termios
import time

SPEED = termios.B115200
ASK_SECONDS = float(os.environ.get("RECOVER_SECONDS", "60"))


def open_port(path):
    """The line at 115200 8N1, raw."""
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    mode = termios.tcgetattr(fd)
    mode[0] = mode[1] = mode[3] = 0
    mode[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
    mode[4] = mode[5] = SPEED
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    termios.tcsetattr(fd, termios.TCSANOW, mode)
    return fd


def wait_for(fd, pattern, seconds, what):
    """Show what comes until the pattern is in it."""
    heard, end = b"", time.monotonic() + seconds
    while not re.search(pattern, heard):
        left = end - time.monotonic()
        if left <= 0:
            sys.exit("\nrecover: %s did not come within %d s: are power, switches (UART) and wiring right?" % (what, seconds))
        if not select.select([fd], [], [], left)[0]:
            continue
        try:
            data = os.read(fd, 4096)
        except OSError:
            data = b""
        if not data:
            sys.exit("\nrecover: the serial line is gone: was the adapter unplugged?")
        heard += data
        sys.stdout.write(data.decode("ascii", "replace"))
        sys.stdout.flush()


def send(fd, program, path):
    """By sx (XMODEM) or sb (YMODEM), which show their progress."""
    print("\nrecover: %s, %d bytes, takes about %d s" % (path, os.path.getsize(path), os.path.getsize(path) // 9000 + 1))
    result = subprocess.run([program, "-vv", path], stdin=fd, stdout=fd, check=False)
    if result.returncode:
        sys.exit("recover: %s was not taken (%s ended with %d)" % (path, program, result.returncode))


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    port, spl, uboot = sys.argv[1:]
    for path in (spl, uboot):
        if not os.path.exists(path):
            sys.exit("recover: %s is missing" % path)
    try:
        fd = open_port(port)
    except OSError as why:
        sys.exit("recover: %s: %s" % (port, why.strerror))
    print("recover: waiting for the board's ROM on %s: switch it on" % port)
    wait_for(fd, rb"CC", ASK_SECONDS, "the ROM's request")
    send(fd, "sx", spl)
    wait_for(fd, rb"CC", ASK_SECONDS, "the request of the SPL")
    send(fd, "sb", uboot)
    wait_for(fd, rb"(StarFive #|=>) ?$|Hit any key", ASK_SECONDS, "U-Boot")
    print("\nrecover: U-Boot runs. Go on with a terminal, such as: picocom -b 115200 %s" % port)


if __name__ == "__main__":
    main()
