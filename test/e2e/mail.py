"""Small things that several end-to-end tests do."""
import email
import poplib
import smtplib


def message(subject, to="someone@uk.example.com", extra="", body="Hello.\r\n"):
    return f"{extra}From: <a@stranger.example>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMessage-ID: <{subject}@stranger.example>\r\n\r\n{body}".encode()


def send(port, sender, recipients, octets):
    """The reply to DATA; raises as smtplib does when every recipient is refused."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as s:
        s.ehlo("client.example")
        s.mail(sender)
        answers = [s.rcpt(r) for r in recipients]
        if all(code >= 400 for code, _ in answers):
            return answers[0]
        return s.data(octets)


def maildrop(port, user, password="secret", delete=False):
    """The messages of a mailbox as email.message objects."""
    p = poplib.POP3("127.0.0.1", port, timeout=30)
    p.user(user)
    p.pass_(password)
    found = []
    for i in range(1, p.stat()[0] + 1):
        found.append(email.message_from_bytes(b"\r\n".join(p.retr(i)[1]) + b"\r\n"))
        if delete:
            p.dele(i)
    p.quit()
    return found


def subjects(messages):
    return sorted(m["Subject"] for m in messages)
