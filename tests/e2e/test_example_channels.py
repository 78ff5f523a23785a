"""The example channels, each on a site of its own: what comes out at their other end, and what becomes of a message
when there is nothing to be done with it."""

import email
import glob
import http.server
import json
import os
import re
import signal
import smtplib
import threading
import unittest

from messages import message
from site_under_test import CHANNELS, Site, wait_for

SITE = """\
[jobctl]
host = e2e.example
builtin = no
relaunch_first = 1ms
relaunch_last = 10ms

[queue]
reserve = 1M

[dequeue]
retry_interval = 1s
max_attempts = {attempts}

[channel maildir]
program = {{channels}}/maildir

[channel {name}]
program = {program}
backoff = 1h
{options}

[routes]
{name}.example = {name}
* = maildir
"""


def conf(name, options="", more="", attempts=5, program=None):
    return SITE.format(name=name, options=options, attempts=attempts, program=program or f"{{channels}}/{name}") + more


def site_of(*arguments, **more):
    return Site(conf(*arguments, **more))


def read(path):
    with open(path, "rb") as f:
        return f.read()


# A header that lacks nothing, so that nobody on the way supplies anything but Received: lines.
HEADER = (b"From: <ann@x.example>\nTo: <bob@x.example>\nDate: Sat, 21 Nov 2026 01:02:03 +0000\n"
          b"Message-ID: <1@x.example>\n")


def less_received(content):
    return re.sub(rb"\A(Received:.*\n([ \t].*\n)*)*", b"", content)


class Channels(unittest.TestCase):
    def through_intermediate(self, channel, options, text):
        """What arrives of a message that an intermediate channel has passed on, less HEADER and Received: lines."""
        with site_of(channel, options, f"[routes from {channel}]\n* = maildir\n") as site:
            site.start()
            site.jobctl("submit", "--raw", "-i", "-f", "ann@x.example", f"bob@{channel}.example", stdin=HEADER + text)
            site.drain()
            mail, = site.mailbox(f"bob@{channel}.example")
            received = less_received(mail)
            self.assertEqual(HEADER, received[:len(HEADER)])
            return received[len(HEADER):]

    def reason(self, site, text):
        """Waits until a program has said so in its log."""
        wait_for(f"{text!r} in the log", lambda: re.search(text, site.log()))

    def deferred(self, site, channel, messages=1):
        wait_for("the deferral", lambda: site.figures(channel).get("deferred") == messages)

    def failed(self, site, channel, text):
        """No recipient of the channel's message is tried again, and the reason is known."""
        self.reason(site, text)
        wait_for("the failure", lambda: not any(site.figures(channel)[s] for s in ("ready", "in_hand", "deferred")))

    def kill_while_delivering(self, site, channel, recipients, delivered):
        """Three times a program is killed with work on its hands; in the end each recipient has been delivered to."""
        for recipient in recipients:
            site.submit(message(recipient))
        site.start()
        for share in (4, 3, 2):
            wait_for("some deliveries", lambda: len(delivered()) >= len(recipients) // share)
            for pid in site.programs(channel):
                os.kill(pid, signal.SIGKILL)
        site.drain()
        self.assertEqual(set(recipients), set(delivered()))


class BatchSmtp(Channels):
    def batches(self, site):
        return [read(path).decode() for path in sorted(glob.glob(site.path("batch.*")))]

    def test_a_batch_can_be_replayed_over_smtp(self):
        with site_of("batch_smtp", "option.FILE = {root}/batch", attempts=0) as site:
            site.start()
            sent = message("ann@batch_smtp.example", "bob@batch_smtp.example", body=".\n..two\nd\xfcst\n")
            site.submit(sent)
            site.drain()
            batch = wait_for("the batch to be complete",
                             lambda: next((b for b in self.batches(site) if b.endswith("\r\nQUIT\r\n")), None))
            self.assertEqual(
                ["EHLO e2e.example", "MAIL FROM:<sender@sender.example> BODY=8BITMIME",
                 "RCPT TO:<ann@batch_smtp.example>", "RCPT TO:<bob@batch_smtp.example>", "DATA"],
                batch.split("\r\n")[:5])
            self.assertNotRegex(batch, "[^\r]\n")
            data = batch.split("\r\nDATA\r\n")[1].removesuffix(".\r\nQUIT\r\n")
            self.assertEqual(smtplib._quote_periods(sent.stored().replace(b"\n", b"\r\n")), data.encode())

    def test_requests_for_notifications_are_parameters(self):
        with site_of("batch_smtp", "option.FILE = {root}/batch") as site:
            site.start()
            for notify in ("never", "success,delay", "failure,delay"):
                site.jobctl("submit", "--raw", "-f", "", "-V", "a b+c", "-N", notify, "-R", "hdrs", "x@batch_smtp.example",
                            stdin=b"Subject: x\n\n")
            site.drain()
            text = "".join(self.batches(site))
            self.assertEqual(3, text.count("MAIL FROM:<> BODY=8BITMIME RET=HDRS ENVID=a+20b+2Bc\r\n"))
            for to in ("> NOTIFY=NEVER\r\n", "> NOTIFY=SUCCESS,DELAY\r\n", ">\r\n"):
                self.assertEqual(1, text.count(f"RCPT TO:<x@batch_smtp.example{to}"), to)

    def test_every_message_is_in_one_of_the_threads_files(self):
        with site_of("batch_smtp", "option.FILE = {root}/batch\nthreaddepth = 1") as site:
            for i in range(60):
                site.submit(message(f"user{i}@batch_smtp.example"))
            site.start()
            site.drain()
            text = "".join(self.batches(site))
            for i in range(60):
                self.assertEqual(1, text.count(f"RCPT TO:<user{i}@batch_smtp.example>\r\n"), i)
            self.assertEqual(60, text.count("\r\n.\r\n"))

    def test_what_is_killed_loses_nothing(self):
        with site_of("batch_smtp", "option.FILE = {root}/batch\nmaxjobs = 1") as site:
            def delivered():
                complete = re.findall(r"RCPT TO:<(.*)>\r\nDATA\r\n(?:[^.].*\n|\r\n|\.\..*\n)*\.\r\n",
                                      "\x00".join(self.batches(site)))
                return set(complete)
            self.kill_while_delivering(site, "batch_smtp", [f"u{i}@batch_smtp.example" for i in range(80)], delivered)

    def test_without_a_place_for_the_file_mail_is_deferred(self):
        with site_of("batch_smtp", "option.FILE = {root}/later/batch") as site:
            site.start()
            site.submit(message("ann@batch_smtp.example"))
            self.deferred(site, "batch_smtp")
            self.reason(site, "cannot make .*/later/batch.*: No such file")
            os.mkdir(site.path("later"))
            site.jobctl("run", "batch_smtp")
            site.drain()
            self.assertIn(b"RCPT TO:<ann@", b"".join(map(read, glob.glob(site.path("later/batch.*")))))

    def test_what_a_failed_attempt_has_written_is_cut_off(self):
        with site_of("batch_smtp", "option.FILE = {root}/batch\nthreaddepth = 1000", attempts=0,
                     program="/bin/sh {root}/limited") as site:
            # A file of over 16 blocks of 512 bytes cannot be written, as if the disk were full.
            site.write("limited", f'trap "" XFSZ\nulimit -f 16\nexec {CHANNELS}/batch_smtp\n')
            for name, size in (("ann", 10), ("bob", 30000), ("cid", 10)):
                site.submit(message(f"{name}@batch_smtp.example", body="x" * 70 + "\n" + "y" * size + "\n"))
            site.start()
            wait_for("the others to be finished", lambda: site.live_on_disk() == 1)
            self.deferred(site, "batch_smtp")
            self.reason(site, "deferred: File too large")
            message_of = r"MAIL FROM:.*\r\nRCPT TO:<(.*)@.*>\r\nDATA\r\n(?s:.*?)y{10}\r\n\.\r\n"

            def whole_batches():
                batches = self.batches(site)
                whole = all(re.fullmatch(rf"EHLO .*\r\n({message_of})*QUIT\r\n", batch) for batch in batches)
                return whole and sorted(re.findall(message_of, "".join(batches)))
            self.assertEqual(["ann", "cid"], wait_for("whole batches", whole_batches))

    def test_without_a_file_it_is_standard_output(self):
        with site_of("batch_smtp") as site:
            site.submit(message("ann@batch_smtp.example"))
            site.start()
            site.drain()  # under the controller that is the channel's log
            self.reason(site, "RCPT TO:<ann@batch_smtp.example>(?s:.*)\n[^\n]* \\.\r?\n")


class MailLoops(Channels):
    def test_what_has_gone_in_circles_is_returned_to_its_sender(self):
        for channel, options in (("loopback", ""), ("transform", Transform.OPTIONS),
                                 ("strip_attachments", "option.bad_types = image/*")):
            with self.subTest(channel), \
                    site_of(channel, options, f"[routes from {channel}]\n* = maildir\n") as site:
                site.configure(open(site.path("jobctl.conf")).read().replace("[jobctl]", "[jobctl]\nloop_limit = 0", 1))
                site.start()
                site.jobctl("submit", "--raw", "-i", "-f", "ann@x.example", f"bob@{channel}.example",
                            stdin=b"Received: by y.example\n" * 100 + HEADER + b"\nhello\n")
                site.drain()
                self.assertEqual([], site.mailbox(f"bob@{channel}.example"))
                notice, = site.mailbox("ann@x.example")
                self.assertIn(b"a mail loop", notice)

    def test_what_goes_in_circles_is_held_and_released_for_one_hop(self):
        with site_of("loopback", "", "[routes from loopback]\n* = maildir\n") as site:
            site.start()
            site.jobctl("submit", "--raw", "-i", "-f", "ann@x.example", "bob@loopback.example",
                        stdin=b"Received: by y.example\n" * 50 + HEADER + b"\nhello\n")
            wait_for("the hold", lambda: site.figures("maildir").get("held") == 1)
            held, = site.ls("--state", "held")
            self.assertIn("mail loop", site.jobctl("show", held["id"]).stdout.decode())
            self.assertEqual([], site.mailbox("bob@loopback.example"))


class Reprocess(Channels):
    CONF = """\
[jobctl]
host = mta.example
builtin = no
[queue]
reserve = 1M
[channel reprocess]
program = {channels}/loopback
[channel wrong]
program = {channels}/loopback
[channel maildir]
program = {channels}/maildir
[routes from reprocess]
* = wrong
[routes]
* = """

    def test_what_was_put_off_goes_by_the_routes_of_who_put_it_off(self):
        with Site(self.CONF + "reprocess\n") as site:
            site.submit(message("bob@x.example"))
            site.configure(self.CONF + "maildir\n")
            site.start()
            site.drain()
            self.assertEqual(1, len(site.mailbox("bob@x.example")))
            self.assertNotIn("wrong", site.log())


class Transform(Channels):
    ROUTES = "[routes from transform]\n* = maildir\n"
    OPTIONS = "option.find = cat\noption.replace = small tiger"

    def through(self, text):
        return self.through_intermediate("transform", self.OPTIONS, text)

    def test_text_is_replaced_in_the_body_and_not_in_the_header(self):
        self.assertEqual(b"Subject: a cat\n\nA small tiger, small tigeralogued.\nlosmall tigere\nCat\n",
                         self.through(b"Subject: a cat\n\nA cat, catalogued.\nlocate\nCat\n"))

    def test_of_a_multipart_message_only_the_text_changes(self):
        template = (b"Content-Type: multipart/mixed;\n boundary=\"==1\"\n\ncat\n"
                    b"--==1\nContent-Type: text/plain\n\na %s\n"
                    b"--==1\nContent-Type: multipart/alternative; boundary=in\n\n"
                    b"--in\n\nno type: %s\n"
                    b"--in\nContent-Type: text/html\nContent-Transfer-Encoding: 8bit\n\n<p>%s</p>\n"
                    b"--in\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\ncatcatcatcat\n--in--\n"
                    b"--==1\nContent-Type: application/cat\n\ncat\n--==1--\ncat\n")
        self.assertEqual(template % ((b"small tiger",) * 3), self.through(template % ((b"cat",) * 3)))

    def test_what_is_signed_stays_as_it_is(self):
        signed = (b"Content-Type: multipart/signed; boundary=s\n\n--s\nContent-Type: text/plain\n\ncat\n"
                  b"--s\nContent-Type: application/pgp-signature\n\ncat\n--s--\n")
        self.assertEqual(signed, self.through(signed))

    def test_the_envelope_goes_along(self):
        with site_of("transform", self.OPTIONS, "[channel wait]\n[routes from transform]\n* = wait\n") as site:
            site.start()
            site.jobctl("submit", "--raw", "-f", "", "-V", "id1", "-N", "never", "b@transform.example", "a@transform.example",
                        stdin=b"Subject: x\n\ncat\n")
            waiting = wait_for("the new message", lambda: site.ls("--channel", "wait"))
            shown = json.loads(site.jobctl("show", "--json", waiting[0]["id"]).stdout)
            self.assertEqual(("", "id1", "transform"),
                             tuple(shown[k] for k in ("from", "envelope_id", "source_channel")))
            never = 0x01  # nothing but how much is returned (mta::notify_flags)
            self.assertEqual([("a@transform.example", never), ("b@transform.example", never)],
                             [(r["address"], r["notify_flags"]) for r in shown["recipients"]])

    def test_mail_that_would_come_straight_back_waits_for_routes(self):
        with site_of("transform", self.OPTIONS) as site:
            site.start()
            site.submit(message("ann@transform.example", "bob@y.example", body="cat\n"))
            self.deferred(site, "transform")
            site.configure(conf("transform", self.OPTIONS, self.ROUTES))
            site.jobctl("reload")
            site.jobctl("stop", "--channel", "transform")  # a new program reads the new routes
            site.jobctl("start", "transform")
            site.jobctl("run", "transform")
            site.drain()
            mail, = site.mailbox("ann@transform.example")
            self.assertTrue(mail.endswith(b"\nsmall tiger\n"))


class Posted(http.server.BaseHTTPRequestHandler):
    """Answers with the status that is the recipient's local part; /slow never does."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.client_address, self.path, self.headers, body))
        if self.path == "/slow":
            self.server.closing.wait()
            self.close_connection = True
            return
        status = int(self.headers.get_all("Envelope-To")[0].strip("<>").split("@")[0])
        answer = b"" if status == 204 else b"because\nof that"
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class HttpPost(Channels):
    def server(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Posted)
        server.posts, server.closing = [], threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

        def close():
            server.closing.set()
            server.shutdown()
            server.server_close()
        self.addCleanup(close)
        return server

    def site(self, server, path="/in", more=""):
        return site_of("http_post", f"option.url = http://127.0.0.1:{server.server_port}{path}\n{more}")

    def test_a_message_is_posted_as_it_is_with_its_envelope(self):
        server = self.server()
        with self.site(server, more="option.header = Authorization: Bearer 12") as site:
            site.start()
            sent = message("200@http_post.example", "bob@http_post.example", body="x" * 50000 + "\n.\n")
            site.jobctl("submit", "--raw", "-i", "-f", sent.sender, "-V", "id1", *sent.recipients, stdin=sent.content)
            site.drain()
            (_, path, headers, body), = server.posts
            self.assertEqual("/in", path)
            self.assertEqual(sent.stored().replace(b"\n", b"\r\n"), less_received(body))
            self.assertEqual("message/rfc822", headers["Content-Type"])
            self.assertEqual(f"<{sent.sender}>", headers["Envelope-From"])
            self.assertEqual([f"<{to}>" for to in sent.recipients], headers.get_all("Envelope-To"))
            self.assertEqual("id1", headers["Envelope-Id"])
            self.assertEqual("Bearer 12", headers["Authorization"])

    def test_the_status_decides(self):
        server = self.server()
        with self.site(server) as site:
            site.start()
            later = ("301", "408", "429", "500", "503")
            for status in ("204", *later):
                site.submit(message(f"{status}@http_post.example"))
            self.deferred(site, "http_post", len(later))
            self.assertEqual(sorted(("204", *later)), sorted(p[2]["Envelope-To"][1:4] for p in server.posts))
            self.reason(site, "HTTP status 503: because of that")
            first = {p[2]["Envelope-To"]: p[2]["Idempotency-Key"] for p in server.posts}
            self.assertEqual(6, len(set(first.values())))
            server.posts.clear()
            site.jobctl("run", "http_post")
            wait_for("the second attempts", lambda: len(server.posts) == len(later))
            for _, _, headers, _ in server.posts:
                self.assertEqual(first[headers["Envelope-To"]], headers["Idempotency-Key"])

    def test_a_refusal_is_final(self):
        server = self.server()
        with self.site(server) as site:
            site.start()
            site.submit(message("403@http_post.example"))
            self.failed(site, "http_post", "HTTP status 403: because of that")
            self.assertEqual(1, len(server.posts))

    def test_a_connection_is_used_again(self):
        server = self.server()
        with self.site(server, more="maxjobs = 1\nthreaddepth = 1000") as site:
            for _ in range(20):
                site.submit(message("200@http_post.example"))
            site.start()
            site.drain()
            self.assertEqual(20, len(server.posts))
            # One, unless the program found the queue empty in between and began another thread.
            self.assertLess(len({address for address, _, _, _ in server.posts}), 5)

    def test_no_answer_in_time_defers(self):
        server = self.server()
        with self.site(server, "/slow", "option.timeout = 1") as site:
            site.start()
            site.submit(message("200@http_post.example"))
            self.deferred(site, "http_post")
            self.reason(site, "(?i)timeout")

    def test_nobody_there_defers(self):
        server = self.server()
        server.server_close()
        with self.site(server) as site:
            site.start()
            site.submit(message("200@http_post.example"))
            self.deferred(site, "http_post")
            self.reason(site, "connect")


class SmsGateway(Channels):
    OPTIONS = "option.SPOOL = {root}/spool\noption.COUNTRY_CODE = 49\noption.MAX_LENGTH = 30\n"

    def site(self, more="", spool=True):
        site = site_of("sms_gateway", self.OPTIONS + more)
        if spool:
            os.mkdir(site.path("spool"))
        return site

    def spool(self, site):
        return sorted(read(p).decode() for p in glob.glob(site.path("spool/*")))

    def test_a_short_message_for_each_number(self):
        with self.site("option.PREFIX = mail:") as site:
            site.start()
            m = message("+1-555-0100-200@sms_gateway.example", "0170.1234567@sms_gateway.example",
                        "00441234567@sms_gateway.example", subject="hi\n  there", body=" one\n\ntwo  three four\n")
            site.submit(m)
            site.drain()
            self.assertEqual([f"To: {n}\n\nmail: hi there one two three f" for n in
                              ("15550100200", "441234567", "491701234567")], self.spool(site))
            self.assertEqual([], glob.glob(site.path("spool/.*")))

    def test_it_is_cut_between_characters(self):
        with self.site() as site:
            site.start()
            site.submit(message("4930123456@sms_gateway.example", subject="ä" * 40))
            site.drain()
            self.assertEqual(["To: 4930123456\nAlphabet: UTF-8\n\n" + "ä" * 30], self.spool(site))

    def test_the_text_is_the_first_part_that_is_plain_text_decoded(self):
        for content, text in (
                (b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\nSubject: s\n\n"
                 b"w7xiZXI=\n", "Alphabet: UTF-8\n\ns \u00fcber"),
                (b"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
                 b"=FCber =\nall\n", "\n?ber all"),
                (b"Content-Type: multipart/alternative; boundary=b\nsubject: s\n\nprologue\n"
                 b"--b\nContent-Type: text/html\n\n<p>\n--b\n\none\n--b\n\ntwo\n--b--\n", "\ns one"),
                (b"Content-Type: text/html\nSubject: s\n\n<p>\n", "\ns")):
            with self.subTest(content), self.site() as site:
                site.start()
                site.jobctl("submit", "--raw", "4930123456@sms_gateway.example", stdin=content)
                site.drain()
                self.assertEqual(["To: 4930123456\n" + text], self.spool(site))

    def test_what_is_no_number_fails_and_the_others_are_sent(self):
        with self.site() as site:
            site.start()
            site.submit(message("ann@sms_gateway.example", "4930123456@sms_gateway.example",
                                "+1234567890123456@sms_gateway.example"))
            self.failed(site, "sms_gateway", "ann@sms_gateway.example: not a telephone number")
            self.assertEqual(1, len(self.spool(site)))

    def test_what_is_killed_loses_nothing(self):
        with self.site("maxjobs = 1") as site:
            def delivered():
                return {text[4:12] + "@sms_gateway.example" for text in self.spool(site) if len(text) > 12}
            self.kill_while_delivering(site, "sms_gateway",
                                       [f"{i}@sms_gateway.example" for i in range(10000000, 10000080)], delivered)

    def test_a_full_spool_defers(self):
        with self.site("option.MAX_WAITING = 2") as site:
            for name in ("a", "b"):
                site.write(f"spool/{name}", "")
            site.start()
            site.submit(message("4930123456@sms_gateway.example"))
            self.deferred(site, "sms_gateway")
            self.reason(site, "the spool is full")
            os.remove(site.path("spool/a"))
            site.jobctl("run", "sms_gateway")
            site.drain()
            self.assertEqual(2, len(self.spool(site)))

    def test_without_a_spool_mail_is_deferred(self):
        with self.site(spool=False) as site:
            site.start()
            site.submit(message("4930123456@sms_gateway.example"))
            self.deferred(site, "sms_gateway")
            self.reason(site, "No such file")


class StripAttachments(Channels):
    OPTIONS = ("option.BAD_NAMES = *.exe, *.js setup*\noption.BAD_TYPES = application/x-ms* video/*\n"
               "option.NOTE = Removed here:")

    def through(self, text):
        return self.through_intermediate("strip_attachments", self.OPTIONS, text)

    @staticmethod
    def part(name, disposition="", type="application/octet-stream", content="AAAA"):
        return (f"--=b\nContent-Type: {type}; name=\"{name}\"\nContent-Disposition: attachment{disposition}\n"
                f"Content-Transfer-Encoding: base64\n\n{content}\n")

    def mixed(self, *parts):
        return ("Subject: s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=b\"\n\nprologue\n"
                "--=b\n\nA text.\n" + "".join(parts) + "--=b--\nepilogue\n").encode()

    def test_bad_names_and_types_are_replaced_by_a_note_and_the_rest_stays(self):
        bad = [self.part("a.EXE"), self.part("x", "; filename=\"b.js. \""), self.part("Setup.txt"),
               self.part("c", type="video/mpeg"), self.part("d", type="application/X-MSDOWNLOAD"),
               self.part("e.txt", "; filename*=utf-8''f%2Eexe")]
        good = [self.part("exe.txt"), self.part("", type="image/png"), self.part("y.exe.txt")]
        received = email.message_from_bytes(self.through(self.mixed(bad[0], good[0], *bad[1:], *good[1:])))
        notes = [(p.get_content_type(), p.get_content_disposition(), p.get_payload(decode=True).decode().strip())
                 for p in received.get_payload() if p.get_content_type() == "text/plain"]
        self.assertEqual(["A text."] + [f"Removed here: {name}" for name in
                                        ("a.EXE", "b.js", "Setup.txt", "c", "d", "f.exe")], [n[2] for n in notes])
        self.assertEqual({"inline"}, {n[1] for n in notes[1:]})
        self.assertEqual(["exe.txt", "", "y.exe.txt"],
                         [p.get_filename() for p in received.get_payload() if p.get_content_type() != "text/plain"])

    def test_a_message_without_them_stays_byte_for_byte(self):
        for text in (self.mixed(self.part("good.txt"), self.part("x", content="bad base64 =")), b"Subject: s\n\n.\nexe\n",
                     b"Content-Type: multipart/mixed\n\n--x\nno boundary.exe\n"):
            self.assertEqual(text, self.through(text))

    def test_an_attached_message_and_a_message_that_is_one_attachment(self):
        inner = "--=b\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: application/x; name=z.js\n\nbad\n"
        received = self.through(self.mixed(inner))
        self.assertIn(b"Subject: inner\n", received)
        self.assertIn(b"Removed here: z.js\n", received)
        self.assertNotIn(b"bad\n", received)
        received = email.message_from_bytes(self.through(b"Subject: s\nContent-Type: video/mp4\n\nbad\n"))
        self.assertEqual(("s", "text/plain", "Removed here: video/mp4\n"),
                         (received["Subject"], received.get_content_type(), received.get_payload()))

    def test_who_would_get_it_straight_back_waits_and_the_others_get_theirs(self):
        routes = "[routes from strip_attachments]\nback.example = strip_attachments\n* = maildir\n"
        with Site(conf("strip_attachments", self.OPTIONS, routes)
                  .replace("* = maildir", "back.example = strip_attachments\n* = maildir", 1)) as site:
            site.start()
            site.submit(message("ann@back.example", "bob@strip_attachments.example"))
            self.deferred(site, "strip_attachments")
            self.reason(site, "ann@back.example: the routes lead back to this channel")
            wait_for("the other's", lambda: site.mailbox("bob@strip_attachments.example"))


class Options(Channels):
    def test_a_wrong_option_is_named_and_mail_waits(self):
        for name, options, text in (
                ("batch_smtp", "option.FILE = batch", "option FILE: .batch. must be an absolute path"),
                ("transform", "", "option find"),
                ("strip_attachments", "", "option BAD_TYPES or BAD_NAMES must say"),
                ("http_post", "option.url = ftp://x", "option url: .ftp://x. must begin with http"),
                ("http_post", "option.url = http://x\noption.timeout = 1m", "option timeout: .1m. must be a whole number"),
                ("sms_gateway", "", "option SPOOL must be an absolute path")):
            with self.subTest(options), site_of(name, options) as site:
                site.start()
                site.submit(message(f"ann@{name}.example"))
                self.reason(site, text)
                self.assertEqual(1, site.waiting())


if __name__ == "__main__":
    unittest.main(verbosity=2)
