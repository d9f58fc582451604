"""The story every release must tell: a provider that collects a domain, an office that fetches, sorts and serves it."""
import json
import subprocess

import pytest
from mail import maildrop, message, send, subjects
from site_under_test import RESTANTE, Site

DOMAIN = "uk.example.com"


@pytest.fixture(scope="module")
def sites():
    with Site("mx.provider.example") as p, Site("mail.uk.example.com") as o:
        p.command("domain", "add", DOMAIN, f"unknown=deliver:default@{DOMAIN}", "envelope-header=X-Rcpt-To")
        p.account(f"default@{DOMAIN}")
        p.command("alias", "add", "bouncer", f"john@{DOMAIN}")
        o.command("domain", "add", DOMAIN, "unknown=bounce")
        o.account(f"joe@{DOMAIN}")
        o.account(f"ann@{DOMAIN}")
        o.command("fetch", "add", "provider", "type=pop3", "host=127.0.0.1", f"port={p.port('pop3')}", "tls=none", f"user=default@{DOMAIN}",
                  f"domains={DOMAIN}", "recipe=header X-Rcpt-To", "unknown=policy", "poll=3600", stdin="secret\n")
        o.command("fetch", "run", "provider")  # from now on nothing is fetched but by the tests
        yield p, o


def test_a_bouncer_is_refused_in_spite_of_the_catch_all(sites):
    code, text = send(sites[0].port("smtp"), "a@stranger.example", [f"john@{DOMAIN}"], b"")
    assert code == 550


def test_mail_for_a_domain_is_collected_fetched_sorted_and_served(sites):
    p, o = sites
    assert send(p.port("smtp"), "a@stranger.example", [f"joe@{DOMAIN}", f"ann@{DOMAIN}"], message("both"))[0] == 250
    assert send(p.port("smtp"), "a@stranger.example", [f"JOE@{DOMAIN}"], message("only-joe", extra="X-Rcpt-To: <ann@uk.example.com>\r\n"))[0] == 250
    out = o.command("fetch", "run", "provider")
    assert f"joe@{DOMAIN}" in out
    joe, ann = maildrop(o.port("pop3"), f"joe@{DOMAIN}"), maildrop(o.port("pop3"), f"ann@{DOMAIN}")
    assert subjects(joe) == ["both", "only-joe"]
    assert subjects(ann) == ["both"]
    assert maildrop(p.port("pop3"), f"default@{DOMAIN}") == []
    for m in joe + ann:
        assert m["Return-Path"] == "<a@stranger.example>"
    assert f"ann@{DOMAIN}" not in str(joe[0]).replace("someone@", "")
    assert joe[0]["Delivered-To"].strip("<>") == f"joe@{DOMAIN}"


def test_a_person_is_told_that_the_name_is_unknown_once_and_postmaster_gets_the_rest(sites):
    p, o = sites
    for i in range(2):
        assert send(p.port("smtp"), "person@abroad.example", [f"nobody@{DOMAIN}"], message(f"unknown-{i}"))[0] == 250
    o.command("fetch", "run", "provider")
    queued = o.json("queue", "list")
    assert [(q["sender"], q["recipient"], q["next_hop"]) for q in queued if q["recipient"] == "person@abroad.example"] == [
        ("", "person@abroad.example", "mx(abroad.example)")]


def test_queue_list_has_the_promised_fields(sites):
    rows = sites[1].json("queue", "list")
    assert rows and set(rows[0]) >= {"id", "sender", "recipient", "next_hop", "next_attempt", "attempts", "last_reply", "held"}


def test_trace_tells_where_a_message_went_and_why(sites):
    rows = sites[1].json("trace", "--to", f"joe@{DOMAIN}")
    assert rows
    recipients = [r for row in rows for r in row["recipients"]]
    assert any(r["outcome"] == "deliver" and r["steps"] for r in recipients)


def test_explain_gives_the_decision_as_json(sites):
    p, o = sites
    joe = o.json("route", "explain", f"joe@{DOMAIN}")
    assert joe["address"] == f"joe@{DOMAIN}" and joe["origin"] == "stranger"
    assert joe["decision"]["kind"] == "deliver" and joe["steps"]
    assert o.json("route", "explain", f"nobody@{DOMAIN}")["decision"]["kind"] == "bounce"
    assert p.json("route", "explain", f"john@{DOMAIN}")["decision"]["kind"] == "reject"
    assert p.json("route", "explain", "a@elsewhere.example")["decision"]["kind"] == "reject"
    assert p.json("route", "explain", "a@elsewhere.example", "--origin", "client")["decision"]["kind"] == "relay"


def test_a_rewriting_record_takes_effect_at_the_next_message(sites):
    o = sites[1]
    o.command("route", "add", f"<*@old.example> = *@{DOMAIN}")
    assert o.json("route", "explain", "joe@old.example")["decision"]["kind"] == "deliver"
    assert send(o.port("smtp"), "a@stranger.example", ["joe@old.example"], message("rewritten"))[0] == 250
    assert "rewritten" in subjects(maildrop(o.port("pop3"), f"joe@{DOMAIN}"))
    o.command("route", "remove", f"<*@old.example> = *@{DOMAIN}")
    assert o.json("route", "explain", "joe@old.example")["decision"]["kind"] == "reject"


def test_inject_delivers_from_the_command_line(sites):
    o = sites[1]
    o.command("inject", "-f", f"ann@{DOMAIN}", f"joe@{DOMAIN}", stdin="Subject: injected\n\nby hand\n")
    assert "injected" in subjects(maildrop(o.port("pop3"), f"joe@{DOMAIN}"))


def test_an_account_made_later_takes_the_mail_at_the_next_message(sites):
    p, _ = sites
    address = f"late@{DOMAIN}"
    assert send(p.port("smtp"), "a@stranger.example", [address], message("before"))[0] == 250
    p.account(address)
    assert send(p.port("smtp"), "a@stranger.example", [address], message("after"))[0] == 250
    assert subjects(maildrop(p.port("pop3"), address)) == ["after"]
    p.command("account", "remove", address)


def test_commands_open_a_stopped_site_themselves(tmp_path):
    with Site("stopped.example", directory=tmp_path) as s:
        s.command("domain", "add", "a.example")
    assert any(d["name"] == "a.example" for d in s.json("domain", "list"))
    s.account("x@a.example")
    assert s.try_command("verify").returncode == 0


def test_verify_finds_nothing_to_complain_about(sites):
    for site in sites:
        assert site.try_command("verify").returncode == 0


def test_check_warns_of_a_catch_all(sites):
    out = sites[0].try_command("check")
    assert "harvest" in out.stdout + out.stderr


@pytest.mark.parametrize("args", [[], ["domain"], ["domain", "add"], ["fetch", "run"], ["serve"], ["init"], ["trace"], ["inject"]])
def test_help_is_everywhere(args):
    out = subprocess.run([RESTANTE, *args, "--help"], capture_output=True, text=True)
    assert out.returncode == 0 and "usage:" in out.stdout.lower() and out.stderr == ""


@pytest.mark.parametrize("args", [["nonsense"], ["domain", "nonsense"], ["domain", "add"], ["route", "explain"], ["trace", "--nonsense"]])
def test_wrong_usage_is_exit_status_2(sites, args):
    out = sites[0].try_command(*args)
    assert out.returncode == 2 and out.stderr


def test_refusals_are_exit_status_1_with_one_line(sites):
    out = sites[0].try_command("domain", "add", DOMAIN)
    assert out.returncode == 1 and out.stderr.count("\n") == 1
    out = sites[0].try_command("account", "add", "x@not-here.example", stdin="secret\n")
    assert out.returncode == 1 and out.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["domain list", "account list", "alias list", "route list", "fetch list", "queue list"])
def test_lists_are_json_arrays(sites, command):
    assert isinstance(json.loads(sites[1].command(*command.split(), "--json")), list)
