/* proto/mode_epoll.c: one descriptor in an epoll loop of the host's own, as docs/loops/epoll.md shows it. */

#include "proto.h"

#include "epoll_page.h"

#include <unistd.h>

static bool start(struct proto *p)
{
    gw_worker_spec worker = proto_worker_spec(p);
    gw_loop_spec spec = proto_loop_spec(p, &worker);
    int *outer = malloc(sizeof *outer);

    *outer = epoll_create1(0);
    p->of_mode = outer;
    SIM_CHECK(&p->sim, *outer >= 0 && join_epoll(*outer, p->sim.engine, &spec, &p->loop) == GW_OK,
              "loop");
    p->sim.worker = gw_loop_worker(p->loop);
    return true;
}

static void turn(struct proto *p, int wait_ms)
{
    struct epoll_event event;

    if (epoll_wait(*(int *)p->of_mode, &event, 1, wait_ms) == 1)
        SIM_CHECK(&p->sim, turn_in_epoll(event.data.ptr) == GW_OK, "turn");
}

static void stop(struct proto *p)
{
    gw_loop_free(p->loop);
    close(*(int *)p->of_mode);
    free(p->of_mode);
}

const struct proto_mode proto_in_epoll = {
    .name = "in-epoll",
    .has_sockets = true,
    .start = start,
    .listen = loop_listen,
    .turn = turn,
    .unlisten = loop_unlisten,
    .adopt = loop_adopt,
    .stop = stop,
};
