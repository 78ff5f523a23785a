"""The kill storm: mail is enqueued, leased, processed, deferred and finished at full tilt while controller, enqueuers and
channel programs are killed (SIGKILL) at random. Afterwards everything is started once more, drained, and the log that
everybody wrote is checked:

  * every message that was acknowledged to its enqueuer was processed, each recipient at least once;
  * no recipient was given to anybody after it had been finished, or while somebody else had it in hand;
  * so duplicates are at most what was in hand at the kills, and are counted;
  * the sender was notified of every recipient that failed, and more than once only where a kill hit whoever had it in hand;
  * the queue is empty, nothing was set aside as damaged, and no process is left.

    storm.py [--seed N] [--kills N]

Without --kills: 200, or 5,000 when JOBCTL_TEST_LONG is set. The choices of a run follow from its seed (what the
kernel makes of them does not); a failure prints the command that makes the same choices again.
"""

import argparse
import collections
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "e2e"))
from site_under_test import JOBCTL, PROGRAMS, Site, wait_for  # noqa: E402

CONF = """\
[jobctl]
host = storm.example
builtin = no
stop_timeout = 10s
relaunch_first = 50ms
relaunch_last = 200ms

[queue]
reserve = 1M
sync_interval = 5s

[pool default]
job_limit = 8

[channel one]
program = {programs}/storm_recorder
option.log = {root}/storm.log
backoff = 1s
maxjobs = 3

[channel two]
program = {programs}/storm_recorder
option.log = {root}/storm.log
backoff = 1s
maxjobs = 3
threaddepth = 3

[channel back]
# Notifications.
program = {programs}/storm_recorder
option.log = {root}/storm.log
backoff = 1s
maxjobs = 2

[channel hand]
# The source channel of what is enqueued.

[routes]
one.storm = one
two.storm = two
sender.example = back
"""

ENQUEUERS = 2         # processes of 4 threads
RATE = 600            # messages a second each
SUBMITTERS = 2        # `jobctl submit` at a time


class Storm:
    def __init__(self, site, seed, kills):
        self.site, self.kills = site, kills
        self.random = random.Random(seed)
        self.log_path = site.path("storm.log")
        open(self.log_path, "w").close()
        site.env["STORM_LOG"] = self.log_path
        self.enqueuers, self.submits = [], []
        self.by_hand = None  # a channel program beside those that the controller launches
        self.started = 0
        self.killed = collections.Counter()
        self.killed_pids = set()
        self.killed_controller = None  # the last of them
        self.failures = []

    # --- who runs -----------------------------------------------------------------------------------------------------
    def start_enqueuer(self):
        self.started += 1
        self.enqueuers.append(subprocess.Popen(
            [os.path.join(PROGRAMS, "storm_enqueuer"), f"e{self.started}", "4", str(RATE)],
            env={**self.site.env, "PMDF_CHANNEL": "hand"}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))

    def start_submit(self):
        self.started += 1
        name = f"s{self.started}"
        recipients = [f"r{i}@{'one' if self.started % 2 else 'two'}.storm" for i in range(self.started % 3 + 1)]
        process = subprocess.Popen([JOBCTL, "submit", "--raw", "-i", "-f", "storm@sender.example", "--", *recipients],
                                   env=self.site.env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        try:
            process.stdin.write(f"X-Storm: {name} 0\nDate: Sat, 21 Nov 2026 01:02:03 +0000\n\n".encode())
            process.stdin.close()
        except BrokenPipeError:
            pass
        self.submits.append((process, name, len(recipients)))

    def start_by_hand(self):
        self.by_hand = subprocess.Popen([os.path.join(PROGRAMS, "storm_recorder")],
                                        env={**self.site.env, "PMDF_CHANNEL": "one"}, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)

    def reap_submits(self, wait=False):
        left = []
        for process, name, recipients in self.submits:
            if wait:
                process.wait(60)
            status = process.poll()
            if status is None:
                left.append((process, name, recipients))
                continue
            said = process.stderr.read().decode(errors="replace")
            process.stderr.close()
            if status == 0:
                with open(self.log_path, "a") as log:
                    log.write(f"A {name} {recipients}\n")
            elif status != -9:
                self.failures.append(f"jobctl submit of {name}: status {status}: {said}")
        self.submits = left

    def keep_running(self):
        """Whoever was killed, or left, is replaced."""
        for process in list(self.enqueuers):
            if process.poll() is not None:
                if process.pid not in self.killed_pids:
                    self.failures.append(f"an enqueuer ended by itself with status {process.returncode}")
                self.enqueuers.remove(process)
        while len(self.enqueuers) < ENQUEUERS:
            self.start_enqueuer()
        self.reap_submits()
        while len(self.submits) < SUBMITTERS:
            self.start_submit()
        if self.by_hand is None or self.by_hand.poll() is not None:  # killed, or nothing to do, or no controller
            self.start_by_hand()
        if self.site.controller.poll() is not None:
            if self.site.controller.pid not in self.killed_pids:
                self.failures.append(f"the controller ended by itself with status {self.site.controller.returncode}")
            self.site.start(wait=False)

    # --- the storm ----------------------------------------------------------------------------------------------------
    def kill_one(self):
        what = self.random.choices(["controller", "enqueuer", "submit", "recorder"], [3, 3, 2, 5])[0]
        place = self.random.random()
        if what == "controller":
            pids = [self.site.controller.pid] if self.site.controller.poll() is None else []
        elif what == "enqueuer":
            pids = [p.pid for p in self.enqueuers if p.poll() is None]
        elif what == "submit":
            self.start_submit()
            time.sleep(place * 0.004)  # it lives for some 3 ms
            pids = [p.pid for p, _, _ in self.submits if p.poll() is None]
        else:
            pids = sorted(self.site.programs("storm_recorder"))
        if not pids:
            return
        pid = pids[int(place * len(pids))]
        self.killed_pids.add(pid)
        try:
            os.kill(pid, 9)
            self.killed[what] += 1
            if what == "controller":
                self.killed_controller = self.site.controller
        except ProcessLookupError:
            pass

    def run(self):
        self.site.start()
        while sum(self.killed.values()) < self.kills and not self.failures:
            self.keep_running()
            time.sleep(self.random.uniform(0, 0.3))  # the storm's own rhythm, not a wait for something
            # Now and then everything at once.
            for _ in range(self.random.choice([1, 1, 1, 1, 4])):
                self.kill_one()
            if self.random.random() < 0.2 and self.site.controller.poll() is not None:
                time.sleep(self.random.uniform(0, 0.5))  # mail meanwhile goes on without a controller

    def settle(self):
        """Everybody who enqueues ends properly; the queue is drained; the controller stops."""
        for process in self.enqueuers:
            process.terminate()
        for process in self.enqueuers:
            process.wait(60)
        self.by_hand.terminate()
        self.by_hand.wait(60)
        self.reap_submits(wait=True)
        if self.site.controller is self.killed_controller:
            self.site.controller.wait(60)  # it may take its time to be gone
        if self.site.controller.poll() is not None:
            self.site.start()
        self.site.drain(120)
        status = self.site.stop()
        if status != 0:
            self.failures.append(f"the controller stopped with status {status}")
        wait_for("every process to be gone", lambda: not self.site.processes())

    # --- the verdict ----------------------------------------------------------------------------------------------------
    def check(self):
        acknowledged, begun, duplicates, lost = {}, collections.defaultdict(list), 0, 0
        in_hand = {}      # (id, recipient) -> pid that began it and has not said what became of it
        finished = set()
        killed_with = collections.Counter()     # (id, recipient) -> times that its holder was killed
        notified = collections.defaultdict(set)  # (id, recipient) -> notifications
        with open(self.log_path) as log:
            for number, line in enumerate(log, 1):
                words = line.split()
                if words[0] == "X":
                    self.failures.append(f"log line {number}: {line.strip()}")
                elif words[0] == "A":
                    acknowledged[words[1]] = int(words[2])
                elif words[0] == "B":
                    key, pid = (words[1], words[2]), int(words[3])
                    if key in finished:
                        self.failures.append(f"log line {number}: {key} was finished before and is begun again")
                    if key in in_hand:
                        duplicates += 1
                        killed_with[key] += 1
                        if in_hand[key] not in self.killed_pids:
                            self.failures.append(f"log line {number}: {key} is begun by {pid} while {in_hand[key]}, "
                                                 "which nobody killed, has it in hand")
                    in_hand[key] = pid
                    begun[words[1]].append(words[2])
                elif words[0] == "N":
                    notified[(words[1], words[2])].add(words[3])
                elif words[0] in "DF":
                    key = (words[1], words[2])
                    if in_hand.pop(key, None) != int(words[3]):
                        self.failures.append(f"log line {number}: {key} is ended by somebody who had not begun it")
                    if words[0] == "F":
                        finished.add(key)
        at_kills = duplicates + len(in_hand)
        for id_, recipients in acknowledged.items():
            for i in range(recipients):
                if not any(to.startswith(f"r{i}@") for to in begun.get(id_, ())):
                    lost += 1
                    self.failures.append(f"lost: {id_}, recipient r{i}, was acknowledged and never processed")
        for key, pid in in_hand.items():
            # The last we know is that it was in hand; it is only right if its holder was killed after finishing it.
            if pid not in self.killed_pids:
                self.failures.append(f"{key} was begun by {pid} and nothing became of it")
        failed = [(id_, to) for id_, recipients in begun.items() for to in set(recipients) if to.startswith("r2@")]
        repeated = 0
        for key in failed:
            killed_with[key] += key in in_hand
            times = len(notified[key])
            repeated += max(0, times - 1)
            if times == 0:
                self.failures.append(f"the sender was never notified that {key} failed")
            elif times > 1 + killed_with[key]:
                self.failures.append(f"the sender was notified {times} times that {key} failed, which was in hand at "
                                     f"{killed_with[key]} kills")
        for key in notified:
            if not key[1].startswith("r2@"):
                self.failures.append(f"the sender was notified of {key}, which did not fail")
        for channel in ("one", "two", "back"):
            bad = self.site.path("queue", channel, ".bad")
            if os.path.isdir(bad) and os.listdir(bad):
                self.failures.append(f"set aside as damaged: {os.listdir(bad)[:5]}")
        return (f"{sum(self.killed.values())} kills ({', '.join(f'{n} {w}' for w, n in sorted(self.killed.items()))}), "
                f"{len(acknowledged)} messages acknowledged, {len(begun)} processed, {lost} lost, "
                f"{duplicates} of {at_kills} recipients in hand at the kills processed twice, "
                f"{len(failed)} failures notified, {repeated} of them again")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--kills", type=int, default=5000 if os.environ.get("JOBCTL_TEST_LONG") else 200)
    options = parser.parse_args()
    replay = f"JOBCTL_BUILD={os.environ.get('JOBCTL_BUILD', '')} python3 {os.path.abspath(__file__)} " \
             f"--seed {options.seed} --kills {options.kills}"
    begun = time.monotonic()
    with Site(CONF) as site:
        storm = Storm(site, options.seed, options.kills)
        try:
            storm.run()
            storm.settle()
            summary = storm.check()
        except BaseException:
            print(f"failed; the same choices again: {replay}", file=sys.stderr)
            raise
        if storm.failures:
            failures = "\n".join(storm.failures[:40])
            raise SystemExit(f"{failures}\n{len(storm.failures)} failures; {summary}\nthe same choices again: {replay}")
        print(f"{summary}; seed {options.seed}, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
