/* events.c -- the table of the program's own log events. */
#include "app/events.h"

const LogEvent APP_EVENTS[] = {
        [EVENT_SERVER_STARTED] = {"server.started", LOG_INFO,
                                  "The server process serves. clean=no: it was not stopped in order last time."},
        [EVENT_SERVER_STOPPING] =
                {"server.stopping", LOG_INFO,
                 "The server was told to end: running commands and messages that are coming end, for at most 10 s."},
        [EVENT_SERVER_STOPPED] = {"server.stopped", LOG_INFO, "The server has ended in order."},
        [EVENT_SERVER_RESTARTED] = {"server.restarted", LOG_ERROR,
                                    "The server process died and is started again; nothing acknowledged is lost. "
                                    "reason: the signal, or the exit status (3: a disk did not take what was written; "
                                    "look at the kernel's log). Please report it."},
        [EVENT_SANDBOX] = {"server.sandbox", LOG_INFO,
                           "What the kernel keeps the server process from. landlock=0: this kernel has none, or it is "
                           "switched off."},
        [EVENT_SETTINGS_CHANGED] = {"settings.changed", LOG_INFO,
                                    "restante.conf was read again; one line for each difference."},
        [EVENT_SETTINGS_REFUSED] = {"settings.refused", LOG_ERROR,
                                    "restante.conf was read again and is wrong, or can't be put in force: nothing was "
                                    "changed. reason says where and why."},
        [EVENT_SETTINGS_LATER] = {"settings.later", LOG_WARNING, "This setting takes effect at the next start only."},
        [EVENT_DISK_LOW] = {"disk.low", LOG_ERROR,
                            "Less than [limits] disk-minimum, or less than 2 % of the disk, is free: new mail is "
                            "refused with 452 until there is room. Reading and deleting go on."},
        [EVENT_DISK_ENOUGH] = {"disk.enough", LOG_INFO, "There is room on the disk again: new mail is taken."},
        [EVENT_DISK_RESERVE] = {"disk.reserve", LOG_INFO,
                                "So many octets are set aside (the file `reserve` in the data directory), so that mail "
                                "can be deleted when nothing else is left. of: as many as there should be."},
        [EVENT_DISK_RESERVE_GIVEN] = {"disk.reserve-given", LOG_ERROR,
                                      "Nearly nothing is left on the disk, so the reserve was given up for deleting. "
                                      "Make room: when that is used up, too, nothing can be deleted any more."},
        [EVENT_CERTIFICATE] =
                {"tls.expiring", LOG_WARNING,
                 "The certificate expires soon, or has expired: put a new one in its place, then SIGHUP."},
        [EVENT_HOUSEKEEPING] = {"housekeeping.failed", LOG_WARNING,
                                "Background work could not be done and is tried again. task says which, reason why."},
        [EVENT_POSTMASTER] = {"postmaster.missing", LOG_WARNING,
                              "[site] postmaster names nobody: mail for postmaster and abuse is answered with 451 until "
                              "there is an account."},
        {NULL},
};
