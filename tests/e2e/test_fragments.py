"""Large messages divided into fragments on their way, and put together again by the channel program defragment."""

import os
import random
import signal
import unittest

from site_under_test import Site, wait_for

# relay takes nothing over 100 KiB; maildir takes no fragments.
CONF = """\
[jobctl]
host = mta.example
builtin = no
relaunch_first = 100ms

[queue]
reserve = 1M

[dequeue]
retry_interval = 1s

[channel relay]
program = {channels}/loopback
maxblocks = 100
backoff = 1s

[channel defragment]
program = {channels}/defragment
backoff = 1s
option.time_limit = LIMIT

[channel maildir]
program = {channels}/maildir
defragment = yes
backoff = 1s

[routes]
mail.example = maildir
far.example = relay

[routes from relay]
far.example = maildir
"""
# What describes the content comes last, where putting together puts it (RFC 2046 5.2.2.1).
HEADER = (b"From: ann@example.org\r\nTo: bob@far.example\r\nX-Mark: folded\r\n line\r\n"
          b"Subject: a large one\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
          b"Content-Type: text/plain; charset=us-ascii\r\n\r\n")


class Mail:
    sender = "ann@example.org"

    def __init__(self, content, *recipients):
        self.content, self.recipients = content, recipients


def large(size):
    letters = random.Random(7)
    lines = []
    while size > 0:
        line = "".join(letters.choices("abcdefghij ", k=letters.randrange(0, 76))).rstrip()
        lines.append(line.encode() + b"\r\n")
        size -= len(lines[-1])
    return HEADER + b"".join(lines)


def fragment(number, total, text, identity="x@example.org", to="mail"):
    said = f"; total={total}" if total else ""
    inner = b"Subject: whole\r\nContent-Type: text/plain\r\n\r\n" if number == 1 else b""
    return Mail(f"From: ann@example.org\r\nX-Part: {number}\r\nSubject: part {number}\r\nMIME-Version: 1.0\r\n"
                f"Content-Type: message/partial; number={number}{said}; (a comment)\r\n id=\"{identity}\"\r\n\r\n"
                .encode() + inner + text, f"bob@{to}.example")


class Fragments(unittest.TestCase):
    def site(self, limit=3600):
        site = self.enterContext(Site(CONF.replace("LIMIT", str(limit))))
        site.start()
        return site

    def without_trace(self, text):
        lines = text.replace(b"\n", b"\r\n").split(b"\r\n")
        while lines[0].startswith((b"Received:", b"\t", b" ")):
            lines.pop(0)
        return b"\r\n".join(lines)

    def test_a_large_message_arrives_byte_for_byte_through_a_channel_that_takes_only_small_ones(self):
        site = self.site()
        message = large(1 << 20)
        site.submit(Mail(message, "bob@far.example", "cat@far.example"))
        site.drain()
        for user in ("bob", "cat"):
            box = site.mailbox(f"{user}@far.example")
            self.assertEqual(1, len(box))
            self.assertTrue(message == self.without_trace(box[0]), "the whole differs from what was sent")
        self.assertIn("put together 11 fragments", site.log())

    def test_a_first_fragment_without_a_header_within_it_loses_no_text(self):
        site = self.site()
        text = b"Dear Bob, this is it: text\r\nand no header\r\n\r\nSee you\r\n"
        site.submit(Mail(fragment(1, 2, b"").content.removesuffix(
            b"Subject: whole\r\nContent-Type: text/plain\r\n\r\n") + text, "bob@mail.example"))
        site.submit(fragment(2, 2, b"rest\r\n"))
        site.drain()
        box = site.mailbox("bob@mail.example")
        self.assertEqual(1, len(box))
        self.assertTrue(self.without_trace(box[0]).endswith(b"\r\n\r\n" + text + b"rest\r\n"))

    def test_without_the_keyword_fragments_arrive_as_they_are(self):
        site = self.site()
        site.configure(CONF.replace("LIMIT", "0").replace("defragment = yes\n", ""))
        site.jobctl("reload")
        site.submit(Mail(large(250 << 10), "bob@far.example"))
        site.drain()
        box = sorted(site.mailbox("bob@far.example"), key=lambda text: text.split(b"number=")[1])
        self.assertEqual(3, len(box))
        for n, text in enumerate(box, 1):
            self.assertLessEqual(len(text), 100 << 10)
            header = text.split(b"\n\n", 1)[0]
            self.assertIn(f"\tnumber={n}; total=3".encode(), header)
            self.assertIn(f"Subject: a large one (part {n} of 3)".encode(), header)
            self.assertNotIn(b"<1@example.org>", header)
        self.assertIn(b"\nMessage-ID: <1@example.org>\n", box[0].split(b"\n\n", 1)[1])

    def test_programs_killed_at_any_time_lose_nothing(self):
        site = self.site()
        message = large(2 << 20)
        site.submit(Mail(message, "bob@far.example"))
        kills = random.Random(3)
        for _ in range(8):
            name = kills.choice(["loopback", "defragment", "defragment", "maildir"])
            running = wait_for("a program", lambda: site.programs(name) or site.waiting() == 0)
            if running is True:
                break
            for pid in running:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        site.drain()
        whole = [text for text in site.mailbox("bob@far.example") if self.without_trace(text) == message]
        self.assertGreaterEqual(len(whole), 1)

    def test_fragments_come_in_any_order_and_twice(self):
        site = self.site()
        for n, total in ((3, 3), (1, 0), (1, 0), (3, 3), (2, 0)):
            site.submit(fragment(n, total, f"text {n}\r\n".encode()))
        site.drain()
        box = site.mailbox("bob@mail.example")
        self.assertEqual(1, len(box))
        self.assertEqual(b"From: ann@example.org\r\nX-Part: 1\r\nSubject: whole\r\nContent-Type: text/plain\r\n\r\n"
                         b"text 1\r\ntext 2\r\ntext 3\r\n", self.without_trace(box[0]))

    def test_fragments_that_are_sent_again_later_arrive_again(self):
        site = self.site()
        for copies in (1, 2):
            for n in (1, 2):
                site.submit(fragment(n, 2, f"text {n}\r\n".encode()))
            site.drain()
            self.assertEqual(copies, len(site.mailbox("bob@mail.example")))
            if copies == 1:
                for folder, _, names in os.walk(os.path.join(site.root, "defragment")):
                    for name in names:  # as if it were long ago
                        if name.endswith(".done"):
                            os.utime(os.path.join(folder, name), (1, 1))

    def test_fragments_of_different_senders_and_ids_do_not_mix(self):
        site = self.site()
        for identity in ("a", "b"):
            for n in (1, 2):
                site.submit(fragment(n, 2, f"{identity}{n}\r\n".encode(), identity))
        other = fragment(1, 2, b"other\r\n", "a")
        other.sender = "cat@example.org"
        site.submit(other)
        wait_for("both", lambda: len(site.mailbox("bob@mail.example")) == 2)
        bodies = sorted(text.split(b"\n\n", 1)[1] for text in site.mailbox("bob@mail.example"))
        self.assertEqual([b"a1\na2\n", b"b1\nb2\n"], bodies)
        wait_for("the third to wait alone", lambda: site.waiting() == 1)

    def test_what_never_becomes_whole_is_passed_on_as_it_is(self):
        site = self.site(limit=0)
        site.submit(fragment(1, 3, b"one\r\n"))
        site.submit(fragment(3, 3, b"three\r\n"))
        site.drain()
        box = sorted(self.without_trace(text) for text in site.mailbox("bob@mail.example"))
        self.assertEqual([fragment(1, 3, b"one\r\n").content, fragment(3, 3, b"three\r\n").content], box)

    def test_contradictions_are_passed_on_as_they_are(self):
        site = self.site()
        site.submit(fragment(1, 3, b"one\r\n"))
        wait_for("the first to wait", lambda: site.figures("defragment").get("deferred") == 1)
        for other in (fragment(1, 3, b"another\r\n"), fragment(2, 4, b"two\r\n")):
            site.submit(other)
        wait_for("both to be passed on", lambda: len(site.mailbox("bob@mail.example")) == 2)
        for n in (2, 3):
            site.submit(fragment(n, 3, b"fine\r\n"))
        site.drain()
        self.assertEqual(3, len(site.mailbox("bob@mail.example")))
        self.assertEqual(1, sum(b"\n\none\nfine\nfine\n" in text for text in site.mailbox("bob@mail.example")))


if __name__ == "__main__":
    unittest.main()
