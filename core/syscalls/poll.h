// SPDX-License-Identifier: BSD-2-Clause
// Waiting for many files at once.
