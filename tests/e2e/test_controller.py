"""The controller as its operators meet it: starting, stopping, reloading, dying, and a queue that changes behind its back."""

import glob
import os
import signal
import subprocess
import unittest

from messages import message
from site_under_test import CONF, JOBCTL, Site, wait_for


class Controller(unittest.TestCase):
    def setUp(self):
        self.site = self.enterContext(Site(CONF))

    def submit(self, domain, count=1, **options):
        for i in range(count):
            self.site.submit(message(f"user{i}@{domain}", **options))

    def files(self, channel):
        return glob.glob(self.site.path("queue", channel, "*.msgs"))

    def test_it_runs_without_any_configuration(self):
        os.remove(self.site.path("jobctl.conf"))
        self.site.start()
        self.assertIsInstance(self.site.channels(), dict)
        self.assertEqual(0, self.site.stop())

    def test_mail_submitted_while_it_is_down_is_found(self):
        self.submit("mail.example", 20)
        self.site.start()
        self.site.drain()
        self.assertEqual(1, len(self.site.mailbox("user7@mail.example")))

    def test_mail_submitted_while_it_is_dead_is_found_after_a_crash(self):
        self.site.start()
        self.submit("mail.example", 3)
        self.site.kill()
        self.submit("mail.example", 3)
        self.site.start()
        self.site.drain()
        for i in range(3):
            self.assertEqual(2, len(self.site.mailbox(f"user{i}@mail.example")))

    def test_a_second_controller_is_refused(self):
        self.site.start()
        second = subprocess.run([JOBCTL, "serve", "--root", self.site.root], env=self.site.env, capture_output=True,
                                timeout=60)
        self.assertNotEqual(0, second.returncode)
        self.assertIn(str(self.site.controller.pid).encode(), second.stderr + second.stdout)
        self.submit("mail.example")
        self.site.drain()

    def test_it_starts_again_after_kill(self):
        for _ in range(3):
            self.site.start()
            self.site.kill()
        self.site.start()
        self.assertEqual(0, self.site.stop())

    def test_a_clean_stop_leaves_no_process_and_loses_nothing(self):
        self.site.start()
        self.submit("mail.example", 30)
        self.assertEqual(0, self.site.stop())
        wait_for("every program to be gone", lambda: not self.site.processes())
        self.site.start()
        self.site.drain()
        for i in range(30):
            self.assertEqual(1, len(self.site.mailbox(f"user{i}@mail.example")))

    def test_a_program_that_does_not_stop_is_stopped(self):
        self.site.configure(CONF.replace("stop_timeout = 30s", "stop_timeout = 1s"))
        self.site.write("mood", "wait")
        self.site.start()
        self.submit("moody.example")
        wait_for("the message in hand", lambda: self.site.figures("moody").get("in_hand") == 1)
        self.assertEqual(0, self.site.stop())
        wait_for("every program to be gone", lambda: not self.site.processes())
        self.site.write("mood", "deliver")
        self.site.start()
        self.site.drain()

    def test_stop_by_command(self):
        self.site.start()
        self.site.jobctl("stop")
        self.assertEqual(0, self.site.controller.wait(60))

    def test_a_reload_takes_new_settings(self):
        self.site.start()
        self.assertNotEqual(0, self.site.submit(message("ann@new.example"), check=False).returncode)
        self.site.configure(CONF.replace("[routes]", "[routes]\nnew.example = maildir"))
        self.site.jobctl("reload")
        self.submit("new.example")
        self.site.drain()
        self.assertEqual(1, len(self.site.mailbox("user0@new.example")))

    def test_a_reload_by_signal(self):
        self.site.configure(CONF.replace("[channel moody]", "[channel moody]\nstop = yes"))
        self.site.start()
        self.submit("moody.example")
        wait_for("the message to wait", lambda: self.site.figures("moody").get("ready") == 1)
        self.site.configure(CONF)
        self.site.controller.send_signal(signal.SIGHUP)
        self.site.drain()

    def test_a_reload_of_a_wrong_file_changes_nothing_and_says_why(self):
        self.site.start()
        self.site.configure(CONF.replace("threaddepth", "threaddeep"))
        refused = self.site.jobctl("reload", check=False)
        self.assertNotEqual(0, refused.returncode)
        said = (refused.stderr + refused.stdout).decode()
        self.assertIn("jobctl.conf:", said)
        self.assertIn("threaddepth", said)
        # Submitting reads the file, too, so it refuses; the controller goes on with what it had.
        self.assertTrue(self.site.channels())

    def test_check_finds_mistakes(self):
        self.assertEqual(0, self.site.jobctl("check").returncode)
        self.site.configure(CONF.replace("[channel moody]", "[chanel moody]"))
        self.assertNotEqual(0, self.site.jobctl("check", check=False).returncode)

    def test_a_stopped_channel_keeps_its_mail(self):
        self.site.start()
        self.site.jobctl("stop", "--channel", "maildir")
        self.submit("mail.example", 3)
        wait_for("the mail to wait", lambda: self.site.figures("maildir").get("ready") == 3)
        self.assertEqual([], self.site.mailbox("user0@mail.example"))
        self.site.jobctl("start", "maildir")
        self.site.drain()
        self.assertEqual(1, len(self.site.mailbox("user0@mail.example")))

    def test_an_address_without_a_route_is_refused(self):
        refused = self.site.submit(message("ann@nowhere.example"), check=False)
        self.assertIn(refused.returncode, (67, 68))
        self.assertIn(b"nowhere.example", refused.stderr)
        self.assertEqual([], self.files("maildir"))

    def test_below_the_reserve_enqueueing_is_refused(self):
        self.site.start()
        self.submit("mail.example")
        self.site.drain()
        self.site.configure(CONF.replace("reserve = 1M", "reserve = 4000000G"))
        refused = self.site.submit(message("ann@mail.example"), check=False)
        self.assertEqual(75, refused.returncode, refused.stderr)
        self.assertIn(b"space", refused.stderr)
        self.site.configure(CONF)
        self.assertEqual(0, self.site.waiting())
        self.assertEqual([], self.site.mailbox("ann@mail.example"))
        self.site.submit(message("ann@mail.example"))
        self.site.drain()
        self.assertEqual(1, len(self.site.mailbox("ann@mail.example")))

    def waiting_messages(self, count):
        """`count` messages that wait in the moody channel, which is stopped."""
        self.site.configure(CONF.replace("[channel moody]", "[channel moody]\nstop = yes"))
        self.site.start()
        self.submit("moody.example", count)
        wait_for("the messages to be known", lambda: self.site.figures("moody").get("ready") == count)

    def test_a_message_file_removed_by_hand_is_noticed(self):
        self.waiting_messages(4)
        removed = self.files("moody")
        for path in removed:
            os.remove(path)
        wait_for("an empty queue", lambda: self.site.waiting() == 0)
        self.site.configure(CONF)
        self.site.jobctl("reload")
        self.assertIn(os.path.basename(removed[0]).removesuffix(".msgs"), self.site.log())
        self.submit("moody.example")
        self.site.drain()

    def test_a_damaged_message_is_set_aside_and_the_others_are_delivered(self):
        for damage in (b"Hello", b"to user1@moody.example"):
            with self.subTest(damage=damage):
                with Site(CONF.replace("[channel moody]", "[channel moody]\nstop = yes")) as self.site:
                    self.site.start()
                    for i in range(4):
                        self.site.submit(message(f"user{i}@moody.example", subject=f"s{i}"))
                    wait_for("the messages to be known", lambda: self.site.figures("moody").get("ready") == 4)
                    self.damage_one(damage)
                    self.site.configure(CONF)
                    self.site.jobctl("reload")
                    self.site.drain()
                    with open(self.site.path("journal")) as f:
                        ends = [line for line in f if line.startswith("end")]
                    self.assertEqual(3, len(ends))
                    aside = glob.glob(self.site.path("queue", "moody", ".bad", "*"))
                    self.assertTrue(aside)
                    self.assertRegex(self.site.log(), "(?i)damaged|set aside")

    def damage_one(self, what):
        for path in self.files("moody"):
            with open(path, "r+b") as f:
                content = f.read()
                # In the record of the second message, wherever it is.
                start = content.find(b"to user1@moody.example")
                if start >= 0:
                    at = content.find(what, start)
                    f.seek(at)
                    f.write(b"J" if what == b"Hello" else b"T")
                    return
        self.fail("the message to be damaged is in no file")

    def test_a_file_that_is_no_message_file_is_left_alone(self):
        self.waiting_messages(1)
        stranger = self.site.write("queue/moody/0123456789ABC.msgs", "this is no message file")
        self.site.configure(CONF)
        self.site.jobctl("reload")
        self.site.drain()
        self.assertTrue(os.path.exists(stranger))


if __name__ == "__main__":
    unittest.main(verbosity=2)
