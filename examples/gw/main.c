/* main.c: picks the command. It knows their names and nothing of what they do. */
#include "commands.h"
#include "help.h"
#include "say.h"

#include <signal.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    { "check", command_check }, { "demo", command_demo }, { "explain", command_explain },
    { "help", command_help },   { "run", command_run },   { "version", command_version },
};

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* "gw run --help" is what people type when "gw help run" is meant. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (is_one_of(argv[i], "--help", "-h"))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help_usage(stderr);
        return EXIT_USAGE;
    }
    /* A peer that goes away while it is written to is a result, not a reason to die. */
    (void)signal(SIGPIPE, SIG_IGN);
    const char *name = argv[1];
    if (is_one_of(name, "--help", "-h"))
        name = "help";
    if (is_one_of(name, "--version", "-V"))
        name = "version";
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(name, commands[i].name) != 0)
            continue;
        if (asks_for_help(argc - 2, argv + 2))
            return command_help(1, &argv[1]);
        return commands[i].run(argc - 2, argv + 2);
    }
    say("there is no command \"%s\"; \"gw help\" lists them", name);
    return EXIT_USAGE;
}
