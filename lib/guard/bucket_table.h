/* guard/bucket_table.h: one word for each key, in a table of fixed size that threads share: a bucket's, or
 * a count of what is in flight. Keys are known by 128 bits of a seeded hash. A key whose word says
 * nothing (a full bucket, a count of 0) gives way to another one; forgetting it changes nothing. Where
 * all of a set say something, a further key has no place, and the caller decides.
 *
 * Words of keys that are known change by compare-and-swap. A new key takes its set's turn, which a thread
 * holds for some twenty instructions; who finds it taken for long has no place either. */
#ifndef GW_GUARD_BUCKET_TABLE_H
#define GW_GUARD_BUCKET_TABLE_H

#include "guard/bucket.h"

enum { GW_TABLE_WAYS = 8 };

struct gw_table_set {
    _Atomic uint32_t turn; /* 1: somebody brings a new key       */
    _Atomic uint32_t hand; /* the clock's: who gives way next    */
    _Atomic uint64_t lo[GW_TABLE_WAYS], hi[GW_TABLE_WAYS], word[GW_TABLE_WAYS];
};
struct gw_table {
    _Atomic uint32_t is_closed; /* its words are being taken elsewhere */
    uint32_t sets_len;          /* a power of two                      */
    struct gw_table_set *sets;  /* all zero: empty                     */
};

struct gw_table_key {
    uint64_t lo, hi;
};
/* What its words are: buckets of a rate, or, rate NULL, counts up to a ceiling. */
struct gw_table_rule {
    const struct gw_rate *rate;
    uint32_t ceiling;
};

/* GW_TABLE_TAKEN: out is filled, it may be refused; FULL: no place; CLOSED: the words are elsewhere. */
enum gw_table_result { GW_TABLE_TAKEN, GW_TABLE_FULL, GW_TABLE_CLOSED };

/* Sets for so many keys. */
uint32_t gw_table_sets(uint32_t keys);
/* Takes one token, or counts one more. of_count: if it was counted, where: for gw_count_leave. */
enum gw_table_result gw_table_take(struct gw_table *t, struct gw_table_key key,
                                   const struct gw_table_rule *rule, gw_nanos now,
                                   struct gw_taken *out, _Atomic uint64_t **of_count);
/* gw_table_take of a token of a bucket that is there, is not empty, and which nobody else wants just now. False:
 * nothing has been decided. */
bool gw_table_take_at_once(struct gw_table *t, struct gw_table_key key, const struct gw_rate *rate,
                           gw_nanos now, struct gw_taken *out) GW_MUST_CHECK;
/* What it would say after it had been asked so many times before, without taking anything. TAKEN or FULL; or
 * of one word. */
enum gw_table_result gw_table_look(struct gw_table *t, struct gw_table_key key,
                                   const struct gw_table_rule *rule, gw_nanos now, uint32_t before,
                                   struct gw_taken *out);
void gw_word_look(uint64_t word, const struct gw_table_rule *rule, gw_nanos now, uint32_t before,
                  struct gw_taken *out);
/* So many keys have a word that says something. For who looks: O(keys). Any thread. */
uint32_t gw_table_used(const struct gw_table *t, const struct gw_rate *rate, gw_nanos now);
/* One more of a count that has no key, if there is room. */
void gw_count_take(_Atomic uint64_t *count, uint32_t ceiling, struct gw_taken *out);
/* One less. Any thread. */
void gw_count_leave(_Atomic uint64_t *count);
/* No new key gets a place. */
void gw_table_close(struct gw_table *t);
/* Has what the buckets of a closed table owe, in tokens, owed by the same keys in another one, of
 * another rate. Not for a worker: it waits for turns. What finds no place is forgotten. */
void gw_table_move(struct gw_table *from, const struct gw_rate *of, struct gw_table *to,
                   const struct gw_rate *rate, const _Atomic gw_nanos *newest);
/* The same of one key, for who needs it before that has come to it. False: its set is being moved, and
 * that takes long: what it owes may be in neither table. */
bool gw_table_move_one(struct gw_table *from, const struct gw_rate *of, struct gw_table *to,
                       const struct gw_rate *rate, const _Atomic gw_nanos *newest,
                       struct gw_table_key key) GW_MUST_CHECK;

#endif
