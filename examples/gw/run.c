/* run.c: "gw run": a file's gateway, until a signal ends it. */
#include "crew.h"
#include "load.h"
#include "options.h"
#include "recall.h"
#include "reload.h"
#include "say.h"
#include "signals.h"
#include "states.h"

#include <string.h>
#include <sys/resource.h>

enum { WORKER_ENDED = 'E' };

struct options {
    const char *path;
    uint32_t kind; /* GW_LOOP_*; 0: the best there is */
    bool has_kind; /* else as the file says           */
};

/* ---- the command line ---- */

static bool parse_backend(const char *name, uint32_t *kind)
{
    static const struct {
        const char *name;
        uint32_t kind;
    } known[] = { { "auto", 0 },
                  { "poll", GW_LOOP_POLL },
                  { "epoll", GW_LOOP_EPOLL },
                  { "io_uring", GW_LOOP_URING } };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) {
            *kind = known[i].kind;
            return true;
        }
    }
    say("there is no backend \"%s\"; --backend takes io_uring, epoll, poll or auto", name);
    return false;
}

static int take_option(void *ctx, const char *name, const char *value)
{
    struct options *out = ctx;
    if (strcmp(name, "--backend") != 0)
        return OPTION_UNKNOWN;
    if (value == NULL)
        say("--backend needs a name: io_uring, epoll, poll or auto");
    if (value == NULL || !parse_backend(value, &out->kind))
        return OPTION_WRONG;
    out->has_kind = true;
    return OPTION_TAKEN_WITH_VALUE;
}

static uint32_t kind_of(const struct options *options, const struct loaded *loaded)
{
    if (options->has_kind)
        return options->kind;
    switch (loaded->settings.backend) {
    case GW_BACKEND_POLL:
        return GW_LOOP_POLL;
    case GW_BACKEND_EPOLL:
        return GW_LOOP_EPOLL;
    case GW_BACKEND_URING:
        return GW_LOOP_URING;
    default:
        return 0;
    }
}

/* ---- descriptors ---- */

/* Shells start programs with few descriptors (1024) and allow more; a gateway takes what it may. */
static void raise_open_files(const struct loaded *loaded)
{
    enum { LINKS_DEFAULT = 10000, BESIDE_LINKS = 64 };
    uint32_t links = loaded->limits.links_max != 0 ? loaded->limits.links_max : LINKS_DEFAULT;
    rlim_t wanted = (rlim_t)links * load_workers(loaded) + BESIDE_LINKS;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return;
    files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < wanted)
        say("%llu open files are allowed, limits.connections may need %llu: raise it with "
            "\"ulimit -Hn\", or connections beyond wait",
            (unsigned long long)files.rlim_cur, (unsigned long long)wanted);
}

/* ---- from the first signal to the last worker ---- */

static void end(struct crew *crew, uint32_t drain_ms, bool *is_draining)
{
    if (*is_draining) {
        say("ending now");
        crew_stop(crew);
        return;
    }
    say("finishing what is in flight, for at most %u ms; a second signal ends at once", drain_ms);
    crew_drain(crew, drain_ms);
    *is_draining = true;
}

/* A worker that ends though nobody asked takes the others with it: a gateway with half of its
 * threads would look healthy. */
static void wait_for_workers(struct crew *crew, struct access_log *log, const char *path,
                             struct loaded *loaded)
{
    bool is_draining = false;
    for (uint32_t ended = 0; ended < crew->count;) {
        switch (signals_next()) {
        case SIGNAL_REOPEN:
            access_log_reopen(log);
            break;
        case SIGNAL_RECALL:
            states_print(crew->engine);
            crew_each(crew, recall, NULL);
            break;
        case SIGNAL_RELOAD:
            if (is_draining)
                say("SIGHUP: ending; %s is not read any more", path);
            else
                (void)reload(crew, path, loaded);
            break;
        case WORKER_ENDED:
            ended++;
            if (!is_draining)
                crew_stop(crew);
            break;
        default:
            end(crew, load_drain_ms(loaded), &is_draining);
            break;
        }
    }
}

static bool work(struct crew *crew, const char *path, struct loaded *loaded, struct access_log *log)
{
    if (!crew_configure(crew, loaded->config))
        return false;
    signals_block();
    bool is_started = crew_start(crew);
    signals_unblock();
    if (is_started) {
        say("running: %u worker%s, %s; end it with SIGTERM or Ctrl-C", crew->count,
            crew->count == 1 ? "" : "s", gw_loop_name(crew->members[0].loop));
        wait_for_workers(crew, log, path, loaded);
    } else {
        crew_stop(crew);
    }
    return crew_join(crew) && is_started;
}

static int run(const struct options *options, struct loaded *loaded)
{
    struct access_log log = { .fd = -1 };
    if (loaded->settings.has_access_log != 0 &&
        !access_log_open(&log, loaded->settings.access_log_path))
        return EXIT_FAILED;
    struct crew crew = { .notify_fd = -1 };
    struct crew_spec spec = { .workers = load_workers(loaded),
                              .kind = kind_of(options, loaded),
                              .limits = &loaded->limits,
                              .log = &log,
                              .notify_fd = signals_writer(),
                              .notify_byte = WORKER_ENDED };
    bool is_fine = crew_open(&crew, &spec) && work(&crew, options->path, loaded, &log);
    crew_close(&crew);
    access_log_close(&log);
    return is_fine ? EXIT_FINE : EXIT_FAILED;
}

int command_run(int argc, char **argv)
{
    struct options options = { 0 };
    const struct options_of of = { "run", "gw run FILE; \"gw demo\" needs none", take_option,
                                   &options };
    options.path = options_parse(argc, argv, &of);
    if (options.path == NULL)
        return EXIT_USAGE;
    struct loaded loaded = { 0 };
    gw_yaml_error error;
    int code = load_file(options.path, &loaded, &error);
    if (code == EXIT_CONFIG) {
        load_say_error(options.path, &error);
        say("%s is not run; \"gw check %s\" looks again", options.path, options.path);
    }
    if (code != EXIT_FINE)
        return code;
    raise_open_files(&loaded);
    code = signals_open() ? run(&options, &loaded) : EXIT_FAILED;
    gw_config_unref(loaded.config);
    return code;
}
