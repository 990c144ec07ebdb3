"""SQLAlchemy's engine for the server that is asked."""

import sqlalchemy
from sqlalchemy.engine import URL

import answers


def engine(driver: str) -> sqlalchemy.engine.Engine:
    server = answers.server()
    return sqlalchemy.create_engine(URL.create(
        f"postgresql+{driver}", server["user"], server["password"] or None, server["host"], int(server["port"]),
        server["dbname"]))
