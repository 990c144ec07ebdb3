"""Makes the objects of schema.sql in a PostgreSQL, and a lake of the same.

    objects.py FOLDER DSN DATABASE

DATABASE is made anew, and schema.sql run in it. FOLDER/lake gets a Delta table for each table, FOLDER/views what its keys, views and comments are here.
"""

import sys
from pathlib import Path

import psycopg
import pyarrow
from deltalake import write_deltalake

ARROW = {
    "bigint": pyarrow.int64(),
    "integer": pyarrow.int32(),
    "double precision": pyarrow.float64(),
    "boolean": pyarrow.bool_(),
    "date": pyarrow.date32(),
    "bytea": pyarrow.binary(),
    "text": pyarrow.string(),
    "text[]": pyarrow.list_(pyarrow.string()),
    "timestamp without time zone": pyarrow.timestamp("us"),
    "timestamp with time zone": pyarrow.timestamp("us", "UTC"),
}

COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""

RELATIONS = """
SELECT c.oid, c.relkind, nspname, relname, format('%I.%I', nspname, relname) FROM pg_class c
JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('shop', 'public') AND relkind IN ('r', 'v')"""

# Foreign keys come last, when all that they refer to is there.
KEYS = """
SELECT quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s AND contype IN ('p', 'f')
ORDER BY contype DESC"""

COMMENTS = """
SELECT attname, description FROM pg_description d LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND attnum > 0
WHERE objoid = %s AND classoid = 'pg_class'::regclass"""


def arrow_type(name: str) -> pyarrow.DataType:
    if name.startswith("numeric("):
        return pyarrow.decimal128(*map(int, name[8:-1].split(",")))
    return ARROW[name]


def make_database(dsn: str, database: str) -> None:
    with psycopg.connect(f"{dsn} dbname=postgres", autocommit=True) as postgres:
        postgres.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        postgres.execute(f"CREATE DATABASE {database}")
    with psycopg.connect(f"{dsn} dbname={database}") as postgres:
        postgres.execute((Path(__file__).parent / "schema.sql").read_text())


def main(folder: Path, dsn: str, database: str) -> None:
    make_database(dsn, database)
    with psycopg.connect(f"{dsn} dbname={database}") as postgres:
        for oid, kind, schema, name, quoted in postgres.execute(RELATIONS).fetchall():
            statements = []
            if kind == "v":
                query = postgres.execute("SELECT pg_get_viewdef(%s::oid)", (oid,)).fetchone()[0]
                statements.append(f"create view {quoted} as\n{query.strip()}")
            else:
                columns = postgres.execute(COLUMNS, (oid,)).fetchall()
                fields = [pyarrow.field(column, arrow_type(of), not never_null) for column, of, never_null in columns]
                rows = postgres.execute(f"SELECT * FROM {quoted}").fetchall()
                values = [[row[at] for row in rows] for at in range(len(fields))]
                table = pyarrow.Table.from_arrays(
                    [pyarrow.array(of, field.type) for of, field in zip(values, fields)], schema=pyarrow.schema(fields))
                write_deltalake(folder / "lake" / schema / name, table)
            for key, definition in postgres.execute(KEYS, (oid,)):
                statements.append(f"alter table {quoted} add constraint {key} {definition} not enforced;")
            for column, text in postgres.execute(COMMENTS, (oid,)):
                what = f"column {quoted}.{column}" if column else f"{'view' if kind == 'v' else 'table'} {quoted}"
                statements.append(f"comment on {what} is '{text}';")
            if statements:
                path = folder / "views" / schema / f"{name}.sql"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join(statements) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
