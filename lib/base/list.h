/* base/list.h: intrusive doubly linked list. A node that is in no list points at itself. */
#ifndef GW_BASE_LIST_H
#define GW_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct gw_list {
    struct gw_list *prev, *next;
};

#define GW_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void gw_list_init(struct gw_list *l)
{
    l->prev = l->next = l;
}
static inline bool gw_list_is_empty(const struct gw_list *l)
{
    return l->next == l;
}
/* For a node: is it in some list? */
static inline bool gw_list_is_linked(const struct gw_list *node)
{
    return node->next != node;
}
static inline void gw_list_push_back(struct gw_list *l, struct gw_list *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}
static inline void gw_list_push_front(struct gw_list *l, struct gw_list *node)
{
    node->next = l->next;
    node->prev = l;
    l->next->prev = node;
    l->next = node;
}
/* A node in no list stays so. */
static inline void gw_list_remove(struct gw_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    gw_list_init(node);
}
/* NULL: empty. */
static inline struct gw_list *gw_list_pop_front(struct gw_list *l)
{
    struct gw_list *node = l->next;
    if (node == l)
        return NULL;
    gw_list_remove(node);
    return node;
}
/* Appends all of from, which is empty afterwards. */
static inline void gw_list_splice(struct gw_list *l, struct gw_list *from)
{
    if (gw_list_is_empty(from))
        return;
    from->next->prev = l->prev;
    from->prev->next = l;
    l->prev->next = from->next;
    l->prev = from->prev;
    gw_list_init(from);
}

#endif
