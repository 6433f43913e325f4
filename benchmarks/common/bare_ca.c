/* The least that a client of Channel Access can do with an event: write a row to a ring. */
#include "libca.h"

#include <dlfcn.h>
#include <stdlib.h>

#define ROWS (1 << 20)

struct row {
    uint32_t seconds, nanoseconds;
    double value;
    int16_t severity, status;
    int32_t channel;
};

static struct ca_library ca;
static struct row *ring;
static void **channels;
static volatile int64_t written;

static void on_value(struct ca_event event)
{
    const struct ca_time_header *header = event.data;
    struct row *row = &ring[written % ROWS];
    if (event.status != CA_NORMAL)
        return;
    row->seconds = header->seconds;
    row->nanoseconds = header->nanoseconds;
    row->value = *(const double *)((const char *)event.data + 16);
    row->severity = header->severity;
    row->status = header->status;
    row->channel = (intptr_t)event.user;
    written++;
}

static void on_connection(struct ca_connection connection)
{
    void *ignored;
    intptr_t number = (intptr_t)ca.ca_puser(connection.channel);
    if (connection.operation == CA_UP)
        ca.ca_create_subscription(CA_TIME + CA_DOUBLE, 1, connection.channel, CA_VALUE | CA_ALARM,
                                  on_value, (void *)number, &ignored);
}

/* Begins to take the values of PVs of type double; 0 where it cannot. The thread that calls this
 * calls `bare_end` too. */
int bare_begin(const char *libca, const char *const *names, int n)
{
    void *library = dlopen(libca, RTLD_NOW | RTLD_LOCAL);
    int k;
    if (!library)
        return 0;
#define FIND(result, name, arguments) \
    if (!(*(void **)&ca.name = dlsym(library, #name))) \
        return 0;
    CA_FUNCTIONS(FIND)
    ring = malloc(ROWS * sizeof *ring);
    channels = malloc(n * sizeof *channels);
    if (!ring || !channels || ca.ca_context_create(CA_PREEMPTIVE) != CA_NORMAL)
        return 0;
    for (k = 0; k < n; k++)
        ca.ca_create_channel(names[k], on_connection, (void *)(intptr_t)k,
                             CA_PRIORITY_OF_ARCHIVERS, &channels[k]);
    ca.ca_flush_io();
    return 1;
}

int64_t bare_events(void) { return written; }

void bare_end(void)
{
    ca.ca_context_destroy();
    free(channels);
    free(ring);
}
