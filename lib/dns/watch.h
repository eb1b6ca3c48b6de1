/* dns/watch.h: the endpoints of one cluster, as DNS tells them: which questions that takes, when, and what
 * follows from the answers. Pure: told the time and the answers, it says what to ask next and what the
 * endpoints are.
 *
 * An address of the cluster's own name becomes "10.0.0.1:80", a target of SRV that has one address
 * "TARGET:PORT", one of a target's several "TARGET:PORT/10.0.0.1:80": names that stay whatever the order of
 * the answers. */
#ifndef GW_DNS_WATCH_H
#define GW_DNS_WATCH_H

#include "dns/question.h"

enum {
    GW_DNS_ENDPOINTS_MAX = 256, /* of one cluster            */
    GW_DNS_LEVELS = 16,         /* all the others join the last */
    GW_DNS_ENDPOINT_NAME_MAX = GW_DNS_NAME_MAX + 8 + 64,
    GW_DNS_PATIENCE_MS = 1000 /* nobody waits longer for a question that was never answered */
};

struct gw_dns_plan { /* what to ask for */
    struct gw_dns_name name;
    bool is_srv, has_a, has_aaaa; /* of SRV: which of its targets are asked for */
    uint16_t port;                /* not of SRV                                 */
    struct gw_dns_times times;
};
struct gw_dns_endpoint {
    uint32_t weight, priority;
    uint16_t name_len, address_len;
    char name[GW_DNS_ENDPOINT_NAME_MAX];
    char address[64];
};
struct gw_dns_set {
    struct gw_dns_endpoint *list; /* sorted by what they come from */
    uint32_t len, room, left_out;
};

struct gw_dns_watch {
    struct gw_heap *heap;
    struct gw_prng prng;
    struct gw_dns_plan plan;
    struct gw_dns_question *questions; /* of the cluster's name first */
    uint32_t last_id;
    bool is_new;        /* what is held has changed since the last set */
    bool has_no_memory; /* a target could not be added: at the next answer */
};

/* Asks at once. GW_ENOMEM. */
gw_status gw_dns_watch_init(struct gw_dns_watch *w, struct gw_heap *heap,
                            const struct gw_dns_plan *plan, uint64_t seed, gw_nanos now)
    GW_MUST_CHECK;
void gw_dns_watch_fini(struct gw_dns_watch *w);
/* Whether plan asks for the same. Then other times may take the place of the old ones. */
bool gw_dns_watch_is_for(const struct gw_dns_watch *w, const struct gw_dns_plan *plan);

/* The next question to be asked now, by its id, name and type; it is being asked from here on. NULL: none. */
const struct gw_dns_question *gw_dns_watch_ask(struct gw_dns_watch *w, gw_nanos now);
/* The one of that id; NULL: nobody waits for an answer to it any more. */
const struct gw_dns_question *gw_dns_watch_find(const struct gw_dns_watch *w, uint32_t id);
/* What has become of it. */
void gw_dns_watch_tell(struct gw_dns_watch *w, uint32_t id, gw_nanos now,
                       const struct gw_dns_answer *answer);
/* Time has passed. */
void gw_dns_watch_tick(struct gw_dns_watch *w, gw_nanos now);
/* When there will be something to do; GW_NEVER: not before an answer. */
gw_nanos gw_dns_watch_due(const struct gw_dns_watch *w, gw_nanos now);

/* Each question was told once, or took too long: what it holds is worth being put in force. */
bool gw_dns_watch_is_ready(const struct gw_dns_watch *w, gw_nanos now);
/* The endpoints now. set is empty, or an earlier one. GW_ENOMEM: it is as it was. */
gw_status gw_dns_watch_set(struct gw_dns_watch *w, struct gw_dns_set *set) GW_MUST_CHECK;
void gw_dns_set_fini(struct gw_dns_set *set, struct gw_heap *heap);

#endif
