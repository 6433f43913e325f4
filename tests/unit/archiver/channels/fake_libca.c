/* A libca without a network: the test says what the server does. */
#define _GNU_SOURCE
#include "libca.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct subscription {
    struct channel *channel;
    long type, mask;
    unsigned long count;
    ca_on_event *call;
    void *user;
};

struct channel {
    char *name;
    ca_on_connection *connection;
    ca_on_access *access;
    void *user;
    int native;
    long count;
    unsigned readable;
    struct subscription *subscriptions[2];
    long subscribed; /* how often, to values and properties together */
    struct channel *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Held while an event is told: as with libca, nothing is told of a subscription that is cleared. */
static pthread_mutex_t telling = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static struct channel *channels;

/* ---- What capture.c calls. ---- */

int ca_context_create(int preemptive) { return preemptive == CA_PREEMPTIVE ? CA_NORMAL : 0; }
int ca_flush_io(void) { return CA_NORMAL; }
int ca_add_exception_event(ca_on_exception *call, void *user) { return !call || user; }
short ca_field_type(void *channel) { return ((struct channel *)channel)->native; }
unsigned long ca_element_count(void *channel) { return ((struct channel *)channel)->count; }
unsigned ca_read_access(void *channel) { return ((struct channel *)channel)->readable; }
void *ca_puser(void *channel) { return ((struct channel *)channel)->user; }
const char *ca_message(long status) { return status == 152 ? "it failed" : "unknown"; }

unsigned ca_get_host_name(void *channel, char *name, unsigned size)
{
    (void)channel;
    strncpy(name, "ioc:5064", size);
    return size;
}

int ca_create_channel(const char *name, ca_on_connection *call, void *user, unsigned priority,
                      void **made)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (priority != CA_PRIORITY_OF_ARCHIVERS)
        abort();
    channel->name = strdup(name);
    channel->connection = call;
    channel->user = user;
    pthread_mutex_lock(&mutex);
    channel->next = channels;
    channels = channel;
    *made = channel;
    pthread_mutex_unlock(&mutex);
    return CA_NORMAL;
}

int ca_replace_access_rights_event(void *channel, ca_on_access *call)
{
    ((struct channel *)channel)->access = call;
    return CA_NORMAL;
}

int ca_create_subscription(long type, unsigned long count, void *channel, long mask,
                           ca_on_event *call, void *user, void **made)
{
    struct subscription *new = calloc(1, sizeof *new);
    struct channel *of = channel;
    *new = (struct subscription){of, type, mask, count, call, user};
    pthread_mutex_lock(&mutex);
    of->subscriptions[mask == CA_PROPERTY] = *made = new;
    of->subscribed++;
    pthread_mutex_unlock(&mutex);
    return CA_NORMAL;
}

int ca_clear_subscription(void *subscription)
{
    struct subscription *old = subscription;
    pthread_mutex_lock(&telling);
    pthread_mutex_lock(&mutex);
    old->channel->subscriptions[old->mask == CA_PROPERTY] = NULL;
    pthread_mutex_unlock(&mutex);
    pthread_mutex_unlock(&telling);
    free(old);
    return CA_NORMAL;
}

int ca_clear_channel(void *gone)
{
    struct channel **at, *channel = gone;
    pthread_mutex_lock(&mutex);
    for (at = &channels; *at != channel; at = &(*at)->next)
        ;
    *at = channel->next;
    pthread_mutex_unlock(&mutex);
    free(channel->subscriptions[0]);
    free(channel->subscriptions[1]);
    free(channel->name);
    free(channel);
    return CA_NORMAL;
}

void ca_context_destroy(void)
{
    while (channels)
        ca_clear_channel(channels);
}

/* ---- What the test calls. ---- */

void *fake_channel(const char *name)
{
    struct channel *channel;
    pthread_mutex_lock(&mutex);
    for (channel = channels; channel && strcmp(channel->name, name); channel = channel->next)
        ;
    pthread_mutex_unlock(&mutex);
    return channel;
}

void fake_connect(void *channel, int native, long count, unsigned readable)
{
    struct channel *of = channel;
    of->native = native;
    of->count = count;
    of->readable = readable;
    of->connection((struct ca_connection){channel, CA_UP});
}

void fake_disconnect(void *channel)
{
    ((struct channel *)channel)->connection((struct ca_connection){channel, CA_DOWN});
}

void fake_access(void *channel, unsigned readable)
{
    struct ca_access access = {channel, {readable, 0}};
    ((struct channel *)channel)->readable = readable;
    ((struct channel *)channel)->access(access);
}

/* Returns the type subscribed to, or -1. */
long fake_type(void *channel, int is_property)
{
    struct subscription *found;
    long type;
    pthread_mutex_lock(&mutex);
    found = ((struct channel *)channel)->subscriptions[is_property];
    type = found ? found->type : -1;
    pthread_mutex_unlock(&mutex);
    return type;
}

/* Returns how often it was subscribed to. */
long fake_subscribed(void *channel)
{
    long subscribed;
    pthread_mutex_lock(&mutex);
    subscribed = ((struct channel *)channel)->subscribed;
    pthread_mutex_unlock(&mutex);
    return subscribed;
}

/* Returns the count subscribed to, or -1. */
long fake_count(void *channel)
{
    struct subscription *found;
    long count;
    pthread_mutex_lock(&mutex);
    found = ((struct channel *)channel)->subscriptions[0];
    count = found ? (long)found->count : -1;
    pthread_mutex_unlock(&mutex);
    return count;
}

/* Waits where it is just being subscribed to anew. */
void fake_event(void *channel, int is_property, long type, long count, const void *data, int status)
{
    for (;;) {
        struct subscription *of;
        pthread_mutex_lock(&telling);
        pthread_mutex_lock(&mutex);
        of = ((struct channel *)channel)->subscriptions[is_property];
        pthread_mutex_unlock(&mutex);
        if (of)
            of->call((struct ca_event){of->user, channel, type, count, data, status});
        pthread_mutex_unlock(&telling);
        if (of)
            return;
        usleep(100);
    }
}
