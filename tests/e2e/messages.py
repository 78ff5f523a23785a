"""Messages for the end-to-end tests: every shape that generate_messages makes, and single ones to order."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass

import site_under_test


@dataclass
class Message:
    kind: str
    sender: str      # "" is the null sender
    recipients: list
    content: bytes   # as fed to `jobctl submit -i`

    def stored(self):
        """The content with LF line ends, the last line ended: what a Maildir file holds."""
        text = self.content.replace(b"\r\n", b"\n")
        return text if text.endswith(b"\n") else text + b"\n"


def generate(count, domains, seed=1):
    """`count` messages; the first 14 are one of each shape (tests/messages/messages.hpp)."""
    with tempfile.TemporaryDirectory(prefix="jobctl-messages-") as directory:
        options = [o for domain in domains for o in ("--domain", domain)]
        subprocess.run([site_under_test.GENERATOR, "--seed", str(seed), *options, str(count), directory], check=True)
        made = []
        with open(os.path.join(directory, "index.jsonl")) as index:
            for line in index:
                entry = json.loads(line)
                with open(os.path.join(directory, entry["file"]), "rb") as f:
                    made.append(Message(entry["kind"], entry["from"], entry["to"], f.read()))
        return made


def message(*recipients, sender="sender@sender.example", subject="test", body="Hello.\n"):
    content = (f"From: <{sender}>\nTo: <{recipients[0]}>\nSubject: {subject}\n"
               f"Date: Sat, 21 Nov 2026 01:02:03 +0000\nMessage-ID: <{subject}@sender.example>\n\n{body}").encode()
    return Message("plain", sender, list(recipients), content)
