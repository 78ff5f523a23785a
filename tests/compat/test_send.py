"""mtaSend: the shapes of the four sample programs of the Developer's Reference ch. 7, in C89 and C++98, and every
encoding, decoded by somebody else."""

import base64
import binascii
import email
import email.policy
import glob
import gzip
import os
import random
import re
import subprocess
import tempfile
import unittest

import programs
from site_under_test import BUILD, Site

SITE = programs.SITE.format(attempts=5) + f"""
[channel maildir]
program = {BUILD}/channels/bin/maildir
[routes]
send.example = maildir
"""
# Item codes, as the header has them.
with open(os.path.join(programs.SOURCE, "include", "mtasdk.h"), encoding="ascii") as header:
    CODES = {name: int(value) for name, value in re.findall(r"^#define (MTA_\w+) (\d+)", header.read(), re.MULTILINE)}


def decode_btoa(text):
    lines = text.split("\n")
    assert lines[0] == "xbtoa Begin", lines[0]
    end = [line for line in lines if line.startswith("xbtoa End")][0].split()
    digits = "".join(lines[1:lines.index(" ".join(end))])
    data, i = b"", 0
    while i < len(digits):
        if digits[i] == "z":
            data, i = data + b"\0\0\0\0", i + 1
            continue
        value = 0
        for c in digits[i:i + 5]:
            value = value * 85 + ord(c) - 33
        data, i = data + value.to_bytes(4, "big"), i + 5
    data = data[:int(end[3])]
    xor = total = rotated = 0
    for byte in data:
        xor ^= byte
        total = (total + byte + 1) & 0xFFFFFFFF
        rotated = ((rotated << 1 | rotated >> 31) + byte) & 0xFFFFFFFF
    assert [int(end[n], 16) for n in (4, 6, 8, 10)] == [len(data), xor, total, rotated], end
    return data


def decode_binhex(text):
    alphabet = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
    text = text[text.index(":") + 1:text.rindex(":")].replace("\n", "")
    bits = "".join(f"{alphabet.index(c):06b}" for c in text)
    packed = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits) - 7, 8))
    data, i = bytearray(), 0
    while i < len(packed):
        if packed[i] == 0x90 and packed[i + 1] != 0:
            data += data[-1:] * (packed[i + 1] - 1)
            i += 2
        else:
            data.append(packed[i])
            i += 2 if packed[i] == 0x90 else 1
    name = data[1:1 + data[0]].decode()
    head = 1 + data[0] + 1 + 4 + 4 + 2 + 4 + 4
    assert binascii.crc_hqx(bytes(data[:head]), 0) == int.from_bytes(data[head:head + 2], "big")
    length = int.from_bytes(data[head - 8:head - 4], "big")
    fork = bytes(data[head + 2:head + 2 + length])
    assert binascii.crc_hqx(fork, 0) == int.from_bytes(data[head + 2 + length:head + 4 + length], "big")
    assert name == "data.bin"
    return fork


def decode_uu(text):
    lines = text.split("\n")
    assert lines[0].startswith("begin 644 data.bin") and "end" in lines, lines[0]
    return b"".join(binascii.a2b_uu(line) for line in lines[1:lines.index("end")])


DECODERS = {
    "BASE64": base64.b64decode,
    "QUOTED_PRINTABLE": lambda text: binascii.a2b_qp(text.encode()),
    "BASE85": lambda text: base64.a85decode(text.strip(), adobe=True),
    "BINHEX": decode_binhex,
    "BTOA": decode_btoa,
    "HEXADECIMAL": lambda text: bytes.fromhex(text.replace("\n", "")),
    "UUENCODE": decode_uu,
    "COMPRESSED_BASE64": lambda text: gzip.decompress(base64.b64decode(text)),
    "COMPRESSED_BINARY": lambda text: gzip.decompress(base64.b64decode(text)),
    "COMPRESSED_UUENCODE": lambda text: gzip.decompress(decode_uu(text)),
    "PATHWORKS": base64.b64decode,
}


class Send(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="jobctl-send-"))
        cls.site = cls.enterClassContext(Site(SITE))
        cls.site.start()
        cls.body = cls.file("body", "Hello.\nHow are you?\n")

    @classmethod
    def file(cls, name, text):
        path = os.path.join(cls.directory, name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path

    def program(self, name):
        return programs.build(name, "c89", self.directory)

    def run_program(self, name, *arguments, language="c89", **more):
        program = programs.build(name, language, self.directory)
        return subprocess.run([program, *arguments], env=self.site.env, capture_output=True, text=True, **more)

    def received(self, user):
        self.site.drain()
        paths = glob.glob(self.site.path(f"mailboxes/send.example/{user}/new/*"))
        self.assertEqual(1, len(paths), user)
        with open(paths[0], "rb") as f:
            text = f.read()
        os.remove(paths[0])
        return email.message_from_bytes(text, policy=email.policy.default), text

    def test_a_simple_message(self):
        for language in ("c89", "c99", "cxx98", "cxx20"):
            done = self.run_program("send_simple.c", "bob@send.example", self.body, language=language)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            message, _ = self.received("bob")
            self.assertEqual("Sample message", message["Subject"])
            self.assertEqual("bob@send.example", message["To"])
            self.assertEqual("Hello.\nHow are you?\n", message.get_content())
            for name in ("From", "Date", "Message-ID"):
                self.assertEqual(1, len(message.get_all(name)), name)

    def test_an_initial_header_from_a_file(self):
        header = self.file("header", "From: Ann <ann@far.example>\nSubject: From a file\nX-Mark: 1\n")
        done = self.run_program("send_header.c", "bob@send.example", header, self.body, str(CODES["MTA_ENC_NONE"]),
                                str(CODES["MTA_MODE_TEXT"]))
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        message, _ = self.received("bob")
        self.assertEqual("Ann <ann@far.example>", message["From"])
        self.assertEqual("From a file", message["Subject"])
        self.assertEqual("1", message["X-Mark"])
        self.assertTrue(message["Sender"])
        self.assertEqual("data.bin", message.get_filename())
        self.assertEqual("Hello.\nHow are you?\n", message.get_content())

    def test_several_recipients_with_their_status(self):
        for language in ("c89", "cxx98"):
            done = self.run_program("send_status.c", self.body, "bob@send.example", "nobody@nowhere.invalid",
                                    "Cat <cat@SEND.example>", language=language)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            lines = done.stdout.splitlines()
            self.assertEqual("0 bob@send.example: bob@send.example", lines[0])
            self.assertTrue(lines[1].startswith(f"{CODES['MTA_NO']} nobody@nowhere.invalid: "), lines[1])
            self.assertEqual("0 Cat <cat@SEND.example>: cat@send.example", lines[2])
            for user in ("bob", "cat"):
                self.assertEqual("Hello.\nHow are you?\n", self.received(user)[0].get_content())

    def test_a_body_from_an_input_procedure(self):
        text = "Grüße,\n\n  a line with blanks at its end  \n" + "long " * 40 + "\n.\nFrom here\n=3D\n"
        for language in ("c89", "cxx98"):
            done = self.run_program("send_procedure.c", "bob@send.example", language=language, input=text)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            message, raw = self.received("bob")
            self.assertEqual("quoted-printable", message["Content-Transfer-Encoding"])
            self.assertEqual("utf-8", message.get_content_charset())
            self.assertEqual(text, message.get_content())
            self.assertLessEqual(max(map(len, raw.split(b"\n\n", 1)[1].split(b"\n"))), 76)

    def test_every_encoding_is_understood_by_others(self):
        noise = random.Random(1).randbytes(3000)
        contents = [noise, b"", b"x", bytes(1000) + b"\x90" * 700 + b"\x90", b"text\r\nwith\nlines \r", noise[:4] * 100]
        for name, decode in DECODERS.items():
            for content in contents:
                path = self.file("content", content)
                header = self.file("header", "Subject: x\n")
                done = self.run_program("send_header.c", "bob@send.example", header, path,
                                        str(CODES[f"MTA_ENC_{name}"]), str(CODES["MTA_MODE_BINARY"]))
                self.assertEqual((0, ""), (done.returncode, done.stderr))
                _, raw = self.received("bob")
                body = raw.split(b"\n\n", 1)[1].decode("ascii")
                self.assertEqual(content, decode(body), name)
                self.assertLessEqual(max(map(len, body.split("\n"))), 79, name)


if __name__ == "__main__":
    unittest.main()
