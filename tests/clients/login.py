#!/usr/bin/env python3
"""Connects by libpq once for each connection string, and prints what came of it, one JSON object a line.

Connected: {"user", "one", "tls" (whether it is encrypted), "protocol" (30002 is 3.2)}.
Refused: {"error": what libpq says}.
"""

import json
import sys

import psycopg


def attempt(conninfo: str) -> dict:
    try:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            user, one = connection.execute("select current_user, 1 as one").fetchone()
            pgconn = connection.pgconn
            return {"user": user, "one": one, "tls": bool(pgconn.ssl_in_use),
                    "protocol": pgconn.full_protocol_version}
    except psycopg.Error as error:
        return {"error": str(error)}


for conninfo in sys.argv[1:]:
    print(json.dumps(attempt(conninfo)), flush=True)
