// SPDX-License-Identifier: BSD-2-Clause
// Intrusive red-black tree, optionally augmented. The caller descends to find the place (he knows
// the order), links the node and rebalances. No locking: the caller's lock guards the tree.
#pragma once

#include <lib/types.h>

struct rb_node {
    struct rb_node *parent, *left, *right;
    bool red;
};

struct rb_root {
    struct rb_node *node;
};

// Recompute what `n` caches from itself and its two children. NULL where nothing is cached.
typedef void (*rb_augment_fn)(struct rb_node *n);

// Put `n` in `*link`, an empty child slot of `parent` (or the root's), and rebalance.
void rb_insert(struct rb_root *root, struct rb_node *parent, struct rb_node **link,
               struct rb_node *n, rb_augment_fn augment);
void rb_erase(struct rb_root *root, struct rb_node *n, rb_augment_fn augment);
// Put `now`, which is in no tree, in the place of `old`. What they cache must be equal.
void rb_replace(struct rb_root *root, struct rb_node *old, struct rb_node *now);
// After a change of what `n` caches: recompute it and every ancestor.
void rb_propagate(struct rb_node *n, rb_augment_fn augment);

struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);

#define rb_entry(n, type, member) container_of(n, type, member)
#define rb_entry_or_null(n, type, member)                                                          \
    ({                                                                                             \
        struct rb_node *rb_entry_n = (n);                                                          \
        rb_entry_n ? rb_entry(rb_entry_n, type, member) : NULL;                                    \
    })
#define rb_for_each_entry(it, root, member)                                                        \
    for (it = rb_entry_or_null(rb_first(root), __typeof__(*it), member); it;                       \
         it = rb_entry_or_null(rb_next(&it->member), __typeof__(*it), member))
