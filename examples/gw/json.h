/* json.h: a line of JSON in a buffer of the caller's. What does not fit is cut between members,
 * never inside one, so that the line stays JSON.
 */
#ifndef GW_PROGRAM_JSON_H
#define GW_PROGRAM_JSON_H

#include <gw/env.h>

struct json {
    char *out;
    size_t len, max;
    bool is_first; /* no member in this object yet     */
    bool is_cut;   /* a member did not fit: it is left out */
};

/* Starts an object. max leaves no room for a zero byte: none is written. */
void json_open(struct json *j, char *out, size_t max);
/* value is escaped; of its escaped form at most value_max bytes are kept, the cut shown as "...".
 * Bytes over 0x7f are taken as Latin-1, so that any bytes make legal JSON. An empty value: null. */
void json_text(struct json *j, const char *name, gw_str value, size_t value_max);
void json_number(struct json *j, const char *name, uint64_t value);
void json_null(struct json *j, const char *name);
void json_bool(struct json *j, const char *name, bool value);
/* value is JSON already. */
void json_raw(struct json *j, const char *name, gw_str value);
/* Ends the object; returns the length of all. */
size_t json_close(struct json *j);

#endif
