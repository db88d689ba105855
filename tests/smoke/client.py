# SPDX-License-Identifier: BSD-3-Clause
"""An SMTP client that says exactly what it is told, for the tests."""
import collections
import socket
import ssl
import struct

import message
import netns

Reply = collections.namedtuple("Reply", "code enhanced lines")


class Closed(Exception):
    """The server closed the connection, or it was reset."""


def anybody():
    """A client that takes every certificate, as a sending server that does not verify."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    return ctx


class Client:
    def __init__(self, server="198.51.100.1", port=25, namespace="pg-outside", source=None, timeout=30, sndbuf=0):
        self.server, self.buffer, self.extensions = server, b"", {}
        self.sock = netns.make_socket(namespace, server)
        self.sock.settimeout(timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sndbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        try:
            if source:
                self.sock.bind((source, 0))
            self.sock.connect((server, port))
        except BaseException:
            self.sock.close()
            raise

    # --- octets
    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionError, ssl.SSLError) as e:
            raise Closed(str(e)) from None

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError) as e:
            raise Closed(str(e)) from None
        if not data:
            raise Closed("end of stream")
        self.buffer += data

    def reply(self):
        lines = []
        while True:
            while b"\r\n" not in self.buffer:
                self.fill()
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            line = line.decode("utf-8", "replace")
            lines.append(line[4:])
            if len(line) < 3 or not line[:3].isdigit():
                raise AssertionError(f"not a reply: {line!r}")
            if line[3:4] != "-":
                break
        words = lines[-1].split(" ", 1)
        enhanced = words[0] if words[0].count(".") == 2 and words[0].replace(".", "").isdigit() else None
        return Reply(int(line[:3]), enhanced, lines)

    def command(self, line):
        self.send(line + "\r\n")
        return self.reply()

    # --- SMTP
    def banner(self):
        return self.reply()

    def ehlo(self, name="client.example.org"):
        r = self.command("EHLO " + name)
        self.extensions = {}
        for line in r.lines[1:]:
            word, _, rest = line.partition(" ")
            self.extensions[word.upper()] = rest
        return r

    def starttls(self, ctx=None, name=None, session=None):
        r = self.command("STARTTLS")
        if r.code == 220:
            self.handshake(ctx, name, session)
        return r

    def handshake(self, ctx=None, name=None, session=None):
        if self.buffer:
            raise AssertionError(f"octets in the clear behind 220: {self.buffer!r}")
        try:
            self.sock = (ctx or anybody()).wrap_socket(self.sock, server_hostname=name, session=session)
        except (ConnectionError, ssl.SSLError) as e:
            raise Closed(str(e)) from None

    def greet(self, tls=False):
        """Banner, EHLO, with tls STARTTLS and EHLO again."""
        r = self.banner()
        if r.code != 220:
            return r
        r = self.ehlo()
        if r.code == 250 and tls:
            r = self.starttls()
            if r.code == 220:
                r = self.ehlo()
        return r

    def data(self, body):
        r = self.command("DATA")
        if r.code == 354:
            self.send(message.stuff(body))
            r = self.reply()
        return r

    def bdat(self, body, chunk=65536):
        """In chunks, all sent before the first reply; the reply to the last, or the first that is not 250."""
        parts = [body[i:i + chunk] for i in range(0, len(body), chunk)] or [b""]
        bad = None
        for i, part in enumerate(parts):
            last = " LAST" if i == len(parts) - 1 else ""
            self.send(b"BDAT %d%s\r\n" % (len(part), last.encode()) + part)
            r = self.reply()
            if r.code != 250:
                bad = r
                break
        return bad or r

    def transaction(self, body, sender="alice@example.org", to=("demo@example.net",), bdat=False, params=""):
        """MAIL, RCPT, DATA: the reply that decided, the last one if all went well."""
        r = self.command(f"MAIL FROM:<{sender}>{params}")
        if r.code != 250:
            return r
        for rcpt in to:
            r = self.command(f"RCPT TO:<{rcpt}>")
            if r.code != 250:
                return r
        return self.bdat(body) if bdat else self.data(body)

    def quit(self):
        try:
            r = self.command("QUIT")
            # our end of the TCP conversation is the server's to close
            self.sock.settimeout(5)
            try:
                if self.sock.recv(1):
                    raise AssertionError("octets after the reply to QUIT")
            except (ConnectionError, ssl.SSLError, socket.timeout):
                pass
            return r
        finally:
            self.close()

    def reset(self):
        """RST in place of an orderly end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def send_one(body, tls=False, server="198.51.100.1", source=None, sender="alice@example.org",
             to=("demo@example.net",), bdat=False, params="", timeout=30):
    """One session with one message; the reply that decided."""
    with Client(server, source=source, timeout=timeout) as c:
        r = c.greet(tls)
        if r.code != 250:
            return r
        r = c.transaction(body, sender, to, bdat, params)
        try:
            c.quit()
        except (Closed, OSError):
            pass
        return r
