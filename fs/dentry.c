// SPDX-License-Identifier: BSD-2-Clause
// Dentries: names in directories, found by one hash table over (parent, name).
//
// A dentry is born negative and outside the tree, gets its inode and place by dentry_attach(), may
// move (rename) and leaves by dentry_detach() or, in file systems with a lookup op, with its last
// reference. Everything in the table has at least one reference: a count falls to zero either
// outside the table or with the tree lock held for writing. So under the tree lock any dentry that
// was found may be used and referenced; no lookup has to try.
//
// The table doubles when it is full, with the tree lock held for writing.
#include <arch/thread.h>
#include <lib/assert.h>
#include <mm/slab.h>
#include <string.h>

#include "vfs_priv.h"

#define HASH_BITS_START 9
#define HASH_BITS_MAX   18

static struct {
    struct spinlock lock;
} __attribute__((aligned(64))) tree_locks[NR_CPUS_MAX];

static struct dentry *first_buckets[1U << HASH_BITS_START];
// Tree lock
static struct dentry **buckets = first_buckets;
static unsigned int hash_bits = HASH_BITS_START;
static uint64_t nr_hashed, next_cookie = 2; // positions 0 and 1 are "." and ".."

static struct slab_cache *dentry_cache;

void dentry_init(void)
{
    dentry_cache = slab_cache_create("dentry", sizeof(struct dentry), 8);
}

unsigned int dentry_tree_read_lock(void)
{
    unsigned int slot = hart_self()->cpu;
    spin_lock(&tree_locks[slot].lock);
    return slot;
}

void dentry_tree_read_unlock(unsigned int slot)
{
    spin_unlock(&tree_locks[slot].lock);
}

void dentry_tree_write_lock(void)
{
    for (cpu_t i = 0; i < cpu_count(); i++)
        spin_lock(&tree_locks[i].lock);
}

void dentry_tree_write_unlock(void)
{
    for (cpu_t i = cpu_count(); i-- > 0;)
        spin_unlock(&tree_locks[i].lock);
}

static void assert_tree_locked(void)
{
    spin_assert_held(&tree_locks[hart_self()->cpu].lock);
}

uint32_t dentry_hash_name(const char *name, size_t length)
{
    uint32_t hash = DENTRY_HASH_START;
    for (size_t i = 0; i < length; i++)
        hash = dentry_hash_add(hash, (unsigned char)name[i]);
    return hash;
}

static inline struct dentry **hash_bucket(const struct dentry *parent, uint32_t hash)
{
    uint64_t key = (uint64_t)hash ^ ((uintptr_t)parent >> 4);
    return &buckets[(key * 0x9e3779b97f4a7c15ULL) >> (64 - hash_bits)];
}

struct dentry *dentry_find_hashed(const struct dentry *parent, const char *name, size_t length,
                                  uint32_t hash)
{
    struct dentry *d = *hash_bucket(parent, hash);
    for (; d; d = d->hash_next)
        if (d->hash == hash && d->parent == parent && d->name_length == length &&
            memcmp(d->name, name, length) == 0)
            return d;
    return NULL;
}

struct dentry *dentry_find(struct dentry *parent, const char *name, size_t length)
{
    uint32_t hash = dentry_hash_name(name, length);
    unsigned int slot = dentry_tree_read_lock();
    struct dentry *d = dentry_find_hashed(parent, name, length, hash);
    if (d)
        dentry_get(d);
    dentry_tree_read_unlock(slot);
    return d;
}

static void hash_insert_into(struct dentry **bucket, struct dentry *d)
{
    d->hash_next = *bucket;
    d->hash_link = bucket;
    if (d->hash_next)
        d->hash_next->hash_link = &d->hash_next;
    *bucket = d;
}

static void hash_grow(void)
{
    unsigned int old_size = 1U << hash_bits;
    struct dentry **old = buckets;
    struct dentry **larger = kzalloc((sizeof(*old) * old_size) << 1);
    if (!larger)
        return; // longer chains, nothing worse
    buckets = larger;
    hash_bits++;
    for (unsigned int i = 0; i < old_size; i++) {
        for (struct dentry *d = old[i], *next; d; d = next) {
            next = d->hash_next;
            hash_insert_into(hash_bucket(d->parent, d->hash), d);
        }
    }
    if (old != first_buckets)
        kfree(old);
}

static void hash_insert(struct dentry *d)
{
    if (++nr_hashed > (2ULL << hash_bits) && hash_bits < HASH_BITS_MAX)
        hash_grow();
    hash_insert_into(hash_bucket(d->parent, d->hash), d);
}

static void hash_remove(struct dentry *d)
{
    nr_hashed--;
    *d->hash_link = d->hash_next;
    if (d->hash_next)
        d->hash_next->hash_link = d->hash_link;
    d->hash_link = NULL;
}

// Does the tree, and not a lookup op, say what is in this directory?
static bool dentry_keeps_children(const struct dentry *dir)
{
    return dir->inode && dir->inode->ops->lookup == NULL;
}

struct dentry *dentry_create(struct dentry *parent, const char *name, size_t length)
{
    ASSERT(length <= NAME_MAX_LEN);
    struct dentry *d = slab_zalloc(dentry_cache);
    if (!d)
        return NULL;
    d->name = length < DENTRY_INLINE_NAME ? d->inline_name : kmalloc(length + 1);
    if (!d->name) {
        slab_free(dentry_cache, d);
        return NULL;
    }
    memcpy(d->name, name, length);
    d->name[length] = '\0';
    d->name_length = (uint8_t)length;
    d->hash = dentry_hash_name(name, length);
    refcount_init(&d->refs);
    list_init(&d->siblings);
    list_init(&d->children);
    d->parent = parent ? parent : d;
    if (parent)
        dentry_get(parent);
    return d;
}

void dentry_get(struct dentry *d)
{
    refcount_get(&d->refs);
}

// True if that was the last reference; the dentry is outside the tree then.
static bool dentry_drop_reference(struct dentry *d)
{
    uint32_t refs = atomic_load(&d->refs.count);
    while (refs > 1)
        if (atomic_compare_exchange(&d->refs.count, &refs, refs - 1))
            return false;
    // Ours is the last one, but in the tree a walk may take another at any time.
    if (!d->hash_link)
        return refcount_put(&d->refs);
    dentry_tree_write_lock();
    bool last = refcount_put(&d->refs);
    if (last && d->hash_link)
        hash_remove(d);
    dentry_tree_write_unlock();
    return last;
}

void dentry_put(struct dentry *d)
{
    while (d && dentry_drop_reference(d)) {
        ASSERT(list_is_empty(&d->children) && !d->mounted);
        struct dentry *parent = d->parent == d ? NULL : d->parent;
        if (d->inode)
            inode_put(d->inode);
        if (d->name != d->inline_name)
            kfree(d->name);
        slab_free(dentry_cache, d);
        d = parent; // its reference is the next to go
    }
}

void dentry_attach(struct dentry *d, struct inode *inode)
{
    ASSERT(!d->inode && !d->hash_link);
    if (d->parent == d) {
        d->inode = inode;
        return;
    }
    bool keeps = dentry_keeps_children(d->parent);
    if (keeps)
        dentry_get(d);
    dentry_tree_write_lock();
    d->inode = inode;
    hash_insert(d);
    if (keeps) {
        d->cookie = ++next_cookie;
        list_add_head(&d->parent->children, &d->siblings);
    }
    dentry_tree_write_unlock();
}

void dentry_detach(struct dentry *d)
{
    dentry_tree_write_lock();
    bool was_linked = list_is_linked(&d->siblings);
    if (d->hash_link)
        hash_remove(d);
    list_remove(&d->siblings);
    d->unlinked = true;
    dentry_tree_write_unlock();
    if (was_linked)
        dentry_put(d);
}

static void swap_names(struct dentry *a, struct dentry *b)
{
    char inline_name[DENTRY_INLINE_NAME], *name = a->name;
    bool a_inline = a->name == a->inline_name, b_inline = b->name == b->inline_name;

    memcpy(inline_name, a->inline_name, sizeof(inline_name));
    memcpy(a->inline_name, b->inline_name, sizeof(inline_name));
    memcpy(b->inline_name, inline_name, sizeof(inline_name));
    a->name = b_inline ? a->inline_name : b->name;
    b->name = a_inline ? b->inline_name : name;

    uint8_t length = a->name_length;
    a->name_length = b->name_length;
    b->name_length = length;
    uint32_t hash = a->hash;
    a->hash = b->hash;
    b->hash = hash;
}

static void place_in_directory(struct dentry *d)
{
    hash_insert(d);
    if (!dentry_keeps_children(d->parent))
        return;
    d->cookie = ++next_cookie;
    list_add_head(&d->parent->children, &d->siblings);
}

void dentry_move(struct dentry *from, struct dentry *to, bool exchange)
{
    dentry_tree_write_lock();
    hash_remove(from);
    list_remove(&from->siblings);
    bool to_was_linked = list_is_linked(&to->siblings);
    if (to->hash_link)
        hash_remove(to);
    list_remove(&to->siblings);
    // Each holds a reference on its parent: they change hands with the parents.
    struct dentry *parent = from->parent;
    from->parent = to->parent;
    to->parent = parent;
    swap_names(from, to);
    place_in_directory(from);
    if (exchange)
        place_in_directory(to);
    else
        to->unlinked = true;
    dentry_tree_write_unlock();
    if (!exchange && to_was_linked)
        dentry_put(to);
}

bool dentry_is_ancestor(const struct dentry *ancestor, const struct dentry *d)
{
    assert_tree_locked();
    for (; d != d->parent; d = d->parent)
        if (d == ancestor)
            return true;
    return d == ancestor;
}

void dentry_destroy_tree(struct dentry *root)
{
    struct dentry *d = root;
    for (;;) {
        while (!list_is_empty(&d->children))
            d = list_first_entry(&d->children, struct dentry, siblings);
        if (d == root)
            break;
        struct dentry *parent = d->parent; // kept by its own name, or it is the root
        dentry_detach(d);
        d = parent;
    }
    dentry_put(root);
}
