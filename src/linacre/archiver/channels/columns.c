/* Events into columns: what is refused, and what is written where. */
#define _GNU_SOURCE
#include "capture.h"

#include <stdlib.h>
#include <string.h>

const size_t value_at[CA_TYPES] = {12, 14, 12, 14, 15, 12, 16};
const size_t item_size[CA_TYPES] = {CA_STRING_BYTES, 2, 4, 2, 1, 4, 8};

int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NANOSECONDS + now.tv_nsec;
}

int64_t archiver_now(const struct capture *capture)
{
    /* In a tenth of the time that an exact one takes. */
    return read_clock(CLOCK_REALTIME_COARSE) + capture->clock_ns;
}

/* Returns the new last item, or NULL where there is no memory. */
void *append(struct list *list, size_t size)
{
    if (list->length == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        void *items = realloc(list->items, room * size);
        if (!items)
            return NULL;
        list->items = items;
        list->room = room;
    }
    return (char *)list->items + size * list->length++;
}

void drop(struct channel *channel, enum reason reason)
{
    struct capture *capture = channel->capture;
    uint32_t *dropper;
    channel->counters.drops[reason]++;
    capture->totals.drops[reason]++;
    if (channel->drop_turn == capture->turn)
        return;
    dropper = append(&capture->droppers[capture->written], sizeof *dropper);
    if (dropper) {
        *dropper = channel->id;
        channel->drop_turn = capture->turn;
    }
}

/* Whether a sample has room beside the others, and beside those of its own PV. */
static int has_room(int64_t used, int64_t own, int64_t more, int64_t limit)
{
    /* One always may come, however large. */
    return used + more <= limit && (!own || own + more <= limit / 4);
}

static int64_t scalar_bits(int native, const uint8_t *value)
{
    union {
        double number;
        int64_t bits;
    } as;
    switch (native) {
    case CA_SHORT: return *(const int16_t *)value;
    case CA_ENUM: return *(const uint16_t *)value;
    case CA_CHAR: return *value;
    case CA_LONG: return *(const int32_t *)value;
    case CA_FLOAT: as.number = *(const float *)value; return as.bits;
    default: memcpy(&as, value, sizeof as); return as.bits;
    }
}

/* Returns how many bytes of a text are whole characters of UTF-8. */
static size_t utf8_prefix(const uint8_t *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        uint8_t lead = text[at];
        size_t more, k;
        uint32_t code;
        if (lead < 0x80) {
            at++;
            continue;
        }
        more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || at + more >= length)
            break;
        code = lead & (0x3f >> more);
        for (k = 1; k <= more && (text[at + k] & 0xc0) == 0x80; k++)
            code = code << 6 | (text[at + k] & 0x3f);
        if (k <= more || (more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
            (more == 3 && (code < 0x10000 || code > 0x10ffff)))
            break;
        at += more + 1;
    }
    return at;
}

/* Writes a DBR_STRING as UTF-8, at most twice its length, and returns the length. What is no
 * UTF-8 is Latin-1, as old databases have it; a character that the record cut is left out. */
static size_t write_text(uint8_t *to, const uint8_t *text)
{
    size_t length = strnlen((const char *)text, CA_STRING_BYTES);
    size_t good = utf8_prefix(text, length), at, written = 0;
    if (good < length && length >= CA_STRING_BYTES - 1 && length - good < 4 && text[good] >= 0xc2) {
        for (at = good + 1; at < length && (text[at] & 0xc0) == 0x80; at++)
            ;
        if (at == length)
            length = good;
    }
    if (good == length) {
        memcpy(to, text, length);
        return length;
    }
    for (at = 0; at < length; at++) {
        if (text[at] < 0x80) {
            to[written++] = text[at];
        } else {
            to[written++] = 0xc0 | text[at] >> 6;
            to[written++] = 0x80 | (text[at] & 0x3f);
        }
    }
    return written;
}

static size_t write_blob(uint8_t *to, const struct channel *channel, const uint8_t *value, long n)
{
    size_t written = 0;
    long k;
    if (channel->native == CA_STRING && !channel->is_array)
        return write_text(to, value);
    if (channel->native == CA_STRING) {
        for (k = 0; k < n; k++) {
            int32_t length = write_text(to + written + sizeof length, value + k * CA_STRING_BYTES);
            memcpy(to + written, &length, sizeof length);
            written += sizeof length + length;
        }
        return written;
    }
    if (channel->native == CA_ENUM) {
        for (k = 0; k < n; k++) {
            int32_t index = ((const uint16_t *)value)[k];
            memcpy(to + k * sizeof index, &index, sizeof index);
        }
        return n * sizeof(int32_t);
    }
    memcpy(to, value, n * item_size[channel->native]);
    return n * item_size[channel->native];
}

/* How many bytes of the columns an event takes at most; 0 for a scalar. */
int64_t most_bytes(const struct channel *channel, long count)
{
    if (!channel->is_array && channel->native != CA_STRING)
        return 0;
    if (channel->native == CA_STRING)
        return (int64_t)count * (2 * CA_STRING_BYTES + sizeof(int32_t));
    if (channel->native == CA_ENUM)
        return (int64_t)count * sizeof(int32_t);
    return (int64_t)count * item_size[channel->native];
}

static int64_t event_time(const struct ca_time_header *header)
{
    return (header->seconds + (int64_t)CA_EPOCH_S) * NANOSECONDS + header->nanoseconds;
}

/* Appends an event to the columns; 0 where there is no room. */
int store(struct channel *channel, const void *dbr, long count)
{
    struct capture *capture = channel->capture;
    const struct limits *limits = &capture->limits;
    struct side *side = &capture->sides[capture->written];
    const struct ca_time_header *header = dbr;
    const uint8_t *value = (const uint8_t *)dbr + value_at[channel->native];
    int64_t at, bytes;

    if (channel->turn != capture->turn) {
        channel->turn = capture->turn;
        channel->scalars = channel->blobs = channel->bytes = 0;
    }
    if (!channel->is_array && channel->native != CA_STRING) {
        at = capture->scalars;
        if (!has_room(at, channel->scalars, 1, limits->scalars))
            return 0;
        side->series[at] = channel->series;
        side->time[at] = event_time(header);
        side->value[at] = scalar_bits(channel->native, value);
        side->severity[at] = header->severity;
        side->status[at] = header->status;
        capture->scalars++;
        channel->scalars++;
    } else {
        at = capture->blobs;
        bytes = most_bytes(channel, count);
        if (!has_room(at, channel->blobs, 1, limits->blobs) ||
            !has_room(capture->bytes, channel->bytes, bytes, limits->bytes))
            return 0;
        bytes = write_blob(side->data + capture->bytes, channel, value, count);
        side->blob_series[at] = channel->series;
        side->blob_time[at] = event_time(header);
        side->blob_severity[at] = header->severity;
        side->blob_status[at] = header->status;
        side->blob_count[at] = channel->is_array ? count : bytes;
        capture->bytes += bytes;
        side->blob_offset[at + 1] = capture->bytes;
        capture->blobs++;
        channel->blobs++;
        channel->bytes += bytes;
    }
    channel->counters.stored++;
    capture->totals.stored++;
    return 1;
}

/* Whether an event is of a clock that is ahead, and has not been so for long. */
static int is_doubted(struct channel *channel, int64_t time, int64_t ahead)
{
    const struct limits *limits = &channel->capture->limits;
    int64_t now = time - ahead;
    if (ahead <= limits->ahead_ns) {
        channel->ahead_events = 0;
        return 0;
    }
    if (!channel->ahead_events || now < channel->ahead_since_ns)
        channel->ahead_since_ns = now;
    channel->ahead_events++;
    return channel->ahead_events <= limits->steady_events ||
           now - channel->ahead_since_ns < limits->steady_ns;
}

static void drop_ahead(struct channel *channel, enum reason reason, int64_t time)
{
    channel->counters.ahead_ns = time;
    drop(channel, reason);
}

void judge(struct channel *channel, const void *dbr, long count)
{
    struct capture *capture = channel->capture;
    int64_t time = event_time(dbr), ahead = time - archiver_now(capture);
    int is_first = channel->is_first;

    channel->is_first = 0;
    channel->counters.events++;
    capture->totals.events++;
    if (time < OLDEST_NS)
        drop(channel, BEFORE_1991);
    else if (ahead > capture->limits.drift_ns)
        drop_ahead(channel, FUTURE, time);
    else if (ahead < -capture->limits.drift_ns && !is_first)
        drop(channel, PAST);
    else if (is_doubted(channel, time, ahead))
        drop_ahead(channel, AHEAD, time);
    else if (time > channel->counters.last_ns) {
        if (channel->period_ns ? hold(channel, dbr, count) : store_or_spill(channel, dbr, count))
            channel->counters.last_ns = time;
        else
            drop(channel, BUFFER);
    } else if (!is_first || time != channel->counters.last_ns)
        /* A new connection begins with the present value: perhaps the one that is stored. */
        drop(channel, NOT_INCREASING);
}
