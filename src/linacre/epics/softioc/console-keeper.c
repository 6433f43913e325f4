/* console-keeper ADDRESS PORT SOCKET LOG BYTES FILES: what procServ lacks beside an IOC.
 *
 * Offers procServ's Unix socket on a TCP port: Debian's procServ is compiled without --allow, so
 * its own TCP ports are on 127.0.0.1 alone, whatever address it is told. And it keeps the log
 * small: above BYTES it becomes LOG.1, and so on, with at most FILES in all. procServ writes the
 * log by itself, so that neither this program's end nor a full disk can hold up the IOC. What the
 * IOC's start script printed of errors it tells in the folder it is started in (start-errors.h), and
 * that procServ hangs (procserv-watch.h).
 *
 * Started as procServ's child; ends with it. A process a connection: one that does not read
 * loses lines, and never holds up procServ, which would hold up the IOC.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif
#include "procserv-watch.h"
#include "start-errors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_CONNECTIONS 32

static void fail(const char *what)
{
    fprintf(stderr, "console-keeper: %s: %s\n", what, strerror(errno));
}

static int open_port(const char *address, int port)
{
    struct sockaddr_in where;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memset(&where, 0, sizeof where);
    where.sin_family = AF_INET;
    where.sin_port = htons((unsigned short)port);
    if (listener < 0 || inet_pton(AF_INET, address, &where.sin_addr) != 1)
        return -1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&where, sizeof where) || listen(listener, 8))
        return -1;
    return listener;
}

static int open_console(const char *path)
{
    struct sockaddr_un where;
    int console = socket(AF_UNIX, SOCK_STREAM, 0);
    memset(&where, 0, sizeof where);
    where.sun_family = AF_UNIX;
    snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
    if (console < 0 || connect(console, (struct sockaddr *)&where, sizeof where))
        return -1;
    return console;
}

static int send_all(int to, const char *data, ssize_t size)
{
    while (size > 0) {
        ssize_t sent = send(to, data, (size_t)size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return -1;
        if (sent > 0) {
            data += sent;
            size -= sent;
        }
    }
    return 0;
}

/* Its only use: poll returns, and the dead child is counted. */
static void child_died(int signal)
{
    (void)signal;
}

static void serve(int client, int console)
{
    char data[4096];
    struct pollfd both[2] = {{client, POLLIN, 0}, {console, POLLIN, 0}};
    for (;;) {
        if (poll(both, 2, -1) < 0 && errno != EINTR)
            return;
        if (both[1].revents) {
            ssize_t size = recv(console, data, sizeof data, 0);
            if (size <= 0)
                return;
            if (send(client, data, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0
                && errno != EAGAIN)
                return;
        }
        if (both[0].revents) {
            ssize_t size = recv(client, data, sizeof data, 0);
            if (size <= 0 || send_all(console, data, size))
                return;
        }
    }
}

static void rotate(const char *log, long long bytes, int files)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct stat now;
    int i;
    if (stat(log, &now) || now.st_size < bytes)
        return;
    for (i = files - 1; i > 0; i--) {
        snprintf(to, sizeof to, "%s.%d", log, i);
        if (i > 1)
            snprintf(from, sizeof from, "%s.%d", log, i - 1);
        else
            snprintf(from, sizeof from, "%s", log);
        rename(from, to);
    }
    if (files < 2)
        unlink(log);
    kill(getppid(), SIGHUP); /* opens its log again */
}

static int start_serving(int listener, const char *path)
{
    int on = 1, console, client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    pid_t child;
    if (client < 0) {
        if (errno != EINTR && errno != ECONNABORTED)
            sleep(1); /* out of descriptors or memory for now: do not spin */
        return 0;
    }
    setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(listener);
        console = open_console(path);
        if (console >= 0)
            serve(client, console);
        _exit(0);
    }
    close(client);
    return child > 0;
}

int main(int argc, char **argv)
{
    int connections = 0;
    struct sigaction action;
    struct pollfd listener = {-1, POLLIN, 0};
    if (argc != 7) {
        fprintf(stderr, "usage: console-keeper ADDRESS PORT SOCKET LOG BYTES FILES\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == 1)
        return 1; /* procServ has ended before this asked to end with it: on a full disk it does */
    memset(&action, 0, sizeof action);
    action.sa_handler = child_died;
    sigaction(SIGCHLD, &action, NULL);
    listener.fd = open_port(argv[1], atoi(argv[2]));
    if (listener.fd < 0)
        fail("the port cannot be opened"); /* the log is kept small all the same */
    for (;;) {
        int ready;
        look_at_procserv();
        ready = poll(&listener, 1, look_at_start(argv[4]));
        while (waitpid(-1, NULL, WNOHANG) > 0)
            connections--;
        if (ready == 0)
            rotate(argv[4], atoll(argv[5]), atoi(argv[6]));
        else if (ready > 0 && connections < MOST_CONNECTIONS)
            connections += start_serving(listener.fd, argv[3]);
        else if (ready > 0)
            sleep(1);
    }
}
