#!/usr/bin/python3
"""make_corpus: MIME messages of every shape, well-formed and broken, the same on every machine.

Usage: make_corpus.py DIRECTORY      writes a file for each

corpus() yields (name, bytes). The shapes are those of real programs and of real damage; the text is made up.
"""
import base64
import binascii
import pathlib
import quopri
import random
import sys

TEXT = "The quick brown fox\njumps over\n\nthe lazy dog.\n"
WORDS = "mail queue channel lease defer bounce relay header body part line".split()


def lines(*text):
    return "".join(line + "\n" for line in text)


def uu(data, name="file.bin", mode="644"):
    body = b"".join(binascii.b2a_uu(data[i:i + 45], backtick=True) for i in range(0, len(data), 45))
    return f"begin {mode} {name}\n" + body.decode() + "`\nend\n"


def b64(data, width=76):
    text = base64.b64encode(data).decode()
    return "".join(text[i:i + width] + "\n" for i in range(0, len(text), width)) if width else text


def binary(n, seed=7):
    return random.Random(seed).randbytes(n)


def header(subject="test", mime=True, extra=()):
    return lines("From: Ann <ann@example.org>", "To: Bob <bob@example.net>", f"Subject: {subject}",
                 "Date: Mon, 2 Jan 2023 03:04:05 +0000", "Message-ID: <1@example.org>", *extra) + (
                     "MIME-Version: 1.0\n" if mime else "")


def part(content, type="text/plain", encoding=None, extra=()):
    fields = [f"Content-Type: {type}"] if type else []
    if encoding:
        fields.append(f"Content-Transfer-Encoding: {encoding}")
    return lines(*fields, *extra) + "\n" + content


def multipart(parts, subtype="mixed", boundary="=_b1", preamble="", epilogue="", close=True):
    """A multipart's header and body. Each part's last line end belongs to the delimiter."""
    body = preamble + "".join(f"--{boundary}\n{p}\n" for p in parts) + (f"--{boundary}--\n" if close else "")
    return f'Content-Type: multipart/{subtype}; boundary="{boundary}"\n\n' + body + epilogue


def attachment(data, name="report.pdf", type="application/pdf"):
    return part(b64(data), f'{type}; name="{name}"', "base64", [f'Content-Disposition: attachment; filename="{name}"'])


def contents():
    yield "empty", b""
    yield "byte", b"x"
    yield "newline", b"\n"
    yield "text", TEXT.encode()
    yield "open_end", TEXT.encode() + b"no line end"
    yield "crlf", TEXT.replace("\n", "\r\n").encode()
    yield "blank_end", b"a\n\n\n"
    yield "utf8", "Grüße aus Köln, 10 €\n日本語\n".encode()
    yield "latin1", "Grüße\n".encode("latin-1")
    yield "long_line", b"w" * 5000 + b"\n" + b"v" * 1024 + b"\n" + b"u" * 1025 + b"\n"
    yield "dots", b".\n..\n.a\n"
    yield "from", b"From here\n>From there\n"
    yield "octets", bytes(range(256))
    yield "random", binary(3001)


def encodings():
    """Every content in every encoding: as a message of its own, and in a multipart."""
    for name, data in contents():
        for encoding, text in (("base64", b64(data)), ("quoted-printable", quopri.encodestring(data).decode()),
                               ("x-uuencode", uu(data))):
            for kind in ("text/plain; charset=utf-8", "application/octet-stream"):
                tag = f"encoding/{encoding}-{kind.partition('/')[0]}-{name}"
                yield tag, header() + part(text, kind, encoding)
                yield tag + "-part", header() + multipart([part("first"), part(text, kind, encoding)])
    for name, data in contents():
        if b"\r" in data or b"\0" in data:
            continue
        text = data.decode("latin-1")
        yield f"encoding/8bit-{name}", (header() + part(text, "text/plain; charset=iso-8859-1", "8bit")).encode("latin-1")
        yield f"encoding/none-{name}-part", (header() + multipart([part(text, "application/x-raw"), part("z")])).encode("latin-1")
    data = binary(1000)
    for width in (0, 1, 3, 4, 5, 60, 75, 77, 1023, 1024):
        yield f"base64/width-{width}", header() + part(b64(data, width), "image/png", "base64")
    text = b64(TEXT.encode())
    yield "base64/spaces", header() + part(text.replace("\n", " \n").replace("G", " G"), None, "base64")
    yield "base64/garbage", header() + part(text.replace("Z", "!Z-"), None, "base64")
    yield "base64/no_padding", header() + part(b64(b"abcd").replace("=", ""), None, "base64")
    yield "base64/half_padding", header() + part(b64(b"abcd").replace("==", "="), None, "base64")
    yield "base64/blank_lines", header() + part("\n\n" + text.replace("\n", "\n\n"), None, "base64")
    yield "base64/upper_case_name", header() + part(text, None, "BASE64")
    yield "base64/tabs", header() + part(text, None, "\tbase64 ")
    yield "qp/soft_breaks", header() + part("a=\nb=\nc\n", None, "quoted-printable")
    yield "qp/soft_break_at_end", header() + multipart([part("a=", None, "quoted-printable"), part("b")])
    yield "qp/lower_case_hex", header() + part("=c3=bc =3d\n", None, "Quoted-Printable")
    yield "qp/not_hex", header() + part("a=ZZ b=4 c=\n", None, "quoted-printable")
    yield "qp/eight_bit", (header() + part("ü=C3=BC\n", None, "quoted-printable")).encode()
    yield "qp/cut", header() + part("abc=4", None, "quoted-printable")
    yield "encoding/unknown", header() + part("as it is=20\n", None, "x-klingon")
    yield "encoding/7bit_says_8bit", (header() + part("ü\n", None, "7bit")).encode()
    yield "uu/no_terminator", header() + part(uu(b"hello world").replace("\n`\n", "\n"), "application/x-y", "uuencode")


def shapes():
    """As real programs make them."""
    yield "shape/plain", header(mime=False) + "\n" + TEXT
    yield "shape/plain_mime", header() + part(TEXT, "text/plain; charset=us-ascii; format=flowed", "7bit")
    yield "shape/html_only", header() + part("<p>Hello</p>\n", "text/html; charset=utf-8")
    alternative = multipart([part(TEXT, "text/plain; charset=utf-8", "quoted-printable"),
                             part("<b>fox</b>\n", "text/html; charset=utf-8", "quoted-printable")], "alternative", "=_alt")
    yield "shape/alternative", header() + alternative
    related = multipart([alternative, part(b64(binary(500)), "image/png; name=logo.png", "base64",
                                           ["Content-ID: <logo@x>", "Content-Disposition: inline"])],
                        'related; type="multipart/alternative"', "----=_NextPart_000_0001_01D1")
    yield "shape/outlook", header(extra=["X-Mailer: Outlook", "Thread-Index: AdAbCd=="]) + multipart(
        [related, attachment(binary(4000))], "mixed", "----=_NextPart_000_0000_01D1",
        "This is a multi-part message in MIME format.\n\n")
    yield "shape/apple", header() + multipart([part("Hi\n\n"), attachment(binary(100), "a.zip", "application/zip"),
                                              part("\n\nSent from my phone")], "mixed", "Apple-Mail-1A2B3C")
    yield "shape/gmail", header() + multipart([part("*hi*\n", 'text/plain; charset="UTF-8"'),
                                              part('<div dir="ltr">hi</div>\n', 'text/html; charset="UTF-8"')],
                                             "alternative", "000000000000d1f2a305f1c2b3a4")
    yield "shape/report", header("Delivery failed") + multipart(
        [part("It failed.\n"), part("Reporting-MTA: dns; x.example\n\nFinal-Recipient: rfc822; a@b.example\n"
                                    "Action: failed\nStatus: 5.1.1\n\nFinal-Recipient: rfc822; c@b.example\nAction: failed\nStatus: 5.1.1\n",
                                    "message/delivery-status"),
         part("Subject: original\nTo: a@b.example\n\nbody\n", "message/rfc822")], "report; report-type=delivery-status")
    yield "shape/headers_returned", header() + multipart([part("x\n"), part("Subject: o\nTo: a@b\n\n", "text/rfc822-headers")], "report")
    yield "shape/disposition", header() + multipart([part("read\n"), part("Reporting-UA: x; y\nDisposition: manual-action/MDN-sent-manually; displayed\n\n",
                                                                          "message/disposition-notification")], "report")
    yield "shape/signed", header() + multipart([part("signed text  \n"), part(b64(binary(900)), 'application/pkcs7-signature; name="smime.p7s"', "base64")],
                                              'signed; protocol="application/pkcs7-signature"; micalg=sha-256')
    yield "shape/encrypted", header() + multipart([part("Version: 1\n", "application/pgp-encrypted"),
                                                  part("-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n", "application/octet-stream")], "encrypted")
    yield "shape/calendar", header() + multipart([part(TEXT), part("BEGIN:VCALENDAR\nEND:VCALENDAR\n", "text/calendar; method=REQUEST; charset=utf-8")], "alternative")
    inner = header("inner") + part("inner text\n")
    yield "shape/forward", header() + multipart([part("see below"), part(inner, "message/rfc822", None, ["Content-Disposition: attachment"])])
    yield "shape/forward_multipart", header() + multipart([part("see"), part(header("inner") + multipart(
        [part("one"), attachment(binary(99))], boundary="inner"), "message/rfc822")])
    nested = inner
    for i in range(12):
        nested = header(f"level {i}") + part(nested, "message/rfc822")
    yield "shape/forward_twelve", nested
    yield "shape/message_only", header() + part(inner, "message/rfc822")
    yield "shape/digest", header() + multipart(["\n" + inner, "\n" + header("second", False) + "\nsecond\n", part("a note", "text/plain")], "digest")
    yield "shape/digest_empty_part", header() + multipart(["", "\nSubject: x\n\ny"], "digest")
    yield "shape/partial", header() + part("Subject: rest\n\nfragment\n", 'message/partial; id="x"; number=1; total=2')
    yield "shape/external", header() + part("Content-Type: image/gif\n\n", 'message/external-body; access-type=URL; URL="http://x.example/"')
    yield "shape/mbox_from", "From ann@example.org Mon Jan  2 03:04:05 2023\n" + header() + part(TEXT)
    yield "shape/winmail", header() + multipart([part(TEXT), attachment(binary(700), "winmail.dat", "application/ms-tnef")])
    yield "shape/voice", header() + part(b64(binary(2000)), "audio/wav; name=voice.wav", "base64", ["Content-Duration: 4"])
    yield "shape/list_footer", header() + multipart([part(TEXT), part("-- \nlist@example.org\n", "text/plain", None, ["Content-Disposition: inline"])])
    yield "shape/header_only", header(mime=False)
    yield "shape/header_blank", header(mime=False) + "\n"
    yield "shape/empty", ""
    yield "shape/blank", "\n"
    yield "shape/no_header", "\n" + TEXT
    yield "shape/no_final_newline", header() + part("the end")
    yield "shape/long_header", header(extra=["References: " + "\n ".join(f"<{i}@example.org>" for i in range(200)), "X-Long: " + "x" * 9000]) + part(TEXT)
    yield "shape/folded_type", header() + "Content-Type: multipart/mixed;\n\tboundary=\"fold\";\n charset=utf-8\n\n--fold\n\none\n--fold--\n"
    for n in (1, 2, 5, 20, 100):
        yield f"shape/parts-{n}", header() + multipart([part(f"part {i}\n") for i in range(n)])


def names():
    """File names as they are written."""
    def one(*fields):
        return header() + multipart([part("x"), lines("Content-Type: application/x-y", *fields) + "\ndata"])
    yield "name/quoted", one('Content-Disposition: attachment; filename="a b.txt"')
    yield "name/token", one("Content-Disposition: attachment; filename=ab.txt")
    yield "name/escaped", one('Content-Disposition: attachment; filename="a\\"b\\\\c.txt"')
    yield "name/rfc2231", one("Content-Disposition: attachment; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.txt")
    yield "name/rfc2231_latin1", one("Content-Disposition: attachment; filename*=iso-8859-1'de'gr%FC%DFe.txt")
    yield "name/rfc2231_continued", one("Content-Disposition: attachment;", ' filename*0="a long ";', ' filename*1="name.txt"')
    yield "name/rfc2231_both", one("Content-Disposition: attachment;", " filename*0*=utf-8''%C3%A4;", " filename*1*=%20b;", " filename*2*=.txt")
    yield "name/rfc2231_order", one("Content-Disposition: attachment; filename*1=b.txt; filename*0=a")
    yield "name/rfc2047", one('Content-Disposition: attachment; filename="=?utf-8?B?Z3LDvMOfZS50eHQ=?="')
    yield "name/rfc2047_q", one('Content-Disposition: attachment; filename="=?iso-8859-1?Q?gr=FC=DFe.txt?="')
    yield "name/in_type", header() + part("x", 'application/x-y; name="in type.bin"')
    yield "name/upper", one("CONTENT-DISPOSITION: ATTACHMENT; FILENAME=X.TXT")
    yield "name/many", one("Content-Disposition: attachment; size=3; filename=x.txt; creation-date=\"Mon, 2 Jan 2023\"")
    yield "name/blanks", one("Content-Disposition: attachment ; filename = x.txt ")
    yield "name/semicolon", one('Content-Disposition: attachment; filename="a;b.txt"; x=y')
    yield "name/no_value", one("Content-Disposition: inline")
    yield "type/upper", header() + part("x", "TEXT/HTML; CHARSET=UTF-8")
    yield "type/blanks", header() + part("x", "  text/html ;  charset = \"utf-8\" ")
    yield "type/missing_subtype", header() + part("x", "text")
    yield "type/empty", header() + part("x", "")
    yield "type/nonsense", header() + part("x", "????")
    yield "type/semicolons", header() + part("x", "text/html;;charset=utf-8;")
    yield "type/twice", header() + "Content-Type: text/html\nContent-Type: image/gif\n\nx\n"
    yield "type/unknown", header() + part("x", "chemical/x-pdb; charset=x-none")
    yield "type/quoted_charset", header() + part("x", "text/plain; charset=\"iso-8859-15\"")
    yield "type/single_quotes", header() + part("x", "text/plain; charset='utf-8'")
    yield "type/none", header() + lines("X-Y: z") + "\nx"


def structures():
    """Delimiters in every position, right and wrong."""
    a, b = part("one"), part("two", "text/html")
    for boundary in ("b", "a b", "=_;:?()+,/.'", "x" * 70, "x" * 71, "--", "-", "b--b", "1", "_-_", "..", "a=b", "Übung"):
        yield f"boundary/{len(boundary)}-{binascii.crc32(boundary.encode()):08x}", (header() + multipart([a, b], boundary=boundary)).encode()
    yield "boundary/unquoted", header() + "Content-Type: multipart/mixed; boundary=abc\n\n--abc\n\none\n--abc--\n"
    yield "boundary/unquoted_equals", header() + "Content-Type: multipart/mixed; boundary=a=b/c\n\n--a=b/c\n\none\n--a=b/c--\n"
    yield "boundary/trailing_blank_in_it", header() + multipart([a, b], boundary="abc  ").replace("--abc  ", "--abc")
    yield "boundary/blanks_after", header() + multipart([a, b]).replace("--=_b1\n", "--=_b1 \t \n").replace("--=_b1--", "--=_b1--  ")
    yield "boundary/text_after", header() + multipart([a, b]).replace("two\n", "two\n--=_b1x\n--=_b1 x\n--=_b\n")
    yield "boundary/blank_before", header() + multipart([part("one\n --=_b1\n"), b])
    yield "boundary/missing_parameter", header() + "Content-Type: multipart/mixed\n\n--x\n\none\n--x--\n"
    yield "boundary/empty", header() + 'Content-Type: multipart/mixed; boundary=""\n\n--\n\none\n----\n'
    yield "boundary/never_comes", header() + multipart([a, b]).replace("--=_b1", "--=_b2")
    yield "boundary/no_close", header() + multipart([a, b], close=False)
    yield "boundary/no_close_nested", header() + multipart([multipart([a, b], boundary="in", close=False), b])
    yield "boundary/close_only", header() + multipart([])
    yield "boundary/nothing", header() + 'Content-Type: multipart/mixed; boundary="x"\n\n'
    yield "boundary/header_only", header() + 'Content-Type: multipart/mixed; boundary="x"\n'
    yield "boundary/same_nested", header() + multipart([multipart([a, b]), b])
    yield "boundary/prefix", header() + multipart([multipart([a, b], boundary="out-in"), b], boundary="out")
    yield "boundary/prefix_reversed", header() + multipart([multipart([a, b], boundary="out"), b], boundary="out-in")
    yield "boundary/quoted_in_text", header() + multipart([part("> --=_b1\n"), b])
    yield "boundary/after_close", header() + multipart([a, b], epilogue="--=_b1\n\nthree\n--=_b1--\n")
    yield "boundary/missing_blank_line", header() + f'Content-Type: multipart/mixed; boundary=x\n--x\n\none\n--x--\n'
    yield "boundary/first_line", 'Content-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x--\n'
    yield "boundary/encoded_multipart", header() + "Content-Transfer-Encoding: quoted-printable\n" + multipart([part("one =3D"), b])
    yield "preamble/text", header() + multipart([a, b], preamble="To be ignored.\n\n", epilogue="So is this.\n")
    yield "preamble/header_like", header() + multipart([a, b], preamble="Subject: not one\n\n")
    yield "preamble/blank", header() + multipart([a, b], preamble="\n\n\n", epilogue="\n\n\n")
    yield "epilogue/no_newline", header() + multipart([a, b]).rstrip("\n")
    yield "epilogue/long", header() + multipart([a, b], epilogue=TEXT * 50)
    yield "part/no_header", header() + multipart(["\nbody only", "\n"])
    yield "part/header_only", header() + multipart(["Content-Type: image/gif\n", a])
    yield "part/header_no_blank", header() + multipart(["Content-Type: image/gif", a])
    yield "part/no_blank_line", header() + multipart(["Content-Type: text/plain\nbody starts at once", a])
    yield "part/no_header_no_blank", header() + multipart(["this is no header", a])
    yield "part/starts_with_blank", header() + multipart([" indented\n\nx", a])
    yield "part/blank_lines", header() + multipart([part("\n\n\n"), part("\n"), part("")])
    yield "header/no_colon", lines("Subject: x", "this is no field", "To: y") + "\nbody\n"
    yield "header/continuation_first", " folded\nSubject: x\n\nbody\n"
    yield "header/blank_continuation", "Subject: x\n \t\nTo: y\n\nbody\n"
    yield "header/eight_bit", "Subject: Grüße\nX-Ü: y\n\nbody\n".encode()
    yield "header/empty_value", "Subject:\nTo:\n\nbody\n"
    yield "header/many", "".join(f"X-{i}: {i}\n" for i in range(2000)) + "\nbody\n"
    yield "header/nul", b"Subject: a\0b\nContent-Type: text/html\n\nbo\0dy\n"
    deep = part("deepest")
    for i in range(30):
        deep = multipart([deep, part(f"after {i}")], boundary=f"level-{i}-")
    yield "nested/thirty", header() + deep
    deep = part("deepest")
    for i in range(8):
        deep = multipart([deep], ("mixed", "alternative", "related", "report")[i % 4], f"n{i}", close=i % 2 == 0)
    yield "nested/half_closed", header() + deep
    yield "line_ends/mixed", (header() + multipart([a, b])).replace("\n", "\r\n", 7)
    yield "line_ends/last_crlf_missing", (header() + multipart([a, b])).replace("\n", "\r\n").rstrip("\r\n")
    yield "text/control", header() + part("a\x07b\x1b[31mc\x7f\f\n")
    yield "text/lone_dashes", header() + multipart([part("--\n-- \n---\n"), b])


def damaged():
    """A message of many kinds of parts, cut off, and with lines lost, doubled, exchanged and changed."""
    whole = header() + multipart([
        part(TEXT, "text/plain; charset=utf-8", "quoted-printable"),
        multipart([part("alt one"), part("<p>alt two", "text/html")], "alternative", "=_alt", "ignored\n", "ignored too\n"),
        part(header("inner") + multipart([part("in it"), attachment(binary(200), "in.bin")], boundary="=_in"), "message/rfc822"),
        attachment(binary(300)), part(uu(b"some bytes" * 9), "application/x-z", "x-uuencode")],
        preamble="A preamble.\n", epilogue="An epilogue.\n")
    for i in range(1, 41):
        yield f"cut/{i:02}", whole[:len(whole) * i // 41]
    all_lines = whole.splitlines(True)
    for seed in range(60):
        random_ = random.Random(seed)
        changed = list(all_lines)
        for _ in range(random_.randint(1, 3)):
            at = random_.randrange(len(changed))
            what = random_.randrange(4)
            if what == 0:
                del changed[at]
            elif what == 1:
                changed.insert(at, changed[at])
            elif what == 2:
                other = random_.randrange(len(changed))
                changed[at], changed[other] = changed[other], changed[at]
            else:
                changed[at] = changed[at][:random_.randrange(len(changed[at]))] + "\n"
        yield f"damaged/{seed:02}", "".join(changed)


def corpus():
    for source in (shapes, names, structures, encodings, damaged):
        for name, text in source():
            data = text if isinstance(text, bytes) else text.encode("latin-1")
            yield name, data
            if source in (shapes, structures) and b"\r" not in data:
                yield name + "-crlf", data.replace(b"\n", b"\r\n")


if __name__ == "__main__":
    directory = pathlib.Path(sys.argv[1])
    for name_, data_ in corpus():
        path = directory / (name_.replace("/", "-") + ".eml")
        path.write_bytes(data_)
