/* access_log.h: one line of JSON for each request that ended, and why it ended.
 *
 * A worker's lines gather in its own buffer and leave in one write a turn of its loop. A file that
 * cannot take them now (a full pipe) never stops a worker: lines that no longer fit are counted,
 * and the count is logged when there is room again.
 */
#ifndef GW_PROGRAM_ACCESS_LOG_H
#define GW_PROGRAM_ACCESS_LOG_H

#include <gw/filter.h>

/* One a process: every worker writes to the same descriptor, each line in one write. */
struct access_log {
    const char *path; /* the caller's; "-": standard output */
    int fd;           /* -1: there is no log                */
    bool may_block;   /* a pipe or a terminal               */
};

enum { ACCESS_BUFFER_BYTES = 65536 };
/* One a worker, and the worker's user pointer. */
struct access_buffer {
    struct access_log *log;
    uint32_t worker;  /* its number, from 1 */
    uint64_t dropped; /* lines, since it was last told */
    size_t len;
    char bytes[ACCESS_BUFFER_BYTES];
};

/* False: it cannot be opened; why was said. path must outlive log. */
bool access_log_open(struct access_log *log, const char *path);
/* Opens the path anew, in the place of the old file, while workers write. A failure is said, and
 * the old file stays. */
void access_log_reopen(struct access_log *log);
void access_log_close(struct access_log *log);
/* What writes the lines. It must be the first filter: it logs the request as it came. */
gw_filter access_log_filter(void);
/* Once a turn of the loop, in the worker's thread. Returns false while lines wait. */
bool access_log_flush(struct access_buffer *buffer);
/* How many lines wait. */
uint64_t access_log_waiting(const struct access_buffer *buffer);

#endif
