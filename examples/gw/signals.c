/* signals.c: what happens to the process, as bytes that one thread reads in order. */
#include "signals.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A handler has no argument of its own, so what it writes to has to be here. */
static int ends[2] = { -1, -1 };
static volatile sig_atomic_t has_end;

static void note(int number)
{
    int kept = errno;
    char byte = number == SIGUSR1   ? SIGNAL_REOPEN
                : number == SIGUSR2 ? SIGNAL_RECALL
                : number == SIGHUP  ? SIGNAL_RELOAD
                                    : SIGNAL_END;
    has_end = has_end || byte == SIGNAL_END;
    ssize_t n = write(ends[1], &byte, 1); /* full: as much is waiting already */
    (void)n;
    errno = kept;
}

static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

bool signals_open(void)
{
    if (pipe(ends) != 0) {
        say("cannot make a pipe: %s; too many files are open", strerror(errno));
        return false;
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    /* Without SA_RESTART: the read of signals_next returns, so that whatever delays handlers (the
     * thread sanitizer does) has its chance. */
    struct sigaction action = { .sa_handler = note };
    for (size_t i = 0; i < NUMBERS; i++)
        (void)sigaction(numbers[i], &action, NULL);
    return true;
}

bool signals_have_end(void)
{
    return has_end != 0;
}

int signals_writer(void)
{
    return ends[1];
}

static void mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < NUMBERS; i++)
        sigaddset(&set, numbers[i]);
    (void)pthread_sigmask(how, &set, NULL);
}

void signals_block(void)
{
    mask(SIG_BLOCK);
}

void signals_unblock(void)
{
    mask(SIG_UNBLOCK);
}

char signals_next(void)
{
    char byte = 0;
    while (read(ends[0], &byte, 1) != 1)
        if (errno != EINTR)
            return SIGNAL_END;
    return byte;
}
