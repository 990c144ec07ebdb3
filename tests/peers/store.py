"""An S3 server over a local folder, for tests: it remembers what it is asked, and kills its client at a write.

Each client gets a `Door` of its own, a port of the same store, so that what one gateway asks is told apart from what another does, and a
gateway can be killed when it writes for the n-th time: before anything of that is stored, or after all of it is and before it is answered. The
first part of a key's path is the bucket, and a folder. A write with `If-None-Match` stores all or nothing, as S3's does.
"""

import email.utils
import hashlib
import os
import signal
import tempfile
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEYS_MAX = 1000
# How long a client waits at a write for the other that it is to meet.
MEETING_SECONDS_MAX = 10


class Store:
    """The folder, and one lock for all who change it."""

    def __init__(self, folder: Path):
        self.folder, self.lock = folder, threading.Lock()

    def path(self, key: str) -> Path:
        assert ".." not in key.split("/"), key
        return self.folder / key

    def tag(self, path: Path) -> str:
        stat = path.stat()
        return '"' + hashlib.md5(f"{stat.st_mtime_ns} {stat.st_size} {stat.st_ino}".encode()).hexdigest() + '"'

    def put(self, key: str, body: bytes, none_match: bool, match: str | None) -> tuple[int, str]:
        """The status, and the tag of what is there."""
        with self.lock:
            path = self.path(key)
            if none_match and path.exists():
                return 412, ""
            if match is not None and not (path.exists() and self.tag(path) == match):
                return 412, ""
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder)
            with os.fdopen(handle, "wb") as file:
                file.write(body)
            os.chmod(name, 0o644)
            os.replace(name, path)
            return 200, self.tag(path)

    def delete(self, key: str) -> None:
        with self.lock:
            self.path(key).unlink(missing_ok=True)

    def list(self, bucket: str, prefix: str, after: str, delimiter: str) -> tuple[list, list[str], bool]:
        """Keys with their files, prefixes, and whether there are more of them."""
        root = self.folder / bucket
        base = prefix.rpartition("/")[0]
        found: list[tuple[str, Path | None]] = []
        for at, folders, files in os.walk(root / base):
            own = os.path.relpath(at, root)
            own = "" if own == "." else own + "/"
            found += [(own + name, Path(at, name)) for name in files]
            if delimiter:
                found += [(f"{own}{name}/", None) for name in folders]
                break
        found = sorted((key, path) for key, path in found if key.startswith(prefix) and key > after and key != prefix)
        page = found[:KEYS_MAX]
        return [it for it in page if it[1]], [key for key, path in page if path is None], len(found) > len(page)


@dataclass
class Fault:
    """At which of its writes a client is killed, and at which it waits for another's."""

    at: int = 0
    is_after: bool = False
    meets_at: int = 0
    meeting: threading.Barrier | None = None
    n_writes: int = 0
    is_reached: bool = False


@dataclass
class Door:
    """A port of the store, for one client."""

    store: Store
    # Writes to keys that hold this are counted.
    watched: str = "/materialized/"
    fault: Fault = field(default_factory=Fault)
    requests: list[tuple[str, str]] = field(default_factory=list)
    pid: int = 0

    def __post_init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"door": self}))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def environment(self) -> dict[str, str]:
        """What a client must have in its environment."""
        port = self.server.server_address[1]
        return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true", "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}

    def taken(self) -> list[tuple[str, str]]:
        """What was asked since this was asked last."""
        taken, self.requests = self.requests, []
        return taken

    def write(self, key: str, do) -> tuple | list | None:
        """Does it, unless the client is killed first; `None` if it gets no answer."""
        fault = self.fault
        if self.watched not in key:
            return do()
        with self.store.lock:
            fault.n_writes += 1
            number = fault.n_writes
        if fault.meeting and fault.meets_at == number:
            try:
                fault.meeting.wait(MEETING_SECONDS_MAX)
            except threading.BrokenBarrierError:
                pass
        if fault.at == number and not fault.is_after:
            return self.kill()
        if fault.is_reached:
            # What a client that is dead has still sent is not to be seen: it ends at its point.
            return None
        done = do()
        return self.kill() if fault.at == number else done

    def kill(self) -> None:
        self.fault.is_reached = True
        os.kill(self.pid, signal.SIGKILL)
        self.leave()

    def leave(self) -> None:
        """Nobody waits for this client any more."""
        if self.fault.meeting:
            self.fault.meeting.abort()


class Handler(BaseHTTPRequestHandler):
    """What a client of S3 asks for that reads, lists, adds and deletes whole objects."""

    protocol_version = "HTTP/1.1"
    # An answer is not held back for the next.
    disable_nagle_algorithm = True
    wbufsize = -1
    door: Door

    def log_message(self, *_):
        pass

    def asked(self) -> tuple[str, dict]:
        parts = urlsplit(self.path)
        return unquote(parts.path).strip("/"), {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self) -> None:
        key, query = self.asked()
        if "list-type" in query:
            return self.listed(key, query)
        self.door.requests.append((self.command, key))
        try:
            path = self.door.store.path(key)
            stat, body = path.stat(), path.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        told = {"ETag": self.door.store.tag(path), "Last_Modified": email.utils.formatdate(stat.st_mtime, usegmt=True)}
        if self.command == "HEAD":
            return self.answer(200, Content_Length=str(len(body)), **told)
        said = self.headers.get("Range")
        if not said:
            return self.answer(200, body, **told)
        first, _, last = said.removeprefix("bytes=").partition("-")
        begin = int(first) if first else max(0, len(body) - int(last))
        end = min(int(last) + 1, len(body)) if first and last else len(body)
        self.answer(206, body[begin:end], Content_Range=f"bytes {begin}-{end - 1}/{len(body)}", **told)

    do_HEAD = do_GET

    def listed(self, bucket: str, query: dict) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = max(query.get("start-after", ""), query.get("continuation-token", ""))
        self.door.requests.append(("LIST", f"{bucket}/{prefix}"))
        keys, prefixes, is_truncated = self.door.store.list(bucket, prefix, after, delimiter)
        text = f"<ListBucketResult><Name>{bucket}</Name><KeyCount>{len(keys) + len(prefixes)}</KeyCount><IsTruncated>{str(is_truncated).lower()}</IsTruncated>"
        if is_truncated:
            last = max([key for key, _ in keys] + prefixes)
            text += f"<NextContinuationToken>{escape(last)}</NextContinuationToken>"
        for key, path in keys:
            try:
                stat, tag = path.stat(), self.door.store.tag(path)
            except FileNotFoundError:
                continue
            at = datetime.fromtimestamp(stat.st_mtime_ns // 10**6 / 1000, timezone.utc)
            at = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            text += (f"<Contents><Key>{escape(key)}</Key><LastModified>{at}</LastModified><ETag>{escape(tag)}</ETag>"
                     f"<Size>{stat.st_size}</Size><StorageClass>STANDARD</StorageClass></Contents>")
        text += "".join(f"<CommonPrefixes><Prefix>{escape(it)}</Prefix></CommonPrefixes>" for it in prefixes)
        self.answer(200, (text + "</ListBucketResult>").encode(), Content_Type="application/xml")

    def do_PUT(self) -> None:
        key, query = self.asked()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if query or "x-amz-copy-source" in self.headers:
            return self.answer(501)
        self.door.requests.append(("PUT", key))
        none_match, match = self.headers.get("If-None-Match") == "*", self.headers.get("If-Match")
        done = self.door.write(key, lambda: self.door.store.put(key, body, none_match, match))
        if done is None:
            self.close_connection = True
            return None
        status, tag = done
        return self.answer(status, ETag=tag) if status == 200 else self.answer(status, b"<Error><Code>PreconditionFailed</Code></Error>")

    def do_DELETE(self) -> None:
        key, _ = self.asked()
        self.door.requests.append(("DELETE", key))
        if self.door.write(key, lambda: (self.door.store.delete(key),)):
            return self.answer(204)
        self.close_connection = True

    def do_POST(self) -> None:
        bucket, query = self.asked()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if "delete" not in query:
            return self.answer(501)
        keys = [unescaped(part.partition("</Key>")[0]) for part in body.split("<Key>")[1:]]
        self.door.requests += [("DELETE", f"{bucket}/{key}") for key in keys]
        if not self.door.write(f"{bucket}/{keys[0]}", lambda: [self.door.store.delete(f"{bucket}/{key}") for key in keys]):
            self.close_connection = True
            return None
        told = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return self.answer(200, f"<DeleteResult>{told}</DeleteResult>".encode(), Content_Type="application/xml")


def unescaped(text: str) -> str:
    for given, meant in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(given, meant)
    return text
