# The machine that tells the truth: Debian's QEMU with ours in it. Included by the Makefile.

machine := build/machine/qemu-system-riscv64

.PHONY: machine test-machine

machine:
	@test/qemu/build.sh
	@echo "machine: $(machine)"

test-machine:
	@flash/setup.sh build run test
	@$(MAKE) machine $(image) $(test_files)
	@$(pytest) -m 'machine and not slow' $(PYTEST)
