"""A channel program's whole life under valgrind: it starts, works through 100 messages on several threads, is told to
stop, and leaves without an error and without having lost memory."""

import glob
import shutil
import tempfile
import unittest

import programs
from messages import message
from site_under_test import CHANNELS as BUILT, Site, wait_for

MESSAGES = 100
CHANNELS = """
[channel checked]
program = {valgrind} --leak-check=full --show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible \
--error-exitcode=99 --log-file={{root}}/valgrind.log {program}
backoff = 1h
maxjobs = 1
threaddepth = 10
option.file = {{root}}/delivered

[channel maildir]
program = BUILT/maildir

[routes]
checked.example = checked

[routes from checked]
checked.example = maildir
"""


@unittest.skipUnless(shutil.which("valgrind"), "valgrind is not installed")
class Leaks(unittest.TestCase):
    def life_of(self, name):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="jobctl-compat-"))
        program = programs.build(name, "c99", directory)
        site = self.enterContext(Site(programs.SITE.format(attempts=1000)
                                      + CHANNELS.format(valgrind=shutil.which("valgrind"), program=program)
                                      .replace("BUILT", BUILT)))
        for i in range(MESSAGES):
            site.submit(message(f"user{i}@checked.example"))
        site.start()
        site.drain(300)
        self.assertEqual(1, len(glob.glob(site.path("valgrind.log"))))
        self.assertEqual(1, site.figures("checked")["jobs"])  # it is still there, and waits for more
        self.assertEqual(0, site.stop())

        def report():
            with open(site.path("valgrind.log"), encoding="utf-8") as f:
                text = f.read()
            return text if "ERROR SUMMARY" in text else None
        text = wait_for("valgrind's verdict", report)
        self.assertIn("ERROR SUMMARY: 0 errors", text)
        return site

    def test_a_delivering_program_loses_no_memory(self):
        site = self.life_of("deliver.c")
        delivered = ""
        for path in glob.glob(site.path("delivered.*")):
            with open(path, encoding="utf-8", errors="replace") as f:
                delivered += f.read()
        self.assertEqual(MESSAGES, delivered.count("MAIL FROM:"))

    def test_a_program_that_passes_messages_on_loses_no_memory(self):
        self.life_of("relay.c")


if __name__ == "__main__":
    unittest.main()
