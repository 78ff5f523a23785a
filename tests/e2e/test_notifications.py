"""Notifications end to end: a command that fails, a channel that is stopped, a queue that nobody serves; and the sender's
mailbox, read with Python's own mail parser.

See site_under_test.py for how to run it by hand.
"""

import email
import email.policy
import glob
import unittest

from site_under_test import Site, wait_for

CONF = """\
[jobctl]
host = e2e.example
builtin = no
relaunch_first = 200ms

[queue]
reserve = 1M
sync_interval = 1s

[dequeue]
retry_interval = 1s

[channel maildir]
program = {{channels}}/maildir
backoff = 1h

[channel pipe]
program = {{channels}}/pipe
backoff = 1h
option.command = {command}
{pipe}

[channel nobody]
# It has no program.
{nobody}

[routes]
mail.example = maildir
pipe.example = pipe
nobody.example = nobody
"""

MESSAGE = b"From: Ann <ann@mail.example>\nTo: bob\nSubject: hello\nMessage-ID: <1@mail.example>\n\nHello, Bob.\n"


class Notifications(unittest.TestCase):
    def site(self, command="/bin/true", pipe="", nobody=""):
        return Site(CONF.format(command=command, pipe=pipe, nobody=nobody))

    def reports(self, site):
        """What is in the sender's mailbox, as (per-message fields, [per-recipient fields], message)."""
        found = []
        for path in sorted(glob.glob(site.path("mailboxes", "mail.example", "ann", "new", "*"))):
            with open(path, "rb") as f:
                message = email.message_from_bytes(f.read(), policy=email.policy.default)
            self.assertEqual([], message.defects)
            self.assertEqual("multipart/report", message.get_content_type())
            self.assertEqual("delivery-status", message["Content-Type"].params["report-type"])
            parts = list(message.iter_parts())
            self.assertEqual("text/plain", parts[0].get_content_type())
            self.assertEqual("message/delivery-status", parts[1].get_content_type())
            fields = parts[1].get_payload()
            for part in parts:
                self.assertEqual([], part.defects)
            found.append((fields[0], fields[1:], message))
        return found

    def submit(self, site, *arguments, to="bob@pipe.example", sender="ann@mail.example"):
        site.jobctl("submit", "-i", "-f", sender, *arguments, "--", to, stdin=MESSAGE)

    def test_a_failure_is_reported_to_the_sender(self):
        with self.site("/bin/sh -c 'echo no such user here; exit 67'") as site:
            site.start()
            self.submit(site, "--envid", "order 17", "--orcpt", "robert@elsewhere.example")
            site.drain()
            [(message, [recipient], whole)] = self.reports(site)
            self.assertEqual("order 17", message["Original-Envelope-Id"])
            self.assertEqual("dns; e2e.example", message["Reporting-MTA"])
            self.assertEqual("failed", recipient["Action"])
            self.assertEqual("rfc822; bob@pipe.example", recipient["Final-Recipient"])
            self.assertEqual("rfc822; robert@elsewhere.example", recipient["Original-Recipient"])
            self.assertIn("no such user here", recipient["Diagnostic-Code"])
            self.assertEqual("ann@mail.example", whole["To"].addresses[0].addr_spec)
            self.assertEqual("postmaster@e2e.example", whole["From"].addresses[0].addr_spec)
            self.assertIn("no such user here", whole.get_body().get_content())
            returned = list(whole.iter_parts())[2]
            self.assertEqual("message/rfc822", returned.get_content_type())
            self.assertEqual("Hello, Bob.\n", returned.get_payload()[0].get_content())
            self.assertIn("notified by", site.log())

    def test_what_the_sender_asks_for_counts(self):
        with self.site("/bin/sh -c 'exit 67'") as site:
            site.start()
            self.submit(site, "--notify", "never")
            self.submit(site, "--notify", "success,delay")
            self.submit(site, "--notify", "failure", "--return", "hdrs")
            self.submit(site, sender="")
            site.drain()
            [(_, _, whole)] = self.reports(site)
            self.assertEqual("text/rfc822-headers", list(whole.iter_parts())[2].get_content_type())

    def test_a_delivery_is_reported_on_demand(self):
        with self.site() as site:
            site.start()
            self.submit(site, "--notify", "success")
            self.submit(site)
            site.drain()
            [(_, [recipient], whole)] = self.reports(site)
            self.assertEqual("delivered", recipient["Action"])
            self.assertEqual("2.0.0", recipient["Status"])
            self.assertEqual("text/rfc822-headers", list(whole.iter_parts())[2].get_content_type())

    def test_mail_that_nobody_takes_is_warned_about_once_and_then_returned(self):
        with self.site(nobody="notices = 2s 4s 7s") as site:
            site.start()
            self.submit(site, to="bob@nobody.example")
            wait_for("the first warning", lambda: len(self.reports(site)) == 1)
            site.kill()  # what was said is remembered
            site.start()
            wait_for("the return", lambda: len(self.reports(site)) == 3)
            site.drain()
            reports = self.reports(site)
            self.assertEqual(["delayed", "delayed", "failed"], [r["Action"] for _, [r], _ in reports])
            self.assertEqual(["4.0.0", "4.0.0", "4.4.7"], [r["Status"] for _, [r], _ in reports])
            self.assertIsNotNone(reports[0][1][0]["Will-Retry-Until"])
            self.assertIsNone(reports[2][1][0]["Will-Retry-Until"])
            self.assertEqual("message/rfc822", list(reports[2][2].iter_parts())[2].get_content_type())
            with open(site.path("log", "mail.log_current")) as f:
                codes = [words[5] for words in map(str.split, f) if "nobody" in words[3:5]]
            self.assertEqual(["E", "W", "W", "R"], codes)

    def test_mail_of_a_stopped_channel_is_returned_with_the_last_reason(self):
        with self.site("/bin/sh -c 'echo closed; exit 75'", pipe="notices = 4s\nstop = no") as site:
            site.start()
            self.submit(site, "--notify", "failure,delay")
            wait_for("the deferral", lambda: site.figures("pipe").get("deferred") == 1)
            site.jobctl("stop", "--channel", "pipe")
            wait_for("the return", lambda: len(self.reports(site)) == 1)
            [(_, [recipient], _)] = self.reports(site)
            self.assertEqual("failed", recipient["Action"])
            self.assertIn("closed", recipient["Diagnostic-Code"])
            self.assertEqual(1, site.figures("pipe").get("expired"))
            site.drain()

    def test_a_return_to_a_sender_who_cannot_be_reached_is_held(self):
        with self.site(nobody="notices = 1s") as site:
            site.start()
            self.submit(site, to="bob@nobody.example", sender="ann@unknown.example")
            wait_for("the hold", lambda: site.figures("nobody").get("held") == 1)
            [row] = site.ls()
            self.assertIn("cannot be notified", site.jobctl("show", row["id"]).stdout.decode())
            self.assertEqual([], self.reports(site))


if __name__ == "__main__":
    unittest.main(verbosity=2)
