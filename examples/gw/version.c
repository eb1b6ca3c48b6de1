/* version.c: "gw version": of the library that is linked, and what is compiled in. */
#include "commands.h"
#include "json.h"
#include "say.h"

#include <gw/version.h>

#include <stdio.h>
#include <string.h>

static const char licence[] = "MIT";

static void print_text(const char *version)
{
    printf("gw %s\n", version);
    printf("built with: %s\n", gw_build_features());
    printf("licence:    %s\n", licence);
}

static void print_json(const char *version)
{
    char line[1024];
    struct json j;
    json_open(&j, line, sizeof line);
    json_text(&j, "version", gw_cstr(version), 64);
    json_text(&j, "features", gw_cstr(gw_build_features()), 512);
    json_text(&j, "licence", gw_cstr(licence), 64);
    size_t len = json_close(&j);
    printf("%.*s\n", (int)len, line);
}

int command_version(int argc, char **argv)
{
    bool as_json = false;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") != 0) {
            say_unknown_option("version", argv[i]);
            return EXIT_USAGE;
        }
        as_json = true;
    }
    uint32_t number = gw_version();
    char version[32];
    snprintf(version, sizeof version, "%u.%u.%u", number >> 16, number >> 8 & 255, number & 255);
    if (as_json)
        print_json(version);
    else
        print_text(version);
    return EXIT_FINE;
}
