# SPDX-License-Identifier: BSD-3-Clause
"""The control plane: configuration, commands, and what is said of mistakes."""
import json
import os
import subprocess
import tempfile
import threading
import time

import message
from client import send_one
from harness import LAB, TLS, check, equal, test, until


def run(*argv, timeout=30, namespace=None):
    argv = (["ip", "netns", "exec", namespace] if namespace else []) + list(argv)
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout)


def one_line(r, *words, what=""):
    """It failed, with one line on stderr that has those words."""
    lines = [x for x in r.stderr.splitlines() if x.strip()]
    check(r.returncode not in (0, None) and r.returncode > 0, f"{what}: exit code {r.returncode}: {r.stderr[-400:]}")
    equal(len(lines), 1, f"{what}: lines on stderr ({r.stderr[-600:]!r})")
    for w in words:
        check(w in lines[0], f"{what}: no {w!r} in {lines[0]!r}")


@test("control: a bad configuration is refused, the old one goes on")
def bad_reload(world):
    with world.sink() as sink:
        world.configure()
        world.wait_next_hop()
        before = world.generations()
        good = json.load(open(LAB + "/postgate.yaml", encoding="utf-8"))
        for change, words in (({"hostname": ""}, "hostname"), ({"no-such-key": 1}, "no-such-key"),
                              ({"next-hops": [world.next_hop(level="sometimes")]}, "level"),
                              ({"listeners": [{"side": "outside", "address": "any", "port": 99999}]}, "port"),
                              ({"certificates": [{"name": "mx", "chain": "/no/such.pem", "key": "/no/such.key"}]},
                               "/no/such.pem")):
            world.write_config(dict(good, **change))
            code, value, err = world.ctl("reload")
            check(code == 1, f"{change}: reload's exit code is {code}: {value} {err}")
            text = err + json.dumps(value)
            check(words in text, f"{change}: {words!r} is not in what reload says: {text}")
            check(LAB + "/postgate.yaml:" in text, f"{change}: no file and line in {text}")
            equal(world.generations(), before, "generations")
        world.write_config(good)
        equal(send_one(message.make(world.ident("still"), 500), True).code, 250, "mail")
        world.ctl_ok("reload")


@test("control: one clear line for each mistake at start", gateway=True, seconds=120)
def mistakes(world):
    daemon = world.path("control/daemon/postgated")
    dataplane = world.path("dataplane/postgate-dataplane")
    good = json.load(open(LAB + "/postgate.yaml", encoding="utf-8"))
    with tempfile.TemporaryDirectory() as d:
        path = d + "/c.yaml"

        def checked(config):
            with open(path, "w", encoding="utf-8") as f:
                f.write(config if isinstance(config, str) else json.dumps(config, indent=1))
            return run(daemon, "--config", path, "--check")
        r = checked(good)
        equal(r.returncode, 0, f"a good configuration: {r.stderr}")
        one_line(checked(dict(good, nonsense=1)), path + ":", "nonsense", what="unknown key")
        one_line(checked("hostname: [\n"), path + ":", what="not YAML")
        one_line(checked(dict(good, hostname="not a name")), path + ":", "hostname", what="bad value")
        one_line(checked(dict(good, certificates=[{"name": "mx", "chain": TLS + "/none.pem", "key": TLS + "/mx.key.pem"},
                                                  good["certificates"][1]])),
                 path + ":", "none.pem", what="missing certificate")
        one_line(checked(dict(good, certificates=[{"name": "mx", "chain": TLS + "/mx.chain.pem",
                                                   "key": TLS + "/mx-rsa.key.pem"}, good["certificates"][1]])),
                 path + ":", "key", what="key of another certificate")
        one_line(run(daemon, "--config", d + "/none.yaml", "--check"), "none.yaml", what="no configuration")
        r = run(daemon, "--no-such-option")
        check(r.returncode == 64 or r.returncode == 2, f"unknown option: {r.returncode}")
        # The dataplane. Its socket is in the way of the running one's, so each has its own.
        eal = ["--lcores", "0@0,1@0", "--in-memory", "-m", "256", "--no-pci", "--no-telemetry"]
        own = ["--", "--socket", d + "/dp.sock"]
        one_line(run(dataplane, *eal, "--vdev=net_af_packet0,iface=nosuch0", *own, namespace="pg-gateway"),
                 what="no such interface")
        one_line(run(dataplane, *eal, "-a", "0000:99:00.0", *own), what="no such device")
        # No hugepages: none free for it.
        huge = "/proc/sys/vm/nr_hugepages"
        had = open(huge, encoding="ascii").read()
        try:
            with open(huge, "w", encoding="ascii") as f:
                f.write("0")
            free = [x for x in open("/proc/meminfo", encoding="ascii") if x.startswith("HugePages_Free")][0].split()[1]
            if free == "0":
                one_line(run(dataplane, *eal, "--vdev=net_ring0", *own, namespace="pg-gateway"), "ugepage",
                         what="no hugepages")
        finally:
            with open(huge, "w", encoding="ascii") as f:
                f.write(had)


@test("control: postgatectl's commands, tables, JSON and exit codes")
def commands(world):
    ctl = world.path("control/cli/postgatectl")
    with world.sink():
        world.configure()
        world.wait_next_hop()
        send_one(message.make(world.ident("ctl"), 500), True)
        for command in ("status", "workers", "stats", "stats --nonzero", "sessions --limit 5", "partner list",
                        "events --last 5", "next-hops"):
            r = run(ctl, *command.split())
            equal(r.returncode, 0, f"{command}: {r.stderr}")
            check(r.stdout.strip() or command == "partner list", f"{command}: says nothing")
            r = run(ctl, "--json", *command.split())
            equal(r.returncode, 0, f"--json {command}: {r.stderr}")
            json.loads(r.stdout)
        equal(run(ctl, "no-such-command").returncode, 2, "unknown command")
        equal(run(ctl, "partner", "set").returncode, 2, "no name")
        equal(run(ctl, "partner", "show", "nobody").returncode, 1, "not found")
        equal(run(ctl, "partner", "set", "x", "domain=bank.example", "inbound=sometimes").returncode in (1, 2), True,
              "bad level")
        equal(run(ctl, "--socket", "/run/postgate/none.sock", "status").returncode, 3, "no daemon")
        nonzero = [c for c in world.ctl_ok("stats", "--nonzero")["counters"] if c["total"] == 0]
        equal(nonzero, [], "zeros in stats --nonzero")
        w = world.ctl_ok("workers")["workers"]
        equal(len(w), world.workers, "workers")
        mode = os.stat("/run/postgate/postgated.sock").st_mode & 0o777
        equal(oct(mode), "0o660", "mode of the socket")


@test("control: no private key in logs or store")
def secrets(world):
    needles = []
    for stem in ("mx", "mx-rsa"):
        lines = open(f"{TLS}/{stem}.key.pem", encoding="ascii").read().splitlines()
        needles.append(lines[1][:40].encode())
    places = [os.path.join(d, f) for top in ("/run/postgate",) for d, _s, fs in os.walk(top) for f in fs
              if not d.startswith(TLS)]
    check(any(p.endswith(".db") for p in places), "no store found to look into")
    for p in places:
        if not os.path.isfile(p):
            continue
        data = open(p, "rb").read()
        for n in needles:
            check(n not in data, f"a private key in {p}")
        check(b"PRIVATE KEY" not in data, f"'PRIVATE KEY' in {p}")


@test("control: events --follow tells of sessions and messages as they end")
def follow(world):
    with world.sink():
        world.configure()
        world.wait_next_hop()
        p = subprocess.Popen([world.path("control/cli/postgatectl"), "events", "--follow"], stdout=subprocess.PIPE,
                             text=True, bufsize=1)
        try:
            lines = []

            def reader():
                for line in p.stdout:
                    lines.append(line)
            threading.Thread(target=reader, daemon=True).start()
            time.sleep(0.5)
            send_one(message.make(world.ident("follow"), 500), True, sender="follow@example.org")
            until(lambda: any("from=<follow@example.org>" in x and " tls=TLSv1.3 " in x for x in lines), 5,
                  "a line of the message")
            until(lambda: any(" end " in x for x in lines), 5, "a line of the session")
        finally:
            p.kill()
            p.wait()
