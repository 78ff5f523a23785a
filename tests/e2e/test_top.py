"""`jobctl top`: on a terminal that a test holds the other end of, and as JSON lines; the other views beside it."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from messages import message
from site_under_test import CONF, JOBCTL, PATIENCE, Site, wait_for


class Top:
    """`jobctl top` with a terminal of 24 lines and 120 columns."""

    def __init__(self, site, *options):
        self.controlling, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        self.terminal = terminal
        self.before = termios.tcgetattr(terminal)
        self.process = subprocess.Popen([JOBCTL, "top", "--watch", "100ms", *options], env=site.env, stdin=terminal,
                                        stdout=terminal, stderr=subprocess.PIPE, start_new_session=True)
        self.seen = ""

    def until(self, pattern):
        """Reads until what came since the last call matches."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.seen):
            ready, _, _ = select.select([self.controlling], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"waited in vain for {pattern}; seen: {self.seen!r}"
            self.seen += os.read(self.controlling, 65536).decode()
        self.seen = ""

    def press(self, keys):
        os.write(self.controlling, keys.encode())

    def end(self):
        """Its exit status, what it said on standard error, and whether the terminal is as it was."""
        status = self.process.wait(PATIENCE)
        said = self.process.stderr.read().decode()
        self.process.stderr.close()
        while select.select([self.controlling], [], [], 0)[0]:
            self.seen += os.read(self.controlling, 65536).decode()
        restored = termios.tcgetattr(self.terminal) == self.before and self.seen.endswith("\x1b[?25h\x1b[?1049l")
        os.close(self.terminal)
        os.close(self.controlling)
        return status, said, restored


class FullScreen(unittest.TestCase):
    def test_views_keys_and_the_way_out(self):
        with Site(CONF) as site:
            site.start()
            site.jobctl("stop", "--channel", "maildir")
            site.submit(message("x@mail.example"))
            wait_for("the message", lambda: site.figures("maildir")["ready"] == 1)
            top = Top(site)
            top.until(r"Channels[\s\S]*bitbucket[\s\S]*maildir +1 ")
            top.press("d")
            top.until(r"HOST +CHANNEL +MESSAGES[\s\S]*maildir +1 ")
            top.press("\r")
            top.until(r"Messages of maildir[\s\S]*[0-9A-Z]+\.\d+\.\d+ +ready")
            top.press("j")
            top.until(r"Jobs[\s\S]*PROCESS[\s\S]*nothing")
            top.press("c")
            top.until(r"Channels")
            top.press("\x1b[C")  # right: the next column
            top.until(r"READY\^")
            top.press("r")
            top.until(r"READYv[\s\S]*maildir[\s\S]*bitbucket")
            top.press("q")
            self.assertEqual(top.end(), (0, "", True))

    def test_a_signal_gives_the_terminal_back(self):
        with Site(CONF) as site:
            site.start()
            top = Top(site)
            top.until("Channels")
            top.process.send_signal(signal.SIGTERM)
            self.assertEqual(top.end(), (0, "", True))

    def test_the_end_of_the_controller_is_said_on_the_terminal_as_it_was(self):
        with Site(CONF) as site:
            site.start()
            top = Top(site)
            top.until("Channels")
            site.stop()
            status, said, restored = top.end()
            self.assertEqual((status, restored), (69, True))
            self.assertIn("jobctl top: ", said)


class Lines(unittest.TestCase):
    def test_the_same_figures_as_json(self):
        with Site(CONF) as site:
            site.start()
            site.submit(message("x@bits.example"))
            wait_for("its end", lambda: site.figures("bitbucket").get("finished") == 1)
            lines = site.jobctl("top", "--json", "--watch", "100ms", "--count", "2").stdout.splitlines()
            self.assertEqual(len(lines), 2)
            figures = json.loads(lines[1])
            self.assertEqual({c["channel"] for c in figures["channels"]}, set(site.channels()))
            self.assertEqual(figures["total"]["finished_per_second"], 0)
            self.assertEqual(len(site.jobctl("top", "--json").stdout.splitlines()), 1)

    def test_wrong_use_is_refused(self):
        with Site(CONF) as site:
            for arguments in ([], ["--json", "--watch", "soon"], ["--json", "--watch", "1ms"], ["--json", "--count", "0"]):
                self.assertEqual(site.jobctl("top", *arguments, check=False).returncode, 64, arguments)
            self.assertEqual(site.jobctl("top", "--json", check=False).returncode, 69)


class OtherViews(unittest.TestCase):
    def test_jobs_pools_and_history(self):
        with Site(CONF) as site:
            site.start()
            site.submit(message("x@bits.example"))
            wait_for("its end", lambda: site.figures("bitbucket").get("finished") == 1)
            jobs = [json.loads(line) for line in site.jobctl("jobs", "--json", "bitbucket").stdout.splitlines()]
            self.assertEqual([j["channel"] for j in jobs], ["bitbucket"])
            self.assertIn(b"connected", site.jobctl("jobs").stdout)
            os.kill(jobs[0]["pid"], signal.SIGKILL)
            ended = wait_for("its end to be known", lambda: site.jobctl("jobs", "--ended").stdout.splitlines()[1:])
            self.assertIn(b"bitbucket", ended[0])
            pools = [json.loads(line) for line in site.jobctl("pools", "--json").stdout.splitlines()]
            self.assertEqual(sorted(c for p in pools for c in p["channels"]), sorted(site.channels()))
            site.jobctl("stop", "--channel", "maildir")
            site.submit(message("x@mail.example"))
            waiting = wait_for("the message", site.ls)[0]
            self.assertEqual(site.jobctl("history", waiting["id"]).stdout, site.jobctl("show", "--history", waiting["id"]).stdout)
            self.assertEqual(site.jobctl("history", "nonsense", check=False).returncode, 65)
            self.assertEqual(site.jobctl("history", check=False).returncode, 64)
            self.assertEqual(site.jobctl("jobs", "none", check=False).returncode, 1)


if __name__ == "__main__":
    unittest.main()
