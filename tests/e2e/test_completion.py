"""Completion in the shells themselves, and the manual pages as troff sees them. A shell or formatter that is not
installed is skipped, but for bash, which every system has."""

import glob
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import unittest

from site_under_test import BUILD, JOBCTL, PATIENCE, Site

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "completion")
PAGES = os.path.join(BUILD, "jobctl", "man1")


def output_of(command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def offered(*words):
    """What jobctl itself offers."""
    return {line.split("\t")[0] for line in output_of([JOBCTL, "complete", *words]).splitlines()}


COMMANDS = offered("")


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, *command):
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.environ.update(PS1="$ ", TERM="dumb", PATH=os.path.dirname(JOBCTL) + ":" + os.environ["PATH"])
            os.execvp(command[0], command)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        os.close(self.terminal)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, test, pattern):
        seen, deadline = b"", time.monotonic() + PATIENCE
        while not re.search(pattern, seen):
            ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
            test.assertTrue(ready, f"waited in vain for {pattern}; seen: {seen}")
            seen += os.read(self.terminal, 4096)


class Bash(unittest.TestCase):
    def complete(self, *words):
        """Calls the completion function as bash would, with the words as bash divides them."""
        lines = [f'source "{SCRIPTS}/jobctl.bash"', "COMP_WORDS=(\"$@\")", "COMP_CWORD=$(($# - 1))", "_jobctl",
                 "printf '%s\\n' \"${COMPREPLY[@]}\""]
        text = output_of(["bash", "--norc", "-c", "\n".join(lines), "bash", JOBCTL, *words])
        return {line for line in text.splitlines() if line}

    def test_commands(self):
        self.assertEqual(self.complete(""), COMMANDS)

    def test_options_of_every_command(self):
        for command in sorted(COMMANDS):
            with self.subTest(command):
                found = self.complete(command, "-")
                self.assertEqual(found, offered(command, "-"))
                self.assertIn("--help", found)

    def test_values(self):
        self.assertEqual(self.complete("ls", "--state", "d"), {"deferred"})
        # "--state=d" is three words for bash, of which it replaces the last.
        self.assertEqual(self.complete("ls", "--state", "=", "d"), {"deferred"})
        self.assertEqual(self.complete("ls", "--state", "="), {"ready", "in-hand", "deferred", "held"})

    def test_files(self):
        self.assertEqual(self.complete("check", os.path.join(SCRIPTS, "jobctl.b")),
                         {os.path.join(SCRIPTS, "jobctl.bash")})

    def test_channels_of_a_site(self):
        with Site(conf="[jobctl]\nbuiltin = no\n[channel fax]\n[channel mail]\n") as site:
            site.start()
            self.assertEqual(self.complete("--root", site.root, "ls", "--channel", ""), {"fax", "mail"})

    def test_keys_are_pressed(self):
        with Terminal("bash", "--norc", "--noprofile", "-i") as shell:
            shell.type(f'source "{SCRIPTS}/jobctl.bash"; echo rea""dy\n')
            shell.read_until(self, rb"\nready\r\n")
            shell.type("jobctl ls --state=def\t")
            shell.read_until(self, rb"jobctl ls --state=deferred")
            shell.type("--prio\turg\t")
            shell.read_until(self, rb"--priority urgent")


@unittest.skipUnless(shutil.which("zsh"), "no zsh")
class Zsh(unittest.TestCase):
    def test_keys_are_pressed(self):
        with Terminal("zsh", "-f", "-i") as shell:
            shell.type(f"autoload -U compinit; compinit -D -u; source {SCRIPTS}/_jobctl; echo rea''dy\n")
            shell.read_until(self, rb"\nready\r\n")
            shell.type("jobctl ls --state def\t")
            shell.read_until(self, rb"erred")
            shell.type("--prio\turg\t")
            shell.read_until(self, rb"ent")


@unittest.skipUnless(shutil.which("fish"), "no fish")
class Fish(unittest.TestCase):
    def complete(self, line, **environment):
        script = f"source {SCRIPTS}/jobctl.fish; complete -C '{line}'"
        env = dict(os.environ, PATH=os.path.dirname(JOBCTL) + ":" + os.environ["PATH"], **environment)
        return {found.split("\t")[0] for found in output_of(["fish", "--no-config", "-c", script], env=env).splitlines()}

    def test_commands_options_and_values(self):
        self.assertEqual(self.complete("jobctl "), COMMANDS)
        self.assertEqual(self.complete("jobctl ls --"), offered("ls", "--"))
        self.assertEqual(self.complete("jobctl ls --state="), offered("ls", "--state="))


class ManPages(unittest.TestCase):
    def test_there_is_one_for_every_command(self):
        pages = {os.path.basename(page) for page in glob.glob(PAGES + "/*")}
        self.assertEqual(pages, {"jobctl.1"} | {f"jobctl-{command}.1" for command in COMMANDS})

    @unittest.skipUnless(shutil.which("groff"), "no groff")
    def test_troff_has_nothing_to_complain_about(self):
        for page in sorted(glob.glob(PAGES + "/*")):
            done = subprocess.run(["groff", "-ww", "-mandoc", "-Tutf8", "-z", page], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)


if __name__ == "__main__":
    unittest.main()
