#!/usr/bin/python3
"""Send one sample message to each recipient through an SMTP port and say what the server answered.

usage: sample-mail.py HOST PORT SENDER RECIPIENT...
"""
import email.message
import email.policy
import email.utils
import smtplib
import sys


def sample(sender, recipient):
    message = email.message.EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = "A sample for " + recipient
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = email.utils.make_msgid(domain=sender.split("@")[1])
    message.set_content("Restante keeps mail until somebody calls for it.\n")
    return message


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    host, port, sender = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with smtplib.SMTP(host, port, timeout=20) as smtp:
        smtp.ehlo_or_helo_if_needed()
        for recipient in sys.argv[4:]:
            smtp.mail(sender)
            code, text = smtp.rcpt(recipient)
            if code == 250:
                code, text = smtp.data(sample(sender, recipient).as_bytes(policy=email.policy.SMTP))
            else:
                smtp.rset()
            print(f"{recipient:30} {code} {text.decode()}")


main()
