/* Leaves out the half second before an IOC first processes records, where nothing uses it. */
#ifndef FIRST_PAUSE_H
#define FIRST_PAUSE_H

/* Begins to follow iocInit(); `com` and `core` are the handles of libCom and libdbCore. */
void watch_first_pause(void *com, void *core);

#endif
