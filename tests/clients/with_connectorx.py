"""connectorx, by which polars and others read: tokio-postgres in four ways, and TLS by OpenSSL."""

import sys
from typing import Any
from urllib.parse import quote

import connectorx

import answers

# Columns that connectorx reads in every of its ways.
COLUMNS = "id flag small number big single double price label day clock moment instant".split()
STATEMENTS = [
    *(f"select {column} from every_type.samples order by id" for column in COLUMNS),
    "select n, n::float8 / 4 as quarter, 'row ' || n::text as label from generate_series(1, 3000) as g(n) order by n",
    "select count(*) as n from every_type.samples",
]


def read(address: str, protocol: str, sql: str, **options: Any) -> Any:
    try:
        table = connectorx.read_sql(address, sql, protocol=protocol, return_type="arrow", **options)
    except RuntimeError as error:
        raise answers.Failed(str(error).partition("\n")[0]) from error
    return [(field.name, str(field.type)) for field in table.schema], table.to_pydict()


def main() -> None:
    sys.stdin.read()
    server = answers.server()
    secured = f"?sslmode=require&sslrootcert={quote(server['sslrootcert'], safe='')}" if server["sslrootcert"] else ""
    address = (f"postgresql://{server['user']}:{quote(server['password'])}@{server['host']}:{server['port']}"
               f"/{server['dbname']}{secured}")
    for protocol in ("binary", "csv", "cursor", "simple"):
        for sql in STATEMENTS:
            answers.attempt(sql, lambda: read(address, protocol, sql), protocol)
    sql = "select id, big, label from every_type.samples"
    answers.attempt("in partitions", lambda: sorted(
        map(str, zip(*read(address, "binary", sql, partition_on="id", partition_num=3)[1].values()))))


main()
