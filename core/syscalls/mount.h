// SPDX-License-Identifier: BSD-2-Clause
// Mounts and file system statistics.
