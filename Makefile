# Vireo: `make` builds build/<board>/Image, `make run` boots it in QEMU. `make help` lists the rest.

BOARD   ?= qemu-virt
BUILD   ?= build
SMP     ?=
MEM     ?=
CPU     ?=
APPEND  ?=
INITRD  ?=
FILES   ?=
DISK    ?=
BOOT    ?= sbi
MACHINE ?= plain
UBSAN   ?=
FAULTS  ?=
LLVM    ?=
V       ?=

MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL     := /bin/sh
Q         := $(if $(V),,@)
say        = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDEXPANSION:
.PHONY: all help run debug test test-full check tidy format clean FORCE

ifeq ($(wildcard boards/$(BOARD)/board.mk),)
$(error no boards/$(BOARD)/board.mk; there are: $(notdir $(patsubst %/,%,$(dir $(wildcard boards/*/board.mk)))))
endif

out       := $(BUILD)/$(BOARD)
external  := build/external
debian    := build/debian
image     := $(out)/Image

include flash/toolchain.mk

# What the kernel is made of: each folder's list, the board, and the external sources.
sources :=
include boards/$(BOARD)/board.mk
include $(wildcard $(addsuffix /sources.mk,lib arch/riscv $(modules) drivers))
sources += $(drivers:%=drivers/%.c) boards/$(BOARD)/board.c
# A board leaves parts of System V IPC out by `without_ipc := shm sem msg`.
ipc_in  := $(filter-out $(without_ipc),shm sem msg)
sources := $(filter-out $(ipc_in:%=ipc/%_none.c) $(ipc_in:%=core/sys_%_none.c),$(sources))
sources := $(filter-out $(foreach part,$(without_ipc),core/sys_$(part).c \
               $(filter-out ipc/$(part)_none.c,$(filter ipc/$(part).c ipc/$(part)_%,$(sources)))),$(sources))
# Lack of memory on order, for tests: FAULTS=1.
sources := $(if $(FAULTS),$(sources),$(filter-out mm/fault_injection.c core/proc_faults.c,$(sources)))

include flash/kernel.mk
include flash/guest.mk
include flash/cards.mk
-include $(wildcard user/user.mk)
-include $(wildcard test/unit/unit.mk)
-include $(wildcard test/bench/bench.mk)
-include test/qemu/machine.mk

all: $(image)

# SMP, MEM, CPU, APPEND, INITRD, BOOT, MACHINE reach flash/qemu.py, the only place that composes a QEMU
# command line; the tests use it too.
run: $(image) $(boot_files)
	@flash/setup.sh run
	@$(qemu_env) flash/qemu.py run

debug: $(image) $(boot_files)
	@flash/setup.sh run debug
	@$(qemu_env) flash/qemu.py debug

pytest = PYTHONPATH=flash BUILD=$(BUILD) BOARD=$(BOARD) /usr/bin/python3 -m pytest test

# Host tests first, then guests.
test:
	@flash/setup.sh run uboot image debug test fuzz
	@$(MAKE) unit fuzz-short $(image) $(test_files)
	@$(pytest) -m 'not slow and not machine' $(PYTEST)

test-full:
	@flash/setup.sh clang run uboot image debug test fuzz
	@$(MAKE) unit fuzz-short mutate machine $(image) $(test_files)
	@$(pytest) $(PYTEST)

# What goes into QEMU has QEMU's style and licence.
c_files = $(shell git ls-files -co --exclude-standard '*.c' '*.h' ':!test/qemu/files')
sh_files = $(shell git ls-files -co --exclude-standard '*.sh' .ci/run flash/rootfs/init)

# cppcheck reads the kernel's own text only: what it can't find is Linux's and the compiler's. It
# does not know that assembly sets variables, nor __typeof__, nor symbols of the linker script, nor
# conditions that a macro waits for (clang-tidy does).
cppcheck_flags = -q --std=c11 --platform=unix64 --enable=warning,portability --inline-suppr \
                 --error-exitcode=1 --suppress=missingIncludeSystem \
                 --suppress=uninitvar --suppress=AssignmentAddressToInteger \
                 --suppress=comparePointers --suppress=nullPointerRedundantCheck \
                 --suppress=ctunullpointer --suppress=ctuuninitvar \
                 --suppress=invalidPrintfArgType_uint -D__riscv \
                 -D__riscv_xlen=64 -D__GNUC__=12 -D__CPPCHECK__ \
                 -Ilib/libc $(public:%=-I%/include)

# Each part runs even if one before it found something.
check_parts := check-format check-layers check-style check-shell check-contract check-models \
               check-mutations check-cppcheck check-tidy
.PHONY: $(check_parts)

check:
	@flash/setup.sh check clang
	@$(MAKE) -k $(check_parts)

check-format:
	$(call say,FORMAT,)
	$(Q)clang-format --dry-run -Werror $(c_files) 2>&1 \
	    | sed -n 's/:.*error: code should be.*/: not formatted (make format)/p' | sort -u \
	    | awk '{ print } END { exit NR > 0 }'

check-layers:
	$(call say,LAYERS,)
	$(Q)test/check_layers.py --self-test
	$(Q)test/check_layers.py

check-style:
	$(call say,STYLE,)
	$(Q)test/check_style.py --self-test
	$(Q)test/check_style.py
	$(Q)flash/boards.py README.md --check

check-shell:
	$(call say,SHELL,)
	$(Q)shellcheck $(sh_files)

check-contract:
	$(call say,CONTRACT,)
	$(Q)test/check_contract.py --self-test
	$(Q)test/check_contract.py

check-models:
	$(call say,MODELS,)
	$(Q)test/check_models.py

check-mutations:
	$(call say,MUTATIONS,)
	$(Q)test/mutate.py --texts

# Breaks the address-space core in every way listed, and sees the host tests notice; minutes.
.PHONY: mutate
mutate: $(unit_tests)
	@test/mutate.py

check-cppcheck:
	$(call say,CPPCHECK,)
	$(Q)cppcheck -j $(shell nproc) $(cppcheck_flags) $(filter %.c,$(sources))

# clang-tidy takes clang's flags and the generated headers, but no object.
check-tidy:
	$(call say,TIDY,)
	$(Q)$(MAKE) -s -j $(shell nproc) -k CC=clang BUILD=build/tidy tidy

tidy_files := $(addprefix tidy/,$(filter %.c,$(sources)))
.PHONY: $(tidy_files)
tidy: $(tidy_files)
$(tidy_files): tidy/%: $(headers)
	$(Q)clang-tidy --quiet $* -- $(CFLAGS_KERNEL) 2> /dev/null

format:
	@flash/setup.sh check
	$(Q)clang-format -i $(c_files)

clean:
	rm -rf $(BUILD)

help:
	@echo 'make                build $(image)'
	@echo 'make run            boot it in QEMU to a shell (leave with poweroff, or Ctrl-A x)'
	@echo 'make debug          the same, halted at entry, with gdb attached'
	@echo 'make test           all tests but the slow ones;  make test-full: all of them'
	@echo 'make fuzz           random calls beside models, for long (ROUNDS= SECONDS=)'
	@echo 'make machine        build the strict QEMU;  make test-machine: its own tests'
	@echo 'make bench          what operations cost, on Vireo and on Linux (FILTER=futex, BASE=results.json)'
	@echo 'make profile BENCH=calls/getppid   where they cost it, as a flame graph'
	@echo 'make check          format, layers, shell scripts, static analysis'
	@echo 'make image          the card (or disk) that the board boots from'
	@echo 'make flash DEV=/dev/sdX   write it to a card, asked and proven;  make netboot; make recovery PORT='
	@echo 'make hil ENV=file    the suite for whole machines on what a labgrid environment describes (test/hil)'
	@echo 'make boards         the kernels of all boards, and their table in README.md'
	@echo 'make clean          remove $(BUILD)/'
	@echo
	@echo 'BOARD=$(BOARD)      one of: $(notdir $(patsubst %/,%,$(dir $(wildcard boards/*/board.mk))))'
	@echo 'SMP= MEM= CPU=      harts, memory, QEMU CPU model ($(qemu_smp), $(qemu_mem), $(qemu_cpu))'
	@echo 'APPEND="..."        words for the kernel command line'
	@echo 'INITRD=file         another initramfs, or none;  FILES=dir: your files in the usual one'
	@echo 'DISK=file           a disk for virtio-blk, /dev/vda'
	@echo 'BOOT=sbi|uboot|card straight from OpenSBI, through U-Boot from a disk, or all from the card'
	@echo 'MACHINE=strict       (plain, built, strict) the QEMU of make machine, see test/qemu'
	@echo 'CC=clang  LLVM=1    build with clang, with clang and lld;  UBSAN=1: with the UB sanitizer'
	@echo 'FAULTS=1            with /proc/fail-nth: lack of memory on order, for tests'
	@echo 'BUILD=dir  V=1      another output folder;  show the commands'
