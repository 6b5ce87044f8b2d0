// SPDX-License-Identifier: BSD-2-Clause
// Processes, threads, credentials, limits.
