"""`jobctl check --queue`: what was deleted, added, cut off or changed by hand is named, and blocks nothing else."""

import glob
import json
import os
import shutil
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

# The controller itself does not look at the directories while a test lasts.
QUIET = CONF.replace("sync_interval = 1s", "sync_interval = 1h").replace("[channel moody]", "[channel moody]\nstop = yes")


class CheckQueue(unittest.TestCase):
    def setUp(self):
        self.site = self.enterContext(Site(QUIET))

    def files(self, site=None):
        return glob.glob((site or self.site).path("queue", "moody", "*.msgs"))

    def submit(self, count):
        for i in range(count):
            self.site.submit(message(f"user{i}@moody.example", subject=f"s{i}"))

    def start(self):
        self.site.start()
        wait_for("the queue to be read", lambda: json.loads(
            self.site.jobctl("summary", "--json", check=False).stdout or b"{}").get("complete"))

    def check(self, status):
        done = self.site.jobctl("check", "--queue", "--json", check=False)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def change(self, what, to):
        """Changes one byte of the first message file that has it."""
        for path in self.files():
            with open(path, "r+b") as f:
                at = f.read().find(what)
                if at >= 0:
                    f.seek(at)
                    f.write(to)
                    return
        self.fail("no message file has it")

    def others_are_delivered(self, count):
        self.site.configure(QUIET.replace("\nstop = yes", ""))
        self.site.jobctl("reload")
        def ends():
            try:
                with open(self.site.path("journal")) as f:
                    return sum(line.startswith("end") for line in f)
            except FileNotFoundError:
                return 0
        wait_for("the others to be delivered", lambda: ends() == count)

    def test_a_sound_queue(self):
        self.assertEqual(0, self.check(0)["messages"])
        self.submit(3)
        found = self.check(0)
        self.assertEqual((3, False, []), (found["messages"], found["compared"], found["problems"]))
        self.start()
        self.assertTrue(self.check(0)["compared"])
        self.assertIn("all is well", self.site.jobctl("check", "--queue").stdout.decode())

    def test_a_deleted_file_is_named(self):
        self.submit(2)
        self.start()
        ids = sorted(row["id"] for row in self.site.ls())
        for path in self.files():
            os.remove(path)
        found = self.check(65)
        self.assertEqual(ids, sorted(p["what"] for p in found["problems"]))
        self.assertIn("no longer", found["problems"][0]["text"])

    def test_an_added_file_is_named_until_the_controller_has_found_it(self):
        self.start()
        with Site(QUIET) as other:
            other.submit(message("ann@moody.example"))
            added = self.files(other)[0]
            os.makedirs(self.site.path("queue", "moody"), exist_ok=True)
            shutil.copy(added, self.site.path("queue", "moody"))
        self.assertIn("does not know it yet", self.check(65)["problems"][0]["text"])

    def test_a_changed_message_is_named_with_and_without_a_controller(self):
        self.submit(3)
        self.change(b"Subject: s1", b"J")
        for start in (lambda: None, self.start):
            start()
            found = self.check(65)
            self.assertEqual(1, len(found["problems"]))
            self.assertIn("content of message", found["problems"][0]["text"])
        self.assertEqual(3, len(self.site.ls()))

    def test_a_file_that_was_cut_off_is_named_and_the_others_are_delivered(self):
        self.submit(3)
        path = max(self.files(), key=os.path.getsize)
        with open(path, "rb") as f:
            at = f.read().find(b"Subject: s2")
        self.assertGreater(at, 0)
        os.truncate(path, at)
        self.start()
        self.assertEqual(1, len(self.check(65)["problems"]))
        self.others_are_delivered(2)

    def test_a_file_that_is_none_is_named(self):
        self.submit(1)
        self.site.write("queue/moody/0123456789ABC.msgs", "this is no message file")
        self.start()
        found = self.check(65)
        self.assertIn("0123456789ABC.msgs", found["problems"][0]["what"])
        self.others_are_delivered(1)

    def test_wrong_options(self):
        self.assertEqual(64, self.site.jobctl("check", "--queue", "--show", check=False).returncode)


if __name__ == "__main__":
    unittest.main(verbosity=2)
