/* What Linacre uses of Channel Access's client library, declared by hand: so that it compiles
 * without EPICS's headers. A unit test compares it with cadef.h, db_access.h and caerr.h.
 */
#ifndef LINACRE_LIBCA_H
#define LINACRE_LIBCA_H

#include <stdint.h>

enum { CA_PREEMPTIVE = 1, CA_UP = 6, CA_DOWN = 7, CA_PRIORITY_OF_ARCHIVERS = 20 };
enum { CA_NORMAL = 1, CA_DISCONNECTED = 192, CA_NO_READ_ACCESS = 368 };
enum { CA_VALUE = 1, CA_ALARM = 4, CA_PROPERTY = 8 };
/* Native types; requests for a value with its time, and with limits, add to these. */
enum { CA_STRING, CA_SHORT, CA_FLOAT, CA_ENUM, CA_CHAR, CA_LONG, CA_DOUBLE, CA_TYPES };
enum { CA_TIME = 14, CA_CONTROL = 28 };
enum { CA_STRING_BYTES = 40, CA_EPOCH_S = 631152000 };

struct ca_connection {
    void *channel;
    long operation;
};

struct ca_access {
    void *channel;
    struct {
        unsigned read : 1;
        unsigned write : 1;
    } rights;
};

struct ca_event {
    void *user;
    void *channel;
    long type;
    long count;
    const void *data;
    int status;
};

struct ca_exception {
    void *user;
    void *channel;
    long type;
    long count;
    void *address;
    long status;
    long operation;
    const char *context;
    const char *file;
    unsigned line;
};

/* How each DBR_TIME_... begins. */
struct ca_time_header {
    int16_t status;
    int16_t severity;
    uint32_t seconds; /* since 1990 */
    uint32_t nanoseconds;
};

typedef void ca_on_connection(struct ca_connection);
typedef void ca_on_access(struct ca_access);
typedef void ca_on_event(struct ca_event);
typedef void ca_on_exception(struct ca_exception);

/* F(result, name, arguments); channels, subscriptions and contexts are opaque. */
#define CA_FUNCTIONS(F) \
    F(int, ca_context_create, (int preemptive)) \
    F(void, ca_context_destroy, (void)) \
    F(int, ca_create_channel, \
      (const char *name, ca_on_connection *, void *user, unsigned priority, void **channel)) \
    F(int, ca_clear_channel, (void *channel)) \
    F(int, ca_replace_access_rights_event, (void *channel, ca_on_access *)) \
    F(int, ca_create_subscription, \
      (long type, unsigned long count, void *channel, long mask, ca_on_event *, void *user, \
       void **subscription)) \
    F(int, ca_clear_subscription, (void *subscription)) \
    F(int, ca_flush_io, (void)) \
    F(int, ca_add_exception_event, (ca_on_exception *, void *user)) \
    F(short, ca_field_type, (void *channel)) \
    F(unsigned long, ca_element_count, (void *channel)) \
    F(unsigned, ca_get_host_name, (void *channel, char *name, unsigned size)) \
    F(unsigned, ca_read_access, (void *channel)) \
    F(void *, ca_puser, (void *channel)) \
    F(const char *, ca_message, (long status))

#define CA_POINTER(result, name, arguments) result(*name) arguments;
struct ca_library {
    CA_FUNCTIONS(CA_POINTER)
};

#endif
