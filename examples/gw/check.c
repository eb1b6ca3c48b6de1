/* check.c: "gw check": is the file right, how much memory may it take, and what does it move. */
#include "asked.h"
#include "json.h"
#include "load.h"
#include "options.h"
#include "say.h"
#include "shares.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_bytes(uint64_t bytes, const char *of_what)
{
    const uint64_t mebi = 1024 * 1024;
    if (bytes < mebi)
        printf("    %10.1f KiB  %s\n", (double)bytes / 1024.0, of_what);
    else
        printf("    %10.1f MiB  %s\n", (double)bytes / (double)mebi, of_what);
}

static void print_listeners(const gw_config *config)
{
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    for (size_t i = 0; gw_config_listener(config, i, &listener) == GW_OK; i++)
        printf("  listener %.*s on %.*s\n", (int)listener.name.len, listener.name.ptr,
               (int)listener.address.len, listener.address.ptr);
}

static bool print_text(const char *path, const struct loaded *loaded, const gw_config *old,
                       const gw_footprint *worst)
{
    printf("%s is right\n", path);
    print_listeners(loaded->config);
    asked_print(loaded->config);
    printf("  workers %u\n", worst->workers);
    printf("  memory, at worst:\n");
    print_bytes(worst->blocks, "blocks of bytes, a worker");
    if (worst->replay > 0)
        print_bytes(worst->replay, "of these at most for bodies that may be sent again");
    print_bytes(worst->objects, "connections and requests, a worker");
    print_bytes(worst->h2, "HTTP/2, a worker");
    if (worst->tls > 0)
        print_bytes(worst->tls, "TLS sessions, a worker");
    print_bytes(worst->config, "configuration");
    print_bytes(worst->shared, "limiters, and what is known of clusters and endpoints");
    print_bytes(worst->total, "in all");
    return shares_print(loaded->config, old);
}

static bool print_json(const char *path, const struct loaded *loaded, const gw_config *old,
                       const gw_footprint *worst)
{
    enum { LINE = 2048 };
    char inner[512], *shares = shares_json(loaded->config, old),
                     *asked = asked_json(loaded->config);
    size_t room = shares != NULL && asked != NULL ? LINE + strlen(shares) + strlen(asked) : 0;
    char *line = room > 0 ? malloc(room) : NULL;
    struct json j;
    if (line == NULL) {
        free(asked);
        free(shares);
        return false;
    }
    json_open(&j, inner, sizeof inner);
    json_number(&j, "blocks", worst->blocks);
    json_number(&j, "replay", worst->replay);
    json_number(&j, "objects", worst->objects);
    json_number(&j, "h2", worst->h2);
    json_number(&j, "tls", worst->tls);
    json_number(&j, "config", worst->config);
    json_number(&j, "shared", worst->shared);
    json_number(&j, "total", worst->total);
    gw_str memory = { inner, json_close(&j) };
    json_open(&j, line, room);
    json_text(&j, "file", gw_cstr(path), 1024);
    json_bool(&j, "valid", true);
    json_number(&j, "workers", worst->workers);
    json_raw(&j, "memory", memory);
    json_raw(&j, "clusters", gw_cstr(shares));
    json_raw(&j, "dns", gw_cstr(asked));
    size_t len = json_close(&j);
    printf("%.*s\n", (int)len, line);
    free(line);
    free(asked);
    free(shares);
    return true;
}

static void print_json_error(const char *path, const gw_yaml_error *error)
{
    char line[4096];
    struct json j;
    json_open(&j, line, sizeof line);
    json_text(&j, "file", gw_cstr(path), 1024);
    json_bool(&j, "valid", false);
    json_number(&j, "line", error->line);
    json_number(&j, "column", error->column);
    json_text(&j, "where", gw_cstr(error->where), 512);
    json_text(&j, "text", gw_cstr(error->text), 1024);
    size_t len = json_close(&j);
    printf("%.*s\n", (int)len, line);
}

/* What is wrong with it was said. */
static int load(const char *path, bool as_json, struct loaded *out)
{
    gw_yaml_error error;
    int code = load_file(path, out, &error);
    if (code == EXIT_CONFIG && as_json)
        print_json_error(path, &error);
    if (code == EXIT_CONFIG)
        load_say_error(path, &error);
    return code;
}

static int check_file(const char *path, const char *against, bool as_json)
{
    struct loaded loaded = { 0 }, old = { 0 };
    int code = load(path, as_json, &loaded);
    if (code == EXIT_FINE && against != NULL)
        code = load(against, as_json, &old);
    if (code != EXIT_FINE) {
        gw_config_unref(loaded.config);
        return code;
    }

    gw_footprint worst = GW_SPEC(gw_footprint);
    worst.workers = load_workers(&loaded);
    gw_status status = gw_limits_footprint(&loaded.limits, loaded.config, &worst);
    if (status != GW_OK) {
        say("%s: limits: %s", path, gw_status_text(status));
        code = EXIT_CONFIG;
    } else if (!(as_json ? print_json(path, &loaded, old.config, &worst)
                         : print_text(path, &loaded, old.config, &worst))) {
        say("%s: %s", path, gw_status_text(GW_ENOMEM));
        code = EXIT_FAILED;
    }
    gw_config_unref(old.config);
    gw_config_unref(loaded.config);
    return code;
}

struct options {
    const char *against;
    bool as_json;
};

static int take_option(void *ctx, const char *name, const char *value)
{
    struct options *out = ctx;
    if (strcmp(name, "--json") == 0) {
        out->as_json = true;
        return OPTION_TAKEN;
    }
    if (strcmp(name, "--against") != 0)
        return OPTION_UNKNOWN;
    if (value == NULL) {
        say("--against needs a file: gw check FILE --against OLD");
        return OPTION_WRONG;
    }
    out->against = value;
    return OPTION_TAKEN_WITH_VALUE;
}

int command_check(int argc, char **argv)
{
    struct options options = { 0 };
    const struct options_of of = { "check", "gw check FILE", take_option, &options };
    const char *path = options_parse(argc, argv, &of);
    return path == NULL ? EXIT_USAGE : check_file(path, options.against, options.as_json);
}
