/* loop/uring_none.c: a build without liburing has no such loop. */
#include "loop/loop.h"

static gw_status open_nowhere(struct gw_loop *loop)
{
    (void)loop;
    return GW_EUNSUPPORTED;
}

static void close_nothing(struct gw_loop *loop)
{
    (void)loop;
}

const struct gw_poller gw_poller_uring = {
    .name = "io_uring",
    .open = open_nowhere,
    .close = close_nothing,
};
