"""gdb commands for Vireo under QEMU's gdb stub. `make debug` loads this file.

vireo threads        every thread: process, tid, state, hart, name, where it is
vireo processes      every process: parent, group, session, state, threads, name
vireo walk ADDR      the page-table entries that translate ADDR on the current hart
vireo log [N]        the last N records of the kernel log (default 40)
"""
import struct

import gdb

PTE_BITS = "VRWXUGAD"


def field_offset(type_name, field):
    for f in gdb.lookup_type(type_name).fields():
        if f.name == field:
            return f.bitpos // 8
    raise gdb.GdbError("no field %s in %s" % (field, type_name))


def list_entries(head, type_name, field):
    """The objects of a circular list (lib/list.h); a broken one ends the walk."""
    offset = field_offset(type_name, field)
    pointer = gdb.lookup_type(type_name).pointer()
    start, node = int(head.address), head["next"]
    for _ in range(100000):
        if int(node) in (start, 0):
            return
        yield gdb.Value(int(node) - offset).cast(pointer).dereference()
        node = node["next"]


def symbol(name, what):
    try:
        return gdb.parse_and_eval(name)
    except gdb.error:
        raise gdb.GdbError("%s: this kernel has no %s" % (what, name))


def processes():
    """The kernel's own process, then all that descend from init."""
    seen, queue = set(), []
    for name in ("kernel_process", "init_process"):
        value = symbol(name, "processes")
        if int(value):
            queue.append(value.dereference())
    while queue:
        process = queue.pop(0)
        if int(process.address) not in seen:
            seen.add(int(process.address))
            yield process
            queue += list_entries(process["children"], "struct process", "sibling")


def threads_of(process):
    return list_entries(process["threads"], "struct thread", "process_node")


def all_threads():
    """Every thread that has a tid, the kernel's own too, and each running hart's idle thread."""
    found = {}
    table = symbol("tid_hash", "threads")
    for n in range(table.type.range()[1] + 1):
        for thread in list_entries(table[n], "struct thread", "tid_node"):
            found[int(thread.address)] = thread
    queues = symbol("run_queues", "run queues")
    for n in range(queues.type.range()[1] + 1):
        idle = queues[n]["idle"]
        if int(idle) and int(idle["arch"]["hart"]) and idle["arch"]["hart"]["online"]:
            found.setdefault(int(idle), idle.dereference())
    return sorted(found.values(), key=lambda t: (int(t["process"]["pid"]), int(t["tid"])))


def enum_name(value, prefix):
    return str(value).replace(prefix, "").lower()


def comm(thread):
    return thread["name"].string(errors="replace")


def place(address):
    found = gdb.execute("info symbol 0x%x" % (address & (2**64 - 1)), to_string=True)
    return found.split(" in section")[0].strip() if "No symbol" not in found else hex(address)


def running_threads():
    """address of struct thread -> number of the QEMU hart on which it runs (tp in the kernel)."""
    running = {}
    selected = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        pc = int(gdb.parse_and_eval("(unsigned long)$pc"))
        register = "$tp" if pc >> 63 else "$sscratch"
        running[int(gdb.parse_and_eval("(unsigned long)" + register))] = thread.num - 1
    if selected:
        selected.switch()
    return running


class Vireo(gdb.Command):
    """Commands that know Vireo: threads, processes, walk ADDR, log [N]."""

    def __init__(self):
        super().__init__("vireo", gdb.COMMAND_DATA, prefix=True)


class Threads(gdb.Command):
    """vireo threads: every thread and where it is."""

    def __init__(self):
        super().__init__("vireo threads", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        running = running_threads()
        print("%6s %6s  %-9s %-5s %-16s %s" % ("PID", "TID", "STATE", "HART", "NAME", "AT"))
        for thread in all_threads():
            on = running.get(int(thread.address))
            at = "" if on is not None else place(int(thread["arch"]["context"]["ra"]))
            print("%6d %6d  %-9s %-5s %-16s %s" % (
                int(thread["process"]["pid"]), int(thread["tid"]),
                enum_name(thread["state"], "THREAD_"),
                "*%d" % on if on is not None else int(thread["sched"]["cpu"]),
                comm(thread), at))


class Processes(gdb.Command):
    """vireo processes: every process."""

    def __init__(self):
        super().__init__("vireo processes", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        print("%6s %6s %6s %6s  %-7s %7s %s" % ("PID", "PPID", "GROUP", "SESS", "STATE", "THREADS",
                                                "NAME"))
        for process in processes():
            parent = int(process["parent"]["pid"]) if int(process["parent"]) else 0
            first = next(iter(threads_of(process)), None)
            print("%6d %6d %6d %6d  %-7s %7d %s" % (
                int(process["pid"]), parent, int(process["group"]), int(process["session"]),
                enum_name(process["state"], "PROCESS_"), int(process["nr_threads"]),
                comm(first) if first is not None else "-"))


def read_physical(address, size):
    gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    finally:
        gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)


class Walk(gdb.Command):
    """vireo walk ADDR: the page-table entries for ADDR (privileged spec 12.4)."""

    def __init__(self):
        super().__init__("vireo walk", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("vireo walk ADDR")
        address = int(gdb.parse_and_eval("(unsigned long)(%s)" % argument))
        satp = int(gdb.parse_and_eval("(unsigned long)$satp"))
        levels = {8: 3, 9: 4, 10: 5}.get(satp >> 60)  # Sv39; Sv48 and Sv57 of other kernels
        if not levels:
            raise gdb.GdbError("satp is 0x%x: no translation (yet)" % satp)
        if address >> (11 + 9 * levels) not in (0, (1 << (53 - 9 * levels)) - 1):
            raise gdb.GdbError("0x%x is not canonical in Sv%d" % (address, 12 + 9 * levels))
        table = (satp & ((1 << 44) - 1)) << 12
        print("root 0x%x, ASID %d" % (table, (satp >> 44) & 0xffff))
        for level in reversed(range(levels)):
            index = (address >> (12 + 9 * level)) & 511
            pte = struct.unpack("<Q", read_physical(table + 8 * index, 8))[0]
            bits = "".join(c if pte >> n & 1 else "-" for n, c in enumerate(PTE_BITS))
            target = ((pte >> 10) & ((1 << 44) - 1)) << 12
            print("level %d [%3d] 0x%016x  %s  -> 0x%x" % (level, index, pte, bits, target))
            if not pte & 1:
                print("not mapped")
                return
            if pte & 0xe:
                size = 1 << (12 + 9 * level)
                print("0x%x is physical 0x%x, in a page of %d KiB" % (
                    address, (target & ~(size - 1)) | (address & (size - 1)), size >> 10))
                return
            table = target
        print("a table where a page must be: the tables are broken")


class Log(gdb.Command):
    """vireo log [N]: the last N records of the kernel log, 40 unless told."""

    def __init__(self):
        super().__init__("vireo log", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        wanted = int(gdb.parse_and_eval(argument)) if argument else 40
        slots = symbol("'log.c'::slots", "log")
        texts = symbol("'log.c'::texts", "log")
        nr_slots = slots.type.range()[1] + 1
        size = texts.type.range()[1] + 1
        try:
            blob = bytes(gdb.selected_inferior().read_memory(int(texts.address), size))
        except gdb.MemoryError:
            raise gdb.GdbError("the kernel's memory is not mapped yet")
        end = int(symbol("'log.c'::next_seq", "log"))
        newest = int(symbol("'log.c'::next_text", "log"))
        for seq in range(max(0, end - min(wanted, nr_slots)), end):
            slot = slots[seq % nr_slots]
            start, length = int(slot["text"]), int(slot["length"])
            if start + size < newest:
                continue  # its text was overwritten
            text = bytes(blob[(start + n) % size] for n in range(length))
            print("%d [%12.6f] %s" % (int(slot["level"]), int(slot["time_ns"]) / 1e9,
                                      text.decode(errors="replace")))


Vireo()
Threads()
Processes()
Walk()
Log()
print("vireo threads, vireo processes, vireo walk ADDR, vireo log [N]")
