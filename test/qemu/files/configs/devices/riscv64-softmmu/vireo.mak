# SPDX-License-Identifier: GPL-2.0-or-later
# Nothing but what Vireo's tests put on a command line; each board brings the devices it selects.
CONFIG_GENERIC_LOADER=y
CONFIG_RISCV_VIRT=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_NET=y
CONFIG_VIRTIO_RNG=y
CONFIG_VISIONFIVE2=y
