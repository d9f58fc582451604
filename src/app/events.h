/* events.h -- what the program itself writes to the log. */
#pragma once

#include "base/log.h"

enum {
        EVENT_SERVER_STARTED = 0,
        EVENT_SERVER_STOPPING,
        EVENT_SERVER_STOPPED,
        EVENT_SERVER_RESTARTED,
        EVENT_SANDBOX,
        EVENT_SETTINGS_CHANGED,
        EVENT_SETTINGS_REFUSED,
        EVENT_SETTINGS_LATER,
        EVENT_DISK_LOW,
        EVENT_DISK_ENOUGH,
        EVENT_DISK_RESERVE,
        EVENT_DISK_RESERVE_GIVEN,
        EVENT_CERTIFICATE,
        EVENT_HOUSEKEEPING,
        EVENT_POSTMASTER,
};
extern const LogEvent APP_EVENTS[];     /* by the names above; name NULL ends it */
