/* tests/embed/configuration.c: every yaml block of a page is a configuration that loads.
 *     configuration docs/configuration.md */

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

static gw_status load(gw_str text, gw_config **config, gw_yaml_error *err)
{
    gw_yaml_settings settings = GW_SPEC(gw_yaml_settings);
    gw_limits limits = GW_SPEC(gw_limits);
    gw_footprint footprint = GW_SPEC(gw_footprint);
    gw_status status = gw_yaml_load(NULL, text, NULL, NULL, &settings, &limits, config, err);
    if (status != GW_OK)
        return status;
    return gw_limits_footprint(&limits, *config, &footprint);
}

int main(int argc, char **argv)
{
    char *page = argc == 2 ? read_page(argv[1]) : NULL;
    int blocks = 0;
    for (char *at = page; at && (at = strstr(at, "\n```yaml\n")) != NULL;) {
        gw_config *config = NULL;
        gw_yaml_error err = GW_SPEC(gw_yaml_error);
        char *begin = at + strlen("\n```yaml\n"), *end = strstr(begin, "\n```\n");
        if (!end)
            return 2;
        gw_str text = { begin, (size_t)(end - begin) + 1 };
        if (load(text, &config, &err) != GW_OK) {
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
