"""A channel program that reports an overloaded target, and what operators see of it."""

import json
import os
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

STRESS = """[channel moody]
stressblackout = 1h
stressfactor = 3
stresstime = {time}
unstresstime = 1s
unstressfactor = 3
unstressjobs = 100"""


class Stress(unittest.TestCase):
    def test_a_report_is_seen_and_passes(self):
        with Site(CONF.replace("[channel moody]", STRESS.replace("{time}", "1h"))) as site:
            site.write("mood", "stress")
            site.start()
            site.submit(message("x@moody.example"))
            wait_for("the report", lambda: site.figures("moody").get("stressed"))
            site.drain()
            self.assertIn("the mood is stress", site.jobctl("why", "moody").stdout.decode())
            self.assertIn("stressed", site.jobctl("summary").stdout.decode())
            top = json.loads(site.jobctl("top", "--json").stdout)
            self.assertEqual(["moody"], [c["channel"] for c in top["channels"] if c["stressed"]])
            event = json.loads(site.jobctl("log", "--json", "--event", "channel-stressed").stdout)
            self.assertEqual("moody", event["channel"])
            self.assertIn("a thread for every 3 messages", event["text"])
            # Settings are those of the moment: the blackout of an hour is over.
            site.configure(CONF.replace("[channel moody]", STRESS.replace("{time}", "1s").replace("= 1h", "= 1s")))
            site.jobctl("reload")
            wait_for("another report", lambda: site.submit(message("y@moody.example"), check=False).returncode == 0 and
                     len(site.jobctl("log", "--json", "--event", "channel-stressed").stdout.splitlines()) >= 2)
            os.rename(site.write("mood.new", "deliver"), site.path("mood"))
            wait_for("it to be as before", lambda: site.figures("moody").get("stressed") is False)
            self.assertIn("channel-relaxed", site.jobctl("log").stdout.decode())
            site.drain()


if __name__ == "__main__":
    unittest.main()
