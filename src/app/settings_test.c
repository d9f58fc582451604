/* settings_test.c -- what restante.conf may say, and what is said about the rest. */
#include "app/settings.h"

#include <string.h>

static Settings *
parse(const char *text, GError **error)
{
        return settings_parse(span_of(text), "/etc/restante/restante.conf", error);
}

static void
standards(void)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Settings) s = parse("[site]\nhostname = Mail.Example.COM.\n", &error);

        g_assert_no_error(error);
        g_assert_cmpstr(s->hostname, ==, "mail.example.com");
        g_assert_cmpstr(s->data, ==, "/etc/restante/data");
        g_assert_cmpstr(s->control, ==, "/etc/restante/control");
        g_assert_cmpstr(s->certificate, ==, "/etc/restante/certificate.pem");
        g_assert_cmpstr(s->postmaster, ==, "postmaster@mail.example.com");
        g_assert_cmpuint(s->message_size, ==, 50 * 1024 * 1024);
        g_assert_cmpuint(s->trace_days, ==, 30);
        g_assert_cmpuint(s->undelete_days, ==, 7);
        g_assert_false(s->is_loopback);
        for (guint i = 0; i < DOOR_KINDS; i++)
                g_assert_cmpuint(s->doors[i].n, ==, 0);
}

static void
addresses(void)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Settings) s = parse(
                "[site]\nhostname = a.example\n[listen]\nsmtp = 0.0.0.0:25, [::]:25\nlmtp = unix:lmtp\npop3 = off\n",
                &error);

        g_assert_no_error(error);
        g_assert_cmpuint(s->doors[DOOR_SMTP].n, ==, 2);
        g_assert_cmpuint(s->doors[DOOR_SMTP].line, ==, 4);
        g_assert_cmpstr(s->doors[DOOR_SMTP].at[1].address, ==, "::");
        g_assert_cmpuint(s->doors[DOOR_SMTP].at[1].port, ==, 25);
        g_assert_cmpstr(s->doors[DOOR_LMTP].at[0].address, ==, "unix:/etc/restante/data/lmtp");
        g_assert_cmpuint(s->doors[DOOR_POP3].n, ==, 0);
}

static void
imap_rules(void)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Settings) s =
                parse("[site]\nhostname = a.example\n[imap]\noff = ENABLE, LITERAL+ client=Old Mail/1*, id "
                      "account=*@b.example\nmessage-limit = 5000\n",
                      &error);

        g_assert_no_error(error);
        g_assert_cmpstr(s->imap_off, ==, "ENABLE, LITERAL+ client=Old Mail/1*, id account=*@b.example");
        g_assert_cmpuint(s->imap_message_limit, ==, 5000);
}

#define OAUTH "[site]\nhostname = a.example\n[oauth]\n"

static void
oauth(void)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Settings) s =
                parse(OAUTH "issuer = https://id.example/a\naudience = mail, imap.a.example\nkeys = keys.json\n"
                            "scope = mail openid\ndiscovery = https://id.example/x\n",
                      &error);

        g_assert_no_error(error);
        g_assert_cmpstr(s->oauth_issuer, ==, "https://id.example/a");
        g_assert_cmpstr(s->oauth_audience, ==, "mail, imap.a.example");
        g_assert_cmpstr(s->oauth_keys, ==, "/etc/restante/keys.json");
        g_assert_cmpuint(s->oauth_line, ==, 6);
        g_assert_cmpstr(s->oauth_account_claim, ==, "email");
        g_assert_cmpstr(s->oauth_scope, ==, "mail openid");
        g_autoptr(Settings) none = parse("[site]\nhostname = a.example\n", &error);
        g_assert_no_error(error);
        g_assert_null(none->oauth_issuer);
}

/* A wrong file is one line that names file, line and what would be right. */
static void
mistakes(void)
{
        static const struct {
                const char *text;
                const char *said; /* in it */
        } CASES[] = {
                {"", "hostname = HOST is missing"},
                {"[site]\nhostname =\n", ":2: [site] hostname"},
                {"[site]\nhostname = [127.0.0.1]\n", "host name such as"},
                {"[site]\nhostname = a.example\n[imap]\noff = FOO client=x\n", "'FOO': there is no capability"},
                {"[site]\nhostname = a.example\n[imap]\noff = IMAP4rev1, IMAP4rev2 client=x\n",
                 "IMAP4rev1 and IMAP4rev2"},
                {"[site]\nhostname = a.example\n[imap]\noff = LOGINDISABLED\n", "'LOGINDISABLED' is no extension"},
                {"[site]\nhostname = a.example\n[imap]\noff = ID,\n", "'': there is no capability"},
                {"[site]\nhostname = a.example\n[imap]\noff = ID user=x\n", "'user=x': give client=NAME/VERSION"},
                {"[site]\nhostname = a.example\nhostnam = b\n",
                 ":3: there is no setting hostnam in [site]; its settings are hostname, data"},
                {"[sight]\nhostname = a.example\n",
                 ":2: hostname stands in [sight], and there is no such section; sections are [site], [listen]"},
                {"hostname = a.example\n", ":1: hostname stands before the first section"},
                {"[site]\nhostname = a.example\nloopback = maybe\n", ":3: [site] loopback = maybe: give yes or no"},
                {"[site]\nhostname = a.example\npostmaster = joe\n", "an address such as"},
                {"[listen]\nsmtp = localhost:25\n",
                 ":2: [listen] smtp = localhost:25: 'localhost:25': give a numeric address"},
                {"[listen]\nsmtp = 127.0.0.1\n", "give ADDRESS:PORT"},
                {"[listen]\nsmtp = 127.0.0.1:0\n", "give ADDRESS:PORT"},
                {"[listen]\nsmtp = 127.0.0.1:70000\n", "give ADDRESS:PORT"},
                {"[listen]\nsmtp = ::1:25\n", "IPv6 in brackets"},
                {"[listen]\nlmtp = 192.0.2.1:24\n", "LMTP listens on loopback"},
                {"[limits]\nmessage-size = 5X\n", "K, M or G"},
                {"[limits]\nmessage-size = 99999999999999999999G\n", "K, M or G"},
                {"[limits]\nworkers = 1\n", "from 2 to 4096"},
                {"[limits]\nworkers = -1\n", "from 2 to 4096"},
                {"[smtp]\nbare-newline = accept\n", "give refuse or normalise"},
                {"[log]\nlevel = loud\n", "error, warning, info or debug"},
                {"[site]\nhostname = 192.0.2.1\n", ":2: [site] hostname = 192.0.2.1: give a host name such as"},
                {"[site]\nhostname = a.example\nhostname = b.example\n",
                 ":3: [site] hostname = b.example: stands in line 2 too"},
                {"[site]\nhostname = a.example\npostmaster = joe@[127.0.0.1]\n", ":3: [site] postmaster"},
                {"[site]\nhostname = a.example\ndata =\n", ":3: [site] data =: can't be empty"},
                {"[site]\nhostname = a.example\n[tls]\nkey =\n", ":4: [tls] key =: can't be empty"},
                {"[site]\nhostname = a.example\nsmart-host = a b\n", ":3: [site] smart-host = a b: "},
                {"[site]\nhostname = a.example\nsmart-host = a.example\n",
                 ":3: [site] smart-host = a.example: this is this server"},
                {"[listen]\nsmtp = 127.0.0.1:25\n[site]\nhostname = a.example\nsmart-host = localhost\n",
                 ":5: [site] smart-host = localhost: this is this server"},
                {"[listen]\nsmtp = 0.0.0.0:25\n[site]\nhostname = a.example\nsmart-host = [127.0.0.1]\n",
                 ":5: [site] smart-host = [127.0.0.1]: this is this server"},
                {"[site]\nhostname = a.example\n[listen]\nsmtp = 127.0.0.1:25\nimap = 127.0.0.1:25\n",
                 ":5: [listen] imap: 127.0.0.1 port 25 is smtp's already"},
                {"[site]\nhostname = a.example\n[listen]\nsmtp = [::1]:25, [0::1]:25\n",
                 ":4: [listen] smtp: ::1 port 25 is smtp's already"},
                {"[listen]\nsmtp = off, 127.0.0.1:25\n",
                 ":2: [listen] smtp = off, 127.0.0.1:25: give off or addresses"},
                {"[resolver]\nserver = foo\n", ":2: [resolver] server = foo: give the address of a DNS server"},
                {"[resolver]\nserver = 192.0.2.1:53\n", "ADDRESS@PORT"},
                {"[resolver]\nserver = 192.0.2.1@0\n", "ADDRESS@PORT"},
                {OAUTH "issuer = https://id.example\n", "[oauth] audience = NAME is missing"},
                {OAUTH "issuer = https://id.example\naudience = mail\n", "[oauth] keys = FILE is missing"},
                {OAUTH "keys = keys.json\n", "[oauth] issuer = URL is missing"},
                {OAUTH "issuer = id example\n", ":4: [oauth] issuer = id example: give at most 500 printable"},
                {OAUTH "account-claim =\n", ":4: [oauth] account-claim = : give the name of a claim"},
                {OAUTH "audience = \"mail\"\n", "without quotes"},
                {OAUTH "audience = , ,\n", ":4: [oauth] audience = , ,: give one name or more"},
                {OAUTH "discovery = https://id.example/\303\244\n", "printable"},
                {"[site\n", ":1:"},
        };

        for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(Settings) s = parse(CASES[i].text, &error);

                g_assert_null(s);
                g_assert_nonnull(error);
                g_assert_true(g_str_has_prefix(error->message, "/etc/restante/restante.conf"));
                if (strstr(error->message, CASES[i].said) == NULL)
                        g_error("case %u: '%s' does not say '%s'", i, error->message, CASES[i].said);
        }
}

static void
sizes(void)
{
        static const struct {
                const char *text;
                guint64 octets;
        } CASES[] = {{"65536", 65536}, {"64K", 65536}, {"64k", 65536}, {"2G", (guint64) 2 << 30}};

        for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_autoptr(GError) error = NULL;
                g_autofree char *text =
                        g_strdup_printf("[site]\nhostname = a.example\n[limits]\nmessage-size = %s\n", CASES[i].text);
                g_autoptr(Settings) s = parse(text, &error);
                g_assert_no_error(error);
                g_assert_cmpuint(s->message_size, ==, CASES[i].octets);
        }
}

/* What init writes is read back as the same values, and every setting stands in it. */
static void template(void)
{
        static const char *const VALUES[] = {"site.hostname=mx.example", "site.loopback=yes",
                                             "listen.smtp=127.0.0.1:2525", NULL};
        g_autoptr(GError) error = NULL;
        g_autofree char *text = settings_template(VALUES);
        g_autoptr(Settings) s = parse(text, &error);

        g_assert_no_error(error);
        g_assert_cmpstr(s->hostname, ==, "mx.example");
        g_assert_true(s->is_loopback);
        g_assert_cmpuint(s->doors[DOOR_SMTP].at[0].port, ==, 2525);
        for (const Setting *t = SETTINGS; t->key != NULL; t++) {
                g_autofree char *plain = g_strdup_printf("\n%s = ", t->key);
                g_autofree char *comment = g_strdup_printf("\n#%s = ", t->key);
                g_assert_true(strstr(text, plain) != NULL || strstr(text, comment) != NULL);
        }
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (gsize i = 0; lines[i] != NULL; i++)
                g_assert_cmpuint(strlen(lines[i]), <=, 100);
}

static void
differences(void)
{
        g_autoptr(Settings) a = parse("[site]\nhostname = a.example\n[listen]\nsmtp = 127.0.0.1:25\n", NULL);
        g_autoptr(Settings) b =
                parse("[site]\nhostname = a.example\n[listen]\nsmtp = [::1]:26\n[log]\nlevel = debug\n", NULL);
        g_auto(GStrv) none = settings_differences(a, a);
        g_auto(GStrv) some = settings_differences(a, b);

        g_assert_null(none[0]);
        g_assert_cmpuint(g_strv_length(some), ==, 2);
        g_assert_cmpstr(some[0], ==, "[listen] smtp: 127.0.0.1:25 -> [::1]:26");
        g_assert_cmpstr(some[1], ==, "[log] level: info -> debug");
}

static char later_heard[64];

static void
later(const char *name)
{
        g_strlcat(later_heard, name, sizeof(later_heard));
        g_strlcat(later_heard, ",", sizeof(later_heard));
}

static void
fixed(void)
{
        g_autoptr(Settings) a = parse("[site]\nhostname = a.example\ndata = one\n", NULL);
        g_autoptr(Settings) b = parse("[site]\nhostname = b.example\ndata = two\nuser = mail\n", NULL);

        settings_keep_fixed(a, b, later);
        g_assert_cmpstr(b->data, ==, "/etc/restante/one");
        g_assert_null(b->user);
        g_assert_cmpstr(b->hostname, ==, "b.example");
        g_assert_cmpstr(later_heard, ==, "data,user,");
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/app/settings/standards-hold-where-nothing-is-set", standards);
        g_test_add_func("/app/settings/addresses-to-listen-on", addresses);
        g_test_add_func("/app/settings/imap.off and its rules", imap_rules);
        g_test_add_func("/app/settings/oauth RFC 7628", oauth);
        g_test_add_func("/app/settings/a-mistake-names-file-line-and-what-is-right", mistakes);
        g_test_add_func("/app/settings/sizes-take-units", sizes);
        g_test_add_func("/app/settings/what-init-writes-is-read-back", template);
        g_test_add_func("/app/settings/differences-by-the-table", differences);
        g_test_add_func("/app/settings/data-and-user-wait-for-a-restart", fixed);
        return g_test_run();
}
