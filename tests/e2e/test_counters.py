"""Figures for machines: /metrics, /health, the dashboard that reads them, and counters that survive kill -9."""

import json
import os
import re
import socket
import unittest

from messages import message
from site_under_test import CONF, Site, wait_for

DASHBOARD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "grafana", "jobctl.json")
SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.e+-]+)$')


def get(site, path):
    """(status, body) over the Unix socket, as curl would."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(site.path("run", "api.sock"))
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def metrics(site):
    """{(name, labels): value}; every line has to be of the text format, every family declared before its samples."""
    found, declared = {}, set()
    for line in get(site, "/metrics")[1].splitlines():
        if line.startswith("# TYPE "):
            name = line.split()[2]
            assert name not in declared, f"{name} is declared twice"
            declared.add(name)
        elif not line.startswith("# HELP "):
            match = SAMPLE.match(line)
            assert match, f"not a sample: {line}"
            assert match[1] in declared, f"{match[1]} is not declared"
            key = match[1], match[2] or ""
            assert key not in found, f"{key} is there twice"
            found[key] = float(match[3])
    return found


def counters(site):
    return json.loads(site.jobctl("counters", "--json").stdout)


def settled(site):
    """The counters, when the index is complete and nothing moves."""
    return wait_for("the index", lambda: (c := counters(site))["complete"] and c)


class Metrics(unittest.TestCase):
    def test_figures_are_those_of_the_summary(self):
        with Site(CONF) as site:
            site.start()
            site.jobctl("stop", "--channel", "maildir")
            for n in range(3):
                site.submit(message("x@mail.example", subject=str(n)))
            site.submit(message("x@bits.example"))
            wait_for("the end of one", lambda: site.figures("bitbucket").get("finished") == 1)
            wait_for("the others to be known", lambda: site.figures("maildir")["ready"] == 3)
            found = metrics(site)
            self.assertEqual(found["jobctl_messages", 'channel="maildir",state="ready"'], 3)
            self.assertEqual(found["jobctl_enqueued_total", 'channel="maildir"'], 3)
            self.assertEqual(found["jobctl_finished_total", 'channel="bitbucket"'], 1)
            self.assertEqual(found["jobctl_channel_stopped", 'channel="maildir"'], 1)
            self.assertEqual(sum(v for (name, _), v in found.items() if name == "jobctl_destination_messages"), 3)

    def test_the_dashboard_shows_what_is_exported(self):
        with open(DASHBOARD) as f:
            dashboard = json.load(f)
        expressions = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
        expressions += [v["query"]["query"] for v in dashboard["templating"]["list"] if isinstance(v["query"], dict)]
        named = set(re.findall(r"\bjobctl_[a-z_]+", " ".join(expressions)))
        with Site(CONF) as site:
            site.start()
            exported = {name for name, _ in metrics(site)}
        self.assertLessEqual(named, exported)
        self.assertLessEqual(exported, named, "exported, and on no panel")

    def test_health(self):
        with Site(CONF) as site:
            site.start()
            settled(site)
            status, body = get(site, "/health")
            self.assertEqual((status, json.loads(body)["ready"], json.loads(body)["state"]), (200, True, "running"))


class Counters(unittest.TestCase):
    def test_they_survive_kill_9(self):
        with Site(CONF) as site:
            site.start()
            site.jobctl("stop", "--channel", "maildir")
            for n in range(20):
                site.submit(message("x@bits.example", subject=str(n)))
                site.submit(message("x@mail.example", subject=str(n)))
            wait_for("half of them to be finished", lambda: site.figures("bitbucket").get("finished") == 20)
            wait_for("the others to be known", lambda: site.figures("maildir")["ready"] == 20)
            before = settled(site)
            rows = {row["channel"]: row for row in before["channels"]}
            self.assertEqual((rows["bitbucket"]["enqueued"], rows["bitbucket"]["finished"]), (20, 20))
            self.assertEqual((rows["maildir"]["enqueued"], rows["maildir"]["left"]), (20, 0))
            for _ in range(2):
                site.kill()
                site.start()
                after = settled(site)
                self.assertEqual((after["since"], after["channels"]), (before["since"], before["channels"]))
            # What comes while no controller runs is counted when the next one has read the queue.
            site.kill()
            site.submit(message("x@mail.example", subject="late"))
            site.start()
            rows = {row["channel"]: row for row in settled(site)["channels"]}
            self.assertEqual(rows["maildir"]["enqueued"], 21)
            one = site.jobctl("counters", "maildir").stdout.decode().splitlines()
            self.assertEqual(one[1].split()[:3], ["maildir", "21", "0"])

    def test_wrong_use_is_refused(self):
        with Site(CONF) as site:
            site.start()
            self.assertEqual(site.jobctl("counters", "none", check=False).returncode, 1)
            self.assertEqual(site.jobctl("counters", "--nope", check=False).returncode, 64)

    def test_a_file_that_is_not_ours_is_put_aside(self):
        with Site(CONF) as site:
            site.write("run/counters", "something else")
            site.start()
            settled(site)
            with open(site.path("run", "counters.bad")) as f:
                self.assertEqual(f.read(), "something else")


if __name__ == "__main__":
    unittest.main()
