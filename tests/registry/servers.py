#!/usr/bin/env python3
"""Servers that the tests need beside a real registry. Each says "listening on 127.0.0.1:PORT" once it does.

  servers.py token --cert C --key K --user U --password P [--expires S]   hands out tokens that docker-registry believes (for 60 s more), and says 300
  servers.py proxy --upstream HOST:PORT --faults FILE [--foreign HOST:PORT]  passes requests on, with faults
  servers.py static --files DIR                                           manifests of schema 1 as they lie there
  servers.py foreign [--upstream HOST:PORT]                               another host; logs what is sent to it

The file of faults has one fault a line, FAULT TIMES PART: the next TIMES requests whose path has PART in it get it;
METHOD:PART means those of one method.
Everything is logged to standard output, a request a line, with its credentials.
"""
import argparse
import base64
import http.client
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse

lock = threading.Lock()


def log(line):
    with lock:
        print(line, flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self):
        log(f"{self.command} {self.path} authorization={self.headers.get('Authorization', '-')}")

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


# --- tokens ---------------------------------------------------------------------------------------------------------

def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_token(options, scopes):
    access = []
    for scope in scopes:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        access.append({"type": kind, "name": name, "actions": actions.split(",")})
    der = subprocess.run(["openssl", "x509", "-in", options.cert, "-outform", "DER"], capture_output=True, check=True)
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der.stdout).decode()]}
    claims = {"iss": "tests", "sub": options.user, "aud": "registry", "iat": now, "nbf": now - 60,
              "exp": now + options.expires, "jti": str(time.time_ns()), "access": access}
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", options.key], input=text.encode(),
                            capture_output=True, check=True)
    return text + "." + base64url(signed.stdout)


class TokenHandler(Handler):
    def give(self, scopes, allowed):
        if not allowed:
            self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}')
            return
        token = make_token(self.server.options, [scope for text in scopes for scope in text.split()])
        text = json.dumps({"token": token, "expires_in": 300}).encode()
        self.answer(200, text, Content_Type="application/json")

    def do_GET(self):
        self.note()
        options = self.server.options
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        right = "Basic " + base64.b64encode(f"{options.user}:{options.password}".encode()).decode()
        self.give(query.get("scope", []), self.headers.get("Authorization") == right)

    def do_POST(self):
        self.note()
        form = urllib.parse.parse_qs(self.body().decode())
        self.give(form.get("scope", []), form.get("refresh_token") == ["refresh-" + self.server.options.password])


# --- faults ---------------------------------------------------------------------------------------------------------

class ProxyHandler(Handler):
    def take_fault(self):
        with lock:
            with open(self.server.options.faults, encoding="utf-8") as file:
                faults = [line.split() for line in file if line.strip()]
            for fault in faults:
                method, _, part = fault[2].rpartition(":")
                if int(fault[1]) > 0 and part in self.path and method in ("", self.command):
                    fault[1] = str(int(fault[1]) - 1)
                    with open(self.server.options.faults, "w", encoding="utf-8") as file:
                        file.writelines(" ".join(line) + "\n" for line in faults)
                    return fault[0]
        return None

    def pass_on(self):
        """Logged is how many blobs are under way at once: GET, or PUT."""
        blob = {"GET": "/blobs/sha256:", "PUT": "/blobs/uploads/"}.get(self.command)
        kind = self.command if blob and blob in self.path else None
        with lock:
            self.server.busy[kind] = self.server.busy.get(kind, 0) + 1
            together = self.server.busy[kind]
        if kind:
            log(f"together {together} {kind}")
        try:
            self.pass_one_on()
        finally:
            with lock:
                self.server.busy[kind] -= 1

    def pass_one_on(self):
        self.note()
        body = self.body()
        fault = self.take_fault()
        if fault:
            log(f"fault {fault} {self.path}")
        self.sent = body
        early = getattr(self, "before_" + fault.replace("-", "_"), None) if fault else None
        if not early and self.command == "GET" and self.upload() in self.server.uploads:
            early = self.tell_upload
        if early and not early():
            return
        status, headers, content, length = self.ask_upstream(body)
        late = getattr(self, "after_" + fault.replace("-", "_"), None) if fault else None
        if late:
            self.close_connection = True
            late(status, headers, content)
        else:
            self.reply(status, headers, content, length)

    def ask_upstream(self, body):
        """Status, headers, content and length of the registry's answer; logged are the bytes."""
        upstream = http.client.HTTPConnection(self.server.options.upstream, timeout=60)
        upstream.request(self.command, self.path, body=body, headers={
            name: value for name, value in self.headers.items() if name not in ("Connection", "Content-Length")})
        answer = upstream.getresponse()
        try:
            content = answer.read()
        except http.client.IncompleteRead as short:  # docker-registry announces more than it sends with a 416
            content = short.partial
        headers = [(name, value) for name, value in answer.getheaders()
                   if name not in ("Connection", "Transfer-Encoding", "Content-Length", "Date")]
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
        upstream.close()
        return answer.status, headers, content, length

    # uploads that broke: docker-registry cannot say how much it has of one, other registries can
    def upload(self):
        return urllib.parse.urlsplit(self.path).path

    def tell_upload(self):
        location, there = self.server.uploads[self.upload()]
        self.answer(204, b"", Location=location, Range=there)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = pass_on

    def reply(self, status, headers, content, length):
        log(f"answers {self.command} {self.path}")
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
            log(f"gave {len(content)} of {self.path}")
        self.wfile.flush()

    # instead of asking the registry
    def before_429(self):
        self.answer(429, b"too fast", Retry_After="1")

    def before_500(self):
        self.answer(500, b"oops")

    def before_503(self):
        self.answer(503, b"")

    def before_later(self):
        time.sleep(3)
        return True

    def before_meet(self):
        """Nobody gets an answer before three of them wait for one."""
        try:
            self.server.meeting.wait(timeout=30)
        except threading.BrokenBarrierError:
            self.answer(404, b"alone")
            return False
        return True

    def before_circle(self):
        self.answer(307, b"", Location=self.path)

    def before_foreign(self):
        self.answer(307, b"", Location=f"http://{self.server.options.foreign}{self.path}")

    def take_half(self):
        _, headers, _, _ = self.ask_upstream(self.sent[:len(self.sent) // 2])
        self.close_connection = True
        return dict(headers)

    def before_half(self):
        headers = self.take_half()
        self.server.uploads[self.upload()] = (headers["Location"], headers["Range"])

    def before_lost(self):
        self.take_half()

    def before_413(self):
        self.answer(413, b"")

    def before_denied(self):
        self.answer(403, b'{"errors":[{"code":"DENIED","message":"read only"}]}')

    def before_login(self):
        self.answer(307, b"", Location=f"http://{self.server.options.foreign}/login")

    def before_elsewhere(self):
        self.answer(202, b"", Location=f"http://{self.server.options.foreign}/upload")

    def before_pages(self):
        """A page of tags, as many as there are pages, and a link to the next."""
        at = int(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("last", ["0"])[0])
        link = {"Link": f'</v2/app/tags/list?last={at + 1}>; rel="next"'} if at < 2 else {}
        self.answer(200, json.dumps({"name": "app", "tags": [f"t{at}", f"u{at}"]}).encode(), **link)

    def before_endless_pages(self):
        self.answer(200, b'{"name": "app", "tags": []}', Link=f'<{self.path}>; rel="next"')

    def before_hang(self):
        self.close_connection = True
        self.rfile.read(1)  # until the client has had enough

    def before_drop(self):
        self.close_connection = True

    def endless(self, first, more):
        self.close_connection = True
        try:
            self.wfile.write(first)
            while True:
                self.wfile.write(more)
        except OSError:
            pass

    def before_headers(self):
        self.endless(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n")

    def before_body(self):
        self.endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                     b"Content-Type: application/vnd.oci.image.manifest.v1+json\r\n\r\n",
                     b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    # with what it said
    def after_held(self, status, headers, content):
        """Half of it, and the rest once the file of faults is empty."""
        self.reply(status, headers, content[:len(content) // 2], len(content))
        while os.path.getsize(self.server.options.faults):
            time.sleep(0.05)
        self.wfile.write(content[len(content) // 2:])

    def after_most(self, status, headers, content):
        """Nine tenths, and then silence."""
        self.reply(status, headers, content[:len(content) * 9 // 10], len(content))
        self.rfile.read(1)

    def after_silent(self, status, headers, content):
        """The registry has done it, and nobody hears of it."""

    def after_liar(self, status, headers, content):
        self.reply(status, [(name, "sha256:" + "0" * 64 if name == "Docker-Content-Digest" else value)
                            for name, value in headers], content, len(content))

    def after_cut(self, status, headers, content):
        self.reply(status, headers, content[:len(content) // 2], len(content))

    def after_stall(self, status, headers, content):
        self.reply(status, headers, content[:len(content) // 2], len(content))
        self.rfile.read(1)  # until the client has had enough

    def after_delay(self, status, headers, content):
        time.sleep(0.5)
        self.reply(status, headers, content, len(content))

    def after_trickle(self, status, headers, content):
        step = len(content) // 12 + 1
        self.reply(status, headers, content[:step], len(content))
        for at in range(step, len(content), step):
            time.sleep(0.5)
            self.wfile.write(content[at:at + step])
            self.wfile.flush()

    def after_corrupt(self, status, headers, content):
        middle = len(content) // 2
        content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:] if content else content
        self.reply(status, headers, content, len(content))

    def after_short(self, status, headers, content):
        self.reply(status, headers, content, max(0, len(content) - 7))

    def after_long(self, status, headers, content):
        self.reply(status, headers, content, len(content) + 7)

    def after_chunked(self, status, headers, content):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write((b"%x\r\n%s\r\n" % (len(content), content) if content else b"") + b"0\r\n\r\n")

    def after_chunk(self, status, headers, content):
        half = content[:len(content) // 2]
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n" % len(content) + half)
        self.wfile.flush()


# --- another host ---------------------------------------------------------------------------------------------------

class ForeignHandler(Handler):
    def ask_for_login(self):
        challenge = f'Bearer realm="http://{self.headers["Host"]}/token",service="foreign"'
        self.answer(401, b"", WWW_Authenticate=challenge)

    def do_GET(self):
        self.note()
        if self.path == "/login":
            self.ask_for_login()
            return
        if not self.server.options.upstream:
            self.answer(404, b"nothing here")
            return
        upstream = http.client.HTTPConnection(self.server.options.upstream, timeout=60)
        wanted = {"Range": self.headers["Range"]} if "Range" in self.headers else {}
        upstream.request("GET", self.path, headers=wanted)
        answer = upstream.getresponse()
        content = answer.read()
        extra = {"Content_Range": answer.getheader("Content-Range")} if answer.getheader("Content-Range") else {}
        self.answer(answer.status, content, **extra)

    def do_PUT(self):
        self.note()
        self.body()
        if self.path == "/login":
            self.ask_for_login()
        else:
            self.answer(404, b"nothing here")

    do_HEAD = do_GET
    do_POST = do_PATCH = do_PUT


class StaticHandler(Handler):
    def do_GET(self):
        self.note()
        try:
            with open(self.server.options.files + self.path, "rb") as f:
                self.answer(200, f.read(), Content_Type="application/vnd.docker.distribution.manifest.v1+prettyjws")
        except OSError:
            self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["token", "proxy", "foreign", "static"])
    for name in ("cert", "key", "user", "password", "upstream", "faults", "foreign", "files"):
        parser.add_argument("--" + name)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--expires", type=int, default=300)
    options = parser.parse_args()
    handler = {"token": TokenHandler, "proxy": ProxyHandler, "foreign": ForeignHandler,
               "static": StaticHandler}[options.kind]
    server = http.server.ThreadingHTTPServer((options.address, 0), handler)
    server.daemon_threads = True
    server.options = options
    server.uploads = {}
    server.busy = {}
    server.meeting = threading.Barrier(3)
    log(f"listening on {options.address}:{server.server_address[1]}")
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
