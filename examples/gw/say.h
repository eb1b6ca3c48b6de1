/* say.h: messages for people. They go to stderr, a line each, and say what to do next. */
#ifndef GW_PROGRAM_SAY_H
#define GW_PROGRAM_SAY_H

#include <gw/env.h>

#include <stdbool.h>

#if defined(__GNUC__)
#define SAY_FORMAT __attribute__((format(printf, 1, 2)))
#else
#define SAY_FORMAT
#endif

/* "gw: ...": one line, in one write, so that the lines of several threads stay whole. */
void say(const char *format, ...) SAY_FORMAT;
/* The same without the name of the program, for FILE:LINE:COLUMN, which editors read. */
void say_plain(const char *format, ...) SAY_FORMAT;
/* The option that is not known, and where to read what is. */
void say_unknown_option(const char *command, const char *option);
/* What the library reports: a gw_log_fn. */
void say_log(void *ctx, uint32_t level, const char *event, const char *text);

#endif
