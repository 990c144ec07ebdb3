"""Every method of SQLAlchemy's inspector, and reflected tables, on every relation of the database and of the system.

SQLAlchemy 2 and 1.4 are both run by this; what only one of them has is asked of that one.
"""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import sqlalchemy
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SAWarning
from sqlalchemy.schema import CreateTable

import answers
from sqlalchemy_engine import engine

SYSTEM_SCHEMAS = ("pg_catalog", "information_schema")
# Of one relation.
OF_RELATION = ("get_columns", "get_pk_constraint", "get_foreign_keys", "get_unique_constraints", "get_check_constraints",
               "get_indexes", "get_table_comment", "get_table_options", "get_view_definition")
# Of a schema: lists of names, or of descriptions.
OF_SCHEMA = ("get_table_names", "get_view_names", "get_materialized_view_names", "get_foreign_table_names", "get_sequence_names",
             "get_enums", "get_domains", "get_sorted_table_and_fkc_names")
# Of all relations of a schema at once; SQLAlchemy 2 has these.
OF_ALL_RELATIONS = ("get_multi_columns", "get_multi_pk_constraint", "get_multi_foreign_keys", "get_multi_unique_constraints",
                    "get_multi_check_constraints", "get_multi_indexes", "get_multi_table_comment", "get_multi_table_options")


def shown(value: Any) -> Any:
    """A value in one way: types as SQL, names in a set order where the inspector promises none."""
    if isinstance(value, dict):
        return {str(key): shown(of) for key, of in sorted(value.items(), key=lambda item: str(item[0]))}
    if isinstance(value, (list, tuple)):
        elements = [shown(of) for of in value]
        return elements if any(isinstance(of, (dict, list)) for of in elements) else sorted(elements, key=str)
    if isinstance(value, sqlalchemy.types.TypeEngine):
        return repr(value)
    return value


def attempt(way: str, name: str, run: Callable[[], Any]) -> Any:
    def guarded() -> Any:
        try:
            return shown(run())
        except DBAPIError as error:
            raise answers.Failed(error.orig.pgcode or str(error.orig)) from error
        except NoSuchTableError as error:
            raise answers.Failed(f"no such table {error}") from error
        except (NotImplementedError, AttributeError) as error:
            # SQLAlchemy 1.4 does not do all that its inspector has methods for.
            raise answers.Failed(f"of SQLAlchemy: {type(error).__name__}") from error
    return answers.attempt(name, guarded, way)


def in_order(description: list) -> list:
    """Constraints and indexes by their names: they come in no order."""
    return sorted(description, key=lambda of: str(of.get("name"))) if isinstance(description, list) else description


def of_relations(inspector: Any, way: str, schema: str, names: list[str]) -> None:
    for name in sorted(names):
        for method in filter(lambda method: hasattr(inspector, method), OF_RELATION):
            def described() -> Any:
                came = getattr(inspector, method)(name, schema)
                return came if method == "get_columns" else in_order(came)
            attempt(way, f"{method} {schema}.{name}", described)


def of_schemas(inspector: Any, way: str) -> None:
    for schema in ("shop", "public", "no_such_schema"):
        for method in filter(lambda method: hasattr(inspector, method), OF_SCHEMA):
            # Tables that do not depend on each other come in no order.
            attempt(way, f"{method} {schema}", lambda: sorted(map(str, getattr(inspector, method)(schema))))
        for method in filter(lambda method: hasattr(inspector, method), OF_ALL_RELATIONS):
            for scope in ("DEFAULT", "ANY"):
                attempt(way, f"{method} {schema} {scope}", lambda: in_multi(inspector, method, schema, scope))


def in_multi(inspector: Any, method: str, schema: str, scope: str) -> dict:
    from sqlalchemy.engine.reflection import ObjectKind, ObjectScope
    came = getattr(inspector, method)(schema=schema, kind=ObjectKind.ANY, scope=ObjectScope[scope])
    return {key: of if method == "get_multi_columns" else in_order(of) for key, of in came.items()}


def one_by_one(inspector: Any, way: str) -> None:
    """What asks for one thing by its name, and what has no argument."""
    for method in ("get_schema_names", "get_temp_table_names", "get_temp_view_names"):
        attempt(way, method, lambda: [name for name in getattr(inspector, method)() if name != "lakegate"])
    attempt(way, "default_schema_name", lambda: inspector.default_schema_name)
    for name, schema in (("buyers", "shop"), ("mv", "shop"), ("Orders", None), ("orders", None), ("pg_class", "pg_catalog"), ("x", "y")):
        attempt(way, f"has_table {schema}.{name}", lambda: inspector.has_table(name, schema))
        attempt(way, f"get_table_oid {schema}.{name}", lambda: inspector.get_table_oid(name, schema) > 0)
    for name in ("shop", "x"):
        if hasattr(inspector, "has_schema"):
            attempt(way, f"has_schema {name}", lambda: inspector.has_schema(name))
        if hasattr(inspector, "has_type"):
            attempt(way, f"has_type {name}", lambda: inspector.has_type(name, "shop"))
        attempt(way, f"has_sequence {name}", lambda: inspector.has_sequence(name, "shop"))
    if hasattr(inspector, "has_index"):
        attempt(way, "has_index", lambda: inspector.has_index("buyers", "buyers_pkey", "shop"))


def reflected(on: sqlalchemy.engine.Engine, schema: str, views: bool) -> list:
    """The tables of a schema as SQLAlchemy would make them again, in the order in which they depend on each other."""
    metadata = MetaData()
    metadata.reflect(bind=on, schema=schema, views=views)
    made = [str(CreateTable(table).compile(on)) for table in metadata.sorted_tables]
    comments = [(str(of), of.comment) for table in metadata.sorted_tables for of in (table, *table.columns) if of.comment]
    return [{"made": made}, {"comments": comments}]


def main() -> None:
    sys.stdin.read()
    # The system's relations have types that SQLAlchemy has no class for.
    warnings.simplefilter("ignore", SAWarning)
    for driver in sys.argv[1:]:
        on = engine(driver)
        inspector = sqlalchemy.inspect(on)
        one_by_one(inspector, driver)
        of_schemas(inspector, driver)
        for schema in ("shop", "public"):
            of_relations(inspector, driver, schema, inspector.get_table_names(schema) + inspector.get_view_names(schema))
            for views in (False, True):
                attempt(driver, f"MetaData.reflect {schema} views={views}", lambda: reflected(on, schema, views))
        of_relations(inspector, driver, "shop", ["no_such_table"])
        for schema in SYSTEM_SCHEMAS if hasattr(inspector, "get_multi_columns") else ():
            attempt(driver, f"get_multi_columns {schema}", lambda: in_multi(inspector, "get_multi_columns", schema, "ANY"))
        on.dispose()


main()
