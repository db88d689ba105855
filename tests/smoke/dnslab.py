# SPDX-License-Identifier: BSD-3-Clause
"""A DNS of our own in a network namespace: signed, unsigned and broken zones, servers that misbehave, and a
web server for MTA-STS policies. Nothing in it reaches any other network."""
import glob
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from netns import in_namespace

SERVER, ODD, WEB = "10.53.0.1", "10.53.0.2", "10.53.0.10"
SIGNED_TTL = 300

# Zone "lab.", signed ("test." is not looked up: RFC 6761). What is to be bogus is damaged after signing.
LAB_ZONE = """
good MX 10 mx1.good
mx1.good A 192.0.2.10
mx1.good AAAA 2001:db8:2::10
_25._tcp.mx1.good TLSA 3 1 1 {h1}
_25._tcp.mx1.good TLSA 3 1 2 {h2}
_25._tcp.mx1.good TLSA 2 0 1 {h1}
_25._tcp.mx1.good TLSA 1 1 1 {h1}
three MX 20 c.three
three MX 10 a.three
three MX 10 b.three
a.three A 192.0.2.21
b.three A 192.0.2.22
c.three AAAA 2001:db8:2::23
self MX 10 mx1.good
self MX 20 mx.example.net.
self MX 30 a.three
selfaddress MX 10 us
us A 198.51.100.1
null MX 0 .
implicit A 192.0.2.30
_25._tcp.implicit TLSA 3 1 1 {h1}
nothing TXT "no mail here"
absenthost MX 10 absent
loopback MX 10 local
local A 127.0.0.1
unusable MX 10 mx.unusable
mx.unusable A 192.0.2.11
_25._tcp.mx.unusable TLSA 0 0 1 {h1}
_25._tcp.mx.unusable TLSA 3 1 1 {short}
notlsa MX 10 mx.notlsa
mx.notlsa A 192.0.2.12
alias MX 10 mxalias
mxalias CNAME mx1.good
aliasown MX 10 mxaliasown
mxaliasown CNAME mx.notlsa
_25._tcp.mxaliasown TLSA 3 1 1 {h1}
aliasinsecure MX 10 mxaliasinsecure
mxaliasinsecure CNAME mx.insecure
_25._tcp.mxaliasinsecure TLSA 3 1 1 {h1}
toinsecure MX 10 mx.insecure
domalias CNAME good
mxbogus MX 10 mx1.good
addressbogus MX 10 mx.addressbogus
addressbogus MX 20 mx1.good
mx.addressbogus A 192.0.2.13
tlsabogus MX 10 mx.tlsabogus
mx.tlsabogus A 192.0.2.14
_25._tcp.mx.tlsabogus TLSA 3 1 1 {h1}
tlsafail MX 10 mx.tlsafail
mx.tlsafail A 192.0.2.15
_tcp.mx.tlsafail NS ns.servfail
tlsahang MX 10 mx.tlsahang
mx.tlsahang A 192.0.2.16
_tcp.mx.tlsahang NS ns.hang
insecure NS ns
bogus NS ns
bogus DS 12345 13 2 {h1}
hang NS ns.hang
ns.hang A {odd}
servfail NS ns.servfail
ns.servfail A {odd}
liar NS ns.liar
ns.liar A {odd}
huge NS ns.huge
ns.huge A {odd}
ns A {server}
"""

# Zone "insecure.lab.": not signed, and its parent says so. TTLs of a second, so that changes are seen.
INSECURE_ZONE = """
plain MX 10 mx
mx A 192.0.2.40
_25._tcp.mx TLSA 3 1 1 {h1}
"""
STS_NAMES = ("enforce", "foreign", "testing", "none", "redirect", "media", "long", "garbage", "notfound",
             "wrongname", "slow", "refresh", "twotxt")

BOGUS_ZONE = """
@ MX 10 mx
mx A 192.0.2.50
"""


def run(*argv, **more):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **more)


class OddServer(threading.Thread):
    """DNS that hangs, fails, lies about ids or floods, by the name that it is asked for."""

    def __init__(self, namespace):
        super().__init__(daemon=True)

        def make():
            u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            u.bind((ODD, 53))
            return u
        self.udp = in_namespace(namespace, make)
        self.asked = 0

    @staticmethod
    def name(packet):
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii", "replace").lower())
            at += 1 + packet[at]
        return labels, packet[12:at + 5]

    def run(self):
        while True:
            try:
                packet, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            self.asked += 1
            try:
                labels, question = self.name(packet)
            except IndexError:
                continue
            ident = packet[:2]
            if "servfail" in labels or "tlsafail" in labels:
                self.udp.sendto(ident + struct.pack(">5H", 0x8402, 1, 0, 0, 0) + question, peer)
            elif "liar" in labels:
                # A forged answer: every id but the right one.
                answer = struct.pack(">5H", 0x8400, 1, 1, 0, 0) + question + \
                    b"\xc0\x0c" + struct.pack(">2HIH", 1, 1, 300, 4) + b"\xc0\x00\x02\x66"
                for k in range(1, 20):
                    wrong = struct.pack(">H", (struct.unpack(">H", ident)[0] + k) & 0xffff)
                    self.udp.sendto(wrong + answer, peer)
            elif "huge" in labels:
                self.udp.sendto(ident + struct.pack(">5H", 0x8400, 1, 3000, 0, 0) + question +
                                b"\xff" * 60000, peer)
            # "hang": silence

    def close(self):
        self.udp.close()


class Web:
    """HTTPS on WEB:443. `answers`: host -> (status, headers, body) or a number of seconds to be silent."""

    def __init__(self, namespace, chain, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.answers, self.asked = {}, []

        def make():
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((WEB, 443))
            s.listen(64)
            return s
        self.listener = in_namespace(namespace, make)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            s.settimeout(20)
            with self.context.wrap_socket(s, server_side=True) as t:
                data = b""
                while b"\r\n\r\n" not in data:
                    more = t.recv(4096)
                    if not more:
                        return
                    data += more
                lines = data.decode("ascii", "replace").split("\r\n")
                host = next((x[5:].strip() for x in lines if x.lower().startswith("host:")), "").split(":")[0]
                self.asked.append((host, lines[0].split(" ")[1]))
                answer = self.answers.get(host, (404, {}, b"no"))
                if isinstance(answer, (int, float)):
                    time.sleep(answer)
                    return
                status, headers, body = answer
                head = f"HTTP/1.1 {status} X\r\nConnection: close\r\n"
                for k, v in headers.items():
                    head += f"{k}: {v}\r\n"
                t.sendall(head.encode() + b"\r\n" + body)
        except OSError:
            pass

    def count(self, host):
        return sum(h == host for h, _ in self.asked)

    def close(self):
        # close() alone would leave accept() waiting.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


def policy(mode, *mx, max_age=86400):
    return (200, {"Content-Type": "text/plain; charset=utf-8"},
            ("version: STSv1\r\nmode: " + mode + "\r\n" + "".join(f"mx: {m}\r\n" for m in mx) +
             f"max_age: {max_age}\r\n").encode())


class DnsLab:
    def __init__(self, extra_lab="", extra_insecure=""):
        for tool in ("nsd", "ldns-signzone", "ldns-keygen", "ldns-key2ds"):
            if shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
                raise FileNotFoundError(tool)
        self.dir = tempfile.mkdtemp(prefix="postgate-dns-")
        self.ns = f"pg-dns-{os.getpid()}"
        self.nsd = self.odd = self.web = None
        self.extra_lab, self.extra_insecure = extra_lab, extra_insecure
        self.sts_ids = {n: "1" for n in STS_NAMES}

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_):
        self.down()

    def up(self):
        run("ip", "netns", "add", self.ns)
        run("ip", "-n", self.ns, "link", "set", "lo", "up")
        for a in (SERVER, ODD, WEB):
            run("ip", "-n", self.ns, "addr", "add", a + "/32", "dev", "lo")
        self.make_zones()
        self.start_nsd()
        self.odd = OddServer(self.ns)
        self.odd.start()
        self.make_certificate()
        self.web = Web(self.ns, self.dir + "/web.pem", self.dir + "/web.key")

    def down(self):
        self.stop_nsd()
        for x in (self.odd, self.web):
            if x is not None:
                x.close()
        subprocess.run(["ip", "netns", "del", self.ns], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- zones
    def write_zone(self, name, ttl, lines):
        text = f"$ORIGIN {name}\n$TTL {ttl}\n" if name != "." else f"$ORIGIN .\n$TTL {ttl}\n"
        soa = f"@ IN SOA ns.lab. root.lab. 1 3600 600 86400 {ttl}\n"
        path = f"{self.dir}/{name.strip('.') or 'root'}.zone"
        with open(path, "w", encoding="ascii") as f:
            f.write(text + soa + lines + "\n")
        return path

    def sign(self, name, path):
        """The DS record that its parent shall have."""
        key = run("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", name, cwd=self.dir).stdout.strip()
        run("ldns-signzone", "-o", name, "-f", path + ".signed", path, key, cwd=self.dir)
        return run("ldns-key2ds", "-n", "-2", key + ".key", cwd=self.dir).stdout.strip()

    def damage(self, path, owner, kind, old, new):
        with open(path, encoding="ascii") as f:
            lines = f.readlines()
        hit = 0
        for i, line in enumerate(lines):
            w = line.split()
            if len(w) > 4 and w[0] == owner and w[3] == kind:
                lines[i] = line.replace(old, new)
                hit += lines[i] != line
        assert hit, f"nothing to damage at {owner} {kind}"
        with open(path, "w", encoding="ascii") as f:
            f.writelines(lines)

    def make_insecure(self):
        h = dict(h1="11" * 32)
        lines = INSECURE_ZONE.format(**h) + self.extra_insecure
        for n in STS_NAMES:
            lines += f'{n} MX 10 mx.{n}\nmx.{n} A 192.0.2.60\n_mta-sts.{n} TXT "v=STSv1; id={self.sts_ids[n]};"\n'
            lines += f"mta-sts.{n} A {WEB}\n"
        lines += '_mta-sts.twotxt TXT "v=STSv1; id=2;"\n'
        return self.write_zone("insecure.lab.", 1, "@ NS ns.lab.\n" + lines)

    def make_zones(self):
        h = dict(h1="11" * 32, h2="22" * 64, short="33" * 20, odd=ODD, server=SERVER)
        lab = self.write_zone("lab.", SIGNED_TTL, "@ NS ns\n" + LAB_ZONE.format(**h) + self.extra_lab)
        ds = self.sign("lab.", lab)
        signed = lab + ".signed"
        self.damage(signed, "mxbogus.lab.", "MX", "mx1.good", "mx2.good")
        self.damage(signed, "mx.addressbogus.lab.", "A", "192.0.2.13", "192.0.2.66")
        self.damage(signed, "_25._tcp.mx.tlsabogus.lab.", "TLSA", "11" * 32, "44" * 32)
        self.make_insecure()
        bogus = self.write_zone("bogus.lab.", SIGNED_TTL, "@ NS ns.lab.\n" + BOGUS_ZONE)
        self.sign("bogus.lab.", bogus)
        root = self.write_zone(".", SIGNED_TTL, f"@ NS a.root.\na.root. A {SERVER}\nlab. NS ns.lab.\n"
                               f"ns.lab. A {SERVER}\n{ds}\n")
        anchor = self.sign(".", root)
        with open(self.dir + "/anchor", "w", encoding="ascii") as f:
            f.write(anchor + "\n")
        with open(self.dir + "/hints", "w", encoding="ascii") as f:
            f.write(f". 3600 NS a.root.\na.root. 3600 A {SERVER}\n")
        conf = f"""server:
    ip-address: {SERVER}
    zonesdir: "{self.dir}"
    username: ""
    database: ""
    pidfile: "{self.dir}/nsd.pid"
    xfrdfile: ""
    zonelistfile: "{self.dir}/zone.list"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
"""
        for name, file in ((".", "root.zone.signed"), ("lab", "lab.zone.signed"),
                           ("insecure.lab", "insecure.lab.zone"), ("bogus.lab", "bogus.lab.zone.signed")):
            conf += f'zone:\n    name: "{name}"\n    zonefile: "{file}"\n'
        with open(self.dir + "/nsd.conf", "w", encoding="ascii") as f:
            f.write(conf)

    # --- servers
    def start_nsd(self):
        log = open(self.dir + "/nsd.log", "ab")
        self.nsd = subprocess.Popen(["ip", "netns", "exec", self.ns, "/usr/sbin/nsd", "-d", "-c",
                                     self.dir + "/nsd.conf"], stdout=log, stderr=log)
        log.close()
        probe = struct.pack(">6H", 7, 0, 1, 0, 0, 0) + b"\x03lab\x00" + struct.pack(">2H", 6, 1)
        s = in_namespace(self.ns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        s.settimeout(0.2)
        end = time.monotonic() + 10
        while True:
            try:
                s.sendto(probe, (SERVER, 53))
                if s.recv(4096)[3] & 15 == 0:
                    break
            except OSError:
                pass
            if time.monotonic() > end or self.nsd.poll() is not None:
                with open(self.dir + "/nsd.log", encoding="utf-8", errors="replace") as f:
                    raise RuntimeError("nsd does not answer: " + f.read()[-2000:])
            time.sleep(0.05)
        s.close()

    def stop_nsd(self):
        if self.nsd is not None:
            self.nsd.terminate()
            try:
                self.nsd.wait(5)
            except subprocess.TimeoutExpired:
                self.nsd.kill()
                self.nsd.wait()
            self.nsd = None

    def set_sts_id(self, name, ident):
        """Publishes another id for that name of insecure.lab."""
        self.sts_ids[name] = ident
        self.make_insecure()
        self.stop_nsd()
        self.start_nsd()

    def make_certificate(self):
        d = self.dir
        names = ",".join(f"DNS:mta-sts.{n}.insecure.lab" for n in STS_NAMES if n != "wrongname")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        run("openssl", "req", "-x509", *curve, "-keyout", d + "/ca.key", "-out", d + "/ca.pem", "-subj", "/CN=sts ca",
            "-days", "2")
        run("openssl", "req", *curve, "-keyout", d + "/web.key", "-out", d + "/web.csr", "-subj", "/CN=web")
        with open(d + "/web.ext", "w", encoding="ascii") as f:
            f.write("subjectAltName=" + names + "\n")
        run("openssl", "x509", "-req", "-in", d + "/web.csr", "-CA", d + "/ca.pem", "-CAkey", d + "/ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", d + "/web.ext", "-out", d + "/web.pem")

    def resolver_config(self, **more):
        """The `resolver` section for postgated inside the namespace."""
        return dict({"root-hints": self.dir + "/hints", "trust-anchor": self.dir + "/anchor",
                     "mta-sts-ca": self.dir + "/ca.pem", "min-ttl": "0s", "failure-ttl": "1s"}, **more)


def leftovers():
    """Namespaces of runs that died."""
    return [os.path.basename(p) for p in glob.glob("/run/netns/pg-dns-*")]
