// SPDX-License-Identifier: BSD-2-Clause
// Intrusive circular doubly linked list. The head is a node itself; an empty list points to itself.
// No locking: the caller's lock guards head and nodes.
#pragma once

#include <lib/types.h>

struct list_node {
    struct list_node *prev, *next;
};

#define LIST_INIT(name)                                                                            \
    {                                                                                              \
        .prev = &(name), .next = &(name)                                                           \
    }

static inline void list_init(struct list_node *n)
{
    n->prev = n->next = n;
}

static inline bool list_is_empty(const struct list_node *head)
{
    return head->next == head;
}

// Also true of a node that list_remove() took out: it points to itself.
static inline bool list_is_linked(const struct list_node *n)
{
    return n->next != n;
}

static inline void list_insert_before(struct list_node *pos, struct list_node *n)
{
    n->prev = pos->prev;
    n->next = pos;
    pos->prev->next = n;
    pos->prev = n;
}

static inline void list_add_head(struct list_node *head, struct list_node *n)
{
    list_insert_before(head->next, n);
}

static inline void list_add_tail(struct list_node *head, struct list_node *n)
{
    list_insert_before(head, n);
}

static inline void list_remove(struct list_node *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

// Two rings without a head, of `a` and of `b`: the second goes to the end of the first (before
// `a`). If they are one ring, it is cut in two: from `a` on, and from `b` on.
static inline void list_exchange_ends(struct list_node *a, struct list_node *b)
{
    struct list_node *last = a->prev;

    a->prev = b->prev;
    b->prev->next = a;
    b->prev = last;
    last->next = b;
}

// Move all of `from` to the end of `to`; `from` is empty afterwards.
static inline void list_splice_tail(struct list_node *to, struct list_node *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_entry(n, type, member)       container_of(n, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
#define list_last_entry(h, type, member)  list_entry((h)->prev, type, member)

#define list_for_each_entry(it, head, member)                                                      \
    for (it = list_first_entry(head, __typeof__(*it), member); &it->member != (head);              \
         it = list_first_entry(&it->member, __typeof__(*it), member))

// The body may remove `it`.
#define list_for_each_entry_safe(it, tmp, head, member)                                            \
    for (it = list_first_entry(head, __typeof__(*it), member),                                     \
        tmp = list_first_entry(&it->member, __typeof__(*it), member);                              \
         &it->member != (head);                                                                    \
         it = tmp, tmp = list_first_entry(&tmp->member, __typeof__(*tmp), member))
