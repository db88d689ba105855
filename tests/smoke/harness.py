# SPDX-License-Identifier: BSD-3-Clause
"""What a smoke test has in its hands: the gateway in the lab, and the register of tests."""
import copy
import json
import os
import signal
import subprocess
import sys
import time

from sink import Sink, server_context

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN = "/run/postgate"
LAB = RUN + "/lab"
TLS = LAB + "/tls"

TESTS = []


class Skip(Exception):
    pass


def test(name, seconds=60, long=False, gateway=True):
    """Registers a test: function(world). long: in --long runs only; gateway=False: needs none."""
    def register(function):
        TESTS.append((name, function, seconds, long, gateway))
        return function
    return register


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what or 'value'}: {got!r}, not {want!r}")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def until(function, seconds, what):
    """Waits for function() to be true; returns it."""
    end = time.monotonic() + seconds
    while True:
        value = function()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class World:
    def __init__(self, build, device, workers, long):
        self.build, self.device, self.workers, self.long = os.path.abspath(build), device, workers, long
        self.base = None
        self.serial = 0
        self.last_sink = None
        self.up = False

    def path(self, binary):
        return os.path.join(self.build, binary)

    # --- the gateway
    def start(self):
        demo = [TOP + "/deploy/demo", "--stay", "--bare", "--build", self.build, "--device", self.device,
                "--workers", str(self.workers)]
        r = subprocess.run(demo, capture_output=True, text=True, timeout=120)
        if r.returncode != 0:
            raise RuntimeError("deploy/demo --stay --bare: " + (r.stdout + r.stderr)[-3000:])
        self.up = True
        ports = subprocess.run([TOP + "/deploy/lab", "ports"], capture_output=True, text=True).stdout.split()
        self.base = {
            "hostname": "mx.example.net",
            "interfaces": [
                {"name": "outside", "port": ports[0], "side": "outside",
                 "addresses": ["198.51.100.1/24", "2001:db8:1::1/64"]},
                {"name": "inside", "port": ports[1], "side": "inside",
                 "addresses": ["192.0.2.1/24", "2001:db8:2::1/64"]},
            ],
            "certificates": [
                {"name": "mx", "chain": TLS + "/mx.chain.pem", "key": TLS + "/mx.key.pem"},
                {"name": "mx-rsa", "chain": TLS + "/mx-rsa.chain.pem", "key": TLS + "/mx-rsa.key.pem"},
            ],
            "listeners": [{"side": "outside", "address": "any", "port": 25, "certificates": ["mx", "mx-rsa"]}],
            "next-hops": [self.next_hop()],
            "timeouts": {"health-interval": "2s", "health-retry": "1s"},
        }

    def stop(self):
        if self.up:
            subprocess.run([TOP + "/deploy/demo", "--stop"], capture_output=True, timeout=60)
            self.up = False

    @staticmethod
    def next_hop(address="192.0.2.2", level="may", name="mail.example.net", priority=10, port=25, **more):
        return dict({"name": name, "address": address, "port": port, "priority": priority, "level": level}, **more)

    def ctl(self, *args, timeout=15):
        """(exit code, JSON result or None, what it said on stderr)"""
        r = subprocess.run([self.path("control/cli/postgatectl"), "--json", *args], capture_output=True,
                           text=True, timeout=timeout)
        try:
            value = json.loads(r.stdout) if r.stdout.strip() else None
        except ValueError:
            value = None
        return r.returncode, value, r.stderr.strip()

    def ctl_ok(self, *args):
        code, value, err = self.ctl(*args)
        if code != 0:
            raise AssertionError(f"postgatectl {' '.join(args)}: exit code {code}: {err} {value}")
        return value

    def write_config(self, config):
        # JSON is YAML.
        with open(LAB + "/postgate.yaml", "w", encoding="utf-8") as f:
            json.dump(config, f, indent=1)

    def configure(self, wait=True, **changes):
        """Applies the base configuration with those top-level keys put in place ('_' for '-')."""
        config = copy.deepcopy(self.base)
        for k, v in changes.items():
            k = k.replace("_", "-")
            if k == "timeouts":
                config[k] = dict(config["timeouts"], **{x.replace("_", "-"): y for x, y in v.items()})
            else:
                config[k] = v
        self.write_config(config)
        self.ctl_ok("reload")
        if wait:
            self.wait_ready()

    def generations(self):
        code, s, _ = self.ctl("status")
        if code != 0 or not s:
            return None
        d = s.get("dataplane") or {}
        w = d.get("workers") or []
        if not w:
            return None
        return s["daemon"]["generation"], [x["generation"] for x in w]

    def wait_ready(self, seconds=20):
        """Every worker runs what postgated has."""
        def ready():
            g = self.generations()
            return g and g[0] > 0 and all(x == g[0] for x in g[1])
        until(ready, seconds, "all workers at postgated's generation")

    def next_hops(self):
        return self.ctl_ok("next-hops").get("next_hops") or []

    def wait_next_hop(self, up=True, name=None, seconds=15):
        def state():
            # Each worker has its own view; all of them must have it.
            hops = [h for h in self.next_hops() if name in (None, h["name"])]
            return hops and all(hop_is_up(h) == up for h in hops) and (not up or looked_at())

        def looked_at():
            # Not what was known of the last test's server.
            s = self.last_sink
            return s is None or s.stopping.is_set() or s.counts.get("EHLO")
        until(state, seconds, f"next hop {'up' if up else 'down'}")

    def stats(self):
        return {c["name"]: c["total"] for c in self.ctl_ok("stats")["counters"]}

    def events(self, last=200):
        return self.ctl_ok("events", "--last", str(last)).get("events") or []

    def pid(self, process):
        try:
            with open(f"{RUN}/{process}.pid", encoding="ascii") as f:
                return int(f.read())
        except (OSError, ValueError):
            return None

    def kill(self, process, sig=signal.SIGKILL):
        pid = self.pid(process)
        if pid:
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                return None
        return pid

    def settled(self):
        """No session left open: what every test must come back to."""
        until(lambda: not self.ctl_ok("sessions")["sessions"], 15, "no session left")

    # --- peers
    def ident(self, word="m"):
        self.serial += 1
        return f"{word}-{self.serial}-{os.getpid()}@example.org"

    @staticmethod
    def tls(stem="inside"):
        return server_context(f"{TLS}/{stem}.chain.pem", f"{TLS}/{stem}.key.pem")

    def sink(self, **more):
        self.last_sink = Sink(**more)
        return self.last_sink

    def sink_process(self, log, *args):
        """A sink as a process of its own, to be killed or frozen."""
        p = subprocess.Popen(["ip", "netns", "exec", "pg-inside", sys.executable, TOP + "/tests/smoke/sink.py",
                              "--log", log, *args], stdout=subprocess.PIPE, text=True)
        if p.stdout.readline().strip() != "ready":
            raise RuntimeError("the sink did not start")
        return p


def hop_is_up(h):
    if "up" in h:
        return bool(h["up"])
    return h.get("state") == "up"


def read_log(path):
    """The messages that a sink process took, by id: a list each. A last line cut off by a kill is no message."""
    out = {}
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                if line.endswith("\n"):
                    m = json.loads(line)
                    out.setdefault(m["id"], []).append(m)
    except FileNotFoundError:
        pass
    return out


