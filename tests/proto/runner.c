/* proto/runner.c: plays protocol scripts.
 *
 *     runner sim|stub|bytes SCRIPT...       one mode (stub: sim, under the stub engine), all its shapes
 *                                           and cuts
 *     runner sim -1 SCRIPT                  only whole messages
 *     runner epoll|own|in-libuv... SCRIPT   another mode (modes.c): whole messages, over real sockets
 *     runner matrix [-v] SCRIPT...          every mode that is here: what happens must be the same as in
 *                                           the simulator; -v: says what happened
 *     runner sweep [-n N] SCRIPT...         each allocation and each operation of the backend fails in
 *                                           turn, allocations once and for good; -n: N of each
 *
 * A script is lines of words; "#" begins a comment, quotes hold blanks and escapes (\r \n \t \xNN).
 *
 *     shapes h1-h1 h2-h1 tls-tcp | all      client-upstream; each is played. In tls-tcp, which is not one
 *                                           of all, the client is CONNECTed at once, and what it says is
 *                                           passed through: body=hello:NAME is a ClientHello
 *     only simulated | plain                a transport takes nothing at all: not over real sockets |
 *                                           not under the stub engine
 *     config WORD VALUE                     see configure in script.c
 *     client requests METHOD PATH [name:value] [body=TEXT|*N] [open] [trailer=n:v] [length=N]
 *     client body TEXT [end]                more of an open one
 *     client says "bytes" [ends]            as they are; and FIN
 *     client ends | breaks | resets         FIN | the connection is reset | RST_STREAM (h1: breaks)
 *     client stops reading | taking         its streams are not read | nor its connection
 *     upstream responds STATUS [...] [reset=CODE]   to the last request; 1xx too
 *     upstream body | says | ends | breaks | resets CODE | drains | stops taking
 *     host gets "bytes" | nothing          of what came back to it, and what it has read since
 *     host says "bytes"                    to the client
 *     host hands over "bytes"              the connection, and what it has read behind its request
 *     filter resumes                       the one of "config body SIDE DEED...": see filter.c
 *     filter saw request|response "bytes"
 *     gateway drains
 *     gateway reloads [without route|listener]
 *     time 5s                               passes
 *     client gets STATUS|nothing [body=TEXT] [begins=TEXT] [has=name: value] [lacks=name]
 *                 [trailer=name: value] [infos=N] [whole|cut|open]     "#1" before: of the first request
 *     upstream gets METHOD PATH [...] | nothing    "#2" before: it is the second that came
 *     client is closed
 *     end BY [REASON [CODE]]                what on_end of the next exchange that ended must have said
 */

#include "proto.h"

enum { LINES_MAX = 200, FILE_MAX = 65536 };
enum { CLIENT_H2 = 1, UPSTREAM_H2 = 2, PASSED_THROUGH = 4, SHAPES = 5 };
static const char *const shape_names[SHAPES] = { "h1-h1", "h2-h1", "h1-h2", "h2-h2", "tls-tcp" };

struct script {
    char text[FILE_MAX];
    struct proto_line lines[LINES_MAX];
    int n;
};

_Noreturn void sim_fail(struct sim *sim, const char *file, int line, const char *what,
                        const char *format, ...)
{
    struct proto *p = (struct proto *)sim;
    va_list args;

    if (p->is_sweeping && !p->is_stepping)
        longjmp(p->next_line, 1);
    fprintf(stderr, "%s: %s:%d: %s: ", p->name, file, line, what);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr,
            " (%s, pieces of %u, first cut at %u; allocation %llu%s, operation %llu fail)\n",
            p->mode->name, sim->swarm.piece_max, sim->swarm.cut_at,
            (unsigned long long)sim->fail_alloc_at, sim->fail_alloc_on ? " and all after it" : "",
            (unsigned long long)sim->fail_io_at);
    exit(1);
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    (void)sim;
    (void)format;
}

_Noreturn void proto_differs(struct proto *p, const struct proto_line *line, const char *what,
                             const char *came)
{
    fprintf(stderr, "%s:%d: %s (", p->name, line->number, what);
    for (int i = 0; i < line->words; i++)
        fprintf(stderr, "%s%s", i > 0 ? " " : "", line->word[i].ptr);
    fprintf(stderr, ")\n  %s, pieces of %u, first cut at %u, %s%s\n  came: %s\n", p->shape,
            p->sim.swarm.piece_max, p->sim.swarm.cut_at, p->mode->name,
            p->sim.swarm.tls_client ? ", stub tls" : "", came);
    exit(1);
}

static bool load(const char *path, struct script *s)
{
    FILE *f = fopen(path, "r");
    char *at = s->text;
    size_t n;

    if (f == NULL) {
        fprintf(stderr, "%s: cannot be opened\n", path);
        return false;
    }
    n = fread(s->text, 1, sizeof s->text - 1, f);
    fclose(f);
    s->text[n] = '\0';
    s->n = 0;
    for (int number = 1; *at != '\0' && s->n < LINES_MAX; number++) {
        char *end = strchr(at, '\n');
        if (end != NULL)
            *end = '\0';
        if (proto_parse_line(at, number, &s->lines[s->n]))
            s->n++;
        if (end == NULL)
            break;
        at = end + 1;
    }
    return true;
}

static void pass_through(struct proto *p)
{
    p->sim.swarm.client_protocol[0] = GW_PROTO_TCP;
    p->sim.swarm.upstream_protocol = GW_PROTO_TLS;
    p->listener.protocols = GW_PROTO_TLS;
    p->cluster.protocols = GW_PROTO_TCP;
    p->route.flags = GW_ROUTE_CONNECT;
}

static void set_up(struct proto *p, const char *name, int shape)
{
    memset(p, 0, sizeof *p);
    p->name = name;
    p->shape = shape_names[shape];
    p->mode = proto_modes[0];
    p->sim.prng.state = 7;
    p->sim.swarm.is_plain = true;
    p->sim.swarm.client_protocol[0] = (shape & CLIENT_H2) != 0 ? GW_PROTO_H2 : GW_PROTO_H1;
    p->sim.swarm.upstream_protocol = (shape & UPSTREAM_H2) != 0 ? GW_PROTO_H2 : GW_PROTO_H1;
    p->verdict = GW_NEXT;
    p->aborts_body = false;
    p->host_fd = -1;
    p->limits = GW_SPEC(gw_limits);
    p->listener = GW_SPEC(gw_listener_spec);
    p->listener.name = gw_cstr("edge");
    p->cluster = GW_SPEC(gw_cluster_spec);
    p->cluster.name = gw_cstr("up");
    p->cluster.protocols = p->sim.swarm.upstream_protocol;
    p->route = GW_SPEC(gw_route_spec);
    p->route.name = gw_cstr("all");
    p->route.path = gw_cstr("/");
    p->route.cluster = gw_cstr("up");
    p->limiter = GW_SPEC(gw_limiter_spec);
    p->limiter.name = gw_cstr("few");
    p->host_route = GW_SPEC(gw_route_spec);
    p->host_route.name = gw_cstr("host");
    p->host_route.path = gw_cstr("/host");
    p->host_route.cluster = gw_cstr("host");
    if (shape == PASSED_THROUGH)
        pass_through(p);
}

struct world {
    const struct proto_mode *mode;
    bool stub, once;
    char *log; /* NULL: none */
};

static void play(const char *path, const struct world *w, int shape, uint32_t piece_max,
                 uint32_t cut_at)
{
    struct proto *p = calloc(1, sizeof *p);
    struct script *s = calloc(1, sizeof *s);

    if (!load(path, s)) /* anew: words are changed in place */
        exit(1);
    set_up(p, path, shape);
    p->mode = w->mode;
    p->log = w->log;
    p->sim.swarm.piece_max = piece_max;
    p->sim.swarm.cut_at = cut_at;
    p->sim.swarm.tls_client = p->sim.swarm.tls_upstream = w->stub;
    proto_play(p, s->lines, s->n);
    free(p);
    free(s);
}

/* Whole, byte by byte, in random pieces, and with the first piece of each message cut everywhere. */
static int play_cuts(const char *path, const struct world *w, int shape)
{
    static const uint32_t pieces[] = { 1, 2, 5, 17, 100 };
    int runs = 1;

    play(path, w, shape, 1u << 20, 0);
    if (w->mode->has_sockets || w->once)
        return runs;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++, runs++)
        play(path, w, shape, pieces[i], 0);
    for (uint32_t cut = 1; cut < 200; cut += w->stub ? 7 : 1, runs++)
        play(path, w, shape, 1u << 20, cut);
    return runs;
}

static bool wants_shape(const struct script *s, int shape)
{
    for (int i = 0; i < s->n; i++) {
        if (!gw_str_eq(s->lines[i].word[0], gw_cstr("shapes")))
            continue;
        for (int j = 1; j < s->lines[i].words; j++)
            if ((gw_str_eq(s->lines[i].word[j], gw_cstr("all")) && shape != PASSED_THROUGH) ||
                gw_str_eq(s->lines[i].word[j], gw_cstr(shape_names[shape])))
                return true;
        return false;
    }
    return shape != PASSED_THROUGH;
}

/* A line of that first word, and, if it is not empty, of that second one. */
static bool has_line(const struct script *s, const char *first, const char *second)
{
    for (int i = 0; i < s->n; i++)
        if (gw_str_eq(s->lines[i].word[0], gw_cstr(first)) &&
            (second[0] == '\0' || gw_str_eq(s->lines[i].word[1], gw_cstr(second))))
            return true;
    return false;
}

/* ---- sweeps ---- */

struct swept {
    uint64_t allocations, operations; /* that the script makes */
    bool is_reached, is_blameless;    /* nobody did anything wrong */
};

/* Some peer does what may be blamed on it; or time passes, for which it may be too slow. */
static bool has_culprit(const struct script *s)
{
    static const char *const deeds[] = { "breaks", "resets", "ends", "drains", "says", "stops" };

    if (has_line(s, "time", ""))
        return true;
    for (int i = 0; i < s->n; i++)
        for (size_t j = 0; j < sizeof deeds / sizeof *deeds; j++)
            if (s->lines[i].words > 1 && gw_str_eq(s->lines[i].word[1], gw_cstr(deeds[j])))
                return true;
    return false;
}

static void check_causes(struct proto *p, uint64_t at)
{
    for (int i = 0; i < p->ends_len; i++)
        SIM_CHECK(
            &p->sim, p->ends[i].cause.by != GW_BY_CLIENT && p->ends[i].cause.by != GW_BY_UPSTREAM,
            "allocation %llu: %s/%s/%u", (unsigned long long)at, gw_by_name(p->ends[i].cause.by),
            gw_phase_name(p->ends[i].cause.phase), p->ends[i].cause.reason);
}

static struct swept play_point(const char *path, int shape, struct proto_point point,
                               bool is_blameless)
{
    struct proto *p = calloc(1, sizeof *p);
    struct script *s = calloc(1, sizeof *s);
    struct swept swept = { .is_blameless = true };

    if (!load(path, s))
        exit(1);
    set_up(p, path, shape);
    p->sim.swarm.piece_max = 1u << 20;
    proto_sweep(p, s->lines, s->n, point);
    swept.allocations = p->sim.allocations;
    swept.operations = p->sim.operations;
    proto_come_to_rest(p);
    if (is_blameless && p->sim.allocations_failed > 0)
        check_causes(p, point.alloc);
    swept.is_blameless = !has_culprit(s);
    for (int i = 0; i < p->ends_len; i++)
        swept.is_blameless = swept.is_blameless && (p->ends[i].cause.by == GW_BY_NONE);
    swept.is_reached = p->sim.allocations_failed > 0 || p->sim.io_failed > 0;
    proto_stop(p);
    free(p);
    free(s);
    return swept;
}

/* At most n points of each kind, evenly; 0: all. */
static int sweep_shape(const char *path, int shape, uint64_t n)
{
    struct swept plain = play_point(path, shape, (struct proto_point){ 0, 0, false }, false);
    uint64_t step = n == 0 ? 1 : plain.allocations / n + 1;
    int points = 0;

    for (uint64_t k = 1; k <= plain.allocations; k += step) {
        points += play_point(path, shape, (struct proto_point){ k, 0, false }, plain.is_blameless)
                      .is_reached;
        points += play_point(path, shape, (struct proto_point){ k, 0, true }, plain.is_blameless)
                      .is_reached;
    }
    step = n == 0 ? 1 : plain.operations / n + 1;
    for (uint64_t k = 1; k <= plain.operations; k += step)
        points += play_point(path, shape, (struct proto_point){ 0, k, false }, false).is_reached;
    return points;
}

static int sweep_scripts(int argc, char **argv)
{
    struct script *s = calloc(1, sizeof *s);
    int scripts = 0, points = 0;
    uint64_t n = 0;

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "-n") == 0 && i + 1 < argc) {
            n = strtoull(argv[++i], NULL, 10);
            continue;
        }
        if (!load(argv[i], s))
            return 1;
        scripts++;
        for (int shape = 0; shape < SHAPES; shape++)
            if (wants_shape(s, shape))
                points += sweep_shape(argv[i], shape, n);
    }
    printf("%d scripts, %d points of failure reached: all ends, nothing is left\n", scripts,
           points);
    free(s);
    return 0;
}

/* ---- all modes ---- */

enum { MODES_MAX = 16 };

struct matrix {
    const struct proto_mode *modes[MODES_MAX]; /* those that are here */
    int modes_len, missing;
    int scripts[MODES_MAX], runs[MODES_MAX];
    char *logs[2]; /* the simulator's, another's */
    bool is_verbose;
};

static bool can_play(const struct script *s, const struct proto_mode *mode)
{
    return !mode->has_sockets || !has_line(s, "only", "simulated");
}

/* One shape of one script; the simulator comes first. */
static void play_in_mode(struct matrix *m, const char *path, int shape, int mode)
{
    struct world w = { .mode = m->modes[mode], .once = true, .log = m->logs[mode > 0] };

    memset(w.log, 0, PROTO_LOG);
    play(path, &w, shape, 1u << 20, 0);
    m->runs[mode]++;
    if (m->is_verbose && mode == 0)
        printf("%s, %s\n%s\n", path, shape_names[shape], w.log);
    if (mode == 0 || strcmp(m->logs[0], m->logs[1]) == 0)
        return;
    fprintf(stderr, "%s, %s: what happens is not the same.\nIn sim:\n%s\nIn %s:\n%s\n", path,
            shape_names[shape], m->logs[0], m->modes[mode]->name, m->logs[1]);
    exit(1);
}

static void play_in_all(struct matrix *m, const char *path, const struct script *s)
{
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    int shapes[SHAPES], n = 0;

    for (int shape = 0; shape < SHAPES; shape++)
        if (wants_shape(s, shape))
            shapes[n++] = shape;
    printf("%-34.*s", (int)strcspn(name, "."), name);
    for (int i = 0; i < n; i++)
        for (int mode = 0; mode < m->modes_len; mode++)
            if (can_play(s, m->modes[mode]))
                play_in_mode(m, path, shapes[i], mode);
    for (int mode = 0; mode < m->modes_len; mode++) {
        bool is_played = can_play(s, m->modes[mode]);
        m->scripts[mode] += is_played;
        if (is_played)
            printf("%12d", n);
        else
            printf("%12s", "-");
    }
    printf("\n");
}

/* The modes that are here; the others are named. False: one is missing that CI must have. */
static bool find_modes(struct matrix *m)
{
    bool is_complete = true;

    printf("%-34s", "script, and shapes in each mode");
    for (int i = 0; proto_modes[i] != NULL; i++) {
        if (!proto_mode_is_there(proto_modes[i]))
            continue;
        m->modes[m->modes_len++] = proto_modes[i];
        printf("%12s", proto_modes[i]->name);
    }
    printf("\n");
    for (int i = 0; proto_modes[i] != NULL; i++) {
        if (proto_mode_is_there(proto_modes[i]))
            continue;
        m->missing++;
        is_complete = is_complete && proto_modes[i]->kind == GW_LOOP_URING; /* not every kernel */
        fprintf(stderr, "SKIPPED: %s is not there\n", proto_modes[i]->name);
    }
    return is_complete;
}

static int play_matrix(int argc, char **argv)
{
    struct matrix m = { .logs = { calloc(1, PROTO_LOG), calloc(1, PROTO_LOG) } };
    struct script *s = calloc(1, sizeof *s);
    bool is_complete = find_modes(&m);
    int result = m.missing == 0 ? 0 : !is_complete && getenv("CI") != NULL ? 1 : 77;

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0) {
            m.is_verbose = true;
            continue;
        }
        if (!load(argv[i], s))
            return 1;
        play_in_all(&m, argv[i], s);
    }
    printf("%-34s", "scripts");
    for (int mode = 0; mode < m.modes_len; mode++)
        printf("%12d", m.scripts[mode]);
    printf("\n%-34s", "runs, all with the same events");
    for (int mode = 0; mode < m.modes_len; mode++)
        printf("%12d", m.runs[mode]);
    printf("\n");
    for (int i = 0; i < 2; i++)
        free(m.logs[i]);
    free(s);
    return result;
}

/* ---- one mode ---- */

static int play_mode(int argc, char **argv)
{
    struct script *s = calloc(1, sizeof *s);
    struct world w = { .stub = strcmp(argv[1], "stub") == 0 };
    int scripts = 0, runs = 0;

    w.mode = w.stub ? proto_modes[0] : proto_mode_of(argv[1]);
    if (w.mode == NULL || !proto_mode_is_there(w.mode)) {
        fprintf(stderr, "there is no mode %s here\n", argv[1]);
        return 77;
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "-1") == 0) {
            w.once = true;
            continue;
        }
        if (!load(argv[i], s))
            return 1;
        if (!can_play(s, w.mode) || (w.stub && has_line(s, "only", "plain")))
            continue;
        scripts++;
        for (int shape = 0; shape < SHAPES; shape++)
            if (wants_shape(s, shape))
                runs += play_cuts(argv[i], &w, shape);
    }
    printf("%d scripts, %d runs: all as they say\n", scripts, runs);
    free(s);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "runner sim|stub|MODE|matrix|sweep [-1] SCRIPT...\n");
        return 2;
    }
    if (strcmp(argv[1], "sweep") == 0)
        return sweep_scripts(argc, argv);
    if (strcmp(argv[1], "matrix") == 0)
        return play_matrix(argc, argv);
    return play_mode(argc, argv);
}
