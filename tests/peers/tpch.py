#!/usr/bin/env python3
"""TPC-H, its tables spread over a lake, PostgreSQL, MariaDB and SQLite.

    python3 tpch.py make FOLDER --postgres HOST:PORT --mariadb HOST:PORT [--scale 0.01]
    python3 tpch.py ask FOLDER --gateway HOST:PORT --postgres HOST:PORT --mariadb HOST:PORT [--spreads 0,4]

`make` has tpchgen-cli make the data, writes every table to all four, and has DuckDB answer the 22 queries of the
specification (tests/data/tpch) over the same data. `ask` makes five schemas of views, or those of them that are named,
each of which takes every table from another place, and asks the gateway the same: values must be equal, averages to
nine digits.
"""

import argparse
import csv
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path

import duckdb
import psycopg
from deltalake import write_deltalake
from psycopg.types.string import TextLoader

ROOT = Path(__file__).resolve().parent.parent
QUERIES = sorted((ROOT / "data/tpch").glob("q*.sql"))
PLACES = ["delta", "postgres", "mariadb", "sqlite"]
RELATIVE = Decimal("1e-9")
TABLES = {
    "region": "r_regionkey integer primary key, r_name varchar(25), r_comment varchar(152)",
    "nation": "n_nationkey integer primary key, n_name varchar(25), n_regionkey integer, n_comment varchar(152)",
    "supplier": "s_suppkey integer primary key, s_name varchar(25), s_address varchar(40), s_nationkey integer, "
                "s_phone varchar(15), s_acctbal decimal(15,2), s_comment varchar(101)",
    "customer": "c_custkey integer primary key, c_name varchar(25), c_address varchar(40), c_nationkey integer, "
                "c_phone varchar(15), c_acctbal decimal(15,2), c_mktsegment varchar(10), c_comment varchar(117)",
    "part": "p_partkey integer primary key, p_name varchar(55), p_mfgr varchar(25), p_brand varchar(10), "
            "p_type varchar(25), p_size integer, p_container varchar(10), p_retailprice decimal(15,2), p_comment varchar(23)",
    "partsupp": "ps_partkey integer, ps_suppkey integer, ps_availqty integer, ps_supplycost decimal(15,2), "
                "ps_comment varchar(199)",
    "orders": "o_orderkey integer primary key, o_custkey integer, o_orderstatus varchar(1), o_totalprice decimal(15,2), "
              "o_orderdate date, o_orderpriority varchar(15), o_clerk varchar(15), o_shippriority integer, o_comment varchar(79)",
    "lineitem": "l_orderkey integer, l_partkey integer, l_suppkey integer, l_linenumber integer, l_quantity decimal(15,2), "
                "l_extendedprice decimal(15,2), l_discount decimal(15,2), l_tax decimal(15,2), l_returnflag varchar(1), "
                "l_linestatus varchar(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct varchar(25), "
                "l_shipmode varchar(10), l_comment varchar(44)",
}


def spreads() -> list[dict[str, str]]:
    """Five ways: each table in each place once, and the large ones apart from the small ones."""
    turned = [{table: PLACES[(number + turn) % len(PLACES)] for number, table in enumerate(TABLES)} for turn in range(4)]
    large = {"lineitem": "delta", "orders": "mariadb", "partsupp": "postgres"}
    return [*turned, {table: large.get(table, "sqlite") for table in TABLES}]


def parts(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host, port


def postgres(address: str, database: str) -> psycopg.Connection:
    host, port = parts(address)
    return psycopg.connect(host=host, port=port, user="postgres", dbname=database, autocommit=True)


def mariadb(address: str, statements: str) -> None:
    host, port = parts(address)
    subprocess.run(["mariadb", "--no-defaults", "--protocol=tcp", "--local-infile=1", "-h", host, "-P", port, "-u", "root",
                    "-e", statements], check=True)


def to_postgres(folder: Path, address: str, database: str) -> None:
    with postgres(address, "postgres") as session:
        session.execute(f"drop database if exists {database} with (force)")
        session.execute(f"create database {database}")
    with postgres(address, database) as session:
        for table, columns in TABLES.items():
            session.execute(f"create table {table} ({columns})")
            with session.cursor().copy(f"copy {table} from stdin (format csv, header)") as copy:
                copy.write((folder / f"{table}.csv").read_bytes())
        session.execute("analyze")


def to_mariadb(folder: Path, address: str, database: str) -> None:
    statements = [f"drop database if exists {database}; create database {database} character set utf8mb4; use {database}"]
    for table, columns in TABLES.items():
        statements.append(f"create table {table} ({columns})")
        statements.append(f"load data local infile '{folder / table}.csv' into table {table} character set utf8mb4 "
                          "fields terminated by ',' optionally enclosed by '\"' escaped by '' ignore 1 lines")
    mariadb(address, "; ".join([*statements, "analyze table " + ", ".join(TABLES)]))


def to_sqlite(folder: Path, path: Path) -> None:
    with sqlite3.connect(path) as session:
        for table, columns in TABLES.items():
            session.execute(f"create table {table} ({columns})")
            with open(folder / f"{table}.csv", newline="") as lines:
                rows = csv.reader(lines)
                marks = ", ".join("?" for _ in next(rows))
                session.executemany(f"insert into {table} values ({marks})", rows)


def make(arguments: argparse.Namespace) -> None:
    folder, lake = arguments.folder / "csv", arguments.folder / "lake"
    generator = shutil.which("tpchgen-cli", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if generator is None:
        sys.exit("tpchgen-cli is not installed: run scripts/install_test_tools")
    subprocess.run([generator, "csv", "-s", str(arguments.scale), "--quiet", "--output-dir", folder], check=True)
    lake.mkdir()
    truth = duckdb.connect()
    for table, columns in TABLES.items():
        truth.execute(f"create table {table} ({columns})")
        truth.execute(f"copy {table} from '{folder / table}.csv' (header, delimiter ',')")
        write_deltalake(str(lake / "delta" / table), truth.sql(f"from {table}").to_arrow_table())
    to_postgres(folder, arguments.postgres, arguments.database)
    to_mariadb(folder, arguments.mariadb, arguments.database)
    to_sqlite(folder, lake / "tpch.db")
    for query in QUERIES:
        rows = truth.execute(query.read_text()).fetchall()
        with open(arguments.folder / f"{query.stem}.csv", "w", newline="") as out:
            csv.writer(out).writerows([["" if value is None else value for value in row] for row in rows])


def servers(arguments: argparse.Namespace) -> list[str]:
    (host, port), (other_host, other_port) = parts(arguments.postgres), parts(arguments.mariadb)
    return [
        f"create server p foreign data wrapper postgres options (host '{host}', port '{port}', dbname '{arguments.database}', sslmode 'disable')",
        "create user mapping for public server p options (user 'postgres')",
        f"create server m foreign data wrapper mysql options (host '{other_host}', port '{other_port}', sslmode 'disable')",
        "create user mapping for public server m options (user 'root')",
        "create server s foreign data wrapper sqlite options (database 'tpch.db')",
        "create schema postgres", "create schema mariadb", "create schema sqlite",
        "import foreign schema public from server p into postgres",
        f"import foreign schema {arguments.database} from server m into mariadb",
        "import foreign schema main from server s into sqlite",
    ]


def same(ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    try:
        one, other = Decimal(ours), Decimal(theirs)
    except InvalidOperation:
        return False
    return abs(one - other) <= RELATIVE * max(abs(one), abs(other))


def ordered(rows: list[list[str]]) -> list[list[str]]:
    """What ORDER BY leaves open is in no order; numbers are sorted by their value."""
    def key(value: str) -> tuple:
        try:
            return (0, round(Decimal(value), 6), "")
        except InvalidOperation:
            return (1, Decimal(0), value)
    return sorted(rows, key=lambda row: [key(value) for value in row])


def ask(arguments: argparse.Namespace) -> None:
    host, port = parts(arguments.gateway)
    session = psycopg.connect(host=host, port=port, user="postgres", dbname="lake", autocommit=True)
    # Values as the gateway writes them.
    for type_name in ("numeric", "date", "int2", "int4", "int8", "float8"):
        session.adapters.register_loader(type_name, TextLoader)
    for statement in servers(arguments):
        session.execute(statement)
    wrong = 0
    for number, spread in enumerate(spreads()):
        if number not in arguments.spreads:
            continue
        session.execute(f"create schema spread_{number}")
        for table, place in spread.items():
            session.execute(f"create view spread_{number}.{table} as select * from {place}.{table}")
        session.execute(f"set search_path = spread_{number}")
        begun = time.monotonic()
        for query in QUERIES:
            rows = session.execute(query.read_text()).fetchall()
            ours = ordered([["" if value is None else str(value) for value in row] for row in rows])
            with open(arguments.folder / f"{query.stem}.csv", newline="") as lines:
                theirs = ordered(list(csv.reader(lines)))
            pairs = zip(ours, theirs)
            if len(ours) != len(theirs) or not all(len(one) == len(other) and all(map(same, one, other)) for one, other in pairs):
                wrong += 1
                print(f"{query.stem} over {spread}:\n  ours   {ours[:3]} ({len(ours)})\n  theirs {theirs[:3]} ({len(theirs)})")
        print(f"spread {number}: {len(QUERIES)} queries in {time.monotonic() - begun:.1f} s")
    if wrong:
        sys.exit(f"{wrong} answers differ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["make", "ask"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--mariadb", required=True)
    parser.add_argument("--gateway")
    parser.add_argument("--database", default="warehouse_tpch", help="what is made anew at both servers")
    parser.add_argument("--scale", type=float, default=0.01)
    parser.add_argument("--spreads", type=lambda told: [int(number) for number in told.split(",")], default=list(range(5)))
    arguments = parser.parse_args()
    make(arguments) if arguments.what == "make" else ask(arguments)


if __name__ == "__main__":
    main()
