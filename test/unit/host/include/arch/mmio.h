// SPDX-License-Identifier: BSD-2-Clause
// Host tests: registers of devices are a model's, which the test supplies.
#pragma once

#include <lib/types.h>

uint32_t mmio_read32(const volatile void *p);
void mmio_write32(volatile void *p, uint32_t v);
