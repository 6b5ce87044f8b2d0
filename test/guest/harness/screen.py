# SPDX-License-Identifier: BSD-2-Clause
"""As much of a VT100 as busybox's full-screen programs use: turns bytes into the picture that they leave."""

import re

TOKEN = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|(.)", re.DOTALL)
ROWS, COLUMNS = 24, 80


class Screen:
    def __init__(self):
        self.clear()

    def clear(self):
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0

    def control(self, numbers, letter):
        first, _, second = numbers.partition(";")
        if letter == "H":
            self.row = min(max(int(first or 1), 1), ROWS) - 1
            self.column = min(max(int(second or 1), 1), COLUMNS) - 1
        elif letter in "JK":
            self.cells[self.row][self.column:] = [" "] * (COLUMNS - self.column)
            for row in range(self.row + 1, ROWS) if letter == "J" else ():
                self.cells[row] = [" "] * COLUMNS

    def character(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(self.column - 1, 0)
        elif character == "\n":
            self.row += 1
            if self.row == ROWS:
                self.cells = self.cells[1:] + [[" "] * COLUMNS]
                self.row -= 1
        elif character >= " ":
            self.cells[self.row][min(self.column, COLUMNS - 1)] = character
            self.column += 1

    def feed(self, text):
        for match in TOKEN.finditer(text):
            if match.group(2):
                self.control(match.group(1), match.group(2))
            else:
                self.character(match.group(3))
        return self

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.cells)


def last(text):
    """The picture when text has been shown."""
    return Screen().feed(text).text()
