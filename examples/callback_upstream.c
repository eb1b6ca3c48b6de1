/* callback_upstream.c: the host itself answers; whoever is slow, it or its client, makes the other wait.
 *     callback_upstream 127.0.0.1:8080 store.bin
 *   GET /count/1000000   so many lines, each made when the client has room for it
 *   PUT /                a new file, a piece at a time, through a thread that may be slow
 *   GET /                the file, lent from where it is mapped: nothing is copied
 * SIGTERM: it ends at once. */
#include <err.h>
#include <fcntl.h>
#include <gw/gw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct piece { /* of an upload: at the disk, or with its exchange, but never with both */
    gw_ticket ticket;
    int fd, is_failed;
    size_t len;
    char name[256], bytes[65536]; /* name: until it is whole */
};
struct task { /* of each exchange: gw_exchange_memory */
    enum kind { LOAD, COUNT, STORE } kind;
    unsigned long at, end; /* COUNT: lines; STORE: bytes  */
    struct piece *piece;   /* NULL: it is at the disk     */
};
static gw_loop *loop;
static int to_disk[2];

static void finish(struct piece *piece) /* its file stays if it has been given another name */
{
    (void)close(piece->fd);
    (void)unlink(piece->name);
    free(piece);
}

/* The disk: a thread, to which pieces come by a pipe; answers go with the ticket, from there. */
static void *disk(void *ctx)
{
    struct piece *piece;
    while (read(to_disk[0], &piece, sizeof piece) == (ssize_t)sizeof piece) {
        piece->is_failed |= write(piece->fd, piece->bytes, piece->len) != (ssize_t)piece->len;
        if (gw_resume(piece->ticket, piece) != GW_OK)
            finish(piece); /* the exchange is gone: the answer stays ours */
    }
    return ctx;
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    struct task *task = gw_exchange_memory(x);
    gw_str asked = gw_message_part(gw_exchange_request(x), GW_PART_PATH);
    gw_str method = gw_message_part(gw_exchange_request(x), GW_PART_METHOD);
    char text[64];
    (void)snprintf(text, sizeof text, "%.*s", (int)asked.len, asked.ptr);
    if (sscanf(text, "/count/%lu", &task->end) == 1)
        task->kind = COUNT;
    else if (method.len == 3 && memcmp(method.ptr, "PUT", 3) == 0)
        task->kind = STORE;
    if (task->kind != STORE)
        return gw_exchange_respond(x, 200) == GW_OK ? GW_NEXT : GW_ABORT;
    task->piece = calloc(1, sizeof *task->piece);
    if (task->piece == NULL)
        return GW_ABORT;
    (void)snprintf(task->piece->name, sizeof task->piece->name, "%s.XXXXXX", (char *)ctx);
    return (task->piece->fd = mkstemp(task->piece->name)) >= 0 ? GW_NEXT : GW_ABORT;
}

/* Runs when there are new bytes, or the end. What is not dropped stays, and stops the client. */
static gw_verdict on_read(void *ctx, gw_exchange *x, gw_pipe *request)
{
    struct task *task = gw_exchange_memory(x);
    struct piece *piece = task->piece;
    gw_const_span bytes;
    if (ctx == NULL || piece == NULL)
        return GW_WAIT; /* the disk has not written the last one, or nobody wants the body */
    if (gw_pipe_peek(request, &bytes, 1) == 0)
        return GW_NEXT;
    piece->len = bytes.len < sizeof piece->bytes ? bytes.len : sizeof piece->bytes;
    memcpy(piece->bytes, bytes.ptr, piece->len);
    (void)gw_pipe_drop(request, piece->len);
    task->at += piece->len;
    piece->ticket = gw_exchange_wait(x);
    if (piece->ticket.worker == NULL || write(to_disk[1], &piece, sizeof piece) != sizeof piece)
        return GW_ABORT; /* it is still ours: on_end frees it */
    task->piece = NULL;
    return GW_WAIT;
}

/* In the worker's thread again: once for each gw_resume that answered GW_OK, before on_end. */
static gw_verdict on_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    ((struct task *)gw_exchange_memory(x))->piece = answer;
    return ctx != NULL && side == GW_SIDE_RESPONSE ? GW_NEXT : GW_ABORT; /* the others follow */
}

static gw_verdict count(struct task *task, gw_pipe *response)
{
    char line[32];
    for (; task->at < task->end; task->at++) {
        size_t len = (size_t)snprintf(line, sizeof line, "%lu\n", task->at + 1);
        if (gw_pipe_room(response) < len)
            return GW_WAIT; /* the client is behind: this hook runs again when it has caught up */
        if (gw_pipe_write(response, line, len) != len)
            return GW_ABORT; /* out of memory */
    }
    return gw_pipe_end(response) == GW_OK ? GW_NEXT : GW_ABORT;
}

static void unmap(void *ctx, void *mapped)
{
    (void)munmap(mapped, (size_t)(uintptr_t)ctx);
}

/* What is lent may not change: so nobody writes into a file that is there, and the map outlives its name. */
static gw_verdict lend(const char *store, gw_pipe *response)
{
    struct stat file;
    int fd = open(store, O_RDONLY | O_CLOEXEC);
    size_t len = fstat(fd, &file) == 0 ? (size_t)file.st_size : 0;
    void *at = len > 0 ? mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    void *size = (void *)(uintptr_t)len; /* unmap gets it, when all has left */
    (void)close(fd);
    if (at == MAP_FAILED ||
        gw_pipe_lend(response, (gw_const_span){ at, len }, unmap, size, at) == 0)
        return gw_pipe_end(response) == GW_OK ? GW_NEXT : GW_ABORT;
    unmap(size, at);
    return GW_ABORT;
}

/* Runs first after on_request, and again when there is room, after on_read and after on_resume. */
static gw_verdict on_write(void *ctx, gw_exchange *x, gw_pipe *response)
{
    struct task *task = gw_exchange_memory(x);
    gw_pipe *request = gw_exchange_pipe(x, GW_SIDE_REQUEST);
    gw_const_span left;
    char text[64];
    if (task->kind != STORE)
        return task->kind == COUNT ? count(task, response) : lend(ctx, response);
    if (task->piece == NULL || !gw_pipe_is_last(request) || gw_pipe_peek(request, &left, 1) > 0)
        return GW_WAIT; /* for on_read, or for the disk */
    bool is_stored = !task->piece->is_failed && rename(task->piece->name, ctx) == 0;
    if (gw_exchange_respond(x, is_stored ? 201 : 500) != GW_OK)
        return GW_ABORT;
    (void)gw_pipe_write(response, text,
                        (size_t)snprintf(text, sizeof text, "%lu bytes\n", task->at));
    return gw_pipe_end(response) == GW_OK ? GW_NEXT : GW_ABORT;
}

static void on_end(void *ctx, const gw_exchange *x)
{
    struct task *task = gw_exchange_memory(x);
    if (ctx != NULL && task != NULL && task->piece != NULL)
        finish(task->piece); /* NULL while it is at the disk */
}

static void stop(int number)
{
    gw_loop_stop(number == SIGTERM ? loop : NULL); /* may be called in a handler */
}

int main(int argc, char **argv)
{
    gw_builder *b;
    gw_config *config;
    gw_engine *engine;
    pthread_t thread;
    const gw_origin self = { sizeof self,    sizeof(struct task), "me",
                             argv[argc - 1], on_request,          on_read,
                             on_write,       on_resume,           on_end };
    gw_listener_spec edge = { .size = sizeof edge, .name = gw_cstr("edge") };
    gw_cluster_spec me = { .size = sizeof me, .name = gw_cstr("me"), .origin = &self };
    gw_route_spec all = { .size = sizeof all, .name = gw_cstr("all"), .cluster = gw_cstr("me") };
    gw_accept_spec accept = { .size = sizeof accept, .listener = gw_cstr("edge") };
    gw_listen_spec listen = { .size = sizeof listen, .accept = &accept };
    if (argc != 3 || pipe(to_disk) != 0 || gw_builder_new(NULL, &b) != GW_OK)
        errx(2, "usage: callback_upstream ADDRESS:PORT FILE");
    listen.address = gw_cstr(argv[1]);
    (void)gw_builder_listener(b, &edge); /* what is wrong here, build reports */
    (void)gw_builder_cluster(b, &me);
    (void)gw_builder_route(b, &all);
    if (gw_builder_build(b, &config, NULL) != GW_OK ||
        gw_engine_new(&GW_SPEC(gw_engine_spec), &engine) != GW_OK ||
        gw_engine_apply(engine, config, NULL) != GW_OK ||
        gw_loop_new(engine, &GW_SPEC(gw_loop_spec), &loop) != GW_OK ||
        gw_loop_listen(loop, &listen, NULL) != GW_OK || pthread_create(&thread, NULL, disk, NULL))
        errx(2, "%s: a numeric address and a free port are needed", argv[1]);
    (void)signal(SIGTERM, stop);
    fprintf(stderr, "listening on %s\n", argv[1]);
    (void)gw_loop_run(loop);
    close(to_disk[1]);
    pthread_join(thread, NULL); /* before the worker goes: it has tickets */
    gw_loop_free(loop);
    gw_engine_free(engine);
    gw_config_unref(config);
}
