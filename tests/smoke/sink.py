#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A mail server that does what it is told, at every command: the next hop of the tests.

In a test: Sink(...).start(), and sink.rules["rcpt"] = [Act(reply="451 4.3.0 later", times=1)].
As a process of its own, to be killed or frozen: sink.py --listen 192.0.2.2:25 --log FILE [...]; each message is one
JSON line in FILE, written before the reply to it.
"""
import argparse
import dataclasses
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import message  # noqa: E402
import netns  # noqa: E402

EXTENSIONS = ["PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING"]


@dataclasses.dataclass
class Act:
    """What to do at a command in place of the ordinary; `times` of them, -1 for always."""
    reply: str = None       # this in place of our reply (lines joined by \r\n)
    close: bool = False     # FIN, after the reply if there is one
    reset: bool = False     # RST
    hang: bool = False      # say nothing more until the sink is stopped
    delay: float = 0        # seconds before the reply
    inject: bytes = b""     # in the clear, right behind our reply, in the same segment
    times: int = -1


class Gone(Exception):
    pass


class Session:
    def __init__(self, sink, sock, peer):
        self.sink, self.sock, self.peer = sink, sock, peer
        self.buffer = bytearray()
        self.tls = None
        self.sender, self.rcpts, self.body = None, [], bytearray()
        self.commands = []

    # --- bytes
    def fill(self, limit=262144):
        try:
            data = self.sock.recv(limit)
        except (OSError, ssl.SSLError) as e:
            raise Gone(str(e)) from None
        if not data:
            raise Gone("end of stream")
        self.sink.count("octets", len(data))
        self.buffer += data

    def line(self):
        while True:
            at = self.buffer.find(b"\n")
            if at >= 0:
                line = bytes(self.buffer[:at + 1])
                del self.buffer[:at + 1]
                if not line.endswith(b"\r\n"):
                    self.sink.complaints.append(f"bare LF in a command: {line!r}")
                return line.rstrip(b"\r\n")
            if len(self.buffer) > 65536:
                self.sink.complaints.append("a command line without end")
                raise Gone("long line")
            self.fill()

    def send(self, text, inject=b""):
        try:
            self.sock.sendall(text.encode() + b"\r\n" + inject)
        except (OSError, ssl.SSLError) as e:
            raise Gone(str(e)) from None

    # --- rules
    def act(self, command, reply):
        """Replies, or does what the rule for the command says. True if the ordinary thing was done."""
        a = self.sink.rule(command)
        if a is None:
            if reply is not None:
                self.send(reply)
            return True
        if a.delay:
            self.sink.stopping.wait(a.delay)
        if a.hang:
            self.sink.stopping.wait(3600)
            raise Gone("hung")
        if a.reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Gone("reset by rule")
        if a.reply is not None or not a.close:
            if a.reply is not None or reply is not None:
                self.send(a.reply if a.reply is not None else reply, a.inject)
        if a.close:
            raise Gone("closed by rule")
        return a.reply is None or (reply is not None and a.reply[:1] == reply[:1])

    def run(self):
        s = self.sink
        if not self.act("banner", f"220 {s.hostname} ESMTP sink"):
            # 4xx or 5xx at the banner: all that is left is QUIT
            pass
        while True:
            line = self.line()
            word, _, rest = line.partition(b" ")
            verb = word.decode("latin-1").upper()
            self.commands.append(line.decode("latin-1"))
            s.count(verb)
            if verb in ("EHLO", "HELO"):
                ext = list(s.extensions) if verb == "EHLO" else []
                if ext is not None and s.tls and not self.tls and verb == "EHLO" and s.offer_starttls:
                    ext.append("STARTTLS")
                lines = [s.hostname] + ext
                self.act("ehlo", "\r\n".join(
                    "250" + ("-" if i < len(lines) - 1 else " ") + x for i, x in enumerate(lines)))
            elif verb == "STARTTLS":
                if not s.tls or self.tls:
                    self.send("503 5.5.1 no")
                    continue
                if self.act("starttls", "220 2.0.0 go on"):
                    if self.buffer:
                        s.complaints.append(f"octets behind STARTTLS: {bytes(self.buffer)!r}")
                    try:
                        self.sock = s.tls.wrap_socket(self.sock, server_side=True)
                    except (OSError, ssl.SSLError) as e:
                        s.count("tls-failed")
                        s.tls_errors.append(str(e))
                        raise Gone(f"handshake: {e}") from None
                    self.tls = (self.sock.version(), self.sock.cipher()[0])
                    s.count("tls")
            elif verb == "MAIL":
                if self.act("mail", "250 2.1.0 sender ok"):
                    self.sender, self.rcpts, self.body = rest.decode("latin-1"), [], bytearray()
            elif verb == "RCPT":
                if self.act("rcpt", "250 2.1.5 recipient ok"):
                    self.rcpts.append(rest.decode("latin-1"))
            elif verb == "DATA":
                if not self.rcpts:
                    self.send("503 5.5.1 no recipient")
                elif self.act("data", "354 go on"):
                    self.data()
            elif verb == "BDAT":
                self.bdat(rest.decode("latin-1"))
            elif verb == "RSET":
                if self.act("rset", "250 2.0.0 ok"):
                    self.sender, self.rcpts, self.body = None, [], bytearray()
            elif verb == "NOOP":
                self.act("noop", "250 2.0.0 ok")
            elif verb == "QUIT":
                self.act("quit", "221 2.0.0 bye")
                return
            else:
                self.send("502 5.5.2 what?")

    def data(self):
        start, began = 0, time.monotonic()
        a = self.sink.rule("body")
        while True:
            at = 0 if self.buffer.startswith(b".\r\n") else self.buffer.find(b"\r\n.\r\n", start)
            if self.buffer.startswith(b".\r\n"):
                raw = b""
                del self.buffer[:3]
                break
            if at >= 0:
                raw = bytes(self.buffer[:at + 2])
                del self.buffer[:at + 5]
                break
            start = max(0, len(self.buffer) - 4)
            if a is not None and len(self.buffer) >= 1000:
                if a.close or a.reset:
                    if a.reset:
                        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    raise Gone("closed by rule")
                if a.hang:
                    self.sink.stopping.wait(3600)
                    raise Gone("hung")
            if self.sink.slow:
                allowed = (time.monotonic() - began) * self.sink.slow
                if len(self.buffer) > allowed:
                    time.sleep(min(0.2, (len(self.buffer) - allowed) / self.sink.slow))
                self.fill(16384)
            else:
                self.fill()
        self.finish("dot", message.unstuff(raw), raw)

    def bdat(self, rest):
        words = rest.split()
        size = int(words[0])
        while len(self.buffer) < size:
            self.fill()
        chunk = bytes(self.buffer[:size])
        del self.buffer[:size]
        if not self.rcpts:
            self.send("503 5.5.1 no recipient")
            return
        self.body += chunk
        if len(words) > 1 and words[1].upper() == "LAST":
            self.finish("bdat-last", bytes(self.body), bytes(self.body))
        else:
            self.act("bdat", f"250 2.0.0 {size} octets")

    def finish(self, command, data, raw):
        """The whole message is here: it counts before its reply, as a real server's queue does."""
        received, original = message.split_first_header(data) if data else (b"", b"")
        a = self.sink.peek(command)
        accepted = a is None or (a.reply or "250").startswith("2")
        record = {
            "id": message.ident(data), "size": len(original), "sha256": message.digest(original),
            "from": self.sender, "to": self.rcpts, "received": received.decode("latin-1"), "tls": self.tls,
            "peer": self.peer, "via": command, "accepted": accepted,
            "bare": b"\n" in raw.replace(b"\r\n", b"") or b"\r" in raw.replace(b"\r\n", b""),
        }
        self.sink.record(record)
        sender = self.sender
        self.sender, self.rcpts, self.body = None, [], bytearray()
        self.act(command, f"250 2.0.0 {record['id']} kept, from {sender.split('>')[0].lstrip('FROM:frm<')}")


class Sink:
    def __init__(self, address="192.0.2.2", port=25, namespace="pg-inside", hostname="mail.example.net",
                 extensions=EXTENSIONS, tls=None, offer_starttls=True, log=None, slow=0, rcvbuf=0):
        self.address, self.port, self.namespace, self.hostname = address, port, namespace, hostname
        self.extensions, self.tls, self.offer_starttls, self.slow = list(extensions), tls, offer_starttls, slow
        self.rcvbuf = rcvbuf
        self.rules = {}
        self.messages, self.complaints, self.tls_errors, self.counts = [], [], [], {}
        self.sessions = {}
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.log = open(log, "a", encoding="utf-8") if log else None
        self.listener = None

    # --- state
    def count(self, name, n=1):
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + n

    def peek(self, command):
        with self.lock:
            for a in self.rules.get(command, []):
                if a.times != 0:
                    return a
        return None

    def rule(self, command):
        with self.lock:
            for a in self.rules.get(command, []):
                if a.times != 0:
                    if a.times > 0:
                        a.times -= 1
                    return a
        return None

    def record(self, record):
        with self.lock:
            self.messages.append(record)
            if self.log:
                self.log.write(json.dumps(record) + "\n")
                self.log.flush()

    def by_id(self, ident):
        with self.lock:
            return [m for m in self.messages if m["id"] == ident]

    # --- life
    def start(self):
        s = netns.make_socket(self.namespace, self.address)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.rcvbuf)
        s.bind((self.address, self.port))
        s.listen(1024)
        self.listener = s
        threading.Thread(target=self.accept, args=(s,), daemon=True).start()
        return self

    def accept(self, listener):
        while not self.stopping.is_set():
            try:
                sock, peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock, peer[0]), daemon=True).start()

    def serve(self, sock, peer):
        self.count("connections")
        session = Session(self, sock, peer)
        with self.lock:
            self.sessions[session] = sock
        try:
            session.run()
        except Gone:
            pass
        except Exception as e:  # a bug of ours must not look like the gateway's
            self.complaints.append(f"sink: {type(e).__name__}: {e}")
        finally:
            with self.lock:
                self.sessions.pop(session, None)
            try:
                session.sock.close()
            except OSError:
                pass

    def refuse(self):
        """Close the door: connections are refused from now on."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None

    def drop(self):
        """Reset every open session."""
        with self.lock:
            open_now = list(self.sessions)
        for s in open_now:
            try:
                s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.sock.shutdown(socket.SHUT_RD)
                s.sock.close()
            except OSError:
                pass

    def stop(self):
        self.stopping.set()
        self.refuse()
        self.drop()
        if self.log:
            self.log.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def server_context(chain, key):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(chain, key)
    return ctx


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--listen", default="192.0.2.2:25", metavar="ADDRESS:PORT")
    p.add_argument("--log", required=True)
    p.add_argument("--chain")
    p.add_argument("--key")
    p.add_argument("--slow", type=int, default=0, help="octets a second of a body")
    p.add_argument("--rules", default="{}", help='as {"rcpt": [{"reply": "451 4.3.0 later", "times": 1}]}')
    a = p.parse_args()
    address, _, port = a.listen.rpartition(":")
    s = Sink(address.strip("[]"), int(port), namespace=None, log=a.log, slow=a.slow,
             tls=server_context(a.chain, a.key) if a.chain else None)
    for command, acts in json.loads(a.rules).items():
        s.rules[command] = [Act(**x) for x in acts]
    s.start()
    print("ready", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
