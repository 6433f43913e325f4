#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* getline, memmem */
#endif
#include "start-errors.h"

#include "monotonic.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ERRORS "start-errors"
#define MOST_TOLD 8
#define LONGEST 240
#define SELDOM_MS 5000

static const char started_mark[] = "@@@ The PID of new child";
/* The last line of Linacre's wrapper.cmd, which the IOC shell prints before it runs it. */
static const char ended_mark[] = "casr 0 > \"";

struct error {
    char command[LONGEST];
    char message[LONGEST];
};

/* What the output of one start says. */
struct output {
    int begun, ended, count;
    char command[LONGEST]; /* the one whose output is being read */
    struct error first[MOST_TOLD];
};

static int begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

static int has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static int in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Whether a word stands in a text by itself, with more behind it. */
static int says(const char *text, const char *word)
{
    const char *at = text;
    while ((at = strstr(at, word)) != NULL) {
        const char *behind = at + strlen(word);
        if ((at == text || !in_word(at[-1])) && !in_word(*behind))
            return behind[strspn(behind, ": .")] != '\0';
        at = behind;
    }
    return 0;
}

/* Returns the line behind procServ's time stamp. */
static char *unstamped(char *line)
{
    if (strlen(line) > 24 && line[4] == '-' && line[10] == 'T' && line[24] == ' ')
        return line + 25;
    return line;
}

/* Takes out colours and control characters, and blanks at both ends. */
static char *plain(char *line)
{
    char *from = line, *to = line;
    while (*from) {
        if (from[0] == '\033' && from[1] == '[') {
            from += 2;
            while (*from && !isalpha((unsigned char)*from))
                from++;
            from += *from != '\0';
        } else {
            *to++ = iscntrl((unsigned char)*from) ? ' ' : *from;
            from++;
        }
    }
    while (to > line && to[-1] == ' ')
        to--;
    *to = '\0';
    return line + strspn(line, " ");
}

/* Whether a line is one of the script, as the IOC shell repeats it: in bold, or in older ones as
 * it is. */
static int is_of_script(const char *text, int bold)
{
    size_t name = 0;
    if (bold || text[0] == '#' || text[0] == '<')
        return 1;
    if (begins(text, "ERROR") || begins(text, "Error") || begins(text, "Command"))
        return 0;
    while (in_word(text[name]))
        name++;
    return name && (text[name] == '(' || (text[name] == ' ' && strchr("\"(", text[name + 1])));
}

static int is_of_loading(const char *text)
{
    return (begins(text, "dbLoad") || begins(text, "dbRead") || begins(text, "iocBuild")
            || begins(text, "iocInit") || begins(text, "macLib"))
        && (has(text, "rror") || has(text, "fail") || has(text, "an't ") || has(text, "ndefined")
            || has(text, "Abort") || has(text, "can only"));
}

/* By what EPICS base prints from 3.14 to 7.0, and device support that says ERROR. */
static int is_error(const char *text)
{
    return says(text, "ERROR") || begins(text, "Error:") || begins(text, "Error ")
        || (has(text, "Command ") && (has(text, "not found") || has(text, "not registered")))
        || (begins(text, "PV '") && has(text, "not found")) || begins(text, "filename=\"")
        || begins(text, "Invalid directory path")
        || has(text, "ailed to load") || is_of_loading(text);
}

/* Whether a command brings what Linacre's softIoc has already: what it says does no harm. */
static int is_had_already(const char *command)
{
    static const char *const endings[] = {"_registerRecordDeviceDriver", ".dbd"};
    size_t i;
    for (i = 0; i < sizeof endings / sizeof *endings; i++) {
        const char *end = strstr(command, endings[i]), *name = end;
        while (name && name > command && in_word(name[-1]))
            name--;
        if (name && (begins(name, "softIoc") || begins(name, "PVA")
                     || (end - name == 4 && (begins(name, "base") || begins(name, "qsrv")))))
            return 1;
    }
    return 0;
}

static void add(struct output *output, const char *text)
{
    if (is_had_already(output->command))
        return;
    if (begins(text, "ERROR"))
        text += 5 + strspn(text + 5, ": ");
    if (output->count < MOST_TOLD) {
        struct error *error = &output->first[output->count];
        snprintf(error->command, LONGEST, "%s", output->command);
        snprintf(error->message, LONGEST, "%s", text);
    }
    output->count++;
}

static void take(struct output *output, char *line)
{
    char *text = unstamped(line);
    int bold = begins(text, "\033[1m");
    text = plain(text);
    if (begins(text, started_mark)) {
        memset(output, 0, sizeof *output);
        output->begun = 1;
    } else if (output->ended || begins(text, "@@@")) {
        return;
    } else if (begins(text, ended_mark) && has(text, "/booted\"")) {
        output->ended = 1;
    } else if (is_of_script(text, bold)) {
        if (text[0] != '#')
            snprintf(output->command, LONGEST, "%s", text);
    } else if (is_error(text)) {
        add(output, text);
    }
}

/* Takes in a log: what is left then is of its last start. */
static void read_log(struct output *output, const char *path)
{
    FILE *log = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    if (!log)
        return;
    while (getline(&line, &room, log) > 0)
        take(output, line);
    free(line);
    fclose(log);
}

/* A start whose output goes over the end of a log begins in the one before. */
static void read_last_start(struct output *output, const char *log)
{
    char before[PATH_MAX];
    memset(output, 0, sizeof *output);
    read_log(output, log);
    if (output->begun)
        return;
    memset(output, 0, sizeof *output);
    snprintf(before, sizeof before, "%s.1", log);
    read_log(output, before);
    read_log(output, log);
}

static int write_errors(const struct output *output)
{
    FILE *file = fopen(ERRORS ".new", "we");
    int i, failed;
    if (!file)
        return -1;
    fprintf(file, "%d\n", output->count);
    for (i = 0; i < output->count && i < MOST_TOLD; i++)
        fprintf(file, "%s\t%s\n", output->first[i].command, output->first[i].message);
    failed = ferror(file);
    return fclose(file) || failed ? -1 : rename(ERRORS ".new", ERRORS);
}

int look_at_start(const char *log)
{
    static struct timespec known; /* when the IOC was started that was last looked at */
    static double since_s = -1;
    static int is_told;
    static struct output output;
    struct stat start, file;
    double took_s;

    if (since_s < 0)
        since_s = seconds();
    if (!stat("ioc.pid", &start)
        && (start.st_mtim.tv_sec != known.tv_sec || start.st_mtim.tv_nsec != known.tv_nsec)) {
        known = start.st_mtim;
        since_s = seconds();
        is_told = stat(ERRORS, &file) != 0; /* no script that is repeated in the log */
    }
    if (!is_told && !stat("booted", &file)) {
        read_last_start(&output, log);
        is_told = output.ended && !write_errors(&output);
    }
    took_s = seconds() - since_s;
    if (is_told || took_s > 60)
        return SELDOM_MS;
    return took_s < 2 ? 20 : 200;
}
