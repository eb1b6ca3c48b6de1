/* loop/visit.c: what other threads have a loop do, in its own thread, in the order in which each asked. */
#include "loop/loop.h"

#include <stddef.h>

/* A visit lies in the mailbox by its last word. */
_Static_assert(sizeof(struct gw_letter) == sizeof(void *) &&
                   offsetof(gw_visit, reserved) + sizeof(void *) == sizeof(gw_visit),
               "a letter in place of the reserved word");

static struct gw_letter *letter_of(gw_visit *visit)
{
    return (struct gw_letter *)(void *)&visit->reserved;
}

void gw_loop_visit(gw_loop *loop, gw_visit *visit)
{
    if (loop != NULL && visit != NULL && visit->run != NULL &&
        gw_mailbox_put(&loop->visits, letter_of(visit)))
        gw_bell_ring(loop->bell);
}

bool gw_loop_receive(struct gw_loop *loop)
{
    struct gw_letter *letter = gw_mailbox_take(&loop->visits);
    bool has_any = letter != NULL;
    while (letter != NULL) {
        gw_visit *visit = (gw_visit *)(void *)((char *)letter - offsetof(gw_visit, reserved));
        letter = letter->next;
        visit->run(loop, visit->ctx);
    }
    return has_any;
}
