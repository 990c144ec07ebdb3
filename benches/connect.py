#!/usr/bin/env python3
"""Measures what each connection costs: time to log in by SCRAM and ask `select 1`, to ask it again, and memory of those
that are idle.

    benches/connect.py --program target/demo/lakegate [--rounds 15] [--idle 2000]

Logins take turns with the PostgreSQL that is installed (Debian's package), plain and over TLS; each figure is the median
of rounds, and a round is 20 logins one after the other, by libpq. `select 1` is asked over a kept connection in plain, by a
raw socket, with client and server pinned to one CPU and to two; its figures are the 50th and 99th percentile. Idle memory is VmRSS with N connections that
have asked `select 1`, less VmRSS before, divided by N.
"""

import argparse
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
LAKE = ROOT / "tests/data/lake"
LOGINS = 20
PINGS = 2000
# How much slower than PostgreSQL's the median may be.
PING_GOALS = {"two CPUs": 2, "one CPU": 4}
PASSWORD = "geheim"
NOBODY = 65534
START_SECONDS_MAX = 60
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "server.key", "-out", folder / "server.crt"],
        check=True, capture_output=True)


class Lakegate:
    """The gateway, with a role `bench`; or, with `trusting`, without any."""

    name = "lakegate"

    def __init__(self, program: str, folder: Path, trusting: bool, connections: int):
        state = folder / f"state-{trusting}"
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--lake", LAKE, "--state", state,
             "--tls-cert", folder / "server.crt", "--tls-key", folder / "server.key",
             "--connections", str(connections)],
            stdout=subprocess.PIPE, text=True)
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", self.process.stdout.readline())[1])
        if not trusting:
            with psycopg.connect(host="127.0.0.1", port=self.port, user="x", dbname="lake", autocommit=True) as admin:
                admin.execute(f"create role bench superuser login password '{PASSWORD}'")

    def resident_kib(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class Postgres:
    """Debian's PostgreSQL with the same role and certificate."""

    name = "postgresql"

    def __init__(self, folder: Path):
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not programs:
            raise FileNotFoundError("no PostgreSQL in /usr/lib/postgresql")
        data = folder / "postgres"
        data.mkdir(mode=0o700)
        options = {}
        if os.getuid() == 0:
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        password = folder / "password"
        password.write_text(PASSWORD)
        key = data.with_name("postgres.key")
        shutil.copy(folder / "server.key", key)
        key.chmod(0o600)
        for path in [data, password, key]:
            os.chown(path, NOBODY, NOBODY) if options else None
        subprocess.run([programs[-1] / "initdb", "-D", data, "-U", "bench", "--auth=scram-sha-256",
                        f"--pwfile={password}", "--no-sync", "--locale=C.UTF-8"],
                       check=True, capture_output=True, cwd="/", **options)
        self.port = free_port()
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=", "fsync=off", "ssl=on",
                    f"ssl_cert_file={folder / 'server.crt'}", f"ssl_key_file={key}"]
        flags = [word for setting in settings for word in ("-c", setting)]
        self.process = subprocess.Popen([programs[-1] / "postgres", "-D", data, *flags], cwd="/",
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                psycopg.connect(conninfo(self.port, "disable")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


def conninfo(port: int, sslmode: str) -> str:
    return (f"host=127.0.0.1 port={port} user=bench password={PASSWORD} dbname=postgres sslmode={sslmode} "
            "gssencmode=disable require_auth=scram-sha-256")


def login_seconds(port: int, sslmode: str) -> float:
    info = conninfo(port, sslmode)
    begun = time.perf_counter()
    for _ in range(LOGINS):
        connection = psycopg.pq.PGconn.connect(info.encode())
        if connection.status != psycopg.pq.ConnStatus.OK:
            sys.exit(connection.error_message.decode())
        result = connection.exec_(b"select 1")
        if result.get_value(0, 0) != b"1":
            sys.exit("select 1 is not 1")
        connection.finish()
    return (time.perf_counter() - begun) / LOGINS


def logins(servers: list, rounds: int) -> None:
    times = {(server.name, sslmode): [] for server in servers for sslmode in ("disable", "require")}
    for _ in range(rounds):
        for server in servers:
            for sslmode in ("disable", "require"):
                times[server.name, sslmode].append(login_seconds(server.port, sslmode))
    for (name, sslmode), seconds in times.items():
        shown = "plain" if sslmode == "disable" else "TLS"
        print(f"login and select 1, {shown:5}  {name:10}  {statistics.median(seconds) * 1000:7.2f} ms")


def pin(pid: int, cpu: int) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {cpu})


def ping_seconds(stream: socket.socket) -> list[float]:
    query = b"Q" + struct.pack("!i", 13) + b"select 1\0"
    seconds = []
    for _ in range(PINGS):
        begun = time.perf_counter()
        stream.sendall(query)
        answer = stream.recv(4096)
        while not answer.endswith(b"Z\0\0\0\x05I"):
            answer += stream.recv(4096)
        seconds.append(time.perf_counter() - begun)
    return seconds


def pings(servers: list, rounds: int) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    connections = {}
    for server in servers:
        connection = psycopg.connect(conninfo(server.port, "disable"), autocommit=True)
        backend = connection.execute("select pg_backend_pid()").fetchone()[0]
        pid = server.process.pid if server.name == "lakegate" else backend
        stream = socket.socket(fileno=os.dup(connection.fileno()))
        stream.setblocking(True)
        connections[server.name] = connection, stream, pid
    try:
        for where, server_cpu in {"two CPUs": cpus[-1], "one CPU": cpus[0]}.items():
            os.sched_setaffinity(0, {cpus[0]})
            times = {name: [] for name in connections}
            for _ in range(rounds):
                for name, (_, stream, pid) in connections.items():
                    pin(pid, server_cpu)
                    times[name] += ping_seconds(stream)
            medians = {}
            for name, seconds in times.items():
                seconds.sort()
                medians[name] = seconds[len(seconds) // 2] * 1e6
                print(f"select 1 on {where:8}  {name:10}  p50 {medians[name]:6.1f}  "
                      f"p99 {seconds[len(seconds) * 99 // 100] * 1e6:6.1f} microseconds")
            if "postgresql" in medians:
                print(f"select 1 on {where}: {medians['lakegate'] / medians['postgresql']:.2f} x PostgreSQL's "
                      f"(goal: at most {PING_GOALS[where]})")
    finally:
        os.sched_setaffinity(0, set(cpus))
        for connection, stream, pid in connections.values():
            stream.detach()
            connection.close()


def read_until_ready(stream) -> None:
    data = b""
    # ReadyForQuery of an idle session is the last thing a server says before it waits.
    while not data.endswith(b"Z\0\0\0\x05I"):
        data += stream.recv(65536)


def idle_connection(port: int, context: ssl.SSLContext | None):
    stream = socket.create_connection(("127.0.0.1", port), timeout=60)
    if context:
        stream.sendall(SSL_REQUEST)
        if stream.recv(1) != b"S":
            sys.exit("no TLS")
        stream = context.wrap_socket(stream, server_hostname="localhost")
    body = struct.pack("!i", 196608) + b"user\0bench\0database\0lake\0\0"
    stream.sendall(struct.pack("!i", len(body) + 4) + body)
    read_until_ready(stream)
    query = b"select 1\0"
    stream.sendall(b"Q" + struct.pack("!i", len(query) + 4) + query)
    read_until_ready(stream)
    return stream


def idle(program: str, folder: Path, n_idle: int) -> None:
    for is_encrypted in (False, True):
        context = None
        if is_encrypted:
            context = ssl.create_default_context(cafile=str(folder / "server.crt"))
        server = Lakegate(program, folder, True, n_idle + 100)
        try:
            # What the first connections make once is not theirs.
            for _ in range(50):
                idle_connection(server.port, context).close()
            before = server.resident_kib()
            connections = [idle_connection(server.port, context) for _ in range(n_idle)]
            time.sleep(2)
            each = (server.resident_kib() - before) / n_idle
            shown = "TLS" if is_encrypted else "plain"
            print(f"{n_idle} idle connections, {shown:5}  {each:7.1f} KiB each")
            for connection in connections:
                connection.close()
        finally:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--idle", type=int, default=2000)
    arguments = parser.parse_args()
    n_files = arguments.idle + 500
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < n_files:
        sys.exit(f"{n_files} open files are needed, {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (n_files, hard))
    with tempfile.TemporaryDirectory(prefix="lakegate-connect-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        certificate(folder)
        servers = [Lakegate(arguments.program, folder, False, 100)]
        try:
            try:
                servers.append(Postgres(folder))
            except (FileNotFoundError, subprocess.CalledProcessError) as error:
                print(f"postgresql is left out: {error}")
            pings(servers, arguments.rounds)
            logins(servers, arguments.rounds)
        finally:
            for server in servers:
                server.stop()
        idle(arguments.program, folder, arguments.idle)


if __name__ == "__main__":
    main()
