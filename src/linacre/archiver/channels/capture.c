/* capture.so: takes Channel Access samples into columns, and shows them to Python without a copy.
 * Here is what Python calls, from one thread at a time.
 *
 * libca's callbacks, which it calls one at a time, judge each event and append it to the columns
 * of one of two sides. `capture_swap` turns the sides over: what was written is read, by numpy,
 * until the next swap. No callback runs Python. The columns are Python's memory, so that nothing
 * that it still holds ever goes away.
 *
 * All calls of libca but those in its callbacks are made by one thread of our own: some of them
 * wait for a server that has stopped reading, and whoever drains must not.
 *
 * Compiled without EPICS's headers, and ignorant of Python: it is loaded by ctypes, and opens the
 * libca that it is told.
 */
#define _GNU_SOURCE
#include "capture.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define QUIET_SWAPS 100 /* before memory that a flood took is given back */
#define WORTH_RETURNING (4L << 20)
#define CLOSING_NS (2 * NANOSECONDS)

/* The mutex is held; 0 where there is no memory. */
static int ask(struct capture *capture, int what, struct channel *channel)
{
    struct request *request = append(&capture->requests, sizeof *request);
    if (!request)
        return 0;
    request->what = what;
    request->channel = channel;
    pthread_cond_signal(&capture->wake);
    return 1;
}

/* Opens libca; returns what is wrong with it, NULL for nothing. */
const char *capture_load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return dlerror();
#define FIND(result, name, arguments) \
    if (!(*(void **)&ca.name = dlsym(library, #name))) \
        return #name;
    CA_FUNCTIONS(FIND)
    return NULL;
}

const char *capture_message(long status)
{
    return ca.ca_message(status);
}

/* Gives up all channels and frees everything but the columns, which are written no more. libca
 * waits for servers that have stopped reading, half a minute long: then it ends by itself. */
void capture_close(struct capture *capture)
{
    int64_t end_ns = read_clock(CLOCK_MONOTONIC) + CLOSING_NS;
    struct timespec end = {end_ns / NANOSECONDS, end_ns % NANOSECONDS};
    pthread_t thread = capture->thread;
    int ended;

    pthread_mutex_lock(&capture->mutex);
    capture->closed = 1;
    while (!ask(capture, END, NULL))
        ;
    while (!capture->ended && !pthread_cond_timedwait(&capture->wake, &capture->mutex, &end))
        ;
    ended = capture->ended;
    capture->abandoned = !ended;
    pthread_mutex_unlock(&capture->mutex);
    if (!ended) {
        pthread_detach(thread);
        return;
    }
    pthread_join(capture->thread, NULL);
    dispose(capture);
}

/* Returns NULL, and the status, where libca cannot begin. */
struct capture *capture_open(const struct side *sides, const struct limits *limits, int *status)
{
    struct capture *capture = calloc(1, sizeof *capture);
    pthread_condattr_t attributes;
    sigset_t all, before;
    int failed;

    *status = 0;
    if (!capture)
        return NULL;
    memcpy(capture->sides, sides, sizeof capture->sides);
    capture->limits = *limits;
    capture->turn = 1;
    sides[0].blob_offset[0] = sides[1].blob_offset[0] = 0;
    pthread_mutex_init(&capture->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&capture->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    /* libca's threads have it from ours: signals are Python's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&capture->thread, NULL, run_client, capture);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        dispose(capture);
        return NULL;
    }
    pthread_mutex_lock(&capture->mutex);
    while (!capture->begun)
        pthread_cond_wait(&capture->wake, &capture->mutex);
    *status = capture->begun;
    pthread_mutex_unlock(&capture->mutex);
    if (*status != CA_NORMAL) {
        capture_close(capture);
        return NULL;
    }
    return capture;
}

/* The mutex is held. */
static void set_period(struct channel *channel, int64_t period_ns)
{
    struct capture *capture = channel->capture;
    if (channel->period_ns && !period_ns) {
        end_scan(channel);
        *channel->scanned_at = channel->next_scanned;
        if (channel->next_scanned)
            channel->next_scanned->scanned_at = channel->scanned_at;
    } else if (!channel->period_ns && period_ns) {
        channel->next_scanned = capture->scanned;
        channel->scanned_at = &capture->scanned;
        if (capture->scanned)
            capture->scanned->scanned_at = &channel->next_scanned;
        capture->scanned = channel;
    }
    channel->period_ns = period_ns;
    channel->due_ns = 0;
}

struct channel *capture_add(struct capture *capture, uint32_t id, const char *name,
                            int64_t after_ns, int64_t period_ns)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel || !(channel->name = strdup(name))) {
        free(channel);
        return NULL;
    }
    channel->capture = capture;
    channel->id = id;
    channel->native = channel->now_native = -1;
    channel->counters.last_ns = after_ns;
    pthread_mutex_lock(&capture->mutex);
    set_period(channel, period_ns);
    if (!ask(capture, CREATE, channel)) {
        set_period(channel, 0);
        free(channel->name);
        free(channel);
        channel = NULL;
    }
    pthread_mutex_unlock(&capture->mutex);
    return channel;
}

/* Begins to give a channel's events to a series; 0 where there is no memory. */
int capture_subscribe(struct channel *channel, int series, int native, int is_array)
{
    struct capture *capture = channel->capture;
    int asked;
    pthread_mutex_lock(&capture->mutex);
    end_holding(channel); /* of the series before */
    drop_words(channel);
    channel->described = channel->undescribed = 0;
    channel->armed = 0;
    channel->series = series;
    channel->native = native;
    channel->is_array = is_array;
    asked = ask(capture, SUBSCRIBE, channel);
    pthread_mutex_unlock(&capture->mutex);
    return asked;
}

/* Lets the server give the present value once more; 0 where there is no memory. */
int capture_ask_again(struct channel *channel)
{
    struct capture *capture = channel->capture;
    int asked;
    pthread_mutex_lock(&capture->mutex);
    asked = !channel->armed || ask(capture, SUBSCRIBE, channel);
    pthread_mutex_unlock(&capture->mutex);
    return asked;
}

void capture_scan(struct channel *channel, int64_t period_ns)
{
    pthread_mutex_lock(&channel->capture->mutex);
    set_period(channel, period_ns);
    pthread_mutex_unlock(&channel->capture->mutex);
}

/* Takes nothing more of a channel, which is not to be used again; returns its newest time. */
int64_t capture_remove(struct channel *channel)
{
    struct capture *capture = channel->capture;
    int64_t last_ns;
    pthread_mutex_lock(&capture->mutex);
    set_period(channel, 0);
    end_holding(channel);
    last_ns = channel->counters.last_ns;
    channel->removed = 1;
    ask(capture, REMOVE, channel);
    pthread_mutex_unlock(&capture->mutex);
    return last_ns;
}

/* Copies the first DBR_CTRL_... of a channel that waits, and when it came; returns its length, 0
 * for none. */
int capture_metadata(struct channel *channel, uint8_t *to, struct dates *dates)
{
    int length;
    pthread_mutex_lock(&channel->capture->mutex);
    length = take_words(channel, to, dates);
    pthread_mutex_unlock(&channel->capture->mutex);
    return length;
}

void capture_totals(struct capture *capture, struct counters *totals)
{
    pthread_mutex_lock(&capture->mutex);
    *totals = capture->totals;
    pthread_mutex_unlock(&capture->mutex);
}

static void release(void *column, size_t from, size_t to)
{
    size_t page = sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)column + from + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)column + to) / page * page;
    if (first < end)
        madvise((void *)first, end - first, MADV_DONTNEED);
}

/* Whether a side was used so little for so long that what it once took is of no use. */
static void release_unused(struct capture *capture, int at, const struct taken *last)
{
    struct side *side = &capture->sides[at];
    int64_t *scalars = &capture->scalar_peak[at], *blobs = &capture->blob_peak[at];
    int64_t *bytes = &capture->byte_peak[at];
    *scalars = last->scalars > *scalars ? last->scalars : *scalars;
    *blobs = last->blobs > *blobs ? last->blobs : *blobs;
    *bytes = last->bytes > *bytes ? last->bytes : *bytes;
    if ((*scalars + *blobs) * 32 + *bytes < WORTH_RETURNING || last->scalars > *scalars / 4 ||
        last->bytes > *bytes / 4) {
        capture->quiet[at] = 0;
        return;
    }
    if (++capture->quiet[at] < QUIET_SWAPS)
        return;
    release(side->series, 0, *scalars * sizeof *side->series);
    release(side->time, 0, *scalars * sizeof *side->time);
    release(side->value, 0, *scalars * sizeof *side->value);
    release(side->severity, 0, *scalars * sizeof *side->severity);
    release(side->status, 0, *scalars * sizeof *side->status);
    release(side->blob_series, 0, *blobs * sizeof *side->blob_series);
    release(side->blob_time, 0, *blobs * sizeof *side->blob_time);
    release(side->blob_severity, 0, *blobs * sizeof *side->blob_severity);
    release(side->blob_status, 0, *blobs * sizeof *side->blob_status);
    release(side->blob_count, 0, *blobs * sizeof *side->blob_count);
    release(side->data, 0, *bytes);
    *scalars = *blobs = *bytes = capture->quiet[at] = 0;
}

/* Turns the sides over. What `taken` was set to is valid until the next call; before that, it is
 * what the last call set. */
void capture_swap(struct capture *capture, int64_t now_ns, struct taken *taken)
{
    int written = capture->written, other = !written;
    struct list *notices = capture->notices, *droppers = capture->droppers;

    /* The other side is nobody's now: Python is done with it, and events go to this one. */
    release_unused(capture, other, taken);
    notices[other].length = droppers[other].length = 0;

    pthread_mutex_lock(&capture->mutex);
    capture->clock_ns = now_ns - read_clock(CLOCK_REALTIME);
    emit_due(capture);
    taken->side = written;
    taken->scalars = capture->scalars;
    taken->blobs = capture->blobs;
    taken->bytes = capture->bytes;
    capture->scalars = capture->blobs = capture->bytes = 0;
    capture->turn++;
    capture->written = other;
    emit_spilled(capture);
    taken->waits = capture->scalars || capture->blobs || capture->spilled;
    pthread_mutex_unlock(&capture->mutex);

    taken->notices = notices[written].length;
    taken->notice = notices[written].items;
    taken->dropping = droppers[written].length;
    taken->dropper = droppers[written].items;
}
