/* Finds the errors that an IOC's start script printed, in procServ's log. */
#ifndef START_ERRORS_H
#define START_ERRORS_H

/* Looks, if the IOC was started anew, whether its start script has ended; then writes what went
 * wrong into the file start-errors: the number of errors, and a line "COMMAND<tab>MESSAGE" for
 * each of the first. Works in the run folder. Returns in how many milliseconds to look again. */
int look_at_start(const char *log);

#endif
