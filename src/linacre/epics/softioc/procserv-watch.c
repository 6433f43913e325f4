#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "procserv-watch.h"

#include "monotonic.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HANGS "procserv-hangs"
#define PERIOD_S 4
#define STILL_TIMES 2

/* How often a process has waited for something; -1 where that is unknown. */
static long long waits_of(pid_t pid)
{
    char path[64], line[256];
    long long waits = -1;
    FILE *status;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    status = fopen(path, "re");
    if (!status)
        return -1;
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "voluntary_ctxt_switches: %lld", &waits) == 1)
            break;
    fclose(status);
    return waits;
}

static int tell(void)
{
    FILE *file = fopen(HANGS, "we");
    if (!file)
        return 0;
    fputs("hangs\n", file);
    return !fclose(file);
}

/* procServ looks about twice a second, also when nothing happens. One that does not is stopped, or
 * waits to write to a terminal whose reader waits for it: input that came faster than the IOC could
 * print what it said of it. */
void look_at_procserv(void)
{
    static double last_s;
    static long long known = -1;
    static int still, is_told;
    long long waits;

    if (seconds() - last_s < PERIOD_S)
        return;
    last_s = seconds();
    waits = waits_of(getppid());
    still = waits >= 0 && waits == known ? still + 1 : 0;
    known = waits;
    if (still >= STILL_TIMES && !is_told)
        is_told = tell();
    else if (!still && is_told)
        is_told = unlink(HANGS) != 0;
}
