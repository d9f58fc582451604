/* schema.c -- every table of a site, with the room that owns it.
 *
 * Times are microseconds since 1970 UTC. Domains are lower-case A-labels. Local parts keep the case they were defined
 * with and are compared in lower case (`local_key`).
 */
#include "db/schema.h"

const DbMigration DB_MIGRATIONS[] = {
        {1,
         /* directory: domains. `unknown` is the text of the policy list, checked when saved. */
         "CREATE TABLE domain ("
         " id INTEGER PRIMARY KEY,"
         " name TEXT NOT NULL UNIQUE,"
         " kind TEXT NOT NULL DEFAULT 'local'," /* local, alias, relay, hold */
         " target TEXT,"                        /* alias: NAME, relay: NEXTHOP, hold: QUEUE */
         " unknown TEXT NOT NULL DEFAULT 'reject',"
         " envelope_header TEXT," /* NULL: default, 'off', or NAME */
         " next_hop TEXT, etrn INTEGER NOT NULL DEFAULT 0, source_address TEXT, helo_name TEXT,"
         " bounce_template TEXT,"
         " created INTEGER NOT NULL);"
         /* directory: accounts. password: Argon2id string; NULL: nobody can log in. */
         "CREATE TABLE account ("
         " id INTEGER PRIMARY KEY,"
         " domain TEXT NOT NULL, local TEXT NOT NULL, local_key TEXT NOT NULL,"
         " password TEXT, may_send INTEGER NOT NULL DEFAULT 1,"
         " quota INTEGER, quota_messages INTEGER, atrn TEXT,"
         " is_disabled INTEGER NOT NULL DEFAULT 0,"
         " created INTEGER NOT NULL,"
         " UNIQUE (domain, local_key));"
         /* directory: aliases, groups and bouncers; domain '*' is the name in every local domain; local '*' the
            catch-all, 'x*' a prefix alias (their kind says so). */
         "CREATE TABLE alias ("
         " id INTEGER PRIMARY KEY,"
         " domain TEXT NOT NULL, local TEXT NOT NULL, local_key TEXT NOT NULL,"
         " kind TEXT NOT NULL," /* alias, group, bouncer, prefix, catchall */
         " post TEXT,"          /* group: anyone, members, authenticated */
         " code INTEGER, text TEXT, until INTEGER, after INTEGER, seen INTEGER NOT NULL DEFAULT 0," /* bouncer */
         " created INTEGER NOT NULL,"
         " UNIQUE (domain, local_key, kind));"
         "CREATE TABLE alias_target ("
         " alias INTEGER NOT NULL REFERENCES alias(id), position INTEGER NOT NULL, address TEXT NOT NULL,"
         " PRIMARY KEY (alias, position)) WITHOUT ROWID;"
         /* router: rewriting records in order */
         "CREATE TABLE route ("
         " id INTEGER PRIMARY KEY, position INTEGER NOT NULL, record TEXT NOT NULL, created INTEGER NOT NULL);"
         /* admin: settings changed at run time, and the history of every change */
         "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
         "CREATE TABLE history ("
         " id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, operation TEXT NOT NULL, object TEXT NOT "
         "NULL,"
         " before TEXT, after TEXT);"
         /* blob: the one place of each body. id: made at its append, never used again, also in the record's head. refs:
            mailbox entries and queue rows that name it. */
         "CREATE TABLE body ("
         " id INTEGER PRIMARY KEY,"
         " segment INTEGER NOT NULL, offset INTEGER NOT NULL," /* of the record's head */
         " stored INTEGER NOT NULL,"                           /* octets of the record with head */
         " size INTEGER NOT NULL,"                             /* octets of the body as sent */
         " refs INTEGER NOT NULL);"
         "CREATE INDEX body_by_segment ON body (segment, offset);"
         /* store: mailboxes and their entries, clustered by mailbox and UID */
         "CREATE TABLE mailbox ("
         " id INTEGER PRIMARY KEY,"
         " account INTEGER NOT NULL, name TEXT NOT NULL,"
         " uid_validity INTEGER NOT NULL, uid_next INTEGER NOT NULL DEFAULT 1, modseq INTEGER NOT NULL DEFAULT 1,"
         " messages INTEGER NOT NULL DEFAULT 0, octets INTEGER NOT NULL DEFAULT 0,"
         " created INTEGER NOT NULL,"
         " UNIQUE (account, name));"
         "CREATE TABLE entry ("
         " mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
         " body INTEGER NOT NULL, size INTEGER NOT NULL," /* of the copy: prefix + body - cuts */
         " received INTEGER NOT NULL,"                    /* INTERNALDATE */
         " flags INTEGER NOT NULL DEFAULT 0, modseq INTEGER NOT NULL,"
         " message INTEGER NOT NULL,"        /* Id, as in the trace */
         " prefix BLOB NOT NULL, cuts BLOB," /* see store.h */
         " PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;"
         /* queue: what still has to leave, one row a recipient */
         "CREATE TABLE queue ("
         " id INTEGER PRIMARY KEY,"
         " message INTEGER NOT NULL, body INTEGER NOT NULL, size INTEGER NOT NULL,"
         " prefix BLOB NOT NULL, cuts BLOB,"
         " sender TEXT NOT NULL, recipient TEXT NOT NULL, next_hop TEXT NOT NULL,"
         " created INTEGER NOT NULL, next_attempt INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
         " last_reply TEXT, held TEXT,"       /* held: name of the hold queue or 'admin' */
         " needs INTEGER NOT NULL DEFAULT 0," /* 8BITMIME, SMTPUTF8, BINARYMIME, REQUIRETLS bits */
         " dsn_notify INTEGER NOT NULL DEFAULT 0, dsn_ret TEXT, dsn_envid TEXT, dsn_orcpt TEXT);"
         "CREATE INDEX queue_by_next_attempt ON queue (next_attempt);"
         "CREATE INDEX queue_by_message ON queue (message);"
         /* intake: the trace, and the limits of bounces */
         "CREATE TABLE trace ("
         " message INTEGER PRIMARY KEY," /* Id: rises with time */
         " at INTEGER NOT NULL, origin TEXT NOT NULL, client TEXT, helo TEXT, account TEXT,"
         " sender TEXT NOT NULL, message_id TEXT, subject TEXT, size INTEGER NOT NULL,"
         " lines TEXT NOT NULL);" /* of its recipients: see trace.c */
         /* ... and of the tries after the first */
         "CREATE TABLE trace_later ("
         " message INTEGER NOT NULL, position INTEGER NOT NULL, lines TEXT NOT NULL,"
         " PRIMARY KEY (message, position)) WITHOUT ROWID;"
         /* look-ups of the trace by sender, recipient and Message-ID: see textkey.h */
         "CREATE TABLE trace_key ("
         " key INTEGER NOT NULL, message INTEGER NOT NULL,"
         " PRIMARY KEY (key, message)) WITHOUT ROWID;"
         "CREATE TABLE refusal (" /* batched refusals, capped */
         " id INTEGER PRIMARY KEY, at INTEGER NOT NULL, client TEXT, sender TEXT, recipient TEXT, status TEXT, text "
         "TEXT,"
         " times INTEGER NOT NULL DEFAULT 1);"
         "CREATE TABLE bounce_sent (sender TEXT NOT NULL, domain TEXT NOT NULL, at INTEGER NOT NULL,"
         " PRIMARY KEY (sender, domain, at)) WITHOUT ROWID;"
         "CREATE INDEX bounce_sent_by_domain ON bounce_sent (domain, at);"
         /* directory: unknown names, the work list */
         "CREATE TABLE unknown_name ("
         " domain TEXT NOT NULL, local TEXT NOT NULL, times INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT "
         "NULL,"
         " first_sender TEXT, last_sender TEXT, spam INTEGER NOT NULL DEFAULT 0,"
         " PRIMARY KEY (domain, local)) WITHOUT ROWID;"
         /* fetch: sources, their recipes, and what was done with each remote message */
         "CREATE TABLE source ("
         " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL,"
         " host TEXT NOT NULL, port INTEGER NOT NULL, tls TEXT NOT NULL DEFAULT 'strict',"
         " user TEXT NOT NULL, secret BLOB," /* sealed password */
         " poll INTEGER NOT NULL, owner TEXT, domains TEXT,"
         " hops INTEGER NOT NULL DEFAULT 0, max_recipients INTEGER NOT NULL DEFAULT 1,"
         " unknown TEXT NOT NULL DEFAULT 'postmaster', fallback TEXT NOT NULL DEFAULT 'postmaster',"
         " foreign_policy TEXT NOT NULL DEFAULT 'ignore', keep TEXT NOT NULL DEFAULT 'off', max_size TEXT,"
         " allow_plaintext INTEGER NOT NULL DEFAULT 0, folders TEXT,"
         " stopped TEXT," /* why it does not poll: authentication failed... */
         " last_run INTEGER, last_result TEXT, created INTEGER NOT NULL);"
         "CREATE TABLE source_recipe ("
         " source INTEGER NOT NULL, position INTEGER NOT NULL, recipe TEXT NOT NULL,"
         " PRIMARY KEY (source, position)) WITHOUT ROWID;"
         "CREATE TABLE source_seen ("
         " source INTEGER NOT NULL, folder TEXT NOT NULL, uidl TEXT NOT NULL, size INTEGER NOT NULL, hash INTEGER NOT "
         "NULL,"
         " first_seen INTEGER NOT NULL, outcome TEXT NOT NULL,"
         " PRIMARY KEY (source, folder, uidl)) WITHOUT ROWID;"},
        {2,
         /* store: names. special_use: SpecialUse bits. A deleted mailbox keeps its row and what is in it under a name
            nobody can type, until the site's undelete time has passed. */
         "ALTER TABLE mailbox ADD COLUMN special_use INTEGER NOT NULL DEFAULT 0;"
         "ALTER TABLE mailbox ADD COLUMN deleted_at INTEGER;" /* NULL: it stands */
         "ALTER TABLE mailbox ADD COLUMN deleted_name TEXT;"  /* what it was called */
         "CREATE INDEX mailbox_by_deleted ON mailbox (deleted_at) WHERE deleted_at IS NOT NULL;"
         /* the last id and UIDVALIDITY given to any mailbox: neither is ever used again; one row */
         "CREATE TABLE mailbox_last ("
         " one INTEGER PRIMARY KEY, id INTEGER NOT NULL, uid_validity INTEGER NOT NULL);"
         "INSERT INTO mailbox_last (one, id, uid_validity)"
         " SELECT 1, coalesce(max(id), 0), coalesce(max(uid_validity), 0) FROM mailbox;"
         /* names as their account sees them, whether or not there is a mailbox */
         "CREATE TABLE subscription ("
         " account INTEGER NOT NULL, name TEXT NOT NULL,"
         " PRIMARY KEY (account, name)) WITHOUT ROWID;"
         "CREATE TABLE mailbox_alias ("
         " account INTEGER NOT NULL, name TEXT NOT NULL, target INTEGER NOT NULL," /* id of a mailbox */
         " PRIMARY KEY (account, name)) WITHOUT ROWID;"
         "CREATE INDEX mailbox_alias_by_target ON mailbox_alias (target);"
         /* identifier: "anyone", or address of an account or group in lower case; rights: Right bits, given or, when
            is_negative, taken away */
         "CREATE TABLE acl ("
         " mailbox INTEGER NOT NULL, identifier TEXT NOT NULL, is_negative INTEGER NOT NULL, rights INTEGER NOT NULL,"
         " PRIMARY KEY (mailbox, identifier, is_negative)) WITHOUT ROWID;"
         "CREATE INDEX acl_by_identifier ON acl (identifier);"
         /* mailbox 0: the server's; account 0: shared */
         "CREATE TABLE metadata ("
         " mailbox INTEGER NOT NULL, account INTEGER NOT NULL, entry TEXT NOT NULL, value BLOB NOT NULL,"
         " UNIQUE (mailbox, account, entry));"
         "CREATE INDEX metadata_by_account ON metadata (account);"
         /* directory: which groups somebody is a member of; the address of the target in lower case */
         "ALTER TABLE alias_target ADD COLUMN address_key TEXT;"
         "UPDATE alias_target SET address_key = lower(address);"
         "CREATE INDEX alias_target_by_key ON alias_target (address_key);"
         /* directory: templates of accounts. Quotas are those of accounts that have none of their own (NULL). */
         "CREATE TABLE account_template ("
         " name TEXT PRIMARY KEY, quota INTEGER, quota_messages INTEGER, created INTEGER NOT NULL) WITHOUT ROWID;"
         "CREATE TABLE account_template_item ("
         " template TEXT NOT NULL, kind TEXT NOT NULL," /* mailbox, subscribe, alias, special-use */
         " position INTEGER NOT NULL, name TEXT NOT NULL,"
         " value TEXT," /* alias: its target; special-use: as in RFC 6154, without the backslash */
         " PRIMARY KEY (template, kind, position)) WITHOUT ROWID;"
         "ALTER TABLE domain ADD COLUMN template TEXT;"  /* of new accounts; NULL: default */
         "ALTER TABLE account ADD COLUMN template TEXT;" /* NULL: default */
         "UPDATE account SET quota = NULL WHERE quota = 0;"
         "UPDATE account SET quota_messages = NULL WHERE quota_messages = 0;"
         "INSERT INTO account_template (name, created) VALUES ('default', 0);"
         "INSERT INTO account_template_item (template, kind, position, name, value) VALUES"
         " ('default', 'mailbox', 0, 'Drafts', NULL), ('default', 'mailbox', 1, 'Sent', NULL),"
         " ('default', 'mailbox', 2, 'Archive', NULL), ('default', 'mailbox', 3, 'Junk', NULL),"
         " ('default', 'mailbox', 4, 'Trash', NULL),"
         " ('default', 'subscribe', 0, 'Drafts', NULL), ('default', 'subscribe', 1, 'Sent', NULL),"
         " ('default', 'subscribe', 2, 'Archive', NULL), ('default', 'subscribe', 3, 'Junk', NULL),"
         " ('default', 'subscribe', 4, 'Trash', NULL), ('default', 'subscribe', 5, 'INBOX', NULL),"
         " ('default', 'special-use', 0, 'Drafts', 'drafts'), ('default', 'special-use', 1, 'Sent', 'sent'),"
         " ('default', 'special-use', 2, 'Archive', 'archive'), ('default', 'special-use', 3, 'Junk', 'junk'),"
         " ('default', 'special-use', 4, 'Trash', 'trash');"
         /* directory: administrators. scope: a domain, or '*' for the server; rights: AdminRight bits. */
         "CREATE TABLE admin_right ("
         " account INTEGER NOT NULL, scope TEXT NOT NULL, rights INTEGER NOT NULL,"
         " PRIMARY KEY (account, scope)) WITHOUT ROWID;"},
        {3,
         /* blob: what is computed once of a message (mail/summary.h), kept with its body until it is packed. */
         "ALTER TABLE body ADD COLUMN summary BLOB;"
         /* store: rows of `entry` gather until they are folded into pages. `saved`: SAVEDATE, 0 when as `received`.
            Rows with a UID of at most `folded` stand in a page too, which has their flags and MODSEQ; they wait to be
            packed. The counts of a mailbox are those of its pages, without what was expunged, which `gone` counts. */
         "ALTER TABLE entry ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;"
         "ALTER TABLE mailbox ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;"
         "ALTER TABLE mailbox ADD COLUMN keywords TEXT;" /* names by rising bit, a space between two */
         "ALTER TABLE mailbox ADD COLUMN gone_messages INTEGER NOT NULL DEFAULT 0;"
         "ALTER TABLE mailbox ADD COLUMN gone_octets INTEGER NOT NULL DEFAULT 0;"
         "ALTER TABLE mailbox ADD COLUMN gone_oldest INTEGER;"                       /* time of an expunge */
         "ALTER TABLE mailbox ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;" /* MODSEQ up to which expunges are */
         "UPDATE mailbox SET messages = 0, octets = 0;"
         "CREATE INDEX mailbox_by_gone ON mailbox (gone_oldest) WHERE gone_oldest IS NOT NULL;"
         /* ... pages of up to 128 entries (store/page.c); key: mailbox * 2^32 + first UID */
         "CREATE TABLE page (key INTEGER PRIMARY KEY, data BLOB NOT NULL);"
         "CREATE TABLE page_state (key INTEGER PRIMARY KEY, data BLOB NOT NULL);"
         /* ... what is computed once, packed (store/pack.c); key of a part: pack * 8 + its number */
         "CREATE TABLE pack (id INTEGER PRIMARY KEY AUTOINCREMENT, bodies BLOB NOT NULL, refs BLOB NOT NULL);"
         "CREATE TABLE pack_part (key INTEGER PRIMARY KEY, data BLOB NOT NULL);"
         /* ... what others than the owner have seen: ranges of UIDs (store/seen.c) */
         "CREATE TABLE reader_seen ("
         " mailbox INTEGER NOT NULL, account INTEGER NOT NULL, data BLOB NOT NULL,"
         " PRIMARY KEY (mailbox, account)) WITHOUT ROWID;"},
        {4,
         /* intake: the keys of a message's trace are one row. What was traced before is found by its id only. */
         "ALTER TABLE trace_later ADD COLUMN hashes BLOB NOT NULL DEFAULT x'';"
         "DROP TABLE trace_key;"
         "CREATE TABLE trace_key (message INTEGER PRIMARY KEY, hashes BLOB NOT NULL);"},
        {5,
         /* store: what has been imported into a mailbox, and where from (store/import.h). name: "maildir:/srv/joe .Work";
            key: of a message in that source. */
         "CREATE TABLE import_source ("
         " id INTEGER PRIMARY KEY AUTOINCREMENT, mailbox INTEGER NOT NULL, name TEXT NOT NULL,"
         " UNIQUE (mailbox, name));"
         "CREATE TABLE import_seen ("
         " source INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID;"},
        {6,
         /* blob: how many references of a body are slots of packs, which have its summary: when all are, it goes here. */
         "ALTER TABLE body ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;"
         /* store: since when a mailbox has at least a page's worth of rows that are not packed (store/packing.c) */
         "ALTER TABLE mailbox ADD COLUMN ripe INTEGER;"
         "UPDATE mailbox SET ripe = 0 WHERE (SELECT count(*) FROM entry e WHERE e.mailbox = mailbox.id) >= 128;"
         "CREATE INDEX mailbox_by_ripe ON mailbox (ripe) WHERE ripe IS NOT NULL;"},
        {7,
         /* directory: keys of SCRAM (auth/scram.h) of the password beside them, where the domain wants them; NULL: none
            yet. Random octets of this site for what must stay the same and can't be guessed. */
         "ALTER TABLE domain ADD COLUMN scram INTEGER NOT NULL DEFAULT 0;"
         "ALTER TABLE account ADD COLUMN scram TEXT;"
         "CREATE TABLE site_key (name TEXT PRIMARY KEY, octets BLOB NOT NULL) WITHOUT ROWID;"},
        {8,
         /* blob: pieces of records that are on disk here and not yet in their segments (blob/redo.c); body 0: free. As many rows as there
            ever are, each as large as its page, so that using one writes that page and no other. */
         "CREATE TABLE body_redo (slot INTEGER PRIMARY KEY, body INTEGER NOT NULL, piece INTEGER NOT NULL, octets BLOB NOT NULL);"
         "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 95)"
         " INSERT INTO body_redo SELECT i, 0, 0, zeroblob(4032) FROM n;"},
        {9,
         /* directory: the last id given to any account; it is never used again, so that nobody inherits what is kept by
            an account's id; one row */
         "CREATE TABLE account_last (one INTEGER PRIMARY KEY, id INTEGER NOT NULL);"
         "INSERT INTO account_last (one, id)"
         " SELECT 1, coalesce(max(used.id), 0) FROM (SELECT id FROM account"
         "  UNION ALL SELECT account FROM mailbox UNION ALL SELECT account FROM reader_seen"
         "  UNION ALL SELECT account FROM subscription UNION ALL SELECT account FROM mailbox_alias"
         "  UNION ALL SELECT account FROM metadata UNION ALL SELECT account FROM admin_right) AS used;"
         /* store: what an account has seen goes with it; what those left who have gone already goes now. */
         "CREATE INDEX reader_seen_by_account ON reader_seen (account);"
         "DELETE FROM reader_seen WHERE account NOT IN (SELECT id FROM account);"},
        {10,
         /* store: the first UID that no session which may write was told of (store/recent.c) */
         "ALTER TABLE mailbox ADD COLUMN recent INTEGER NOT NULL DEFAULT 1;"
         "UPDATE mailbox SET recent = max(uid_next,"
         " coalesce((SELECT max(uid) + 1 FROM entry e WHERE e.mailbox = mailbox.id), 1));"},
        {11,
         /* store: the first UID of a block of pages that a COPY of many messages is making behind everything else, for
            nobody to see before it is whole (store/copy_stage.c); NULL: none. */
         "ALTER TABLE mailbox ADD COLUMN copying INTEGER;"
         "CREATE INDEX mailbox_by_copying ON mailbox (copying) WHERE copying IS NOT NULL;"},
};

const int DB_SCHEMA_VERSION = 11;
