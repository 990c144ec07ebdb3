#!/usr/bin/env python3
"""A real PostgreSQL reads Lakegate as a foreign server, by postgres_fdw, and compares with its own copy of the table.

    foreign_server.py --ours HOST:PORT --theirs HOST:PORT --root-certificate FILE [--over-tls]

`--theirs` is the PostgreSQL that reads; it is itself asked over TLS, by the password in PGPASSWORD.
"""

import argparse
import os
import sys

import psycopg
from every_type import COLUMNS, SCHEMA, TABLE

# Run on the foreign table and on PostgreSQL's own, in place of {table}. What the foreign server gets differs: whole
# rows in parts by a cursor, conditions, sorts, limits and aggregates that were pushed down, parameters.
STATEMENTS = [
    "select * from {table} order by id",
    "select count(*), sum(number), min(day), max(price), avg(double) from {table} where id <> 3",
    "select flag, count(*) from {table} group by flag order by flag",
    "select id, label from {table} where label like 's%' or id in (2, 4) order by id desc limit 2",
    "select id from {table} where instant < timestamptz '2000-01-01 00:00:00+02' and moment is not null order by id",
    "select id from {table} where price > 0.00 and big = 9223372036854775807",
    "select id, numbers, words from {table} where day between date '2026-01-01' and date '2026-12-31'",
    "select a.id, b.code from {table} a join {table} b on a.code = b.code and a.id < b.id order by 1, 2",
    f"select f.id, o.label from {{table}} f join {TABLE} o on f.id = o.id where o.code = 'a' order by 1",
    "select n, (select label from {table} where id = n) from generate_series(1, 4) as g(n) order by n",
]


def foreign_table(connection: psycopg.Connection, name: str, options: dict[str, str]) -> str:
    """Makes the server and imports the table from it, as its own catalog describes it."""
    listed = ", ".join(f"{key} '{value}'" for key, value in options.items())
    # A superuser may come without a password, where the server trusts.
    password = os.environ["PGPASSWORD"] if options["sslmode"] == "verify-full" else ""
    mapping = f"user 'postgres', password '{password}'" if password else "user 'postgres', password_required 'false'"
    connection.execute("select pg_advisory_xact_lock(1)")
    connection.execute("create extension if not exists postgres_fdw")
    connection.execute(f"create server {name} foreign data wrapper postgres_fdw options ({listed})")
    connection.execute(f"create user mapping for postgres server {name} options ({mapping})")
    connection.execute(f"create schema {name}")
    connection.execute(f"import foreign schema {SCHEMA} limit to (samples) from server {name} into {name}")
    return f"{name}.samples"


def types(connection: psycopg.Connection, table: str) -> list[tuple]:
    return connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass and attnum > 0"
        " order by attnum", (table,)).fetchall()


def failures(connection: psycopg.Connection, table: str) -> list[str]:
    found = []
    imported, own = types(connection, table), types(connection, TABLE)
    if imported != own:
        found.append(f"imported as {set(imported) - set(own)}, and not as {set(own) - set(imported)}")
    for statement in STATEMENTS:
        expected = connection.execute(statement.format(table=TABLE)).fetchall()
        try:
            with connection.transaction():
                came = connection.execute(statement.format(table=table)).fetchall()
        except psycopg.Error as error:
            came = f"{error.sqlstate} {error}"
        if repr(came) != repr(expected):
            found.append(f"{statement}\n  - {expected}\n  + {came}")
    plan = connection.execute(f"explain (verbose) select count(*) from {table} where id > 1").fetchall()
    if not any("Remote SQL: SELECT count(*)" in line for line, in plan):
        found.append(f"the aggregate was not pushed down: {plan}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--theirs", required=True)
    parser.add_argument("--root-certificate", required=True)
    parser.add_argument("--over-tls", action="store_true")
    given = parser.parse_args()
    host, port = given.ours.split(":")
    # A small fetch size, so that there are several fetches.
    options = {"host": host, "port": port, "dbname": "postgres", "fetch_size": "3", "sslmode": "disable"}
    if given.over_tls:
        options |= {"sslmode": "verify-full", "sslrootcert": given.root_certificate}
    host, port = given.theirs.split(":")
    with psycopg.connect(host=host, port=port, user="postgres", dbname="postgres", sslmode="verify-full",
                         sslrootcert=given.root_certificate) as connection:
        connection.execute("set timezone = 'UTC'")
        table = foreign_table(connection, f"lakegate_{'tls' if given.over_tls else 'plain'}", options)
        found = failures(connection, table)
        connection.rollback()
    assert len(COLUMNS) > 30, "the table lacks columns to compare"
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
