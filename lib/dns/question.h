/* dns/question.h: one question over time: when it is asked, and what is held to be so meanwhile.
 *
 *     found    held until the next answer; asked again when its TTL is over, between ttl_min and ttl_max
 *     none     what is held goes once that was said for as long as empty: until then it is asked as after a
 *              failure; with nothing held, as after a find
 *     failed   what is held stays until stale after its TTL; asked again after retry, 2 retry, 4 retry ...
 *              up to retry_max, of which a part from a half to all is drawn
 */
#ifndef GW_DNS_QUESTION_H
#define GW_DNS_QUESTION_H

#include "base/heap.h"
#include "base/prng.h"
#include "dns/answer.h"

struct gw_dns_times {
    gw_nanos ttl_min, ttl_max, retry, retry_max, stale, empty; /* stale, empty: may be 0 */
};

struct gw_dns_question {
    struct gw_dns_question *next; /* its owner's list */
    uint32_t id;
    enum gw_dns_type type;
    struct gw_dns_name name;
    bool is_asked;          /* and not answered yet                              */
    bool is_told;           /* there was an answer, or a failure                 */
    bool is_kept;           /* its owner's: it is still wanted                   */
    uint32_t failures;      /* since the last answer                             */
    uint32_t nones;         /* since the last find                               */
    gw_nanos asked_at;      /* when it was asked first                           */
    gw_nanos due;           /* when to ask, if is_asked is false                 */
    gw_nanos none_since;    /* with nones                                        */
    gw_nanos stale_until;   /* of what is held                                   */
    uint32_t len, left_out; /* what is held; by type                             */
    union {
        struct gw_dns_ip *ips;
        struct gw_dns_target *targets;
        void *held; /* NULL: nothing */
    };
};

/* It is due at once. GW_ENOMEM. */
gw_status gw_dns_question_new(struct gw_heap *heap, const struct gw_dns_name *name,
                              enum gw_dns_type type, gw_nanos now, struct gw_dns_question **out)
    GW_MUST_CHECK;
void gw_dns_question_free(struct gw_heap *heap, struct gw_dns_question *q);
/* It is being asked. */
void gw_dns_question_ask(struct gw_dns_question *q, gw_nanos now);
/* changed: what is held is another now. GW_ENOMEM: taken for a failure. */
bool gw_dns_question_tell(struct gw_dns_question *q, struct gw_heap *heap, gw_nanos now,
                          const struct gw_dns_times *times, struct gw_prng *prng,
                          const struct gw_dns_answer *answer);
/* Lets go of what is too stale. True: there was something. */
bool gw_dns_question_tick(struct gw_dns_question *q, struct gw_heap *heap, gw_nanos now);
/* When ask or tick have something to do; GW_NEVER: not before it is told. */
gw_nanos gw_dns_question_due(const struct gw_dns_question *q);

#endif
