#!/usr/bin/env python3
"""Measures how fast whole tables are pulled, in turns with PostgreSQL and Hyper.

    benches/pull.py --program target/demo/lakegate [--scale 1] [--rounds 5]

The table is TPC-H's lineitem (6 million rows of 16 columns at scale 1): a Parquet file to Lakegate, loaded into
Debian's PostgreSQL (package postgresql-15) and into Hyper. The client is a raw socket that throws the bytes away and
looks for the end alone: no driver is timed. Every figure is the median of rounds in which the servers take turns. A
peer that is not installed, or does not start, is named and left out.
"""

import argparse
import os
import pwd
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS_PER_SCALE = 6_000_000
START_SECONDS_MAX = 60
BUFFER_BYTES = 1 << 20
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
READY = b"Z\0\0\0\5I"

COLUMNS = """l_orderkey int8, l_partkey int8, l_suppkey int8, l_linenumber int4, l_quantity numeric(15,2),
  l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2), l_returnflag text, l_linestatus text,
  l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct text, l_shipmode text, l_comment text"""

# Beside PostgreSQL in the same run: what the design promises.
GOALS = {"text": 2.5, "binary": 3.0, "copy binary": 3.0}
CPU_GOAL = 0.6
FIRST_ROW_MS_MAX = 20
GROWTH_MIB_MAX = 150


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def message(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack("!i", len(body) + 4) + body


class Client:
    """A session over a raw socket."""

    def __init__(self, port: int, database: str):
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=600)
                body = struct.pack("!i", 196608) + f"user\0postgres\0database\0{database}\0\0".encode()
                self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
                self.buffer = bytearray(BUFFER_BYTES)
                self.until_ready()
                return
            except (ConnectionError, RuntimeError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def until_ready(self) -> tuple[int, float, bytes]:
        """Takes everything up to ReadyForQuery: how many bytes, when the first came, and the last of them."""
        n_bytes, first, tail = 0, 0.0, b""
        while True:
            n = self.socket.recv_into(self.buffer)
            if n == 0:
                raise ConnectionError("the server left")
            first = first or time.perf_counter()
            n_bytes += n
            tail = (tail + bytes(self.buffer[max(0, n - 256):n]))[-256:]
            if tail.endswith(READY):
                return n_bytes, first, tail

    def query(self, sql: str) -> tuple[int, float, bytes]:
        self.socket.sendall(message(b"Q", sql.encode() + b"\0"))
        return self.until_ready()

    def binary(self, sql: str) -> tuple[int, float, bytes]:
        """The extended protocol with every column in binary; the time counts from Execute."""
        parse = message(b"P", b"\0" + sql.encode() + b"\0" + struct.pack("!h", 0))
        bind = message(b"B", b"\0\0" + struct.pack("!hhhh", 0, 0, 1, 1))
        self.socket.sendall(parse + bind + message(b"H", b""))
        seen = b""
        while not seen.endswith(b"2\0\0\0\4"):
            seen += self.socket.recv(4096)
            if seen[:1] == b"E":
                raise RuntimeError(seen)
        self.asked = time.perf_counter()
        self.socket.sendall(message(b"E", b"\0" + struct.pack("!i", 0)) + message(b"S", b""))
        return self.until_ready()


WAYS = {
    "text": lambda client: client.query("select * from lineitem"),
    "binary": lambda client: client.binary("select * from lineitem"),
    "copy binary": lambda client: client.query("copy lineitem to stdout (format binary)"),
}


class Server:
    """A program that was started just now, and the process that does its work."""

    def __init__(self, name: str, command: list, port: int, database: str, **options):
        self.name, self.port, self.database = name, port, database
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        self.client = None

    def connect(self) -> None:
        self.client = Client(self.port, self.database)
        self.worker = self.process.pid

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.worker}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def resident_mib(self, what: str) -> float:
        status = Path(f"/proc/{self.worker}/status").read_text()
        return int(status.split(what + ":")[1].split()[0]) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.worker}/clear_refs").write_text("5")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Postgres(Server):
    """Debian's PostgreSQL over a cluster of its own, with the table loaded; its backend is what is measured."""

    def __init__(self, folder: Path, csv: Path):
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
        if programs is None:
            raise FileNotFoundError("package postgresql-15")
        data, port = folder / "postgres", free_port()
        data.mkdir(mode=0o700)
        options = {"cwd": "/"}
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(data, account.pw_uid, account.pw_gid)
            options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        subprocess.run([programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, **options)
        # All of the table in its own cache, as the Parquet file is in the system's.
        super().__init__("PostgreSQL", [programs / "postgres", "-D", data, "-p", port, "-h", "127.0.0.1", "-c",
                                        "unix_socket_directories=", "-c", "shared_buffers=2GB", "-c", "fsync=off",
                                        "-c", "max_wal_size=8GB"], port, "postgres", **options)
        client = Client(port, "postgres")
        client.query(f"create table lineitem ({COLUMNS})")
        subprocess.run([programs / "psql", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-c",
                        f"\\copy lineitem from '{csv}' csv header"], check=True)
        client.query("vacuum (freeze, analyze) lineitem")
        client.query("select count(*) from lineitem")

    def connect(self) -> None:
        super().connect()
        own = self.client.query("select 'pid ' || pg_backend_pid()")[2]
        self.worker = int(own.split(b"pid ")[1].split(b"C")[0])


class Hyper(Server):
    """Hyper's server, which speaks PostgreSQL's protocol, with the same Parquet loaded into the session's own table."""

    def __init__(self, folder: Path, parquet: Path):
        import tableauhyperapi as hyper

        program = next(Path(hyper.__file__).parent.glob("bin/hyper/hyperd*"))
        port = free_port()
        self.parquet = parquet
        super().__init__("Hyper", [program, "run", "--no-password", "--skip-license", "--init-user=postgres",
                                   f"--listen-connection=tab.tcp://localhost:{port}",
                                   f"--log-dir={folder}"], port, "postgres")

    def connect(self) -> None:
        super().connect()
        tail = self.client.query(f"create temporary table lineitem as (select * from external('{self.parquet}'))")[2]
        if b"SELECT" not in tail and b"CREATE" not in tail:
            raise RuntimeError(bytes(tail))


def lakegate(program: str, lake: Path) -> Server:
    port = free_port()
    command = [program, "serve", "--lake", lake, "--listen", f"127.0.0.1:{port}"]
    return Server("Lakegate", command, port, "lake")


def measure(server: Server, way: str) -> dict[str, float]:
    client = server.client
    idle, cpu = server.resident_mib("VmRSS"), server.cpu_seconds()
    server.forget_peak()
    started = time.perf_counter()
    client.asked = started
    n_bytes, first, tail = WAYS[way](client)
    seconds = time.perf_counter() - started
    done = tail[:-len(READY)].rstrip(b"\0")
    word = b"COPY " if "copy" in way else b"SELECT "
    if word not in done:
        raise RuntimeError(f"{server.name}, {way}: {bytes(done[-120:])}")
    n_rows = int(done.rsplit(word, 1)[1])
    return {
        "million rows/s": n_rows / seconds / 1e6,
        "MiB/s": n_bytes / seconds / (1 << 20),
        "CPU ns a row": (server.cpu_seconds() - cpu) / n_rows * 1e9,
        "first row, ms": (first - client.asked) * 1000,
        "growth, MiB": server.resident_mib("VmHWM") - idle,
    }


def generate(folder: Path, scale: float, form: str) -> Path:
    program = Path(sys.executable).with_name("tpchgen-cli")
    target = folder / form
    subprocess.run([program, form, "-s", str(scale), "--tables=lineitem", f"--output-dir={target}"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return target / f"lineitem.{form}"


def start(make, *arguments) -> Server | None:
    server = None
    try:
        server = make(*arguments)
        server.connect()
        return server
    except (OSError, RuntimeError, ImportError, StopIteration, subprocess.CalledProcessError) as error:
        if server:
            server.stop()
        print(f"left out: {getattr(make, '__name__', make)}: {error}", file=sys.stderr)
        return None


def report(figures: dict) -> None:
    for (way, name), rounds in figures.items():
        medians = {what: statistics.median(each[what] for each in rounds) for what in rounds[0]}
        figures[way, name] = medians
        print(f"{way:12} {name:11} " + "  ".join(f"{value:9.2f} {what}" for what, value in medians.items()))
    for way, goal in GOALS.items():
        ours, theirs = figures.get((way, "Lakegate")), figures.get((way, "PostgreSQL"))
        if not ours:
            continue
        print(f"{way}: first row {ours['first row, ms']:.1f} ms (goal {FIRST_ROW_MS_MAX}), "
              f"growth {ours['growth, MiB']:.0f} MiB (goal {GROWTH_MIB_MAX})")
        if theirs:
            print(f"{way}: {ours['million rows/s'] / theirs['million rows/s']:.2f} x PostgreSQL's rows/s (goal {goal}), "
                  f"{ours['CPU ns a row'] / theirs['CPU ns a row']:.2f} x its CPU a row (goal {CPU_GOAL})")
        if hyper := figures.get((way, "Hyper")):
            print(f"{way}: {ours['million rows/s'] / hyper['million rows/s']:.2f} x Hyper's rows/s (goal: ahead)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the lakegate to measure")
    parser.add_argument("--scale", type=float, default=1, help="TPC-H's scale factor")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lakegate-pull-"))
    folder.chmod(0o755)
    servers = []
    try:
        parquet = generate(folder, options.scale, "parquet")
        csv = generate(folder, options.scale, "csv")
        made = [start(lakegate, options.program, parquet.parent), start(Postgres, folder, csv),
                start(Hyper, folder, parquet)]
        servers = [server for server in made if server]
        csv.unlink()
        figures = {}
        for _ in range(options.rounds + 1):
            for way in WAYS:
                for server in servers:
                    try:
                        figures.setdefault((way, server.name), []).append(measure(server, way))
                    except (RuntimeError, ConnectionError) as error:
                        print(f"left out: {server.name}, {way}: {error}", file=sys.stderr)
                        server.connect()
        # The first round warms up.
        report({key: rounds[1:] for key, rounds in figures.items() if len(rounds) > options.rounds})
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
