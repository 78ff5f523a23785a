"""Back-pressure: what enqueuers are told of channels, and of a queue, that hold as much as they may."""

import json
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

LIMITED = CONF.replace("[channel maildir]", "[channel maildir]\nbacklog_limit = 3\nstop = yes")
TO = message("x@mail.example")


def full(site, channel):
    return wait_for("whether it is full", lambda: site.figures(channel) or None)["full"]


class Backlog(unittest.TestCase):
    def fill(self, site):
        for _ in range(3):
            site.submit(TO)
        wait_for("the channel to be full", lambda: full(site, "maildir"))

    def refused(self, site, m):
        """What `submit` says when it is: anything that was accepted before is queued."""
        return wait_for("a refusal", lambda: site.submit(m, check=False).returncode == 75
                        and site.submit(m, check=False).stderr.decode())

    def test_a_full_channel_is_refused_and_said_to_be_full_until_it_is_not(self):
        with Site(LIMITED) as site:
            site.start()
            self.fill(site)
            said = self.refused(site, TO)
            self.assertRegex(said, r'"x@mail.example": channel maildir holds \d+ messages, and its backlog_limit is 3: .*try again later')
            self.assertIn("nothing was queued", said)
            site.submit(message("x@bits.example"))  # others are not full
            self.assertIn("full", site.jobctl("summary").stdout.decode())
            self.assertIn("backlog_limit is 3", site.jobctl("why", "maildir").stdout.decode())
            events = [json.loads(line) for line in site.jobctl("log", "--json", "--event", "backlog-full").stdout.splitlines()]
            self.assertEqual([e["channel"] for e in events], ["maildir"])
            site.jobctl("start", "maildir")
            wait_for("room", lambda: not full(site, "maildir"))
            wait_for("its mail to be accepted", lambda: site.submit(TO, check=False).returncode == 0)
            site.drain()
            self.assertIn("backlog-relieved", site.jobctl("log").stdout.decode())

    def test_without_a_controller_nobody_counts(self):
        with Site(LIMITED) as site:
            site.start()
            self.fill(site)
            self.refused(site, TO)
            site.stop()
            site.submit(TO)

    def test_a_program_defers_what_it_cannot_pass_on(self):
        with Site(LIMITED) as site:
            site.start()
            self.fill(site)
            self.refused(site, TO)
            site.submit(message("x@loop.example"))
            wait_for("the deferral", lambda: site.figures("loopback").get("deferred") == 1)
            waiting = site.ls("--channel", "loopback")[0]
            self.assertIn("backlog_limit", site.jobctl("show", waiting["id"]).stdout.decode())
            site.jobctl("start", "maildir")
            wait_for("room", lambda: not full(site, "maildir"))
            wait_for("the second attempt", lambda: site.jobctl("run", "loopback") and not site.ls("--channel", "loopback"))
            site.drain()
            self.assertEqual(len(site.mailbox("x@loop.example")), 1)

    def test_notifications_are_not_refused(self):
        with Site(LIMITED) as site:
            site.write("mood", "fail")
            site.start()
            self.fill(site)
            self.refused(site, TO)
            before = sum(site.figures("maildir")[state] for state in ("ready", "deferred", "held"))
            site.submit(message("x@moody.example", sender="x@mail.example"))
            wait_for("the report", lambda: site.figures("maildir")["ready"] == before + 1)
            self.assertEqual(site.ls("--channel", "moody"), [])

    def test_a_full_queue_takes_nothing_new_but_passes_on_what_it_has(self):
        with Site(CONF.replace("[queue]", "[queue]\nbacklog_limit = 3").replace("[channel maildir]", "[channel maildir]\nstop = yes")
                  .replace("[channel loopback]", "[channel loopback]\nstop = yes")) as site:
            site.start()
            for to in ("x@mail.example", "x@mail.example", "x@loop.example"):
                site.submit(message(to))
            wait_for("the queue to be full",
                     lambda: json.loads(site.jobctl("summary", "--json").stdout)["total"]["full"])
            said = wait_for("a refusal", lambda: site.submit(message("x@bits.example"), check=False).stderr.decode())
            self.assertRegex(said, r"the queue holds \d+ messages, and its backlog_limit is 3")
            site.jobctl("start", "loopback")
            wait_for("it to be passed on", lambda: site.figures("loopback").get("finished") == 1)
            site.jobctl("start", "maildir")
            wait_for("room", lambda: site.submit(message("x@bits.example"), check=False).returncode == 0)
            site.drain()


if __name__ == "__main__":
    unittest.main()
