/* What an embedded incusd runs for its subcommands (INCUS_EXEC_PATH).
 *
 * The process that runs `forkstart` stays behind as the machine's monitor. Incus' own is a Go
 * program and keeps 13 MB of memory of its own for each machine; this one keeps half a megabyte.
 * It does what forkstart of Incus 6.0 does, through the same library, and hands every other
 * subcommand to incusd, whose path is in LINACRE_INCUSD.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The head of liblxc's public struct lxc_container (lxc/lxccontainer.h), whose order is its ABI:
 * members are only ever appended. */
struct container {
    char *name, *configfile, *pidfile;
    void *slock, *privlock;
    int numthreads;
    void *lxc_conf;
    char *error_string;
    int error_num;
    bool daemonize;
    char *config_path;
    bool (*is_defined)(struct container *);
    const char *(*state)(struct container *);
    bool (*is_running)(struct container *);
    bool (*freeze)(struct container *);
    bool (*unfreeze)(struct container *);
    pid_t (*init_pid)(struct container *);
    bool (*load_config)(struct container *, const char *);
    bool (*start)(struct container *, int, char *const[]);
};

static int fail(const char *what, const char *which)
{
    fprintf(stderr, "%s %s\n", what, which ? which : "");
    return 1;
}

/* The daemon waits for the end of our output, and the monitor would hold it open. */
static void log_to_file(const char *name)
{
    const char *dir = getenv("INCUS_DIR");
    char path[4096];
    int log;

    if (dir)
        snprintf(path, sizeof path, "%s/logs/%s/forkstart.log", dir, name);
    else
        snprintf(path, sizeof path, "/var/log/incus/%s/forkstart.log", name);
    unlink(path);
    log = open(path, O_WRONLY | O_CREAT | O_SYNC | O_CLOEXEC, 0644);
    close(0);
    if (log < 0) {
        close(1);
        close(2);
        return;
    }
    dup2(log, 1);
    dup2(log, 2);
}

static int forkstart(const char *name, const char *path, const char *config)
{
    struct container *(*make)(const char *, const char *);
    struct container *container;
    void *lxc = dlopen("liblxc.so.1", RTLD_NOW);

    if (!lxc)
        return fail("no liblxc:", dlerror());
    make = (struct container * (*)(const char *, const char *)) dlsym(lxc, "lxc_container_new");
    if (!make)
        return fail("no lxc_container_new:", dlerror());
    syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
    container = make(name, path);
    if (!container)
        return fail("cannot initialise the container", name);
    if (!container->load_config(container, config))
        return fail("cannot read", config);
    log_to_file(name);
    return container->start(container, 0, NULL) ? 0 : 1;
}

int main(int argc, char **argv)
{
    char *incusd = getenv("LINACRE_INCUSD");

    if (argc == 5 && strcmp(argv[1], "forkstart") == 0 && geteuid() == 0)
        return forkstart(argv[2], argv[3], argv[4]);
    argv[0] = incusd ? incusd : "/usr/libexec/incus/incusd";
    execv(argv[0], argv);
    perror("incusd");
    return 127;
}
