/* Lets procServ start its child at once.
 *
 * procServ starts a child only when its pselect() has come to its end without anything to do, and
 * that end is half a second away: half a second of every start of an IOC. Loaded before it
 * (LD_PRELOAD), this takes that half second away from every pselect() up to the first such end; all
 * that follow are procServ's own. Without it procServ works as ever.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/select.h>

typedef int select_function(int, fd_set *, fd_set *, fd_set *, const struct timespec *,
                            const sigset_t *);

/* The IOC is not to inherit it. */
static __attribute__((constructor)) void hide(void) { unsetenv("LD_PRELOAD"); }

int pselect(int count, fd_set *readable, fd_set *writable, fd_set *failed,
            const struct timespec *limit, const sigset_t *mask)
{
    static const struct timespec at_once = {0, 0};
    static select_function *own;
    static int begun;
    int ready;

    if (own == NULL)
        own = (select_function *)dlsym(RTLD_NEXT, "pselect");
    ready = own(count, readable, writable, failed, begun ? limit : &at_once, mask);
    begun |= ready == 0;
    return ready;
}
