"""The life of a message in the accounting log: from its submission through two channels, correlated by Message-ID."""

import json
import os
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

ACCOUNTS = CONF.replace("[jobctl]", "[jobctl]\naccounting = both\naliases = {root}/aliases")


class Accounting(unittest.TestCase):
    def lines(self, site, name="mail.log.json"):
        try:
            with open(site.path("log", name)) as f:
                return [json.loads(line) if name.endswith("json") else line for line in f]
        except FileNotFoundError:
            return []

    def submit(self, site, *recipients, body="x"):
        site.jobctl("submit", "-f", "ann@sender.example", *recipients,
                    stdin=f"Message-ID: <{body}@sender.example>\nSubject: {body}\n\n{body}\n".encode())

    def test_one_message_can_be_followed_through_all_channels(self):
        with Site(ACCOUNTS) as site:
            site.write("aliases", "team: bob@loop.example, carl@bits.example\n")
            site.start()
            self.submit(site, "team", body="life")
            self.submit(site, "dan@bits.example", body="other")
            site.drain()
            wait_for("all lines", lambda: len(self.lines(site)) >= 8)
            mine = [o for o in self.lines(site) if o["message_id"] == "<life@sender.example>"]
            steps = {(o["code"], o.get("source"), o.get("destination"), o["to"]) for o in mine}
            self.assertEqual({("E", None, "loopback", "bob@loop.example"), ("E", None, "bitbucket", "carl@bits.example"),
                              ("D", "bitbucket", None, "carl@bits.example"),
                              ("D", "loopback", None, "bob@loop.example"), ("E", "loopback", "maildir", "bob@loop.example"),
                              ("D", "maildir", None, "bob@loop.example")}, steps)
            self.assertEqual(6, len(mine))
            # Each stay in a queue has an id of its own; enqueue and dequeue agree on it, on the size and the original.
            stays = {}
            for o in mine:
                stays.setdefault(o["id"], []).append(o)
                self.assertEqual("team@e2e.example", o["original"])
            self.assertEqual([2, 2, 2], sorted(map(len, stays.values())))
            for pair in stays.values():
                self.assertEqual(pair[0]["size"], pair[1]["size"])
            self.assertEqual({"relayed", "delivered"}, {o["disposition"] for o in mine if o["code"] == "D"})
            # The text form says the same.
            text = [line.split() for line in self.lines(site, "mail.log_current")]
            self.assertEqual(len(self.lines(site)), len(text))
            self.assertEqual(sorted(o["code"] for o in mine),
                             sorted(w[5] for w in text if w[12] == "<life@sender.example>"))

    def test_deferral_and_rotation(self):
        with Site(ACCOUNTS) as site:
            site.write("aliases", "x: y\n")
            site.write("mood", "defer")
            site.start()
            self.submit(site, "bob@moody.example", body="moody")
            wait_for("the deferral", lambda: any(o["code"] == "Q" for o in self.lines(site)))
            for name in ("mail.log.json", "mail.log_current"):
                os.rename(site.path("log", name), site.path("log", name + ".1"))
            site.write("mood", "deliver")
            site.jobctl("run", "moody")
            site.drain()
            wait_for("the delivery", lambda: any(o["code"] == "D" for o in self.lines(site)))
            new = self.lines(site)
            with open(site.path("log", "mail.log.json.1")) as f:
                old = [json.loads(line) for line in f]
            self.assertEqual(["D"], [o["code"] for o in new])
            self.assertEqual(["E", "Q"], [o["code"] for o in old])
            self.assertEqual(1, len({o["id"] for o in old + new}))
            self.assertEqual([1, 2], [o["attempt"] for o in old + new if "attempt" in o])

    def test_aliases_are_checked_before_they_are_used(self):
        with Site(ACCOUNTS) as site:
            site.write("aliases", "good: bob@bits.example\nbad |x\n")
            site.start()
            checked = site.jobctl("check", check=False)
            self.assertEqual(78, checked.returncode)
            self.assertIn(b"aliases:2: \"bad |x\"", checked.stderr)
            self.assertIn(b"aliases:2: \"bad |x\"", site.jobctl("reload", check=False).stderr)
            refused = site.jobctl("submit", "-f", "", "good", stdin=b"\nx\n", check=False)
            self.assertEqual(75, refused.returncode)
            self.assertEqual(["J"], [o["code"] for o in self.lines(site)])
            site.write("aliases", "good: bob@bits.example\n")
            site.jobctl("reload")
            site.jobctl("submit", "-f", "", "good", stdin=b"\nx\n")
            site.drain()


if __name__ == "__main__":
    unittest.main(verbosity=2)
