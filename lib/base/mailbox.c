/* base/mailbox.c: see the header. Release on putting and acquire on taking hand over what lies
 * behind a letter. Letters are only ever taken all at once: so there is no ABA. */

#include "base/mailbox.h"

#include <stddef.h>

void gw_mailbox_init(struct gw_mailbox *box)
{
    atomic_init(&box->top, NULL);
}

bool gw_mailbox_put(struct gw_mailbox *box, struct gw_letter *letter)
{
    struct gw_letter *top = atomic_load_explicit(&box->top, memory_order_relaxed);
    do {
        letter->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&box->top, &top, letter, memory_order_release,
                                                    memory_order_relaxed));
    return top == NULL;
}

struct gw_letter *gw_mailbox_take(struct gw_mailbox *box)
{
    struct gw_letter *newest = atomic_exchange_explicit(&box->top, NULL, memory_order_acquire);
    struct gw_letter *oldest = NULL;
    while (newest != NULL) {
        struct gw_letter *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}
