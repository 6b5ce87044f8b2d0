// SPDX-License-Identifier: BSD-2-Clause
// Red-black tree (Cormen et al., "Introduction to Algorithms", chapter 13), with parent pointers
// and an optional value that each node caches of its subtree.

#include <lib/rbtree.h>

static bool is_red(const struct rb_node *n)
{
    return n && n->red;
}

static void update(struct rb_node *n, rb_augment_fn augment)
{
    if (augment && n)
        augment(n);
}

void rb_propagate(struct rb_node *n, rb_augment_fn augment)
{
    for (; n; n = n->parent)
        augment(n);
}

// Make `now` stand where `old` stands below old's parent.
static void replace_child(struct rb_root *root, struct rb_node *old, struct rb_node *now)
{
    struct rb_node *parent = old->parent;

    if (!parent)
        root->node = now;
    else if (parent->left == old)
        parent->left = now;
    else
        parent->right = now;
    if (now)
        now->parent = parent;
}

void rb_replace(struct rb_root *root, struct rb_node *old, struct rb_node *now)
{
    *now = *old;
    replace_child(root, old, now);
    if (now->left)
        now->left->parent = now;
    if (now->right)
        now->right->parent = now;
}

static void rotate_left(struct rb_root *root, struct rb_node *n, rb_augment_fn augment)
{
    struct rb_node *up = n->right;

    n->right = up->left;
    if (up->left)
        up->left->parent = n;
    replace_child(root, n, up);
    up->left = n;
    n->parent = up;
    update(n, augment);
    update(up, augment);
}

static void rotate_right(struct rb_root *root, struct rb_node *n, rb_augment_fn augment)
{
    struct rb_node *up = n->left;

    n->left = up->right;
    if (up->right)
        up->right->parent = n;
    replace_child(root, n, up);
    up->right = n;
    n->parent = up;
    update(n, augment);
    update(up, augment);
}

void rb_insert(struct rb_root *root, struct rb_node *parent, struct rb_node **link,
               struct rb_node *n, rb_augment_fn augment)
{
    n->parent = parent;
    n->left = n->right = NULL;
    n->red = parent != NULL;
    *link = n;
    if (augment)
        rb_propagate(n, augment);
    if (!parent) // the root
        return;

    // A red node with a red parent is the only violation there can be; move it up or rotate it
    // away.
    while (is_red(n->parent)) {
        struct rb_node *p = n->parent, *g = p->parent;
        bool p_left = p == g->left;
        struct rb_node *uncle = p_left ? g->right : g->left;

        if (is_red(uncle)) {
            p->red = uncle->red = false;
            g->red = true;
            n = g;
            continue;
        }
        if (p_left && n == p->right) {
            rotate_left(root, p, augment);
            p = n;
        } else if (!p_left && n == p->left) {
            rotate_right(root, p, augment);
            p = n;
        }
        p->red = false;
        g->red = true;
        if (p_left)
            rotate_right(root, g, augment);
        else
            rotate_left(root, g, augment);
        break;
    }
    root->node->red = false;
}

// The subtree at `n` (may be NULL, below `parent`) lacks one black node: fill it up.
static void erase_fixup(struct rb_root *root, struct rb_node *n, struct rb_node *parent,
                        rb_augment_fn augment)
{
    while (n != root->node && !is_red(n)) {
        bool left = n == parent->left;
        struct rb_node *sibling = left ? parent->right : parent->left;

        if (is_red(sibling)) {
            sibling->red = false;
            parent->red = true;
            if (left)
                rotate_left(root, parent, augment);
            else
                rotate_right(root, parent, augment);
            sibling = left ? parent->right : parent->left;
        }
        struct rb_node *near = left ? sibling->left : sibling->right;
        struct rb_node *far = left ? sibling->right : sibling->left;
        if (!is_red(near) && !is_red(far)) {
            sibling->red = true;
            n = parent;
            parent = n->parent;
            continue;
        }
        if (!is_red(far)) {
            near->red = false;
            sibling->red = true;
            if (left)
                rotate_right(root, sibling, augment);
            else
                rotate_left(root, sibling, augment);
            far = sibling;
            sibling = near;
        }
        sibling->red = parent->red;
        parent->red = false;
        far->red = false;
        if (left)
            rotate_left(root, parent, augment);
        else
            rotate_right(root, parent, augment);
        n = root->node;
    }
    if (n)
        n->red = false;
}

void rb_erase(struct rb_root *root, struct rb_node *n, rb_augment_fn augment)
{
    struct rb_node *child, *parent; // what moves up, and below whom
    bool removed_red;

    if (root->node == n && !n->left && !n->right) { // the only one
        root->node = NULL;
        return;
    }
    if (n->left && n->right) {
        // Its successor has no left child: take it out and put it in n's place.
        struct rb_node *next = n->right;
        while (next->left)
            next = next->left;
        child = next->right;
        removed_red = next->red;
        if (next->parent == n) {
            parent = next;
        } else {
            parent = next->parent;
            replace_child(root, next, child);
            next->right = n->right;
            next->right->parent = next;
        }
        replace_child(root, n, next);
        next->left = n->left;
        next->left->parent = next;
        next->red = n->red;
    } else {
        child = n->left ? n->left : n->right;
        parent = n->parent;
        removed_red = n->red;
        replace_child(root, n, child);
    }
    if (augment)
        rb_propagate(parent, augment);
    if (!removed_red)
        erase_fixup(root, child, parent, augment);
}

struct rb_node *rb_first(const struct rb_root *root)
{
    struct rb_node *n = root->node;

    while (n && n->left)
        n = n->left;
    return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
    struct rb_node *n = root->node;

    while (n && n->right)
        n = n->right;
    return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
    if (n->right) {
        n = n->right;
        while (n->left)
            n = n->left;
        return (struct rb_node *)n;
    }
    while (n->parent && n == n->parent->right)
        n = n->parent;
    return n->parent;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
    if (n->left) {
        n = n->left;
        while (n->right)
            n = n->right;
        return (struct rb_node *)n;
    }
    while (n->parent && n == n->parent->left)
        n = n->parent;
    return n->parent;
}
