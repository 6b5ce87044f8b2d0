sources += arch/riscv/head.S
sources += arch/riscv/entry.S
sources += arch/riscv/float.S
sources += arch/riscv/uaccess_copy.S
sources += arch/riscv/vdso_page.S
sources += arch/riscv/vector.S
sources += arch/riscv/asid.c
sources += arch/riscv/backtrace.c
sources += arch/riscv/boot.c
sources += arch/riscv/clock.c
sources += arch/riscv/cpu.c
sources += arch/riscv/extable.c
sources += arch/riscv/fpu.c
sources += arch/riscv/hart.c
sources += arch/riscv/hart_mask.c
sources += arch/riscv/log.c
sources += arch/riscv/mmu.c
sources += arch/riscv/panic.c
sources += arch/riscv/sbi.c
sources += arch/riscv/thread.c
sources += arch/riscv/tlb.c
sources += arch/riscv/tlb_hw.c
sources += arch/riscv/trap.c
sources += arch/riscv/uaccess.c
sources += arch/riscv/vdso.c

# The only files with F, D and V instructions: what they save and load belongs to user programs.
$(out)/arch/riscv/float.o: target_flags += -march=rv64gc
$(out)/arch/riscv/vector.o: target_flags += -march=rv64gcv
