"""A small internet on the loopback interface, for the tests of the downloads.

``Internet`` is an HTTP proxy that answers every address itself. A client that is told to use it
(``HTTPS_PROXY``, and the certificate in ``REQUESTS_CA_BUNDLE`` and ``SSL_CERT_FILE``) asks for the
real address, opens a real TLS connection, and runs its own code from first to last; nothing leaves
the machine.
"""

import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


def make_certificate(folder, hosts):
    """Self-signed certificate and key for ``hosts``, made anew for each run of the tests."""
    path = folder / "loopback.pem"
    names = ",".join(f"DNS:{host}" for host in hosts)
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=loopback"
    subprocess.run(
        [
            *command.split(),
            "-addext",
            f"subjectAltName={names}",
            "-keyout",
            path,
            "-out",
            folder / "certificate.pem",
        ],
        check=True,
        capture_output=True,
    )
    with open(path, "a", encoding="utf-8") as file:
        file.write((folder / "certificate.pem").read_text(encoding="utf-8"))
    return path


class Fault:
    """What goes wrong with the answers to the paths that match ``where``, the first ``times``
    times.
    """

    def __init__(self, kind, where, times=10**6, body=b"", retry_after=None):
        self.kind, self.where, self.left = kind, re.compile(where), times
        self.body, self.retry_after = body, retry_after
        self.started, self.release = threading.Event(), threading.Event()  # of the fault "held"


class Internet(ThreadingHTTPServer):
    """``pages`` maps (host, regular expression of the path) to bytes, or to a function of the path.

    The function gives bytes, or (bytes, status).
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder, hosts):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.certificate = make_certificate(folder, hosts)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate)
        self.pages, self.fault, self.log = {}, None, []
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    @property
    def settings(self):
        """Environment variables that lead a client here."""
        names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
        certificate = str(self.certificate)
        return dict.fromkeys(names, self.url) | {
            "NO_PROXY": "",
            "no_proxy": "",
            "REQUESTS_CA_BUNDLE": certificate,
            "CURL_CA_BUNDLE": certificate,
            "SSL_CERT_FILE": certificate,
        }

    @contextmanager
    def broken(self, *arguments, **options):
        """Serve with one Fault, see there."""
        self.fault = Fault(*arguments, **options)
        try:
            yield self.fault
        finally:
            self.fault.release.set()
            self.fault = None

    def handle_error(self, request, client_address):
        """A client that goes away is no error here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host = None

    def do_CONNECT(self):
        """Play the server at the other end of the tunnel, certificate included."""
        self.host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        self.connection = self.request = self.server.context.wrap_socket(
            self.connection, server_side=True
        )
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self):
        host, path = self.host, self.path
        if host is None:  # a plain HTTP request to a proxy names the whole address
            parts = urlsplit(path)
            host, path = parts.hostname, path.partition(parts.netloc)[2]
        self.server.log.append((time.monotonic(), host, path, dict(self.headers)))
        page = next(
            (
                page
                for (name, pattern), page in self.server.pages.items()
                if name == host and re.match(pattern, path)
            ),
            None,
        )
        page = page(path) if callable(page) else page
        body, status = page if isinstance(page, tuple) else (page, 200)
        fault = self.server.fault
        if fault and fault.left > 0 and fault.where.search(host + path):
            fault.left -= 1
            return self.misbehave(fault, body or b"")
        if body is None:
            return self.answer(b"no such page", 404)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not wanted:
            return self.answer(body, status)
        start = int(wanted[1])
        if start >= len(body):
            return self.answer(b"", 416)
        return self.answer(
            body[start:], 206, {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        )

    def answer(self, body, status=200, headers=(), length=None):
        self.send_response(status)
        kind = (
            "text/html"
            if body.lstrip()[:1] == b"<" and body.lstrip()[:5].lower() in (b"<html", b"<!doc")
            else None
        )
        for name, value in {
            "Content-Type": kind or "application/octet-stream",
            **dict(headers),
        }.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def misbehave(self, fault, body):
        half = body[: len(body) // 2]
        if fault.kind.isdigit():
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return self.answer(
                b"<html><body>a page about the error</body></html>", int(fault.kind), headers
            )
        if fault.kind == "instead":  # another body, whole and with status 200
            return self.answer(fault.body)
        self.close_connection = True
        self.answer(half, length=len(body))
        if fault.kind == "reset":
            time.sleep(0.05)  # until the half has arrived
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif fault.kind == "cut":  # closed too early, but politely
            pass
        elif fault.kind == "stall":
            fault.release.wait(20)
        elif fault.kind == "held":
            fault.started.set()
            fault.release.wait(20)
            self.wfile.write(body[len(half) :])
        elif fault.kind == "ctrl-c":
            os.kill(os.getpid(), signal.SIGINT)
            fault.release.wait(20)
        elif fault.kind == "ctrl-c, flowing":
            os.kill(os.getpid(), signal.SIGINT)
            for start in range(len(half), len(body), len(half) // 20):
                time.sleep(0.03)
                self.wfile.write(body[start : start + len(half) // 20])

    def log_message(self, *arguments):
        """Silence."""
