/* say.c: messages for people. */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static void say_line(const char *prefix, const char *format, va_list arguments)
{
    char line[1024];
    size_t room = sizeof line - 1;
    int used = snprintf(line, room, "%s", prefix);
    int more = vsnprintf(line + used, room - (size_t)used, format, arguments);
    size_t length = (size_t)used + (more > 0 ? (size_t)more : 0);
    if (length > room - 1)
        length = room - 1;
    line[length++] = '\n';
    /* Nothing can be said about a stderr that is gone. */
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_line("gw: ", format, arguments);
    va_end(arguments);
}

void say_plain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_line("", format, arguments);
    va_end(arguments);
}

void say_unknown_option(const char *command, const char *option)
{
    say("%s does not know \"%s\"; \"gw help %s\" says what it takes", command, option, command);
}

void say_log(void *ctx, uint32_t level, const char *event, const char *text)
{
    (void)ctx;
    static const char *const names[] = { "", "error", "warning", "info", "debug" };
    say("%s: %s: %s", level < sizeof names / sizeof names[0] ? names[level] : "log", event, text);
}
