"""A whole mail site in a temporary directory, for tests: configuration, a real `jobctl serve`, real channel programs.

    with Site(conf=...) as site:
        site.start()
        site.submit(message)
        site.drain()

Nothing waits by sleeping for a guessed time: `wait_for` looks at what is being waited for until it is there or a
generous deadline has passed, and says what it saw last. Leaving the `with` block kills whatever still runs on this
site (found by the site's path in its environment, so never anybody else's process) and removes the directory.

The build directory is given by JOBCTL_BUILD. JOBCTL_KEEP=1 keeps the directories of failed tests.
"""

import glob
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("JOBCTL_BUILD") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", "..", "build", "release"))
JOBCTL = os.path.join(BUILD, "jobctl", "jobctl")
CHANNELS = os.path.join(BUILD, "channels", "bin")
PROGRAMS = os.path.join(BUILD, "tests", "bin")
GENERATOR = os.path.join(BUILD, "tests", "generate_messages")
PATIENCE = float(os.environ.get("JOBCTL_TEST_PATIENCE", "60"))  # seconds; sanitizer builds are slow

# One channel of each program; retries only when a test asks for them.
CONF = """\
[jobctl]
host = e2e.example
builtin = no
stop_timeout = 30s
relaunch_first = 200ms
relaunch_last = 2s

[queue]
reserve = 1M
sync_interval = 1s

[dequeue]
retry_interval = 1s
max_attempts = 5

[channel maildir]
program = {channels}/maildir
backoff = 1h
threaddepth = 10
option.trace = no

[channel bitbucket]
program = {channels}/bitbucket
backoff = 1h

[channel loopback]
program = {channels}/loopback
backoff = 1h

[channel pipe]
program = {channels}/pipe
backoff = 1h
option.command = /bin/true

[channel moody]
program = {programs}/moody
backoff = 1h
threaddepth = 1
option.mood = {root}/mood
option.journal = {root}/journal

[routes]
mail.example = maildir
bits.example = bitbucket
pipe.example = pipe
moody.example = moody
loop.example = loopback

[routes from loopback]
loop.example = maildir
"""


def wait_for(what, condition, seconds=None):
    """Returns the first true value of condition(); AssertionError naming `what` when there is none in time."""
    deadline = time.monotonic() + (seconds or PATIENCE)
    pause = 0.002
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds or PATIENCE:g} s in vain for {what}; last seen: {seen!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class Site:
    def __init__(self, conf=None, env=None):
        """`conf`: text of jobctl.conf, in which {root}, {channels} and {programs} are replaced; None: no file."""
        self.root = tempfile.mkdtemp(prefix="jobctl-e2e-")
        self.controller = None
        self.prefix = []  # words before `jobctl serve`: a program that changes users and becomes it
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("JOBCTL_", "PMDF_", "NOTIFY_"))}
        self.env.update(JOBCTL_ROOT=self.root, **(env or {}))
        if conf is not None:
            self.configure(conf)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.kill_everything()
        if kind:
            sys.stderr.write(f"--- log of {self.root}\n{self.log()[-8000:]}\n---\n")
        if not (kind and os.environ.get("JOBCTL_KEEP")):
            shutil.rmtree(self.root)

    # --- set-up -----------------------------------------------------------------------------------------------------
    def path(self, *names):
        return os.path.join(self.root, *names)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def configure(self, conf):
        text = conf.replace("{root}", self.root).replace("{channels}", CHANNELS).replace("{programs}", PROGRAMS)
        return self.write("jobctl.conf", text)

    # --- the controller ---------------------------------------------------------------------------------------------
    def start(self, wait=True):
        """Starts `jobctl serve`; returns when it answers."""
        with open(self.path("serve.out"), "ab") as out:
            self.controller = subprocess.Popen([*self.prefix, JOBCTL, "serve", "--root", self.root], env=self.env, stdout=out,
                                               stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        if wait:
            wait_for("the controller to answer", self._answers)
        return self.controller

    def _answers(self):
        status = self.controller.poll()
        assert status is None, f"the controller ended with status {status}: {self.log()[-2000:]}"
        return self.jobctl("summary", "--json", check=False).returncode == 0

    def kill(self):
        """kill -9 of the controller."""
        self.controller.kill()
        self.controller.wait()

    def stop(self, seconds=None):
        """SIGTERM; returns its exit status."""
        self.controller.terminate()
        return self.controller.wait(seconds or PATIENCE)

    # --- commands -----------------------------------------------------------------------------------------------------
    def jobctl(self, *arguments, check=True, stdin=b"", env=None):
        done = subprocess.run([JOBCTL, *arguments], input=stdin, capture_output=True, timeout=PATIENCE,
                              env={**self.env, **(env or {})})
        if check and done.returncode != 0:
            raise AssertionError(f"jobctl {' '.join(arguments)}: exit {done.returncode}: "
                                 f"{done.stderr.decode(errors='replace')}")
        return done

    def submit(self, message, check=True):
        """Returns the finished process; with `check`, a refusal is an AssertionError."""
        return self.jobctl("submit", "--raw", "-i", "-f", message.sender, "--", *message.recipients, stdin=message.content,
                           check=check)

    def ls(self, *filters):
        """Rows of `jobctl ls --json`, one dictionary a message."""
        return [json.loads(row) for row in self.jobctl("ls", *filters, "--json").stdout.splitlines()]

    # --- what can be seen -----------------------------------------------------------------------------------------------
    def channels(self):
        """{name: figures} from `summary`; {} while the controller does not answer."""
        done = self.jobctl("summary", "--json", check=False)
        if done.returncode != 0:
            return {}
        return {c["channel"]: c for c in json.loads(done.stdout)["channels"]}

    def figures(self, channel):
        return self.channels().get(channel, {})

    def log(self):
        """What the controller said, and what channel programs printed."""
        text = ""
        for path in [self.path("serve.out"), *sorted(glob.glob(self.path("log", "**"), recursive=True))]:
            if os.path.isfile(path) and not path.endswith("jobctl.log"):  # the controller's is in serve.out, too
                with open(path, errors="replace") as f:
                    text += f.read()
        return text

    def waiting(self):
        """Messages queued, deferred, held or in hand, over all channels; None while the controller does not answer."""
        channels = self.channels()
        if not channels:
            return None
        return sum(c["ready"] + c["in_hand"] + c["deferred"] + c["held"] for c in channels.values())

    def live_on_disk(self):
        """Unfinished messages in the message files themselves (docs/queue-format.md), whatever the controller knows."""
        live = 0
        for path in glob.glob(self.path("queue", "*", "*.msgs")):
            try:
                with open(path, "rb") as f:
                    header = f.read(4096).ljust(4096, b"\0")
                    copies = [struct.unpack_from("<8sQII", header, at) for at in (0, 2048)]
                    valid = [c for c in copies if c[0] == b"JOBCTLQ1"]
                    if not valid:
                        continue
                    _, _, generation, capacity = max(valid, key=lambda c: c[2])
                    table = f.read(256 * capacity)
            except FileNotFoundError:
                continue
            for at in range(0, len(table) - 255, 256):
                if struct.unpack_from("<I", table, at + 4)[0] != generation:
                    continue
                states = [struct.unpack_from("<IB", table, at + copy + 4) for copy in (128, 192)]
                live += max(states)[1] in (0, 1, 2)  # of the higher sequence: queued, deferred, held
        return live

    def drain(self, seconds=None):
        """Waits until no message is queued anywhere, on the disk and in the controller's memory."""
        try:
            wait_for("an empty queue", lambda: self.live_on_disk() == 0 and self.waiting() == 0, seconds)
        except AssertionError as late:
            print(f"left: {self.live_on_disk()} on the disk; the controller has\n{self.jobctl('ls', '--limit', '20', check=False).stdout.decode()}",
                  file=sys.stderr)
            raise late

    def processes(self):
        """{pid: program name} of all that runs on this site."""
        mark = f"JOBCTL_ROOT={self.root}\0".encode()
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if mark not in f.read():
                        continue
                with open(f"/proc/{pid}/stat") as f:
                    stat = f.read()
            except OSError:
                continue
            name, state = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2]
            if state != "Z":
                found[int(pid)] = name
        found.pop(os.getpid(), None)
        return found

    def programs(self, name):
        return [pid for pid, found in self.processes().items() if found == name[:15]]

    def kill_everything(self):
        def dead():
            left = self.processes()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return not left
        if self.controller and self.controller.poll() is None:
            self.kill()
        wait_for("every process of the site to be gone", dead)

    # --- maildirs ----------------------------------------------------------------------------------------------------
    def mailbox(self, address, folder="new"):
        """Contents of the messages in the recipient's Maildir."""
        local, domain = address.rsplit("@", 1)
        directory = self.path("mailboxes", domain, local, folder)
        try:
            names = sorted(os.listdir(directory))
        except FileNotFoundError:
            return []
        contents = []
        for name in names:
            with open(os.path.join(directory, name), "rb") as f:
                contents.append(f.read())
        return contents
