# SPDX-License-Identifier: BSD-3-Clause
"""Messages whose arrival, byte for byte, can be proven."""
import hashlib
import random
import re

_LINE = bytes(c for c in range(33, 127)) + b"    "


def make(ident, size=2000, seed=None, long_lines=False, eight_bit=False):
    """A message of about that many octets with lines that begin with dots, CRLF all through."""
    rng = random.Random(seed if seed is not None else ident)
    head = (f"From: <alice@example.org>\r\nTo: <demo@example.net>\r\nMessage-Id: <{ident}>\r\n"
            f"Subject: {ident}\r\n\r\n").encode()
    # One block of random lines, repeated with a counter: fast to make for 50 MB as well.
    lines = []
    for _ in range(64):
        n = rng.randrange(0, 990 if long_lines else 76)
        line = bytes(rng.choices(_LINE, k=n))
        if eight_bit and n > 4:
            line = b"\xc3\xa9" + line[2:]
        dots = rng.randrange(0, 8)
        if dots < 3:
            line = b"." * (dots + 1) + line[dots + 1:]
        lines.append(line)
    out, length, k = [head], len(head), 0
    while length < size:
        line = lines[k % 64]
        if k % 64 == 0:
            line = b"%d" % k
        k += 1
        out.append(line + b"\r\n")
        length += len(line) + 2
    return b"".join(out)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def stuff(data):
    """As it stands on the wire of DATA, the final dot included (RFC 5321 4.5.2)."""
    data = data.replace(b"\r\n.", b"\r\n..")
    if data.startswith(b"."):
        data = b"." + data
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    return data + b".\r\n"


def unstuff(data):
    """Of what came before the final dot's line, its CRLF included."""
    if data.startswith(b"."):
        data = data[1:]
    return data.replace(b"\r\n.", b"\r\n")


def split_first_header(data):
    """(the first header field with its continuation lines, the rest)."""
    m = re.match(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", data)
    return data[:m.end()], data[m.end():]


def ident(data):
    m = re.search(rb"^Message-Id: <([^>]+)>\r$", data[:16384], re.M)
    return m.group(1).decode() if m else None
