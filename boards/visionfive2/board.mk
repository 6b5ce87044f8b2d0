# StarFive VisionFive 2 (JH7110). Its device tree comes from U-Boot; for the twin, from Debian's kernel package.
dts          :=
cpu_flags    :=
drivers      := plic uart_ns16550
modules      := mm sync fs ipc core
limits       := FUTEX_BUCKETS=2048
firmware     := opensbi
image_recipe := extlinux
qemu_machine := visionfive2
qemu_cpu     :=
qemu_smp     := 4
qemu_mem     := 4G
qemu_build   := built
qemu_dtb     := starfive/jh7110-starfive-visionfive-2-v1.3b.dtb
