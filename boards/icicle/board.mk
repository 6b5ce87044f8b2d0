# Microchip PolarFire SoC Icicle Kit (MPFS250T). Its device tree is Debian's kernel package's, in QEMU too.
drivers      := plic serial uart_ns16550
modules      := mm sync fs ipc core
limits       := FUTEX_BUCKETS=2048
firmware     := opensbi
console      := ttyS1,115200
qemu_machine := microchip-icicle-kit
qemu_cpu     :=
qemu_smp     := 4
qemu_mem     := 3G
qemu_dtb     := microchip/mpfs-icicle-kit.dtb
qemu_monitor := 1
qemu_serial  := 1
