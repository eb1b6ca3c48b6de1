/* proto/mode_libevent.c: inside libevent, as docs/loops/libevent.md shows it: that text is compiled here. */

#include "proto.h"

#if PROTO_HAVE_LIBEVENT

#include "libevent_page.h"

struct event_mode {
    struct event_base *base;
    struct event_gateway *gateway;
};

static bool start(struct proto *p)
{
    struct event_mode *mode = calloc(1, sizeof *mode);
    gw_worker_spec worker = proto_worker_spec(p);
    gw_loop_spec spec = proto_loop_spec(p, &worker);

    p->of_mode = mode;
    mode->base = event_base_new();
    SIM_CHECK(&p->sim, mode->base != NULL, "libevent");
    mode->gateway = join_event_base(mode->base, p->sim.engine, &spec);
    SIM_CHECK(&p->sim, mode->gateway != NULL, "join");
    p->loop = mode->gateway->loop;
    p->sim.worker = gw_loop_worker(p->loop);
    return true;
}

static void turn(struct proto *p, int wait_ms)
{
    struct event_mode *mode = p->of_mode;

    (void)loop_is_due(p, wait_ms);
    SIM_CHECK(&p->sim, event_base_loop(mode->base, EVLOOP_NONBLOCK) == 0, "turn");
}

static void stop(struct proto *p)
{
    struct event_mode *mode = p->of_mode;

    leave_event_base(mode->gateway);
    event_base_free(mode->base);
    free(mode);
}

const struct proto_mode proto_in_libevent = {
    .name = "in-libevent",
    .has_sockets = true,
    .start = start,
    .listen = loop_listen,
    .turn = turn,
    .unlisten = loop_unlisten,
    .adopt = loop_adopt,
    .stop = stop,
};

#else

const struct proto_mode proto_in_libevent = { .name = "in-libevent", .start = proto_is_absent };

#endif
