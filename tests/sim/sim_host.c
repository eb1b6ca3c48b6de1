/* sim/sim_host.c: the host that the gateway stands in front of: it takes back what no route claims, reads
 * the request itself, answers it, and hands the connection over again with what it has read behind it. */

#include "sim.h"

enum { TRIES_MAX = 30 };

static gw_str text_of(const struct sim_wire *w)
{
    return (gw_str){ (const char *)w->host.at + w->host.from, w->host.to - w->host.from };
}

/* Behind the first such bytes; 0: they have not come. */
static size_t behind(gw_str s, const char *what)
{
    size_t len = strlen(what);

    for (size_t i = 0; i + len <= s.len; i++)
        if (memcmp(s.ptr + i, what, len) == 0)
            return i + len;
    return 0;
}

/* ---- what came ---- */

struct request {
    struct sim_plan *plan;
    size_t len;   /* 0: not all of it is here */
    uint64_t got; /* body bytes               */
};

static void check_body(struct sim *sim, struct request *r, gw_str part)
{
    for (size_t i = 0; i < part.len; i++)
        SIM_CHECK(sim, (uint8_t)part.ptr[i] == sim_byte(r->plan->id, false, r->got + i),
                  "request %u: byte %llu at the host", r->plan->id,
                  (unsigned long long)(r->got + i));
    r->got += part.len;
}

static void read_chunks(struct sim *sim, struct request *r, gw_str s, size_t at)
{
    for (;;) {
        gw_str rest = gw_str_slice(s, at, s.len);
        size_t line = behind(rest, "\r\n"), n;
        if (line == 0)
            return;
        n = strtoul(rest.ptr, NULL, 16);
        if (n == 0) { /* trailers, if there are any, and the empty line */
            size_t end = behind(gw_str_slice(rest, line - 2, rest.len), "\r\n\r\n");
            r->len = end > 0 ? at + line - 2 + end : 0;
            return;
        }
        if (rest.len < line + n + 2)
            return;
        check_body(sim, r, gw_str_slice(rest, line, line + n));
        at += line + n + 2;
    }
}

static struct request read_request(struct sim *sim, const struct sim_wire *w)
{
    gw_str s = text_of(w);
    size_t head = behind(s, "\r\n\r\n"), at = behind(s, " /h/"), field;
    struct request r = { 0 };
    unsigned long id;

    if (head == 0)
        return r;
    SIM_CHECK(sim, at > 0 && at < head, "what came back is another's: %.40s", s.ptr);
    id = strtoul(s.ptr + at, NULL, 10);
    SIM_CHECK(sim, id < sim->plans_len && sim->plans[id].is_hosts, "request %lu came back", id);
    r.plan = &sim->plans[id];
    field = behind(gw_str_slice(s, 0, head), "Content-Length: ");
    if (field == 0 && behind(gw_str_slice(s, 0, head), "chunked\r\n") > 0) {
        read_chunks(sim, &r, s, head);
        return r;
    }
    if (s.len >= head + (field > 0 ? strtoul(s.ptr + field, NULL, 10) : 0)) {
        r.len = head + (field > 0 ? strtoul(s.ptr + field, NULL, 10) : 0);
        check_body(sim, &r, gw_str_slice(s, head, r.len));
    }
    return r;
}

/* ---- what is said ---- */

static void answer(struct sim *sim, struct sim_wire *w, struct sim_plan *p)
{
    uint8_t piece[1024];
    int len = snprintf((char *)piece, sizeof piece, "HTTP/1.1 %u Host\r\nx-sim: 1\r\n", p->status);

    if (p->status != 204 && p->status != 304)
        len += snprintf((char *)piece + len, sizeof piece - (size_t)len, "content-length: %llu\r\n",
                        (unsigned long long)p->response_len);
    len += snprintf((char *)piece + len, sizeof piece - (size_t)len, "\r\n");
    sim_wire_answer(w, sim, piece, (size_t)len);
    for (uint64_t at = 0, n; at < p->response_len; at += n) {
        n = p->response_len - at < sizeof piece ? p->response_len - at : sizeof piece;
        for (uint64_t i = 0; i < n; i++)
            piece[i] = sim_byte(p->id, true, at + i);
        sim_wire_answer(w, sim, piece, (size_t)n);
    }
}

static void leave(struct sim *sim, struct sim_wire *w)
{
    sim_trace(sim, "the host closes wire %u", w->index);
    w->is_hosts = false;
    w->host.from = w->host.to = 0;
    w->gateway_gone = true;
    sim_wire_answer(w, sim, NULL, 0);
}

static void hand_over(struct sim *sim, struct sim_wire *w)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_str read = text_of(w);
    gw_status status;

    spec.listener = gw_cstr("edge");
    spec.flags = GW_ACCEPT_RETURN;
    spec.early = (gw_const_span){ read.ptr, read.len };
    spec.io = w;
    status = gw_worker_accept(sim->worker, &spec, &w->link);
    sim_trace(sim, "the host hands wire %u over, with %zu bytes: %s", w->index, read.len,
              gw_status_name(status));
    sim->wake = true;
    if (status == GW_OK) {
        w->is_hosts = false;
        w->host.from = w->host.to = 0;
        w->sent = 0;
        w->host_tries = 0;
        return;
    }
    w->link = NULL;
    SIM_CHECK(sim, status == GW_ESTATE || gw_status_category(status) == GW_CAT_LIMIT, "accept: %s",
              gw_status_name(status));
    if (status == GW_ESTATE || ++w->host_tries == TRIES_MAX) {
        for (uint32_t i = 0; w->peer != NULL && i < sim->plans_len; i++)
            sim->plans[i].is_excused |= i / sim_plans_each(sim) == w->peer->client;
        leave(sim, w);
        return;
    }
    sim_at(sim, GW_MS(100), SIM_HOST_RUNS, w->index, w->turn, 0);
}

/* Its client has left, or ended without a request under way. */
static bool is_left(const struct sim_wire *w)
{
    return w->rst_arrived || (w->fin_arrived && w->arrived == 0);
}

void sim_host_run(struct sim *sim, struct sim_wire *w)
{
    bool has_next = w->host_tries == 0;

    sim_bytes_put(&w->host, w->to_gateway.at + w->to_gateway.from, w->arrived);
    w->to_gateway.from += w->arrived;
    w->arrived = 0;
    if (is_left(w)) {
        leave(sim, w);
        return;
    }
    while (has_next) {
        struct request r = read_request(sim, w);
        if (r.len == 0)
            return;
        sim_trace(sim, "the host answers %u", r.plan->id);
        SIM_CHECK(sim, r.got == r.plan->request_len, "request %u: %llu bytes at the host",
                  r.plan->id, (unsigned long long)r.got);
        SIM_CHECK(sim, ++r.plan->host_seen == 1, "request %u came twice", r.plan->id);
        r.plan->origin_whole = true;
        w->host.from += r.len;
        answer(sim, w, r.plan);
        /* It may know its own by the path, or leave that to the gateway. */
        has_next = behind(text_of(w), "\r\n") > 0 && behind(text_of(w), " /h/") > 0 &&
                   behind(text_of(w), " /h/") < behind(text_of(w), "\r\n") &&
                   sim_below_hosts(sim, 2) == 0;
    }
    hand_over(sim, w);
}

void sim_host_take(struct sim *sim, struct sim_wire *w)
{
    gw_const_span spans[64];
    size_t n = gw_link_unread(w->link, spans, 64);

    SIM_CHECK(sim, n > 0 && n <= 64, "%zu spans", n);
    SIM_CHECK(sim, w->sending == 0 && !w->gateway_fin, "it comes back while something leaves");
    for (size_t i = 0; i < n; i++)
        sim_bytes_put(&w->host, spans[i].ptr, spans[i].len);
    gw_link_closed(w->link);
    w->link = NULL;
    w->recv_wanted = false;
    w->is_hosts = true;
    sim->wake = true;
    if (sim_below_hosts(sim, 3) == 0) /* there and then: inside the operation */
        sim_host_run(sim, w);
    else
        sim_at(sim, GW_MS(sim_below_hosts(sim, 20)), SIM_HOST_RUNS, w->index, w->turn, 0);
}
