/* tests/embed/configuration.c: every yaml block of a page is a configuration that loads.
 *     configuration docs/configuration.md tests/certs
 * Those with the key tls are left out in a build without it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gw/gw.h>

static char *read_page(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    if (!file || !text || fread(text, 1, (1 << 20) - 1, file) == 0)
        exit(2);
    fclose(file);
    return text;
}

/* The page names files that tests have. */
static gw_status read_file(void *ctx, gw_str path, char *out, size_t room, size_t *len, char *why)
{
    char name[1024];
    snprintf(name, sizeof name, "%s/%.*s", (const char *)ctx, (int)path.len, path.ptr);
    FILE *file = fopen(name, "rb");
    if (!file) {
        snprintf(why, GW_YAML_WHY_MAX, "tests/certs has none");
        return GW_EIO;
    }
    *len = fread(out, 1, room, file);
    fclose(file);
    return GW_OK;
}

static gw_status load(char *certs, gw_str text, gw_config **config, gw_yaml_error *err)
{
    gw_yaml_settings settings = GW_SPEC(gw_yaml_settings);
    gw_limits limits = GW_SPEC(gw_limits);
    gw_footprint footprint = GW_SPEC(gw_footprint);
    settings.read = read_file;
    settings.read_ctx = certs;
    gw_status status = gw_yaml_load(NULL, text, NULL, NULL, &settings, &limits, config, err);
    if (status != GW_OK)
        return status;
    return gw_limits_footprint(&limits, *config, &footprint);
}

int main(int argc, char **argv)
{
    char *page = argc == 3 ? read_page(argv[1]) : NULL;
    int has_tls = strstr(gw_build_features(), "tls=") != NULL;
    int blocks = 0;
    for (char *at = page; at && (at = strstr(at, "\n```yaml\n")) != NULL;) {
        gw_config *config = NULL;
        gw_yaml_error err = GW_SPEC(gw_yaml_error);
        char *begin = at + strlen("\n```yaml\n"), *end = strstr(begin, "\n```\n");
        if (!end)
            return 2;
        gw_str text = { begin, (size_t)(end - begin) + 1 };
        gw_status status = load(argv[2], text, &config, &err);
        if (!has_tls && status == GW_EUNSUPPORTED && strstr(err.where, ".tls") != NULL)
            status = GW_OK;
        if (status != GW_OK) {
            fprintf(stderr, "%s: block %d, line %u: %s: %s\n", argv[1], blocks + 1, err.line,
                    err.where, err.text);
            return 1;
        }
        gw_config_unref(config);
        blocks++;
        at = end;
    }
    printf("%d blocks load\n", blocks);
    free(page);
    return blocks > 0 ? 0 : 1;
}
