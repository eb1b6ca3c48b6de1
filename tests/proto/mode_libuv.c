/* proto/mode_libuv.c: inside libuv, as docs/loops/libuv.md shows it: that text is compiled here. */

#include "proto.h"

#if PROTO_HAVE_LIBUV

#include "libuv_page.h"

struct uv_mode {
    uv_loop_t uv;
    struct uv_gateway *gateway;
};

static bool start(struct proto *p)
{
    struct uv_mode *mode = calloc(1, sizeof *mode);
    gw_worker_spec worker = proto_worker_spec(p);
    gw_loop_spec spec = proto_loop_spec(p, &worker);

    p->of_mode = mode;
    SIM_CHECK(&p->sim, uv_loop_init(&mode->uv) == 0, "libuv");
    mode->gateway = join_uv(&mode->uv, p->sim.engine, &spec);
    SIM_CHECK(&p->sim, mode->gateway != NULL, "join");
    p->loop = mode->gateway->loop;
    p->sim.worker = gw_loop_worker(p->loop);
    return true;
}

/* libuv waits by the clock, which stands still: it is asked when there is something to do. */
static void turn(struct proto *p, int wait_ms)
{
    struct uv_mode *mode = p->of_mode;

    (void)loop_is_due(p, wait_ms);
    (void)uv_run(&mode->uv, UV_RUN_NOWAIT);
}

static void stop(struct proto *p)
{
    struct uv_mode *mode = p->of_mode;

    leave_uv(mode->gateway);
    SIM_CHECK(&p->sim, uv_run(&mode->uv, UV_RUN_DEFAULT) == 0, "it is not out of the loop");
    SIM_CHECK(&p->sim, uv_loop_close(&mode->uv) == 0, "close");
    free(mode);
}

const struct proto_mode proto_in_libuv = {
    .name = "in-libuv",
    .has_sockets = true,
    .start = start,
    .listen = loop_listen,
    .turn = turn,
    .unlisten = loop_unlisten,
    .adopt = loop_adopt,
    .stop = stop,
};

#else

const struct proto_mode proto_in_libuv = { .name = "in-libuv", .start = proto_is_absent };

#endif
