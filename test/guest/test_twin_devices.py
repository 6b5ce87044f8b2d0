# SPDX-License-Identifier: BSD-2-Clause
"""The twin's devices, one at a time over qtest: what a driver that forgets a clock, a reset, a bit would see."""

import binascii
import os
import struct

import pytest

from harness.twin import SYSCRG, Devices, hold_reset, open_clock

pytestmark = pytest.mark.machine

UART1, UART1_CLOCKS, UART1_RESETS = 0x10010000, (147, 148), (85, 86)
I2C5, I2C5_CLOCK, I2C5_RESET = 0x12050000, 143, 81
SD, SD_AHB, SD_CARD_CLOCK, SD_RESET = 0x16020000, 92, 94, 65
WATCHDOG, WATCHDOG_CLOCKS, WATCHDOG_RESETS = 0x13070000, (122, 123), (109, 110)
PINCTRL = 0x13040000
SCRATCH, LSR = 0x1c, 0x14
SECOND = 1_000_000_000


@pytest.fixture
def devices():
    with Devices() as found:
        yield found


def enable(devices, clocks, resets):
    for clock in clocks:
        open_clock(devices, clock)
    for reset in resets:
        hold_reset(devices, reset, False)


# Clocks and resets

def test_open_device_answers(devices):
    enable(devices, UART1_CLOCKS, UART1_RESETS)
    devices.write32(UART1 + SCRATCH, 0x5a)
    assert devices.read32(UART1 + SCRATCH) == 0x5a
    assert devices.read32(UART1 + LSR) == 0x60
    assert devices.complaints() == []


@pytest.mark.parametrize("missing", UART1_CLOCKS + UART1_RESETS + (12,))
def test_device_without_a_clock_or_in_reset_is_dead(devices, missing):
    """12 is the gate of the bus above."""
    enable(devices, UART1_CLOCKS, UART1_RESETS)
    devices.write32(UART1 + SCRATCH, 0x5a)
    if missing in UART1_RESETS:
        hold_reset(devices, missing)
    else:
        open_clock(devices, missing, False)
    assert devices.read32(UART1 + LSR) == 0
    devices.write32(UART1 + SCRATCH, 0xa5)
    assert devices.read32(UART1 + SCRATCH) == 0
    complaints = devices.complaints()
    assert len(complaints) == 1 and complaints[0].startswith("uart1: read at +0x14 while"), complaints
    if missing in UART1_RESETS:
        hold_reset(devices, missing, False)
        assert devices.read32(UART1 + LSR) == 0x60
    else:
        open_clock(devices, missing)
        assert devices.read32(UART1 + SCRATCH) == 0x5a, "a stopped clock keeps the registers"


def test_reset_resets_the_device(devices):
    enable(devices, [I2C5_CLOCK], [I2C5_RESET])
    devices.write32(I2C5 + 0x04, 0x36)
    hold_reset(devices, I2C5_RESET)
    hold_reset(devices, I2C5_RESET, False)
    assert devices.read32(I2C5 + 0x04) == 0x55


def test_reset_status_follows(devices):
    status = SYSCRG + 0x308 + 4 * (I2C5_RESET // 32)
    bit = 1 << I2C5_RESET % 32
    hold_reset(devices, I2C5_RESET)
    assert not devices.read32(status) & bit
    hold_reset(devices, I2C5_RESET, False)
    assert devices.read32(status) & bit


def test_what_a_kernel_finds_open(devices):
    """UART0 and the pins work; SD, watchdog and the other UARTs wait for their driver."""
    assert devices.read32(0x10000000 + LSR) == 0x60
    assert devices.read32(PINCTRL) == 0x01010101
    assert devices.complaints() == []
    for name, address in (("mmc1 (sd)", SD + 0x6c), ("watchdog", WATCHDOG + 8), ("uart1", UART1 + LSR), ("i2c5", I2C5 + 0xfc)):
        assert devices.read32(address) == 0
        assert devices.complaints()[-1].startswith(name + ": read at")


def test_interrupt_of_a_dead_device_is_low(devices):
    """A UART's transmit interrupt, seen in the PLIC's pending bits."""
    enable(devices, UART1_CLOCKS, UART1_RESETS)
    pending = 0x0c001000 + 4 * (33 // 32)
    assert not devices.read32(pending) & 1 << 33 % 32
    devices.write32(UART1 + 0x04, 2)
    assert devices.read32(pending) & 1 << 33 % 32
    hold_reset(devices, UART1_RESETS[0])
    hold_reset(devices, UART1_RESETS[0], False)
    assert devices.read32(UART1 + 0x04) == 0


# What is not modelled

def test_first_access_to_what_is_not_modelled_is_told_once(devices):
    assert devices.read32(0x13010000) == 0
    devices.write32(0x13010004, 1)
    devices.read32(0x13010ffc)
    devices.read32(0x00000010)
    complaints = devices.complaints()
    assert [line.split(":")[0] for line in complaints] == ["qspi is not modelled", "unknown is not modelled"], complaints
    assert "read of 4 at 0x13010000" in complaints[0]


def test_modelled_registers_are_not_complained_of(devices):
    for address in (0x02000000, 0x02010000, 0x0c000004, SYSCRG, 0x13030018, 0x17030080, 0x17000000, 0x10230000):
        devices.read32(address)
    assert devices.complaints() == []


# Watchdog

def start_watchdog(devices, seconds, reset=True):
    enable(devices, WATCHDOG_CLOCKS, WATCHDOG_RESETS)
    devices.write32(WATCHDOG + 0xc00, 0x1acce551)
    devices.write32(WATCHDOG + 0x00, 24_000_000 * seconds // 2)
    devices.write32(WATCHDOG + 0x08, 3 if reset else 1)


def test_watchdog_resets_after_two_timeouts(devices):
    start_watchdog(devices, 2)
    devices.step(SECOND * 19 // 10)
    assert devices.read32(WATCHDOG + 0x14) == 1, "the first time-out only interrupts"
    with pytest.raises(EOFError):  # -no-reboot: QEMU ends
        for _ in range(20):
            devices.step(SECOND // 20)
            devices.read32(WATCHDOG + 0x08)


def test_watchdog_that_is_fed_does_not_reset(devices):
    start_watchdog(devices, 2)
    for _ in range(10):
        devices.step(SECOND * 15 // 10)
        devices.write32(WATCHDOG + 0x0c, 1)
    assert devices.read32(WATCHDOG + 0x08) == 3


def test_watchdog_without_reset_enable_only_interrupts(devices):
    start_watchdog(devices, 2, reset=False)
    devices.step(10 * SECOND)
    assert devices.read32(WATCHDOG + 0x10) == 1


def test_locked_watchdog_ignores_writes(devices):
    start_watchdog(devices, 2)
    devices.write32(WATCHDOG + 0xc00, 0)
    devices.write32(WATCHDOG + 0x08, 0)
    assert devices.read32(WATCHDOG + 0x08) == 3


def test_watchdog_stands_still_without_its_clock(devices):
    start_watchdog(devices, 2)
    open_clock(devices, WATCHDOG_CLOCKS[1], False)
    devices.step(20 * SECOND)
    assert devices.read32(SYSCRG) is not None


# I2C, EEPROM, PMIC

def i2c_begin(devices, target):
    devices.write32(I2C5 + 0x6c, 0)
    devices.write32(I2C5 + 0x04, target)
    devices.write32(I2C5 + 0x6c, 1)


def i2c_read(devices, target, register, count):
    i2c_begin(devices, target)
    devices.write32(I2C5 + 0x10, register)
    found = []
    for n in range(count):
        devices.write32(I2C5 + 0x10, 0x100 | (0x200 if n == count - 1 else 0))
        assert devices.read32(I2C5 + 0x78) == 1
        found.append(devices.read32(I2C5 + 0x10) & 0xff)
    return bytes(found)


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xa001 if crc & 1 else 0)
    return crc


@pytest.mark.parametrize("gib", [2, 4, 8])
def test_eeprom_tells_the_size_of_memory(gib):
    with Devices("-m", f"{gib}G") as devices:
        enable(devices, [I2C5_CLOCK], [I2C5_RESET])
        data = i2c_read(devices, 0x50, 0, 136)
    signature, version, atoms, length = struct.unpack_from("<4sBxHI", data)
    assert (signature, version, atoms, length) == (b"SFVF", 2, 2, 136)
    serial = data[12 + 8 + 22 + 32:][:32]
    assert serial.rstrip(b"\0").decode() == f"VF7110B1-2253-D{gib:03}E000-00000001"
    assert crc16(data[12:12 + 94]) == struct.unpack_from("<H", data, 106)[0]
    assert crc16(data[108:108 + 26]) == struct.unpack_from("<H", data, 134)[0]


def test_i2c_address_that_nobody_has_aborts(devices):
    enable(devices, [I2C5_CLOCK], [I2C5_RESET])
    i2c_begin(devices, 0x11)
    devices.write32(I2C5 + 0x10, 0x200)
    assert devices.read32(I2C5 + 0x34) & 1 << 6
    assert devices.read32(I2C5 + 0x80) & 1
    devices.read32(I2C5 + 0x54)
    assert not devices.read32(I2C5 + 0x34) & 1 << 6
    assert i2c_read(devices, 0x36, 0x03, 1) == b"\x50", "and the bus is free again"


def test_i2c_fifo_overflows(devices):
    enable(devices, [I2C5_CLOCK], [I2C5_RESET])
    i2c_begin(devices, 0x50)
    devices.write32(I2C5 + 0x10, 0)
    for _ in range(17):
        devices.write32(I2C5 + 0x10, 0x100)
    assert devices.read32(I2C5 + 0x78) == 16
    assert devices.read32(I2C5 + 0x34) & 2


@pytest.mark.parametrize("bits", [0x80, 0x40])
def test_pmic_switches_off(devices, bits):
    """Off, or restart, which -no-reboot turns into an end."""
    enable(devices, [I2C5_CLOCK], [I2C5_RESET])
    i2c_begin(devices, 0x36)
    devices.write32(I2C5 + 0x10, 0x32)
    devices.write32(I2C5 + 0x10, 0x200 | bits)
    assert devices.qemu.wait(20) == 0


def test_pmic_other_registers_change_nothing(devices):
    enable(devices, [I2C5_CLOCK], [I2C5_RESET])
    i2c_begin(devices, 0x36)
    devices.write32(I2C5 + 0x10, 0x13)
    devices.write32(I2C5 + 0x10, 0x2ff)
    assert i2c_read(devices, 0x36, 0x13, 1) == b"\xff"


# Pins

def test_restart_pin_restarts_the_board(devices):
    devices.write32(PINCTRL + 0x40 + 32, 0x01000000)
    assert devices.read32(PINCTRL + 0x40 + 32) == 0x01000000, "not yet driven"
    devices.write32(PINCTRL + 0x00 + 32, 0x00010101)
    assert devices.qemu.wait(20) == 0


def card_detect(devices):
    return devices.read32(PINCTRL + 0x11c) >> 41 - 32 & 1


def test_card_detect_is_gpio_41_active_low(devices, tmp_path):
    assert card_detect(devices) == 1
    (tmp_path / "card").write_bytes(bytes(1 << 20))
    with Devices("-drive", f"if=sd,index=1,format=raw,file={tmp_path}/card") as with_card:
        assert card_detect(with_card) == 0


# SD

class Card:
    """As little of a driver as it takes."""

    def __init__(self, devices):
        self.devices = devices
        self.unit = None

    def write(self, register, value):
        self.devices.write32(SD + register, value)

    def read(self, register):
        return self.devices.read32(SD + register)

    def update_clock(self, on):
        self.write(0x10, on)
        self.write(0x2c, 1 << 31 | 1 << 21)

    def command(self, number, argument=0, flags=1 << 6):
        self.write(0x44, 0xffffffff)
        self.write(0x28, argument)
        self.write(0x2c, 1 << 31 | flags | number)
        return self.read(0x44), self.read(0x30)

    def start(self):
        self.write(0x04, 1)
        self.update_clock(1)
        self.command(0, flags=0)
        assert self.command(8, 0x1aa)[1] == 0x1aa
        while True:
            self.command(55)
            _, ocr = self.command(41, 0x40ff8000)
            if ocr & 1 << 31:
                break
        self.unit = 1 if ocr & 1 << 30 else 512  # small cards count bytes
        self.command(2, flags=3 << 6)
        rca = self.command(3)[1] & 0xffff0000
        self.command(7, rca)
        return self

    def transfer(self, number, sector, count, writing=False):
        """Starts it; the caller moves the data."""
        self.write(0x1c, 512)
        self.write(0x20, 512 * count)
        raw, _ = self.command(number, sector * self.unit, 1 << 6 | 1 << 9 | (1 << 10 if writing else 0) | (1 << 12 if count > 1 else 0))
        assert not raw & 1 << 8, "response time-out"


@pytest.fixture
def card(tmp_path):
    path = tmp_path / "card"
    path.write_bytes(b"".join(b"sector %08d" % n + bytes([n & 0xff]) * 497 for n in range(4096)))
    with Devices("-drive", f"if=sd,index=1,format=raw,file={path}") as devices:
        enable(devices, [SD_AHB, SD_CARD_CLOCK], [SD_RESET])
        found = Card(devices)
        found.path = path
        yield found


def test_sd_reads_by_fifo(card):
    card.start()
    card.transfer(17, 77, 1)
    words = []
    while len(words) < 128:
        assert card.read(0x48) >> 17 & 0x1fff
        words.append(card.read(0x200))
    assert struct.pack("<128I", *words).startswith(b"sector 00000077")
    assert card.read(0x44) & 1 << 3, "data transfer over"


def test_sd_writes_by_fifo(card):
    card.start()
    card.transfer(24, 100, 1, writing=True)
    data = b"written by the processor".ljust(512, b".")
    for word in struct.unpack("<128I", data):
        card.write(0x200, word)
    assert card.read(0x44) & 1 << 3
    card.devices.ask("readl", "0x0")
    with open(card.path, "rb") as file:
        file.seek(51200)
        assert file.read(512) == data


def use_dma(card, descriptors):
    at = 0x50000000
    for n, (flags, size, buffer) in enumerate(descriptors):
        card.devices.write_memory(at + 16 * n, struct.pack("<IIII", flags, size, buffer, at + 16 * n + 16))
    card.write(0x88, at)
    card.write(0x80, 1 << 7)
    card.write(0x00, 1 << 25 | 1 << 4)


OWN, FIRST, LAST, CHAINED = 1 << 31, 1 << 3, 1 << 2, 1 << 4


def test_sd_reads_many_sectors_by_dma(card):
    card.start()
    use_dma(card, [(OWN | CHAINED | FIRST, 2048, 0x51000000), (OWN | CHAINED | LAST, 2048, 0x52000000)])
    card.transfer(18, 8, 8)
    data = card.devices.read_memory(0x51000000, 2048) + card.devices.read_memory(0x52000000, 2048)
    with open(card.path, "rb") as file:
        assert binascii.crc32(file.read()[4096:8192]) == binascii.crc32(data)
    assert card.read(0x8c) & 2, "receive interrupt"
    assert card.read(0x44) & (1 << 3 | 1 << 14) == 1 << 3 | 1 << 14, "data over, stop sent"
    assert not card.devices.read32(0x50000000) & OWN


def test_sd_writes_by_dma(card):
    card.start()
    data = os.urandom(1024)
    card.devices.write_memory(0x51000000, data)
    use_dma(card, [(OWN | CHAINED | FIRST | LAST, 1024, 0x51000000)])
    card.transfer(25, 200, 2, writing=True)
    with open(card.path, "rb") as file:
        assert file.read()[102400:103424] == data


def test_sd_dma_stops_at_a_descriptor_of_the_processors(card):
    card.start()
    use_dma(card, [(CHAINED | FIRST | LAST, 512, 0x51000000)])
    card.transfer(17, 8, 1)
    assert card.read(0x8c) & 1 << 4, "descriptor unavailable"
    assert not card.read(0x44) & 1 << 3
    card.devices.write32(0x50000000, OWN | CHAINED | FIRST | LAST)
    card.write(0x84, 1)
    assert card.read(0x44) & 1 << 3, "goes on after a poll demand"


def test_sd_interrupt_needs_its_enables(card):
    pending = 0x0c001000 + 4 * (75 // 32)
    card.start()
    card.write(0x44, 0xffffffff)
    card.write(0x24, 1 << 2)
    card.command(13)
    assert not card.devices.read32(pending) & 1 << 75 % 32
    card.write(0x00, 1 << 4)
    assert card.devices.read32(pending) & 1 << 75 % 32


def test_sd_command_waits_for_the_cards_clock(card):
    open_clock(card.devices, SD_CARD_CLOCK, False)
    card.write(0x04, 1)
    card.write(0x2c, 1 << 31 | 1 << 21)
    assert card.read(0x2c) & 1 << 31, "never taken"
    open_clock(card.devices, SD_CARD_CLOCK)
    assert not card.read(0x2c) & 1 << 31


def test_sd_clock_enable_acts_only_by_its_command(card):
    card.write(0x04, 1)
    card.write(0x10, 1)
    assert card.command(8, 0x1aa)[0] & 1 << 8, "response time-out"
    card.update_clock(1)
    assert not card.command(8, 0x1aa)[0] & 1 << 8


def test_sd_empty_slot_does_not_answer(devices):
    enable(devices, [SD_AHB, SD_CARD_CLOCK], [SD_RESET])
    host = Card(devices)
    host.write(0x04, 1)
    host.update_clock(1)
    assert host.command(8, 0x1aa)[0] & 1 << 8


# UART, PMU

def test_uart_keeps_its_line_control_while_busy(devices):
    """Without characters nothing is busy: the write goes through, and no busy-detect interrupt comes."""
    enable(devices, UART1_CLOCKS, UART1_RESETS)
    devices.write32(UART1 + 0x0c, 3)
    assert devices.read32(UART1 + 0x0c) == 3
    assert devices.read32(UART1 + 0x08) & 0xf == 1
    assert devices.read32(UART1 + 0x7c) & 0x1f == 6


def test_uart_sends(devices):
    for character in b"twin":
        devices.write32(0x10000000, character)
    devices.step(SECOND // 100)
    assert devices.serial() == b"twin"


def test_pmu_needs_the_whole_sequence(devices):
    pmu = 0x17030000
    assert devices.read32(pmu + 0x80) == 3
    devices.write32(pmu + 0x0c, 1 << 4)
    devices.write32(pmu + 0x44, 0x50)
    assert devices.read32(pmu + 0x80) == 3
    for value in (0xff, 0x05, 0x50):
        devices.write32(pmu + 0x44, value)
    assert devices.read32(pmu + 0x80) == 3 | 1 << 4
    devices.write32(pmu + 0x10, 1 << 4)
    for value in (0xff, 0x0a, 0xa0):
        devices.write32(pmu + 0x44, value)
    assert devices.read32(pmu + 0x80) == 3
