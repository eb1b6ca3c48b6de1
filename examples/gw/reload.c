/* reload.c: see the header. Built aside and checked as a whole before anything changes. */
#include "reload.h"
#include "say.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ---- what is fixed at start ---- */

static void say_fixed(const char *path, const char *key)
{
    say_plain("%s: %s: fixed when gw starts; end gw and start it again to change it", path, key);
}

static bool is_same(const char *path, const char *key, uint64_t was, uint64_t is)
{
    if (was != is)
        say_fixed(path, key);
    return was == is;
}

/* All that differ are said, not only the first. */
static bool are_limits_same(const char *path, const gw_limits *was, const gw_limits *is)
{
    const struct {
        const char *key;
        uint64_t was, is;
    } keys[] = {
        { "limits.memory", was->blocks_max, is->blocks_max },
        { "limits.connections", was->links_max, is->links_max },
        { "limits.exchanges", was->exchanges_max, is->exchanges_max },
        { "limits.head", was->head_bytes_max, is->head_bytes_max },
        { "limits.fields", was->fields_max, is->fields_max },
        { "limits.body", was->body_bytes_max, is->body_bytes_max },
        { "limits.pipe", was->pipe_bytes_max, is->pipe_bytes_max },
        { "limits.h2_streams", was->h2_streams_max, is->h2_streams_max },
        { "limits.records", was->records_max, is->records_max },
        { "limits.tls_connections", was->tls_links_max, is->tls_links_max },
    };
    bool is_fine = true;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        is_fine = is_same(path, keys[i].key, keys[i].was, keys[i].is) && is_fine;
    return is_fine;
}

static bool is_log_same(const char *path, const gw_yaml_settings *was, const gw_yaml_settings *is)
{
    bool is_fine = was->has_access_log == is->has_access_log &&
                   strcmp(was->access_log_path, is->access_log_path) == 0;
    if (!is_fine)
        say_fixed(path, "access_log");
    return is_fine;
}

static bool may_replace(const char *path, const struct loaded *was, const struct loaded *is)
{
    bool is_fine = is_same(path, "workers", load_workers(was), load_workers(is));
    is_fine = are_limits_same(path, &was->limits, &is->limits) && is_fine;
    is_fine = is_same(path, "backend", was->settings.backend, is->settings.backend) && is_fine;
    return is_log_same(path, &was->settings, &is->settings) && is_fine;
}

/* ---- reloading ---- */

static bool read_anew(const char *path, struct loaded *out)
{
    gw_yaml_error error;
    int code = load_file(path, out, &error);
    if (code == EXIT_CONFIG)
        load_say_error(path, &error);
    return code == EXIT_FINE;
}

bool reload(struct crew *crew, const char *path, struct loaded *running)
{
    struct loaded next = { 0 };
    uint64_t now = gw_engine_generation(crew->engine);
    if (!read_anew(path, &next) || !may_replace(path, running, &next) ||
        !crew_configure(crew, next.config)) {
        say("configuration %" PRIu64 " stays: %s is not loaded", now, path);
        gw_config_unref(next.config);
        return false;
    }
    gw_config_unref(running->config);
    *running = next;
    say("configuration %" PRIu64 " runs: %s is loaded", gw_engine_generation(crew->engine), path);
    return true;
}
