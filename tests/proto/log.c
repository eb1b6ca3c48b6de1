/* proto/log.c: what happened in a conversation, in a form that is the same in every mode: what the worker
 * traced of each link and each exchange, in order; what on_end said; what both peers saw. How bytes were
 * cut into reads and sends is left out, and so is what comes first of things that happen to different
 * objects. */

#include "proto.h"

#include "base/trace.h"

static void add(struct proto_object *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct proto_object *o, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    o->len += (size_t)vsnprintf(o->text + o->len, sizeof o->text - o->len, format, args);
    va_end(args);
    if (o->len >= sizeof o->text)
        o->len = sizeof o->text - 1;
}

/* Exchanges and links have numbers of their own each. */
static struct proto_object *find(struct proto *p, uint64_t id, bool is_exchange)
{
    for (int i = 0; i < p->objects_len; i++)
        if (p->objects[i].id == id && (p->objects[i].kind == 'x') == is_exchange)
            return &p->objects[i];
    return NULL;
}

static struct proto_object *make(struct proto *p, uint64_t id, char kind)
{
    struct proto_object *o = &p->objects[p->objects_len];

    SIM_CHECK(&p->sim, p->objects_len < PROTO_OBJECTS, "too many links and exchanges");
    p->objects_len++;
    o->id = id;
    o->kind = kind;
    return o;
}

/* A trace has them without their sign. */
static gw_status status_of(uint64_t traced)
{
    return -(gw_status)traced;
}

static void add_end(struct proto_object *o, const char *way, uint64_t traced)
{
    gw_status why = status_of(traced);

    if (why != GW_OK && why != GW_AGAIN)
        add(o, " %s:%s", way, gw_status_name(why));
}

/* Closing ends the writing side, too: in mode 1 the host may not be asked for that before. */
static void add_close(struct proto_object *o)
{
    static const char end[] = " out:GW_EOF";
    size_t len = sizeof end - 1;

    if (o->len >= len && strcmp(o->text + o->len - len, end) == 0)
        o->len -= len;
    add(o, " close");
}

static void trace_link(struct proto *p, const gw_event *e)
{
    struct proto_object *o = find(p, e->object, false);

    if (e->what == GW_TRACE_LINK_ACCEPT)
        make(p, e->object, 'c');
    else if (e->what == GW_TRACE_LINK_CONNECT)
        make(p, e->object, 'u');
    else if (o == NULL)
        sim_fail(&p->sim, __FILE__, __LINE__, "trace", "an event of no link");
    else if (e->what == GW_TRACE_LINK_CONNECTED)
        add(o, " connected:%s", gw_status_name(status_of(e->a)));
    else if (e->what == GW_TRACE_LINK_RECEIVED) {
        o->in += o->has_ended ? 0 : e->a; /* how much of the rest comes is chance */
        add_end(o, "in", e->b);
    } else if (e->what == GW_TRACE_LINK_SENT) {
        o->out += e->a;
        o->has_ended = o->has_ended || (e->a == 0 && status_of(e->b) == GW_EOF);
        add_end(o, "out", e->b);
    } else if (e->what == GW_TRACE_LINK_CLOSE)
        add_close(o);
    else
        add(o, " closed");
}

void proto_trace(void *ctx, const gw_event *e)
{
    struct proto *p = ctx;
    struct proto_object *o;
    gw_reason row = GW_SPEC(gw_reason);

    if (e->what < GW_TRACE_EXCHANGE_BEGIN) {
        trace_link(p, e);
        return;
    }
    o = e->what == GW_TRACE_EXCHANGE_BEGIN ? make(p, e->object, 'x') : find(p, e->object, true);
    SIM_CHECK(&p->sim, o != NULL, "an event of no exchange");
    if (e->what == GW_TRACE_EXCHANGE_PHASE)
        add(o, " %s", gw_phase_name((uint32_t)e->a));
    if (e->what == GW_TRACE_EXCHANGE_FAIL) {
        (void)!gw_reason_of((uint32_t)e->b, &row);
        add(o, " fail:%s:%s", gw_by_name((uint32_t)e->a), row.name);
    }
    if (e->what == GW_TRACE_EXCHANGE_END)
        add(o, " end:%u:%u", (uint32_t)e->a, (uint32_t)e->b);
}

/* ---- writing it down ---- */

struct page {
    char *text;
    size_t len;
};

static void put(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct page *page, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    page->len += (size_t)vsnprintf(page->text + page->len, PROTO_LOG - page->len, format, args);
    va_end(args);
    if (page->len >= PROTO_LOG)
        page->len = PROTO_LOG - 1;
}

/* Fields that tell of addresses and names that are drawn: only that they are there. */
static bool is_local(const char *line)
{
    static const char *const names[] = { "via:", "forwarded:", "x-forwarded-" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void put_fields(struct page *page, const char *fields)
{
    for (const char *end; (end = strchr(fields, '\n')) != NULL; fields = end + 1) {
        const char *to = is_local(fields) ? strchr(fields, ':') : end;
        put(page, "    %.*s\n", (int)(to - fields), fields);
    }
}

static uint64_t sum(const char *bytes, size_t len)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)bytes[i]) * 1099511628211u;
    return hash;
}

static void put_call(struct page *page, const char *who, int number, const struct proto_call *c)
{
    put(page, "%s %d: ", who, number);
    if (c->method[0] != '\0')
        put(page, "%s %s", c->method, c->path);
    else
        put(page, "%u after %u", c->status, c->infos);
    put(page, ", %s, body of %zu (%016llx)",
        c->is_whole ? "whole"
        : c->is_cut ? "cut"
                    : "open",
        c->body_len, (unsigned long long)sum(c->body, c->body_len));
    if (c->is_cut)
        put(page, ", code %u", c->peer_code);
    put(page, "\n");
    put_fields(page, c->head);
    if (c->trailers[0] != '\0')
        put(page, "  trailers\n");
    put_fields(page, c->trailers);
}

/* Where more goes through, how often windows are opened depends on how bytes come in pieces. */
enum { WINDOW = 65535 };

static void put_objects(struct page *page, const struct proto *p, char kind, const char *name)
{
    int number = 0;

    for (int i = 0; i < p->objects_len; i++) {
        const struct proto_object *o = &p->objects[i];
        if (o->kind != kind)
            continue;
        put(page, "%s %d:%s", name, ++number, o->text);
        if (kind != 'x' && o->in <= WINDOW && o->out <= WINDOW)
            put(page, " (%llu in, %llu out)", (unsigned long long)o->in,
                (unsigned long long)o->out);
        put(page, "\n");
    }
}

void proto_log_write(struct proto *p)
{
    struct page page = { p->log, 0 };

    put_objects(&page, p, 'c', "client's link");
    put_objects(&page, p, 'u', "upstream's link");
    put_objects(&page, p, 'x', "exchange");
    for (int i = 0; i < p->ends_len; i++) {
        gw_reason row = GW_SPEC(gw_reason);
        (void)!gw_reason_of(p->ends[i].cause.reason, &row);
        put(&page, "on_end: %s in %s: %s, %u\n", gw_by_name(p->ends[i].cause.by),
            gw_phase_name(p->ends[i].cause.phase), row.name, p->ends[i].code);
    }
    for (int i = 0; i < p->clients; i++)
        put_call(&page, "client", i + 1, &p->client[i]);
    for (int i = 0; i < p->upstreams; i++)
        put_call(&page, "upstream", i + 1, &p->upstream[i]);
}
