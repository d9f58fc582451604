/* dsn_test.c -- the form of a DSN: parts, fields, what comes back, and in whose words (RFC 3462, 3464, 6533). */
#include "intake/fixture.h"

#define MESSAGE "From: <a@b.example>\r\nSubject: hello\r\nMessage-ID: <1@b.example>\r\n\r\nbody\r\n"

typedef struct Report {
        Arena *arena;
        char *text;
        Structure structure;
} Report;

static void
report_done(Report *r)
{
        arena_free(r->arena);
        g_free(r->text);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Report, report_done)

/* The DSN that a message to nobody@ex.org causes, parsed. */
static void
cause(Site *site, const char *recipient, const char *message, Report *ret)
{
        const QueueRow *rows;

        g_assert_cmpint(site_send(site, "a@b.example", recipient, message), ==, INTAKE_ACCEPTED);
        g_assert_cmpuint(site_queue(site, &rows), ==, 1);
        g_assert_cmpstr(rows[0].sender, ==, "");
        g_assert_cmpstr(rows[0].recipient, ==, "a@b.example");
        ret->text = site_queue_text(site, &rows[0]);
        ret->arena = arena_new(4 * 1024 * 1024);
        g_assert_true(message_parse(ret->arena, span_of(ret->text), &ret->structure));
}

static const char *
part_type(const Report *r, gsize i)
{
        const ContentType *type = &r->structure.parts[i].type;

        return arena_printf(r->arena, "%.*s/%.*s", (int) type->type.len, (const char *) type->type.data,
                            (int) type->subtype.len, (const char *) type->subtype.data);
}

static const char *
part_body(const Report *r, gsize i)
{
        const Part *part = &r->structure.parts[i];

        return arena_strndup(r->arena, span_slice(span_of(r->text), part->body_start, part->end));
}

static const char *
header_value(const Report *r, const char *name)
{
        const Header *h = &r->structure.parts[0].header;
        const Field *field = header_find(h, name, 0);

        return field != NULL ? arena_strndup(r->arena, header_unfold(r->arena, header_field_body(h, field))) : NULL;
}

static void
test_form(Site *site, gconstpointer data)
{
        g_auto(Report) r = {0};

        cause(site, "nobody@ex.org", MESSAGE, &r);
        g_assert_cmpuint(r.structure.n_parts, >=, 4);
        g_assert_cmpstr(part_type(&r, 0), ==, "multipart/report");
        Span type = param_find(r.structure.parts[0].type.params, r.structure.parts[0].type.n_params, "report-type");
        g_assert_true(span_is(type, "delivery-status"));
        g_assert_cmpstr(header_value(&r, "Auto-Submitted"), ==, "auto-replied");
        g_assert_cmpstr(header_value(&r, "To"), ==, "<a@b.example>");
        g_assert_nonnull(strstr(header_value(&r, "From"), "<postmaster@mx.ex.org>"));
        g_assert_cmpstr(header_value(&r, "MIME-Version"), ==, "1.0");
        g_assert_nonnull(header_value(&r, "Date"));
        g_assert_nonnull(header_value(&r, "Message-ID"));
        g_assert_cmpstr(header_value(&r, "In-Reply-To"), ==, "<1@b.example>");

        g_assert_cmpstr(part_type(&r, 1), ==, "text/plain");
        g_assert_nonnull(strstr(part_body(&r, 1), "nobody@ex.org"));
        g_assert_nonnull(strstr(part_body(&r, 1), "there is no such mailbox here"));
        g_assert_cmpstr(part_type(&r, 2), ==, "message/delivery-status");
        const char *report = part_body(&r, 2);
        g_assert_true(g_str_has_prefix(report, "Reporting-MTA: dns; mx.ex.org\r\nArrival-Date: "));
        g_assert_nonnull(strstr(report,
                                "\r\n\r\nFinal-Recipient: rfc822; nobody@ex.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                                "Diagnostic-Code: smtp; 550 5.1.1 "));
        g_assert_cmpstr(part_type(&r, 3), ==, "message/rfc822");
        g_assert_cmpstr(part_body(&r, 3), ==, MESSAGE);
        for (const char *at = r.text; (at = strchr(at, '\n')) != NULL; at++)
                g_assert_true(at > r.text && at[-1] == '\r');
}

static void
test_two_recipients(Site *site, gconstpointer data)
{
        g_auto(Report) r = {0};

        cause(site, "x@ex.org joe@ex.org y@ex.org", MESSAGE, &r);
        const char *report = part_body(&r, 2);
        g_assert_nonnull(strstr(report, "Final-Recipient: rfc822; x@ex.org\r\n"));
        g_assert_nonnull(strstr(report, "Final-Recipient: rfc822; y@ex.org\r\n"));
        g_assert_null(strstr(report, "joe@ex.org"));
}

static void
test_alias_members_hidden(Site *site, gconstpointer data)
{
        g_auto(Report) r = {0};

        site_alias(site, "team@ex.org", "joe@ex.org", "secret@ex.org");
        cause(site, "team@ex.org", MESSAGE, &r);
        g_assert_nonnull(strstr(part_body(&r, 2), "Final-Recipient: rfc822; team@ex.org\r\n"));
        g_assert_null(strstr(r.text, "secret@ex.org"));
}

static void
test_long_message(Site *site, gconstpointer data)
{
        g_auto(Report) r = {0};
        g_autofree char *filler = g_strnfill(60 * 1024, 'x');
        g_autofree char *message = g_strconcat(MESSAGE, filler, "\r\n", NULL);

        cause(site, "nobody@ex.org", message, &r);
        g_assert_cmpstr(part_type(&r, 3), ==, "text/rfc822-headers");
        g_assert_cmpstr(part_body(&r, 3), ==,
                        "From: <a@b.example>\r\nSubject: hello\r\nMessage-ID: <1@b.example>\r\n\r\n");
}

static void
test_utf8(Site *site, gconstpointer data)
{
        g_auto(Report) r = {0};

        cause(site, "jürgen@ex.org", MESSAGE, &r);
        g_assert_cmpstr(part_type(&r, 2), ==, "message/global-delivery-status");
        g_assert_nonnull(strstr(part_body(&r, 2), "Final-Recipient: utf-8; jürgen@ex.org\r\n"));
        const QueueRow *rows;
        g_assert_cmpuint(site_queue(site, &rows), ==, 1);
        g_assert_cmpuint(rows[0].needs, ==, QUEUE_NEEDS_UTF8);
}

/* There is no key for it yet: set where the directory reads it. */
static void
set_template(Site *site, const char *text)
{
        DB_SQL(SET, "UPDATE domain SET bounce_template = ? WHERE name = 'ex.org'");
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin(site->db, &error);

        g_assert_true(db_run(txn, &SET, &error, "s", text));
        directory_touch(site->directory, txn);
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
}

static void
test_own_text(Site *site, gconstpointer data)
{
        g_auto(Report) r = {0};

        set_template(site, "We know no {recipient}, dear {sender}: {reason}.");
        cause(site, "nobody@ex.org", MESSAGE, &r);
        g_assert_cmpstr(part_body(&r, 1), ==,
                        "We know no nobody@ex.org, dear a@b.example: there is no such mailbox here.\r\n");
}

static void
test_broken_text(Site *site, gconstpointer data)
{
        g_auto(Report) r = {0};

        set_template(site, "We know no {recipent}.");
        cause(site, "nobody@ex.org", MESSAGE, &r);
        g_assert_true(g_str_has_prefix(part_body(&r, 1), "This is the mail system of mx.ex.org."));
}

static void
test_hostile_message(Site *site, gconstpointer data)
{
        g_auto(Report) r = {0};

        cause(site, "nobody@ex.org",
              "Subject: a\x01\x1b[31m \"b\"\r\nMessage-ID: <x>\x02\r\n >injected: "
              "yes\r\n\r\n--=_0\r\n\r\n--=_0--\r\n.\r\n",
              &r);
        g_assert_cmpuint(r.structure.parts[3].parent, ==, 0);
        g_assert_null(strstr(part_body(&r, 1), "\x1b"));
        g_assert_null(header_value(&r, "injected"));
}

static void
test_bare_ends(Site *site, gconstpointer data)
{
        g_auto(Report) r = {0};

        cause(site, "nobody@ex.org", "Subject: a\rb\nMessage-ID: <1@b.example>\n\nbody\n", &r);
        g_assert_cmpstr(part_type(&r, 3), ==, "text/rfc822-headers");
        g_assert_cmpstr(part_body(&r, 3), ==, "Subject: a?b\r\nMessage-ID: <1@b.example>\r\n\r\n");
}

static void
init_bouncing(Site *site, gconstpointer data)
{
        site_init(site, data);
        site_domain_set(site, "ex.org", "unknown", "bounce");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/intake/dsn/" path, Site, NULL, init_bouncing, fn, site_done)
        ADD("three parts with the fields of RFC 3464 §2", test_form);
        ADD("one report for all that failed RFC 3464 §2.3", test_two_recipients);
        ADD("members of an alias are not told RFC 3464 §2.3.2", test_alias_members_hidden);
        ADD("a long message comes back as its header RFC 3462 §2", test_long_message);
        ADD("bare CR and LF do not travel on RFC 5321 §2.3.8", test_bare_ends);
        ADD("addresses beyond ASCII RFC 6533 §3", test_utf8);
        ADD("a domain's own text", test_own_text);
        ADD("a broken text of its own is replaced", test_broken_text);
        ADD("hostile content stays content", test_hostile_message);
        return g_test_run();
}
