/* base/mailbox.h: many threads put, one takes all: a lock-free stack that is reversed when taken, so
 * that each sender's order is kept. Letters are intrusive: putting never allocates, never fails. */
#ifndef GW_BASE_MAILBOX_H
#define GW_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

struct gw_letter {
    struct gw_letter *next;
};
struct gw_mailbox {
    _Atomic(struct gw_letter *) top;
};
void gw_mailbox_init(struct gw_mailbox *box);
/* Any thread. The letter is the box's until taken. True: the box was empty (wake its owner). */
bool gw_mailbox_put(struct gw_mailbox *box, struct gw_letter *letter);
/* The owner's thread: all letters, oldest first, linked by next; NULL: none. */
struct gw_letter *gw_mailbox_take(struct gw_mailbox *box);

#endif
