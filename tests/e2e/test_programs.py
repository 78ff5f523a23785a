"""Channel programs that do not finish, die, are slow, are several, or are started by hand."""

import json
import os
import subprocess
import time
import unittest

from messages import message
from site_under_test import CHANNELS, CONF, PROGRAMS, Site, wait_for


class Programs(unittest.TestCase):
    def setUp(self):
        self.site = self.enterContext(Site(CONF))

    def mood(self, word):
        """Changes what the moody program does, all at once."""
        self.site.write("mood.new", word)
        os.rename(self.site.path("mood.new"), self.site.path("mood"))

    def journal(self, what):
        try:
            with open(self.site.path("journal")) as f:
                return [line.split()[1:] for line in f if line.split()[0] == what]
        except FileNotFoundError:
            return []

    def submit(self, count=1):
        for i in range(count):
            self.site.submit(message(f"user{i}@moody.example"))

    def figures(self, name):
        return self.site.figures("moody").get(name)

    def deferral_and_retry(self, mood):
        self.mood(mood)
        self.site.start()
        self.submit()
        wait_for("the deferral", lambda: self.figures("deferred") == 1)
        self.mood("deliver")
        self.site.jobctl("run", "moody")
        self.site.drain()
        attempts = [int(a) for _, _, a, _ in self.journal("begin")]
        self.assertEqual([0, 1], attempts)

    def test_an_unfinished_message_is_deferred_and_tried_again(self):
        self.deferral_and_retry("unfinished")

    def test_a_deferred_message_is_tried_again(self):
        self.deferral_and_retry("defer")

    def test_an_exception_defers_the_message(self):
        self.deferral_and_retry("throw")

    def test_a_dead_destination_is_probed_and_flows_again_when_it_answers(self):
        self.site.configure(CONF.replace("[channel moody]",
                                         "[channel moody]\nhost_failures = 2\nhost_probe = 4s\nhost_concurrency = 1"))
        self.mood("defer")
        self.site.start()
        self.submit(6)
        wait_for("the others to wait", lambda: self.figures("blocked") and self.figures("deferred") >= 2)
        self.assertIn("counts as dead", self.site.jobctl("why", "moody.example").stdout.decode())
        self.assertEqual(1, self.figures("dead_destinations"))
        self.assertIn("1 dead destination", self.site.jobctl("summary").stdout.decode())
        top = json.loads(self.site.jobctl("top", "--json").stdout)
        self.assertEqual([("moody.example", True)], [(d["host"], d["dead"]) for d in top["destinations"]])
        wait_for("a probe", lambda: len(self.journal("begin")) >= 3)
        self.mood("deliver")
        self.site.drain()  # also those that were deferred for an hour
        self.assertEqual(6, len({id_ for _, id_, word in self.journal("end") if word == "deliver"}))
        self.assertIn("moody.example takes messages again", self.site.log())
        self.assertEqual(0, self.figures("dead_destinations"))
        log = self.site.jobctl("log", "--json", "--event", "destination-blocked,destination-unblocked").stdout
        told = [json.loads(line) for line in log.splitlines()]
        self.assertEqual(["destination-blocked", "destination-unblocked"], [e["event"] for e in told])
        for e in told:
            self.assertEqual("moody", e["channel"])
            self.assertIn("moody.example", e["text"])

    def test_a_deferred_message_is_tried_again_by_itself_when_its_time_has_come(self):
        self.site.configure(CONF.replace("backoff = 1h", "backoff = 1s"))
        self.mood("defer")
        self.site.start()
        self.submit()
        wait_for("three attempts", lambda: len(self.journal("begin")) >= 3)
        self.mood("deliver")
        self.site.drain()
        self.assertEqual(list(range(len(self.journal("begin")))), [int(a) for _, _, a, _ in self.journal("begin")])

    def test_attempts_and_times_survive_a_restart_of_the_controller(self):
        self.mood("defer")
        self.site.start()
        self.submit()
        wait_for("the deferral", lambda: self.figures("deferred") == 1)
        self.site.kill()
        self.site.start()
        wait_for("the message to be found", lambda: self.figures("deferred") == 1)
        row = self.site.ls()[0]
        self.assertEqual(1, row["attempts"])
        self.mood("deliver")
        self.site.jobctl("run", "moody")
        self.site.drain()

    def test_a_failed_message_of_a_sender_who_cannot_be_told_is_held(self):
        self.mood("fail")
        self.site.start()
        self.submit()
        wait_for("the hold", lambda: self.figures("held") == 1)
        row = self.site.ls()[0]
        self.assertEqual("held", row["state"])
        self.assertIn("the mood is to fail", self.site.jobctl("show", row["id"]).stdout.decode())

    def test_a_thread_that_ends_is_followed_by_another(self):
        self.mood("end_thread")
        self.site.start()
        self.submit(20)
        self.site.drain()
        self.assertGreaterEqual(len(self.journal("thread")), 20)

    def test_a_message_whose_program_dies_is_not_lost_and_not_spun_on(self):
        self.mood("abort")
        self.site.start()
        self.submit()
        started = time.monotonic()
        wait_for("three deaths", lambda: len(self.journal("start")) >= 3)
        # The delays are 200 ms, 400 ms, … (relaunch_first): three starts take at least 600 ms.
        self.assertGreater(time.monotonic() - started, 0.5)
        self.assertIn("moody", self.site.log())
        self.assertIn("killed by signal 6 (Aborted)", self.site.log())
        self.mood("deliver")
        self.site.jobctl("run", "moody")
        self.site.drain()

    def test_a_program_that_dies_at_once_is_started_more_and_more_slowly_and_reported(self):
        self.mood("exit")
        self.site.start()
        self.submit()
        wait_for("four starts", lambda: len(self.journal("start")) >= 4)
        self.assertRegex(self.site.log(), r"status 3")
        self.assertEqual(1, self.site.waiting())
        self.mood("deliver")
        self.site.jobctl("run", "moody")
        self.site.drain()

    def test_a_program_that_is_killed_gives_its_messages_back(self):
        self.mood("wait")
        self.site.start()
        self.submit(5)
        wait_for("messages in hand", lambda: len(self.journal("begin")) == 5)
        os.kill(int(self.journal("begin")[0][0]), 9)
        self.mood("deliver")
        self.site.drain()
        self.assertEqual(10, len(self.journal("begin")))
        self.assertEqual(5, len({id_ for _, id_, _ in self.journal("end")}))

    def test_the_controller_is_restarted_while_programs_hold_messages(self):
        self.mood("wait")
        self.site.start()
        self.submit(5)
        wait_for("messages in hand", lambda: len(self.journal("begin")) == 5)
        self.site.kill()
        self.site.start()
        wait_for("the program to come back with what it holds", lambda: self.figures("in_hand") == 5)
        self.mood("deliver")
        self.site.drain()
        self.assertEqual(5, len(self.journal("begin")))  # none was begun twice
        self.assertEqual(5, len(self.journal("end")))

    def test_messages_finished_while_the_controller_is_down_are_not_begun_again(self):
        self.mood("wait")
        self.site.start()
        self.submit(5)
        wait_for("messages in hand", lambda: len(self.journal("begin")) == 5)
        self.site.kill()
        self.mood("deliver")
        wait_for("the end of all", lambda: len(self.journal("end")) == 5)
        self.site.start()
        self.site.drain()
        self.assertEqual(5, len(self.journal("begin")))

    def by_hand(self, program, channel):
        return subprocess.Popen([program], env={**self.site.env, "PMDF_CHANNEL": channel}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_a_program_started_by_hand_works_its_channel(self):
        self.site.configure(CONF.replace("program = {programs}/moody", "# no program: nothing is launched"))
        self.site.start()
        self.submit(3)
        wait_for("the messages to be known", lambda: self.figures("ready") == 3)
        program = self.by_hand(os.path.join(PROGRAMS, "moody"), "moody")
        self.site.drain()
        out, _ = program.communicate(timeout=60)
        self.assertEqual(0, program.returncode, out)
        self.assertEqual({str(program.pid)}, {pid for pid, _, _ in self.journal("end")})

    def test_a_program_started_by_hand_without_a_controller_says_so(self):
        program = self.by_hand(os.path.join(CHANNELS, "bitbucket"), "bitbucket")
        out, _ = program.communicate(timeout=120)
        self.assertNotEqual(0, program.returncode)
        self.assertRegex(out.decode(), "(?i)job controller")

    def test_a_program_without_a_channel_says_so(self):
        self.site.start()
        program = subprocess.run([os.path.join(CHANNELS, "loopback")], env=self.site.env, capture_output=True,
                                 timeout=60)
        self.assertNotEqual(0, program.returncode)
        self.assertIn(b"PMDF_CHANNEL", program.stdout)

    def test_several_programs_share_one_channel(self):
        self.site.configure(CONF.replace("program = {programs}/moody", "# no program: nothing is launched"))
        self.mood("wait")
        self.site.start()
        self.submit(60)
        wait_for("the messages to be known", lambda: self.figures("ready") == 60)
        programs = [self.by_hand(os.path.join(PROGRAMS, "moody"), "moody") for _ in range(3)]
        wait_for("every program to have messages",
                 lambda: len({pid for pid, _, _, _ in self.journal("begin")}) == 3)
        self.mood("deliver")
        self.site.drain()
        for program in programs:
            program.communicate(timeout=60)
            self.assertEqual(0, program.returncode)
        ends = [id_ for _, id_, _ in self.journal("end")]
        self.assertEqual(60, len(ends))
        self.assertEqual(60, len(set(ends)))

    def test_a_new_message_wakes_an_idle_program(self):
        self.site.start()
        self.submit()
        self.site.drain()
        pid = int(self.journal("start")[0][0])
        self.submit()
        wait_for("the second end", lambda: len(self.journal("end")) == 2)
        # The same process took it unless it had left by itself meanwhile.
        if int(self.journal("end")[1][0]) != pid:
            self.assertIn([str(pid)], self.journal("leave"))

    def test_an_idle_program_leaves(self):
        self.site.start()
        self.submit()
        self.site.drain()
        wait_for("the program to leave", lambda: self.journal("leave"))
        wait_for("it to be gone", lambda: not self.site.programs("moody"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
