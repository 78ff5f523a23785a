"""Mail goes in with `jobctl submit` and comes out at the other end of each channel program, byte for byte."""

import os
import unittest

from messages import generate, message
from site_under_test import CONF, Site, wait_for

DOMAIN = "mail.example"


def without_trace(content):
    """What was enqueued: less the Received: line that the enqueueing by an intermediate channel has put before it."""
    lines = content.split(b"\n")
    assert lines[0].startswith(b"Received: from loopback"), lines[0]
    first = 1
    while lines[first][:1] in (b" ", b"\t"):
        first += 1
    return b"\n".join(lines[first:])


class Delivery(unittest.TestCase):
    def deliver_all(self, domain, count, seed, taken=lambda content: content):
        """Every shape of message, to every recipient's Maildir, once, byte for byte."""
        with Site(CONF) as site:
            site.start()
            sent = generate(count, [domain], seed)
            expected = {}
            for m in sent:
                site.submit(m)
                for recipient in m.recipients:
                    expected.setdefault(recipient, []).append(m.stored())
            site.drain()
            self.assertGreater(len(expected), 100)
            for recipient, contents in expected.items():
                self.assertEqual(sorted(contents), sorted(map(taken, site.mailbox(recipient))), recipient)
                self.assertEqual([], site.mailbox(recipient, "tmp"))

    def test_every_shape_arrives_byte_for_byte(self):
        self.deliver_all("mail.example", 42, seed=11)

    def test_through_loopback_it_still_arrives_byte_for_byte(self):
        self.deliver_all("loop.example", 28, seed=12, taken=without_trace)

    def test_more_recipients_than_a_message_record_holds(self):
        with Site(CONF) as site:
            site.start()
            m = message(*[f"user{i}@{DOMAIN}" for i in range(300)], subject="many")
            site.submit(m)
            site.drain()
            for recipient in m.recipients:
                self.assertEqual([m.stored()], site.mailbox(recipient), recipient)

    def test_recipients_in_several_channels_each_get_theirs(self):
        with Site(CONF) as site:
            site.start()
            m = message(f"ann@{DOMAIN}", "bob@bits.example", "cid@loop.example", "dan@MAIL.Example")
            site.submit(m)
            site.drain()
            for recipient in ("ann@mail.example", "dan@mail.example"):
                self.assertEqual([m.stored()], site.mailbox(recipient), recipient)
            self.assertEqual([m.stored()], [without_trace(c) for c in site.mailbox("cid@loop.example")])
            self.assertEqual([], site.mailbox("bob@bits.example"))

    def test_bitbucket_a_program_in_c_discards(self):
        with Site(CONF) as site:
            site.start()
            for m in generate(14, ["bits.example"], seed=3):
                site.submit(m)
            site.drain()
            finished = site.figures("bitbucket")["finished"]
            self.assertGreaterEqual(finished, 14)
            self.assertFalse(os.path.exists(site.path("mailboxes")))

    def test_addresses_cannot_leave_the_mailbox_directory(self):
        with Site(CONF) as site:
            site.start()
            m = message(f'"../../../escaped"@{DOMAIN}', f'".hidden"@{DOMAIN}')
            site.submit(m)
            site.drain()
            self.assertEqual(2, len(os.listdir(site.path("mailboxes", DOMAIN))))
            found = [f for _, _, files in os.walk(site.path("mailboxes", DOMAIN)) for f in files]
            self.assertEqual(2, len(found))

    def test_a_full_or_forbidden_mailbox_defers_that_recipient_alone(self):
        with Site(CONF) as site:
            site.start()
            blocker = site.write(f"mailboxes/{DOMAIN}/blocked", "in the way")
            m = message(f"ann@{DOMAIN}", f"blocked@{DOMAIN}")
            site.submit(m)
            wait_for("the deferral", lambda: site.figures("maildir").get("deferred") == 1)
            self.assertEqual([m.stored()], site.mailbox(f"ann@{DOMAIN}"))
            self.assertIn(f"mailboxes/{DOMAIN}/blocked", site.log())
            os.remove(blocker)
            site.jobctl("run", "maildir")
            site.drain()
            self.assertEqual([m.stored()], site.mailbox(f"blocked@{DOMAIN}"))
            self.assertEqual(1, len(site.mailbox(f"ann@{DOMAIN}")))

    def test_the_empty_sender_and_trace_lines(self):
        with Site(CONF.replace("option.trace = no", "option.trace = yes")) as site:
            site.start()
            m = message(f"ann@{DOMAIN}", sender="")
            site.submit(m)
            site.drain()
            trace = f"Return-Path: <>\nDelivered-To: ann@{DOMAIN}\n".encode()
            self.assertEqual([trace + m.stored()], site.mailbox(f"ann@{DOMAIN}"))


class Pipe(unittest.TestCase):
    def site(self, command, extra=""):
        return Site(CONF.replace("option.command = /bin/true", f"option.command = {command}\n{extra}"))

    def test_the_command_gets_message_and_envelope(self):
        with self.site("/bin/sh {root}/take ${sender} ${recipients}") as site:
            site.write("take", 'cat > "$JOBCTL_ROOT/$MESSAGE_ID.eml"\n'
                               'printf "%s\\n" "$0" "$@" "$SENDER" "$RECIPIENTS" "$CHANNEL" > "$JOBCTL_ROOT/args.new"\n'
                               'mv "$JOBCTL_ROOT/args.new" "$JOBCTL_ROOT/args"\n')
            site.start()
            m = message("a b@pipe.example", "$(touch oops)@pipe.example", sender="s@x.example", body=".\n..\nFrom x\n")
            m.recipients[0] = '"a b"@pipe.example'
            m.recipients[1] = '"$(touch oops)"@pipe.example'
            site.submit(m)
            site.drain()
            with open(site.path("args")) as f:
                words = f.read().splitlines()
            self.assertEqual(site.path("take"), words[0])
            self.assertEqual("s@x.example", words[1])
            self.assertEqual(sorted(m.recipients), sorted(words[2:4]))
            self.assertEqual("s@x.example", words[4])
            self.assertEqual(sorted(m.recipients), sorted(words[5:7]))
            self.assertEqual("pipe", words[7])
            files = [n for n in os.listdir(site.root) if n.endswith(".eml")]
            self.assertEqual(1, len(files))
            with open(site.path(files[0]), "rb") as f:
                self.assertEqual(m.stored(), f.read())
            self.assertFalse(os.path.exists(site.path("oops")))

    def test_every_shape_reaches_a_command_once_for_each_recipient(self):
        with self.site("/bin/sh {root}/take ${recipient}") as site:
            site.write("take", 'mkdir -p "$JOBCTL_ROOT/got"; cat > "$JOBCTL_ROOT/got/$MESSAGE_ID.$1"\n')
            site.start()
            sent = generate(14, ["pipe.example"], seed=5)
            for m in sent:
                site.submit(m)
            site.drain()
            expected = sorted((r, m.stored()) for m in sent for r in m.recipients)
            got = []
            for name in os.listdir(site.path("got")):
                with open(site.path("got", name), "rb") as f:
                    got.append((name.split(".", 3)[3], f.read()))
            self.assertEqual(expected, sorted(got))

    def test_a_temporary_failure_is_tried_again_by_run(self):
        with self.site("/bin/sh {root}/take") as site:
            site.write("take", "echo the store is closed; exit 75\n")
            site.start()
            site.submit(message("ann@pipe.example"))
            wait_for("the deferral", lambda: site.figures("pipe").get("deferred") == 1)
            self.assertIn("the store is closed", site.log())
            site.write("take", 'cat > "$JOBCTL_ROOT/taken"\n')
            site.jobctl("run", "pipe")
            site.drain()
            self.assertTrue(os.path.exists(site.path("taken")))

    def test_a_permanent_failure_of_which_nobody_can_be_told_puts_the_message_on_hold_with_the_reason(self):
        with self.site("/bin/sh -c 'echo no such user here; exit 67'") as site:
            site.start()
            site.submit(message("ann@pipe.example"))
            wait_for("the hold", lambda: site.figures("pipe").get("held") == 1)
            listed = site.ls()
            self.assertEqual(1, len(listed))
            shown = site.jobctl("show", listed[0]["id"]).stdout.decode()
            self.assertIn("no such user here", shown)
            self.assertIn("addressee unknown", shown)

    def test_an_overdue_command_is_stopped_and_the_message_deferred(self):
        with self.site("/bin/sleep 1000", "option.time_limit = 1") as site:
            site.start()
            site.submit(message("ann@pipe.example"))
            wait_for("the deferral", lambda: site.figures("pipe").get("deferred") == 1)
            self.assertIn("time limit of 1 s", site.log())
            self.assertEqual([], site.programs("sleep"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
