/* The time that goes on whatever the clock is set to. */
#ifndef MONOTONIC_H
#define MONOTONIC_H

#include <time.h>

static inline double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
