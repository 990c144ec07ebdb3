"""How a program reaches the server through psqlODBC."""

from pathlib import Path
from typing import Any

import answers

DRIVER = next(Path("/usr/lib").glob("*/odbc/psqlodbcw.so"), Path("psqlodbcw.so"))


def connection_string(**options: Any) -> str:
    server = answers.server()
    # The certificate to check by, libpq finds in PGSSLROOTCERT.
    given = {"Driver": DRIVER, "Server": server["host"], "Port": server["port"], "Database": server["dbname"],
             "Uid": server["user"], "Pwd": server["password"], "SSLmode": server["sslmode"], **options}
    return ";".join(f"{name}={value}" for name, value in given.items())
