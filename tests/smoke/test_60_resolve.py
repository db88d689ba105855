# SPDX-License-Identifier: BSD-3-Clause
"""The resolver of postgated: real DNSSEC, servers that fail, hang and lie, policies over HTTPS."""
import json
import os
import subprocess
import threading
import time

import dnslab
from dnslab import DnsLab, policy
from harness import Skip, check, equal, test, until


class Daemon:
    """postgated alone, inside the DNS lab; there is no dataplane."""

    def __init__(self, world, lab, **resolver):
        self.world, self.lab, self.process = world, lab, None
        self.config = {
            "hostname": "mx.example.net",
            "interfaces": [{"name": "out", "port": "0", "side": "outside", "addresses": ["198.51.100.1/24"]},
                           {"name": "in", "port": "1", "side": "inside", "addresses": ["192.0.2.1/24"]}],
            "listeners": [{"side": "outside", "address": "any", "port": 25}],
            "next-hops": [{"name": "mail.example.net", "address": "192.0.2.2", "port": 25, "priority": 10,
                           "level": "may"}],
            "resolver": lab.resolver_config(**resolver),
        }

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        d = self.lab.dir
        with open(d + "/postgate.yaml", "w", encoding="utf-8") as f:
            json.dump(self.config, f)
        with open(d + "/postgated.log", "ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.lab.ns, self.world.path("control/daemon/postgated"), "--config",
                 d + "/postgate.yaml", "--socket", d + "/d.sock", "--dataplane-socket", d + "/none.sock", "--store",
                 d + "/store.db", "--pid-file", d + "/d.pid"], stdout=log, stderr=log)
        until(lambda: self.ctl("status")[0] == 0 or self.process.poll() is not None, 10, "postgated answers")
        check(self.process.poll() is None, "postgated ended: " + self.log())

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                code = self.process.wait(10)
                check(code == 0, f"postgated's exit code is {code}: {self.log()}")
            finally:
                self.process.kill()
                self.process = None

    def log(self):
        with open(self.lab.dir + "/postgated.log", encoding="utf-8", errors="replace") as f:
            return f.read()[-6000:]

    def ctl(self, *args, timeout=60):
        r = subprocess.run([self.world.path("control/cli/postgatectl"), "--json", "--socket",
                            self.lab.dir + "/d.sock", *args], capture_output=True, text=True, timeout=timeout)
        return r.returncode, (json.loads(r.stdout) if r.stdout.strip() else None), r.stderr

    def resolve(self, domain):
        code, value, err = self.ctl("resolve", domain)
        check(code == 0, f"resolve {domain}: {code} {err} {value}; {self.log()}")
        return value

    def stats(self):
        return self.ctl("status")[1]["resolver"]


def lab_or_skip(**more):
    try:
        return DnsLab(**more)
    except FileNotFoundError as e:
        raise Skip(f"{e} is not installed")


def hosts(r):
    return [h["name"] for h in r["hosts"]]


def stranger(r, i=0):
    s = r["hosts"][i]["stranger"]
    return (s["level"] or s["action"], s["rule"])


# domain: (status, MX signed, [hosts], DANE of the first, what a stranger's mail gets there)
TABLE = {
    "good.lab": ("ok", True, ["mx1.good.lab"], "usable", ("dane", "dane")),
    "self.lab": ("ok", True, ["mx1.good.lab"], "usable", ("dane", "dane")),
    "selfaddress.lab": ("loop", True, [], None, None),
    "null.lab": ("null-mx", True, [], None, None),
    "implicit.lab": ("ok", True, ["implicit.lab"], "usable", ("dane", "dane")),
    "nothing.lab": ("no-host", True, ["nothing.lab"], "insecure", None),
    "absenthost.lab": ("no-host", True, ["absent.lab"], "insecure", None),
    "loopback.lab": ("no-host", True, ["local.lab"], "insecure", None),
    "absent.lab": ("no-such-domain", True, [], None, None),
    "unusable.lab": ("ok", True, ["mx.unusable.lab"], "unusable", ("encrypt", "dane-unusable")),
    "notlsa.lab": ("ok", True, ["mx.notlsa.lab"], "none", ("may", "opportunistic")),
    "alias.lab": ("ok", True, ["mxalias.lab"], "usable", ("dane", "dane")),
    "aliasown.lab": ("ok", True, ["mxaliasown.lab"], "usable", ("dane", "dane")),
    "aliasinsecure.lab": ("ok", True, ["mxaliasinsecure.lab"], "usable", ("dane", "dane")),
    "toinsecure.lab": ("ok", True, ["mx.insecure.lab"], "insecure", ("may", "opportunistic")),
    "domalias.lab": ("ok", True, ["mx1.good.lab"], "usable", ("dane", "dane")),
    "plain.insecure.lab": ("ok", False, ["mx.insecure.lab"], "insecure", ("may", "opportunistic")),
    "mxbogus.lab": ("dns-bogus", False, [], None, None),
    "bogus.lab": ("dns-bogus", False, [], None, None),
    "addressbogus.lab": ("ok", True, ["mx.addressbogus.lab", "mx1.good.lab"], "insecure", None),
    "tlsabogus.lab": ("ok", True, ["mx.tlsabogus.lab"], "dns-bogus", ("defer", "dane-failed")),
    "tlsafail.lab": ("ok", True, ["mx.tlsafail.lab"], "dns-failed", ("defer", "dane-failed")),
    "servfail.lab": ("dns-failed", False, [], None, None),
    "not..a.name": ("bad-name", False, [], None, None),
    "192.0.2.1": ("bad-name", False, [], None, None),
}


@test("resolve: MX, DNSSEC and DANE in a signed zone", gateway=False, seconds=90)
def table(world):
    with lab_or_skip() as lab, Daemon(world, lab, **{"query-timeout": "4s", "timeout": "8s"}) as d:
        wrong = []
        for domain, (status, secure, names, dane, gets) in TABLE.items():
            r = d.resolve(domain)
            got = (r["status"], r["mx_secure"], hosts(r), r["hosts"][0]["dane"] if r["hosts"] else None,
                   stranger(r) if r["hosts"] and "stranger" in r["hosts"][0] else None)
            if got != (status, secure, names, dane, gets):
                wrong.append(f"{domain}: {got}, not {(status, secure, names, dane, gets)}; {json.dumps(r)}")
        check(not wrong, "\n".join(wrong))
        good = d.resolve("good.lab")["hosts"][0]
        equal(good["addresses"], ["2001:db8:2::10", "192.0.2.10"], "addresses")
        # PKIX-EE is not for SMTP, SHA-256 gives way to SHA-512 of the same usage and selector.
        equal(good["tlsa"], ["3 1 2 " + "22" * 64, "2 0 1 " + "11" * 32], "TLSA records")
        equal(good["names"], ["mx1.good.lab", "good.lab"], "names to match")
        # RFC 7671 7: the end of the chain, or where it began.
        equal(d.resolve("alias.lab")["hosts"][0]["tlsa_base"], "mx1.good.lab", "base")
        equal(d.resolve("aliasown.lab")["hosts"][0]["tlsa_base"], "mxaliasown.lab", "base")
        own = d.resolve("aliasinsecure.lab")["hosts"][0]
        equal((own["tlsa_base"], own["secure"]), ("mxaliasinsecure.lab", False), "base")
        equal(d.resolve("domalias.lab")["hosts"][0]["names"], ["mx1.good.lab", "domalias.lab", "good.lab"], "names")
        equal([h["status"] for h in d.resolve("addressbogus.lab")["hosts"]], ["dns-bogus", "ok"], "status of hosts")
        three = d.resolve("three.lab")
        equal((set(hosts(three)[:2]), hosts(three)[2]), ({"a.three.lab", "b.three.lab"}, "c.three.lab"), "order")
        equal(d.resolve("null.lab")["code"], "556 5.1.10", "code")
        # Capitals and the dot at the end are the same question.
        before = d.stats()
        equal(d.resolve("GOOD.Lab.")["domain"], "good.lab", "domain")
        after = d.stats()
        equal(after["hits"] - before["hits"], 1, "hits")
        equal(after["dns_asked"], before["dns_asked"], "look-ups for a cached answer")


@test("resolve: servers that hang, lie and flood stall nobody", gateway=False, seconds=90)
def hostile(world):
    with lab_or_skip() as lab, Daemon(world, lab, **{"query-timeout": "5s", "timeout": "6s", "max-active": 4}) as d:
        answers, threads = {}, []

        def ask(domain):
            began = time.monotonic()
            r = d.resolve(domain)
            answers[domain] = (r["status"], r["hosts"][0]["dane"] if r["hosts"] else None, time.monotonic() - began)

        # More of them than are worked on at once.
        bad = [f"d{i}.{kind}.lab" for i in range(6) for kind in ("hang", "liar", "huge")] + ["tlsahang.lab"]
        for domain in bad:
            threads.append(threading.Thread(target=ask, args=(domain,)))
            threads[-1].start()
        time.sleep(0.5)
        for i in range(3):
            ask("good.lab")
            equal(answers["good.lab"][0], "ok", "a good domain meanwhile")
            ask("plain.insecure.lab")
            equal(answers["plain.insecure.lab"][0], "ok", "a good domain meanwhile")
        # The queue moves on as soon as a slow one has had its two seconds.
        check(max(answers["plain.insecure.lab"][2], answers["good.lab"][2]) < 1, f"{answers}")
        for t in threads:
            t.join(40)
        for domain in bad:
            status, dane, took = answers[domain]
            if domain == "tlsahang.lab":
                equal((status, dane), ("ok", "dns-timeout"), domain)
            else:
                check(status in ("dns-timeout", "dns-failed"), f"{domain}: {status}")
                # A forged address must not be taken.
            check(took < 30, f"{domain} took {took:.1f} s")
        check(any(a[0] == "dns-timeout" for a in answers.values()), f"no time-out was told: {answers}")
        check(d.stats()["active"] == 0 and d.stats()["waiting"] == 0, f"{d.stats()}")


EXPIRED = 2.3  # a TTL of one second, as libunbound counts it


def sts(r):
    return (r["sts"]["mode"], r["sts"]["source"]), stranger(r)


@test("resolve: MTA-STS policies", gateway=False, seconds=90)
def sts_policies(world):
    z = "insecure.lab"
    with lab_or_skip() as lab, Daemon(world, lab, **{"mta-sts-timeout": "3s"}) as d:
        lab.web.answers = {
            f"mta-sts.enforce.{z}": policy("enforce", f"*.enforce.{z}"),
            f"mta-sts.foreign.{z}": policy("enforce", "mx.elsewhere.lab", f"*.{z}"),
            f"mta-sts.testing.{z}": policy("testing", "mx.elsewhere.lab"),
            f"mta-sts.none.{z}": policy("none"),
            f"mta-sts.redirect.{z}": (301, {"Location": f"https://mta-sts.enforce.{z}/.well-known/mta-sts.txt"}, b""),
            f"mta-sts.media.{z}": (200, {"Content-Type": "text/html"}, policy("enforce", f"*.{z}")[2]),
            f"mta-sts.long.{z}": (200, {"Content-Type": "text/plain"},
                                  policy("enforce", f"mx.long.{z}")[2] + b"\n" * 70000),
            f"mta-sts.garbage.{z}": (200, {"Content-Type": "text/plain"}, b"\x00\xff version"),
            f"mta-sts.wrongname.{z}": policy("enforce", f"mx.wrongname.{z}"),
            f"mta-sts.slow.{z}": 15,
            f"mta-sts.twotxt.{z}": policy("enforce", f"mx.twotxt.{z}"),
        }
        may = ("may", "opportunistic")
        want = {
            "enforce": (("enforce", "fetched"), ("sts", "sts")),
            "foreign": (("enforce", "fetched"), ("defer", "sts-mismatch")),
            "testing": (("testing", "fetched"), may),
            "none": (("none", "fetched"), may),
            "redirect": (("none", "failed"), may),
            "media": (("none", "failed"), may),
            "long": (("none", "failed"), may),
            "garbage": (("none", "failed"), may),
            "notfound": (("none", "failed"), may),
            "wrongname": (("none", "failed"), may),
            "slow": (("none", "failed"), may),
            "twotxt": (("none", "none"), may),
        }
        wrong = []
        for name, expected in want.items():
            r = d.resolve(f"{name}.{z}")
            if sts(r) != expected:
                wrong.append(f"{name}: {sts(r)}, not {expected}; {json.dumps(r['sts'])}")
        check(not wrong, "\n".join(wrong))
        equal({path for _, path in lab.web.asked}, {"/.well-known/mta-sts.txt"}, "paths")
        # The redirect was not followed: one request for itself, one for the target's own sake.
        equal(lab.web.count(f"mta-sts.enforce.{z}"), 1, "requests for the redirect's target")
        # What failed is not asked for again at once (RFC 8461 3.3).
        asked = len(lab.web.asked)
        time.sleep(1.2)
        for name in ("redirect", "media", "garbage"):
            equal(sts(d.resolve(f"{name}.{z}"))[0], ("none", "failed"), name)
        equal(len(lab.web.asked), asked, "requests")


@test("resolve: an MTA-STS policy survives restart and failed refreshes", gateway=False, seconds=90)
def sts_refresh(world):
    domain, host = "refresh.insecure.lab", "mta-sts.refresh.insecure.lab"
    with lab_or_skip() as lab, Daemon(world, lab) as d:
        lab.web.answers[host] = policy("enforce", "mx.refresh.insecure.lab", max_age=3600)
        equal(sts(d.resolve(domain)), (("enforce", "fetched"), ("sts", "sts")), "first")
        time.sleep(EXPIRED)
        equal(sts(d.resolve(domain))[0], ("enforce", "cached"), "the same id")
        equal(lab.web.count(host), 1, "requests")
        d.stop()
        d.start()
        equal(sts(d.resolve(domain)), (("enforce", "cached"), ("sts", "sts")), "after a restart")
        equal(lab.web.count(host), 1, "requests")
        # Another id, and a server that fails: the policy goes on (RFC 8461 5.1).
        lab.web.answers[host] = (500, {}, b"")
        lab.set_sts_id("refresh", "2")
        time.sleep(EXPIRED)
        r = d.resolve(domain)
        equal(sts(r), (("enforce", "kept"), ("sts", "sts")), "a failed refresh")
        equal((r["sts"]["id"], lab.web.count(host)), ("1", 2), "id, requests")
        check("500" in r["sts"]["why"], r["sts"]["why"])
        # As it does when the record is gone.
        lab.set_sts_id("refresh", "")
        time.sleep(EXPIRED)
        equal(sts(d.resolve(domain))[0], ("enforce", "kept"), "an invalid record")
        # Well again: the new one.
        lab.web.answers[host] = policy("testing", "mx.refresh.insecure.lab", max_age=2)
        lab.set_sts_id("refresh", "3")
        time.sleep(EXPIRED)
        equal(sts(d.resolve(domain)), (("testing", "fetched"), ("may", "opportunistic")), "a new policy")
        # And at the end of its life nothing is left of it.
        lab.web.answers[host] = (500, {}, b"")
        lab.set_sts_id("refresh", "4")
        time.sleep(EXPIRED)
        equal(sts(d.resolve(domain))[0], ("none", "failed"), "after max_age")


@test("resolve: off without its section, and changed by reload", gateway=False, seconds=60)
def off(world):
    with lab_or_skip() as lab:
        daemon = Daemon(world, lab)
        section = daemon.config.pop("resolver")
        with daemon as d:
            code, value, err = d.ctl("resolve", "good.lab")
            check(code == 1 and "resolver section" in err + json.dumps(value), f"{code} {value} {err}")
            equal(d.stats()["enabled"], False, "enabled")
            d.stop()
            d.config["resolver"] = section
            d.start()
            equal(d.resolve("good.lab")["status"], "ok", "status")
            # The table for people.
            r = subprocess.run([world.path("control/cli/postgatectl"), "--socket", lab.dir + "/d.sock", "resolve",
                                "good.lab"], capture_output=True, text=True, timeout=30)
            equal(r.returncode, 0, r.stderr)
            for word in ("mx1.good.lab", "usable", "dane", "192.0.2.10", "3 1 2"):
                check(word in r.stdout, f"no {word} in {r.stdout}")
    check(os.path.basename(lab.ns) not in dnslab.leftovers(), "the namespace is still there")


@test("resolve: a cold burst of 10,000 domains", gateway=False, seconds=150)
def burst(world):
    count = 10000
    lines = "".join(f"d{i} MX 10 mx\n" for i in range(count))
    with lab_or_skip(extra_insecure=lines) as lab:
        def bench(*args):
            r = subprocess.run(["ip", "netns", "exec", lab.ns, world.path("tests/bench/bench_resolve"),
                                lab.dir + "/hints", lab.dir + "/anchor", *map(str, args)], capture_output=True,
                               text=True, timeout=120)
            check(r.returncode == 0, f"bench_resolve: {r.returncode} {r.stderr[-3000:]}")
            return json.loads(r.stdout)

        # 500 whose servers are silent are ahead of them all in the queue.
        b = bench(count, "insecure.lab", 500, "hang.lab")
        print(f"       {b}")
        equal(b["ok"], count, f"answers; {b}")
        equal(b["dns-timeout"] + b["dns-failed"], 500, f"time-outs; {b}")
        check(b["cold_ms"] < 60000, f"{b}")
        check(b["stall_ms"] < 500, f"the loop stood still: {b}")
        equal(b["hits"], count, "hits of the second round")
        check(b["cached_ms"] < 1000, f"{b}")
        check(b["sanitized"] or b["rss_kb"] < 200000, f"{b}")
        # A queue that is full says so at once.
        b = bench(2000, "insecure.lab", 0, "hang.lab", 500)
        check(b["busy"] >= 1000 and b["ok"] + b["busy"] == 2000, f"{b}")
