# SPDX-License-Identifier: BSD-3-Clause
"""Processes die; mail does not."""
import collections
import os
import random
import threading
import time

import message
from client import Client, Closed
from harness import RUN, check, equal, test, until


class Load:
    """Clients that go on until told, in a session of a few messages each, as senders with a queue do."""

    def __init__(self, world, clients, tls=0.3):
        self.world, self.clients, self.tls = world, clients, tls
        self.acked, self.other = {}, collections.Counter()
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(k,), daemon=True) for k in range(clients)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join(30)

    def run(self, k):
        rng = random.Random(k)
        n = 0
        while not self.stop.is_set():
            try:
                with Client(["198.51.100.1", "2001:db8:1::1"][k % 2], timeout=4) as c:
                    if c.greet(tls=rng.random() < self.tls).code != 250:
                        time.sleep(0.05)
                        continue
                    for _ in range(rng.randrange(1, 6)):
                        n += 1
                        ident = f"crash-{k}-{n}-{id(self):x}@example.org"
                        body = message.make(ident, rng.choice([500, 4000, 60_000]))
                        r = c.transaction(body, bdat=rng.random() < 0.3)
                        with self.lock:
                            if r.code == 250:
                                self.acked[ident] = message.digest(body)
                            else:
                                self.other[f"{r.code} {r.enhanced}"] += 1
                        if r.code != 250:
                            break
            except (Closed, OSError) as e:
                with self.lock:
                    self.other[type(e).__name__] += 1
                time.sleep(0.05)
            except Exception as e:
                with self.lock:
                    self.other[f"bug: {type(e).__name__}: {e}"] += 1
                time.sleep(0.2)

    def count(self):
        with self.lock:
            return len(self.acked)


def all_there(load, sink):
    got = {}
    for m in sink.messages:
        got.setdefault(m["id"], set()).add(m["sha256"])
    equal([i for i in load.acked if i not in got], [], "acknowledged messages that the next hop has not")
    equal([i for i in load.acked if got.get(i) != {load.acked[i]}], [], "acknowledged messages that were altered")
    bugs = [x for x in load.other if x.startswith("bug")]
    equal(bugs, [], "what no client should see")
    return sum(1 for i in got if i not in load.acked)


@test("crash: the dataplane killed twenty times under load", seconds=240)
def dataplane(world):
    with world.sink(tls=world.tls()) as sink:
        world.configure()
        world.wait_next_hop()
        slowest = 0.0
        with Load(world, 24) as load:
            for i in range(20):
                mark = load.count()
                began = time.monotonic()
                until(lambda: load.count() >= mark + 5, 20, f"mail flowing before kill {i + 1} ({dict(load.other)})")
                if i:
                    slowest = max(slowest, time.monotonic() - began)
                time.sleep(random.Random(i).random() * 0.4)
                old = world.kill("dataplane")
                check(old, "no dataplane to kill")
                until(lambda: world.pid("dataplane") not in (None, old), 2, "another dataplane")
            mark = load.count()
            until(lambda: load.count() >= mark + 20, 20, "mail after the last kill")
        more = all_there(load, sink)
        print(f"       {load.count()} acknowledged, all at the next hop; {more} more there that no client saw "
              f"acknowledged; mail again after {slowest:.1f} s at most", flush=True)
        equal(sink.complaints, [], "complaints")
    world.wait_ready()


@test("crash: postgated killed under load", seconds=120)
def daemon(world):
    with world.sink(tls=world.tls()) as sink:
        world.configure()
        world.wait_next_hop()
        world.ctl_ok("partner", "set", "before", "domain=before.example", "inbound=encrypt")
        try:
            with Load(world, 16) as load:
                for i in range(5):
                    old = world.kill("postgated")
                    check(old, "no postgated to kill")
                    mark = load.count()
                    until(lambda: load.count() >= mark + 20, 10, "mail while postgated is away")
                    until(lambda: world.pid("postgated") not in (None, old) and world.ctl("status")[0] == 0, 10,
                          "postgated again")
                equal(dict(load.other), {}, "what clients saw of it")
                world.ctl_ok("partner", "show", "before")
                world.ctl_ok("partner", "set", "after", "domain=after.example", "inbound=encrypt")
                world.wait_ready()
                for domain in ("before.example", "after.example"):
                    with Client() as c:
                        c.greet()
                        equal(c.command(f"MAIL FROM:<x@{domain}>").code, 530, domain)
            all_there(load, sink)
        finally:
            world.ctl("partner", "delete", "before")
            world.ctl("partner", "delete", "after")


@test("crash: nothing of the heap stays in files", seconds=60)
def remains(world):

    old = world.kill("dataplane")
    until(lambda: world.pid("dataplane") not in (None, old), 3, "another dataplane")
    world.wait_ready()
    for top in ("/dev/hugepages", "/var/run/dpdk", RUN):
        for d, _dirs, names in os.walk(top):
            for n in names:
                check("rtemap" not in n and "map_" not in n and not n.startswith("core"), f"{d}/{n}")
    limits = open(f"/proc/{world.pid('dataplane')}/limits", encoding="ascii").read()
    line = [x for x in limits.splitlines() if x.startswith("Max core file size")][0]
    dumpable = os.stat(f"/proc/{world.pid('dataplane')}/environ").st_uid
    check(line.split()[4] == "0" or dumpable == 0, "a core dump could be written")
