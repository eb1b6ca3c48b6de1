/* names.c: clusters whose endpoints come from DNS: who asks, in a thread of its own. */
#include "names.h"
#include "say.h"
#include "signals.h"

#include <poll.h>
#include <signal.h>
#include <time.h>

enum { WAIT_MS = 5000 };

static bool asks_any(const gw_config *config)
{
    gw_dns_spec dns = GW_SPEC(gw_dns_spec);
    for (size_t i = 0; gw_config_dns(config, i, NULL, &dns) == GW_OK; i++)
        if (dns.name.len > 0)
            return true;
    return false;
}

bool names_follow(struct names *names, gw_engine *engine, const gw_config *config)
{
    if (names->resolver != NULL || !asks_any(config))
        return true;
    gw_resolver_spec spec = GW_SPEC(gw_resolver_spec);
    spec.log_level = GW_LOG_INFO;
    gw_status status = gw_resolver_new(engine, &spec, &names->resolver);
    if (status != GW_OK)
        say("nobody can ask DNS: %s", gw_status_text(status));
    return status == GW_OK;
}

static int left_of(const struct timespec *begin)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    long long ms = (long long)(now.tv_sec - begin->tv_sec) * 1000 +
                   (now.tv_nsec - begin->tv_nsec) / 1000000;
    return ms < WAIT_MS ? WAIT_MS - (int)ms : 0;
}

void names_wait(struct names *names)
{
    if (names->resolver == NULL)
        return;
    struct timespec begin;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    struct pollfd ready = { .fd = gw_resolver_fd(names->resolver), .events = POLLIN };
    int left = WAIT_MS;
    gw_status status = gw_resolver_step(names->resolver);
    /* A signal that does not end the program is for who runs it later. */
    while (left > 0 && !signals_have_end() && gw_resolver_pending(names->resolver) > 0) {
        if (poll(&ready, 1, left) > 0)
            status = gw_resolver_step(names->resolver);
        left = left_of(&begin);
    }
    size_t pending = gw_resolver_pending(names->resolver);
    if (pending > 0)
        say("%zu cluster%s heard nothing from DNS yet: their requests are answered 503 until then",
            pending, pending == 1 ? " has" : "s have");
    else if (status != GW_OK)
        say("not all that DNS says is in force yet: %s", gw_status_text(status));
}

static void *work(void *argument)
{
    gw_status status = gw_resolver_run(argument);
    if (status != GW_OK)
        say("nobody asks DNS any more: %s", gw_status_text(status));
    return NULL;
}

/* Signals are for the thread that reads them. */
bool names_start(struct names *names)
{
    if (names->resolver == NULL || names->is_running)
        return true;
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    names->is_running = pthread_create(&names->thread, NULL, work, names->resolver) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!names->is_running)
        say("cannot start a thread that asks DNS: is there a limit on processes? (ulimit -u)");
    return names->is_running;
}

void names_end(struct names *names)
{
    gw_resolver_stop(names->resolver);
    if (names->is_running)
        pthread_join(names->thread, NULL);
    gw_resolver_free(names->resolver);
    *names = (struct names){ 0 };
}
