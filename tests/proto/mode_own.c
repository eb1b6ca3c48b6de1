/* proto/mode_own.c: a backend of the host's own, as docs/loops/own.md shows it: that text is compiled
 * here. */

#include "proto.h"

#include "own_page.h"

struct own_mode {
    struct own_backend backend;
    int listening;
};

static bool start(struct proto *p)
{
    struct own_mode *own = calloc(1, sizeof *own);
    gw_worker_spec worker = proto_worker_spec(p);

    own->listening = -1;
    p->of_mode = own;
    SIM_CHECK(&p->sim, own_start(&own->backend, p->sim.engine, &worker, &p->sim.worker) == GW_OK,
              "worker");
    own->backend.on_return = proto_on_return;
    own->backend.return_ctx = p;
    return true;
}

static uint16_t open_port(struct proto *p)
{
    struct own_mode *own = p->of_mode;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;

    own->listening = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(own->listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    do
        a.sin_port = htons(proto_port());
    while (bind(own->listening, (struct sockaddr *)&a, sizeof a) != 0);
    SIM_CHECK(&p->sim, listen(own->listening, 8) == 0, "listen");
    return ntohs(a.sin_port);
}

static void close_port(struct proto *p)
{
    struct own_mode *own = p->of_mode;

    close(own->listening);
    own->listening = -1;
}

static void adopt(struct proto *p, int fd, const gw_accept_spec *spec)
{
    struct own_mode *own = p->of_mode;

    SIM_CHECK(&p->sim, own_accept(&own->backend, p->sim.worker, fd, spec) == GW_OK, "accept");
}

static void turn(struct proto *p, int wait_ms)
{
    struct own_mode *own = p->of_mode;
    gw_status status;

    if (own->listening >= 0) {
        gw_accept_spec spec = GW_SPEC(gw_accept_spec);
        gw_facts facts = proto_facts();
        int fd = accept(own->listening, NULL, NULL);
        SIM_CHECK(&p->sim, fd >= 0, "accept");
        spec.listener = gw_cstr("edge");
        spec.facts = &facts;
        spec.flags = p->returns ? GW_ACCEPT_RETURN : 0;
        adopt(p, fd, &spec);
        wait_ms = 0;
    }
    status = own_turn(&own->backend, p->sim.worker, p->sim.now, wait_ms);
    SIM_CHECK(&p->sim, status == GW_OK || status == GW_AGAIN, "turn");
}

static void stop(struct proto *p)
{
    struct own_mode *own = p->of_mode;

    gw_worker_free(p->sim.worker); /* without any operation: what it had is the host's to close */
    for (int i = 0; i < OWN_PLACES; i++)
        if (own->backend.places[i].link != NULL)
            close(own->backend.places[i].fd);
    free(own);
}

const struct proto_mode proto_own = {
    .name = "own",
    .has_sockets = true,
    .start = start,
    .listen = open_port,
    .adopt = adopt,
    .turn = turn,
    .unlisten = close_port,
    .stop = stop,
};
