# SPDX-License-Identifier: BSD-3-Clause
"""Two hosts with a bad link (impair) between them, in namespaces pg-vs-*, and plain Linux ends.

left: 10.77.0.1 and 2001:db8:77::1 are the kernel's, .11 and ::11 our stack's, on the same netdev.
right: 10.77.0.2 and 2001:db8:77::2, the kernel's.
"""
import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smoke"))
from netns import in_namespace  # noqa: E402

LEFT, MIDDLE, RIGHT = "pg-vs-left", "pg-vs-mid", "pg-vs-right"
LINUX_LEFT, OURS, LINUX_RIGHT = "10.77.0.1", "10.77.0.11", "10.77.0.2"
PERIOD = 65521


def pattern():
    return bytes(((i * 131) ^ ((i >> 8) * 167)) & 255 for i in range(PERIOD))


def sh(*args):
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)


def ip_in(ns, *args):
    sh("ip", "-n", ns, *args)


def down():
    for ns in (LEFT, MIDDLE, RIGHT):
        subprocess.run(["ip", "netns", "del", ns], stderr=subprocess.DEVNULL)


def up():
    down()
    for ns in (LEFT, MIDDLE, RIGHT):
        sh("ip", "netns", "add", ns)
        sh("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
           "net.ipv6.conf.default.disable_ipv6=1")
    for ns, name, end in ((LEFT, "vsl", "vsml"), (RIGHT, "vsr", "vsmr")):
        ip_in(MIDDLE, "link", "add", end, "type", "veth", "peer", "name", name, "netns", ns)
        ip_in(MIDDLE, "link", "set", end, "up")
        ip_in(ns, "link", "set", name, "up")
        # What leaves is a frame of its own with a checksum of its own, as on a wire.
        sh("ip", "netns", "exec", ns, "ethtool", "-K", name, "tx", "off", "gso", "off", "tso", "off")
        sh("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1")
    ip_in(LEFT, "addr", "add", LINUX_LEFT + "/24", "dev", "vsl")
    ip_in(RIGHT, "addr", "add", LINUX_RIGHT + "/24", "dev", "vsr")


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Impair:
    def __init__(self, build, **values):
        args = [f"{k.replace('_', ':')}={v}" for k, v in values.items()]
        self.process = subprocess.Popen(
            ["taskset", "-c", "1", "ip", "netns", "exec", MIDDLE,  # a veth keeps the order of one CPU
             os.path.join(build, "tests/bench/impair"),
             "vsml", "vsmr"] + args, stdout=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent)
        time.sleep(0.2)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        out = self.process.communicate(timeout=10)[0]
        return {line.split()[0]: dict(w.split("=") for w in line.split()[1:])
                for line in out.splitlines()}


class Peer:
    """Our stack on the left host's netdev."""

    def __init__(self, build, *options, limit=60):
        eal = ["--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "512", "-l", "0",
               "--log-level=user1:warning", "--file-prefix=pg-vs",
               "--vdev=net_af_packet0,iface=vsl,qpairs=1,framecnt=4096"]
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", LEFT, os.path.join(build, "tests/bench/tcp_peer")] + eal +
            ["--", OURS + "/24", f"limit={limit}"] + list(options),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        line = self.process.stdout.readline()
        if line != "ready\n":
            raise RuntimeError("tcp_peer does not start: " + line + self.process.communicate()[1])

    def end(self, timeout=90):
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err


class Linux(threading.Thread):
    """The kernel's TCP: as many connections as told, each sends and receives, verified."""

    def __init__(self, ns, flows, listen=None, connect=None, send=0, seconds=0, cc="cubic",
                 limit=60):
        super().__init__(daemon=True)
        self.flows, self.send, self.seconds, self.limit = flows, send, seconds, limit
        self.connect, self.cc = connect, cc
        self.ns = ns
        self.received = self.in_time = self.sent = 0
        self.first = None
        self.errors = []
        self.ended = 0
        self.sel = selectors.DefaultSelector()
        self.pattern = pattern() * 5
        self.listener = None
        if listen:
            self.listener = in_namespace(ns, lambda: self.listening(listen))

    def listening(self, address):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, self.cc.encode())
        s.bind(address)
        s.listen(256)
        s.setblocking(False)
        self.sel.register(s, selectors.EVENT_READ, None)
        return s

    def connecting(self):
        for _ in range(self.flows):
            s = socket.socket()
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, self.cc.encode())
            s.setblocking(False)
            s.connect_ex(self.connect)
            self.add(s)

    def add(self, s):
        s.setblocking(False)
        state = {"sent": 0, "received": 0, "shut": False, "eof": False}
        self.sel.register(s, selectors.EVENT_READ | selectors.EVENT_WRITE, state)

    def run(self):
        try:
            if self.connect:
                in_namespace(self.ns, self.connecting)
            self.loop()
        except OSError as e:
            self.errors.append(str(e))

    def loop(self):
        buf = bytearray(4 * PERIOD)
        end = time.monotonic() + self.limit
        while self.ended < self.flows and time.monotonic() < end:
            for key, events in self.sel.select(0.05):
                s, state = key.fileobj, key.data
                if state is None:
                    self.add(s.accept()[0])
                    continue
                if self.first is None:
                    self.first = time.monotonic()
                try:
                    if events & selectors.EVENT_READ:
                        self.read(s, state, buf)
                    if events & selectors.EVENT_WRITE:
                        self.write(s, state)
                except OSError as e:
                    self.errors.append(f"{e} after {state}")
                    self.finish(s)
                    continue
                if state["shut"] and state["eof"]:
                    self.finish(s)
        if self.listener:
            self.listener.close()
        if self.ended < self.flows:
            self.errors.append(f"{self.ended} of {self.flows} flows ended in {self.limit} s")

    def finish(self, s):
        self.sel.unregister(s)
        s.close()
        self.ended += 1

    def elapsed(self):
        return time.monotonic() - self.first

    def read(self, s, state, buf):
        n = s.recv_into(buf)
        if n == 0:
            if not state["eof"]:
                state["eof"] = True
                self.sel.modify(s, self.sel.get_key(s).events & ~selectors.EVENT_READ or
                                selectors.EVENT_WRITE, state)
            return
        at = state["received"] % PERIOD
        if memoryview(buf)[:n] != memoryview(self.pattern)[at:at + n]:
            self.errors.append(f"wrong bytes after {state['received']}")
        state["received"] += n
        self.received += n
        if not self.seconds or self.elapsed() <= self.seconds:
            self.in_time = self.received

    def write(self, s, state):
        more = self.elapsed() < self.seconds if self.seconds and self.send is None else \
            state["sent"] < (self.send or 0)
        if not more:
            s.shutdown(socket.SHUT_WR)
            state["shut"] = True
            self.sel.modify(s, selectors.EVENT_READ, state)
            return
        at = state["sent"] % PERIOD
        n = 131072 if self.send is None else min(131072, self.send - state["sent"])
        sent = s.send(memoryview(self.pattern)[at:at + n])
        state["sent"] += sent
        self.sent += sent
