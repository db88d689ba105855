# SPDX-License-Identifier: BSD-3-Clause
"""The tools against each other, with no gateway between: what the other tests rely on."""
import subprocess
import tempfile

import message
from client import Client, Closed, send_one
from harness import TOP, check, equal, test
from sink import Act, Sink, server_context

PORT = 2525


def here(tls=None, **more):
    return Sink("127.0.0.1", PORT, namespace=None, tls=tls, **more)


def connect(**more):
    return Client("127.0.0.1", PORT, namespace=None, **more)


def prefixed(body):
    """As a gateway would: one Received in front."""
    return b"Received: from a\r\n\tby b\r\n" + body


@test("tools: DATA and BDAT, byte for byte", gateway=False)
def octets(_world):
    with here() as s:
        for i, size in enumerate([0, 1000, 200_000]):
            for bdat in (False, True):
                body = message.make(f"t{i}{bdat}", size, long_lines=True)
                with connect() as c:
                    equal(c.greet().code, 250, "EHLO")
                    equal(c.transaction(prefixed(body), bdat=bdat).code, 250, "message")
                    c.quit()
                m = s.by_id(f"t{i}{bdat}")
                equal(len(m), 1, "copies")
                equal(m[0]["sha256"], message.digest(body), "digest")
                equal(m[0]["bare"], False, "bare CR or LF")
        equal(s.complaints, [], "complaints")


@test("tools: STARTTLS", gateway=False)
def starttls(_world):
    with tempfile.TemporaryDirectory() as d:
        subprocess.run([TOP + "/deploy/certs", d], check=True)
        with here(tls=server_context(d + "/inside.chain.pem", d + "/inside.key.pem")) as s:
            body = message.make("tls", 100_000)
            with connect() as c:
                equal(c.greet(tls=True).code, 250, "EHLO")
                equal(c.transaction(prefixed(body)).code, 250, "message")
                c.quit()
            m = s.by_id("tls")[0]
            equal(m["sha256"], message.digest(body), "digest")
            equal(m["tls"][0], "TLSv1.3", "version")


@test("tools: the sink does what it is told", gateway=False)
def rules(_world):
    with here() as s:
        body = message.make("r", 3000)
        for command in ("banner", "ehlo", "mail", "rcpt", "data", "dot"):
            s.rules[command] = [Act(reply="451 4.3.0 later", times=1)]
            with connect() as c:
                r = c.greet()
                if r.code == 250:
                    r = c.transaction(body)
                equal(r.code, 451, command)
        s.rules["dot"] = [Act(close=True, reply=None, times=1)]
        with connect() as c:
            c.greet()
            try:
                c.transaction(body)
                check(False, "a reply where the connection was to be closed")
            except Closed:
                pass
        s.rules["body"] = [Act(reset=True, times=1)]
        with connect() as c:
            c.greet()
            try:
                c.transaction(message.make("r2", 5_000_000))
                check(False, "a reply where the connection was to be reset")
            except Closed:
                pass
        equal(s.complaints, [], "complaints")
        equal(len(s.by_id("r2")), 0, "messages")
        # and a gateway that altered an octet would be found out
        bad = prefixed(body.replace(b"\r\nSubject", b"\r\nsubject"))
        with connect() as c:
            c.greet()
            equal(c.transaction(bad).code, 250, "message")
        check(s.by_id("r")[-1]["sha256"] != message.digest(body), "an altered message has the same digest")
