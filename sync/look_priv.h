// SPDX-License-Identifier: BSD-2-Clause
// How often a sleeping lock is looked at before its waiter goes to sleep, if another hart may let
// go of it meanwhile (port_others_run()). Most holders are done sooner than a waiter is asleep and
// awake again. Some 10 us; on QEMU, where a pause leaves the translated code, 80.
#pragma once

#define LOOKS_MAX 1000
