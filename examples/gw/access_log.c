/* access_log.c: one line of JSON for each request that ended.
 *
 * The filter keeps the request in on_request and reads it in on_end. A request that was refused
 * before it had a whole head never came by on_request: it has no memory, and its line no method and
 * no path.
 */
#include "access_log.h"
#include "json.h"
#include "say.h"

#include <gw/gw.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A line is at most what a pipe takes whole (PIPE_BUF of Linux): lines of two workers never mix. */
enum { LINE_MAX_BYTES = 4096, PATH_SHOWN = 2048, AUTHORITY_SHOWN = 512, NAME_SHOWN = 128 };

struct access_memory {
    gw_message *request;
};

/* ---- the file ---- */

static int open_for_append(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

bool access_log_open(struct access_log *log, const char *path)
{
    bool is_stdout = strcmp(path, "-") == 0;
    int fd = is_stdout ? STDOUT_FILENO : open_for_append(path);
    if (fd < 0) {
        say("cannot open the access log %s: %s; see access_log.path", path, strerror(errno));
        return false;
    }
    struct stat about;
    bool is_file = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    *log = (struct access_log){ .path = path, .fd = fd, .may_block = !is_file };
    return true;
}

/* dup2 puts the new file under the old number in one step: no worker sees anything between. */
void access_log_reopen(struct access_log *log)
{
    if (log->fd < 0 || log->fd == STDOUT_FILENO)
        return;
    int fd = open_for_append(log->path);
    if (fd < 0 || dup2(fd, log->fd) < 0)
        say("cannot reopen the access log %s: %s; still writing to the old file", log->path,
            strerror(errno));
    if (fd >= 0)
        close(fd);
}

void access_log_close(struct access_log *log)
{
    if (log->fd > STDERR_FILENO)
        close(log->fd);
    log->fd = -1;
}

/* ---- the buffer ---- */

static bool can_take(const struct access_log *log)
{
    if (!log->may_block)
        return true;
    struct pollfd room = { .fd = log->fd, .events = POLLOUT };
    return poll(&room, 1, 0) == 1;
}

/* As many whole lines as one write may carry. A file takes all; a pipe that says it is writable
 * takes LINE_MAX_BYTES without waiting. */
static size_t next_write(const struct access_buffer *buffer, size_t from)
{
    size_t len = buffer->len - from;
    if (!buffer->log->may_block || len <= LINE_MAX_BYTES)
        return len;
    len = LINE_MAX_BYTES;
    while (buffer->bytes[from + len - 1] != '\n')
        len--;
    return len;
}

static uint64_t count_lines(const char *bytes, size_t len)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < len; i++)
        lines += bytes[i] == '\n';
    return lines;
}

uint64_t access_log_waiting(const struct access_buffer *buffer)
{
    return count_lines(buffer->bytes, buffer->len);
}

static void log_dropped(struct access_buffer *buffer);

bool access_log_flush(struct access_buffer *buffer)
{
    const struct access_log *log = buffer->log;
    size_t done = 0;
    while (done < buffer->len && can_take(log)) {
        ssize_t n = write(log->fd, buffer->bytes + done, next_write(buffer, done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) { /* a full disk, a closed pipe: these lines are lost, the requests are not */
            buffer->dropped += count_lines(buffer->bytes + done, buffer->len - done);
            done = buffer->len;
            break;
        }
        done += (size_t)n;
    }
    buffer->len -= done;
    memmove(buffer->bytes, buffer->bytes + done, buffer->len);
    if (buffer->dropped != 0 && buffer->len == 0)
        log_dropped(buffer);
    return buffer->len == 0;
}

static void add_line(struct access_buffer *buffer, const char *line, size_t len)
{
    if (len > sizeof buffer->bytes - buffer->len)
        (void)access_log_flush(buffer);
    if (len > sizeof buffer->bytes - buffer->len) {
        buffer->dropped++;
        return;
    }
    memcpy(buffer->bytes + buffer->len, line, len);
    buffer->len += len;
}

static size_t end_line(struct json *j, char *line)
{
    size_t len = json_close(j);
    line[len] = '\n';
    return len + 1;
}

/* ---- the line ---- */

static void add_time(struct json *j, uint64_t unix_nanos)
{
    time_t seconds = (time_t)(unix_nanos / 1000000000);
    struct tm utc;
    char text[40];
    gmtime_r(&seconds, &utc);
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    int more = snprintf(text + len, sizeof text - len, ".%06uZ",
                        (unsigned)(unix_nanos / 1000 % 1000000));
    json_text(j, "time", (gw_str){ text, len + (size_t)more }, sizeof text);
}

static void log_dropped(struct access_buffer *buffer)
{
    char line[256];
    struct json j;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    json_open(&j, line, sizeof line - 1);
    add_time(&j, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
    json_number(&j, "worker", buffer->worker);
    json_number(&j, "lines_dropped", buffer->dropped);
    buffer->dropped = 0;
    size_t len = end_line(&j, line);
    add_line(buffer, line, len);
}

static const char *protocol_name(uint32_t protocol)
{
    switch (protocol) {
    case GW_PROTO_H1:
        return "h1";
    case GW_PROTO_H2:
        return "h2";
    case GW_PROTO_TLS:
        return "tls";
    default:
        return "";
    }
}

static void add_request(struct json *j, const gw_message *request)
{
    static const struct {
        const char *name;
        uint32_t part;
        size_t shown;
    } parts[] = { { "method", GW_PART_METHOD, NAME_SHOWN },
                  { "authority", GW_PART_AUTHORITY, AUTHORITY_SHOWN },
                  { "path", GW_PART_PATH, PATH_SHOWN } };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        gw_str value = { NULL, 0 };
        if (request != NULL)
            value = gw_message_part(request, parts[i].part);
        json_text(j, parts[i].name, value, parts[i].shown);
    }
}

/* "upstream/connect/upstream_connect_refused"; "none": it is whole. */
static void add_cause(struct json *j, gw_cause cause)
{
    char text[160];
    gw_reason reason = GW_SPEC(gw_reason);
    if (cause.by == GW_BY_NONE) {
        json_text(j, "cause", gw_cstr("none"), NAME_SHOWN);
        return;
    }
    if (gw_reason_of(cause.reason, &reason) != GW_OK)
        reason.name = "unknown";
    int len = snprintf(text, sizeof text, "%s/%s/%s", gw_by_name(cause.by),
                       gw_phase_name(cause.phase), reason.name);
    json_text(j, "cause", (gw_str){ text, (size_t)len }, sizeof text);
}

static void add_outcome(struct json *j, const gw_exchange_info *info)
{
    if (info->code != 0)
        json_number(j, "status", info->code);
    else
        json_null(j, "status");
    if (info->kind == GW_EXCHANGE_GRPC && info->grpc_status != GW_OFF)
        json_number(j, "grpc_status", info->grpc_status);
    else
        json_null(j, "grpc_status");
    json_number(j, "bytes_in", info->request_bytes);
    json_number(j, "bytes_out", info->response_bytes);
    json_number(j, "retries", info->retries);
    uint64_t nanos = info->ended > info->started ? info->ended - info->started : 0;
    json_number(j, "duration_us", nanos / 1000);
}

static void add_id(struct json *j, const struct access_buffer *buffer, const gw_exchange *x)
{
    char text[40];
    int len = snprintf(text, sizeof text, "%u-%llx", buffer->worker,
                       (unsigned long long)gw_exchange_get_id(x));
    json_text(j, "id", (gw_str){ text, (size_t)len }, sizeof text);
}

/* Of who came under TLS alone. */
static void add_tls(struct json *j, const gw_link *link)
{
    gw_facts facts = GW_SPEC(gw_facts);
    if (gw_link_get_facts(link, &facts) != GW_OK || facts.is_secure == 0)
        return;
    json_text(j, "tls", facts.tls_version, NAME_SHOWN);
    json_text(j, "cipher", facts.cipher, NAME_SHOWN);
    json_text(j, "server_name", facts.server_name, NAME_SHOWN);
    if (facts.is_verified != 0)
        json_text(j, "identity", facts.peer_identity, NAME_SHOWN);
}

static gw_verdict keep_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    struct access_memory *memory = gw_exchange_memory(x);
    memory->request = gw_exchange_request(x);
    return GW_NEXT;
}

static void log_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    struct access_buffer *buffer = gw_worker_user(gw_exchange_worker(x));
    const struct access_memory *memory = gw_exchange_memory(x);
    gw_exchange_info info = GW_SPEC(gw_exchange_info);
    if (gw_exchange_get_info(x, &info) != GW_OK)
        return;
    char line[LINE_MAX_BYTES];
    struct json j;
    json_open(&j, line, sizeof line - 1);
    add_time(&j, info.unix_now);
    add_id(&j, buffer, x);
    json_text(&j, "client", info.client, NAME_SHOWN);
    json_text(&j, "peer", info.peer, NAME_SHOWN);
    json_text(&j, "listener", info.listener, NAME_SHOWN);
    json_text(&j, "protocol", gw_cstr(protocol_name(info.client_protocol)), NAME_SHOWN);
    add_tls(&j, gw_exchange_link(x));
    add_request(&j, memory != NULL ? memory->request : NULL);
    add_outcome(&j, &info);
    json_text(&j, "route", info.route, NAME_SHOWN);
    json_text(&j, "cluster", info.cluster, NAME_SHOWN);
    json_text(&j, "endpoint", info.endpoint, NAME_SHOWN);
    add_cause(&j, gw_exchange_cause(x));
    size_t len = end_line(&j, line);
    add_line(buffer, line, len);
}

gw_filter access_log_filter(void)
{
    gw_filter filter = GW_SPEC(gw_filter);
    filter.exchange_bytes = sizeof(struct access_memory);
    filter.name = "access_log";
    filter.on_request = keep_request;
    filter.on_end = log_end;
    return filter;
}
