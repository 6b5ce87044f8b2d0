// SPDX-License-Identifier: BSD-2-Clause
// Synopsys DesignWare mobile storage host with its internal DMA controller, for SD cards
// (DWC_mobile_ storage databook 2.90a, register names as there). Four lines, default speed (25
// MHz).
//
// One request at a time: sd_card.lock, or probe. The interrupt handler collects events under
// host.lock (irq-safe) and wakes the sleeper. DMA has 32-bit addresses: pages beyond go through
// bounce pages.

#include "clk_priv.h"
#include "dw_mshc_priv.h"
#include "sd_priv.h"

#include <arch/clock.h>
#include <arch/log.h>
#include <arch/mmio.h>
#include <core/board.h>
#include <core/driver.h>
#include <core/irq.h>
#include <errno.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vmap.h>
#include <string.h>
#include <sync/wait_queue.h>

#define DMA_LIMIT        (1UL << 32)
#define BOUNCE_ORDER     4U
#define BOUNCE_PAGES     (1U << BOUNCE_ORDER)
#define SECTORS_PER_PAGE (PAGE_SIZE / SD_SECTOR)
#define COMMAND_NS       (500 * NS_PER_MS)
#define REGISTER_US      10000U // for bits that clear themselves
#define POWER_UP_NS      (10 * NS_PER_MS)
#define CARD_ERRORS      0xfdf90008U // of R1: SD specification, 4.10.1

struct dw_descriptor {
    uint32_t control, size, buffer, next;
};

struct dw_mshc {
    struct sd_card card;
    volatile uint8_t *regs;
    uint64_t source_hz;
    bool four_lines;
    uint32_t relative_addr;
    uint32_t events, dma_events; // changed under `lock`, read without
    struct spinlock lock;
    struct wait_queue wait;
    struct dw_descriptor *descriptors;
    struct page *bounce; // BOUNCE_PAGES of them
};

static uint32_t reg_read(struct dw_mshc *h, uint32_t reg)
{
    return mmio_read32(h->regs + reg);
}

static void reg_write(struct dw_mshc *h, uint32_t reg, uint32_t value)
{
    mmio_write32(h->regs + reg, value);
}

static void nap(uint64_t ns)
{
    (void)port_park(PARK_UNINTERRUPTIBLE, clock_monotonic_ns() + ns);
}

// 0 or -ETIMEDOUT.
static int wait_clear(struct dw_mshc *h, uint32_t reg, uint32_t bits)
{
    for (unsigned int us = 0; us < REGISTER_US; us++) {
        if (!(reg_read(h, reg) & bits))
            return 0;
        clock_delay_us(1);
    }
    return -ETIMEDOUT;
}

static void dw_interrupt(void *arg)
{
    struct dw_mshc *h = arg;
    // Under the lock, so that what command() clears does not come back as its own.
    irq_flags_t flags = spin_lock_irqsave(&h->lock);
    uint32_t events = reg_read(h, DW_RINTSTS), dma_events = reg_read(h, DW_IDSTS);

    reg_write(h, DW_RINTSTS, events);
    reg_write(h, DW_IDSTS, dma_events);
    atomic_store(&h->dma_events, h->dma_events | dma_events);
    // Pairs with the acquire in await(): what DMA wrote is there when the event is.
    atomic_store_release(&h->events, h->events | events);
    spin_unlock_irqrestore(&h->lock, flags);
    wait_queue_wake_all(&h->wait);
}

static bool has_events(struct dw_mshc *h, uint32_t wanted, uint32_t dma_wanted)
{
    uint32_t events = atomic_load_acquire(&h->events), dma = atomic_load(&h->dma_events);

    if (events & DW_INT_ERRORS || dma & DW_DMA_ERRORS)
        return true;
    return (events & wanted) == wanted && (!dma_wanted || dma & dma_wanted);
}

// All of `wanted`, and one of `dma_wanted` unless 0. 0, -EIO, -ETIMEDOUT.
static int await(struct dw_mshc *h, uint32_t wanted, uint32_t dma_wanted, uint64_t limit_ns)
{
    int err = wait_event(&h->wait, has_events(h, wanted, dma_wanted), PARK_UNINTERRUPTIBLE,
                         clock_monotonic_ns() + limit_ns);

    if (err)
        return -ETIMEDOUT;
    if (h->events & DW_INT_RESPONSE_TIMEOUT)
        return -ETIMEDOUT;
    return h->events & DW_INT_ERRORS || h->dma_events & DW_DMA_ERRORS ? -EIO : 0;
}

// Start a command; its data were set up before. The answer is in RESP0.. then.
static int command(struct dw_mshc *h, uint32_t number, uint32_t arg, uint32_t flags)
{
    if (wait_clear(h, DW_CMD, DW_CMD_START) != 0)
        return -ETIMEDOUT;
    irq_flags_t irq = spin_lock_irqsave(&h->lock);
    reg_write(h, DW_RINTSTS, UINT32_MAX);
    reg_write(h, DW_IDSTS, UINT32_MAX);
    h->events = h->dma_events = 0;
    spin_unlock_irqrestore(&h->lock, irq);
    reg_write(h, DW_CMDARG, arg);
    reg_write(h, DW_CMD, DW_CMD_START | DW_CMD_HOLD | DW_CMD_WAIT_DATA | flags | number);
    return await(h, DW_INT_COMMAND_DONE, 0, COMMAND_NS);
}

// With an R1 answer, whose error bits count.
static int command_r1(struct dw_mshc *h, uint32_t number, uint32_t arg, uint32_t flags)
{
    int err = command(h, number, arg, DW_CMD_RESPONSE | DW_CMD_CHECK_CRC | flags);

    return err == 0 && reg_read(h, DW_RESP0) & CARD_ERRORS ? -EIO : err;
}

static int app_command(struct dw_mshc *h, uint32_t number, uint32_t arg, uint32_t flags)
{
    int err = command_r1(h, SD_APP, h->relative_addr, 0);

    return err ? err : command(h, number, arg, DW_CMD_RESPONSE | flags);
}

// Takes over CLKENA and CLKDIV.
static int update_clock(struct dw_mshc *h)
{
    reg_write(h, DW_CMD, DW_CMD_START | DW_CMD_CLOCK_ONLY | DW_CMD_WAIT_DATA);
    return wait_clear(h, DW_CMD, DW_CMD_START);
}

static int set_clock(struct dw_mshc *h, uint32_t hz)
{
    uint64_t divider = h->source_hz > hz ? DIV_ROUND_UP(h->source_hz, 2UL * hz) : 0;

    reg_write(h, DW_CLKENA, 0);
    int err = update_clock(h);
    if (err)
        return err;
    reg_write(h, DW_CLKDIV, (uint32_t)MIN(divider, 255UL));
    err = update_clock(h);
    if (err)
        return err;
    reg_write(h, DW_CLKENA, 1);
    return update_clock(h);
}

static int reset_host(struct dw_mshc *h)
{
    const uint32_t resets = DW_CTRL_RESET | DW_CTRL_FIFO_RESET | DW_CTRL_DMA_RESET;

    reg_write(h, DW_CTRL, resets);
    int err = wait_clear(h, DW_CTRL, resets);
    if (err)
        return err;
    reg_write(h, DW_BMOD, DW_BMOD_RESET);
    err = wait_clear(h, DW_BMOD, DW_BMOD_RESET);
    if (err)
        return err;
    reg_write(h, DW_RINTSTS, UINT32_MAX);
    reg_write(h, DW_IDSTS, UINT32_MAX);
    reg_write(h, DW_INTMASK, DW_INT_USED);
    reg_write(h, DW_IDINTEN, DW_DMA_USED);
    reg_write(h, DW_TMOUT, UINT32_MAX);
    reg_write(h, DW_CTRL, DW_CTRL_INT_ENABLE | DW_CTRL_USE_DMA);
    return 0;
}

static paddr_t dma_address(struct dw_mshc *h, struct page *page, unsigned int i)
{
    paddr_t pa = page_to_phys(page);

    return pa + PAGE_SIZE <= DMA_LIMIT ? pa : page_to_phys(h->bounce) + i * PAGE_SIZE;
}

static void *bounce_address(struct dw_mshc *h, unsigned int i)
{
    return (uint8_t *)page_to_virt(h->bounce) + i * PAGE_SIZE;
}

static bool is_bounced(struct page *page)
{
    return page_to_phys(page) + PAGE_SIZE > DMA_LIMIT;
}

// A descriptor for each page.
static void dma_prepare(struct dw_mshc *h, bool write, struct page *const *pages, unsigned int nr)
{
    paddr_t chain = virt_to_phys(h->descriptors);
    unsigned int nr_pages = (unsigned int)DIV_ROUND_UP(nr, SECTORS_PER_PAGE);

    for (unsigned int i = 0; i < nr_pages; i++) {
        uint32_t bytes = (uint32_t)MIN(nr * SD_SECTOR - i * PAGE_SIZE, PAGE_SIZE);
        bool last = i + 1 == nr_pages;
        if (write && is_bounced(pages[i]))
            memcpy(bounce_address(h, i), page_to_virt(pages[i]), bytes);
        board_dma_sync(dma_address(h, pages[i], i), bytes);
        h->descriptors[i] = (struct dw_descriptor){
            .control = DW_DESC_OWN | DW_DESC_CHAINED | (i == 0 ? DW_DESC_FIRST : 0) |
                       (last ? DW_DESC_LAST : DW_DESC_NO_INTERRUPT),
            .size = bytes,
            .buffer = (uint32_t)dma_address(h, pages[i], i),
            .next = last ? 0 : (uint32_t)(chain + (i + 1) * sizeof(struct dw_descriptor)),
        };
    }
    board_dma_sync(chain, nr_pages * sizeof(struct dw_descriptor));
    reg_write(h, DW_CTRL, reg_read(h, DW_CTRL) | DW_CTRL_FIFO_RESET);
    wait_clear(h, DW_CTRL, DW_CTRL_FIFO_RESET);
    reg_write(h, DW_DBADDR, (uint32_t)chain);
    reg_write(h, DW_BMOD, DW_BMOD_ENABLE | DW_BMOD_FIXED_BURST);
    reg_write(h, DW_BLKSIZ, SD_SECTOR);
    reg_write(h, DW_BYTCNT, nr * SD_SECTOR);
}

static void dma_finish_read(struct dw_mshc *h, struct page *const *pages, unsigned int nr)
{
    unsigned int nr_pages = (unsigned int)DIV_ROUND_UP(nr, SECTORS_PER_PAGE);

    for (unsigned int i = 0; i < nr_pages; i++) {
        uint32_t bytes = (uint32_t)MIN(nr * SD_SECTOR - i * PAGE_SIZE, PAGE_SIZE);
        board_dma_sync(dma_address(h, pages[i], i), bytes);
        if (is_bounced(pages[i]))
            memcpy(page_to_virt(pages[i]), bounce_address(h, i), bytes);
    }
}

// The card programs what it took. 0 or -ETIMEDOUT.
static int wait_programmed(struct dw_mshc *h)
{
    uint64_t deadline = clock_monotonic_ns() + SD_WRITE_NS;

    while (reg_read(h, DW_STATUS) & DW_STATUS_BUSY) {
        if (clock_monotonic_ns() > deadline)
            return -ETIMEDOUT;
        nap(NS_PER_MS / 4);
    }
    return 0;
}

static int dw_transfer(struct sd_card *c, bool write, uint64_t sector, struct page *const *pages,
                       unsigned int nr)
{
    struct dw_mshc *h = container_of(c, struct dw_mshc, card);
    uint32_t number =
        write ? (nr > 1 ? SD_WRITE_MULTIPLE : SD_WRITE) : (nr > 1 ? SD_READ_MULTIPLE : SD_READ);
    uint32_t flags = DW_CMD_DATA | (write ? DW_CMD_WRITE : 0) | (nr > 1 ? DW_CMD_AUTO_STOP : 0);

    dma_prepare(h, write, pages, nr);
    int err = command_r1(h, number, (uint32_t)(c->by_sector ? sector : sector * SD_SECTOR), flags);
    if (err == 0)
        err = await(h, DW_INT_DATA_DONE | (nr > 1 ? DW_INT_AUTO_STOP_DONE : 0),
                    write ? DW_DMA_SENT : DW_DMA_RECEIVED, write ? SD_WRITE_NS : SD_READ_NS);
    if (err == 0 && write)
        err = wait_programmed(h);
    if (err == 0 && !write)
        dma_finish_read(h, pages, nr);
    // The card may go on, and the pages are their owner's again: the DMA must be off.
    if (err && reset_host(h) != 0)
        log_err("dw-mshc: a transfer that failed can't be stopped");
    return err;
}

// From power-on to an operating condition (SD specification, 4.2.3).
static int negotiate(struct dw_mshc *h)
{
    uint64_t deadline = clock_monotonic_ns() + SD_READY_NS;
    int err = command(h, SD_GO_IDLE, 0, DW_CMD_INITIALIZE);

    if (err)
        return err;
    err = command(h, SD_SEND_IF_COND, SD_IF_COND_3V3, DW_CMD_RESPONSE | DW_CMD_CHECK_CRC);
    bool version_2 = err == 0 && (reg_read(h, DW_RESP0) & 0xff) == (SD_IF_COND_3V3 & 0xff);
    h->relative_addr = 0;
    uint32_t wanted = (uint32_t)(SD_OCR_3V3 | (version_2 ? SD_OCR_HIGH_CAP : 0));
    for (;;) {
        err = app_command(h, SD_APP_OP_COND, wanted, 0); // its answer has no checksum
        if (err)
            return err;
        uint32_t ocr = reg_read(h, DW_RESP0);
        h->card.by_sector = version_2 && ocr & SD_OCR_HIGH_CAP;
        if (ocr & SD_OCR_READY)
            return 0;
        if (clock_monotonic_ns() > deadline)
            return -ETIMEDOUT;
        nap(NS_PER_MS);
    }
}

// A long answer as it came over the line; the last byte, its checksum, as 0.
static void read_long_response(struct dw_mshc *h, uint8_t data[16])
{
    for (unsigned int i = 0; i < 4; i++) {
        uint32_t word = reg_read(h, DW_RESP0 + 4 * (3 - i));
        for (unsigned int j = 0; j < 4; j++)
            data[4 * i + j] = (uint8_t)(word >> (24 - 8 * j));
    }
    data[15] = 0;
}

// From there to the transfer state, on all lines that there are.
static int identify(struct dw_mshc *h, struct sd_identity *who)
{
    uint8_t csd[16];
    int err = command(h, SD_ALL_SEND_CID, 0, DW_CMD_RESPONSE | DW_CMD_LONG_RESPONSE);

    if (err)
        return err;
    read_long_response(h, who->cid);
    err = command(h, SD_SEND_RELATIVE_ADDR, 0, DW_CMD_RESPONSE | DW_CMD_CHECK_CRC);
    if (err)
        return err;
    h->relative_addr = reg_read(h, DW_RESP0) & 0xffff0000;
    err = command(h, SD_SEND_CSD, h->relative_addr, DW_CMD_RESPONSE | DW_CMD_LONG_RESPONSE);
    if (err)
        return err;
    read_long_response(h, csd);
    who->nr_sectors = sd_csd_sectors(csd);
    if (who->nr_sectors == 0)
        return -EINVAL;
    err = command_r1(h, SD_SELECT, h->relative_addr, 0);
    if (err == 0)
        err = command_r1(h, SD_SET_BLOCK_SIZE, SD_SECTOR, 0);
    if (err == 0 && h->four_lines)
        err = app_command(h, SD_APP_BUS_WIDTH, 2, DW_CMD_CHECK_CRC);
    if (err)
        return err;
    reg_write(h, DW_CTYPE, h->four_lines ? 1 : 0);
    return set_clock(h, SD_DEFAULT_HZ);
}

static int dw_start(struct sd_card *c, struct sd_identity *who)
{
    struct dw_mshc *h = container_of(c, struct dw_mshc, card);
    int err = reset_host(h);

    if (err)
        return err;
    reg_write(h, DW_CTYPE, 0);
    reg_write(h, DW_PWREN, 1);
    nap(POWER_UP_NS);
    err = set_clock(h, SD_IDENTIFY_HZ);
    if (err) {
        log_err("dw-mshc: the host takes no command: is its clock on?");
        return err;
    }
    if (negotiate(h) != 0)
        return -ENODEV;
    return identify(h, who);
}

static const struct sd_ops dw_ops = {.transfer = dw_transfer, .start = dw_start};

// A block below 4 GiB, of any content. The allocator knows no such wish, so those above are held
// until one comes: only at probe. NULL: none.
static struct page *page_alloc_low(unsigned int order)
{
    struct list_node above = LIST_INIT(above);
    struct page *p;

    while ((p = page_alloc(order, 0)) && page_to_phys(p) + (PAGE_SIZE << order) > DMA_LIMIT)
        list_add_head(&above, &p->list);
    while (!list_is_empty(&above)) {
        struct page *held = container_of(above.next, struct page, list);
        list_remove(&held->list);
        page_put(held);
    }
    return p;
}

static int attach(struct dw_mshc *h, const void *fdt, int node)
{
    uint32_t irq;
    struct page *chain = page_alloc_low(0);

    h->bounce = page_alloc_low(BOUNCE_ORDER);
    if (!chain || !h->bounce)
        return -ENOMEM;
    h->descriptors = page_to_virt(chain);
    memset(h->descriptors, 0, PAGE_SIZE);
    h->card.ops = &dw_ops;
    h->card.max_sectors = BOUNCE_PAGES * SECTORS_PER_PAGE;
    wait_queue_init(&h->wait);
    int err = reset_host(h);
    if (err == 0)
        err = irq_from_dt(fdt, node, 0, &irq);
    if (err == 0)
        err = irq_attach(irq, dw_interrupt, h, "dw-mshc");
    if (err) {
        log_err("dw-mshc: can't be used (%d)", err);
        return err;
    }
    return sd_card_register(&h->card, "sd slot");
}

// What was allocated stays if it fails after that: the interrupt handler may be attached.
static int dw_probe(const void *fdt, int node)
{
    paddr_t base;
    uint64_t size;

    if (fdt_getprop(fdt, node, "non-removable", NULL)) {
        log_info("dw-mshc: a soldered eMMC, which there is no driver for");
        return 0;
    }
    if (dt_reg(fdt, node, 0, &base, &size) != 0 || size < DW_SIZE) {
        log_err("dw-mshc: no usable reg");
        return -EINVAL;
    }
    int err = clk_open_device(fdt, node);
    uint64_t hz = clk_rate(fdt, node, "ciu");
    if (err || hz == 0) {
        log_err("dw-mshc: no clock or reset for it (%d, %lu Hz)", err, (unsigned long)hz);
        return err ? err : -ENODEV;
    }
    struct dw_mshc *h = kzalloc(sizeof(*h));
    if (!h)
        return -ENOMEM;
    h->source_hz = hz;
    h->four_lines = dt_u32(fdt, node, "bus-width", 1) >= 4;
    h->regs = vmap_device(base, size);
    if (!h->regs) {
        kfree(h);
        return -ENOMEM;
    }
    err = attach(h, fdt, node);
    return err == -ENODEV ? 0 : err; // an empty slot is no fault
}

static const char *const dw_compatible[] = {"starfive,jh7110-mmc", "snps,dw-mshc", NULL};

DRIVER(dw_mshc_driver) = {
    .name = "dw-mshc",
    .compatible = dw_compatible,
    .phase = DRIVER_DEVICE,
    .probe = dw_probe,
};
