/* operations_import.c -- the manual of import. The command line does the work itself: app/transfer_import.c. */
#include "admin/operations.h"

/* clang-format off */
#define ARG_ADDRESS      {"ADDRESS", FALSE, FALSE, "the account that gets the mail"}
#define OPTION_INTO      {"--into", "FOLDER", "put everything below this mailbox; an inbox becomes the mailbox itself"}
#define OPTION_FOLDERS   {"--folders", "PATTERN", "only mailboxes of that name here; * stands for anything"}
#define OPTION_DRY_RUN   {"--dry-run", NULL, "only say what would come"}
#define OPTION_FORGET    {"--forget", NULL, "forget what was imported from there, and import nothing"}
#define OPTION_OVERQUOTA {"--over-quota", NULL, "do not ask the account's quota"}
#define COLUMNS {{"folder", "mailbox"}, {"messages", "messages", COLUMN_NUMBER}, {"octets", "size", COLUMN_SIZE},       \
                 {"known", "were there", COLUMN_NUMBER}, {"skipped", "skipped", COLUMN_NUMBER},                         \
                 {"uids_kept", "uids kept", COLUMN_YES_NO}, {"why", "why"}}
/* clang-format on */

#define MANUAL_ALL                                                                                                     \
        "\n\nMessages keep their octets, dates, flags and keywords. A mailbox that never held a message also takes "   \
        "over "                                                                                                        \
        "UIDVALIDITY and UIDs, so that mail programs need not fetch everything again; that holds as long as no other " \
        "mail comes into it before the import is over.\n\nAn import that was stopped, by Ctrl-C or in any other way, " \
        "goes "                                                                                                        \
        "on where it was when the same command is given again; nothing comes twice, and what was deleted here since "  \
        "does "                                                                                                        \
        "not come back. What was imported from where is remembered with each mailbox until --forget. The quota of "    \
        "the "                                                                                                         \
        "account is honoured: an import that passes it stops. Messages over the site's largest size are skipped, "     \
        "like "                                                                                                        \
        "what can't be read; each is named on standard error, and the exit status stays 0."

const Operation IMPORT_MAILDIR = {
        .noun = "import",
        .verb = "maildir",
        .summary = "take in a maildir with its folders",
        .manual =
                "Reads Maildir++ (.Work.2026 beside cur and new, as Dovecot, Courier and Exim write it) and nested "
                "directories (Dovecot's LAYOUT=fs). Dates are those of the files, flags those of their names; "
                "dovecot-keywords, dovecot-uidlist and subscriptions are read where they are. Symbolic links below DIR "
                "are not followed. The maildir itself is not changed." MANUAL_ALL,
        .example = "restante import maildir joe@uk.example.com /home/joe/Maildir",
        .args = {ARG_ADDRESS, {"DIR", FALSE, FALSE, "the maildir: the directory with cur and new in it"}},
        .options = {OPTION_INTO, OPTION_FOLDERS, OPTION_DRY_RUN, OPTION_FORGET, OPTION_OVERQUOTA},
        .columns = COLUMNS,
        .is_list = TRUE,
};

const Operation IMPORT_MBOX = {
        .noun = "import",
        .verb = "mbox",
        .summary = "take in mbox files",
        .manual =
                "PATH is one file, or a directory of them: a mailbox a file, directories (also NAME.sbd of "
                "Thunderbird) are "
                "levels. A file called inbox, mbox or like the account becomes INBOX. Understood are mboxrd, mboxo, "
                "mboxcl "
                "and mboxcl2: Content-Length is believed where a message ends there, else lines that begin with From_ "
                "and "
                "a time end a message, and one > is taken from quoted ones. Flags come from the fields Status, "
                "X-Status, "
                "X-Keywords, X-UID, X-IMAP and X-Mozilla-*, which are taken out; dates from the From_ line." MANUAL_ALL,
        .example = "restante import mbox joe@uk.example.com /var/mail/joe",
        .args = {ARG_ADDRESS, {"PATH", FALSE, FALSE, "a file, or a directory of files"}},
        .options = {OPTION_INTO, OPTION_FOLDERS, OPTION_DRY_RUN, OPTION_FORGET, OPTION_OVERQUOTA},
        .columns = COLUMNS,
        .is_list = TRUE,
};

static const KeyManual IMAP_KEYS[] = {
        {"user", "NAME", "the name to log in with; the account's address when it is left out"},
        {"port", "NUMBER", "993 with tls=strict, 143 otherwise"},
        {"tls", "strict|starttls|none",
         "strict (the default): TLS from the first octet; starttls: STARTTLS required; either way the certificate must "
         "be right. none: no TLS, "
         "for loopback hosts, elsewhere only with allow-plaintext=yes"},
        {"allow-plaintext", "yes|no", "yes: tls=none is accepted for a host that is not this machine; no by default"},
        {NULL},
};

const Operation IMPORT_IMAP = {
        .noun = "import",
        .verb = "imap",
        .summary = "take in the mailboxes of another IMAP server",
        .manual = "Logs in with a password from standard input (a prompt on a terminal) and reads all mailboxes of "
                  "that user, without those "
                  "of other users and shared ones there. Special uses and subscriptions come along. Nothing is changed "
                  "there: mailboxes are "
                  "opened with EXAMINE, and no message is marked as seen. A mailbox that only shows what is flagged "
                  "elsewhere is passed "
                  "over." MANUAL_ALL,
        .example = "restante import imap joe@uk.example.com imap.provider.example user=joe < password",
        .args = {ARG_ADDRESS, {"HOST", FALSE, FALSE, "the server: a name or a numeric address"}},
        .options = {OPTION_INTO, OPTION_FOLDERS, OPTION_DRY_RUN, OPTION_FORGET, OPTION_OVERQUOTA},
        .keys = IMAP_KEYS,
        .columns = COLUMNS,
        .is_list = TRUE,
        .wants_password = TRUE,
};
