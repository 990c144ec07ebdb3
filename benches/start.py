#!/usr/bin/env python3
"""Measures what a user waits for first: start, large catalogs, idle memory; in turns with peers.

    benches/start.py --program target/demo/lakegate [--rounds 9]

Every figure is the median of rounds in which the programs take turns, so that a busy moment of the machine hits
all. The client is a raw socket that writes the start-up packet and a simple query by hand: no driver is timed.
A peer that is not installed, or does not start, is named and left out.
"""

import argparse
import os
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

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
LAKE = ROOT / "tests/data/lake"
N_FILES = 1000
START_SECONDS_MAX = 60
NOBODY = 65534

# psql's `\d`: what a user types first.
DESCRIBE = """SELECT n.nspname as "Schema", c.relname as "Name",
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'f' THEN 'foreign table' END as "Type",
  pg_catalog.pg_get_userbyid(c.relowner) as "Owner"
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname <> 'pg_catalog'
  AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' ORDER BY 1,2"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """A session over a raw socket; `connect` waits for the server to be there."""

    def __init__(self, port: int, deadline: float):
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS_MAX)
                break
            except ConnectionRefusedError:
                if time.perf_counter() > deadline:
                    raise
                time.sleep(0.001)
        self.buffer = self.socket.makefile("rb")
        body = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.until_ready()

    def until_ready(self) -> list[bytes]:
        rows = []
        while True:
            tag, length = struct.unpack("!ci", self.buffer.read(5))
            body = self.buffer.read(length - 4)
            if tag == b"E":
                raise RuntimeError(body.replace(b"\0", b" ").decode(errors="replace"))
            if tag == b"D":
                rows.append(body)
            if tag == b"Z":
                return rows

    def query(self, sql: str) -> list[bytes]:
        body = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)
        return self.until_ready()


class Server:
    """A program that was started just now."""

    def __init__(self, command: list, port: int, **options):
        self.started = time.perf_counter()
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        self.port = port

    def connect(self) -> Client:
        while True:
            try:
                return Client(self.port, self.started + START_SECONDS_MAX)
            except (ConnectionResetError, RuntimeError, struct.error):
                # PostgreSQL listens before it lets anyone in.
                if self.process.poll() is not None or time.perf_counter() > self.started + START_SECONDS_MAX:
                    raise

    def since_start_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def lakegate(program: str, lake: Path, options: list = ()) -> Server:
    port = free_port()
    return Server([program, "serve", "--lake", lake, "--listen", f"127.0.0.1:{port}", *options], port)


def roapi(tables: list[tuple[str, Path]]) -> Server:
    port, http = free_port(), free_port()
    flags = [word for name, path in tables for word in ("-t", f"{name}={path}")]
    program = Path(sys.executable).with_name("roapi")
    return Server([program, "-p", f"127.0.0.1:{port}", "-a", f"127.0.0.1:{http}", *flags], port)


class Postgres:
    """PostgreSQL over a cluster that was made before, with the table that the lake query reads."""

    def __init__(self, folder: Path):
        package = next(ROOT.glob(".venv/lib/python3*/site-packages/pgserver"))
        shutil.copytree(package.with_name("pgserver.libs"), folder / "pgserver.libs")
        self.programs = Path(shutil.copytree(package / "pginstall", folder / "pgserver/pginstall")) / "bin"
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.options = {"cwd": "/"}
        if os.getuid() == 0:
            os.chown(self.data, NOBODY, NOBODY)
            self.options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        subprocess.run([self.programs / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, **self.options)
        server = self.start()
        rows = pq.read_table(LAKE / "gold/daily_revenue.parquet", columns=["region", "n_orders"]).to_pylist()
        values = ",".join(f"('{row['region']}',{row['n_orders']})" for row in rows)
        client = server.connect()
        client.query("create table daily_revenue (region text, n_orders int)")
        client.query(f"insert into daily_revenue values {values}")
        server.stop()

    def start(self) -> Server:
        port = free_port()
        return Server([self.programs / "postgres", "-D", self.data, "-p", port, "-h", "127.0.0.1",
                       "-c", "unix_socket_directories="], port, **self.options)


def duckdb_ms(statement: str) -> float:
    """A DuckDB process that answers one statement and ends, its Python included."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import duckdb; duckdb.sql({statement!r}).fetchall()"], check=True)
    return (time.perf_counter() - started) * 1000


def first_answers(server: Server, lake_query: str) -> dict[str, float]:
    """From process start to the first answers, then the memory of the idle program."""
    try:
        client = server.connect()
        client.query("select 1")
        figures = {"start to `select 1`, ms": server.since_start_ms()}
        asked = time.perf_counter()
        assert client.query(lake_query)
        figures["first query of a table, ms"] = (time.perf_counter() - asked) * 1000
        figures["memory after it, MiB"] = server.resident_mib()
        return figures
    finally:
        server.stop()


def idle_memory(server: Server) -> dict[str, float]:
    try:
        server.connect().query("select 1")
        return {"memory idle, MiB": server.resident_mib()}
    finally:
        server.stop()


def many(server: Server, count: str, expected: int, describe: bool) -> dict[str, float]:
    """A lake of many files or many tables."""
    try:
        client = server.connect()
        figures = {"ready, ms": server.since_start_ms()}
        if describe:
            asked = time.perf_counter()
            n_rows = len(client.query(DESCRIBE))
            figures["`\\d`, ms"] = (time.perf_counter() - asked) * 1000
            assert n_rows >= expected, n_rows
        asked = time.perf_counter()
        (row,) = client.query(count)
        figures["count, ms"] = (time.perf_counter() - asked) * 1000
        assert str(N_FILES).encode() in row or not describe and str(N_FILES * 10).encode() in row, row
        return figures
    finally:
        server.stop()


def make_lakes(folder: Path) -> tuple[Path, Path]:
    """One table of many files, and many tables of one file."""
    files, tables = folder / "files", folder / "tables"
    (files / "big/one").mkdir(parents=True)
    (tables / "public").mkdir(parents=True)
    for number in range(N_FILES):
        rows = pa.table({"n": pa.array(range(number * 10, number * 10 + 10), pa.int64()),
                         "t": pa.array(["x"] * 10, pa.string())})
        pq.write_table(rows, files / f"big/one/part-{number:04}.parquet")
        pq.write_table(rows, tables / f"public/t{number:04}.parquet")
    return files, tables


def in_turns(rounds: int, runs: dict) -> dict[str, dict[str, float]]:
    """Medians of each run's figures; a run that fails is left out, and said so."""
    taken: dict[str, dict[str, list[float]]] = {}
    failed = set()
    for _ in range(rounds):
        for name, run in runs.items():
            if name in failed:
                continue
            try:
                for figure, value in run().items():
                    taken.setdefault(name, {}).setdefault(figure, []).append(value)
            except Exception as error:
                if name == "lakegate":
                    raise
                failed.add(name)
                print(f"{name} is left out: {str(error)[:120]}", file=sys.stderr)
    return {name: {figure: statistics.median(values) for figure, values in figures.items()}
            for name, figures in taken.items() if name not in failed}


def show(title: str, medians: dict[str, dict[str, float]], targets: dict[str, float]) -> bool:
    """Prints a table with each peer's ratio to Lakegate; whether every target is met."""
    peers = [name for name in medians if name != "lakegate"]
    print(f"\n{title}\n{'':32}{'target':>8}{'lakegate':>10}" + "".join(f"{name:>22}" for name in peers))
    met = True
    for figure, value in medians["lakegate"].items():
        target = targets.get(figure)
        met &= target is None or value < target
        line = f"{figure:32}{f'< {target:.0f}' if target else '':>8}{value:>10.1f}"
        for name in peers:
            other = medians[name].get(figure)
            line += f"{'' if other is None else f'{other:.1f} ({other / value:.1f} x)':>22}"
        print(line + ("" if target is None or value < target else "  MISSED"))
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    program, rounds = arguments.program, arguments.rounds
    revenue = LAKE / "gold/daily_revenue.parquet"
    with tempfile.TemporaryDirectory(prefix="lakegate-bench-") as folder:
        os.chmod(folder, 0o755)
        files, tables = make_lakes(Path(folder))
        postgres = Postgres(Path(folder))
        query = "select region, sum(n_orders) from {} group by region"
        one_table = in_turns(rounds, {
            "lakegate": lambda: first_answers(lakegate(program, LAKE), query.format("gold.daily_revenue")),
            "roapi": lambda: first_answers(roapi([("daily_revenue", revenue)]), query.format("daily_revenue")),
            "postgres": lambda: first_answers(postgres.start(), query.format("daily_revenue")),
            "duckdb": lambda: {"start to `select 1`, ms": duckdb_ms("select 1")},
        })
        met = show("One program from nothing", one_table,
                   {"start to `select 1`, ms": 60, "first query of a table, ms": 150})
        idle = in_turns(rounds, {
            "lakegate": lambda: idle_memory(lakegate(program, LAKE)),
            "roapi": lambda: idle_memory(roapi([("daily_revenue", revenue)])),
        })
        met &= show("At rest", idle, {"memory idle, MiB": 40})
        targets = {"ready, ms": 300, "`\\d`, ms": 1000, "count, ms": 1000}
        count = "select count(*) from {}"
        met &= show(f"One table of {N_FILES} files", in_turns(rounds, {
            "lakegate": lambda: many(lakegate(program, files), count.format("big.one"), 1, False),
            "roapi": lambda: many(roapi([("one", f"{files}/big/one,format=parquet")]), count.format("one"), 1, False),
        }), targets)
        one_of = [(f"t{number:04}", tables / f"public/t{number:04}.parquet") for number in range(N_FILES)]
        counted = "select count(*) * 100 from {}"
        met &= show(f"{N_FILES} tables of one file", in_turns(rounds, {
            "lakegate": lambda: many(lakegate(program, tables), counted.format("public.t0500"), N_FILES, True),
            "roapi": lambda: many(roapi(one_of), counted.format("t0500"), 1, False),
        }), targets)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
