"""The event stream of a real controller: a message's life in `jobctl log`, followers, and cursors over a kill -9."""

import json
import subprocess
import unittest

from messages import message
from site_under_test import CONF, JOBCTL, Site, wait_for


def events(site, *options):
    return [json.loads(line) for line in site.jobctl("log", "--json", *options).stdout.splitlines()]


class Follower:
    """`jobctl log --follow --json` beside everything else."""

    def __init__(self, site, *options):
        self.process = subprocess.Popen([JOBCTL, "log", "--follow", "--json", *options], env=site.env,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def until(self, kind):
        seen = []
        for line in self.process.stdout:
            seen.append(json.loads(line))
            if seen[-1]["event"] == kind:
                return seen
        raise AssertionError(f"no {kind}; seen {seen}; {self.process.stderr.read()}")

    def end(self):
        self.process.stdout.close()
        status = self.process.wait()
        said = self.process.stderr.read()
        self.process.stderr.close()
        return status, said


class Events(unittest.TestCase):
    def test_the_life_of_a_message(self):
        with Site(CONF) as site:
            site.start()
            site.submit(message("x@bits.example"))
            wait_for("the end of the message", lambda: events(site, "--event", "finished"))
            done = events(site, "--event", "finished")[0]
            life = [e["event"] for e in events(site, "--id", done["id"])]
            self.assertEqual(life, ["queued", "leased", "finished"])
            self.assertEqual({e["channel"] for e in events(site, "--channel", "bitbucket")}, {"bitbucket"})
            kinds = {e["event"] for e in events(site, "--channel", "bitbucket")}
            self.assertLessEqual({"launched", "connected"}, kinds)
            for_people = site.jobctl("log", "--id", done["id"]).stdout.decode()
            self.assertEqual(len(for_people.splitlines()), 3)

    def test_a_follower_sees_orders_and_the_end(self):
        with Site(CONF) as site:
            site.start()
            follower = Follower(site, "--after", "0")
            follower.until("started")
            site.jobctl("stop", "--channel", "maildir")
            self.assertEqual(follower.until("channel-stopped")[-1]["channel"], "maildir")
            site.jobctl("reload")
            follower.until("reloaded")
            site.submit(message("x@mail.example"))
            cursor = follower.until("queued")[-1]["cursor"]
            site.stop()
            follower.until("stopping")
            status, said = follower.end()
            self.assertEqual(status, 69)
            self.assertIn("--after", said)
            # Another run does not know the cursor, and says so.
            site.start()
            self.assertEqual(events(site, "--after", cursor)[0]["event"], "missed")

    def test_wrong_use_is_refused(self):
        with Site(CONF) as site:
            site.start()
            for arguments, status in [(["--event", "finishd"], 64), (["--channel", "none"], 1), (["--limit", "0"], 64),
                                      (["--after", "x"], 64), (["--id", "x"], 64),
                                      (["--limit", "1", "--after", "0", "--follow"], 64)]:
                done = site.jobctl("log", *arguments, check=False)
                self.assertEqual((done.returncode, done.stdout), (status, b""), arguments)


if __name__ == "__main__":
    unittest.main()
