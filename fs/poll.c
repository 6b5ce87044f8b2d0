// SPDX-License-Identifier: BSD-2-Clause
// poll(2): ask every file, wait on the queues they named, ask again.
//
// A poll_table belongs to the waiting thread and lives on its stack; entries beyond the inline ones
// are in blocks on the heap that don't move, because they are linked in wait queues. Each entry
// holds its file, so that the queue outlives the wait even if the descriptor is closed meanwhile.
//
// No locks of its own: the queues' locks are inside wait_queue_add and _remove.
#include <asm/poll.h>
#include <errno.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <mm/slab.h>

void poll_table_init(struct poll_table *table)
{
    table->file = NULL;
    table->add = NULL;
    table->nr = 0;
    table->error = 0;
    table->blocks = NULL;
}

static struct poll_entry *poll_table_entry(struct poll_table *table)
{
    struct poll_block *block = table->blocks;

    if (table->nr < POLL_INLINE)
        return &table->inline_entries[table->nr++];
    if (block == NULL || block->nr == ARRAY_SIZE(block->entries)) {
        block = kmalloc(sizeof(*block));
        if (block == NULL)
            return NULL;
        block->nr = 0;
        block->next = table->blocks;
        table->blocks = block;
    }
    return &block->entries[block->nr++];
}

void poll_add(struct poll_table *table, struct wait_queue *queue)
{
    if (table == NULL)
        return;
    if (table->add != NULL) {
        table->add(table, queue);
        return;
    }
    struct poll_entry *e = poll_table_entry(table);
    if (e == NULL) {
        table->error = -ENOMEM;
        return;
    }
    file_get(table->file);
    e->file = table->file;
    e->queue = queue;
    waiter_init(&e->waiter, false);
    wait_queue_add(queue, &e->waiter);
}

unsigned int poll_table_ask(struct poll_table *table, struct file *file)
{
    if (table != NULL)
        table->file = file;
    return file_poll(file, table);
}

static void poll_release_entries(struct poll_entry *entries, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++) {
        wait_queue_remove(entries[i].queue, &entries[i].waiter);
        file_put(entries[i].file);
    }
}

void poll_table_release(struct poll_table *table)
{
    struct poll_block *block;

    poll_release_entries(table->inline_entries, table->nr);
    while ((block = table->blocks) != NULL) {
        poll_release_entries(block->entries, block->nr);
        table->blocks = block->next;
        kfree(block);
    }
    table->nr = 0;
}

// Ask one descriptor. Its revents.
static short poll_one(struct fd_table *fds, const struct pollfd *p, unsigned int always,
                      struct poll_table *table)
{
    if (p->fd < 0)
        return 0;
    struct fd_ref ref = fd_borrow(fds, p->fd);
    if (ref.file == NULL)
        return POLLNVAL;
    unsigned int events = poll_table_ask(table, ref.file);
    fd_return(ref);
    return (short)(events & ((unsigned short)p->events | always));
}

// Ask all. Once one is ready nobody will sleep: the rest isn't queued on any more.
static int poll_scan(struct fd_table *fds, struct pollfd *polls, unsigned int nr,
                     unsigned int always, struct poll_table *table)
{
    int ready = 0;

    for (unsigned int i = 0; i < nr; i++) {
        polls[i].revents = poll_one(fds, &polls[i], always, table);
        if (polls[i].revents != 0) {
            ready++;
            table = NULL;
        }
    }
    return ready;
}

int poll_wait(struct fd_table *fds, struct pollfd *polls, unsigned int nr, unsigned int always,
              uint64_t deadline_ns)
{
    struct poll_table table;
    int err = 0;

    poll_table_init(&table);
    int ready = poll_scan(fds, polls, nr, always, deadline_ns == 0 ? NULL : &table);
    if (deadline_ns == 0)
        return ready;
    while (ready == 0 && err == 0 && table.error == 0) {
        err = port_park(PARK_INTERRUPTIBLE, deadline_ns);
        ready = poll_scan(fds, polls, nr, always, NULL);
    }
    if (ready == 0)
        ready = table.error != 0 ? table.error : err == -EINTR ? -EINTR : 0;
    poll_table_release(&table);
    return ready;
}
