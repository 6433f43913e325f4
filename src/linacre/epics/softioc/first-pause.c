/* Leaves out the half second before an IOC first processes records, where nothing uses it.
 *
 * iocInit() sleeps for half a second before it processes records at start-up (PINI). What can
 * come about meanwhile is the work of threads that run by then: those of device support, and
 * the one that connects to the PVs that an access security file names. Links to PVs are not
 * among it: EPICS keeps the task of Channel Access links waiting until iocRun(), which comes
 * later. So the sleep is left out where every link is a constant or a link to a PV, and there is
 * no access security. Hardware, and links of any other kind, keep it.
 *
 * epicsThreadSleep() here stands before libCom's, as the program's own symbols do, and passes on
 * every call but that one. Where the EPICS libraries lack what this needs, none is left out.
 */
#include "first-pause.h"

#include <dlfcn.h>
#include <string.h>
#include <time.h>

#define PAUSE_S 0.5 /* as iocInit.c has it */

/* The kinds of link that wait for nothing, as link.h numbers them. */
enum { CONSTANT = 0, DB_LINK = 10, CA_LINK = 11 };

/* The beginnings of dbStaticLib.h's DBENTRY and of link.h's DBLINK. */
struct entry {
    void *base, *record_type, *field, *record, *info, *value;
};
struct link {
    void *record;
    short kind;
};

static void (*own_sleep)(double);
static const char *(*state_name)(int);
static void **base;
static int *access_security;
static struct entry *(*new_entry)(void *);
static void (*free_entry)(struct entry *);
static long (*first_type)(struct entry *), (*next_type)(struct entry *);
static long (*first_record)(struct entry *), (*next_record)(struct entry *);
static int (*count_links)(struct entry *);
static long (*find_link)(struct entry *, int);

/* True in the thread that runs iocInit(), while it is where it sleeps. */
static __thread int before_first_process;

static int record_waits(struct entry *entry)
{
    int left;
    for (left = count_links(entry); left-- > 0;) {
        const struct link *link;
        if (find_link(entry, left))
            return 1;
        link = entry->value;
        if (link->kind != CONSTANT && link->kind != DB_LINK && link->kind != CA_LINK)
            return 1;
    }
    return 0;
}

static int database_waits(void)
{
    struct entry *entry = new_entry(*base);
    int waits = 0;
    long type, record;
    for (type = first_type(entry); !waits && !type; type = next_type(entry))
        for (record = first_record(entry); !waits && !record; record = next_record(entry))
            waits = record_waits(entry);
    free_entry(entry);
    return waits;
}

void epicsThreadSleep(double seconds)
{
    struct timespec rest;
    if (before_first_process && seconds == PAUSE_S && !*access_security && !database_waits())
        return;
    if (own_sleep) {
        own_sleep(seconds);
        return;
    }
    rest.tv_sec = (time_t)seconds;
    rest.tv_nsec = (long)((seconds - (double)rest.tv_sec) * 1e9);
    nanosleep(&rest, NULL);
}

static void follow(int state)
{
    /* By name: the numbers are an enumeration's, which may grow. */
    before_first_process = !strcmp(state_name(state), "initHookAfterFinishDevSup");
}

static int find(void *library, const char *name, void *place)
{
    return (*(void **)place = dlsym(library, name)) != NULL;
}

void watch_first_pause(void *com, void *core)
{
    int (*follow_states)(void (*)(int));
    if (find(com, "epicsThreadSleep", &own_sleep) && find(com, "initHookRegister", &follow_states)
        && find(com, "initHookName", &state_name) && find(com, "asActive", &access_security)
        && find(core, "pdbbase", &base) && find(core, "dbAllocEntry", &new_entry)
        && find(core, "dbFreeEntry", &free_entry) && find(core, "dbFirstRecordType", &first_type)
        && find(core, "dbNextRecordType", &next_type) && find(core, "dbFirstRecord", &first_record)
        && find(core, "dbNextRecord", &next_record) && find(core, "dbGetNLinks", &count_links)
        && find(core, "dbGetLinkField", &find_link))
        follow_states(follow);
}
