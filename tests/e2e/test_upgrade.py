"""A new version takes over while mail flows: the controller is replaced as the package does it (packaging/debian/postinst)."""

import threading
import time
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for


class Upgrade(unittest.TestCase):
    def setUp(self):
        self.site = self.enterContext(Site(CONF))

    def mood(self, word):
        self.site.write("mood", word)

    def journal(self, what):
        try:
            with open(self.site.path("journal")) as f:
                return [line.split()[1:] for line in f if line.split()[0] == what]
        except FileNotFoundError:
            return []

    def replace(self):
        """Returns how long no controller was there, in seconds."""
        began = time.monotonic()
        self.site.jobctl("stop", "--leave-programs")
        self.assertEqual(0, self.site.controller.wait(60))
        self.site.start()
        return time.monotonic() - began

    def test_programs_keep_what_they_hold_and_mail_is_taken_all_the_time(self):
        self.mood("wait")
        self.site.start()
        for i in range(5):
            self.site.submit(message(f"held{i}@moody.example"))
        wait_for("messages in hand", lambda: len(self.journal("begin")) == 5)
        program = self.site.programs("moody")
        self.assertEqual(1, len(program))

        submitted, done = [], threading.Event()

        def submit():
            while not done.is_set():
                self.site.submit(message(f"user{len(submitted)}@mail.example"))  # an error here ends the thread
                submitted.append(1)

        enqueuer = threading.Thread(target=submit)
        enqueuer.start()
        try:
            wait_for("mail to flow", lambda: len(submitted) > 5)
            pauses = []
            for _ in range(3):
                pauses.append(self.replace())
                wait_for("the program to come back", lambda: self.site.figures("moody").get("in_hand") == 5)
                flowed = len(submitted)
                wait_for("mail to flow", lambda: len(submitted) > flowed + 5 or not enqueuer.is_alive())
                self.assertTrue(enqueuer.is_alive())
        finally:
            done.set()
            enqueuer.join()
        self.assertIn(program[0], self.site.programs("moody"))
        print(f"without a controller for at most {max(pauses):.3f} s")

        self.mood("deliver")
        self.site.drain()
        self.assertEqual(5, len(self.journal("begin")))  # none was begun twice
        self.assertEqual(5, len(self.journal("end")))
        for i in range(len(submitted)):
            self.assertEqual(1, len(self.site.mailbox(f"user{i}@mail.example")))

    def test_a_channel_that_is_stopped_stays_stopped_and_the_next_stop_ends_the_programs(self):
        self.site.start()
        self.site.submit(message("a@moody.example"))
        self.site.drain()
        self.site.jobctl("stop", "--channel", "maildir")
        self.replace()
        self.assertTrue(self.site.figures("maildir")["stopped"])
        self.site.jobctl("stop")
        wait_for("the programs to leave", lambda: not self.site.processes())

    def test_it_is_one_or_the_other(self):
        self.site.start()
        self.assertEqual(64, self.site.jobctl("stop", "--leave-programs", "--now", check=False).returncode)
        self.assertEqual(64, self.site.jobctl("stop", "--leave-programs", "--channel", "maildir", check=False).returncode)


if __name__ == "__main__":
    unittest.main()
