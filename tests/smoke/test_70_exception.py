# SPDX-License-Identifier: BSD-3-Clause
"""The exception path: what is not the gateway's goes to the kernel and back."""
import os
import socket
import subprocess
import threading
import time

from client import Client
from harness import check, equal, test, until
from netns import in_namespace, make_socket

GATEWAY, KERNEL, KERNEL6 = "pg-gateway", "198.51.100.9", "2001:db8:1::9"


def sh(*args):
    r = subprocess.run(args, capture_output=True, text=True, timeout=30)
    if r.returncode != 0:
        raise AssertionError(f"{' '.join(args)}: {r.stdout}{r.stderr}")
    return r.stdout


def outside(*args):
    return sh("ip", "netns", "exec", "pg-outside", *args)


class WithException:
    """The gateway started anew with an exception path on its outside port."""

    def __init__(self, world, options):
        self.world, self.options = world, options

    def __enter__(self):
        port = self.world.base["interfaces"][0]["port"]
        self.world.stop()
        os.environ["POSTGATE_OPTIONS"] = f"--exception {port}=pg-ex0{self.options}"
        self.world.start()
        self.world.configure()
        sh("ip", "netns", "exec", GATEWAY, "sysctl", "-qw", "net.ipv6.conf.pg-ex0.disable_ipv6=0",
           "net.ipv6.conf.pg-ex0.accept_dad=0", "net.ipv6.conf.pg-ex0.accept_ra=0")
        sh("ip", "-n", GATEWAY, "addr", "add", KERNEL + "/24", "dev", "pg-ex0")
        sh("ip", "-n", GATEWAY, "link", "set", "pg-ex0", "up")
        sh("ip", "-n", GATEWAY, "addr", "add", KERNEL6 + "/64", "dev", "pg-ex0", "nodad")
        return self.world

    def __exit__(self, *_):
        self.world.stop()
        os.environ.pop("POSTGATE_OPTIONS", None)
        self.world.start()


def counter(world, name):
    return next(v for k, v in world.stats().items() if k.endswith("exception_" + name))


def echo_server(address):
    s = make_socket(GATEWAY, address)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 22))
    s.listen(4)

    def serve():
        c, _ = s.accept()
        with c:
            while data := c.recv(65536):
                c.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    return s


@test("exception path: management address, TCP and ping by the kernel, mail by us", seconds=120)
def exception_path(world):
    with WithException(world, ",2000"):
        outside("ping", "-c", "3", "-i", "0.2", "-W", "3", KERNEL)
        outside("ping", "-c", "3", "-i", "0.2", "-W", "3", KERNEL6)
        outside("ping", "-c", "1", "-W", "3", "198.51.100.1")
        # The kernel finds its neighbours itself.
        sh("ip", "netns", "exec", GATEWAY, "ping", "-c", "2", "-i", "0.2", "-W", "3", "-I", KERNEL, "198.51.100.2")
        for address in (KERNEL, KERNEL6):
            with echo_server(address), make_socket("pg-outside", address) as c:
                c.settimeout(10)
                c.connect((address, 22))
                sent = os.urandom(100_000)
                threading.Thread(target=c.sendall, args=(sent,), daemon=True).start()
                got = b""
                while len(got) < len(sent):
                    data = c.recv(65536)
                    check(data, "the echo ended early")
                    got += data
                equal(got == sent, True, "the echo's bytes")
        check(counter(world, "to_kernel") > 50 and counter(world, "from_kernel") > 50, "counted")
        with world.sink(), Client("198.51.100.1") as c:
            world.wait_next_hop()
            c.greet()
            equal(c.command("NOOP").code, 250)


@test("exception path: a flood to the kernel is cut off and counted", seconds=120)
def exception_rate(world):
    with WithException(world, ",50"):
        outside("ping", "-c", "1", "-W", "3", KERNEL)
        s = in_namespace("pg-outside", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with s:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                for _ in range(20):
                    s.sendto(b"x", (KERNEL, 9))
                time.sleep(0.01)
        until(lambda: counter(world, "rate_limited") > 1000, 5, "rate limited")
        check(counter(world, "to_kernel") < 400, "what passed")
        with Client("198.51.100.1") as c:
            check(c.banner().code in (220, 421), "SMTP goes on")
