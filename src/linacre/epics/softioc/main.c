/* softIoc [st.cmd | -]: EPICS's softIoc, made of the libraries in the Python packages
 * epicscorelibs and pvxslibs. Serves Channel Access, and pvAccess through QSRV 2.
 *
 * The libraries are opened when it runs, not linked: their file names carry an exact version,
 * and this program uses only C functions that are the same in all of them. So it needs no
 * EPICS to be compiled, and an upgrade of the packages does not break it.
 */
#include "first-pause.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Only an editable installation, whose program stands outside site-packages, says this. */
#ifndef SITE_PACKAGES
#define SITE_PACKAGES ""
#endif

static char packages[PATH_MAX]; /* the folder that holds both packages */

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "softIoc: %s: %s; install linacre, epicscorelibs and pvxslibs with pip "
                    "into one environment\n", what, why);
    exit(1);
}

static void join(char *path, const char *name)
{
    if (snprintf(path, PATH_MAX, "%s/%s", packages, name) >= PATH_MAX)
        fail(packages, "the path is too long");
}

static int holds_epics(void)
{
    char path[PATH_MAX];
    join(path, "epicscorelibs/dbd/base.dbd");
    return access(path, R_OK) == 0;
}

/* This program is <site-packages>/linacre/epics/bin/softIoc. */
static void find_packages(void)
{
    int up;
    ssize_t length = readlink("/proc/self/exe", packages, sizeof packages - 1);
    if (length < 0)
        fail("/proc/self/exe", "cannot be read");
    packages[length] = '\0';
    for (up = 0; up < 4; up++) {
        char *slash = strrchr(packages, '/');
        if (slash)
            *slash = '\0';
    }
    if (holds_epics())
        return;
    if (SITE_PACKAGES[0]) {
        snprintf(packages, sizeof packages, "%s", SITE_PACKAGES);
        if (holds_epics())
            return;
    }
    fail(packages, "epicscorelibs is not there");
}

static void *open_library(const char *name)
{
    char path[PATH_MAX];
    void *library;
    join(path, name);
    library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (!library)
        fail(name, dlerror());
    return library;
}

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (!found)
        fail(name, "is not in the EPICS libraries");
    return found;
}

int main(int argc, char **argv)
{
    void *com, *core, *pvxs;
    char path[PATH_MAX];
    int (*iocsh)(const char *), (*load)(const char *, const char *, const char *);
    int (*register_all)(void *);
    void (*register_common)(void), (*leave)(int);
    void **pdbbase;
    const char *script = argc == 2 && strcmp(argv[1], "-") ? argv[1] : NULL;

    if (argc > 2 || (script && script[0] == '-')) {
        fprintf(stderr, "usage: softIoc [st.cmd | -]\n");
        return 2;
    }
    find_packages();
    com = open_library("epicscorelibs/lib/libCom.so");
    open_library("epicscorelibs/lib/libca.so");
    core = open_library("epicscorelibs/lib/libdbCore.so");
    open_library("epicscorelibs/lib/libdbRecStd.so");
    open_library("pvxslibs/lib/libevent_core.so");
    open_library("pvxslibs/lib/libevent_pthread.so");
    open_library("pvxslibs/lib/libpvxs.so");
    pvxs = open_library("pvxslibs/lib/libpvxsIoc.so");
    (void)pvxs;

    *(void **)&iocsh = symbol(com, "iocsh");
    *(void **)&leave = symbol(com, "epicsExit");
    *(void **)&load = symbol(core, "dbLoadDatabase");
    *(void **)&register_common = symbol(core, "iocshRegisterCommon");
    *(void **)&register_all = symbol(core, "registerAllRecordDeviceDrivers");
    pdbbase = (void **)symbol(core, "pdbbase");

    watch_first_pause(com, core);
    setenv("PVXS_QSRV_ENABLE", "YES", 0);
    register_common();
    join(path, "epicscorelibs/dbd");
    if (load("base.dbd", path, NULL))
        fail(path, "base.dbd cannot be loaded");
    join(path, "pvxslibs/dbd");
    if (load("pvxsIoc.dbd", path, NULL))
        fail(path, "pvxsIoc.dbd cannot be loaded");
    if (register_all(*pdbbase))
        fail(path, "the record types cannot be registered");

    if (script && iocsh(script))
        leave(1);
    iocsh(NULL);
    /* The shell ends by "exit", or because nobody can type: then the IOC goes on. */
    while (feof(stdin) || ferror(stdin))
        pause();
    leave(0);
    return 0;
}
