/* What is held back of a channel: the newest event, for a scan, or until there is room for it. */
#define _GNU_SOURCE
#include "capture.h"

#include <stdlib.h>
#include <string.h>

#define WORTH_FREEING (64L << 10)

/* Keeps an event instead of the one before; 0 without memory. */
int hold(struct channel *channel, const void *dbr, long count)
{
    size_t size = value_at[channel->native] + count * item_size[channel->native];
    if (size > channel->held_size) {
        uint8_t *held = realloc(channel->held, size);
        if (!held)
            return 0;
        channel->held = held;
        channel->held_size = size;
    }
    memcpy(channel->held, dbr, size);
    channel->held_count = count;
    channel->holds = 1;
    return 1;
}

/* Without room it stays held, until the next time or until something newer comes. */
void emit(struct channel *channel)
{
    if (channel->holds && store(channel, channel->held, channel->held_count))
        channel->holds = 0;
}

void emit_due(struct capture *capture)
{
    struct channel *channel;
    int64_t now = capture->scanned ? read_clock(CLOCK_MONOTONIC) : 0;
    for (channel = capture->scanned; channel; channel = channel->next_scanned) {
        if (!channel->holds || now < channel->due_ns)
            continue;
        emit(channel);
        channel->due_ns += channel->period_ns;
        if (channel->due_ns <= now)
            channel->due_ns = now + channel->period_ns;
    }
}

static void unspill(struct channel *channel)
{
    if (!channel->spilled_at)
        return;
    *channel->spilled_at = channel->next_spilled;
    if (channel->next_spilled)
        channel->next_spilled->spilled_at = channel->spilled_at;
    channel->spilled_at = NULL;
    channel->capture->spilled_bytes -= channel->spilled_bytes;
    channel->spilled_bytes = 0;
    if (channel->held_size > WORTH_FREEING) {
        free(channel->held);
        channel->held = NULL;
        channel->held_size = 0;
    }
}

static void spill(struct channel *channel, int64_t bytes)
{
    struct capture *capture = channel->capture;
    capture->spilled_bytes += bytes - channel->spilled_bytes;
    channel->spilled_bytes = bytes;
    if (channel->spilled_at)
        return;
    channel->next_spilled = capture->spilled;
    channel->spilled_at = &capture->spilled;
    if (capture->spilled)
        capture->spilled->spilled_at = &channel->next_spilled;
    capture->spilled = channel;
}

/* Arrays beside the columns may take a quarter of their room; one may come, however large. */
static int may_spill(const struct channel *channel, int64_t bytes)
{
    const struct capture *capture = channel->capture;
    int64_t others = capture->spilled_bytes - channel->spilled_bytes;
    return bytes <= capture->limits.bytes &&
           (!bytes || !others || others + bytes <= capture->limits.bytes / 4);
}

/* Stores an event behind what is held. Without room it is held instead of the one before, which
 * is lost: what a PV has last is its value from then on, perhaps for hours. 0 where it is lost
 * itself. */
int store_or_spill(struct channel *channel, const void *dbr, long count)
{
    int64_t bytes = most_bytes(channel, count);
    int held;
    emit(channel);
    held = channel->holds;
    if (!held && store(channel, dbr, count))
        return 1;
    if (!may_spill(channel, bytes) || !hold(channel, dbr, count))
        return 0;
    if (held)
        drop(channel, BUFFER);
    spill(channel, bytes);
    return 1;
}

/* Stores what found no room before. */
void emit_spilled(struct capture *capture)
{
    struct channel *channel, *next;
    for (channel = capture->spilled; channel; channel = next) {
        next = channel->next_spilled;
        emit(channel);
        if (!channel->holds)
            unspill(channel);
    }
}

/* Of a channel that is scanned no more: stores what is held, now or when there is room. */
void end_scan(struct channel *channel)
{
    emit(channel);
    if (channel->holds)
        spill(channel, most_bytes(channel, channel->held_count));
}

/* Stores what is held, or gives it up: nothing is held then. */
void end_holding(struct channel *channel)
{
    emit(channel);
    if (channel->holds)
        drop(channel, BUFFER);
    channel->holds = 0;
    unspill(channel);
}
