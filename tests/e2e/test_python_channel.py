"""A channel program in Python, written from docs/protocol.md with the standard library alone (docs/channel.py), works beside
one in C++ on the same channel of a real controller: it finishes messages, defers some, and finishes those later."""

import os
import re
import subprocess
import sys
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "channel.py")
# Puts off the first attempt for everybody whose name begins with "later". What waits meanwhile is work for another program, and it goes on
# only when that has done some.
DELIVER = '''
put_off = set()


def deliver(message_id, sender, recipient, content):
    first = recipient.startswith("later") and recipient not in put_off
    put_off.add(recipient)
    while not os.path.exists(os.environ["JOBCTL_ROOT"] + "/journal"):
        time.sleep(0.01)
    print("deferred" if first else "finished", recipient, len(content), flush=True)
    return not first


'''


class PythonChannel(unittest.TestCase):
    def setUp(self):
        self.site = self.enterContext(Site(CONF))
        with open(SOURCE) as f:
            text = f.read()
        code = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
        self.assertLess(len(code), 200)
        self.assertEqual(set(), set(re.findall(r"^(?:import|from) (\w+)", text, re.M)) - sys.stdlib_module_names)
        mine, count = re.subn(r"\ndef deliver\(.*?\n\n\n", lambda _: DELIVER, text, flags=re.S)
        self.assertEqual(1, count)
        self.program = self.site.write("channel.py", mine)

    def start_program(self):
        env = {**self.site.env, "PMDF_CHANNEL": "moody", "PYTHONDONTWRITEBYTECODE": "1"}
        with open(self.site.path("python.out"), "w") as out:
            program = subprocess.Popen([sys.executable, self.program], env=env, stdout=out, stdin=subprocess.DEVNULL)
        self.addCleanup(program.wait)
        return program

    def by_python(self, what):
        with open(self.site.path("python.out")) as f:
            return [line.split()[1] for line in f.read().splitlines() if line.startswith(what)]

    def by_cpp(self):
        try:
            with open(self.site.path("journal")) as f:
                return [line.split()[2] for line in f if line.startswith("end")]
        except FileNotFoundError:
            return []

    def test_it_finishes_and_defers_messages_beside_a_program_in_cpp(self):
        self.site.start()
        program = self.start_program()
        wait_for("the program to connect", lambda: self.site.figures("moody").get("workers") == 1)
        submitted = 0
        while not (self.by_python("finished") and self.by_python("deferred") and self.by_cpp()):
            for _ in range(10):
                self.site.submit(message(f"{'later' if submitted % 2 else 'now'}{submitted}@moody.example"))
                submitted += 1
            self.assertLess(submitted, 1000)
        figures = lambda: self.site.figures("moody")
        wait_for("the first attempts", lambda: figures().get("ready") == 0 and figures().get("in_hand") == 0)
        deferred = self.by_python("deferred")
        self.assertEqual(len(deferred), figures()["deferred"])
        self.assertEqual({1}, {row["attempts"] for row in self.site.ls("--channel", "moody")})

        # Later, whoever gets them finishes them; in the end each message was finished once.
        self.site.jobctl("run", "moody")
        self.site.drain()
        self.assertEqual(submitted, len(self.by_python("finished")) + len(self.by_cpp()))
        self.assertEqual(len(self.by_python("finished")), len(set(self.by_python("finished"))))
        self.site.jobctl("stop")
        self.assertEqual(0, program.wait(60))


if __name__ == "__main__":
    unittest.main()
