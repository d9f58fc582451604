/* operations_export.c -- the manual of export. The command line does the work itself: app/transfer_export.c. */
#include "admin/operations.h"

/* clang-format off */
#define ARG_ADDRESS    {"ADDRESS", FALSE, FALSE, "the account whose mail is written"}
#define ARG_DIR        {"DIR", FALSE, FALSE, "a directory that is missing or empty, or an earlier export"}
#define OPTION_FOLDERS {"--folders", "PATTERN", "only mailboxes of that name; * stands for anything"}
#define COLUMNS {{"folder", "mailbox"}, {"messages", "messages", COLUMN_NUMBER}, {"octets", "size", COLUMN_SIZE},      \
                 {"known", "were there", COLUMN_NUMBER}, {"skipped", "skipped", COLUMN_NUMBER}, {"path", "written to"}}
/* clang-format on */

#define MANUAL_ALL                                                                                                     \
        "\n\nWritten are the account's own mailboxes with everything that IMAP shows of their messages; mailboxes of " \
        "others, rights, annotations and deleted messages that could be brought back are not. restante.json in DIR "   \
        "keeps "                                                                                                       \
        "what file names can't say: names, subscriptions, special uses, UIDVALIDITY. `restante import` of the same "   \
        "kind "                                                                                                        \
        "takes everything in again as it was."

const Operation EXPORT_MAILDIR = {
        .noun = "export",
        .verb = "maildir",
        .summary = "write the mail of an account as a maildir",
        .manual = "Writes a Maildir++ that Dovecot and others read: flags and size in file names, the date of a "
                  "message as that "
                  "of its file, dovecot-uidlist, dovecot-keywords and subscriptions. A '.' in the name of a mailbox "
                  "becomes "
                  "\\2e, as Dovecot's listescape plugin has it. Messages are synced before they get their places. An "
                  "export that was stopped goes on where it was; into an older export only what is new is written, "
                  "and flags stay as they were then." MANUAL_ALL,
        .example = "restante export maildir joe@uk.example.com /srv/export/joe",
        .args = {ARG_ADDRESS, ARG_DIR},
        .options = {OPTION_FOLDERS},
        .columns = COLUMNS,
        .is_list = TRUE,
};

const Operation EXPORT_MBOX = {
        .noun = "export",
        .verb = "mbox",
        .summary = "write the mail of an account as mbox files",
        .manual =
                "Writes one file a mailbox (mboxrd, RFC 4155), those below it in NAME.sbd as Thunderbird has them. "
                "Each "
                "message begins with the fields Status, X-Status, X-Keywords and X-UID, which mutt, Dovecot and others "
                "understand, and with X-Restante-Export, which tells import where they end and how the message ended. "
                "Dates are those of the From_ line, to the second. A file is written beside its place and renamed when "
                "it "
                "is whole; a second export writes all files anew." MANUAL_ALL,
        .example = "restante export mbox joe@uk.example.com /srv/export/joe",
        .args = {ARG_ADDRESS, ARG_DIR},
        .options = {OPTION_FOLDERS},
        .columns = COLUMNS,
        .is_list = TRUE,
};
