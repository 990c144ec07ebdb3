#!/usr/bin/env python3
"""Measures tables of a PostgreSQL that are read through Lakegate, in turns with that PostgreSQL itself.

    benches/warehouse.py --program target/demo/lakegate [--scale 1] [--rounds 5] [--queries-scale 0.1] [--only join]

Three things, over Debian's PostgreSQL with a cluster of its own: all of TPC-H's lineitem (6 million rows at scale 1) is
pulled by a client that throws the bytes away, in text and in binary; the 22 queries of TPC-H are asked of tables at the
scale `--queries-scale`, of which large joins are Lakegate's; and lineitem is joined with 100 keys of a file in the lake,
where the rows that come from the server are counted. `--only` does one of them, and makes no other tables. Every time is the median of rounds in which both take turns, answers
are not kept, and the first round warms up.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

import pull

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/peers"))
import tpch  # noqa: E402

# Rows a second beside that PostgreSQL's own; rows that a join with 100 keys moves.
GOALS = {"text": 0.8, "binary": 1.0}
ROWS_MOVED_MAX = 1_000
N_KEYS = 100
DATABASE = "tpch"


def made(folder: Path, scale: float, *more: str) -> Path:
    program = Path(sys.executable).with_name("tpchgen-cli")
    target = folder / f"csv_{scale}"
    subprocess.run([program, "csv", "-s", str(scale), f"--output-dir={target}", *more], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return target


def session(port: int, database: str) -> psycopg.Connection:
    return psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname=database, autocommit=True, prepare_threshold=None)


def load(port: int, csv: Path) -> None:
    """All of TPC-H's tables, beside the large lineitem of the other database."""
    session(port, "postgres").execute(f"create database {DATABASE}")
    with session(port, DATABASE) as server:
        for table, columns in tpch.TABLES.items():
            server.execute(f"create table {table} ({columns})")
            with server.cursor().copy(f"copy {table} from stdin (format csv, header)") as copy:
                with open(csv / f"{table}.csv", "rb") as file:
                    while block := file.read(1 << 20):
                        copy.write(block)
        server.execute("vacuum analyze")


def define(port: int, of_postgres: int, schemas: list[tuple[str, str]]) -> None:
    with session(port, "lake") as gateway:
        for name, database in schemas:
            gateway.execute(f"create server {name} foreign data wrapper postgres options "
                            f"(host '127.0.0.1', port '{of_postgres}', dbname '{database}', sslmode 'disable')")
            gateway.execute(f"create user mapping for public server {name} options (user 'postgres')")
            gateway.execute(f"create schema {name}")
            gateway.execute(f"import foreign schema public from server {name} into {name}")


def pulled(ours: pull.Server, theirs: pull.Server, rounds: int) -> None:
    for server in (ours, theirs):
        server.client = pull.Client(server.port, server.database)
    ours.client.query("set lakegate.result_cache = off")
    ours.client.query("set search_path = large")
    ours.worker = ours.process.pid
    theirs.connect()
    figures = {}
    for _ in range(rounds + 1):
        for way in GOALS:
            for server in (ours, theirs):
                figures.setdefault((way, server.name), []).append(pull.measure(server, way)["million rows/s"])
    for way, goal in GOALS.items():
        own, other = (statistics.median(figures[way, server.name][1:]) for server in (ours, theirs))
        print(f"pull, {way}: {own:.2f} million rows/s through Lakegate, {other:.2f} from PostgreSQL itself, {own / other:.2f} x (goal {goal})")


def seconds(of: psycopg.Connection, query: str) -> float:
    begun = time.perf_counter()
    of.execute(query).fetchall()
    return time.perf_counter() - begun


def queries(ours: psycopg.Connection, theirs: psycopg.Connection, rounds: int) -> None:
    ours.execute("set search_path = marts")
    sums = [0.0, 0.0]
    for file in tpch.QUERIES:
        query = file.read_text()
        times = [[], []]
        for _ in range(rounds + 1):
            for number, of in enumerate((ours, theirs)):
                times[number].append(seconds(of, query))
        own, other = (statistics.median(each[1:]) for each in times)
        sums = [sums[0] + own, sums[1] + other]
        print(f"{file.stem}: {own * 1000:8.0f} ms through Lakegate, {other * 1000:8.0f} ms inside PostgreSQL")
    print(f"TPC-H: {sums[0]:.2f} s through Lakegate, {sums[1]:.2f} s inside PostgreSQL, {sums[0] / sums[1]:.2f} x")


def joined(ours: psycopg.Connection) -> None:
    query = ("select count(*), sum(l.l_extendedprice) from public.keys k join large.lineitem l on l.l_orderkey = k.id "
             "where l.l_linenumber = 1")
    begun = time.perf_counter()
    found = ours.execute(query).fetchone()
    took = time.perf_counter() - begun
    plan = [row[0] for row in ours.execute(f"explain (analyze, verbose) {query}").fetchall()]
    scan = next(line for line in plan if "ForeignScan" in line)
    number, unit = re.search(r"output_rows=([\d.]+) ?([KM]?)", scan).groups()
    moved = int(float(number) * {"": 1, "K": 1e3, "M": 1e6}[unit])
    print(f"join with {N_KEYS} keys: {found[0]} rows, {moved} moved (goal < {ROWS_MOVED_MAX}), {took * 1000:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the lakegate to measure")
    parser.add_argument("--scale", type=float, default=1, help="TPC-H's scale factor of the table that is pulled")
    parser.add_argument("--queries-scale", type=float, default=0.1, help="that of the tables that are queried")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("pull", "queries", "join"), help="the one thing to measure")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lakegate-warehouse-"))
    folder.chmod(0o755)
    lake = folder / "lake"
    lake.mkdir()
    # Keys that TPC-H has: of each 32 the first eight are used.
    keys = (1 + 32 * 37 * number for number in range(N_KEYS))
    (lake / "keys.csv").write_text("id\n" + "".join(f"{key}\n" for key in keys))
    servers = []
    try:
        is_wanted = {part: options.only in (None, part) for part in ("pull", "queries", "join")}
        # Of queries alone the large table is not read.
        large_scale = options.scale if is_wanted["pull"] or is_wanted["join"] else options.queries_scale
        large = made(folder, large_scale, "--tables=lineitem") / "lineitem.csv"
        theirs = pull.Postgres(folder, large)
        servers.append(theirs)
        large.unlink()
        if is_wanted["queries"]:
            load(theirs.port, made(folder, options.queries_scale))
        ours = pull.lakegate(options.program, lake)
        servers.append(ours)
        pull.Client(ours.port, "lake")
        define(ours.port, theirs.port, [("large", "postgres")] + [("marts", DATABASE)] * is_wanted["queries"])
        if is_wanted["pull"]:
            pulled(ours, theirs, options.rounds)
        own = session(ours.port, "lake")
        own.execute("set lakegate.result_cache = off")
        if is_wanted["queries"]:
            queries(own, session(theirs.port, DATABASE), options.rounds)
        if is_wanted["join"]:
            joined(own)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
