/* options.h: the words behind a command: one FILE, and options anywhere around it. */
#ifndef GW_PROGRAM_OPTIONS_H
#define GW_PROGRAM_OPTIONS_H

enum { OPTION_UNKNOWN, OPTION_TAKEN, OPTION_TAKEN_WITH_VALUE, OPTION_WRONG };

struct options_of {
    const char *command;
    const char *usage; /* said where FILE is missing */
    /* One option; value: the word behind it, NULL: there is none. Returns OPTION_*; WRONG: why was said. */
    int (*take)(void *ctx, const char *name, const char *value);
    void *ctx;
};

/* FILE; NULL: what is wrong was said. */
const char *options_parse(int argc, char **argv, const struct options_of *of);

#endif
