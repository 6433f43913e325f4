/* What the parts of capture.so share. */
#ifndef LINACRE_CAPTURE_H
#define LINACRE_CAPTURE_H

#include "libca.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NANOSECONDS 1000000000LL
#define OLDEST_NS (662688000LL * NANOSECONDS) /* 1991 */
#define METADATA_BYTES 424 /* of dbr_ctrl_enum, the longest */
#define ALARM_BYTES 4      /* before what a DBR_CTRL_... says of a PV */

enum reason { BEFORE_1991, PAST, FUTURE, NOT_INCREASING, BUFFER, AHEAD, REASONS };
enum what { CONNECTED = 1, LOST, METADATA, FORBIDDEN, ALLOWED, FAILED };

/* What follows, up to `struct taken`, is declared in _capture_types.py too. */

struct side {
    /* Of scalars. */
    int32_t *series;
    int64_t *time;
    int64_t *value;
    int8_t *severity;
    int16_t *status;
    /* Of blobs. */
    int32_t *blob_series;
    int64_t *blob_time;
    int8_t *blob_severity;
    int16_t *blob_status;
    int32_t *blob_count;
    int64_t *blob_offset; /* one more than blobs */
    uint8_t *data;
};

struct limits {
    int64_t scalars;
    int64_t blobs;
    int64_t bytes;
    int64_t drift_ns;
    int64_t ahead_ns; /* of which a time may be ahead without being doubted */
    int64_t steady_ns;
    int64_t steady_events; /* after so long, and so many in a row, it is doubted no more */
};

struct counters {
    int64_t events; /* that came */
    int64_t stored; /* in the columns */
    int64_t drops[REASONS];
    int64_t last_ns; /* time of the newest that was accepted */
    int64_t ahead_ns; /* time of the newest that was dropped as AHEAD or FUTURE */
};

struct notice {
    int64_t time_ns;
    int64_t count; /* elements of the PV */
    uint32_t channel;
    int32_t what;
    int32_t native;
    int32_t status; /* of FAILED */
    char host[64];
};

/* When metadata came. */
struct dates {
    int64_t came_ns;   /* by the archiver's clock */
    int64_t newest_ns; /* the time of the newest sample that was accepted before them */
    int64_t sample_ns; /* of the sample that they came with; 0: with none that was accepted */
};

/* What a server said of a channel, and Python has not taken. */
struct words {
    struct dates dates;
    size_t bytes;
    struct words *next;
    uint8_t raw[METADATA_BYTES]; /* the beginning of a DBR_CTRL_... */
};

struct taken {
    int32_t side;
    int32_t scalars;
    int32_t blobs;
    int32_t notices;
    int32_t dropping; /* channels that dropped since the last swap, by number */
    int32_t waits;    /* whether something found no room and comes with the next swap */
    int64_t bytes;
    const struct notice *notice;
    const uint32_t *dropper;
};

struct channel {
    struct counters counters; /* first: Python reads them in place */
    struct capture *capture;
    uint32_t id;
    int32_t series;
    int native; /* the type subscribed to; -1: none yet */
    int is_array;
    int now_native; /* the type that its server says at present */
    int now_array;
    char armed; /* events belong to `series` */
    char removed;
    char connected;
    char readable;
    char is_first; /* no event since the connection was made */
    char failed;   /* an error was told since the connection was made */
    char described;   /* metadata were told since the connection was made */
    char undescribed; /* they came before the connection's first value, and are not told yet */
    struct dates first; /* of what comes with the connection's first value */
    int64_t ahead_since_ns, ahead_events; /* in a row, as judged when they came */
    uint64_t drop_turn; /* the last in which it dropped */
    uint64_t turn;      /* that `scalars`, `blobs` and `bytes` tell of */
    int64_t scalars, blobs, bytes;
    uint8_t *metadata; /* the last that came */
    size_t metadata_bytes;
    struct words *words, *last_words; /* those that wait, in the order in which they came */
    int words_waiting;
    int64_t period_ns; /* of SCAN; 0: each event is taken */
    int64_t due_ns;    /* CLOCK_MONOTONIC */
    char holds;        /* `held` waits to be emitted: when it is due, or there is room */
    uint8_t *held;     /* an event's DBR_TIME_... */
    size_t held_size;
    long held_count;
    struct channel *next_scanned, **scanned_at;
    struct channel *next_spilled, **spilled_at; /* `spilled_at` is NULL outside the list */
    int64_t spilled_bytes;
    /* Of the thread that calls libca. */
    struct channel *next, **at; /* among all that were created */
    char *name;
    void *chid, *values, *properties;
};

struct list {
    void *items;
    size_t length, room;
};

struct request {
    enum { CREATE, SUBSCRIBE, REMOVE, END } what;
    struct channel *channel;
};

struct capture {
    pthread_mutex_t mutex; /* held for nanoseconds; for milliseconds where an array is copied */
    pthread_cond_t wake;
    pthread_t thread;
    int begun; /* 0: not yet, else the status of the context */
    char closed;    /* nothing more is written to the columns */
    char ended;     /* the thread is done with libca */
    char abandoned; /* the thread is to free all this */
    struct limits limits;
    struct side sides[2];
    int written; /* the side that events go to */
    uint64_t turn;
    int64_t scalars, blobs, bytes;
    int64_t scalar_peak[2], blob_peak[2], byte_peak[2], quiet[2];
    struct list notices[2], droppers[2];
    struct list requests, doing;
    struct channel *scanned;
    struct channel *spilled; /* those that hold what there was no room for */
    int64_t spilled_bytes;   /* of arrays and text among it */
    struct channel *channels; /* of the thread that calls libca */
    struct counters totals;
    int64_t clock_ns; /* what the archiver's clock is ahead of the system's */
};

/* Nothing of this is for others; Python finds what capture.c offers. */
#pragma GCC visibility push(hidden)

extern struct ca_library ca;

/* columns.c. The mutex is held for all but the first. */
int64_t read_clock(clockid_t clock);
int64_t archiver_now(const struct capture *capture); /* to some milliseconds */
void *append(struct list *list, size_t size); /* NULL where there is no memory */
void drop(struct channel *channel, enum reason reason);
void judge(struct channel *channel, const void *dbr, long count);
int store(struct channel *channel, const void *dbr, long count);
int64_t most_bytes(const struct channel *channel, long count);
extern const size_t value_at[CA_TYPES], item_size[CA_TYPES];

/* holding.c. The mutex is held. */
int hold(struct channel *channel, const void *dbr, long count);
int store_or_spill(struct channel *channel, const void *dbr, long count);
void emit(struct channel *channel);
void emit_due(struct capture *capture);
void emit_spilled(struct capture *capture);
void end_scan(struct channel *channel);
void end_holding(struct channel *channel);

/* words.c. The mutex is held. */
int remember_words(struct channel *channel, const void *dbr, size_t bytes);
int is_told(const struct channel *channel);
int keep_words(struct channel *channel, const struct dates *dates);
int take_words(struct channel *channel, uint8_t *to, struct dates *dates);
void drop_words(struct channel *channel);

/* client.c. */
void *run_client(void *capture);
void dispose(struct capture *capture);

#pragma GCC visibility pop
#endif
