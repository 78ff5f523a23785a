"""Channels and destination hosts that operators stop: nothing goes there until they are started, or the end comes; over
restarts; and everybody is told by whom, why and until when."""

import json
import os
import pwd
import time
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

# Two destinations in one channel, and one of them in a second channel as well.
ROUTES = CONF.replace("mail.example = maildir", "mail.example = maildir\nother.example = maildir\nmx.mail.example = maildir")
ME = pwd.getpwuid(os.getuid()).pw_name


class Stops(unittest.TestCase):
    def setUp(self):
        self.site = self.enterContext(Site(ROUTES))
        self.site.start()

    def submit(self, *domains):
        for domain in domains:
            self.site.submit(message(f"ann@{domain}"))

    def delivered(self, domain):
        return len(self.site.mailbox(f"ann@{domain}"))

    def ready(self, channel="maildir"):
        return self.site.figures(channel).get("ready")

    def stops(self):
        return json.loads(self.site.jobctl("summary", "--json").stdout)["stops"]

    def why(self, what):
        return json.loads(self.site.jobctl("why", "--json", what).stdout)

    def events(self):
        return [json.loads(line) for line in self.site.jobctl("log", "--json").stdout.splitlines()]

    def test_a_stopped_host_waits_while_others_go_on_and_all_say_why(self):
        self.site.jobctl("stop", "--channel", "maildir", "--host", "mail.example", "--reason", "their disk is full",
                         "--until", "3h")
        self.submit("mail.example", "other.example")
        wait_for("the other host's mail", lambda: self.delivered("other.example") == 1)
        wait_for("the mail to wait", lambda: self.ready() == 1)
        self.assertEqual(0, self.delivered("mail.example"))
        message_id = self.site.ls()[0]["id"]
        [stop] = self.stops()
        self.assertEqual(("maildir", "mail.example", "their disk is full"), (stop["channel"], stop["host"], stop["reason"]))
        self.assertTrue(stop["by"].startswith(f"{ME} (uid "), stop["by"])
        for what in message_id, "mail.example", "maildir":
            told = self.why(what)
            self.assertEqual(stop["until"], told["next"])
            for part in ("host mail.example is stopped in channel maildir since", ME, "their disk is full", stop["until"],
                         "jobctl start maildir --host mail.example"):
                self.assertIn(part.lower(), told["text"].lower())
        self.assertIn("their disk is full", self.site.jobctl("summary").stdout.decode())
        destinations = json.loads(self.site.jobctl("top", "--json").stdout)["destinations"]
        self.assertEqual([("mail.example", "stopped", stop["until"])],
                         [(d["host"], d["barrier"], d["until"]) for d in destinations])
        told = [e for e in self.events() if e["event"] == "destination-stopped"]
        self.assertEqual("maildir", told[0]["channel"])
        self.assertIn("their disk is full", told[0]["text"])

        self.site.jobctl("start", "maildir", "--host", "mail.example")
        wait_for("the mail", lambda: self.delivered("mail.example") == 1)
        self.assertIn("destination-started", [e["event"] for e in self.events()])
        self.assertEqual([], self.stops())

    def test_no_program_is_launched_for_a_stopped_host(self):
        self.site.jobctl("stop", "--host", ".mail.example")
        self.submit("mail.example", "mx.mail.example")
        wait_for("the mail to wait", lambda: self.ready() == 2)
        self.site.jobctl("run", "maildir")
        self.submit("bits.example")  # the controller has looked at everything when that is done
        wait_for("the end of the other", lambda: self.site.figures("bitbucket").get("finished") == 1)
        self.assertEqual([], self.site.programs("maildir"))
        self.assertEqual(0, self.site.figures("maildir")["jobs"])
        self.assertEqual(2, self.site.figures("maildir")["blocked"])
        self.site.jobctl("start", "--host", ".mail.example")
        self.site.drain()
        self.assertEqual((1, 1), (self.delivered("mail.example"), self.delivered("mx.mail.example")))

    def test_a_kill_of_the_controller_starts_nothing(self):
        self.site.jobctl("stop", "--host", "mail.example", "--reason", "asked for", "--until", "5h")
        self.site.jobctl("stop", "--channel", "bitbucket", "--reason", "no bits")
        before = self.stops()
        self.submit("mail.example", "bits.example")
        for _ in range(2):
            self.site.kill()
            self.submit("mail.example")
            self.site.start()
            self.submit("other.example")
            wait_for("the other host's mail", lambda: self.delivered("other.example") > 0)
        wait_for("the mail to wait", lambda: self.ready() == 3 and self.ready("bitbucket") == 1)
        self.assertEqual([{**stop, "text": ""} for stop in before], [{**stop, "text": ""} for stop in self.stops()])
        self.assertEqual(0, self.delivered("mail.example"))
        self.assertIn("no bits", self.why("bitbucket")["text"])
        self.site.jobctl("start", "bitbucket")
        self.site.jobctl("start", "--host", "mail.example")
        self.site.drain()
        self.assertEqual(3, self.delivered("mail.example"))
        self.site.kill()
        self.site.start()
        self.assertEqual([], self.stops())

    def test_a_stop_ends_by_itself_also_over_a_kill(self):
        until = time.time() + 3
        self.site.jobctl("stop", "--channel", "maildir", "--until", "3s")
        self.site.jobctl("stop", "--channel", "moody", "--host", "moody.example", "--until", "3s")
        self.submit("mail.example", "moody.example")
        self.site.kill()
        self.site.start()
        self.site.drain()
        self.assertGreaterEqual(time.time(), until - 0.1)
        self.assertEqual(1, self.delivered("mail.example"))
        self.assertEqual([], self.stops())
        log = self.site.log()
        self.assertRegex(log, rf"channel maildir: started by itself: its stop by {ME} \(uid \d+\) ended at ")
        self.assertIn("channel moody: host moody.example started by itself: its stop by", log)
        with open(self.site.path("run", "stopped")) as kept:
            self.assertEqual("stops 2\n", kept.read())

    def test_what_a_program_has_in_hand_is_finished_and_what_it_hands_back_waits(self):
        self.site.write("mood", "wait")
        self.submit("moody.example")
        wait_for("the message in hand", lambda: self.site.figures("moody").get("in_hand") == 1)
        self.site.jobctl("stop", "--host", "moody.example")
        self.assertEqual(1, self.site.figures("moody")["in_hand"])
        for pid in self.site.programs("moody"):
            os.kill(pid, 9)
        wait_for("the message to come back", lambda: self.ready("moody") == 1)
        self.submit("mail.example")
        wait_for("other mail", lambda: self.delivered("mail.example") == 1)
        self.assertEqual(0, self.site.figures("moody")["in_hand"])
        self.site.write("mood", "deliver")
        self.site.jobctl("start", "--host", "moody.example")
        self.site.drain()

    def test_the_old_file_is_understood_and_a_damaged_one_starts_nothing(self):
        self.site.stop()
        self.site.write("run/stopped", "maildir\n")
        self.site.start()
        [stop] = self.stops()
        self.assertEqual(("maildir", None, None), (stop["channel"], stop["since"], stop["by"]))
        self.assertIn("jobctl start maildir", self.why("maildir")["text"])
        self.site.stop()
        self.site.write("run/stopped", "stops 2\nmaildir\n")
        self.site.start(wait=False)
        self.assertNotEqual(0, self.site.controller.wait(60))
        self.assertIn("run/stopped:2: ", self.site.log())

    def test_wrong_orders_change_nothing(self):
        for arguments, status in [(("--channel", "nosuch"), 1), (("--channel", "nosuch", "--host", "a"), 1),
                                  (("--host", "a b"), 64), (("--host", "*"), 64), (("--host", "a", "--until", "tomorrow"), 64),
                                  (("--channel", "maildir", "--until", "2020-01-01"), 64),
                                  (("--channel", "maildir", "--reason", "x" * 501), 64)]:
            done = self.site.jobctl("stop", *arguments, check=False)
            self.assertEqual((status, b""), (done.returncode, done.stdout), arguments)
            self.assertNotEqual(b"", done.stderr)
        self.assertEqual([], self.stops())
        self.assertFalse(os.path.exists(self.site.path("run", "stopped")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
