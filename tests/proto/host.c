/* proto/host.c: the host of a script: it takes back what no route claims, says what the script lets it say,
 * and hands the connection over again. */

#include "proto.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static struct proto *of(struct sim *sim)
{
    return (struct proto *)sim;
}

/* Over simulated wires. */

void sim_host_run(struct sim *sim, struct sim_wire *w)
{
    (void)sim;
    sim_bytes_put(&w->host, w->to_gateway.at + w->to_gateway.from, w->arrived);
    w->to_gateway.from += w->arrived;
    w->arrived = 0;
}

static void keep_unread(struct proto *p, gw_link *link, struct sim_bytes *out)
{
    gw_facts facts = GW_SPEC(gw_facts);
    gw_const_span spans[64];
    size_t n = gw_link_unread(link, spans, 64);

    SIM_CHECK(&p->sim, gw_link_get_facts(link, &facts) == GW_OK, "facts");
    snprintf(p->host_peer, sizeof p->host_peer, "%.*s", (int)facts.peer.len, facts.peer.ptr);
    snprintf(p->host_local, sizeof p->host_local, "%.*s", (int)facts.local.len, facts.local.ptr);
    SIM_CHECK(&p->sim, n > 0 && n <= 64, "%zu spans", n);
    for (size_t i = 0; i < n; i++)
        sim_bytes_put(out, spans[i].ptr, spans[i].len);
}

void sim_host_take(struct sim *sim, struct sim_wire *w)
{
    keep_unread(of(sim), w->link, &w->host);
    gw_link_closed(w->link);
    w->link = NULL;
    w->recv_wanted = false;
    w->is_hosts = true;
    sim->wake = true;
    sim_host_run(sim, w);
}

/* Over sockets. */

void proto_on_return(void *ctx, gw_link *link, int fd)
{
    struct proto *p = ctx;

    SIM_CHECK(&p->sim, p->host_fd < 0, "the host has another one");
    keep_unread(p, link, &p->client_wire->host);
    p->client_wire->is_hosts = true;
    p->host_fd = fd;
}

bool proto_host_reads(struct proto *p)
{
    uint8_t bytes[4096];
    ssize_t n = p->host_fd < 0 ? -1 : recv(p->host_fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n > 0)
        sim_bytes_put(&p->client_wire->host, bytes, (size_t)n);
    return n > 0;
}

void proto_host_stops(struct proto *p)
{
    if (p->host_fd >= 0)
        close(p->host_fd);
    p->host_fd = -1;
}

/* ---- words ---- */

static void say(struct proto *p, struct sim_wire *w, gw_str bytes)
{
    if (p->mode->has_sockets)
        SIM_CHECK(&p->sim, write(p->host_fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len, "write");
    else
        sim_wire_answer(w, &p->sim, bytes.ptr, bytes.len);
}

/* What it has read behind its own request goes along. */
static void hand_over(struct proto *p, struct sim_wire *w, gw_str rest)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_facts facts = GW_SPEC(gw_facts);
    int fd = p->host_fd;

    spec.listener = gw_cstr("edge");
    spec.flags = GW_ACCEPT_RETURN;
    spec.early = (gw_const_span){ rest.ptr, rest.len };
    spec.io = w;
    spec.facts = &facts;
    facts.peer = gw_cstr(p->host_peer);
    facts.local = gw_cstr(p->host_local);
    w->is_hosts = false;
    w->host.from = w->host.to = 0;
    w->sent = 0;
    p->host_fd = -1;
    if (p->mode->has_sockets)
        p->mode->adopt(p, fd, &spec);
    else
        SIM_CHECK(&p->sim, gw_worker_accept(p->sim.worker, &spec, &w->link) == GW_OK, "accept");
    p->sim.wake = true;
}

bool proto_host_does(struct proto *p, const struct proto_line *l)
{
    struct sim_wire *w = p->client_wire;
    gw_str verb = l->word[1], rest = l->words > 3 ? l->word[3] : (gw_str){ "", 0 };

    if (gw_str_eq(verb, gw_cstr("gets")))
        return false;
    SIM_CHECK(&p->sim, w != NULL && w->is_hosts, "line %d: the host has no connection", l->number);
    if (gw_str_eq(verb, gw_cstr("says")))
        say(p, w, l->word[2]);
    else if (gw_str_eq(verb, gw_cstr("hands")))
        hand_over(p, w, rest);
    else
        return false;
    return true;
}

const char *proto_host_expects(const struct proto *p, const struct proto_line *l)
{
    const struct sim_wire *w = p->client_wire;
    static char came[600];
    gw_str has;

    if (w == NULL || !w->is_hosts)
        return gw_str_eq(l->word[2], gw_cstr("nothing")) ? NULL : "nothing came back";
    has = (gw_str){ (const char *)w->host.at + w->host.from, w->host.to - w->host.from };
    if (gw_str_eq(l->word[2], has))
        return NULL;
    snprintf(came, sizeof came, "%.*s", (int)has.len, has.ptr);
    return came;
}
