# SPDX-License-Identifier: BSD-3-Clause
"""A gateway between two memif links on this machine, and postgate-load at both of their ends.

The gateway's worker has a core (the last one) and everything else the first; on a machine of one core they share
it. What the gateway costs is read from the worker itself: cycles of loops that did work, scaled by the share of its
core that the thread really had, since a loop that the kernel interrupted for somebody else counts his time too.
"""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HUGE = "/proc/sys/vm/nr_hugepages"

CONFIG = """\
hostname: mx.example.net
interfaces:
  - name: outside
    port: net_memif0
    side: outside
    addresses: [198.51.100.1/24]
  - name: inside
    port: net_memif1
    side: inside
    addresses: [192.0.2.1/24]
certificates:
  - name: mx
    chain: {dir}/tls/mx.chain.pem
    key: {dir}/tls/mx.key.pem
listeners:
  - side: outside
    address: any
    port: 25
    certificates: [mx]
next-hops:
  - name: mail.example.net
    address: 192.0.2.2
    port: 25
    level: {level}
    max-idle: 64
timeouts:
  health-interval: 5s
  health-retry: 1s
log:
  events: no
"""


class BenchError(Exception):
    pass


def free_hugepages():
    with open("/proc/meminfo", encoding="ascii") as f:
        words = {line.split(":")[0]: line.split()[1] for line in f}
    return int(words.get("HugePages_Free", 0)) if words.get("Hugepagesize") == "2048" else 0


class Hugepages:
    """Sees to it that so many MiB are there; gives back what it added."""

    def __init__(self, mib):
        self.before = None
        missing = (mib + 1) // 2 - free_hugepages()
        if missing > 0 and os.path.exists(HUGE):
            with open(HUGE, encoding="ascii") as f:
                self.before = int(f.read())
            self._set(self.before + missing)
        self.enough = free_hugepages() >= (mib + 1) // 2

    @staticmethod
    def _set(n):
        try:
            with open(HUGE, "w", encoding="ascii") as f:
                f.write(str(n))
        except OSError:
            pass

    def close(self):
        if self.before is not None:
            self._set(self.before)


class Gateway:
    def __init__(self, build, level="none", workers=1, max_sessions=4096, memory=440, preload=None, wrap=(),
                 core=None, tls=True):
        self.build, self.workers = os.path.abspath(build), workers
        self.dir = tempfile.mkdtemp(prefix="pgb.", dir="/tmp")
        self.memory, self.max_sessions, self.preload, self.wrap = memory, max_sessions, preload, list(wrap)
        cores = os.cpu_count() or 1
        self.core = cores - 1 if core is None else core
        self.processes = []
        self.hugepages = None
        self.next_client = 2
        try:
            subprocess.run([os.path.join(TOP, "deploy/certs"), os.path.join(self.dir, "tls")], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            config = CONFIG.format(dir=self.dir, level=level)
            if not tls:
                config = config.replace("    certificates: [mx]\n", "")
            with open(self.path("pg.yaml"), "w", encoding="ascii") as f:
                f.write(config)
            self._start()
        except BaseException:
            self.close()
            raise

    def path(self, name):
        return os.path.join(self.dir, name)

    def program(self, name):
        p = os.path.join(self.build, name)
        if not os.access(p, os.X_OK):
            raise BenchError(f"{p} is not there: build first")
        return p

    def _spawn(self, args, log, env=None):
        with open(self.path(log), "w", encoding="utf-8") as f:
            p = subprocess.Popen(args, stdout=f, stderr=f, stdin=subprocess.DEVNULL, env=env)
        self.processes.append(p)
        return p

    def memif(self, role):
        return [f"--vdev=net_memif{i},role={role},socket={self.path(s)},socket-abstract=no"
                for i, s in enumerate(("out.sock", "in.sock"))]

    def _start(self):
        self.hugepages = Hugepages(self.memory)
        huge = ["--in-memory"] if self.hugepages.enough else ["--no-huge"]
        lcores = ",".join(["0@0"] + [f"{i + 1}@{(self.core + i) % (os.cpu_count() or 1)}"
                                      for i in range(self.workers)])
        env = dict(os.environ)
        if self.preload:
            env["LD_PRELOAD"] = self.preload
        self.dataplane = self._spawn(
            self.wrap + [self.program("dataplane/postgate-dataplane"), "--lcores", lcores, *huge, "-m",
                         str(self.memory), "--no-pci", "--log-level=error", *self.memif("server"), "--",
                         "--socket", self.path("dp.sock"), "--pid-file", self.path("dp.pid"),
                         "--max-sessions", str(self.max_sessions)], "dataplane.log", env)
        # It waits some seconds for links that come only with the generator.
        self._wait(30, lambda: os.path.exists(self.path("dp.sock")), "the dataplane did not start")
        self.postgated = self._spawn(
            [self.program("control/daemon/postgated"), "--config", self.path("pg.yaml"),
             "--dataplane-socket", self.path("dp.sock"), "--socket", self.path("api.sock"),
             "--store", self.path("pg.db"), "--pid-file", self.path("pd.pid")], "postgated.log")
        self._wait(20, lambda: self.ask("workers")["workers"][0]["generation"] > 0, "no worker has a generation")

    def _wait(self, seconds, condition, what):
        end = time.monotonic() + seconds
        while True:
            for p in self.processes:
                if p.poll() is not None:
                    raise BenchError(f"{what}: {p.args[0]} ended\n" + self.logs())
            try:
                if condition():
                    return
            except (BenchError, KeyError, IndexError):
                pass
            if time.monotonic() > end:
                raise BenchError(what + "\n" + self.logs())
            time.sleep(0.05)

    def logs(self):
        text = ""
        for name in ("dataplane.log", "postgated.log"):
            try:
                with open(self.path(name), encoding="utf-8", errors="replace") as f:
                    text += "".join(f.readlines()[-10:])
            except OSError:
                pass
        return text

    def ask(self, *command):
        r = subprocess.run([self.program("control/cli/postgatectl"), "--socket", self.path("api.sock"), "--json",
                            *command], capture_output=True, text=True)
        if r.returncode != 0:
            raise BenchError(f"postgatectl {' '.join(command)}: {r.stderr.strip() or r.stdout.strip()}")
        return json.loads(r.stdout)

    def counters(self):
        stats = self.ask("stats")
        if "counters" in stats:
            stats = stats["counters"]
        if isinstance(stats, list):
            return {c["name"]: c["total"] if "total" in c else c["value"] for c in stats}
        return {k: v for k, v in stats.items() if isinstance(v, (int, float))}

    def worker_threads(self):
        """Thread ids of the worker lcores, by their order."""
        pid = self.dataplane_pid()
        threads = []
        for path in glob.glob(f"/proc/{pid}/task/*"):
            try:
                with open(path + "/comm", encoding="ascii") as f:
                    name = f.read().strip()
            except OSError:
                continue
            if "worker" in name:
                threads.append((int(name.rsplit("-", 1)[1]), int(os.path.basename(path))))
        return [tid for _, tid in sorted(threads)]

    def dataplane_pid(self):
        with open(self.path("dp.pid"), encoding="ascii") as f:
            return int(f.read())

    def sample(self):
        workers = self.ask("workers")
        pid = self.dataplane_pid()
        cpu = 0
        for tid in self.worker_threads():
            with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as f:
                cpu += int(f.read().split()[0])
        return {
            "cpu": cpu * 1e-9,
            "hz": workers["cycles_per_second"],
            "busy": sum(w["cycles_busy"] for w in workers["workers"]),
            "total": sum(w["cycles_total"] for w in workers["workers"]),
            "counters": self.counters(),
        }

    def load(self, *options, duration=4, core="0", memory=768, timeout=40, mbufs=32768, clients=24):
        """One run of the generator: its report, and what the worker did meanwhile."""
        # Addresses of its own: those of an earlier run are in TIME-WAIT, and a new process knows no more of their
        # sequence numbers and timestamps than a stranger would.
        if self.next_client + clients > 250:
            self.next_client = 2
        first, last = self.next_client, self.next_client + clients - 1
        self.next_client += clients
        out = self.path("load.json")
        if os.path.exists(out):
            os.unlink(out)
        args = [self.program("tests/loadgen/postgate-load"), "--lcores", f"0@{core}", "--no-huge", "--no-shconf",
                "--no-telemetry", "-m", str(memory), "--no-pci", "--log-level=error", *self.memif("client"), "--",
                "--client", f"198.51.100.{first}-198.51.100.{last}/24@net_memif0",
                "--sink", "192.0.2.2/24@net_memif1", "--target", "198.51.100.1", "--quiet",
                "--mbufs", str(mbufs), "--duration", str(duration), "--json", out, *options]
        before = self.sample()
        r = subprocess.run(args, capture_output=True, text=True, timeout=timeout + duration)
        after = self.sample()
        if not os.path.exists(out):
            raise BenchError(f"postgate-load: {r.stderr.strip()[-500:]}")
        with open(out, encoding="utf-8") as f:
            report = json.load(f)
        return {"exit": r.returncode, "load": report, "worker": self.difference(before, after)}

    @staticmethod
    def difference(before, after):
        d = {k: after[k] - before[k] for k in ("cpu", "busy", "total")}
        wall = d["total"] / after["hz"]
        share = min(1.0, d["cpu"] / wall) if wall > 0 else 1.0
        return {
            "seconds": wall,
            "core_share": share,
            "busy_percent": 100.0 * d["busy"] / d["total"] if d["total"] else 0.0,
            "busy_seconds": d["busy"] / after["hz"] * share,
            "counters": {k: v - before["counters"].get(k, 0) for k, v in after["counters"].items()
                         if v != before["counters"].get(k, 0)},
        }

    def close(self):
        for p in reversed(self.processes):
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in reversed(self.processes):
            try:
                p.wait(timeout=12)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if self.hugepages:
            self.hugepages.close()
        if os.environ.get("POSTGATE_BENCH_KEEP"):
            print("kept:", self.dir, file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
