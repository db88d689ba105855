# SPDX-License-Identifier: BSD-3-Clause
"""The rules of mail that is never lost and never doubled by us (RFC 5321 6.1, 4.5.3.2, 4.2.5)."""
import os
import signal
import time

import message
from client import Client, Closed, send_one
from harness import LAB, check, equal, read_log, test, until
from sink import Act


def attempt(world, sink=None, **more):
    """One message; (reply or None where the connection went away, id, body)."""
    ident = world.ident("rule")
    body = message.make(ident, more.pop("size", 3000))
    try:
        return send_one(body, **more), ident, body
    except Closed:
        return None, ident, body


def is_4xx(r, what):
    check(r is not None, f"{what}: the connection was closed in place of a reply")
    check(400 <= r.code < 500, f"{what}: {r}")


@test("rules: the next hop's 4xx and 5xx at each command are passed on", seconds=120)
def refusals(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        for code, enhanced in ((451, "4.7.7"), (550, "5.7.7"), (452, "4.2.2"), (554, "5.3.4")):
            for command in ("mail", "rcpt", "data", "dot"):
                sink.rules = {command: [Act(reply=f"{code} {enhanced} because of {command}", times=1)]}
                r, ident, _ = attempt(world)
                check(r is not None and r.code == code, f"{code} at {command}: the client got {r}")
                equal(r.enhanced, enhanced, f"{code} at {command}: enhanced code")
                if command == "dot":
                    check(f"because of {command}" in " ".join(r.lines), f"its text is not in {r}")
                    equal(len(sink.by_id(ident)), 1, "times that the body was sent")
                else:
                    equal(sink.by_id(ident), [], "the message went through")
            # BDAT: the reply to a chunk that is not the last, and to the last
            for command in ("bdat", "bdat-last"):
                sink.rules = {command: [Act(reply=f"{code} {enhanced} because of {command}", times=1)]}
                ident = world.ident("bdat")
                with Client() as c:
                    c.greet()
                    r = c.transaction(message.make(ident, 200_000), bdat=True)
                    check(r.code == code, f"{code} at {command}: {r}")
                    # the session is still good for another message
                    sink.rules = {}
                    c.command("RSET")
                    ident = world.ident("after")
                    r = c.transaction(message.make(ident, 1000))
                    equal(r.code, 250, f"after {code} at {command}: {r}")
                equal(len(sink.by_id(ident)), 1, "the message after it")
        sink.rules = {}
    world.settled()


@test("rules: one of several recipients refused")
def one_recipient(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        sink.rules = {"rcpt": [Act(times=1), Act(reply="550 5.1.1 no such user", times=1)]}
        ident = world.ident("rcpt")
        with Client() as c:
            c.greet()
            equal(c.command("MAIL FROM:<a@example.org>").code, 250, "MAIL")
            equal([c.command(f"RCPT TO:<{x}@example.net>").code for x in "abc"], [250, 550, 250], "RCPT")
            equal(c.data(message.make(ident, 1000)).code, 250, "DATA")
            c.quit()
        m = sink.by_id(ident)
        equal(len(m), 1, "copies")
        equal(len(m[0]["to"]), 2, "recipients")


@test("rules: the next hop breaks off at each command", seconds=180)
def broken(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        for how in ("close", "reset"):
            for command in ("mail", "rcpt", "data", "body", "dot"):
                sink.rules = {command: [Act(times=1, **{how: True})]}
                r, ident, _ = attempt(world, size=300_000 if command == "body" else 3000)
                # Before the first octet of the body another connection may have been taken.
                if command in ("body", "dot"):
                    is_4xx(r, f"{how} at {command}")
                    if command == "dot":
                        equal((r.code, r.enhanced), (451, "4.4.2"), f"{how} between dot and reply")
                elif r is None or r.code != 250:
                    is_4xx(r, f"{how} at {command}")
                else:
                    equal(len(sink.by_id(ident)), 1, "copies")
                sink.rules = {}
                world.wait_next_hop()
        # It goes on as before.
        r, ident, body = attempt(world)
        equal(r.code, 250, f"afterwards: {r}")
    world.settled()


@test("rules: closed between dot and reply is logged as a duplicate risk")
def unknown_outcome(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        sink.rules = {"dot": [Act(close=True, times=1)]}
        r, ident, _ = attempt(world)
        equal((r.code, r.enhanced), (451, "4.4.2"), "reply")

        def told():
            return [e for e in world.events(20) if e.get("outcome") == "unknown" and e.get("reply") == 451]
        e = until(told, 5, "an event with outcome unknown")[-1]
        check(e.get("session") and e.get("upstream") and int(e["upstream"], 16), f"both session ids: {e}")
        equal(len(sink.by_id(ident)), 1, "the next hop has it: that is the risk")


@test("rules: the client goes away inside the body", seconds=90)
def client_gone_in_body(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        for how in ("close", "reset", "rset"):
            for bdat in (False, True):
                ident = world.ident("gone")
                body = message.make(ident, 400_000)
                with Client() as c:
                    c.greet()
                    c.command("MAIL FROM:<a@example.org>")
                    equal(c.command("RCPT TO:<b@example.net>").code, 250, "RCPT")
                    if bdat:
                        c.send(b"BDAT 200000\r\n" + body[:200_000])
                        equal(c.reply().code, 250, "BDAT")
                        if how != "rset":
                            # a chunk that stays incomplete
                            c.send(b"BDAT 200000 LAST\r\n" + body[200_000:300_000])
                        else:
                            equal(c.command("RSET").code, 250, "RSET")
                    else:
                        equal(c.command("DATA").code, 354, "DATA")
                        # Ends in CRLF, as if the dot could follow.
                        cut = message.stuff(body)
                        cut = cut[:cut.rindex(b"\r\n", 0, 200_000) + 2]
                        c.send(cut)
                    time.sleep(0.3)
                    if how == "reset":
                        c.reset()
                until(lambda: not [s for s in sink.sessions if s.rcpts], 10, "the next hop is let go")
                equal(sink.by_id(ident), [], f"{how}, bdat={bdat}: the message was given to the next hop")
        equal(sink.complaints, [], "complaints")
    world.settled()


@test("rules: the client goes away after the dot")
def client_gone_after_dot(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        sink.rules = {"dot": [Act(delay=1.5, times=1)]}
        ident = world.ident("late")
        c = Client()
        c.greet()
        c.command("MAIL FROM:<late@example.org>")
        c.command("RCPT TO:<b@example.net>")
        c.command("DATA")
        c.send(message.stuff(message.make(ident, 3000)))
        until(lambda: sink.by_id(ident), 5, "the message at the next hop")
        c.reset()

        def told():
            return [e for e in world.events(20) if e.get("sender", "").startswith("late@")]
        e = until(told, 10, "an event of the message")[-1]
        check(e["outcome"] in ("client-gone", "client_gone"), f"outcome: {e['outcome']}")
        check("kept" in e.get("text", "") or e.get("reply") == 250 or "250" in e["line"],
              f"the next hop's verdict is not in {e['line']}")
    world.settled()


@test("rules: next hop that refuses connections, or is not there", seconds=90)
def not_there(world):
    world.configure()
    world.wait_next_hop(up=False)
    r, _, _ = attempt(world)
    is_4xx(r, "connection refused")
    # An address that no one has: no answer to ARP.
    world.configure(next_hops=[world.next_hop("192.0.2.77")], timeouts={"upstream_connect": "2s"})
    r, _, _ = attempt(world)
    is_4xx(r, "no such host")
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        r, ident, _ = attempt(world)
        equal(r.code, 250, f"as soon as it is back: {r}")
    world.settled()


@test("rules: next hop says 421 or 554 at its banner", seconds=90)
def banner(world):
    with world.sink() as sink:
        for text in ("421 4.3.2 too busy", "554 5.7.1 not for you"):
            sink.rules = {}
            world.configure()
            world.wait_next_hop()
            sink.rules = {"banner": [Act(reply=text, close=True)]}
            sink.drop()
            r, ident, _ = attempt(world)
            is_4xx(r, text)
            equal(sink.by_id(ident), [], "message")
        sink.rules = {}
        world.wait_next_hop()


@test("rules: failover to another next hop before the body, never after", seconds=120)
def failover(world):
    first, second = world.next_hop(name="one.example.net", priority=10), world.next_hop(
        "2001:db8:2::2", name="two.example.net", priority=20)
    with world.sink(address="2001:db8:2::2") as b:
        # Nobody at the first.
        world.configure(next_hops=[first, second])
        world.wait_next_hop(name="two.example.net")
        r, ident, _ = attempt(world)
        equal(r.code, 250, f"first is down: {r}")
        equal(len(b.by_id(ident)), 1, "at the second")
        with world.sink() as a:
            world.wait_next_hop(name="one.example.net")
            r, ident, _ = attempt(world)
            equal((r.code, len(a.by_id(ident))), (250, 1), "the first is preferred")
            # 421 at its banner
            a.rules = {"banner": [Act(reply="421 4.3.2 no", close=True)]}
            a.drop()
            r, ident, _ = attempt(world)
            equal((r.code, len(b.by_id(ident))), (250, 1), f"421 at the first's banner: {r}")
            a.rules = {}
            world.wait_next_hop(name="one.example.net")
            # It breaks off within the body: no failover, and nothing at the second.
            a.rules = {"body": [Act(reset=True, times=1)]}
            r, ident, _ = attempt(world, size=2_000_000)
            is_4xx(r, "reset in the body")
            equal((len(a.by_id(ident)), len(b.by_id(ident))), (0, 0), "copies")
            a.rules = {"dot": [Act(reset=True, times=1)]}
            world.wait_next_hop(name="one.example.net")
            r, ident, _ = attempt(world)
            equal((r.code, r.enhanced), (451, "4.4.2"), "reset after the dot")
            equal(len(b.by_id(ident)), 0, "copies at the second")
    world.settled()


@test("rules: next hop frozen (SIGSTOP) and killed (SIGKILL) at every stage", seconds=240)
def frozen(world):
    log = LAB + "/sink.log"
    timeouts = {"upstream_connect": "2s", "upstream_banner": "2s", "upstream_command": "2s", "upstream_data": "2s",
                "upstream_block": "3s", "upstream_dot": "3s", "health_retry": "1s", "health_interval": "1s"}

    def session(stage):
        """A client that has got as far as that."""
        ident = world.ident(f"frozen-{stage}")
        # More than the frozen host's kernel takes for it (tcp_rmem): else the dot would be on its way, and the
        # outcome unknown (rule 2).
        body = message.make(ident, 20_000_000 if stage == "body" else 3000)
        c = Client(timeout=40)
        c.greet()
        if stage == "mail":
            return c, ident, lambda: c.transaction(body)
        equal(c.command("MAIL FROM:<a@example.org>").code, 250, "MAIL")
        if stage == "rcpt":
            return c, ident, lambda: c.command("RCPT TO:<b@example.net>")
        equal(c.command("RCPT TO:<b@example.net>").code, 250, "RCPT")
        if stage == "data":
            return c, ident, lambda: c.data(body)
        equal(c.command("DATA").code, 354, "DATA")
        wire = message.stuff(body)
        half = len(wire) // 2
        c.send(wire[:half])

        def rest():
            try:
                c.send(wire[half:])
            except Closed:
                pass  # what it has to say may be there all the same
            return c.reply()
        return c, ident, rest

    world.configure(timeouts=timeouts)
    for sig, stages in ((signal.SIGSTOP, ("mail", "rcpt", "data", "body")), (signal.SIGKILL, ("mail", "rcpt", "data", "body"))):
        for stage in stages:
            p = world.sink_process(log)
            try:
                world.wait_next_hop()
                c, ident, go_on = session(stage)
                with c:
                    os.kill(p.pid, sig)
                    began = time.monotonic()
                    try:
                        r = go_on()
                    except Closed:
                        r = None
                    except TimeoutError:
                        raise AssertionError(f"{sig.name} at {stage}: nothing said for 40 s") from None
                    is_4xx(r, f"{sig.name} at {stage}")
                    took = time.monotonic() - began
                    check(took < 15, f"{sig.name} at {stage}: {took:.1f} s until the client heard of it")
                equal(len(read_log(log).get(ident, [])), 0, f"{sig.name} at {stage}: messages")
                if sig == signal.SIGSTOP:
                    # Thawed, it must not get the message after all.
                    os.kill(p.pid, signal.SIGCONT)
                    time.sleep(0.5)
                    equal(len(read_log(log).get(ident, [])), 0, f"thawed after {stage}: messages")
            finally:
                p.kill()
                p.wait()
    os.unlink(log)
    world.settled()


@test("rules: time-out between dot and reply", seconds=60)
def dot_timeout(world):
    with world.sink() as sink:
        world.configure(timeouts={"upstream_dot": "2s"})
        world.wait_next_hop()
        sink.rules = {"dot": [Act(hang=True, times=1)]}
        r, ident, _ = attempt(world)
        equal((r.code, r.enhanced), (451, "4.4.2"), "reply")
        equal(len(sink.by_id(ident)), 1, "copies")
    world.settled()


@test("rules: a slow next hop closes the client's window", seconds=120)
def back_pressure(world):
    with world.sink(slow=200_000, rcvbuf=65536) as sink:
        world.configure()
        world.wait_next_hop()
        ident = world.ident("slow")
        body = message.make(ident, 12_000_000)
        c = Client(timeout=60, sndbuf=65536)
        c.greet()
        c.command("MAIL FROM:<a@example.org>")
        c.command("RCPT TO:<b@example.net>")
        equal(c.command("DATA").code, 354, "DATA")
        wire = message.stuff(body)
        c.sock.settimeout(0)
        sent, end = 0, time.monotonic() + 4
        while time.monotonic() < end and sent < len(wire):
            try:
                sent += c.sock.send(wire[sent:sent + 65536])
            except BlockingIOError:
                time.sleep(0.01)
        # What the next hop took, both kernels' buffers, and what we hold for one session.
        read = sink.counts["octets"]
        check(sent - read < 3_000_000,
              f"{sent} octets taken of the client while the next hop read {read}: the window never closed")
        # Meanwhile another client is served as ever.
        sink.slow = 0
        other = world.ident("fast")
        r = send_one(message.make(other, 2000))
        equal(r.code, 250, "another client")
        c.sock.settimeout(60)
        c.send(wire[sent:])
        equal(c.reply().code, 250, "the slow one, in the end")
        equal([m["sha256"] for m in sink.by_id(ident)], [message.digest(body)], "digest")
        c.quit()
    world.settled()


@test("rules: bare CR, bare LF and lines too long are refused")
def line_ends(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        head = b"Message-Id: <%s>\r\nSubject: x\r\n\r\n"
        for what, bad in (("bare LF", b"a\nb\r\n"), ("bare CR", b"a\rb\r\n"), ("LF.LF", b"a\n.\nb\r\n"),
                          ("LF.CRLF", b"a\n.\r\nb\r\n"), ("CRLF.LF", b"a\r\n.\nb\r\n"),
                          ("CR.CR", b"a\r.\rb\r\n"), ("CRLF.CR", b"a\r\n.\rb\r\n"), ("CR CR LF", b"a\r\r\nb\r\n"),
                          ("999 octets", b"a" * 999 + b"\r\n")):
            ident = world.ident("bad")
            smuggled = world.ident("smuggled")
            with Client() as c:
                c.greet()
                c.command("MAIL FROM:<a@example.org>")
                equal(c.command("RCPT TO:<b@example.net>").code, 250, "RCPT")
                equal(c.command("DATA").code, 354, "DATA")
                c.send(head % ident.encode() + bad)
                # If any of these ended the data, this would be a second message.
                c.send(b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n" +
                       head % smuggled.encode() + b"evil\r\n.\r\n")
                r = c.reply()
                check(500 <= r.code < 600, f"{what}: {r}")
                check(r.enhanced and r.enhanced.startswith("5."), f"{what}: {r}")
                c.send("QUIT\r\n")
                equal(c.reply().code, 221, f"{what}: more than one reply")
            equal(sink.by_id(ident) + sink.by_id(smuggled), [], f"{what}: messages")
        # 998 octets are a line.
        ident = world.ident("998")
        body = head % ident.encode() + b"." * 998 + b"\r\n" + b"a" * 998 + b"\r\n"
        equal(send_one(body).code, 250, "998 octets")
        equal(sink.by_id(ident)[0]["sha256"], message.digest(body), "digest")
        equal(sink.complaints, [], "complaints")
    world.settled()


@test("rules: 100 Received headers are a loop")
def loop(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        for n, code in ((99, 250), (100, 554), (150, 554)):
            ident = world.ident("loop")
            body = b"Received: from x by y; now\r\n" * n + message.make(ident, 500)
            r = send_one(body)
            if code == 250:
                equal(r.code, 250, f"{n} Received: {r}")
            else:
                check(500 <= r.code < 600 and r.enhanced == "5.4.6", f"{n} Received: {r}")
            equal(len(sink.by_id(ident)), 1 if code == 250 else 0, f"{n} Received: messages")
    world.settled()
