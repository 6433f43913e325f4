/* What servers say of a channel beside its values, until Python takes it: units, limits, labels. */
#define _GNU_SOURCE
#include "capture.h"

#include <stdlib.h>
#include <string.h>

#define MOST_WORDS 16 /* that wait of one channel; of more the last have the place of those before */

/* Keeps a DBR_CTRL_... as the last that came; 0 without memory. */
int remember_words(struct channel *channel, const void *dbr, size_t bytes)
{
    if (!channel->metadata && !(channel->metadata = malloc(METADATA_BYTES)))
        return 0;
    channel->metadata_bytes = bytes;
    memcpy(channel->metadata, dbr, bytes);
    return 1;
}

/* Whether the last that came says what the last one says that waits. */
int is_told(const struct channel *channel)
{
    const struct words *last = channel->last_words;
    return last && last->bytes == channel->metadata_bytes &&
           !memcmp(last->raw + ALARM_BYTES, channel->metadata + ALARM_BYTES,
                   last->bytes - ALARM_BYTES);
}

/* Whether no sample was taken since: what was said then has held for none. */
static int held_for_none(const struct words *last, const struct dates *dates)
{
    return last->dates.newest_ns == dates->newest_ns && !last->dates.sample_ns;
}

/* Lets wait what a channel's last DBR_CTRL_... says. Returns whether that is to be told: 0 where
 * something that waits is to be told already, and has its place now; or without memory. */
int keep_words(struct channel *channel, const struct dates *dates)
{
    struct words *last = channel->last_words, *words = NULL;
    if (!last || (!held_for_none(last, dates) && channel->words_waiting < MOST_WORDS)) {
        words = malloc(sizeof *words);
        if (!words)
            return 0;
        words->next = NULL;
        if (last)
            last->next = words;
        else
            channel->words = words;
        channel->last_words = last = words;
        channel->words_waiting++;
    }
    last->dates = *dates;
    last->bytes = channel->metadata_bytes;
    memcpy(last->raw, channel->metadata, last->bytes);
    return words != NULL;
}

/* Copies the first that wait, and when they came; returns their length, 0 for none. */
int take_words(struct channel *channel, uint8_t *to, struct dates *dates)
{
    struct words *first = channel->words;
    int length;
    if (!first)
        return 0;
    length = first->bytes;
    memcpy(to, first->raw, length);
    *dates = first->dates;
    channel->words = first->next;
    if (!channel->words)
        channel->last_words = NULL;
    channel->words_waiting--;
    free(first);
    return length;
}

void drop_words(struct channel *channel)
{
    struct words *words;
    while ((words = channel->words)) {
        channel->words = words->next;
        free(words);
    }
    channel->last_words = NULL;
    channel->words_waiting = 0;
}
