#!/usr/bin/env python3
"""Runs the same statements through psycopg 3 (text and binary) and asyncpg on the gateway and on PostgreSQL.

Every value, type and error code must be the same on both, but for the statements in DIFFERENT.
"""

import argparse
import asyncio
import itertools
import sys
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import asyncpg
import psycopg

# Statements with psycopg's placeholders, and their parameters.
PSYCOPG = [
    ("select 1 as a, 'x' as b, null as c, true as d", ()),
    ("select %s::int4 + 1 as a, %s::text as b", (41, "é☃'\\")),
    ("select %s::bool as a, %s::bool as b", (True, None)),
    ("select %s::int2 as a, %s::int8 as b, %s::float8 as c", (7, 2**62, 0.1)),
    ("select %s::numeric as a, %s::numeric(10,3) as b", (Decimal("12345.678"), Decimal("-0.001"))),
    ("select %s::date as a, %s::time as b", (date(2026, 2, 28), time(23, 59, 59, 999999))),
    ("select %s::timestamp as a", (datetime(2026, 1, 2, 3, 4, 5, 600000),)),
    ("select %s::timestamptz as a", (datetime(2026, 7, 1, 12, tzinfo=timezone.utc),)),
    ("select %s::interval as a", (timedelta(days=3, hours=4, microseconds=5),)),
    ("select %s::bytea as a", (b"\x00\xff\\'",)),
    ("select %s::int4[] as a, %s::text[] as b", ([1, 2, None], ["a b", 'c"d', ""])),
    ("select 'NaN'::float8 as a, 'Infinity'::float8 as b, 1e-7::float8 as c, 0.1::float4 as d", ()),
    ("select n, n::float8 / 2 as h from generate_series(1, 5) as g(n) where n %% 2 = %s order by n", (1,)),
    ("select count(*) as n, sum(n) as s, min(n) as a, max(n) as b from generate_series(1, 100) as g(n)", ()),
    ("select 1/0", ()),
    ("select 'x'::int4", ()),
    ("select nope", ()),
    ("select * from no_such_table", ()),
    ("selec 1", ()),
]

# The same for asyncpg, which asks the server for the types of parameters.
ASYNCPG = [
    ("select $1::int4 + 1 as a, $2::text as b", (41, "é☃")),
    ("select $1::bool as a, $2::int2 as b, $3::int8 as c", (True, -7, -(2**63))),
    ("select $1::float4 as a, $2::float8 as b", (0.5, 1e300)),
    ("select $1::numeric as a", (Decimal("12345.6780"),)),
    ("select $1::date as a, $2::timestamp as b", (date(2026, 2, 28), datetime(2026, 1, 2, 3, 4, 5))),
    ("select $1::timestamptz as a", (datetime(2026, 7, 1, 12, tzinfo=timezone.utc),)),
    ("select $1::interval as a", (timedelta(days=3, hours=4),)),
    ("select $1::bytea as a", (b"\x00\xff",)),
    ("select $1::int4[] as a, $2::text[] as b", ([1, None, 3], ["x", "y z"])),
    ("select n from generate_series(1, 5) as g(n) where n > $1 order by n limit $2", (1, 3)),
    ("select upper($1) as u", ("straße",)),
    ("select 1/0", ()),
    ("select * from no_such_table", ()),
]

# Statements that Lakegate is known to answer otherwise or to refuse; docs/differences.md says how.
# One that comes to agree must leave the list.
DIFFERENT = {
    "select %s::numeric as a, %s::numeric(10,3) as b",
    "select $1::numeric as a",
    # asyncpg asks for the types of arrays by a query that is refused.
    "select $1::int4[] as a, $2::text[] as b",
    "select upper($1) as u",
}


def psycopg_outcomes(address: str, binary: bool) -> list[str]:
    host, port = address.split(":")
    outcomes = []
    with psycopg.connect(host=host, port=port, user="postgres", autocommit=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for prepare in (False, True):
            for text, values in PSYCOPG:
                try:
                    cursor = connection.cursor(binary=binary)
                    cursor.execute(text, values, prepare=prepare)
                    columns = [(column.name, column.type_code) for column in cursor.description]
                    outcomes.append(f"{columns} {cursor.fetchall()!r} {cursor.statusmessage}")
                except psycopg.Error as error:
                    outcomes.append(f"error {error.sqlstate}")
        # A transaction that fails refuses further statements until it is rolled back.
        connection.autocommit = False
        for text in ["select 1", "select 1/0", "select 2"]:
            try:
                outcomes.append(repr(connection.execute(text).fetchall()))
            except psycopg.Error as error:
                outcomes.append(f"error {error.sqlstate} {connection.info.transaction_status.name}")
        connection.rollback()
        with connection.pipeline():
            cursors = [connection.execute("select %s::int4 as a", (n,)) for n in range(5)]
            outcomes.append(repr([cursor.fetchone() for cursor in cursors]))
        connection.rollback()
    return outcomes


async def asyncpg_outcomes(address: str) -> list[str]:
    host, port = address.split(":")
    connection = await asyncpg.connect(host=host, port=int(port), user="postgres", database="postgres")
    outcomes = []
    try:
        for text, values in ASYNCPG:
            try:
                rows = await connection.fetch(text, *values)
                statement = await connection.prepare(text)
                types = [(column.name, column.type.name) for column in statement.get_attributes()]
                outcomes.append(f"{types} {[tuple(row) for row in rows]!r}")
            except asyncpg.PostgresError as error:
                outcomes.append(f"error {error.sqlstate}")
        async with connection.transaction():
            cursor = connection.cursor("select n from generate_series(1, 120) as g(n)", prefetch=50)
            outcomes.append(repr([row["n"] async for row in cursor]))
        await connection.reset()
    finally:
        await connection.close()
    return outcomes


def differences(name: str, texts: list[str], ours: list[str], theirs: list[str]) -> list[str]:
    assert len(ours) == len(theirs) > len(texts)
    failures = []
    # What comes after the statements' outcomes has no statement of its own.
    for text, a, b in itertools.zip_longest(texts, ours, theirs):
        if a != b and text not in DIFFERENT:
            failures.append(f"{name}: {text}\n  postgres {b}\n  lakegate {a}")
        if a == b and text in DIFFERENT:
            failures.append(f"{name}: {text}: no longer different, so take it off the list")
    return failures


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--postgres", required=True)
    arguments = parser.parse_args()
    failures = []
    for binary in (False, True):
        both = [psycopg_outcomes(address, binary) for address in (arguments.gateway, arguments.postgres)]
        texts = [text for text, _ in PSYCOPG] * 2
        failures += differences(f"psycopg, binary={binary}", texts, *both)
    both = [asyncio.run(asyncpg_outcomes(address)) for address in (arguments.gateway, arguments.postgres)]
    failures += differences("asyncpg", [text for text, _ in ASYNCPG], *both)
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
