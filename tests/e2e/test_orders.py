"""Operators' orders on messages: what they do on the disk, and that it outlives kill -9."""

import json
import os
import pwd
import signal
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

STOPPED = CONF.replace("[channel moody]", "[channel moody]\nstop = yes")


class Orders(unittest.TestCase):
    def setUp(self):
        self.site = self.enterContext(Site(STOPPED))
        self.site.start()

    def submit(self, count, domain="moody.example", **options):
        for i in range(count):
            self.site.submit(message(f"user{i}@{domain}", **options))
        wait_for("the messages to be known", lambda: len(self.site.ls("--all")) >= count)
        return [row["id"] for row in self.site.ls("--all")]

    def order(self, *arguments, stdin=b"", status=0):
        done = self.site.jobctl(*arguments, "--json", stdin=stdin, check=False)
        self.assertEqual(status, done.returncode, done.stderr)
        return json.loads(done.stdout)

    def show(self, message_id):
        return json.loads(self.site.jobctl("show", "--json", message_id).stdout)

    def restart(self):
        self.site.kill()
        self.site.start()
        wait_for("the queue to be read", lambda: json.loads(
            self.site.jobctl("summary", "--json", check=False).stdout or b"{}").get("complete"))

    def deliver(self):
        """The channel is started, and everything that is not held goes."""
        self.site.configure(CONF)
        self.site.jobctl("reload")

    def test_a_hold_its_reason_and_its_actor_outlive_kill(self):
        ids = self.submit(3)
        done = self.order("hold", ids[0], "--reason", "asked for by \"legal\"")
        self.assertEqual((1, 0), (done["changed"], done["not_found"]))
        self.restart()
        shown = self.show(ids[0])
        self.assertEqual("held", shown["state"])
        self.assertEqual("asked for by \"legal\"", shown["hold"]["reason"])
        user = pwd.getpwuid(os.getuid()).pw_name
        self.assertEqual(f"{user} (uid {os.getuid()})", shown["hold"]["by"])
        self.assertIn("asked for by", self.site.jobctl("show", "--envelope", ids[0]).stdout.decode())
        self.assertEqual(ids[:1], [row["id"] for row in self.site.ls("--held-because", "LEGAL")])
        self.deliver()
        wait_for("the others to be delivered", lambda: self.site.waiting() == 1)
        self.order("release", ids[0])
        self.site.drain()

    def test_the_end_of_a_hold_outlives_kill(self):
        ids = self.submit(2)
        self.order("hold", ids[0], "--until", "1h")
        self.order("hold", ids[1], "--until", "3s")
        self.restart()
        self.assertTrue(self.show(ids[0])["hold"]["until"])
        wait_for("the second hold to end", lambda: [r["id"] for r in self.site.ls("--state", "ready")] == ids[1:])
        wait_for("that to be written", lambda: self.show(ids[1])["state"] == "ready" and
                 any("has ended" in e.get("text", "") for e in self.show(ids[1])["history"]))
        self.restart()
        self.assertEqual(ids[1:], [r["id"] for r in self.site.ls("--state", "ready")])

    def test_retry_times_attempts_holds_reasons_are_the_same_after_kill(self):
        self.site.write("mood", "defer")
        self.site.configure(CONF)
        self.site.jobctl("reload")
        ids = self.submit(5)
        wait_for("every message to be tried", lambda: len(self.site.ls("--state", "deferred")) == 5)
        self.order("hold", *ids[:2], "--reason", "first")
        self.order("hold", ids[2], "--until", "2h", "--reason", "second")
        before = {i: self.show(i) for i in ids}
        listed = sorted(self.site.ls("--all"), key=lambda row: row["id"])
        self.restart()
        self.assertEqual(listed, sorted(self.site.ls("--all"), key=lambda row: row["id"]))
        for i in ids:
            after = self.show(i)
            for field in ("state", "attempts", "due", "hold", "reason", "history", "committed"):
                self.assertEqual(before[i].get(field), after.get(field), field)

    def test_a_removed_message_is_gone_and_accounted_for(self):
        ids = self.submit(3)
        self.assertEqual(1, self.order("rm", ids[1], "--reason", "a test", "--dry-run")["changed"])
        self.assertEqual(3, len(self.site.ls()))
        self.assertEqual(1, self.order("rm", ids[1], "--reason", "a test")["changed"])
        self.restart()
        self.assertEqual(sorted([ids[0], ids[2]]), sorted(row["id"] for row in self.site.ls()))
        with open(self.site.path("log", "mail.log_current")) as f:
            lines = [line for line in f if "a test" in line]
        self.assertEqual(1, len(lines), lines)
        self.assertEqual(1, self.order("rm", ids[1], status=1)["not_found"])

    def test_a_routed_message_is_delivered_by_the_other_channel(self):
        ids = self.submit(2)
        self.order("hold", ids[1])
        done = self.order("route", "--to-channel", "maildir", "--all", "--reason", "moody is broken")
        self.assertEqual(2, done["changed"])
        self.site.drain()
        for i in range(2):
            self.assertEqual(1, len(self.site.mailbox(f"user{i}@moody.example")))

    def test_a_host_can_be_changed(self):
        ids = self.submit(1)
        self.assertEqual(1, self.order("route", ids[0], "--to-host", "Relay.example")["changed"])
        wait_for("the copy", lambda: [r["host"] for r in self.site.ls()] == ["relay.example"])
        self.assertEqual(1, self.order("route", "--all", "--to-host", "relay.example")["unchanged"])

    def test_a_bounced_message_is_returned_with_the_operators_reason(self):
        self.site.submit(message("bob@moody.example", sender="ann@mail.example"))
        wait_for("the message", lambda: len(self.site.ls()) == 1)
        done = self.order("bounce", "--all", "--reason", "that host is gone for good")
        self.assertEqual(1, done["changed"])
        self.site.drain()
        returned = self.site.mailbox("ann@mail.example")
        self.assertEqual(1, len(returned))
        self.assertIn(b"that host is gone for good", returned[0])
        self.assertIn(b"Action: failed", returned[0])

    def test_what_a_program_has_in_hand_is_held_when_it_comes_back_and_not_removed(self):
        self.site.write("mood", "wait")
        self.deliver()
        self.submit(1)
        wait_for("the message in hand", lambda: self.site.figures("moody").get("in_hand") == 1)
        self.assertEqual(1, self.order("rm", "--all", status=75)["in_hand"])
        self.assertEqual(1, self.order("hold", "--all", "--reason", "later")["in_hand"])
        self.site.write("mood", "defer")
        wait_for("the hold", lambda: self.site.figures("moody").get("held") == 1)
        held = self.site.ls("--state", "held")[0]["id"]
        wait_for("its reason", lambda: self.show(held)["hold"]["reason"] == "later")

    def test_what_a_program_has_in_hand_is_held_also_when_the_controller_is_killed_before(self):
        self.site.write("mood", "wait")
        self.deliver()
        ids = self.submit(2)
        wait_for("the messages in hand", lambda: self.site.figures("moody").get("in_hand") == 2)
        self.assertEqual(2, self.order("hold", "--all", "--reason", "later")["in_hand"])
        self.order("release", ids[1])
        self.restart()
        wait_for("the program to come back", lambda: self.site.figures("moody").get("in_hand") == 2)
        self.site.write("mood", "defer")
        wait_for("what becomes of both", lambda: {row["id"]: row["state"] for row in self.site.ls("--all")} ==
                 {ids[0]: "held", ids[1]: "deferred"})
        wait_for("its reason", lambda: self.show(ids[0])["hold"]["reason"] == "later")
        # What was carried out is not ordered once more; nobody has the message locked when it is released.
        self.site.jobctl("stop", "--channel", "moody")
        wait_for("the program to leave", lambda: self.site.figures("moody").get("workers") == 0)
        self.order("release", ids[0])
        self.restart()
        self.assertEqual([], self.site.ls("--state", "held"))

    def test_many_are_found_by_what_is_in_their_files(self):
        self.submit(4, subject="offer 1")
        self.site.submit(message("eve@moody.example", subject="other"))
        wait_for("the fifth", lambda: len(self.site.ls()) == 5)
        self.assertEqual(4, self.order("hold", "--subject", "OFFER", "--reason", "spam")["changed"])
        self.assertEqual(1, self.order("hold", "--recipient", "@moody.example", "--dry-run")["changed"])
        ids = self.site.jobctl("ls", "--held-because", "spam", "--json").stdout
        self.assertEqual(4, self.order("rm", "-", stdin=ids)["changed"])
        self.assertEqual(1, self.site.waiting())


if __name__ == "__main__":
    unittest.main(verbosity=2)
