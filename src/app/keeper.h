/* keeper.h -- the process that is started: binds ports, starts the server with them, starts it again when it dies.
 *
 * Parses no mail. Runs as whoever started it (root, for ports below 1024); the server drops to its own user.
 *
 * Between both stands a socket pair. Server to keeper: 'R' when it serves, 'A' or 'N' after new settings. Keeper to server: a
 * KeeperMessage with the text of restante.conf behind it and the listening descriptors, in the order of the settings, beside it.
 */
#pragma once

#include "app/settings.h"

#define KEEPER_READY   'R'
#define KEEPER_APPLIED 'A'
#define KEEPER_REFUSED 'N'

#define LISTENING_MAX (DOOR_KINDS * LISTEN_MAX)

typedef struct KeeperMessage {
        guint32 text_octets, n_fds;
} KeeperMessage;

/* A bound address. */
typedef struct Listening {
        DoorKind door;
        guint16 port;
        char address[120];
        int fd;
} Listening;

/* `restante serve`. Exit status. */
int keeper_run(int argc, char **argv, const char *config, gboolean as_json);
