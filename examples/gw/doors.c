/* doors.c: see the header. Sockets and listeners are used in their workers' threads alone; here their
 * numbers and pointers are kept. */
#include "doors.h"
#include "crew.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BOUND_MAX = 160 };

/* What a new configuration means for a door that is open. */
enum fate { DOOR_GOES, DOOR_STAYS, DOOR_IS_RENAMED };

struct door {
    struct door *next;
    char *name, *address; /* as configured: ":0" stays so */
    enum fate fate;
    struct door *old; /* of a new one: what it goes on with; NULL: nothing */
    uint32_t count;
    struct room {
        gw_listener *listener; /* in its worker's loop */
        int fd;                /* a socket that is not yet there; -1 */
        gw_status status;      /* of putting it there */
    } in[];                    /* one a worker */
};

/* ---- records ---- */

static char *copy(gw_str text)
{
    char *out = malloc(text.len + 1);
    if (out != NULL) {
        memcpy(out, text.ptr, text.len);
        out[text.len] = 0;
    }
    return out;
}

static void door_free(struct door *door)
{
    for (uint32_t i = 0; i < door->count; i++)
        if (door->in[i].fd >= 0)
            close(door->in[i].fd);
    free(door->name);
    free(door->address);
    free(door);
}

void doors_free(struct door *doors)
{
    while (doors != NULL) {
        struct door *next = doors->next;
        door_free(doors);
        doors = next;
    }
}

static struct door *door_new(uint32_t count, const gw_listener_spec *listener)
{
    struct door *door = calloc(1, sizeof *door + count * sizeof door->in[0]);
    if (door == NULL)
        return NULL;
    door->count = count;
    door->name = copy(listener->name);
    door->address = copy(listener->address);
    for (uint32_t i = 0; i < count; i++)
        door->in[i].fd = -1;
    if (door->name != NULL && door->address != NULL)
        return door;
    door_free(door);
    return NULL;
}

/* Those of config; false: no memory. */
static bool list(const gw_config *config, uint32_t count, struct door **out)
{
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    *out = NULL;
    for (size_t i = 0; gw_config_listener(config, i, &listener) == GW_OK; i++) {
        if (listener.address.len == 0)
            continue;
        *out = door_new(count, &listener);
        if (*out == NULL)
            return false;
        out = &(*out)->next;
    }
    return true;
}

/* Which of the open ones can door go on with? */
static void match(struct door *door, struct door *open, bool by_name)
{
    for (; door->old == NULL && open != NULL; open = open->next) {
        bool is_named_so = strcmp(open->name, door->name) == 0;
        if (open->fate != DOOR_GOES || strcmp(open->address, door->address) != 0 ||
            (by_name && !is_named_so))
            continue;
        open->fate = is_named_so ? DOOR_STAYS : DOOR_IS_RENAMED;
        door->old = open;
    }
}

/* By name first: several may have a port 0. */
static void match_all(struct door *doors, struct door *open)
{
    for (struct door *at = open; at != NULL; at = at->next)
        at->fate = DOOR_GOES;
    for (struct door *door = doors; door != NULL; door = door->next)
        match(door, open, true);
    for (struct door *door = doors; door != NULL; door = door->next)
        match(door, open, false);
}

/* ---- sockets ---- */

static void say_cannot_listen(const char *address, gw_status status)
{
    const char *why = status == GW_EREFUSED ? "it is taken, or not permitted"
                                            : gw_status_text(status);
    const char *next = status == GW_EREFUSED
                           ? "\"ss -ltnpx\" shows who has it; ports below 1024 need root"
                           : "give a numeric address of this machine, like 0.0.0.0:8080";
    say("cannot listen on %s: %s; %s", address, why, next);
}

static gw_status duplicate(int fd, int *out)
{
    *out = dup(fd);
    return *out >= 0 ? GW_OK : GW_EIO;
}

/* The first worker's socket takes the address; the others' take the port that it got (":0" is any), with
 * SO_REUSEPORT. A unix socket has one queue, which all workers accept from. */
static gw_status open_sockets(struct door *door)
{
    char bound[BOUND_MAX];
    bool is_unix = strncmp(door->address, "unix:", 5) == 0;
    gw_listen_spec spec = GW_SPEC(gw_listen_spec);
    spec.address = gw_cstr(door->address);
    if (door->count > 1 && !is_unix)
        spec.flags |= GW_LISTEN_REUSEPORT;
    gw_status status = gw_listen_open(&spec, &door->in[0].fd);
    if (status != GW_OK)
        return status;
    spec.address = (gw_str){ bound, gw_listen_address(door->in[0].fd, bound, sizeof bound) };
    for (uint32_t i = 1; i < door->count && status == GW_OK; i++)
        status = is_unix ? duplicate(door->in[0].fd, &door->in[i].fd)
                         : gw_listen_open(&spec, &door->in[i].fd);
    return status;
}

/* In its worker's thread: another name for the same address, by other descriptors of the same sockets. */
static gw_status copy_socket(struct door *door, uint32_t i)
{
    return duplicate(gw_listener_fd(door->old->in[i].listener), &door->in[i].fd);
}

/* In its worker's thread. A door that stays is passed over. */
static void enter(struct crew_member *member, void *ctx)
{
    uint32_t i = member->index;
    for (struct door *door = ctx; door != NULL; door = door->next) {
        struct room *room = &door->in[i];
        gw_accept_spec accept = GW_SPEC(gw_accept_spec);
        gw_listen_spec spec = GW_SPEC(gw_listen_spec);
        if (door->old != NULL && door->old->fate == DOOR_STAYS)
            continue;
        if (door->old != NULL)
            room->status = copy_socket(door, i);
        accept.listener = gw_cstr(door->name);
        spec.accept = &accept;
        if (room->status == GW_OK)
            room->status = gw_loop_listen_fd(member->loop, room->fd, &spec, &room->listener);
        if (room->status == GW_OK)
            room->fd = -1;
    }
}

/* In its worker's thread: those that do not stay. */
static void leave(struct crew_member *member, void *ctx)
{
    for (struct door *door = ctx; door != NULL; door = door->next) {
        if (door->fate == DOOR_STAYS)
            continue;
        gw_listener_close(door->in[member->index].listener);
        door->in[member->index].listener = NULL;
    }
}

/* ---- changing ---- */

static bool open_all(struct door *doors)
{
    gw_status status = GW_OK;
    for (struct door *door = doors; door != NULL && status == GW_OK; door = door->next) {
        if (door->old == NULL)
            status = open_sockets(door);
        if (status != GW_OK)
            say_cannot_listen(door->address, status);
    }
    return status == GW_OK;
}

static bool have_all_entered(const struct door *doors)
{
    for (; doors != NULL; doors = doors->next) {
        for (uint32_t i = 0; i < doors->count; i++) {
            if (doors->in[i].status == GW_OK)
                continue;
            say_cannot_listen(doors->address, doors->in[i].status);
            return false;
        }
    }
    return true;
}

static void say_changes(const struct door *doors, const struct door *old)
{
    char bound[BOUND_MAX];
    for (; doors != NULL; doors = doors->next) {
        if (doors->old != NULL && doors->old->fate == DOOR_STAYS)
            continue;
        size_t len = gw_listener_address(doors->in[0].listener, bound, sizeof bound);
        say("listener %s is on %.*s", doors->name, (int)len, bound);
    }
    for (; old != NULL; old = old->next)
        if (old->fate == DOOR_GOES)
            say("listener %s on %s takes nobody any more", old->name, old->address);
}

static void take_over(struct door *doors)
{
    for (; doors != NULL; doors = doors->next) {
        if (doors->old != NULL && doors->old->fate == DOOR_STAYS)
            for (uint32_t i = 0; i < doors->count; i++)
                doors->in[i].listener = doors->old->in[i].listener;
        doors->old = NULL;
    }
}

/* All of doors are open in all workers, or none that was not before. */
static bool open_in_all(struct crew *crew, struct door *doors)
{
    if (!open_all(doors))
        return false;
    crew_each(crew, enter, doors);
    if (have_all_entered(doors))
        return true;
    crew_each(crew, leave, doors);
    return false;
}

bool doors_change(struct crew *crew, const gw_config *config)
{
    struct door *doors, *old = crew->doors;
    bool is_listed = list(config, crew->count, &doors);
    if (!is_listed)
        say("no memory for the listeners");
    else if (doors == NULL)
        say("the configuration has no listener with an address: add one under listeners:");
    match_all(doors, old);
    if (!is_listed || doors == NULL || !open_in_all(crew, doors)) {
        doors_free(doors);
        return false;
    }
    say_changes(doors, old);
    crew_each(crew, leave, old);
    take_over(doors);
    doors_free(old);
    crew->doors = doors;
    return true;
}
