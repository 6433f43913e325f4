/* Sends updates of an IOC's records as fast or as slowly as it is told, and logs each before.
 *
 * What record support does when a record is processed is done here by hand: value, alarm and time
 * are put into the record, and its monitors are told. So each update is one that the log has.
 * Compiled without EPICS's headers: addresses and functions come from who loads it.
 */
#include <stdint.h>
#include <string.h>
#include <time.h>

#define NANOSECONDS 1000000000LL
#define EPICS_EPOCH_S 631152000LL
#define VALUE_LOG_ALARM 7
#define UNWATCHED 1
#define HEAD 64
#define SIZE 251

struct row {
    int64_t stamp;
    uint32_t burst;
    uint16_t pv, value, said;
    uint8_t severity, status, flags, spare[3];
};

struct target {
    void *record, *posted;
    uint8_t *value;
    uint32_t *elements;       /* NULL: a scalar */
    uint32_t *time;           /* seconds and nanoseconds */
    uint16_t *status, *severity;
    const int32_t *watchers;
    const uint8_t *pool;      /* the values, one behind the other */
    const int64_t *offset;    /* where each begins; one more than there are */
    const uint32_t *count;    /* elements of each */
    int64_t last_ns;
    uint16_t pv, next, said, spare;
};

struct library {
    void (*lock)(void *), (*unlock)(void *);
    int (*post)(void *, void *, unsigned);
};

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NANOSECONDS + now.tv_nsec;
}

static void wait_until(int64_t at_ns)
{
    struct timespec at = {at_ns / NANOSECONDS, at_ns % NANOSECONDS};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL))
        ;
}

static void send(const struct library *library, struct target *target, int64_t ahead_ns,
                 uint32_t burst, uint8_t *log)
{
    int64_t *rows = (int64_t *)log;
    struct row *row = (struct row *)(log + HEAD) + *rows;
    uint16_t k = target->next;

    library->lock(target->record);
    row->stamp = read_clock(CLOCK_REALTIME) + ahead_ns;
    if (row->stamp == target->last_ns)
        row->stamp++;
    row->burst = burst;
    row->pv = target->pv;
    row->value = k;
    row->said = target->said;
    row->severity = k & 3;
    row->status = k % 22;
    row->flags = *target->watchers ? 0 : UNWATCHED;
    __atomic_store_n(rows, *rows + 1, __ATOMIC_RELEASE);

    memcpy(target->value, target->pool + target->offset[k],
           target->offset[k + 1] - target->offset[k]);
    if (target->elements)
        *target->elements = target->count[k];
    target->time[0] = row->stamp / NANOSECONDS - EPICS_EPOCH_S;
    target->time[1] = row->stamp % NANOSECONDS;
    *target->severity = row->severity;
    *target->status = row->status;
    target->last_ns = row->stamp;
    target->next = (k + 1) % SIZE;
    library->post(target->record, target->posted, VALUE_LOG_ALARM);
    library->unlock(target->record);
}

/* Sends a burst: `rounds` updates of each of n targets. Targets take turns, each round `gap_ns`
 * after the one before; or, if `steep`, all updates of one come before those of the next. */
void truth_burst(const struct library *library, struct target *targets, const int32_t *chosen,
                 int n, int rounds, int64_t gap_ns, int steep, int64_t ahead_ns, uint32_t burst,
                 uint8_t *log)
{
    int64_t at_ns = read_clock(CLOCK_MONOTONIC);
    int round, k;
    for (k = 0; steep && k < n; k++)
        for (round = 0; round < rounds; round++)
            send(library, targets + chosen[k], ahead_ns, burst, log);
    for (round = 0; !steep && round < rounds; round++) {
        for (k = 0; k < n; k++)
            send(library, targets + chosen[k], ahead_ns, burst, log);
        if (gap_ns)
            wait_until(at_ns += gap_ns);
    }
}
