/* stories/town_people.c: callers, who come whether they are served or not; and services, which do so much at
 * once, let the others stand in line, and work also for those who have left: they do not know. */

#include "town.h"

#include <strings.h>

#include "exchange/exchange.h"

/* ---- messages ---- */

/* The length of the whole message at the front; 0: it is not all there. */
static size_t message_len(const struct town_bytes *b)
{
    static const char name[] = "content-length:";
    size_t head = 0, body = 0;

    for (size_t i = 0; i + 4 <= b->len && head == 0; i++)
        if (memcmp(b->at + i, "\r\n\r\n", 4) == 0)
            head = i + 4;
    for (size_t i = 0; i + sizeof name < head; i++)
        if (b->at[i] == '\n' && strncasecmp(b->at + i + 1, name, sizeof name - 1) == 0)
            body = strtoul(b->at + i + sizeof name, NULL, 10);
    return head > 0 && head + body <= b->len ? head + body : 0;
}

static bool has_text(const struct town_bytes *b, size_t len, const char *what)
{
    size_t n = strlen(what);

    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(b->at + i, what, n) == 0)
            return true;
    return false;
}

static uint32_t ask_number(const struct town_bytes *b, size_t len)
{
    static const char name[] = "\nX-Ask: ";

    for (size_t i = 0; i + sizeof name < len; i++)
        if (memcmp(b->at + i, name, sizeof name - 1) == 0)
            return (uint32_t)strtoul(b->at + i + sizeof name - 1, NULL, 10);
    return TOWN_NOBODY;
}

struct town_ask *town_ask_of(struct town *t, const gw_exchange *x)
{
    gw_str text = gw_message_field(&x->request, GW_STR("x-ask"));
    uint64_t n;

    return gw_parse_u64(text, &n) == GW_OK && n < t->asks_len ? &t->asks[n] : NULL;
}

/* ---- callers ---- */

void town_crowd(struct town *t, const struct town_crowd *crowd)
{
    uint32_t i = t->crowds_len++;

    t->crowds[i] = *crowd;
    town_at(t, crowd->from > t->now ? crowd->from - t->now : 0, TOWN_EV_COME, i, 0);
}

static void keep(struct town *t, struct town_wire *w)
{
    if (t->idle_len == t->idle_room) {
        t->idle_room = t->idle_room == 0 ? 64 : 2 * t->idle_room;
        t->idle = realloc(t->idle, t->idle_room * sizeof *t->idle);
    }
    t->idle[t->idle_len++] = (struct town_idle){ w->index, w->turn };
}

static struct town_wire *idle_wire(struct town *t)
{
    while (t->idle_len > 0) {
        struct town_idle last = t->idle[--t->idle_len];
        struct town_wire *w = t->wires[last.wire];
        if (w->turn == last.turn && w->is_kept && w->link != NULL)
            return w;
    }
    return NULL;
}

static struct town_wire *come_in(struct town *t, const struct town_ask *a)
{
    struct town_wire *w = town_wire_new(t, a->worker);
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_facts facts = GW_SPEC(gw_facts);
    char peer[32];

    snprintf(peer, sizeof peer, "192.0.2.%u:%u", 1 + a->user % 250, 1024 + w->index % 60000);
    facts.peer = gw_cstr(peer);
    spec.listener = gw_cstr("edge");
    spec.io = w;
    spec.facts = &facts;
    if (++t->callers > t->callers_most)
        t->callers_most = t->callers;
    t->is_awake[a->worker] = true;
    if (gw_worker_accept(t->workers[a->worker], &spec, &w->link) == GW_OK)
        return w;
    w->link = NULL;
    town_wire_end(t, w);
    return NULL;
}

static void say_request(struct town *t, struct town_wire *w, uint32_t number,
                        const struct town_ask *a, const char *path)
{
    char text[300], user[40] = "";

    if (a->user > 0)
        snprintf(user, sizeof user, "X-User: u%u\r\n", a->user);
    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: town\r\nX-Ask: %u\r\n%s%s%s\r\n%s",
             a->is_post ? "POST" : "GET", path, number, user,
             w->is_kept ? "" : "Connection: close\r\n", a->is_post ? "Content-Length: 5\r\n" : "",
             a->is_post ? "hello" : "");
    town_wire_say(t, w, text);
}

static struct town_ask *new_ask(struct town *t)
{
    struct town_ask *a;

    if (t->asks_len == t->asks_room) {
        t->asks_room = t->asks_room == 0 ? 256 : 2 * t->asks_room;
        t->asks = realloc(t->asks, t->asks_room * sizeof *t->asks);
    }
    a = &t->asks[t->asks_len++];
    memset(a, 0, sizeof *a);
    t->asks_open++;
    return a;
}

static void job_over(struct town *t, uint32_t job, bool is_good);

static void ask_over(struct town *t, struct town_ask *a, uint32_t code)
{
    const struct town_crowd *c;

    a->is_done = true;
    a->code = code;
    a->ended = t->now;
    t->asks_open--;
    if (a->crowd == TOWN_NOBODY) {
        job_over(t, a->job, code == 200);
        return;
    }
    c = &t->crowds[a->crowd];
    if (code != 200 && a->again > 0 && t->now < c->until)
        town_at(t, GW_MS(1 + town_below(t, 200)), TOWN_EV_COME, a->crowd, a->again);
}

/* crowd TOWN_NOBODY: a service asks, for job. */
void town_ask(struct town *t, uint32_t crowd, uint32_t job, uint32_t again)
{
    const struct town_crowd *c = crowd == TOWN_NOBODY ? NULL : &t->crowds[crowd];
    struct town_ask *a = new_ask(t);
    uint32_t number = t->asks_len - 1;
    struct town_wire *w = c == NULL || c->keeps ? idle_wire(t) : NULL;

    a->crowd = crowd;
    a->job = job;
    a->again = again;
    a->began = t->now;
    a->is_post = c != NULL && strcmp(c->method, "POST") == 0;
    a->user = c != NULL && c->users > 0 ? 1 + (uint32_t)town_below(t, c->users) : 0;
    a->worker = (uint32_t)town_below(t, t->workers_len);
    if (w == NULL)
        w = come_in(t, a);
    if (w == NULL) { /* the gateway has no place for another connection */
        a->is_refused_early = true;
        ask_over(t, a, 0);
        return;
    }
    w->is_kept = c == NULL || c->keeps;
    w->ask = number;
    a->worker = w->worker;
    a->wire = w->index;
    a->turn = w->turn;
    say_request(t, w, number, a, c != NULL ? c->path : t->services[t->jobs[job].service].calls);
    if (c != NULL && c->patience > 0)
        town_at(t, c->patience, TOWN_EV_PATIENCE, number, 0);
}

static void lose_patience(struct town *t, uint32_t number)
{
    struct town_ask *a = &t->asks[number];
    struct town_wire *w = t->wires[a->wire];

    if (a->is_done)
        return;
    w->ask = TOWN_NOBODY;
    town_wire_end(t, w);
    ask_over(t, a, 0);
}

static void hear_answer(struct town *t, struct town_wire *w)
{
    size_t len = message_len(&w->out);
    uint32_t number = w->ask, code;

    if (number == TOWN_NOBODY)
        return;
    if (len == 0 && w->link != NULL)
        return;
    t->asks[number].has_retry_after = has_text(&w->out, len, "\r\nRetry-After: ");
    code = len == 0 ? 0 : (uint32_t)strtoul(w->out.at + 9, NULL, 10);
    w->ask = TOWN_NOBODY;
    if (len == 0 || !w->is_kept || has_text(&w->out, len, "\r\nConnection: close\r\n"))
        town_wire_end(t, w);
    else
        keep(t, w);
    town_bytes_drop(&w->out, len);
    ask_over(t, &t->asks[number], code);
}

/* ---- services ---- */

uint32_t town_service(struct town *t, const char *address, gw_nanos work, uint32_t slots)
{
    struct town_service *s = &t->services[t->services_len];

    TOWN_CHECK(t, t->services_len < TOWN_SERVICES, "too many services");
    *s = (struct town_service){ .address = address, .work = work, .slots = slots };
    s->line_first = s->line_last = TOWN_NOBODY;
    return t->services_len++;
}

static uint32_t new_job(struct town *t)
{
    uint32_t job = t->free_job;

    if (t->jobs_len > 0 && job != TOWN_NOBODY) {
        t->free_job = t->jobs[job].next;
        return job;
    }
    if (t->jobs_len == t->jobs_room) {
        t->jobs_room = t->jobs_room == 0 ? 256 : 2 * t->jobs_room;
        t->jobs = realloc(t->jobs, t->jobs_room * sizeof *t->jobs);
    }
    t->free_job = TOWN_NOBODY;
    return t->jobs_len++;
}

static void begin_work(struct town *t, uint32_t job)
{
    gw_nanos work = t->jobs[job].work;

    t->services[t->jobs[job].service].busy++;
    town_at(t, work / 2 + town_below(t, work + 1), TOWN_EV_DONE, job, 0);
}

static void stand_in_line(struct town *t, uint32_t job)
{
    struct town_service *s = &t->services[t->jobs[job].service];

    t->jobs[job].next = TOWN_NOBODY;
    if (s->slots == 0 || s->busy < s->slots) {
        begin_work(t, job);
        return;
    }
    if (s->line_len++ == 0)
        s->line_first = job;
    else
        t->jobs[s->line_last].next = job;
    s->line_last = job;
}

static void next_in_line(struct town *t, struct town_service *s)
{
    uint32_t job = s->line_first;

    if (s->line_len == 0)
        return;
    s->line_len--;
    s->line_first = t->jobs[job].next;
    begin_work(t, job);
}

static void say_answer(struct town *t, struct town_wire *w, const char *status)
{
    char text[100];

    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok", status);
    town_wire_say(t, w, text);
}

static void job_over(struct town *t, uint32_t number, bool is_good)
{
    struct town_job *job = &t->jobs[number];
    struct town_service *s = &t->services[job->service];
    struct town_wire *w = t->wires[job->wire];

    s->busy--;
    s->done++;
    if (w->turn == job->turn && w->link != NULL)
        say_answer(t, w, is_good ? "200 OK" : "502 Bad Gateway");
    else
        s->wasted++;
    job->next = t->free_job;
    t->free_job = number;
    next_in_line(t, s);
}

static void work_done(struct town *t, uint32_t job)
{
    if (t->jobs[job].calls)
        town_ask(t, TOWN_NOBODY, job, 0);
    else
        job_over(t, job, true);
}

static void hear_request(struct town *t, struct town_wire *w)
{
    struct town_service *s = &t->services[w->service];
    struct town_job job = { .service = w->service, .wire = w->index, .turn = w->turn };
    size_t len = message_len(&w->out);
    uint32_t ask, number;

    if (len == 0)
        return;
    ask = ask_number(&w->out, len);
    TOWN_CHECK(t, ask < t->asks_len, "a request that nobody sent");
    job.calls = s->calls != NULL && (s->calls_of == NULL || has_text(&w->out, len, s->calls_of));
    job.work = s->work + (w->has_served ? 0 : s->greeting);
    w->has_served = true;
    town_bytes_drop(&w->out, len);
    s->asked++;
    t->asks[ask].seen++;
    if (s->mood == TOWN_SILENT)
        return;
    if (s->mood == TOWN_BREAKS) {
        town_wire_end(t, w);
        return;
    }
    if (s->mood == TOWN_FAILS) {
        say_answer(t, w, "503 Service Unavailable");
        return;
    }
    number = new_job(t);
    t->jobs[number] = job;
    stand_in_line(t, number);
}

void town_hear(struct town *t, struct town_wire *w)
{
    if (w->service == TOWN_NOBODY)
        hear_answer(t, w);
    else
        hear_request(t, w);
}

void town_people_event(struct town *t, const struct town_event *e)
{
    struct town_crowd *c = e->what == TOWN_EV_COME ? &t->crowds[e->who] : NULL;

    if (e->what == TOWN_EV_DONE) {
        work_done(t, e->who);
    } else if (e->what == TOWN_EV_PATIENCE) {
        lose_patience(t, e->who);
    } else if (e->turn > 0) {
        town_ask(t, e->who, 0, e->turn - 1);
    } else if (t->now < c->until) {
        c->came++;
        town_ask(t, e->who, 0, c->again);
        town_at(t, c->gap / 2 + town_below(t, c->gap + 1), TOWN_EV_COME, e->who, 0);
    }
}
