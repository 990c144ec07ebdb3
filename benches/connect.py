#!/usr/bin/env python3
"""Measures what each connection costs: time to log in by SCRAM and ask `select 1`, and memory of those that are idle.

    benches/connect.py --program target/demo/lakegate [--rounds 15] [--idle 2000]

Logins take turns with the PostgreSQL that is installed (Debian's package), plain and over TLS; each figure is the median
of rounds, and a round is 20 logins one after the other, by libpq. Idle memory is VmRSS with N connections that
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
            logins(servers, arguments.rounds)
        finally:
            for server in servers:
                server.stop()
        idle(arguments.program, folder, arguments.idle)


if __name__ == "__main__":
    main()
