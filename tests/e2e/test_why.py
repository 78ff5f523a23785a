"""`jobctl why`: for every state of a message, for channels and hosts, why it waits and what comes next."""

import json
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

STOPPED = CONF.replace("[channel moody]", "[channel moody]\nstop = yes")


class Why(unittest.TestCase):
    def setUp(self):
        self.site = self.enterContext(Site(STOPPED))
        self.site.start()

    def submit(self, *options):
        m = message("ann@moody.example")
        self.site.jobctl("submit", "--raw", "-i", *options, "-f", m.sender, "--", *m.recipients, stdin=m.content)
        wait_for("the message to be known", lambda: self.site.ls())
        return self.site.ls()[0]["id"]

    def why(self, what):
        return json.loads(self.site.jobctl("why", "--json", what).stdout)

    def start_channel(self, mood):
        self.site.write("mood", mood)
        self.site.jobctl("start", "moody")

    def test_a_stopped_channel(self):
        message_id = self.submit()
        for what, kind in ((message_id, "message"), ("moody", "channel"), ("moody.example", "host")):
            told = self.why(what)
            self.assertEqual((kind, "ready"), (told["kind"], told["state"]))
            self.assertIn("jobctl start moody", told["text"])
        self.assertIn("is stopped", self.site.jobctl("why", message_id).stdout.decode())

    def test_a_deferred_message(self):
        message_id = self.submit()
        self.start_channel("defer")
        wait_for("the message to be tried", lambda: self.site.ls("--state", "deferred"))
        for what in (message_id, "moody", "moody.example"):
            told = self.why(what)
            self.assertEqual("deferred", told["state"])
            self.assertEqual("the mood is to defer", told["last_error"])
            self.assertTrue(told["next"])
            self.assertIn("the mood is to defer", told["text"])

    def test_a_message_for_later(self):
        message_id = self.submit("--at", "+2h")
        told = self.why(message_id)
        self.assertEqual("deferred", told["state"])
        self.assertIn("not to be sent before", told["text"])
        self.assertEqual(self.site.ls()[0]["due"], told["next"])

    def test_a_held_message(self):
        message_id = self.submit()
        self.site.jobctl("hold", message_id, "--reason", "asked for by legal", "--until", "2h")
        told = self.why(message_id)
        self.assertEqual("held", told["state"])
        self.assertIn("asked for by legal", told["text"])
        self.assertTrue(told["next"])
        self.site.jobctl("hold", message_id)
        self.assertIn("jobctl release", self.why(message_id)["text"])

    def test_a_message_in_hand(self):
        message_id = self.submit()
        self.start_channel("wait")
        wait_for("the message in hand", lambda: self.site.ls("--state", "in-hand"))
        self.assertEqual("in-hand", self.why(message_id)["state"])
        self.assertEqual("in-hand", self.why("moody.example")["state"])

    def test_a_program_that_cannot_work(self):
        message_id = self.submit()
        self.start_channel("exit")
        wait_for("the program to fail", lambda: "exited with status 3" in self.why(message_id)["text"])

    def test_a_message_that_is_gone(self):
        message_id = self.submit()
        self.site.jobctl("rm", message_id)
        done = self.site.jobctl("why", "--json", message_id, check=False)
        if done.returncode == 0:
            self.assertEqual("finished", json.loads(done.stdout)["state"])
        else:  # its file has been reset meanwhile
            self.assertEqual(1, done.returncode)
            self.assertIn(b"finished, removed, or never there", done.stderr)

    def test_wrong_names(self):
        for what, status in (("nosuch", 1), ("0C9V3K8ZC4S0R.1.17", 1), ("", 64)):
            done = self.site.jobctl("why", what, check=False)
            self.assertEqual(status, done.returncode, what)
            self.assertEqual(b"", done.stdout)
        self.assertEqual(64, self.site.jobctl("why", check=False).returncode)
        self.assertIn(b"Nothing waits", self.site.jobctl("why", "pipe").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
