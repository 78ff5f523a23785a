"""Commands that are run at certain times, and channels' slave commands, by a real controller."""

import json
import os
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

MORE = """
[periodic often]
command = {root}/often with arguments
every = 1s

[periodic nightly]
command = {root}/nightly
at = 02:00, 14:00
timeout = 2s
"""
OFTEN = """#!/bin/sh
echo "$*"
env | sort | grep -E '^(JOBCTL|PMDF)' >> "$JOBCTL_ROOT/often.env"
echo run >> "$JOBCTL_ROOT/often.runs"
"""
NIGHTLY = """#!/bin/sh
echo "$$" >> "$JOBCTL_ROOT/nightly.runs"
while [ ! -e "$JOBCTL_ROOT/nightly.end" ]; do sleep 0.05; done
"""


class Periodic(unittest.TestCase):
    def setUp(self):
        self.site = self.enterContext(Site(CONF + MORE))
        self.site.write("often", OFTEN, 0o755)
        self.site.write("nightly", NIGHTLY, 0o755)

    def job(self, name):
        return next(j for j in json.loads(self.site.jobctl("periodic", "--json").stdout)["periodic"] if j["name"] == name)

    def lines(self, name):
        try:
            with open(self.site.path(name)) as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def test_a_job_runs_again_and_again_with_its_output_logged(self):
        self.site.start()
        wait_for("three runs", lambda: len(self.lines("often.runs")) >= 3)
        wait_for("its output", lambda: "with arguments" in self.site.log())
        self.assertTrue(os.path.exists(self.site.path("log", "periodic-often.log")))
        self.assertIn(f"JOBCTL_ROOT={self.site.root}", self.lines("often.env"))
        self.assertFalse([v for v in self.lines("often.env") if v.startswith(("PMDF", "JOBCTL_JOB"))])
        self.assertIn("exited with status 0", self.site.jobctl("periodic").stdout.decode())

    def test_one_is_run_by_hand_and_not_twice(self):
        self.site.start()
        self.site.jobctl("periodic", "run", "nightly")
        wait_for("the run", lambda: self.lines("nightly.runs"))
        self.assertTrue(self.job("nightly")["running"])
        self.assertEqual(75, self.site.jobctl("periodic", "run", "nightly", check=False).returncode)
        self.site.write("nightly.end", "")
        wait_for("its end", lambda: self.job("nightly")["clean"] is True)
        self.assertEqual(1, self.site.jobctl("periodic", "run", "weekly", check=False).returncode)
        self.assertEqual(64, self.site.jobctl("periodic", "walk", check=False).returncode)

    def test_one_that_runs_too_long_is_ended(self):
        self.site.start()
        self.site.jobctl("periodic", "run", "nightly")
        wait_for("its end", lambda: self.job("nightly")["clean"] is False)
        self.assertIn("its timeout", self.site.log())
        self.assertIn("signal 15", self.job("nightly")["outcome"])

    def test_a_run_survives_an_upgrade_and_is_not_overlapped(self):
        self.site.configure(CONF + MORE.replace("timeout = 2s", ""))
        self.site.start()
        self.site.jobctl("periodic", "run", "nightly")
        wait_for("the run", lambda: self.lines("nightly.runs"))
        self.site.jobctl("stop", "--leave-programs")
        self.site.controller.wait(60)
        self.site.start()
        self.assertTrue(self.job("nightly")["running"])
        self.assertEqual(75, self.site.jobctl("periodic", "run", "nightly", check=False).returncode)
        self.site.write("nightly.end", "")
        wait_for("its end", lambda: not self.job("nightly")["running"])
        self.assertEqual(1, len(self.lines("nightly.runs")))

    def test_stopping_ends_what_runs(self):
        self.site.start()
        self.site.jobctl("periodic", "run", "nightly")
        wait_for("the run", lambda: self.lines("nightly.runs"))
        self.site.jobctl("stop", "--now")
        wait_for("an empty site", lambda: not self.site.processes())

    def test_a_slave_command_polls_for_its_channel(self):
        self.site.write("fetch", "#!/bin/sh\necho \"$PMDF_CHANNEL\" >> \"$JOBCTL_ROOT/fetched\"\n", 0o755)
        self.site.configure(CONF.replace("[channel moody]", "[channel moody]\nslave = {root}/fetch\npoll = 1s"))
        self.site.start()
        wait_for("two polls", lambda: len(self.lines("fetched")) >= 2)
        self.assertEqual({"moody"}, set(self.lines("fetched")))
        self.assertGreaterEqual(self.job("moody.slave")["runs"], 1)

    def test_a_reload_takes_new_jobs(self):
        self.site.start()
        self.site.configure(CONF)
        self.site.jobctl("reload")
        self.assertEqual([], json.loads(self.site.jobctl("periodic", "--json").stdout)["periodic"])
        self.site.configure(CONF + MORE.replace("every = 1s", "at = 03:00"))
        self.site.jobctl("reload")
        self.assertTrue(self.job("often")["next"])


class Windows(unittest.TestCase):
    def test_outside_its_window_mail_waits_until_a_reload_opens_it(self):
        # A window of a minute of the day after tomorrow is not open now.
        import time
        day = time.strftime("%a", time.localtime(time.time() + 2 * 86400))
        with Site(CONF.replace("[channel maildir]", f"[channel maildir]\nwindow = {day} 12:00-12:01")) as site:
            site.start()
            site.submit(message("a@mail.example"))
            wait_for("the message", lambda: site.figures("maildir").get("ready") == 1)
            self.assertTrue(site.figures("maildir")["opens"])
            self.assertEqual(0, site.figures("maildir")["jobs"])
            for what in (site.ls()[0]["id"], "maildir"):
                why = json.loads(site.jobctl("why", "--json", what).stdout)
                self.assertIn("waits for the delivery window of channel maildir, which opens at ", why["text"])
            self.assertEqual(site.figures("maildir")["opens"], json.loads(site.jobctl("why", "--json", site.ls()[0]["id"]).stdout)["next"])
            site.configure(CONF)
            site.jobctl("reload")
            site.drain()
            self.assertEqual(1, len(site.mailbox("a@mail.example")))


if __name__ == "__main__":
    unittest.main()
