// SPDX-License-Identifier: BSD-2-Clause
// Registers and descriptors of the DesignWare mobile storage host (databook 2.90a).
#pragma once

#include <lib/types.h>

#define DW_CTRL    0x00
#define DW_PWREN   0x04
#define DW_CLKDIV  0x08
#define DW_CLKENA  0x10
#define DW_TMOUT   0x14
#define DW_CTYPE   0x18
#define DW_BLKSIZ  0x1c
#define DW_BYTCNT  0x20
#define DW_INTMASK 0x24
#define DW_CMDARG  0x28
#define DW_CMD     0x2c
#define DW_RESP0   0x30
#define DW_RINTSTS 0x44
#define DW_STATUS  0x48
#define DW_BMOD    0x80
#define DW_DBADDR  0x88
#define DW_IDSTS   0x8c
#define DW_IDINTEN 0x90
#define DW_SIZE    0x98

#define DW_CTRL_RESET      (1U << 0)
#define DW_CTRL_FIFO_RESET (1U << 1)
#define DW_CTRL_DMA_RESET  (1U << 2)
#define DW_CTRL_INT_ENABLE (1U << 4)
#define DW_CTRL_USE_DMA    (1U << 25)

#define DW_CMD_RESPONSE      (1U << 6)
#define DW_CMD_LONG_RESPONSE (1U << 7)
#define DW_CMD_CHECK_CRC     (1U << 8)
#define DW_CMD_DATA          (1U << 9)
#define DW_CMD_WRITE         (1U << 10)
#define DW_CMD_AUTO_STOP     (1U << 12)
#define DW_CMD_WAIT_DATA     (1U << 13) // until the data before are through
#define DW_CMD_INITIALIZE    (1U << 15) // 80 clocks first
#define DW_CMD_CLOCK_ONLY    (1U << 21)
#define DW_CMD_HOLD          (1U << 29)
#define DW_CMD_START         (1U << 31)

#define DW_INT_RESPONSE_ERROR   (1U << 1)
#define DW_INT_COMMAND_DONE     (1U << 2)
#define DW_INT_DATA_DONE        (1U << 3)
#define DW_INT_RESPONSE_CRC     (1U << 6)
#define DW_INT_DATA_CRC         (1U << 7)
#define DW_INT_RESPONSE_TIMEOUT (1U << 8)
#define DW_INT_DATA_TIMEOUT     (1U << 9)
#define DW_INT_STARVED          (1U << 10)
#define DW_INT_FIFO             (1U << 11)
#define DW_INT_LOCKED           (1U << 12)
#define DW_INT_START_BIT        (1U << 13)
#define DW_INT_AUTO_STOP_DONE   (1U << 14)
#define DW_INT_END_BIT          (1U << 15)
#define DW_INT_ERRORS                                                                              \
    (DW_INT_RESPONSE_ERROR | DW_INT_RESPONSE_CRC | DW_INT_DATA_CRC | DW_INT_RESPONSE_TIMEOUT |     \
     DW_INT_DATA_TIMEOUT | DW_INT_STARVED | DW_INT_FIFO | DW_INT_LOCKED | DW_INT_START_BIT |       \
     DW_INT_END_BIT)
#define DW_INT_USED (DW_INT_ERRORS | DW_INT_COMMAND_DONE | DW_INT_DATA_DONE | DW_INT_AUTO_STOP_DONE)

#define DW_STATUS_BUSY (1U << 9) // the card holds DAT0

#define DW_BMOD_RESET       (1U << 0)
#define DW_BMOD_FIXED_BURST (1U << 1)
#define DW_BMOD_ENABLE      (1U << 7)

#define DW_DMA_SENT        (1U << 0)
#define DW_DMA_RECEIVED    (1U << 1)
#define DW_DMA_BUS_ERROR   (1U << 2)
#define DW_DMA_UNAVAILABLE (1U << 4)
#define DW_DMA_CARD_ERROR  (1U << 5)
#define DW_DMA_NORMAL      (1U << 8)
#define DW_DMA_ABNORMAL    (1U << 9)
#define DW_DMA_ERRORS      (DW_DMA_BUS_ERROR | DW_DMA_UNAVAILABLE | DW_DMA_CARD_ERROR)
#define DW_DMA_USED                                                                                \
    (DW_DMA_SENT | DW_DMA_RECEIVED | DW_DMA_ERRORS | DW_DMA_NORMAL | DW_DMA_ABNORMAL)

#define DW_DESC_NO_INTERRUPT (1U << 1)
#define DW_DESC_LAST         (1U << 2)
#define DW_DESC_FIRST        (1U << 3)
#define DW_DESC_CHAINED      (1U << 4)
#define DW_DESC_OWN          (1U << 31)
