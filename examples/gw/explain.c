/* explain.c: "gw explain": what would become of a request, step by step, by a file's fresh gateway. */
#include "commands.h"
#include "json.h"
#include "load.h"
#include "nearest.h"
#include "options.h"
#include "say.h"

#include <gw/explain.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIELDS_MAX = 100 };

struct options {
    const char *path;
    gw_explain_spec spec;
    gw_call_field fields[FIELDS_MAX];
    bool as_json;
};

/* ---- the command line ---- */

/* "name: value", as curl takes it. */
static bool parse_field(struct options *out, const char *text)
{
    const char *colon = strchr(text, ':'), *value = colon != NULL ? colon + 1 : NULL;
    if (colon == NULL || colon == text) {
        say("--header takes \"name: value\", not \"%s\"", text);
        return false;
    }
    if (out->spec.fields_len == FIELDS_MAX) {
        say("at most %d --header are taken", FIELDS_MAX);
        return false;
    }
    gw_str name = { text, (size_t)(colon - text) };
    if (name.len == 4 && strncasecmp(text, "host", 4) == 0) {
        say("say the host with --host");
        return false;
    }
    out->fields[out->spec.fields_len++] = (gw_call_field){ name,
                                                           gw_cstr(value + strspn(value, " ")) };
    return true;
}

static bool parse_protocol(struct options *out, const char *name)
{
    if (strcmp(name, "h1") == 0)
        out->spec.protocol = GW_PROTO_H1;
    else if (strcmp(name, "h2") == 0)
        out->spec.protocol = GW_PROTO_H2;
    else if (strcmp(name, "tls") == 0)
        out->spec.protocol = GW_PROTO_TLS;
    else
        say("there is no protocol \"%s\"; --protocol takes h1, h2 or tls", name);
    return out->spec.protocol != 0;
}

static bool parse_scheme(struct options *out, const char *name)
{
    out->spec.scheme = gw_cstr(name);
    if (strcmp(name, "http") == 0 || strcmp(name, "https") == 0)
        return true;
    say("there is no scheme \"%s\"; --scheme takes http or https", name);
    return false;
}

static gw_str *text_option(struct options *o, const char *name)
{
    const struct {
        const char *name;
        gw_str *text;
    } known[] = { { "--method", &o->spec.method },     { "--host", &o->spec.host },
                  { "--path", &o->spec.target },       { "--client", &o->spec.client },
                  { "--listener", &o->spec.listener }, { "--cluster", &o->spec.cluster },
                  { "--hash-key", &o->spec.hash_key }, { "--server-name", &o->spec.server_name },
                  { "--identity", &o->spec.identity } };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].text;
    return NULL;
}

static int take_option(void *ctx, const char *name, const char *value)
{
    static const struct {
        const char *name;
        bool (*parse)(struct options *out, const char *value);
    } known[] = { { "--header", parse_field },
                  { "--protocol", parse_protocol },
                  { "--scheme", parse_scheme } };
    struct options *out = ctx;
    gw_str *text = text_option(out, name);
    size_t i = 0;
    if (strcmp(name, "--json") == 0) {
        out->as_json = true;
        return OPTION_TAKEN;
    }
    while (i < sizeof known / sizeof known[0] && strcmp(known[i].name, name) != 0)
        i++;
    if (text == NULL && i == sizeof known / sizeof known[0])
        return OPTION_UNKNOWN;
    if (value == NULL || (text != NULL && value[0] == '\0')) {
        say("%s needs a value; \"gw help explain\" says which", name);
        return OPTION_WRONG;
    }
    if (text != NULL)
        *text = gw_cstr(value);
    else if (!known[i].parse(out, value))
        return OPTION_WRONG;
    return OPTION_TAKEN_WITH_VALUE;
}

/* ---- what it says ---- */

static const char *const verdicts[] = { "note", "yes", "no", "ends" };

static void print_number(const gw_explain_number *n)
{
    size_t len = strlen(n->name);
    const uint64_t milli = 1000000;
    if (len > 3 && strcmp(n->name + len - 3, "_ns") == 0)
        printf(", %.*s %" PRIu64 ".%03" PRIu64 " ms", (int)len - 3, n->name, n->value / milli,
               n->value % milli / 1000);
    else
        printf(", %s %" PRIu64, n->name, n->value);
}

static void print_step(void *ctx, const gw_explain_step *step)
{
    (void)ctx;
    printf("  %-8s  %-4s  %.*s: %s", step->what, verdicts[step->verdict], (int)step->name.len,
           step->name.ptr, step->text);
    for (uint32_t i = 0; i < step->numbers_len; i++)
        print_number(&step->numbers[i]);
    printf("\n");
}

struct listing {
    bool has_any;
};

static void print_json_step(void *ctx, const gw_explain_step *step)
{
    struct listing *listing = ctx;
    char line[8192];
    struct json j;
    json_open(&j, line, sizeof line);
    json_text(&j, "what", gw_cstr(step->what), 64);
    json_text(&j, "name", step->name, 6000);
    json_text(&j, "verdict", gw_cstr(verdicts[step->verdict]), 64);
    json_text(&j, "text", gw_cstr(step->text), 512);
    for (uint32_t i = 0; i < step->numbers_len; i++)
        json_number(&j, step->numbers[i].name, step->numbers[i].value);
    size_t len = json_close(&j);
    printf("%s%.*s", listing->has_any ? ",\n" : "\n", (int)len, line);
    listing->has_any = true;
}

static const char *ends_name(uint32_t ends)
{
    static const char *const names[] = { "", "endpoint", "origin", "reply", "failure" };
    return names[ends];
}

static const char *reason_name(const gw_explained *e)
{
    gw_reason row = GW_SPEC(gw_reason);
    return gw_reason_of(e->cause.reason, &row) == GW_OK ? row.name : "";
}

static void print_end(const gw_explained *e)
{
    switch (e->ends) {
    case GW_ENDS_ENDPOINT:
        printf("sent to %s: endpoint %s of cluster %s, by route %s\n", e->address, e->endpoint,
               e->cluster, e->route);
        break;
    case GW_ENDS_ORIGIN:
        printf("answered by the host: cluster %s, by route %s\n", e->cluster, e->route);
        break;
    case GW_ENDS_REPLY:
        printf("answered with %u, by route %s\n", e->code, e->route);
        break;
    default:
        printf("refused with %u: %s/%s/%s\n", e->code, gw_by_name(e->cause.by),
               gw_phase_name(e->cause.phase), reason_name(e));
        break;
    }
}

static void print_json_end(const gw_explained *e)
{
    char line[4096], cause[256];
    struct json j;
    json_open(&j, cause, sizeof cause);
    json_text(&j, "by", gw_cstr(gw_by_name(e->cause.by)), 64);
    json_text(&j, "phase", gw_cstr(gw_phase_name(e->cause.phase)), 64);
    json_text(&j, "reason", gw_cstr(reason_name(e)), 64);
    gw_str inner = { cause, json_close(&j) };
    json_open(&j, line, sizeof line);
    json_text(&j, "ends", gw_cstr(ends_name(e->ends)), 64);
    json_text(&j, "listener", gw_cstr(e->listener), 512);
    json_text(&j, "route", gw_cstr(e->route), 512);
    json_text(&j, "cluster", gw_cstr(e->cluster), 512);
    json_text(&j, "endpoint", gw_cstr(e->endpoint), 1024);
    json_text(&j, "address", gw_cstr(e->address), 1024);
    if (e->code != 0)
        json_number(&j, "code", e->code);
    if (e->grpc_status != GW_OFF)
        json_number(&j, "grpc_status", e->grpc_status);
    if (e->ends == GW_ENDS_FAILURE)
        json_raw(&j, "cause", inner);
    size_t len = json_close(&j);
    printf("\n],%.*s\n", (int)len - 1, line + 1);
}

/* ---- the command ---- */

static gw_status ask(const struct options *options, const struct loaded *loaded, gw_engine *engine)
{
    gw_explain_spec spec = options->spec;
    gw_explained explained = GW_SPEC(gw_explained);
    struct listing listing = { false };
    gw_status status = gw_engine_apply(engine, loaded->config, NULL);
    if (status != GW_OK)
        return status;
    status = gw_explain(engine, &spec, &explained); /* is it right? Then it is said */
    if (status != GW_OK)
        return status;
    spec.on_step = options->as_json ? print_json_step : print_step;
    spec.ctx = &listing;
    if (options->as_json)
        printf("{\"steps\":[");
    status = gw_explain(engine, &spec, &explained);
    if (options->as_json)
        print_json_end(&explained);
    else
        print_end(&explained);
    return status;
}

static bool say_missing(const char *path, const char *what, const struct nearest *nearest)
{
    gw_str wanted = nearest->wanted, name = nearest->name;
    bool is_there = wanted.len == 0 || (name.len > 0 && nearest->distance == 0);
    if (!is_there)
        say("%s has no %s \"%.*s\"%s%.*s%s", path, what, (int)wanted.len, wanted.ptr,
            name.len > 0 ? "; did you mean \"" : "", (int)name.len, name.len > 0 ? name.ptr : "",
            name.len > 0 ? "\"?" : "");
    return !is_there;
}

static void say_unknown(const struct options *options, const gw_config *config)
{
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_dns_spec dns = GW_SPEC(gw_dns_spec);
    struct nearest listeners, clusters;
    gw_str cluster;
    nearest_open(&listeners, options->spec.listener);
    nearest_open(&clusters, options->spec.cluster);
    for (size_t i = 0; gw_config_listener(config, i, &listener) == GW_OK; i++)
        nearest_offer(&listeners, listener.name);
    for (size_t i = 0; gw_config_dns(config, i, &cluster, &dns) == GW_OK; i++)
        nearest_offer(&clusters, cluster);
    if (!say_missing(options->path, "listener", &listeners) &&
        !say_missing(options->path, "cluster", &clusters))
        say("%s has no listener", options->path);
}

static int explain(const struct options *options, const struct loaded *loaded)
{
    gw_engine_spec spec = GW_SPEC(gw_engine_spec);
    gw_engine *engine = NULL;
    spec.limits = &loaded->limits;
    gw_status status = gw_engine_new(&spec, &engine);
    if (status == GW_OK)
        status = ask(options, loaded, engine);
    gw_engine_free(engine);
    switch (status) {
    case GW_OK:
        return EXIT_FINE;
    case GW_EINVAL:
        say("--client takes an address: 10.0.0.7, or 10.0.0.7:4711");
        return EXIT_USAGE;
    case GW_EUNKNOWN:
        say_unknown(options, loaded->config);
        return EXIT_USAGE;
    default:
        say("%s: %s", options->path, gw_status_text(status));
        return EXIT_FAILED;
    }
}

int command_explain(int argc, char **argv)
{
    struct options options = { .spec = GW_SPEC(gw_explain_spec) };
    const struct options_of of = { "explain", "gw explain FILE --host a.example --path /",
                                   take_option, &options };
    options.spec.fields = options.fields;
    options.path = options_parse(argc, argv, &of);
    if (options.path == NULL)
        return EXIT_USAGE;
    struct loaded loaded = { 0 };
    gw_yaml_error error;
    int code = load_file(options.path, &loaded, &error);
    if (code == EXIT_CONFIG)
        load_say_error(options.path, &error);
    if (code != EXIT_FINE)
        return code;
    code = explain(&options, &loaded);
    gw_config_unref(loaded.config);
    return code;
}
