/* options.c: the words behind a command. */
#include "options.h"
#include "say.h"

#include <stddef.h>

const char *options_parse(int argc, char **argv, const struct options_of *of)
{
    const char *path = NULL;
    for (int i = 0; i < argc; i++) {
        int taken = OPTION_UNKNOWN;
        if (argv[i][0] == '-')
            taken = of->take(of->ctx, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        else if (path == NULL)
            taken = OPTION_TAKEN;
        if (taken == OPTION_UNKNOWN)
            say_unknown_option(of->command, argv[i]);
        if (taken == OPTION_UNKNOWN || taken == OPTION_WRONG)
            return NULL;
        if (argv[i][0] != '-')
            path = argv[i];
        i += taken == OPTION_TAKEN_WITH_VALUE;
    }
    if (path == NULL)
        say("%s needs a file: %s", of->command, of->usage);
    return path;
}
