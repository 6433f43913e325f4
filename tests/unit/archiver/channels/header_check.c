/* Compiles only where libca.h says the same as EPICS's own headers. */
#include "libca.h"

#include <cadef.h>
#include <db_access.h>
#include <stddef.h>

#define SAME(a, b) _Static_assert((a) == (b), #a " is " #b)
#define SAME_SIZE(a, b) SAME(sizeof(a), sizeof(b))
#define SAME_PLACE(a, x, b, y) \
    SAME(offsetof(a, x), offsetof(b, y)); \
    SAME_SIZE(((a *)0)->x, ((b *)0)->y)

SAME(CA_PREEMPTIVE, ca_enable_preemptive_callback);
SAME(CA_UP, CA_OP_CONN_UP);
SAME(CA_DOWN, CA_OP_CONN_DOWN);
SAME(CA_PRIORITY_OF_ARCHIVERS, CA_PRIORITY_ARCHIVE);
SAME(CA_NORMAL, ECA_NORMAL);
SAME(CA_DISCONNECTED, ECA_DISCONN);
SAME(CA_NO_READ_ACCESS, ECA_NORDACCESS);
SAME(CA_VALUE, DBE_VALUE);
SAME(CA_ALARM, DBE_ALARM);
SAME(CA_PROPERTY, DBE_PROPERTY);
SAME(CA_STRING, DBR_STRING);
SAME(CA_SHORT, DBR_SHORT);
SAME(CA_FLOAT, DBR_FLOAT);
SAME(CA_ENUM, DBR_ENUM);
SAME(CA_CHAR, DBR_CHAR);
SAME(CA_LONG, DBR_LONG);
SAME(CA_DOUBLE, DBR_DOUBLE);
SAME(CA_TIME + CA_STRING, DBR_TIME_STRING);
SAME(CA_TIME + CA_DOUBLE, DBR_TIME_DOUBLE);
SAME(CA_CONTROL + CA_STRING, DBR_CTRL_STRING);
SAME(CA_CONTROL + CA_DOUBLE, DBR_CTRL_DOUBLE);
SAME(CA_STRING_BYTES, MAX_STRING_SIZE);
SAME(CA_EPOCH_S, POSIX_TIME_AT_EPICS_EPOCH);

SAME_SIZE(struct ca_connection, struct connection_handler_args);
SAME_PLACE(struct ca_connection, channel, struct connection_handler_args, chid);
SAME_PLACE(struct ca_connection, operation, struct connection_handler_args, op);
SAME_SIZE(struct ca_access, struct access_rights_handler_args);
SAME_PLACE(struct ca_access, rights, struct access_rights_handler_args, ar);
SAME_SIZE(struct ca_event, struct event_handler_args);
SAME_PLACE(struct ca_event, user, struct event_handler_args, usr);
SAME_PLACE(struct ca_event, channel, struct event_handler_args, chid);
SAME_PLACE(struct ca_event, type, struct event_handler_args, type);
SAME_PLACE(struct ca_event, count, struct event_handler_args, count);
SAME_PLACE(struct ca_event, data, struct event_handler_args, dbr);
SAME_PLACE(struct ca_event, status, struct event_handler_args, status);
SAME_SIZE(struct ca_exception, struct exception_handler_args);
SAME_PLACE(struct ca_exception, line, struct exception_handler_args, lineNo);
SAME_PLACE(struct ca_time_header, status, struct dbr_time_double, status);
SAME_PLACE(struct ca_time_header, severity, struct dbr_time_double, severity);
SAME(offsetof(struct ca_time_header, seconds), offsetof(struct dbr_time_double, stamp));
SAME(sizeof(struct ca_time_header), 2 * sizeof(dbr_short_t) + sizeof(epicsTimeStamp));

/* columns.c and client.c have these as tables. */
SAME(offsetof(struct dbr_time_string, value), 12);
SAME(offsetof(struct dbr_time_short, value), 14);
SAME(offsetof(struct dbr_time_float, value), 12);
SAME(offsetof(struct dbr_time_enum, value), 14);
SAME(offsetof(struct dbr_time_char, value), 15);
SAME(offsetof(struct dbr_time_long, value), 12);
SAME(offsetof(struct dbr_time_double, value), 16);
SAME(offsetof(struct dbr_ctrl_short, value), 28);
SAME(offsetof(struct dbr_ctrl_float, value), 48);
SAME(offsetof(struct dbr_ctrl_enum, value), 422);
SAME(sizeof(struct dbr_ctrl_enum), 424);
SAME(offsetof(struct dbr_ctrl_char, RISC_pad), 20);
SAME(offsetof(struct dbr_ctrl_long, value), 44);
SAME(offsetof(struct dbr_ctrl_double, value), 80);

/* A function is called as it is declared: both declarations take the same number of arguments,
 * each of the same size. */
int main(void)
{
    void *p = ca_create_channel, *q = ca_create_subscription, *r = ca_get_host_name;
    int status = ca_create_subscription((long)0, (unsigned long)0, (chid)0, (long)0,
                                        (caEventCallBackFunc *)0, (void *)0, (evid *)0);
    SAME_SIZE(chtype, long);
    SAME_SIZE(capri, unsigned);
    SAME_SIZE(ca_field_type((chid)0), short);
    SAME_SIZE(ca_element_count((chid)0), unsigned long);
    SAME_SIZE(ca_read_access((chid)0), unsigned);
    return p && q && r && status;
}
