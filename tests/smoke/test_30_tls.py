# SPDX-License-Identifier: BSD-3-Clause
"""Protection of both legs: levels, partners, STARTTLS as an attacker would use it."""
import socket
import ssl
import subprocess
import time

import message
from client import Client, Closed, anybody, send_one
from harness import TLS, check, equal, test, until
from sink import Act


def try_one(world, **more):
    ident = world.ident("tls")
    body = message.make(ident, 2000)
    try:
        return send_one(body, **more), ident
    except Closed:
        return None, ident


@test("tls: what we offer outside")
def profile(world):
    with world.sink():
        world.configure()
        world.wait_next_hop()
        seen = set()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            ctx = anybody()
            ctx.minimum_version = ctx.maximum_version = version
            with Client() as c:
                equal(c.banner().code, 220, "banner")
                c.ehlo()
                equal(c.starttls(ctx).code, 220, "STARTTLS")
                seen.add(c.sock.version())
                check("GCM" in c.sock.cipher()[0] or "CHACHA20" in c.sock.cipher()[0], f"{c.sock.cipher()}")
                equal(c.ehlo().code, 250, "EHLO")
                check("STARTTLS" not in c.extensions, "STARTTLS is offered within TLS")
                equal(c.command("STARTTLS").code // 100, 5, "STARTTLS within TLS")
                c.quit()
        equal(seen, {"TLSv1.2", "TLSv1.3"}, "versions")
        ctx = anybody()
        ctx.set_ciphers("ALL:@SECLEVEL=0")
        ctx.minimum_version = ssl.TLSVersion.TLSv1
        ctx.maximum_version = ssl.TLSVersion.TLSv1_1
        with Client() as c:
            c.banner()
            c.ehlo()
            try:
                c.starttls(ctx)
                check(False, f"{c.sock.version()} was accepted")
            except Closed:
                pass
        for bad in ("AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"):
            ctx = anybody()
            ctx.maximum_version = ssl.TLSVersion.TLSv1_2
            try:
                ctx.set_ciphers(bad + ":@SECLEVEL=0")
            except ssl.SSLError:
                continue
            with Client() as c:
                c.banner()
                c.ehlo()
                try:
                    c.starttls(ctx)
                    check(False, f"{bad} was accepted")
                except Closed:
                    pass
        # The certificate is the one of the configuration.
        ctx = ssl.create_default_context(cafile=TLS + "/ca.pem")
        with Client() as c:
            c.banner()
            c.ehlo()
            equal(c.starttls(ctx, "mx.example.net").code, 220, "STARTTLS")
            c.quit()
    world.settled()


@test("tls: a session resumes on any worker and after a reload")
def resumption(world):
    with world.sink():
        world.configure()
        world.wait_next_hop()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            ctx = anybody()
            ctx.minimum_version = ctx.maximum_version = version
            session = None
            for i in range(8):  # ports differ, so workers do
                if i == 4:
                    world.configure()
                with Client() as c:
                    c.banner()
                    c.ehlo()
                    equal(c.starttls(ctx, session=session).code, 220, "STARTTLS")
                    equal(c.ehlo().code, 250, "EHLO")
                    equal(c.sock.session_reused, i > 0, f"{version.name}, connection {i}: resumed")
                    session = c.sock.session
                    c.quit()
        check(world.stats()["tls_downstream_resumed"] >= 14, "counted")
    world.settled()


@test("tls: a next hop's session is resumed")
def resumption_inside(world):
    with world.sink(tls=world.tls()):
        world.configure(next_hops=[world.next_hop(level="encrypt", **{"max-idle": 0})])
        world.wait_next_hop()
        before = world.stats()["tls_upstream_resumed"]
        for _ in range(4):
            r, _ = try_one(world)
            equal(r.code, 250, "message")
        check(world.stats()["tls_upstream_resumed"] >= before + 2, "counted")
    world.settled()


@test("tls: plaintext behind STARTTLS is never taken as if it came protected")
def injection_downstream(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        for extra in ("NOOP\r\n", "EHLO evil\r\nMAIL FROM:<evil@example.org>\r\n", "M", "RSET\r\nRCPT"):
            with Client(timeout=10) as c:
                c.banner()
                c.ehlo()
                c.send("STARTTLS\r\n" + extra)
                try:
                    r = c.reply()
                    if r.code == 220:
                        c.handshake()
                        r = c.reply()  # whatever this answers, it was said in the clear
                        check(False, f"{extra!r} behind STARTTLS was answered within TLS: {r}")
                    check(400 <= r.code < 600, f"{extra!r}: {r}")
                    c.fill()
                    check(False, f"{extra!r}: the session goes on")
                except (Closed, socket.timeout) as e:
                    check(isinstance(e, Closed), f"{extra!r}: the session was not closed")
        # What was learned before is forgotten (RFC 3207 4.2): MAIL needs EHLO again, no transaction is open.
        with Client() as c:
            c.banner()
            c.ehlo()
            equal(c.command("MAIL FROM:<a@example.org>").code, 250, "MAIL")
            r = c.starttls()
            if r.code == 220:
                r = c.command("RCPT TO:<b@example.net>")
                check(r.code == 503, f"RCPT of a transaction that began before TLS: {r}")
                equal(c.ehlo().code, 250, "EHLO")
                r = c.transaction(message.make(world.ident("after"), 500))
                equal(r.code, 250, f"after it: {r}")
            c.quit()
    world.settled()


@test("tls: plaintext behind the next hop's 220 is never believed", seconds=90)
def injection_upstream(world):
    with world.sink(tls=world.tls()) as sink:
        for level in ("may", "encrypt", "verify"):
            sink.rules = {}
            world.configure(next_hops=[world.next_hop(level=level, ca=TLS + "/ca.pem")])
            world.wait_next_hop()
            sink.rules = {"starttls": [Act(reply="220 2.0.0 go on", inject=b"250-evil\r\n250 SIZE 7\r\n")]}
            sink.drop()
            r, ident = try_one(world)
            check(r is not None, f"{level}: connection closed")
            if level == "may" and r.code == 250:
                # In the clear, on a new connection, is what opportunistic means.
                equal(sink.by_id(ident)[0]["tls"], None, "inner leg in TLS")
            else:
                check(400 <= r.code < 500, f"{level}: {r}")
                equal(sink.by_id(ident), [], f"{level}: messages")
        sink.rules = {}
    world.settled()


@test("tls: partner at encrypt, plain and protected", seconds=60)
def partner_encrypt(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        try:
            world.ctl_ok("partner", "set", "bank", "domain=bank.example", "domain=*.bank.example", "inbound=encrypt")
            world.ctl_ok("partner", "set", "office", "address=198.51.100.128/25", "address=2001:db8:1::80/124",
                         "inbound=encrypt")
            world.wait_ready()
            for sender in ("x@bank.example", "x@branch.bank.example", "X@BANK.Example"):
                r, ident = try_one(world, sender=sender)
                equal((r.code, r.enhanced), (530, "5.7.0"), f"{sender} in the clear")
                equal(sink.by_id(ident), [], "message")
                r, ident = try_one(world, sender=sender, tls=True)
                equal((r.code, len(sink.by_id(ident))), (250, 1), f"{sender} over TLS: {r}")
            for sender in ("x@notbank.example", "x@example.org", ""):
                r, ident = try_one(world, sender=sender)
                equal((r.code, len(sink.by_id(ident))), (250, 1), f"<{sender}> in the clear: {r}")
            # A refused sender does not end the session: it may STARTTLS and come again.
            with Client() as c:
                c.greet()
                equal(c.command("MAIL FROM:<x@bank.example>").code, 530, "MAIL")
                equal(c.starttls().code, 220, "STARTTLS")
                c.ehlo()
                equal(c.transaction(message.make(world.ident("then"), 500), "x@bank.example").code, 250, "then")
                c.quit()
            # By address.
            for address, server in (("198.51.100.200", "198.51.100.1"), ("2001:db8:1::85", "2001:db8:1::1")):
                add_address(address)
                r, ident = try_one(world, source=address, server=server)
                equal((r.code, r.enhanced), (550, "5.7.10"), f"{address} in the clear")
                equal(sink.by_id(ident), [], "message")
                r, ident = try_one(world, source=address, server=server, tls=True)
                equal((r.code, len(sink.by_id(ident))), (250, 1), f"{address} over TLS: {r}")
            # The decision is told.
            e = [x for x in world.events(100) if x.get("partner") == "bank" and x.get("reply") == 530]
            check(e, "no event of the refusal")
            equal((e[-1]["level"], e[-1]["outcome"]), ("encrypt", "policy"), "level and outcome")
            check(e[-1].get("rule"), f"no rule in {e[-1]}")
            e = [x for x in world.events(100) if x.get("partner") == "bank" and x.get("outcome") == "delivered"]
            check(e and e[-1]["client_tls"] and e[-1]["client_version"] and e[-1]["client_cipher"],
                  f"no event with version and cipher: {e[-1:]}")
        finally:
            for p in ("bank", "office"):
                world.ctl("partner", "delete", p)
        world.wait_ready()
        r, _ = try_one(world, sender="x@bank.example")
        equal(r.code, 250, f"once the partner is deleted: {r}")
    world.settled()


def add_address(address):
    six = ":" in address
    subprocess.run(["ip", "-n", "pg-outside", "addr", "replace", address + ("/128" if six else "/32"), "dev", "out0"]
                   + (["nodad"] if six else []), check=True)


@test("tls: levels of the inner leg", seconds=180)
def inner(world):
    good, wrong = TLS + "/ca.pem", TLS + "/other-ca.pem"
    # (level, CA file, what the next hop shows, delivered, over TLS)
    cases = [
        ("none", None, "inside", True, False),
        ("none", None, None, True, False),
        ("may", None, "inside", True, True),
        ("may", None, "other", True, True),
        ("may", None, None, True, False),
        ("encrypt", None, "inside", True, True),
        ("encrypt", None, "expired", True, True),
        ("encrypt", None, None, False, None),
        ("verify", good, "inside", True, True),
        ("verify", good, "other", False, None),
        ("verify", wrong, "inside", False, None),
        ("verify", good, "expired", False, None),
        ("verify", good, "mx", False, None),
        ("verify", good, None, False, None),
    ]
    for level, ca, stem, delivered, over_tls in cases:
        what = f"{level}, CA {ca and ca.split('/')[-1]}, next hop shows {stem}"
        with world.sink(tls=world.tls(stem) if stem else None) as sink:
            hop = world.next_hop(level=level)
            if ca:
                hop["ca"] = ca
            world.configure(next_hops=[hop])
            if delivered:
                world.wait_next_hop()
            else:
                time.sleep(1.5)
            r, ident = try_one(world)
            check(r is not None, f"{what}: connection closed")
            if delivered:
                equal(r.code, 250, f"{what}: {r}")
                equal(sink.by_id(ident)[0]["tls"] is not None, over_tls, f"{what}: TLS")
            else:
                check(400 <= r.code < 500, f"{what}: {r}")
                equal(sink.messages, [], f"{what}: messages")
                check("MAIL" not in sink.counts, f"{what}: MAIL was said to it")
    world.settled()


@test("tls: opportunistic TLS that fails goes in the clear on a new connection", seconds=60)
def opportunistic(world):
    for rule in (Act(reply="454 4.7.0 no TLS today"), Act(reply="220 2.0.0 go on", close=True), Act(close=True),
                 Act(reply="220 go on", inject=b"garbage")):
        with world.sink(tls=world.tls()) as sink:
            world.configure(next_hops=[world.next_hop(level="may")])
            world.wait_next_hop()
            sink.rules = {"starttls": [rule]}
            sink.drop()
            time.sleep(0.3)
            r, ident = try_one(world)
            if r is not None and r.code == 250:
                equal(sink.by_id(ident)[0]["tls"], None, "TLS")
            else:
                # The health check has to find out first: a deferral is right, a loss or a bounce is not.
                check(r is not None and 400 <= r.code < 500, f"{rule}: {r}")
                until(lambda: (try_one(world)[0] or r).code == 250, 20, f"{rule}: mail in the clear")
    world.settled()
