/* The client of Channel Access: libca's callbacks, and the thread that makes all other calls. */
#define _GNU_SOURCE
#include "capture.h"

#include <stdlib.h>
#include <string.h>

static const size_t control_size[CA_TYPES] = {0, 28, 48, METADATA_BYTES, 20, 44, 80};

struct ca_library ca;

/* ---- Callbacks, in threads of libca, which calls one at a time. ---- */

/* The mutex is held. NULL where there is no memory. */
static struct notice *notify(struct channel *channel, enum what what, int status)
{
    struct capture *capture = channel->capture;
    struct notice *notice = append(&capture->notices[capture->written], sizeof *notice);
    if (!notice)
        return NULL;
    memset(notice, 0, sizeof *notice);
    notice->time_ns = read_clock(CLOCK_REALTIME) + capture->clock_ns;
    notice->channel = channel->id;
    notice->what = what;
    notice->status = status;
    notice->native = channel->now_native;
    return notice;
}

static int is_ours(const struct channel *channel)
{
    return channel->armed && !channel->removed && !channel->capture->closed &&
           channel->native == channel->now_native && channel->is_array == channel->now_array;
}

static void fail(struct channel *channel, int status)
{
    /* Of access, the server speaks by itself. */
    if (status == CA_DISCONNECTED || status == CA_NO_READ_ACCESS || channel->failed)
        return;
    channel->failed = 1;
    notify(channel, FAILED, status);
}

/* Tells that there are metadata; the first of a connection came with its first value. */
static void tell_metadata(struct channel *channel)
{
    struct dates dates = channel->first;
    if (channel->described)
        dates = (struct dates){.newest_ns = channel->counters.last_ns};
    dates.came_ns = archiver_now(channel->capture);
    channel->described = 1;
    channel->undescribed = 0;
    if (keep_words(channel, &dates))
        notify(channel, METADATA, CA_NORMAL);
}

/* A text has no units, limits or labels; those of another type that the PV had hold no more. */
static void describe_text(struct channel *channel)
{
    static const uint8_t nothing[ALARM_BYTES];
    channel->undescribed = !channel->described && remember_words(channel, nothing, sizeof nothing);
}

static void take_value(struct channel *channel, struct ca_event event)
{
    int64_t newest_ns = channel->counters.last_ns;
    int is_first = channel->is_first;
    judge(channel, event.data, event.count);
    if (is_first)
        channel->first = (struct dates){
            .newest_ns = newest_ns,
            .sample_ns = channel->counters.last_ns > newest_ns ? channel->counters.last_ns : 0,
        };
    if (is_first && channel->native == CA_STRING)
        describe_text(channel);
    if (channel->undescribed)
        tell_metadata(channel);
}

static void on_value(struct ca_event event)
{
    struct channel *channel = event.user;
    pthread_mutex_lock(&channel->capture->mutex);
    if (is_ours(channel)) {
        if (event.status != CA_NORMAL)
            fail(channel, event.status);
        else if (event.data && event.type == CA_TIME + channel->native &&
                 (channel->is_array || event.count == 1))
            take_value(channel, event);
    }
    pthread_mutex_unlock(&channel->capture->mutex);
}

static void on_property(struct ca_event event)
{
    struct channel *channel = event.user;
    pthread_mutex_lock(&channel->capture->mutex);
    if (is_ours(channel) && event.status == CA_NORMAL && event.data &&
        event.type == CA_CONTROL + channel->native &&
        remember_words(channel, event.data, control_size[channel->native])) {
        if (channel->is_first)
            channel->undescribed = 1;
        else if (!is_told(channel))
            tell_metadata(channel);
    }
    pthread_mutex_unlock(&channel->capture->mutex);
}

static void on_connection(struct ca_connection connection)
{
    struct channel *channel = ca.ca_puser(connection.channel);
    struct capture *capture = channel->capture;
    int up = connection.operation == CA_UP;
    int native = up ? ca.ca_field_type(connection.channel) : -1;
    long count = up ? (long)ca.ca_element_count(connection.channel) : 0;
    unsigned readable = up ? ca.ca_read_access(connection.channel) : 0;
    char host[sizeof((struct notice *)0)->host] = "";
    struct notice *notice;

    if (up)
        ca.ca_get_host_name(connection.channel, host, sizeof host);
    pthread_mutex_lock(&capture->mutex);
    channel->connected = up;
    if (up) {
        channel->is_first = 1;
        channel->described = channel->undescribed = 0;
        channel->first = (struct dates){.newest_ns = channel->counters.last_ns};
        channel->failed = 0;
        channel->now_native = native;
        channel->now_array = count != 1;
        channel->readable = readable;
    }
    notice = notify(channel, up ? CONNECTED : LOST, CA_NORMAL);
    if (notice) {
        notice->count = count;
        memcpy(notice->host, host, sizeof host);
    }
    if (up && !readable)
        notify(channel, FORBIDDEN, CA_NORMAL);
    pthread_mutex_unlock(&capture->mutex);
}

static void on_access(struct ca_access access)
{
    struct channel *channel = ca.ca_puser(access.channel);
    pthread_mutex_lock(&channel->capture->mutex);
    if (channel->connected && channel->readable != (char)access.rights.read) {
        channel->readable = access.rights.read;
        channel->is_first = 1;
        notify(channel, channel->readable ? ALLOWED : FORBIDDEN, CA_NORMAL);
    }
    pthread_mutex_unlock(&channel->capture->mutex);
}

static void on_exception(struct ca_exception exception)
{
    /* libca would print a page for each. What matters comes as a status or a lost connection. */
    (void)exception;
}

/* ---- The thread that calls libca. ---- */

static void report_failure(struct channel *channel, int status)
{
    if (status == CA_NORMAL)
        return;
    pthread_mutex_lock(&channel->capture->mutex);
    fail(channel, status);
    pthread_mutex_unlock(&channel->capture->mutex);
}

static void create(struct channel *channel)
{
    struct channel **first = &channel->capture->channels;
    int status;

    channel->next = *first;
    channel->at = first;
    if (*first)
        (*first)->at = &channel->next;
    *first = channel;
    status = ca.ca_create_channel(channel->name, on_connection, channel, CA_PRIORITY_OF_ARCHIVERS,
                                  &channel->chid);
    if (status != CA_NORMAL)
        channel->chid = NULL;
    else
        ca.ca_replace_access_rights_event(channel->chid, on_access);
    report_failure(channel, status);
}

static void clear_subscriptions(struct channel *channel)
{
    if (channel->values)
        ca.ca_clear_subscription(channel->values);
    if (channel->properties)
        ca.ca_clear_subscription(channel->properties);
    channel->values = channel->properties = NULL;
}

static void subscribe(struct channel *channel)
{
    struct capture *capture = channel->capture;
    int native, is_array;

    clear_subscriptions(channel);
    pthread_mutex_lock(&capture->mutex);
    native = channel->native;
    is_array = channel->is_array;
    channel->armed = 1;
    channel->is_first = 1; /* what comes now is the present value, perhaps once more */
    pthread_mutex_unlock(&capture->mutex);
    /* As many elements as there are at the time: 0 asks for that. */
    report_failure(channel, ca.ca_create_subscription(CA_TIME + native, is_array ? 0 : 1,
                                                      channel->chid, CA_VALUE | CA_ALARM, on_value,
                                                      channel, &channel->values));
    if (native != CA_STRING)
        report_failure(channel,
                       ca.ca_create_subscription(CA_CONTROL + native, 1, channel->chid, CA_PROPERTY,
                                                 on_property, channel, &channel->properties));
}

static void destroy(struct channel *channel)
{
    *channel->at = channel->next;
    if (channel->next)
        channel->next->at = channel->at;
    drop_words(channel);
    free(channel->metadata);
    free(channel->held);
    free(channel->name);
    free(channel);
}

static int carry_out(const struct list *requests)
{
    size_t k;
    for (k = 0; k < requests->length; k++) {
        const struct request *request = (const struct request *)requests->items + k;
        switch (request->what) {
        case CREATE: create(request->channel); break;
        case SUBSCRIBE: subscribe(request->channel); break;
        case REMOVE:
            if (request->channel->chid)
                ca.ca_clear_channel(request->channel->chid); /* no callback speaks of it now */
            destroy(request->channel);
            break;
        case END: return 0;
        }
    }
    return 1;
}

void dispose(struct capture *capture)
{
    int side;
    while (capture->channels)
        destroy(capture->channels);
    for (side = 0; side < 2; side++) {
        free(capture->notices[side].items);
        free(capture->droppers[side].items);
    }
    free(capture->requests.items);
    free(capture->doing.items);
    pthread_cond_destroy(&capture->wake);
    pthread_mutex_destroy(&capture->mutex);
    free(capture);
}

void *run_client(void *argument)
{
    struct capture *capture = argument;
    struct list swapped;
    int status = ca.ca_context_create(CA_PREEMPTIVE), goes_on = status == CA_NORMAL, abandoned;

    if (goes_on)
        ca.ca_add_exception_event(on_exception, NULL);
    pthread_mutex_lock(&capture->mutex);
    capture->begun = status;
    pthread_cond_broadcast(&capture->wake);
    while (goes_on) {
        while (!capture->requests.length)
            pthread_cond_wait(&capture->wake, &capture->mutex);
        swapped = capture->doing;
        capture->doing = capture->requests;
        capture->requests = swapped;
        capture->requests.length = 0;
        pthread_mutex_unlock(&capture->mutex);
        goes_on = carry_out(&capture->doing);
        ca.ca_flush_io();
        pthread_mutex_lock(&capture->mutex);
    }
    pthread_mutex_unlock(&capture->mutex);
    if (status == CA_NORMAL)
        ca.ca_context_destroy();
    pthread_mutex_lock(&capture->mutex);
    capture->ended = 1;
    abandoned = capture->abandoned;
    pthread_cond_broadcast(&capture->wake);
    pthread_mutex_unlock(&capture->mutex);
    if (abandoned)
        dispose(capture);
    return NULL;
}
