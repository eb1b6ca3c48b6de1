/* unit/kinds.h: the kinds of loops that are there, for tests that run over each. io_uring alone may be
 * missing: no liburing in this build, or the kernel does not permit it; then that is said. */
#ifndef UNIT_KINDS_H
#define UNIT_KINDS_H

#include <stdio.h>

#include <gw/loop.h>

static const uint32_t kinds[] = { GW_LOOP_POLL, GW_LOOP_EPOLL, GW_LOOP_URING };
static const char *const kind_names[] = { "poll", "epoll", "io_uring" };

/* How many of the above, after io_uring was asked for. */
static inline int kinds_after(gw_status status)
{
    if (status == GW_OK)
        return 3;
    printf("io_uring is not tested: %s\n", gw_status_text(status));
    return 2;
}

static inline int kinds_here(void)
{
    gw_engine_spec engine_spec = GW_SPEC(gw_engine_spec);
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_engine *engine = NULL;
    gw_loop *loop = NULL;
    gw_status status = gw_engine_new(&engine_spec, &engine);
    spec.kind = GW_LOOP_URING;
    if (status == GW_OK)
        status = gw_loop_new(engine, &spec, &loop);
    gw_loop_free(loop);
    gw_engine_free(engine);
    return kinds_after(status);
}

#endif
