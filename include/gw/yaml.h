/* gw/yaml.h: a configuration file, loaded through the public builder. In builds with the yaml
 * feature; else every call answers GW_EUNSUPPORTED. */
#ifndef GW_YAML_H
#define GW_YAML_H

#include <gw/config.h>
#include <gw/limits.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { GW_BACKEND_AUTO = 0, GW_BACKEND_POLL = 1, GW_BACKEND_EPOLL = 2, GW_BACKEND_URING = 3 };

/* One numeric address that a host name stands for: "10.0.0.1:80", "[::1]:80", zero-terminated. */
typedef struct gw_yaml_answer {
    char address[64];
} gw_yaml_answer;
/* Asked for each endpoint whose address is a name ("backend.local:80"). Fills up to max of out;
 * returns how many there are; 0: the name does not resolve. May block: files are loaded off the
 * workers. */
typedef size_t gw_yaml_resolve_fn(void *ctx, gw_str address, gw_yaml_answer *out, size_t max);

enum { GW_YAML_WHY_MAX = 96 };
/* Asked for each file that the configuration names, certificates and keys; path as it is written there.
 * Fills up to room bytes of out and says in len how many. GW_ELIMIT: it has more; any other failure: it
 * cannot be read, for the reason in why, up to GW_YAML_WHY_MAX bytes with a zero byte, or none. May
 * block, as resolve. out is overwritten when it is no longer needed. */
typedef gw_status gw_yaml_read_fn(void *ctx, gw_str path, char *out, size_t room, size_t *len,
                                  char *why);

/* What a file says beside the configuration proper: for the host that runs it. Fixed at start.
 * The host sets resolve, read and their ctx. Each answer becomes an endpoint with the weight of its
 * entry, named "ENTRY/ANSWER" where the entry has a name or several answers. An entry without an
 * answer is left out; a cluster that keeps none is refused. resolve NULL: names are refused; read NULL:
 * files are. */
typedef struct gw_yaml_settings {
    uint32_t size;
    uint32_t workers;        /* 0: one a core                                    */
    uint32_t backend;        /* GW_BACKEND_*                                     */
    uint32_t drain_ms;       /* 30,000                                           */
    uint32_t has_access_log; /* 1: access_log_path is set                        */
    uint32_t reserved;
    char access_log_path[256]; /* "-": standard output                             */
    gw_yaml_resolve_fn *resolve;
    void *resolve_ctx;
    gw_yaml_read_fn *read; /* a file may have 1 MiB */
    void *read_ctx;
} gw_yaml_settings;

typedef struct gw_yaml_error {
    uint32_t size;
    gw_status status;
    uint32_t line, column; /* from 1; 0: of the whole file */
    char where[128];       /* "routes[3].cluster"          */
    char text[256];        /* what is wrong, with the nearest valid name */
} gw_yaml_error;

/* Gives each builder hook a chance to add to it (filters, origins) before it is built; NULL: none.
 * settings and limits are filled by then. */
typedef gw_status gw_yaml_extend_fn(void *ctx, gw_builder *b);

/* Parses text (at most 4 MiB; no aliases to collections), builds the configuration. settings and
 * limits get what the file says (start as GW_SPEC); each may be NULL, and so may err. Refused
 * whole: err says where and why. docs/configuration.md has the vocabulary. */
GW_API gw_status gw_yaml_load(const gw_env *env, gw_str text, gw_yaml_extend_fn *extend, void *ctx,
                              gw_yaml_settings *settings, gw_limits *limits, gw_config **out,
                              gw_yaml_error *err) GW_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
