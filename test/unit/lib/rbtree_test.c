// SPDX-License-Identifier: BSD-2-Clause
// A tree that loses order, balance or its cached values would lose regions, timers and run-queue
// entries: random insertions and removals against an array, every invariant checked after each.

#include <lib/rbtree.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct item {
    struct rb_node node;
    int key;
    int max; // of the subtree's keys
    bool in;
};

static void augment(struct rb_node *n)
{
    struct item *i = rb_entry(n, struct item, node);
    struct item *l = rb_entry_or_null(n->left, struct item, node);
    struct item *r = rb_entry_or_null(n->right, struct item, node);

    i->max = MAX(i->key, MAX(l ? l->max : INT_MIN, r ? r->max : INT_MIN));
}

static void insert(struct rb_root *root, struct item *item)
{
    struct rb_node **link = &root->node, *parent = NULL;

    while (*link) {
        parent = *link;
        link =
            item->key < rb_entry(parent, struct item, node)->key ? &parent->left : &parent->right;
    }
    rb_insert(root, parent, link, &item->node, augment);
    item->in = true;
}

// Black height of a subtree; fails the test where a rule is broken.
static int check_subtree(const struct rb_node *n, const struct rb_node *parent)
{
    if (!n)
        return 1;
    const struct item *i = rb_entry(n, struct item, node);
    const struct item *l = rb_entry_or_null(n->left, struct item, node);
    const struct item *r = rb_entry_or_null(n->right, struct item, node);
    assert_ptr_equal(n->parent, parent);
    assert_false(n->red && ((n->left && n->left->red) || (n->right && n->right->red)));
    assert_true(!l || l->key <= i->key);
    assert_true(!r || r->key >= i->key);
    assert_int_equal(i->max, MAX(i->key, MAX(l ? l->max : INT_MIN, r ? r->max : INT_MIN)));
    int left = check_subtree(n->left, n), right = check_subtree(n->right, n);
    assert_int_equal(left, right);
    return left + !n->red;
}

static void check_tree(const struct rb_root *root, const struct item *items, int nr)
{
    int expected = 0, forward = 0, backward = 0;

    assert_false(root->node && root->node->red);
    check_subtree(root->node, NULL);
    for (int i = 0; i < nr; i++)
        expected += items[i].in;
    for (const struct rb_node *n = rb_first(root); n; n = rb_next(n))
        forward++;
    for (const struct rb_node *n = rb_last(root); n; n = rb_prev(n))
        backward++;
    assert_int_equal(forward, expected);
    assert_int_equal(backward, expected);
}

static void test_random(void **state)
{
    enum { NR = 64 };
    static struct item items[NR];

    for (unsigned int seed = 1; seed <= 40; seed++) {
        struct rb_root root = {NULL};
        srandom(seed);
        for (int i = 0; i < NR; i++)
            items[i] = (struct item){.key = (int)(random() % 50)};
        for (int step = 0; step < 400; step++) {
            struct item *item = &items[random() % NR];
            if (item->in) {
                rb_erase(&root, &item->node, augment);
                item->in = false;
            } else {
                insert(&root, item);
            }
            check_tree(&root, items, NR);
        }
    }
}

static void test_ascending_is_balanced(void **state)
{
    enum { NR = 1000 };
    static struct item items[NR];
    struct rb_root root = {NULL};

    for (int i = 0; i < NR; i++) {
        items[i] = (struct item){.key = i};
        insert(&root, &items[i]);
    }
    check_tree(&root, items, NR);
    int depth = 0;
    for (struct rb_node *n = root.node; n; n = n->right)
        depth++;
    assert_in_range(depth, 5, 20); // 2 log2(n + 1)
    for (int i = 0; i < NR; i++) {
        rb_erase(&root, &items[i].node, augment);
        items[i].in = false;
    }
    assert_null(root.node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_ascending_is_balanced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
