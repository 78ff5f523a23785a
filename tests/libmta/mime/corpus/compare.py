#!/usr/bin/python3
"""compare: the corpus as mta::mime sees it against the same as Python's email package sees it.

Usage: compare.py DUMP      the program built from dump.cpp

Compared for every part: its type, charset, disposition, file name and parameters, its header field by field, and its decoded content byte for byte
(line ends as LF). Where the two are meant to differ, `different` says why.
"""
import base64
import email
import email.header
import email.policy
import email.utils
import json
import pathlib
import string
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import make_corpus  # noqa: E402

ALPHABET = string.ascii_letters + string.digits + "+/"

# name (or its beginning): what is not compared, and why.
different = {
    "boundary/5-d9f52049": ("structure", "a boundary beyond ASCII: Python does not find its delimiters"),
    "boundary/empty": ("structure", "an empty boundary is none (RFC 2046 5.1.1); Python takes every -- for a delimiter"),
    "boundary/close_only": ("content", "a multipart without parts is presented as a text; Python drops the line"),
    "base64/tabs": ("content", "Python takes blanks around `base64` for a part of it"),
    "damaged/12": ("structure", "two delimiters in a row: an empty part (RFC 2046 5.1); Python sees one"),
}


def differs(name, what):
    return any(name.startswith(beginning) and what in skipped for beginning, (skipped, _) in different.items())


def lf(data):
    return data.replace(b"\r\n", b"\n")


def raw(text):
    return text.encode("ascii", "surrogateescape")


def decoded_words(text):
    if "=?" not in text:
        return raw(text) if any("\udc80" <= c <= "\udcff" for c in text) else text.encode()
    return "".join(t if isinstance(t, str) else t.decode(c or "ascii", "replace") for t, c in email.header.decode_header(text)).encode()


def parameter(value):
    if isinstance(value, tuple):
        return email.utils.collapse_rfc2231_value(value).encode("utf-8", "surrogateescape")
    return decoded_words(email.utils.unquote(value))


def fields_of(text):
    """A header's fields as Python gives them: name, and value with its folds."""
    fields = []
    for line in text.decode("ascii", "surrogateescape").split("\n")[:-1]:
        if line[:1] in (" ", "\t"):
            if fields:
                fields[-1][1] += "\n" + line
        elif line.startswith("From ") and not fields:
            continue
        else:
            name, _, value = line.partition(":")
            fields.append([name, value.lstrip(" \t")])
    return fields


def leaves(message, opened):
    """The parts, and on the way what is opened."""
    maintype = message.get_content_maintype()
    payload = message.get_payload()
    if maintype == "multipart" and isinstance(payload, list):
        opened.append(message.get_content_type())
        for each in payload:
            yield from leaves(each, opened)
    elif message.get_content_type() == "message/rfc822" and isinstance(payload, list):
        opened.append("message/rfc822")
        yield from leaves(payload[0], opened)
    else:
        yield message


def content_of(message):
    payload = message.get_payload()
    if isinstance(payload, list):  # message/*: taken apart again; not what we do
        policy = email.policy.compat32.clone(max_line_length=0)
        return b"\n".join(lf(each.as_bytes(policy=policy)) for each in payload)
    return message.get_payload(decode=True) or b""


def agree(ours, theirs, part):
    """Whether contents are the same, as far as Python has any."""
    encoding = part.get("Content-Transfer-Encoding", "").strip().lower()
    if ours == theirs:
        return True
    if encoding == "base64":
        # Python gives up where a character is left over, and on its own terms where padding stands in the middle.
        text = part.get_payload().encode("ascii", "surrogateescape")
        before = text.partition(b"=")[0]
        certain = sum(chr(c) in ALPHABET for c in before) // 4 * 3
        gave_up = theirs.replace(b"\n", b"") == text.replace(b"\n", b"")
        return gave_up or b"=" in text.rstrip(b"=\n") and ours[:certain] == theirs[:certain]
    if encoding in ("uuencode", "x-uuencode"):
        # Python gives up where a line is wrong, and drops what is after the file.
        return theirs.startswith(b"begin ") or ours.startswith(theirs)
    # Python takes no line end off a multipart that it could not open.
    return part.get_content_maintype() == "multipart" and ours + b"\n" == theirs


def compare(name, data, seen):
    found = []

    def check(what, ours, theirs):
        if not differs(name, what) and ours != theirs:
            found.append(f"{what}: ours {ours!r}, Python's {theirs!r}")

    message = email.message_from_bytes(data)
    opened = []
    parts = list(leaves(message, opened))
    check("structure", [seen["opened"], [p["type"] for p in seen["parts"]]], [opened, [p.get_content_type() for p in parts]])
    if found or differs(name, "structure"):
        return found
    for number, (ours, theirs) in enumerate(zip(seen["parts"], parts)):
        bytes_of = {key: base64.b64decode(ours[key]) for key in ("charset", "disposition", "filename", "header", "content")}
        check(f"charset", bytes_of["charset"].lower(), (theirs.get_content_charset() or "us-ascii").encode())
        check(f"disposition", bytes_of["disposition"].decode(), theirs.get_content_disposition() or "")
        filename = theirs.get_filename()
        check(f"filename", bytes_of["filename"], decoded_words(filename) if filename else b"")
        for key, value in ours["parameters"]:
            expected = theirs.get_param(key, header="content-type", unquote=False)
            check("parameter", (key, base64.b64decode(value)), (key, None if expected is None else parameter(expected)))
        check("header", fields_of(bytes_of["header"]), [[n, v.replace("\r\n", "\n")] for n, v in theirs._headers])
        content, expected = bytes_of["content"], content_of(theirs)
        if theirs.get_content_type() == "message/delivery-status":
            content, expected = ([line for line in x.split(b"\n") if line] for x in (content, expected))
        elif ours.get("text") or theirs.get("Content-Transfer-Encoding", "").strip().lower() != "base64":
            content, expected = lf(content), lf(expected)
        if not agree(content, expected, theirs):
            check("content", content, expected)
        if found:
            return [f"part {number}: " + text for text in found]
    return found


def main():
    corpus = list(make_corpus.corpus())
    assert len({name for name, _ in corpus}) == len(corpus), "two messages have the same name"
    with tempfile.TemporaryDirectory() as directory:
        paths = []
        for number, (name, data) in enumerate(corpus):
            paths.append(f"{directory}/{number}")
            pathlib.Path(paths[-1]).write_bytes(data)
        out = subprocess.run([sys.argv[1], *paths], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    assert len(out) == len(corpus)
    failures = 0
    for (name, data), line in zip(corpus, out):
        for text in compare(name, data, json.loads(line)):
            failures += 1
            print(f"{name}: {text}")
    print(f"{len(corpus)} messages compared, {failures} differences; left out: {sum(any(n.startswith(b) for b in different) for n, _ in corpus)}")
    sys.exit(1 if failures else 0)


main()
