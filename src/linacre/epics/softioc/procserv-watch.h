/* Sees whether procServ still takes part. */
#ifndef PROCSERV_WATCH_H
#define PROCSERV_WATCH_H

/* Lays the file procserv-hangs into the working folder while this program's parent, procServ, does
 * nothing at all, and takes it away again. Cheap: it looks every few seconds, however often it is
 * called. */
void look_at_procserv(void);

#endif
