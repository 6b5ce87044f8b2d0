# SPDX-License-Identifier: BSD-2-Clause
"""Finds or builds what a test boots: kernels, Debian's files, test programs and initramfs archives.

Everything lands under build/; what Debian ships comes through flash/fetch.sh, which keeps its own cache.
"""

import functools
import glob
import gzip
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(TOP, "flash"))
import initramfs  # noqa: E402
GUEST = os.path.join(TOP, "test/guest")
OUT = os.path.join(TOP, "build/test")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "vireo")


class Missing(Exception):
    """What a test needs is not there; the message says why."""


def command(argv, seconds=600, **options):
    """Run a host command: its output, or an error that shows it."""
    result = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=seconds, check=False, **options)
    if result.returncode:
        raise Missing(f"{' '.join(argv)} ended with {result.returncode}:\n{result.stdout[-3000:]}")
    return result.stdout


@functools.lru_cache(None)
def fetched(item):
    """The folder of a flash/fetch.sh item such as deb:busybox-static."""
    command([os.path.join(TOP, "flash/fetch.sh"), item])
    kind, name = item.split(":")
    return os.path.join(TOP, "build", "external" if kind == "src" else "debian", name)


def one(pattern):
    found = sorted(glob.glob(pattern))
    if not found:
        raise Missing(f"no {pattern}")
    return found[-1]


@functools.lru_cache(None)
def linux():
    """Debian's own kernel."""
    return one(fetched("deb:linux-image-riscv64") + "/boot/vmlinu[xz]-*")


@functools.lru_cache(None)
def vireo(variant=""):
    """Our kernel as the makefile built it; a variant (a word line such as "CC=clang") is built now, in
    a folder of its own."""
    board = os.environ.get("BOARD", "qemu-virt")
    folder = os.environ.get("BUILD", "build")
    if variant:
        folder = "build/" + variant.replace("=", "-").replace(" ", "-").lower()
        command(["make", "-C", TOP, f"BUILD={folder}", f"BOARD={board}"] + variant.split(), seconds=900)
    path = os.path.join(TOP, folder, board, "Image")
    if not os.path.exists(path):
        raise Missing(f"{path} is not built: make")
    return path


def opensbi():
    """Debian trixie's OpenSBI, which has the debug console; QEMU's own ("default") has not."""
    return one(fetched("deb:opensbi") + "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin")


@functools.lru_cache(None)
def busybox():
    return one(fetched("deb:busybox-static") + "/usr/bin/busybox")


@functools.lru_cache(None)
def programs():
    """name -> path of each guest test program, built now."""
    out = os.path.join(OUT, "programs")
    command(["make", "-s", "-C", os.path.join(GUEST, "programs"), f"OUT={out}"])
    return {os.path.basename(path): path for path in sorted(glob.glob(out + "/*"))
            if os.access(path, os.X_OK) and "." not in os.path.basename(path)}


def base_archive():
    """busybox and the files of the tests, as flash/initramfs.py's Archive to add to."""
    archive = initramfs.Archive()
    for name in ("proc", "root", "sys"):
        archive.add(name, stat.S_IFDIR | 0o755)
    archive.add("tmp", stat.S_IFDIR | 0o1777)
    archive.add("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    archive.add("dev/null", stat.S_IFCHR | 0o666, rdev=(1, 3))
    archive.add_file(busybox(), "bin/busybox")
    archive.add_tree(os.path.join(GUEST, "files/root"))
    return archive


def stored(data, name, packed=True):
    """The bytes of an archive as build/test/initramfs/NAME-HASH.cpio[.gz]; the file of before goes."""
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = os.path.join(OUT, "initramfs", f"{name}-{digest}.cpio" + (".gz" if packed else ""))
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        for old in glob.glob(os.path.join(os.path.dirname(path), f"{name}-" + "?" * 16 + ".cpio*")):
            os.unlink(old)
        with open(path + ".part", "wb") as file:
            file.write(gzip.compress(data, 1, mtime=0) if packed else data)
        os.rename(path + ".part", path)
    return path


@functools.lru_cache(None)
def session_initrd():
    """busybox alone, not packed."""
    return stored(base_archive().bytes(), "session", packed=False)


@functools.lru_cache(None)
def programs_initrd():
    """busybox and every test program under /test."""
    archive = base_archive()
    for name, path in programs().items():
        archive.add_file(path, f"test/{name}")
    return stored(archive.bytes(), "programs")


@functools.lru_cache(None)
def bash_initrd():
    """Debian's dynamic bash with the libraries that it names, where Debian puts them."""
    archive = base_archive()
    root = fetched("tree:bash") + "/"
    archive.add("lib", stat.S_IFLNK | 0o777, b"usr/lib")
    archive.add_file(root + "usr/bin/bash", "usr/bin/bash")
    for name in ("libc.so.6", "ld-linux-riscv64-lp64d.so.1", "libtinfo.so.6"):
        path = "usr/lib/riscv64-linux-gnu/" + name
        archive.add_file(os.path.realpath(root + path), path)
    archive.add("usr/lib/ld-linux-riscv64-lp64d.so.1", stat.S_IFLNK | 0o777,
                b"riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1")
    archive.add_file(os.path.join(GUEST, "files/script.bash"), "root/script.bash")
    return stored(archive.bytes(), "bash")


def add_program(archive, root, path):
    """A dynamic program of a fetched tree with every library it names, where Debian puts them."""
    libraries = "usr/lib/riscv64-linux-gnu/"
    todo = [path]
    while todo:
        path = todo.pop()
        if path in archive.entries:
            continue
        archive.add_file(os.path.realpath(root + path), path)
        needed = re.findall(r"NEEDED.*\[(.*)\]", command(["riscv64-linux-gnu-readelf", "-d", root + path]))
        todo += [libraries + name for name in needed]


@functools.lru_cache(None)
def ipc_initrd():
    """Debian's ipcs, ipcmk, ipcrm and lsipc, and stress-ng."""
    archive = base_archive()
    archive.add("lib", stat.S_IFLNK | 0o777, b"usr/lib")
    for package, names in (("util-linux", ("ipcs", "ipcmk", "ipcrm", "lsipc")), ("stress-ng", ("stress-ng",))):
        for name in names:
            add_program(archive, fetched("tree:" + package) + "/", "usr/bin/" + name)
    archive.add("usr/lib/ld-linux-riscv64-lp64d.so.1", stat.S_IFLNK | 0o777,
                b"riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1")
    return stored(archive.bytes(), "ipc")


@functools.lru_cache(None)
def perf_initrd():
    """Debian's perf, whose benchmarks of futexes are those of Linux's sources."""
    archive = base_archive()
    archive.add("lib", stat.S_IFLNK | 0o777, b"usr/lib")
    add_program(archive, fetched("tree:linux-perf") + "/", "usr/bin/perf")
    archive.add("usr/lib/ld-linux-riscv64-lp64d.so.1", stat.S_IFLNK | 0o777,
                b"riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1")
    return stored(archive.bytes(), "perf")


@functools.lru_cache(None)
def postgres_initrd():
    """Debian's PostgreSQL server: initdb, postgres, the files that they read."""
    archive, root, home = base_archive(), fetched("tree:postgresql-17") + "/", "usr/lib/postgresql/17/"
    archive.add("lib", stat.S_IFLNK | 0o777, b"usr/lib")
    for path in ("bin/initdb", "bin/postgres", "lib/plpgsql.so", "lib/dict_snowball.so"):
        add_program(archive, root, home + path)
    archive.add("usr/lib/ld-linux-riscv64-lp64d.so.1", stat.S_IFLNK | 0o777,
                b"riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1")
    share = initramfs.Archive()
    share.add_tree(root + "usr/share/postgresql/17")
    for path, (mode, data, _) in share.entries.items():
        archive.add("usr/share/postgresql/17/" + path, mode, data)
    for name in ("postgres_fill.sql", "postgres_again.sql"):
        archive.add_file(os.path.join(GUEST, "files", name), "root/" + name)
    return stored(archive.bytes(), "postgres")


PTHREAD_PROGRAMS = ("pthread", "pthread_mutex", "pthread_sync")


def musl():
    """Compiler words before and after a source for Debian's musl, whose debug information crashes our linker."""
    include = fetched("deb:musl-dev") + "/usr/include/riscv64-linux-musl"
    library = fetched("deb:musl-dev") + "/usr/lib/riscv64-linux-musl"
    out = os.path.join(OUT, "musl")
    os.makedirs(out, exist_ok=True)
    for name in ("crt1.o", "crti.o", "crtn.o", "libc.a"):
        command(["riscv64-linux-gnu-objcopy", "-g", f"{library}/{name}", f"{out}/{name}"])
    compiler = command(["riscv64-linux-gnu-gcc", "-print-file-name=include"]).strip()
    return (["-nostdinc", "-isystem", include, "-isystem", os.path.join(TOP, "build/external/uapi"),
             "-isystem", compiler, "-nostdlib", f"{out}/crt1.o", f"{out}/crti.o"], out)


@functools.lru_cache(None)
def pthread_initrd():
    """The programs of threads, for glibc and musl, static (/test/NAME.LIBC-static) and dynamic."""
    archive = base_archive()
    out = os.path.join(OUT, "pthread")
    os.makedirs(out, exist_ok=True)
    words, musl_out = musl()
    libc_so = fetched("deb:musl") + "/usr/lib/riscv64-linux-musl/libc.so"
    flavours = {
        "glibc-static": (["-static"], []),
        "glibc-dynamic": ([], []),
        "musl-static": (["-static"] + words, ["-Wl,--start-group", f"{musl_out}/libc.a", "-lgcc", "-Wl,--end-group",
                                              f"{musl_out}/crtn.o"]),
        "musl-dynamic": (words + ["-Wl,--dynamic-linker=/lib/ld-musl-riscv64.so.1"],
                         ["-L" + os.path.dirname(libc_so), "-l:libc.so", "-lgcc", f"{musl_out}/crtn.o"]),
    }
    for name in PTHREAD_PROGRAMS:
        for flavour, (before, after) in flavours.items():
            path = os.path.join(out, f"{name}.{flavour}")
            command(["riscv64-linux-gnu-gcc", "-std=gnu11", "-O2", "-pthread", "-fno-pie", "-no-pie", "-w"] + before +
                    [os.path.join(GUEST, "programs", name + ".c")] + after + ["-o", path])
            command(["riscv64-linux-gnu-strip", path])
            archive.add_file(path, f"test/{name}.{flavour}")
    archive.add("lib", stat.S_IFLNK | 0o777, b"usr/lib")
    add_program(archive, fetched("tree:bash") + "/", "usr/lib/riscv64-linux-gnu/libgcc_s.so.1")
    archive.add("usr/lib/ld-linux-riscv64-lp64d.so.1", stat.S_IFLNK | 0o777,
                b"riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1")
    archive.add_file(libc_so, "usr/lib/ld-musl-riscv64.so.1")
    return stored(archive.bytes(), "pthread")


@functools.lru_cache(None)
def bare():
    """The bare-metal test of TLB and instruction cache (bare/)."""
    folder = os.path.join(GUEST, "bare")
    out = os.path.join(OUT, "bare")
    os.makedirs(OUT, exist_ok=True)
    command(["riscv64-linux-gnu-gcc", "-march=rv64imac_zicsr_zifencei", "-mabi=lp64", "-mcmodel=medany",
             "-ffreestanding", "-nostdlib", "-static", "-no-pie", "-O2", "-Wall", "-Wextra", "-Werror",
             "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", "-T", f"{folder}/bare.ld",
             f"{folder}/bare.S", f"{folder}/bare.c", "-o", out + ".elf"])
    command(["riscv64-linux-gnu-objcopy", "-O", "binary", out + ".elf", out])
    return out


SELFTESTS = "tools/testing/selftests"
SELFTEST_PARTS = [SELFTESTS + "/futex", SELFTESTS + "/rseq", SELFTESTS + "/kselftest.h", "tools/include",
                  "tools/arch/riscv/include"]


@functools.lru_cache(None)
def selftests():
    """name -> path of Linux's own futex and rseq programs, unmodified, from Debian's linux-source."""
    out = os.path.join(OUT, "selftests")
    package = fetched("deb:linux-source-6.12") + "/usr/src"
    top = os.path.join(out, "linux-source-6.12", SELFTESTS)
    if not os.path.isdir(top):
        os.makedirs(out + ".part", exist_ok=True)
        command(["tar", "-C", out + ".part", "-xJf", one(package + "/linux-source-*.tar.xz")] +
                [f"linux-source-6.12/{part}" for part in SELFTEST_PARTS])
        os.rename(out + ".part", out)
    sources = glob.glob(top + "/futex/functional/*.c") + [top + "/rseq/basic_test.c",
                                                          top + "/rseq/param_test.c"]
    built = {}
    for source in sorted(sources):
        name = os.path.basename(source)[:-2]
        built[name] = os.path.join(out, name)
        if not os.path.exists(built[name]):
            tools = os.path.join(out, "linux-source-6.12", "tools")
            extra = [top + "/rseq/rseq.c", f"-I{tools}/include", "-DAT_RSEQ_FEATURE_SIZE=27",
                     "-DAT_RSEQ_ALIGN=28"] if "/rseq/" in source else []
            command(["riscv64-linux-gnu-gcc", "-O2", "-w", "-static", "-pthread", "-D_GNU_SOURCE=",
                     f"-I{top}/futex/include", f"-I{top}/rseq", f"-I{top}", "-o", built[name], source] + extra)
    return built


MM_SELFTESTS = """cow droppable gup_longterm hugepage-mmap hugepage-mremap hugepage-shm
    hugepage-vmemmap hugetlb-madvise hugetlb_dio hugetlb_fault_after_madv hugetlb_madv_vs_map
    ksm_functional_tests madv_populate map_fixed_noreplace map_hugetlb map_populate mdwe_test memfd_secret mkdirty
    mlock-random-test mlock2-tests mrelease_test mremap_dontunmap mremap_test mseal_test on-fault-limit pagemap_ioctl
    seal_elf soft-dirty split_huge_page_test thuge-gen transhuge-stress va_high_addr_switch
    virtual_address_range""".split()


@functools.lru_cache(None)
def mm_selftests():
    """name -> path of Linux's own mm programs, unmodified, but for those that need NUMA, another instruction set or a
    kernel module, those of userfaultfd and khugepaged, and one that takes minutes (compaction)."""
    out = os.path.join(OUT, "selftests-mm")
    top = os.path.join(out, "linux-source-6.12")
    here = os.path.join(top, SELFTESTS, "mm")
    if not os.path.isdir(here):
        package = fetched("deb:linux-source-6.12") + "/usr/src"
        os.makedirs(out + ".part", exist_ok=True)
        parts = [SELFTESTS + "/mm", SELFTESTS + "/kselftest.h", SELFTESTS + "/kselftest_harness.h",
                 SELFTESTS + "/pidfd", "tools/include", "mm/gup_test.h"]
        command(["tar", "-C", out + ".part", "-xJf", one(package + "/linux-source-*.tar.xz")] +
                [f"linux-source-6.12/{part}" for part in parts])
        # What Linux's makefile writes there where liburing is missing.
        with open(os.path.join(out + ".part/linux-source-6.12", SELFTESTS, "mm/local_config.h"), "w", encoding="ascii"):
            pass
        os.rename(out + ".part", out)
    libcap = fetched("deb:libcap-dev")
    built = {}
    for name in MM_SELFTESTS:
        built[name] = os.path.join(out, name)
        if not os.path.exists(built[name]):
            helpers = ["vm_util.c", "thp_settings.c"]
            command(["riscv64-linux-gnu-gcc", "-O2", "-w", "-static", "-pthread", "-D_GNU_SOURCE=", f"-I{top}",
                     f"-I{top}/{SELFTESTS}", f"-idirafter{libcap}/usr/include", "-isystem", f"{top}/tools/include/uapi",
                     "-o", built[name] + ".part"] + [f"{here}/{source}" for source in [name + ".c"] + helpers] +
                    [libcap + "/usr/lib/riscv64-linux-gnu/libcap.a", "-lrt", "-lm"])
            command(["riscv64-linux-gnu-strip", built[name] + ".part"])
            os.rename(built[name] + ".part", built[name])
    return built


@functools.lru_cache(None)
def mm_selftests_initrd():
    archive = base_archive()
    for name, path in mm_selftests().items():
        archive.add_file(path, f"selftest/{name}")
    return stored(archive.bytes(), "selftests-mm")


# Under their folders. set-timer-lat asks how busy the host is.
IPC_SELFTESTS = """ipc/msgque mqueue/mq_open_tests mqueue/mq_perf_tests timers/posix_timers timers/nanosleep
    timers/mqueue-lat timers/threadtest""".split()
# Ten million messages take a quarter of an hour under emulation; a hundredth of them does the same.
SHORTENED = {"mq_perf_tests": ("#define TEST1_LOOPS 10000000", "#define TEST1_LOOPS 100000")}


def link_popt(root):
    """Debian's library was made for a newer C library than the cross compiler's, which lacks one name of C23."""
    return ["-Wl,--defsym=__isoc23_strtoll=strtoll", root + "/usr/lib/riscv64-linux-gnu/libpopt.a"]


def shortened(source, old, new):
    """A copy of the file with this one line changed."""
    with open(source, encoding="utf-8") as file:
        text = file.read()
    assert text.count(old) == 1, f"{source}: no {old}"
    with open(source[:-2] + "_short.c", "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    return file.name


@functools.lru_cache(None)
def ipc_selftests():
    """name -> path of Linux's own programs for queues of both kinds and timers, unmodified but for SHORTENED."""
    out = os.path.join(OUT, "selftests-ipc")
    top = os.path.join(out, "linux-source-6.12", SELFTESTS)
    if not os.path.isdir(top):
        os.makedirs(out + ".part", exist_ok=True)
        folders = sorted({os.path.dirname(name) for name in IPC_SELFTESTS})
        command(["tar", "-C", out + ".part", "-xJf",
                 one(fetched("deb:linux-source-6.12") + "/usr/src/linux-source-*.tar.xz")] +
                [f"linux-source-6.12/{SELFTESTS}/{part}" for part in folders + ["kselftest.h", "kselftest_harness.h"]])
        os.rename(out + ".part", out)
    popt = fetched("deb:libpopt-dev")
    built = {}
    for path in IPC_SELFTESTS:
        name, source = os.path.basename(path), f"{top}/{path}.c"
        built[name] = os.path.join(out, name)
        if not os.path.exists(built[name]):
            if name in SHORTENED:
                source = shortened(source, *SHORTENED[name])
            command(["riscv64-linux-gnu-gcc", "-O2", "-w", "-static", "-pthread", "-D_GNU_SOURCE=", f"-I{top}",
                     f"-idirafter{popt}/usr/include", "-o", built[name] + ".part", source, "-lrt"] +
                    (link_popt(popt) if name == "mq_perf_tests" else []))
            os.rename(built[name] + ".part", built[name])
    return built


@functools.lru_cache(None)
def ipc_selftests_initrd():
    archive = base_archive()
    for name, path in ipc_selftests().items():
        archive.add_file(path, f"selftest/{name}")
    return stored(archive.bytes(), "selftests-ipc")


@functools.lru_cache(None)
def selftests_initrd():
    archive = base_archive()
    for name, path in selftests().items():
        archive.add_file(path, f"selftest/{name}")
    return stored(archive.bytes(), "selftests")


def have(tool):
    return shutil.which(tool) is not None


def uboot_disk(initrd, append, dtb=None):
    """A disk from which U-Boot starts our kernel, with a device tree of its own if one is given."""
    fetched("deb:u-boot-qemu")
    disk = os.path.join(OUT, "uboot.img")
    config = os.path.join(OUT, "extlinux.conf")
    lines = ["timeout 1", "default vireo", "label vireo", "    kernel /Image", "    initrd /initrd", "    append " + append]
    with open(config, "w", encoding="utf-8") as file:
        file.write("\n".join(lines + (["    fdt /board.dtb"] if dtb else [])) + "\n")
    command([os.path.join(TOP, "flash/disk.sh"), disk, config, vireo(), initrd] + ([dtb] if dtb else []))
    return disk
