/* files.c: see the header. By read alone: no buffer of the C library's keeps a key. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 4096 };

static gw_status fail(char *why, int error)
{
    snprintf(why, GW_YAML_WHY_MAX, "%s", strerror(error));
    return error == ENOMEM ? GW_ENOMEM : GW_EIO;
}

/* "conf/frontend.crt" of "conf/gw.yaml" and "frontend.crt"; false: too long. */
static bool beside(const char *configuration, gw_str path, char out[PATH_ROOM])
{
    const char *slash = strrchr(configuration, '/');
    int folder = slash != NULL && path.len > 0 && path.ptr[0] != '/'
                     ? (int)(slash - configuration) + 1
                     : 0;
    int len = snprintf(out, PATH_ROOM, "%.*s%.*s", folder, configuration, (int)path.len, path.ptr);
    return len >= 0 && len < PATH_ROOM;
}

static gw_status read_all(int fd, char *out, size_t room, size_t *len, char *why)
{
    struct stat is;
    if (fstat(fd, &is) != 0)
        return fail(why, errno);
    if (S_ISDIR(is.st_mode))
        return fail(why, EISDIR);
    while (*len < room) {
        ssize_t n = read(fd, out + *len, room - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(why, errno);
        if (n == 0)
            return GW_OK;
        *len += (size_t)n;
    }
    char more;
    return read(fd, &more, 1) == 0 ? GW_OK : GW_ELIMIT;
}

gw_status files_read(void *ctx, gw_str path, char *out, size_t room, size_t *len, char *why)
{
    char name[PATH_ROOM];
    if (!beside(*(const char *const *)ctx, path, name))
        return fail(why, ENAMETOOLONG);
    /* A pipe without a writer would hold up the start for ever. */
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail(why, errno);
    *len = 0;
    gw_status status = read_all(fd, out, room, len, why);
    close(fd);
    return status;
}
