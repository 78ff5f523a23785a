"""Test messages of every kind that real mail brings, made from a seed: the same seed gives the same bytes.

    for message in messages.generate(seed=7, count=50, domains=["a.example"]):
        message.sender, message.recipients, message.content

Contents are in the form a sendmail-like program reads: lines end in LF, nothing is dot-stuffed.
"""

import base64
import random
from dataclasses import dataclass


@dataclass
class Message:
    kind: str
    sender: str            # "" is the null sender
    recipients: list
    content: bytes         # LF line ends, ends in LF
    name: str              # unique within a run; also the Message-ID's left side


KINDS = ["plain", "multipart", "eight_bit", "long_lines", "leading_dots", "null_sender", "header_only",
         "empty_body", "recipients_100", "recipients_300", "blank_lines", "large", "odd_bytes"]

WORDS = ("the mail goes on its way and nobody knows how long it waits in a queue before somebody "
         "takes it out again to carry it one step further").split()


def _text(r, lines):
    return b"".join(" ".join(r.choices(WORDS, k=r.randint(1, 14))).encode() + b"\n" for _ in range(lines))


def _header(r, name, sender, to, extra=b""):
    return (f"From: <{sender or 'MAILER-DAEMON@sender.example'}>\n"
            f"To: {to}\n"
            f"Subject: {' '.join(r.choices(WORDS, k=4))}\n"
            f"Date: Sat, 21 Nov 2026 01:02:03 +0000\n"
            f"Message-ID: <{name}@sender.example>\n").encode() + extra


def make(kind, name, domains, r):
    """One message of `kind`, addressed within `domains`."""
    sender = "" if kind == "null_sender" else f"sender-{r.randrange(1000)}@sender.example"
    many = {"recipients_100": 100, "recipients_300": 300}.get(kind, r.choice([1, 1, 1, 2, 5]))
    recipients = [f"{name}.u{i}@{r.choice(domains)}" for i in range(many)]
    to = recipients[0] if many < 10 else "undisclosed-recipients:;"
    plain = _header(r, name, sender, to)
    if kind == "multipart":
        blob = base64.encodebytes(r.randbytes(r.randrange(100, 20000)))
        content = _header(r, name, sender, to, b"MIME-Version: 1.0\n"
                          b"Content-Type: multipart/mixed;\n\tboundary=\"=_b\"\n") + (
            b"\nThis is a message with several parts.\n--=_b\nContent-Type: text/plain; charset=utf-8\n"
            b"Content-Transfer-Encoding: 8bit\n\n" + _text(r, 5) + "grüße, 世界\n".encode() +
            b"--=_b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" + blob +
            b"--=_b--\n")
    elif kind == "eight_bit":
        content = plain + b"\n" + b"".join(
            bytes(r.choice([b for b in range(128, 256)]) for _ in range(60)) + b"\n" for _ in range(10))
    elif kind == "long_lines":
        content = plain + b"\n" + b"".join(
            bytes(r.choice(b"abcdefgh ") for _ in range(n)) + b"\n" for n in (997, 998, 999, 5000, 70000))
    elif kind == "leading_dots":
        content = plain + b"\n.\n..\n...\n.a\n..b\n\n.\n" + _text(r, 2) + b".\n"
    elif kind == "header_only":
        content = plain
    elif kind == "empty_body":
        content = plain + b"\n"
    elif kind == "blank_lines":
        content = plain + b"\n" * r.randrange(2, 40) + _text(r, 1) + b"\n" * r.randrange(1, 10)
    elif kind == "large":
        content = plain + b"\n" + _text(r, 20000)
    elif kind == "odd_bytes":
        content = plain + b"\n" + b"nul \x00 inside\ntab\t and \x7f and \x1b[0m\nFrom the start of a line\n>From\n"
    else:
        content = plain + b"\n" + _text(r, r.randrange(1, 60))
    return Message(kind, sender, recipients, content, name)


def generate(seed, count, domains, kinds=None):
    """`count` messages that go round the kinds in order."""
    r = random.Random(seed)
    kinds = kinds or KINDS
    for i in range(count):
        yield make(kinds[i % len(kinds)], f"m{seed}-{i}", domains, r)
