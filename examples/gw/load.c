/* load.c: a configuration file, read and checked. */
#include "load.h"
#include "access_log.h"
#include "files.h"
#include "resolve.h"
#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What gw_yaml_load takes, and one byte more, so that it is the one to refuse a larger file. */
enum { FILE_MAX = 4 * 1024 * 1024 + 1, WORKERS_MAX = 1024, DRAIN_MS = 30000 };

static char *read_all(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *text = file != NULL ? malloc(FILE_MAX) : NULL;
    size_t n = text != NULL ? fread(text, 1, FILE_MAX, file) : 0;
    if (text == NULL || ferror(file) != 0) {
        say("cannot read %s: %s", path, strerror(errno));
        free(text);
        text = NULL;
    }
    if (file != NULL)
        fclose(file);
    *len = n;
    return text;
}

/* The file's access log becomes a filter, before any other. */
static gw_status add_filters(void *ctx, gw_builder *builder)
{
    const struct loaded *loaded = ctx;
    if (loaded->settings.has_access_log == 0)
        return GW_OK;
    gw_filter filter = access_log_filter();
    return gw_builder_filter(builder, &filter) != 0 ? GW_OK : GW_EINVAL;
}

int load_file(const char *path, struct loaded *out, gw_yaml_error *error)
{
    size_t len = 0;
    char *text = read_all(path, &len);
    if (text == NULL)
        return EXIT_FAILED;
    *out = (struct loaded){ .settings = GW_SPEC(gw_yaml_settings), .limits = GW_SPEC(gw_limits) };
    out->settings.resolve = resolve_name;
    out->settings.read = files_read;
    out->settings.read_ctx = &path;
    *error = GW_SPEC(gw_yaml_error);
    gw_status status = gw_yaml_load(NULL, (gw_str){ text, len }, add_filters, out, &out->settings,
                                    &out->limits, &out->config, error);
    out->settings.read_ctx = NULL;
    free(text);
    if (status == GW_OK)
        return EXIT_FINE;
    if (status == GW_EUNSUPPORTED && error->line == 0) {
        say("%s; install libyaml-dev and build again, or try \"gw demo\"", error->text);
        return EXIT_FAILED;
    }
    if (error->text[0] == 0)
        snprintf(error->text, sizeof error->text, "%s", gw_status_text(status));
    return EXIT_CONFIG;
}

void load_say_error(const char *path, const gw_yaml_error *error)
{
    const char *colon = error->where[0] != 0 ? ": " : "";
    say_plain("%s:%u:%u: %s%s%s", path, error->line, error->column, error->where, colon,
              error->text);
}

uint32_t load_workers(const struct loaded *loaded)
{
    if (loaded->settings.workers != 0)
        return loaded->settings.workers;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > WORKERS_MAX ? WORKERS_MAX : (uint32_t)cores;
}

uint32_t load_drain_ms(const struct loaded *loaded)
{
    return loaded->settings.drain_ms != 0 ? loaded->settings.drain_ms : DRAIN_MS;
}
