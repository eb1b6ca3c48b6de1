// cpp_server.cpp: libgw in front of one path of a C++ server that was there before.
//     cpp_server 127.0.0.1:8080 /api 127.0.0.1:9000     listen, the gateway's path, its upstream
// The server accepts, and hands each connection to the gateway, which forwards what begins with its path.
// A request that it has no route for comes back, with its connection and every byte of it; the server
// answers, and hands the connection over again. Clients that mix both, and pipeline, do not notice.
// SIGTERM: what is under way is finished.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gw/gw.h>

struct Client {
    std::string in, out;
    bool is_ours = false; // the request that in begins with
    bool is_last = false; // it is closed when out has left
};

struct Server {
    Server(gw_engine *engine, int fd) : listening(fd)
    {
        auto spec = GW_SPEC(gw_loop_spec);
        spec.flags = GW_LOOP_ONE_FD;
        spec.on_return = take_back;
        spec.return_ctx = this;
        if (gw_loop_new(engine, &spec, &loop) != GW_OK)
            throw std::bad_alloc();
    }
    ~Server()
    {
        gw_loop_free(loop);
    }
    // Until it is drained, or poll fails.
    int run(int signals)
    {
        while (!(is_over = is_over || gw_loop_run_once(loop, 0) == GW_EOF) || !clients.empty()) {
            std::vector<pollfd> watched = { { is_over ? -1 : gw_loop_fd(loop), POLLIN, 0 },
                                            { listening, POLLIN, 0 },
                                            { listening < 0 ? -1 : signals, POLLIN, 0 } };
            for (const auto &[fd, c] : clients)
                watched.push_back({ fd, static_cast<short>(c.out.empty() ? POLLIN : POLLOUT), 0 });
            int patience = listening < 0 ? 10000 : -1; // with who has sent half a request
            if (int ready = poll(watched.data(), watched.size(), patience); ready <= 0)
                return ready < 0;
            for (size_t i = 3; i < watched.size(); i++)
                if (watched[i].revents != 0)
                    read(watched[i].fd);
            if (watched[1].revents != 0)
                if (int fd = accept(listening, nullptr, nullptr); fd >= 0)
                    hand_over(fd, Client());
            if (watched[2].revents != 0) {
                close(std::exchange(listening, -1));
                gw_loop_drain(loop, 10000);
            }
        }
        return 0;
    }
    // What was read of it goes along. Whose the next request is, the gateway knows.
    void hand_over(int fd, Client c)
    {
        auto accept = GW_SPEC(gw_accept_spec);
        accept.listener = gw_cstr("edge");
        accept.flags = GW_ACCEPT_RETURN;
        accept.early = { c.in.data(), c.in.size() };
        if (gw_loop_adopt(loop, fd, &accept, nullptr) == GW_OK)
            return;
        c.out = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n";
        c.is_last = true; // it drains, or has no memory: the connection is still ours
        clients[fd] = std::move(c);
    }
    // A request that is ours comes back. It must be answered here: the gateway would give it back again.
    static void take_back(void *ctx, gw_link *link, int fd) noexcept
    {
        Server &self = *static_cast<Server *>(ctx);
        Client &c = self.clients[fd];
        std::vector<gw_const_span> spans(gw_link_unread(link, nullptr, 0));
        gw_link_unread(link, spans.data(), spans.size());
        for (const gw_const_span &s : spans)
            c.in.append(static_cast<const char *>(s.ptr), s.len);
        c.is_ours = true;
        self.go_on(fd, c);
    }
    // From here on it is the server's own business.
    void read(int fd)
    {
        char bytes[4096];
        Client &c = clients.at(fd);
        ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got > 0)
            c.in.append(bytes, static_cast<size_t>(got));
        else if (got == 0 || errno != EAGAIN)
            c.is_last = true; // nothing more comes; what it has asked is answered
        go_on(fd, c);
    }
    void go_on(int fd, Client &c)
    {
        if (c.is_ours)
            answer(c);
        ssize_t put = send(fd, c.out.data(), c.out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN)
            c = { "", "", false, true };
        c.out.erase(0, put > 0 ? static_cast<size_t>(put) : 0);
        if (!c.out.empty() || (c.is_ours && !c.is_last))
            return;
        Client rest = std::move(c);
        clients.erase(fd);
        if (rest.is_last)
            close(fd);
        else
            hand_over(fd, std::move(rest));
    }
    // The page says what was asked. Nothing, as long as that has not come whole.
    void answer(Client &c) const
    {
        size_t head = c.in.find("\r\n\r\n"), body = 0;
        if (head == c.in.npos)
            return;
        std::string lower = c.in.substr(0, head += 4);
        std::transform(lower.begin(), lower.end(), lower.begin(), [](char ch) {
            return ch >= 'A' && ch <= 'Z' ? static_cast<char>(ch + 32) : ch;
        });
        auto says = [&](const char *text) { return lower.find(text) != lower.npos; };
        if (says("\r\ncontent-length:"))
            body = std::strtoul(&lower[lower.find("\r\ncontent-length:") + 17], nullptr, 10);
        if (body > c.in.size() - head)
            return;
        c.is_last = c.is_last || listening < 0 || says("\r\nconnection: close") ||
                    says(" http/1.0\r\n") || says("\r\ntransfer-encoding:");
        std::string page = c.in.substr(0, c.in.find(" HTTP/")) + " " + std::to_string(body) + "\n";
        c.out += "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(page.size()) +
                 (c.is_last ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n") + page;
        c.in.erase(0, head + body);
        c.is_ours = false;
    }

    gw_loop *loop = nullptr;
    int listening; // -1: it is ending
    bool is_over = false;
    std::map<int, Client> clients;
};

static gw_config *configure(const char *path, const char *upstream)
{
    gw_builder *builder = nullptr;
    gw_config *config = nullptr;
    auto error = GW_SPEC(gw_config_error);
    auto edge = GW_SPEC(gw_listener_spec);
    auto cluster = GW_SPEC(gw_cluster_spec);
    auto endpoint = GW_SPEC(gw_endpoint_spec);
    auto route = GW_SPEC(gw_route_spec);
    if (gw_builder_new(nullptr, &builder) != GW_OK)
        return nullptr;
    edge.name = gw_cstr("edge");
    cluster.name = route.cluster = route.name = gw_cstr("upstream");
    endpoint.address = gw_cstr(upstream);
    route.path = gw_cstr(path);
    gw_builder_listener(builder, &edge); // what is wrong here, build reports
    gw_builder_endpoint(builder, gw_builder_cluster(builder, &cluster), &endpoint);
    gw_builder_route(builder, &route);
    if (gw_builder_build(builder, &config, &error) != GW_OK)
        std::fprintf(stderr, "%s: %s\n", error.where, error.text);
    return config;
}
int main(int argc, char **argv)
{
    int listening = -1;
    gw_engine *engine = nullptr;
    sigset_t set;
    auto shared = GW_SPEC(gw_engine_spec);
    auto listen = GW_SPEC(gw_listen_spec);
    if (argc != 4)
        return std::fprintf(stderr, "usage: cpp_server LISTEN PATH UPSTREAM\n"), 2;
    listen.address = gw_cstr(argv[1]);
    gw_config *config = configure(argv[2], argv[3]);
    if (config == nullptr || gw_engine_new(&shared, &engine) != GW_OK ||
        gw_engine_apply(engine, config, nullptr) != GW_OK ||
        gw_listen_open(&listen, &listening) != GW_OK)
        return std::fprintf(stderr, "it cannot start: are these addresses numeric, and free?\n"), 1;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    std::fprintf(stderr, "listening on %s\n", argv[1]);
    int status = Server(engine, listening).run(signalfd(-1, &set, SFD_CLOEXEC));
    gw_config_unref(config);
    gw_engine_free(engine);
    return status;
}
