# Compilers and their flags. Included by the Makefile.
# CC=clang compiles with clang and links with GNU ld; LLVM=1 links with lld too.

cross := riscv64-linux-gnu-
ifeq ($(origin CC),default)
CC := $(if $(LLVM),clang,$(cross)gcc)
endif
LD      := $(if $(LLVM),ld.lld,$(cross)ld)
NM      := $(cross)nm
OBJCOPY := $(cross)objcopy
AR      := $(cross)ar

is_clang := $(findstring clang,$(notdir $(CC)))

# Before anything compiles: the tools. Quick and quiet when they are there.
ifeq ($(filter clean help,$(MAKECMDGOALS)),)
setup := $(shell flash/setup.sh build $(if $(is_clang)$(LLVM),clang) >&2 || echo failed)
$(if $(setup),$(error set-up failed))
endif

cpu_flags ?=
limits    ?=
ifdef is_clang
target_flags := --target=riscv64-linux-gnu -march=rv64imac -mabi=lp64 $(if $(LLVM),-mno-relax) \
                -Wno-unused-command-line-argument -Wno-gnu-variable-sized-type-not-at-end
compiler_include = $(shell $(CC) -print-resource-dir 2> /dev/null)/include
else
target_flags := -march=rv64imac_zicsr_zifencei -mabi=lp64
compiler_include = $(shell $(CC) -print-file-name=include 2> /dev/null)
endif
compiler_include := $(compiler_include)

common_flags := $(target_flags) -mcmodel=medany -std=gnu11 -O2 -g -ffreestanding -fno-common \
                -fno-pie -fno-strict-aliasing -fno-omit-frame-pointer -fno-optimize-sibling-calls \
                -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
                -ffile-prefix-map=$(CURDIR)/=
warn_flags   := -Wall -Wextra -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wvla \
                -Wpointer-arith -Wwrite-strings -Wno-unused-parameter -Werror
stack_flags  := -fstack-protector-strong
fault_flags  := $(if $(FAULTS),-DFAULT_INJECTION)
ubsan_flags  := $(if $(UBSAN),-fsanitize=undefined -fno-sanitize=alignment)

# No header of the host or of the C library: ours in lib/libc, the compiler's own, and Linux's
# uapi headers, which are data about the ABI (build/external/uapi links to those alone).
public   := lib arch/riscv sync mm fs ipc core drivers
includes := -nostdinc -isystem lib/libc -isystem $(compiler_include) \
            -isystem $(external)/uapi -isystem $(external)/dtc/libfdt -isystem $(external)/zlib \
            $(foreach folder,$(public),-I$(folder)/include) -I$(out)/include
defines  := -D__KERNEL_VIREO__ -DZ_SOLO

CFLAGS_KERNEL   = $(common_flags) $(cpu_flags) $(limits:%=-D%) $(stack_flags) $(ubsan_flags) $(fault_flags) $(warn_flags) \
                  $(defines) $(includes) $(file_flags)
CFLAGS_EXTERNAL = $(common_flags) $(cpu_flags) $(stack_flags) -w $(defines) $(includes)
ASFLAGS_KERNEL  = $(target_flags) -g -D__ASSEMBLER__ $(defines) $(includes)
LDFLAGS_KERNEL  = -nostdlib -static -z noexecstack -z max-page-size=4096 --build-id=none \
                  --gc-sections --fatal-warnings
