"""mtasdk.h in C89, C99, C++98 and C++20: an enqueuing program and two channel programs, built and run in each."""

import glob
import re
import subprocess
import tempfile
import unittest

import programs
from site_under_test import Site

# hello_X enqueues for X.example; relay_X passes on to deliver_X, which appends to a file.
CHANNELS = """
[channel relay_{language}]
program = {directory}/relay_{language}
backoff = 1h

[channel deliver_{language}]
program = {directory}/deliver_{language}
backoff = 1h
option.file = {{root}}/{language}.out

[routes]
{language}.example = relay_{language}

[routes from relay_{language}]
{language}.example = deliver_{language}
"""


class Languages(unittest.TestCase):
    def one_language(self, language):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="jobctl-compat-"))
        for name in ("hello.c", "relay.c", "deliver.c"):
            programs.build(name, language, directory)
        site = self.enterContext(Site(programs.SITE.format(attempts=5)
                                      + CHANNELS.format(language=language, directory=directory)))
        site.start()
        done = subprocess.run([f"{directory}/hello_{language}", f"bob@{language}.example", f"cat@{language}.example"],
                              env={**site.env, "PMDF_CHANNEL": f"deliver_{language}"}, capture_output=True, text=True)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        site.drain()
        delivered = ""
        for path in glob.glob(site.path(f"{language}.out.*")):
            with open(path, encoding="ascii") as f:
                delivered += f.read()
        self.assertTrue(delivered.startswith("MAIL FROM:<ann@example.org>\n"
                                             f"RCPT TO:<bob@{language}.example>\nRCPT TO:<cat@{language}.example>\n"
                                             "DATA\nReceived: "), delivered)
        self.assertTrue(delivered.endswith("\n\nHello.\nHow are you?\n.\n"), delivered)
        for line in ("X-Relayed: yes", "Subject: hello", "From: ann@example.org", f"To: bob@{language}.example,"):
            self.assertEqual(1, len(re.findall(f"^{re.escape(line)}$", delivered, re.MULTILINE)), (line, delivered))
        self.assertEqual(2, delivered.count("\nReceived: "))

    def test_a_message_is_stripped_in_every_language(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="jobctl-compat-"))
        head = "Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello.\n--b\n"
        program = ("Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"a b.exe\"\n"
                   "Content-Transfer-Encoding: base64\n\nTVqQAA==\n")
        note = ("Content-Type: text/plain; charset=utf-8\nContent-Disposition: inline\n\na b.exe was removed here.\n")
        for language in programs.LANGUAGES:
            strip = programs.build("strip.c", language, directory)
            done = subprocess.run([strip], input=head + program + "--b--\n", capture_output=True, text=True)
            self.assertEqual((0, "", head + note + "--b--\n"), (done.returncode, done.stderr, done.stdout))

    def test_programs_in_c89(self):
        self.one_language("c89")

    def test_programs_in_c99(self):
        self.one_language("c99")

    def test_programs_in_cxx98(self):
        self.one_language("cxx98")

    def test_programs_in_cxx20(self):
        self.one_language("cxx20")

    def test_every_routine_has_the_books_type_in_every_language(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="jobctl-compat-"))
        site = self.enterContext(Site(programs.SITE.format(attempts=5) + "[channel maildir]\nbackoff = 1h\n"
                                      "[routes]\nsend.example = maildir\n"))
        for language in programs.LANGUAGES:
            program = programs.build("every_routine.c", language, directory)
            done = subprocess.run([program], env=site.env, capture_output=True, text=True)
            self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr), language)
        self.assertEqual(2 * len(programs.LANGUAGES), site.live_on_disk())

    def test_a_refused_recipient_is_explained(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="jobctl-compat-"))
        hello = programs.build("hello.c", "c89", directory)
        site = self.enterContext(Site(programs.SITE.format(attempts=5) + "[channel x]\n"))
        done = subprocess.run([hello, "bob@nowhere.invalid"], env={**site.env, "PMDF_CHANNEL": "x"},
                              capture_output=True, text=True)
        self.assertEqual(1, done.returncode)
        self.assertIn("bob@nowhere.invalid", done.stderr)
        self.assertEqual(0, site.live_on_disk())


if __name__ == "__main__":
    unittest.main()
