# QEMU's virt machine. Its device tree comes from QEMU, so there is none of ours in dts/.
dts          :=
cpu_flags    :=
drivers      := plic serial uart_ns16550 rtc_goldfish syscon_reset virtio_mmio virtqueue virtio_blk virtio_rng
modules      := mm sync fs ipc core
limits       := FUTEX_BUCKETS=2048 TLB_FLUSH_PAGES=64
firmware     := opensbi
qemu_machine := virt
qemu_cpu     := rv64
qemu_smp     := 4
qemu_mem     := 512M
