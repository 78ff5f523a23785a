"""Channel programs under users of their own, started by a controller that is not root, and by one that is."""

import os
import pwd
import shutil
import subprocess
import unittest

from messages import message
from site_under_test import CHANNELS, CONF, JOBCTL, PROGRAMS, Site, wait_for

CONTROLLER, PROGRAM = "mail", "nobody"  # users that every Debian has
RIGHTS = "setuid,+setgid,+kill"
AS_PROGRAM = ["setpriv", "--reuid", PROGRAM, "--regid", CONTROLLER, "--clear-groups", "--"]
# As the service does: no other capability can ever be had, and none by running another program.
UNPRIVILEGED = ["setpriv", "--reuid", CONTROLLER, "--regid", CONTROLLER, "--clear-groups", "--no-new-privs"]
WITH_RIGHTS = [*UNPRIVILEGED, f"--bounding-set=-all,+{RIGHTS}", f"--inh-caps=-all,+{RIGHTS}",
               f"--ambient-caps=-all,+{RIGHTS}", "--"]
AS_ROOT = ["setpriv", "--regid", CONTROLLER, "--clear-groups", "--"]

MOODY = "[channel moody]\n"
OWN = CONF.replace("{root}/mood", "{root}/own/mood").replace("{root}/journal", "{root}/own/journal")
WITH_USER = OWN.replace(MOODY, f"{MOODY}user = {PROGRAM}\n").replace("stop_timeout = 30s", "stop_timeout = 1s")


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return {line.split(":")[0]: line.split()[1:] for line in f}


def obstacle():
    if os.geteuid() != 0:
        return "only root can give programs other users"
    if not shutil.which("setpriv"):
        return "there is no setpriv"
    for user in (CONTROLLER, PROGRAM):
        try:
            pwd.getpwnam(user)
        except KeyError:
            return f"there is no user {user}"
    for program in (JOBCTL, os.path.join(PROGRAMS, "moody")):
        if subprocess.run(["setpriv", "--reuid", PROGRAM, "--regid", CONTROLLER, "--clear-groups", "test", "-x", program],
                          capture_output=True).returncode != 0:
            return f"user {PROGRAM} cannot reach {program}, or root may not change users here"
    return None


REASON = obstacle()


@unittest.skipIf(REASON, REASON)
class Users(unittest.TestCase):
    prefix = WITH_RIGHTS
    conf = WITH_USER

    def setUp(self):
        self.site = self.enterContext(Site(self.conf))
        self.site.prefix = self.prefix
        self.uid = pwd.getpwnam(PROGRAM).pw_uid
        controller = pwd.getpwnam(CONTROLLER)
        self.gid = controller.pw_gid
        os.chown(self.site.root, controller.pw_uid, controller.pw_gid)
        os.chmod(self.site.root, 0o750)
        os.mkdir(self.site.path("own"))
        os.chown(self.site.path("own"), self.uid, self.gid)

    def mood(self, word):
        self.site.write("own/new", word + "\n")
        os.rename(self.site.path("own/new"), self.site.path("own/mood"))

    def submit(self, *recipients):
        self.site.submit(message(*(recipients or ["user@moody.example"]), sender="sender@bits.example"))

    def one_in_hand(self):
        """Process id of the program that has a message in hand."""
        self.mood("wait")
        self.submit()
        wait_for("a message in hand", lambda: self.site.figures("moody").get("in_hand"))
        wait_for("the program to begin", lambda: os.path.exists(self.site.path("own/journal")))
        return wait_for("the program", lambda: self.site.programs("moody"))[0]


class Unprivileged(Users):
    """The controller has three capabilities, and is not root."""

    def test_the_program_is_that_user_in_the_controllers_group_without_capabilities(self):
        self.site.start()
        pid = self.one_in_hand()
        seen = status(pid)
        self.assertEqual([str(self.uid)] * 4, seen["Uid"])
        self.assertEqual([str(self.gid)] * 4, seen["Gid"])
        self.assertIn(str(pwd.getpwnam(PROGRAM).pw_gid), seen["Groups"])
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(0, int(seen[kind][0], 16), kind)
        with open(f"/proc/{pid}/environ") as f:
            environment = f.read().split("\0")
        for value in (f"USER={PROGRAM}", f"LOGNAME={PROGRAM}", "HOME=" + pwd.getpwnam(PROGRAM).pw_dir):
            self.assertIn(value, environment)
        self.mood("deliver")
        self.site.drain()

    def test_messages_are_deferred_and_finished(self):
        self.site.start()
        self.mood("defer")
        self.submit()
        wait_for("the message to be deferred", lambda: self.site.figures("moody").get("deferred"))
        self.mood("deliver")
        self.site.jobctl("retry", "--channel", "moody")
        self.site.drain()
        for _ in range(20):
            self.submit()
        self.site.drain()
        with open(self.site.path("log", "mail.log_current")) as f:
            self.assertEqual(21, sum("user@moody.example" in line and " D " in line for line in f))

    def test_it_enqueues_to_channels_of_other_users(self):
        self.site.start()
        self.mood("fail")
        self.submit()  # the notification goes to the sender, by the channel bitbucket
        self.site.drain()
        self.assertEqual(self.uid, os.stat(self.site.path("queue", "bitbucket")).st_uid)
        with open(self.site.path("log", "mail.log_current")) as f:
            self.assertIn("sender@bits.example", f.read())

    def test_programs_without_a_user_inherit_no_capability(self):
        self.site.start()
        self.submit("user@bits.example")
        pid = wait_for("the program", lambda: self.site.programs("bitbucket"))[0]
        wait_for("it to be connected", lambda: "channel bitbucket: program connected" in self.site.log())
        seen = status(pid)
        self.assertEqual(status(self.site.controller.pid)["Uid"], seen["Uid"])
        for kind in ("CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(0, int(seen[kind][0], 16), kind)
        self.site.drain()

    def test_the_controller_stops_it(self):
        self.site.start()
        self.one_in_hand()
        self.assertEqual(0, self.site.stop())
        wait_for("every program to be gone", lambda: not self.site.processes())
        self.assertEqual(1, self.site.live_on_disk())
        self.mood("deliver")
        self.site.start()
        self.site.drain()

    def test_it_lives_on_when_the_controller_is_killed(self):
        self.site.start()
        pid = self.one_in_hand()
        self.site.kill()
        self.site.start()
        wait_for("the program to connect again", lambda: "launched by an earlier controller" in self.site.log())
        self.mood("deliver")
        self.site.drain()
        with open(self.site.path("own/journal")) as f:
            self.assertEqual(1, sum(line.startswith(f"begin {pid} ") for line in f))
        if self.prefix is WITH_RIGHTS:  # root may read what it prints
            self.assertIn("cannot be read any more", self.site.log())

    def test_another_channels_messages_are_not_for_it(self):
        self.site.start()
        done = subprocess.run([*AS_PROGRAM, os.path.join(CHANNELS, "bitbucket")], capture_output=True, timeout=60,
                              env={**self.site.env, "PMDF_CHANNEL": "bitbucket"})
        self.assertNotEqual(0, done.returncode)
        self.assertIn(b"is not the `user` of channel 'bitbucket'", done.stdout + done.stderr)

    def test_a_user_is_taken_with_a_reload_and_the_queue_opened_to_it(self):
        self.site.configure(OWN)
        self.site.start()
        self.site.jobctl("stop", "--channel", "moody")
        self.submit()
        wait_for("the message", lambda: self.site.figures("moody").get("ready"))
        self.site.configure(WITH_USER)
        told = self.site.jobctl("reload").stdout.decode()
        self.assertIn(f"[channel moody] user: none -> {PROGRAM}", told)
        self.mood("wait")
        self.site.jobctl("start", "moody")
        pid = wait_for("the program", lambda: self.site.programs("moody"))[0]
        wait_for("a message in hand", lambda: self.site.figures("moody").get("in_hand"))
        self.assertEqual(str(self.uid), status(pid)["Uid"][0])
        self.mood("deliver")
        self.site.drain()

    def test_an_unknown_user_is_refused_and_nothing_changes(self):
        self.site.start()
        conf = self.site.configure(WITH_USER.replace(f"user = {PROGRAM}", "user = no-such-user"))
        for command in (["check", conf], ["reload"]):
            done = self.site.jobctl(*command, check=False)
            self.assertEqual(78, done.returncode, command)
            said = (done.stdout + done.stderr).decode()
            self.assertIn("[channel moody] user: ", said)
            self.assertIn("there is no user 'no-such-user' on this host", said)
        self.mood("deliver")
        self.submit()
        self.site.drain()  # as the user that it had


    def test_an_unknown_user_at_the_start_concerns_only_its_channel(self):
        self.site.configure(WITH_USER.replace(f"user = {PROGRAM}", "user = no-such-user"))
        self.site.start()
        self.submit()
        self.submit("user@bits.example")
        wait_for("the launch to fail", lambda: "cannot be started" in self.site.log())
        wait_for("only that message to be left", lambda: self.site.waiting() == 1)
        self.assertIn("[channel moody] user: ", self.site.log())


class Root(Users):
    """The controller is root, with a group of its own."""
    prefix = AS_ROOT
    test_the_program_is_that_user = (
        Unprivileged.test_the_program_is_that_user_in_the_controllers_group_without_capabilities)
    test_it_lives_on_when_the_controller_is_killed = Unprivileged.test_it_lives_on_when_the_controller_is_killed

    def test_roots_own_group_is_not_for_programs(self):
        self.site.prefix = []
        self.site.start()
        self.submit()
        wait_for("the launch to fail", lambda: "cannot be started" in self.site.log())
        self.assertIn("which is root's", self.site.log())
        self.assertEqual(1, self.site.live_on_disk())


class WithoutRights(Users):
    prefix = [*UNPRIVILEGED, "--bounding-set=-all", "--"]

    def test_the_launch_fails_with_what_to_do_and_mail_waits(self):
        self.site.start()
        self.submit()
        wait_for("the launch to fail", lambda: "cannot be started" in self.site.log())
        self.assertIn("CAP_SETUID, CAP_SETGID and CAP_KILL", self.site.log())
        self.assertEqual(1, self.site.live_on_disk())
        # Other channels go on.
        self.submit("user@bits.example")
        wait_for("only that message to be left", lambda: self.site.waiting() == 1)

    def test_a_reload_says_so(self):
        self.site.start()
        self.assertIn("CAP_SETUID", self.site.jobctl("reload").stdout.decode())


del Users  # only its children are tests

if __name__ == "__main__":
    unittest.main(verbosity=2)
