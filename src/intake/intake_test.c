/* intake_test.c -- what comes of a message, from its recipients to mailboxes, queue and trace. */
#include "intake/fixture.h"

#define MESSAGE "From: <a@b.example>\r\nTo: joe@ex.org\r\nSubject: hello\r\nMessage-ID: <1@b.example>\r\n\r\nbody\r\n"

static guint
count_of(const char *text, const char *part)
{
        guint n = 0;

        for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
                n++;
        return n;
}

static void
test_delivery(Site *site, gconstpointer data)
{
        g_assert_cmpint(site_send(site, "a@b.example", "joe@ex.org", MESSAGE), ==, INTAKE_ACCEPTED);
        g_auto(GStrv) inbox = site_inbox(site, "joe@ex.org");
        g_assert_cmpuint(g_strv_length(inbox), ==, 1);
        g_assert_true(g_str_has_prefix(inbox[0], "Return-Path: <a@b.example>\r\nDelivered-To: joe@ex.org\r\n"
                                                 "Received: from client.example ([192.0.2.1]) by mx.ex.org with ESMTP"));
        g_assert_nonnull(strstr(inbox[0], "<joe@ex.org>;"));
        g_assert_true(g_str_has_suffix(inbox[0], "\r\n" MESSAGE));
        g_assert_cmpuint(site_verify(site), ==, 1);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/intake/" path, Site, NULL, site_init, fn, site_done)
        ADD("delivery: Return-Path, Delivered-To, Received, then the message as sent RFC 5321 §4.4", test_delivery);
        (void) count_of;
        return g_test_run();
}
