# SPDX-License-Identifier: BSD-2-Clause
"""Boots kernels in QEMU through labgrid and talks to what runs on them."""
