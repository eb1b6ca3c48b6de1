/* adapters/yaml_value.h: what may stand behind a key, in tables: one row a key. */
#ifndef GW_ADAPTERS_YAML_VALUE_H
#define GW_ADAPTERS_YAML_VALUE_H

#include "adapters/yaml_tree.h"

enum gw_yaml_type {
    GW_YAML_LATER = 0,    /* of a later release: refused by name                         */
    GW_YAML_TEXT = 1,     /* gw_str                                                      */
    GW_YAML_TEXTS = 2,    /* struct gw_yaml_texts                                        */
    GW_YAML_COUNT = 3,    /* uint32_t                                                    */
    GW_YAML_DURATION = 4, /* uint32_t, milliseconds                                      */
    GW_YAML_SIZE = 5,     /* uint32_t, bytes                                             */
    GW_YAML_LONG = 6,     /* uint64_t, bytes                                             */
    GW_YAML_TRUTH = 7,    /* uint32_t, 0 or 1                                            */
    GW_YAML_WORD = 8,     /* uint32_t, one of words                                      */
    GW_YAML_WORDS = 9,    /* uint32_t, the sum of a list's words                         */
    GW_YAML_FIELDS = 10,  /* a map; its keys are rows of table, over the same struct     */
    GW_YAML_NODE = 11     /* const struct gw_yaml_node *, a list or map read by others   */
};

struct gw_yaml_texts {
    const gw_str *at;
    size_t len;
};
struct gw_yaml_word {
    const char *word;
    uint32_t value; /* 0: of a later release */
};
struct gw_yaml_field {
    const char *key;
    enum gw_yaml_type type;
    size_t at; /* in the struct that is filled          */
    uint64_t least,
        most;          /* of numbers; of texts: their length; of lists. Of a number that may be off
                             a least of 0: the builder knows the range, and whether it may be off */
    uint32_t when_off; /* what 0 and off give; 0: they are wrong */
    const void *more;  /* words, up to one without; a table     */
};
struct gw_yaml_table {
    const struct gw_yaml_field *fields;
    size_t len; /* at most 32 */
};

struct gw_yaml_reader {
    struct gw_store *store;
    gw_yaml_error *err; /* own and complete */
};

/* GW_EINVAL, with that text. */
gw_status gw_yaml_refuse(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                         const char *why);
gw_status gw_yaml_no_memory(struct gw_yaml_reader *r);
/* Fills own as table says from a map. GW_EINVAL, GW_EUNSUPPORTED, GW_ENOMEM: err says why. */
gw_status gw_yaml_read(struct gw_yaml_reader *r, const struct gw_yaml_node *map,
                       const struct gw_yaml_table *table, void *own) GW_MUST_CHECK;
/* The node behind a dotted path; NULL: there is none. */
const struct gw_yaml_node *gw_yaml_find(const struct gw_yaml_node *node, gw_str path);
/* The same, as far as it goes. */
const struct gw_yaml_node *gw_yaml_follow(const struct gw_yaml_node *node, gw_str path);

#endif
