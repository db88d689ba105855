# SPDX-License-Identifier: BSD-3-Clause
"""Mail passes, every octet of it, on every way that there is."""
import collections
import random
import re
import threading
import time

import message
from client import Client, Closed, send_one
from harness import check, equal, test

RECEIVED = re.compile(
    r"^Received: from client\.example\.org \(.*\[(IPv6:)?[0-9a-f.:]+\]\)\s+by mx\.example\.net\b.*"
    r"with (UTF8SMTPS?|E?SMTPS?)", re.S)


def arrived(sink, ident, body, tls=None):
    m = sink.by_id(ident)
    equal(len(m), 1, f"copies of {ident}")
    equal(m[0]["size"], len(body), f"octets of {ident}")
    equal(m[0]["sha256"], message.digest(body), f"digest of {ident}")
    received = m[0]["received"]
    check(RECEIVED.match(received), f"Received: {received!r}")
    check(all(len(line) <= 78 for line in received.rstrip("\r\n").split("\r\n")) or len(received) < 998,
          f"Received too long: {received!r}")
    if tls is not None:
        equal("ESMTPS" in received, tls, f"ESMTPS in {received!r}")
        if tls:
            check(re.search(r"TLS_|TLSv1", received), f"no TLS version or cipher in {received!r}")
    return m[0]


@test("relay: IPv4 and IPv6, plain and STARTTLS, DATA and BDAT")
def ways(world):
    with world.sink(tls=world.tls()) as sink:
        world.configure()
        world.wait_next_hop()
        for server in ("198.51.100.1", "2001:db8:1::1"):
            for tls in (False, True):
                for bdat in (False, True):
                    ident = world.ident("way")
                    body = message.make(ident, 30_000, long_lines=True)
                    r = send_one(body, tls, server, bdat=bdat)
                    equal(r.code, 250, f"{server} tls={tls} bdat={bdat}: {r}")
                    check(ident in " ".join(r.lines), f"the next hop's own text is not in {r}")
                    m = arrived(sink, ident, body, tls)
                    equal(m["tls"] is not None, True, "inner leg in TLS")
        equal(sink.complaints, [], "what the next hop had to complain of")
        # Over IPv6 to the next hop too.
    with world.sink(address="2001:db8:2::2", tls=world.tls()) as sink:
        world.configure(next_hops=[world.next_hop("2001:db8:2::2")])
        world.wait_next_hop()
        ident = world.ident("v6")
        body = message.make(ident, 30_000)
        equal(send_one(body, True, "2001:db8:1::1").code, 250, "reply")
        arrived(sink, ident, body, True)
    world.settled()


@test("relay: a next hop without CHUNKING, PIPELINING, 8BITMIME, SIZE")
def stripped(world):
    with world.sink(extensions=[]) as sink:
        world.configure()
        world.wait_next_hop()
        with Client() as c:
            equal(c.greet().code, 250, "EHLO")
            for e in ("8BITMIME", "SMTPUTF8"):
                check(e not in c.extensions, f"we offer {e}, which the next hop has not")
            check("CHUNKING" in c.extensions, f"no CHUNKING: {c.extensions}")
            check("STARTTLS" in c.extensions, f"no STARTTLS: {c.extensions}")
            ident = world.ident("bdat")
            body = message.make(ident, 200_000, long_lines=True)
            r = c.transaction(body, bdat=True)
            equal(r.code, 250, f"BDAT: {r}")
            c.quit()
        m = arrived(sink, ident, body)
        equal(m["via"], "dot", "BDAT became DATA")
        check("BDAT" not in sink.counts, "BDAT was said to a next hop without CHUNKING")
        equal(sink.complaints, [], "complaints")


@test("relay: one octet at a time, and all in one segment")
def segments(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        ident = world.ident("drip")
        body = message.make(ident, 700)
        with Client() as c:
            c.greet()
            equal(c.command("MAIL FROM:<a@example.org>").code, 250, "MAIL")
            equal(c.command("RCPT TO:<b@example.net>").code, 250, "RCPT")
            equal(c.command("DATA").code, 354, "DATA")
            for i in message.stuff(body):
                c.send(bytes([i]))
            equal(c.reply().code, 250, "dot")
            c.quit()
        arrived(sink, ident, body)
        # RFC 2920: two messages pipelined as far as DATA lets.
        ident = world.ident("pipe")
        body = message.make(ident, 5000)
        with Client() as c:
            c.greet()
            check("PIPELINING" in c.extensions, "no PIPELINING")
            c.send("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n")
            equal([c.reply().code for _ in range(4)], [250, 250, 250, 354], "replies")
            ident2 = world.ident("pipe")
            body2 = message.make(ident2, 5000)
            c.send(message.stuff(body) + b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
            equal([c.reply().code for _ in range(4)], [250, 250, 250, 354], "replies")
            c.send(message.stuff(body2) + b"QUIT\r\n")
            equal([c.reply().code for _ in range(2)], [250, 221], "replies")
        equal(len(arrived(sink, ident, body)["to"]), 2, "recipients")
        arrived(sink, ident2, body2)
        # RFC 3030: MAIL to BDAT LAST in one segment.
        ident = world.ident("bdatpipe")
        body = message.make(ident, 900)
        with Client() as c:
            c.greet()
            c.send(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nBDAT %d\r\n" % 300 + body[:300] +
                   b"BDAT %d LAST\r\n" % (len(body) - 300) + body[300:])
            equal([c.reply().code for _ in range(4)], [250, 250, 250, 250], "replies")
            c.quit()
        arrived(sink, ident, body)


@test("relay: connection to the next hop is used again")
def reuse(world):
    with world.sink(tls=world.tls()) as sink:
        world.configure()
        world.wait_next_hop()
        equal(send_one(message.make(world.ident("first"), 500)).code, 250, "reply")
        before = sink.counts["connections"]
        for _ in range(10):
            equal(send_one(message.make(world.ident("again"), 500)).code, 250, "reply")
        used = sink.counts["connections"] - before
        check(used <= 1, f"{used} new connections to the next hop for 10 messages in a row")
        equal(len(sink.messages), 11, "messages")


@test("relay: 50 MB, byte for byte", seconds=180)
def big(world):
    with world.sink(tls=world.tls()) as sink:
        world.configure()
        world.wait_next_hop()
        ways = [(True, False), (False, True)] + ([(True, True), (False, False)] if world.long else [])
        for tls, bdat in ways:
            ident = world.ident("big")
            body = message.make(ident, 50_000_000, long_lines=True)
            began = time.monotonic()
            r = send_one(body, tls, bdat=bdat, timeout=120)
            equal(r.code, 250, f"tls={tls} bdat={bdat}: {r}")
            took = time.monotonic() - began
            arrived(sink, ident, body, tls)
            print(f"       50 MB, tls={tls}, {'BDAT' if bdat else 'DATA'}: {took:.1f} s", flush=True)


def load(world, sessions, each, size, tls=0.5, stop=None, sender="alice@example.org"):
    """Many sessions at once. Returns (acknowledged ids -> digest, Counter of what else happened)."""
    acked, other = {}, collections.Counter()
    lock = threading.Lock()
    start = threading.Barrier(sessions)
    names = [[world.ident("load") for _ in range(each)] for _ in range(sessions)]

    def one(k):
        rng = random.Random(k)
        with Client(["198.51.100.1", "2001:db8:1::1"][k % 2], timeout=90) as c:
            try:
                start.wait(60)
            except threading.BrokenBarrierError:
                pass
            r = c.greet(tls=rng.random() < tls)
            if r.code != 250:
                with lock:
                    other[f"greeting {r.code}"] += 1
                return
            for ident in names[k]:
                if stop and stop.is_set():
                    break
                body = message.make(ident, rng.randrange(200, size * 2), long_lines=k % 3 == 0)
                r = c.transaction(body, sender, bdat=k % 4 == 0)
                with lock:
                    if r.code == 250:
                        acked[ident] = message.digest(body)
                    else:
                        other[f"{r.code} {r.lines[0]}"] += 1
            c.quit()

    def guarded(k):
        try:
            one(k)
        except (Closed, OSError) as e:
            with lock:
                other[type(e).__name__] += 1
        except Exception as e:
            with lock:
                other[f"bug: {type(e).__name__}: {e}"] += 1

    threads = [threading.Thread(target=guarded, args=(k,), daemon=True) for k in range(sessions)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return acked, other


@test("relay: 200 sessions at once, 2,000 messages, each once", seconds=180)
def many(world):
    with world.sink(tls=world.tls()) as sink:
        world.configure()
        world.wait_next_hop()
        began = time.monotonic()
        acked, other = load(world, 200, 10, 4000)
        took = time.monotonic() - began
        if other:
            pool = {k: v for k, v in world.stats().items() if v and ("refused" in k or "pool" in k or "exhausted" in k)}
            raise AssertionError(f"what went wrong: {dict(other)}; counters {pool}")
        equal(len(acked), 2000, "acknowledged messages")
        seen = collections.Counter(m["id"] for m in sink.messages)
        equal([i for i, n in seen.items() if n != 1], [], "ids that came more than once")
        got = {m["id"]: m["sha256"] for m in sink.messages}
        equal([i for i in acked if got.get(i) != acked[i]], [], "messages missing or altered")
        equal(len(got), 2000, "messages at the next hop")
        equal(sink.complaints, [], "complaints")
        print(f"       2,000 messages in {took:.1f} s, half of the sessions over STARTTLS", flush=True)
    world.settled()
