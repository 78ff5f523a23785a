"""Limits of channels, with a plain directory in the place of a control group: the kernel limits nothing here, but what
would be told to it, and which programs would be in which group, can be seen."""

import os
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

LIMITED = CONF.replace("[channel bitbucket]", "[channel bitbucket]\nmemory_max = 300M\ncpu_max = 50")


class Limits(unittest.TestCase):
    def start(self, conf, group):
        self.site = self.enterContext(Site(conf))
        self.group = self.site.path(group)
        self.site.env["JOBCTL_CONTROL_GROUP"] = self.group
        return self.site

    def make(self, name, text=""):
        os.makedirs(os.path.dirname(os.path.join(self.group, name)), exist_ok=True)
        with open(os.path.join(self.group, name), "w") as f:
            f.write(text)

    def text(self, name):
        with open(os.path.join(self.group, name)) as f:
            return f.read()

    def test_programs_start_in_the_group_of_their_channel(self):
        site = self.start(LIMITED, "group")
        self.make("cgroup.controllers", "cpu memory pids")
        for file in "cgroup.procs", "memory.max", "cpu.max", "pids.max":
            self.make(f"channel-bitbucket/{file}")
        site.start()
        self.assertEqual("314572800", self.text("channel-bitbucket/memory.max"))
        self.assertEqual("50000 100000", self.text("channel-bitbucket/cpu.max"))
        self.assertEqual("max", self.text("channel-bitbucket/pids.max"))
        site.submit(message("a@bits.example"))
        site.submit(message("b@mail.example"))
        site.drain()
        self.assertEqual("0", self.text("channel-bitbucket/cgroup.procs"))  # the program itself
        self.assertFalse(os.path.exists(os.path.join(self.group, "channel-maildir")))

        site.configure(LIMITED.replace("300M", "200M").replace("cpu_max = 50", "tasks_max = 70"))
        said = site.jobctl("reload").stdout.decode()
        self.assertIn("[channel bitbucket] memory_max: 314572800 -> 209715200", said)
        self.assertEqual("209715200", self.text("channel-bitbucket/memory.max"))
        self.assertEqual("max 100000", self.text("channel-bitbucket/cpu.max"))
        self.assertEqual("70", self.text("channel-bitbucket/pids.max"))

        self.make("cgroup.subtree_control", "memory")
        site.jobctl("serve", "--release-groups", env={"JOBCTL_CONTROL_GROUP": self.group})
        self.assertEqual("-memory", self.text("cgroup.subtree_control"))

    def test_a_program_that_cannot_enter_its_group_is_not_started(self):
        site = self.start(LIMITED, "group")
        self.make("cgroup.controllers", "cpu memory pids")
        site.start()  # no channel-bitbucket/cgroup.procs
        site.submit(message("a@bits.example"))
        wait_for("the refusal", lambda: "cannot enter the control group" in self.log_of("bitbucket"))
        self.assertEqual(1, site.waiting())

    def log_of(self, channel):
        try:
            with open(self.site.path("log", f"{channel}.log")) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def test_without_control_groups_mail_flows_and_the_log_says_what_is_missing(self):
        site = self.start(LIMITED, "not-there")
        site.start()
        self.assertIn("the limits of channels (bitbucket) have no effect", site.log())
        site.submit(message("a@bits.example"))
        site.drain()
        site.configure(LIMITED.replace("300M", "200M"))
        self.assertIn("the limits of channels (bitbucket) have no effect", site.jobctl("reload").stdout.decode())


if __name__ == "__main__":
    unittest.main()
