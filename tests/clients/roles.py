"""The same roles, grants and queries on Lakegate and on PostgreSQL: the same rows, or the same SQLSTATE.

    python3 roles.py --gateway PORT --postgres HOST:PORT --seed N --steps N

First a written list of steps, then random ones. Each step is a statement of one session; both
servers have the same sessions. Lakegate's superuser is `ada`, PostgreSQL's `postgres`; every role of the
test has the same password. Any difference is printed, and the exit status is 1.
"""

import argparse
import random
import re
import sys
from collections import Counter

import psycopg

PASSWORD = "geheim"
ROOT = "root"
# Whoever owns the database, and the superuser of the test.
OWNERS = re.compile(r"\b(postgres|lakegate|ada)\b")
NAMES = ["rt_a", "rt_b", "rt_c", "rt_d", "rt_e"]


class Server:
    """One of the two, with a session for each role that asked for one."""

    def __init__(self, host, port, database, superuser):
        self.place = {"host": host, "port": port, "dbname": database}
        self.superuser = superuser
        self.sessions = {}

    def session(self, user):
        if user not in self.sessions:
            name = self.superuser if user == ROOT else user
            self.sessions[user] = psycopg.connect(**self.place, user=name, password=PASSWORD, autocommit=True)
        return self.sessions[user]

    def close(self, user):
        if user in self.sessions:
            self.sessions.pop(user).close()

    def run(self, user, sql):
        """Rows as text, or the SQLSTATE."""
        try:
            session = self.session(user)
        except psycopg.OperationalError:
            return "no login"
        try:
            with session.cursor() as cursor:
                cursor.execute(sql)
                rows = cursor.fetchall() if cursor.description else []
            # The settings of a role come in any order.
            rows = [[sorted(value) if isinstance(value, list) else value for value in row] for row in rows]
            return sorted(tuple(OWNERS.sub("owner", str(value)) for value in row) for row in rows)
        except psycopg.Error as error:
            return f"{error.sqlstate}"


class Both:
    """Runs every step on both, and tells where they differ."""

    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs
        self.n_steps, self.differences = 0, []

    def step(self, user, sql):
        self.n_steps += 1
        theirs, ours = (server.run(user, sql.replace("{database}", server.place["dbname"]))
                        for server in (self.theirs, self.ours))
        # A relation that may not be read is refused before its columns, and other names, are looked at.
        # PostgreSQL calls it an internal error that a role is administered by way of one that is not inherited.
        is_earlier = ours == "42501" and theirs in ("42703", "42P01", "XX000")
        if theirs != ours and not is_earlier:
            self.tell(f"{user}: {sql}", theirs, ours)
        return theirs

    def tell(self, what, theirs, ours):
        """Keeps a difference: of two lists of rows what only one of them has."""
        if isinstance(theirs, list) and isinstance(ours, list) and theirs != ours:
            theirs, ours = Counter(theirs), Counter(ours)
            theirs, ours = list((theirs - ours).elements()), list((ours - theirs).elements())
        self.differences.append(f"{what}\n  PostgreSQL {theirs}\n  Lakegate   {ours}")

    def close(self, user):
        self.ours.close(user)
        self.theirs.close(user)


MEMBERS = """
select r.rolname, m.rolname, g.rolname, a.admin_option, a.inherit_option, a.set_option
from pg_auth_members a join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member
     join pg_roles g on g.oid = a.grantor
where r.rolname like 'rt\\_%' or m.rolname like 'rt\\_%' or m.rolname like 'pg\\_%'"""
ROLES = """
select rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit,
       rolbypassrls, rolvaliduntil, rolconfig
from pg_roles where rolname like 'rt\\_%' or rolname like 'pg\\_%'"""

ROLE_STEPS = [
    (ROOT, f"create role rt_a login createrole password '{PASSWORD}'"),
    (ROOT, f"create user rt_b noinherit password '{PASSWORD}'"),
    (ROOT, f"create role rt_c login createdb bypassrls replication connection limit 7 password '{PASSWORD}'"),
    (ROOT, f"create role rt_d valid until '2031-01-01' login password '{PASSWORD}'"),
    (ROOT, f"create group rt_e admin rt_d role rt_c password '{PASSWORD}' login"),
    (ROOT, "create role rt_a"),
    (ROOT, "create role pg_mine"),
    (ROOT, "create role \"public\""),
    (ROOT, "create role \"none\""),
    (ROOT, "create role rt_x login nologin"),
    (ROOT, "create role rt_x in role rt_nobody"),
    (ROOT, "drop role if exists rt_nobody"),
    (ROOT, "drop role rt_nobody"),
    (ROOT, "drop role pg_monitor"),
    (ROOT, "alter role pg_monitor login"),
    (ROOT, "grant rt_a to rt_a"),
    (ROOT, "grant rt_b to rt_c"),
    (ROOT, "grant rt_c to rt_b"),
    (ROOT, "grant rt_b to rt_c with inherit false"),
    (ROOT, "grant rt_b to rt_c with admin true, set false"),
    (ROOT, "revoke set option for rt_b from rt_c"),
    (ROOT, "grant public to rt_a"),
    (ROOT, "grant rt_nobody to rt_a"),
    (ROOT, "revoke rt_d from rt_e"),
    (ROOT, "grant pg_read_all_stats, pg_monitor to rt_d"),
    ("rt_d", "grant rt_e to rt_a"),
    ("rt_d", "grant rt_e to rt_b with admin option"),
    ("rt_b", "grant rt_e to rt_d with admin option"),
    ("rt_b", "grant rt_e to rt_c granted by rt_b"),
    (ROOT, "drop role rt_d"),
    (ROOT, "revoke admin option for rt_e from rt_d"),
    (ROOT, MEMBERS),
    (ROOT, "revoke admin option for rt_e from rt_d cascade"),
    (ROOT, MEMBERS),
    ("rt_a", "create role rt_y"),
    ("rt_a", "create role rt_z superuser"),
    ("rt_a", "create role rt_z createdb"),
    ("rt_a", "alter role rt_y login connection limit 3"),
    ("rt_a", "alter role rt_b login"),
    ("rt_a", "alter role rt_y superuser"),
    ("rt_a", "alter role rt_y createdb"),
    ("rt_a", "grant rt_y to rt_b"),
    ("rt_a", "alter role rt_y rename to rt_yy"),
    ("rt_a", "alter role rt_a rename to rt_aa"),
    ("rt_a", "drop role rt_b"),
    ("rt_b", "create role rt_z"),
    ("rt_b", "alter role rt_c password 'x'"),
    ("rt_b", f"alter role current_user password '{PASSWORD}'"),
    ("rt_b", "alter role rt_b connection limit 3"),
    ("rt_b", "alter role rt_b set search_path = a, b"),
    ("rt_b", "alter role rt_c set search_path = a"),
    ("rt_b", "alter role all set work_mem = '8MB'"),
    ("rt_b", "alter role rt_b set no_such = 1"),
    ("rt_b", "alter role rt_b set extra_float_digits = 'x'"),
    ("rt_b", "drop role rt_e"),
    ("rt_b", "set role rt_c"),
    ("rt_b", "set role rt_nobody"),
    ("rt_b", "set role rt_yy"),
    ("rt_b", "select current_user, session_user, user, current_role"),
    ("rt_b", "show role"),
    ("rt_b", "reset role"),
    ("rt_b", "show role"),
    ("rt_b", "set session authorization rt_c"),
    ("rt_b", "set session authorization rt_b"),
    ("rt_b", "begin; set local role rt_yy; select current_user"),
    ("rt_b", "commit; select current_user"),
    ("rt_b", "begin; set role rt_yy; select current_user"),
    ("rt_b", "rollback; select current_user"),
    ("rt_b", "set role rt_yy; reset all; select current_user"),
    ("rt_b", "discard all"),
    ("rt_b", "select current_user"),
    ("rt_b", "select set_config('role', 'rt_yy', false)"),
    ("rt_b", "select current_user, session_user"),
    ("rt_b", "select set_config('role', 'rt_c', false)"),
    ("rt_b", "set role none"),
    (ROOT, "set session authorization rt_b"),
    (ROOT, "select current_user, session_user"),
    (ROOT, "set role rt_c"),
    (ROOT, "set role rt_yy"),
    (ROOT, "show is_superuser"),
    (ROOT, "create role rt_z"),
    (ROOT, "reset session authorization"),
    (ROOT, "select current_user, session_user"),
    (ROOT, "set role rt_c"),
    (ROOT, "show is_superuser"),
    (ROOT, "create role rt_z"),
    (ROOT, "reset role"),
    (ROOT, "alter role rt_c set role = 'rt_b'"),
    (ROOT, "alter role rt_c reset role"),
    (ROOT, "alter role rt_d set extra_float_digits to 3"),
    (ROOT, "alter role all set intervalstyle = 'postgres'"),
    ("rt_d", "show extra_float_digits"),
    (ROOT, "alter role all reset all"),
    (ROOT, "select setconfig from pg_db_role_setting where setdatabase = 0"),
    (ROOT, "alter group rt_yy add user rt_c, rt_d"),
    (ROOT, "alter group rt_yy drop user rt_c"),
    (ROOT, "grant rt_e to rt_yy"),
    (ROOT, "revoke rt_b from rt_c granted by rt_a"),
    # What was granted by way of the ADMIN option stays where GRANT takes the option back, and for good.
    (ROOT, "grant rt_c to rt_d with admin true"),
    (ROOT, "grant rt_c to rt_e granted by rt_d"),
    (ROOT, "grant rt_c to rt_d with admin false"),
    (ROOT, MEMBERS),
    (ROOT, "revoke rt_c from rt_d"),
    (ROOT, MEMBERS),
    (ROOT, "revoke rt_c from rt_e granted by rt_d"),
    (ROOT, MEMBERS),
    (ROOT, "drop role rt_yy"),
]


def has_role(random_):
    role, user = random_.choice(NAMES), random_.choice(NAMES)
    word = random_.choice(["member", "usage", "set", "member with admin option", "usage, set"])
    return f"select pg_has_role('{user}', '{role}', '{word}')"


def random_role_step(random_):
    """A user, and a statement about roles."""
    user = random_.choice([ROOT, ROOT, *NAMES])
    one, other = random_.choice(NAMES), random_.choice(NAMES)
    options = ", ".join(random_.sample(["admin true", "admin false", "inherit true", "inherit false", "set true",
                                        "set false"], random_.randint(1, 2)))
    option = random_.choice(["", "", "admin option for ", "inherit option for ", "set option for "])
    by = random_.choice(["", "", "", f" granted by {random_.choice(NAMES)}"])
    statement = random_.choice([
        f"grant {one} to {other}{by}",
        f"grant {one} to {other} with {options}{by}",
        f"revoke {option}{one} from {other}{by}",
        f"revoke {option}{one} from {other}{by} cascade",
        f"alter role {one} {random_.choice(['', 'no'])}{random_.choice(['inherit', 'createrole', 'bypassrls'])}",
        f"set role {one}; select current_user, session_user",
        "reset role",
        has_role(random_),
        has_role(random_),
        f"alter role {one} set application_name = 'x'",
        f"alter role {one} reset all",
    ])
    return user, statement


TABLES = {"rt_s1.t1": "abc", "rt_s1.t2": "ab", "rt_s2.t3": "ad"}
VIEWS = ["rt_s1.v1", "rt_s2.v2", "rt_s2.v3"]
SCHEMAS = ["rt_s1", "rt_s2"]

PRIVILEGE_SETUP = [
    *((ROOT, f"create role {name} login password '{PASSWORD}'") for name in NAMES),
    (ROOT, "grant rt_a to rt_b"),
    (ROOT, "grant rt_c to rt_d with inherit false"),
]

PRIVILEGE_STEPS = [
    ("rt_a", "select * from rt_s1.t1"),
    ("rt_a", "select * from rt_s1.nothing_there"),
    ("rt_a", "select * from rt_s9.nothing_there"),
    (ROOT, "grant usage on schema rt_s1 to rt_a"),
    ("rt_a", "select * from rt_s1.t1"),
    ("rt_a", "select * from rt_s1.nothing_there"),
    (ROOT, "grant select on rt_s1.t1 to rt_a"),
    ("rt_a", "select * from rt_s1.t1"),
    ("rt_b", "select * from rt_s1.t1"),
    ("rt_c", "select * from rt_s1.t1"),
    ("rt_d", "select * from rt_s1.t1"),
    (ROOT, "grant usage on schema rt_s1 to public"),
    (ROOT, "grant select (a, b) on rt_s1.t1 to rt_c"),
    (ROOT, "grant select (nope) on rt_s1.t1 to rt_c"),
    ("rt_c", "select a from rt_s1.t1"),
    ("rt_c", "select c from rt_s1.t1"),
    ("rt_c", "select * from rt_s1.t1"),
    ("rt_c", "select count(*) from rt_s1.t1"),
    ("rt_c", "select a from rt_s1.t1 where c = 3"),
    ("rt_c", "select a from rt_s1.t1 order by c"),
    ("rt_c", "select t.a from rt_s1.t1 as t group by t.a having max(t.c) > 0"),
    ("rt_c", "select a from (select a, c from rt_s1.t1) as x"),
    ("rt_c", "with x as (select * from rt_s1.t1) select a from x"),
    ("rt_c", "select (select max(c) from rt_s1.t1)"),
    ("rt_c", "select a from rt_s1.t1 where exists (select 1 from (values (1)) as o(z) where o.z = t1.c)"),
    ("rt_c", "select a from rt_s1.t1 where a in (select c from rt_s1.t1)"),
    ("rt_c", "select l.a from rt_s1.t1 as l join rt_s1.t1 as r using (a)"),
    ("rt_c", "select l.a from rt_s1.t1 as l join rt_s1.t1 as r using (c)"),
    ("rt_c", "select l.a from rt_s1.t1 as l join rt_s1.t1 as r on l.b = r.b"),
    ("rt_c", "select l.a from rt_s1.t1 as l join rt_s1.t1 as r on l.b = r.c"),
    ("rt_c", "select sum(a) over (partition by b) from rt_s1.t1"),
    ("rt_c", "select sum(a) over (partition by c) from rt_s1.t1"),
    ("rt_c", "select a from rt_s1.t1 union all select c from rt_s1.t1"),
    ("rt_c", "select distinct on (a) a from rt_s1.t1"),
    ("rt_c", "select has_column_privilege('rt_s1.t1', 'a', 'select'), has_column_privilege('rt_s1.t1', 'c', 'select')"),
    ("rt_c", "explain select c from rt_s1.t1"),
    ("rt_c", "prepare p as select c from rt_s1.t1"),
    ("rt_c", "execute p"),
    (ROOT, "grant select on rt_s1.t1 to rt_c"),
    ("rt_c", "execute p"),
    (ROOT, "revoke select on rt_s1.t1 from rt_c"),
    ("rt_c", "execute p"),
    ("rt_c", "select a from rt_s1.t1"),
    (ROOT, "grant insert on schema rt_s1 to rt_c"),
    (ROOT, "grant usage on rt_s1.t1 to rt_c"),
    (ROOT, "grant usage (a) on rt_s1.t1 to rt_c"),
    (ROOT, "grant select on rt_s1.t1 to public with grant option"),
    (ROOT, "grant select on rt_s1.t1 to rt_d with grant option"),
    ("rt_d", "grant select on rt_s1.t1 to rt_e with grant option"),
    ("rt_e", "grant select on rt_s1.t1 to rt_d with grant option"),
    ("rt_e", "grant select on rt_s1.t1 to rt_c"),
    ("rt_e", "grant all on rt_s1.t1 to rt_c"),
    ("rt_c", "grant select on rt_s1.t1 to rt_a"),
    ("rt_c", "grant select on rt_s2.t3 to rt_a"),
    (ROOT, "revoke grant option for select on rt_s1.t1 from rt_d"),
    (ROOT, "revoke grant option for select on rt_s1.t1 from rt_d cascade"),
    ("rt_e", "select * from rt_s1.t1"),
    ("rt_d", "select * from rt_s1.t1"),
    ("rt_a", "create view rt_s1.v1 as select a, b from rt_s1.t1"),
    (ROOT, "grant create on schema rt_s1 to rt_a"),
    ("rt_a", "create view rt_s1.v1 as select a, b from rt_s1.t1"),
    ("rt_a", "create view rt_s1.v9 as select * from rt_s2.t3"),
    ("rt_c", "select * from rt_s1.v1"),
    ("rt_a", "grant select on rt_s1.v1 to rt_c"),
    ("rt_c", "select * from rt_s1.v1"),
    (ROOT, "revoke select on rt_s1.t1 from rt_a"),
    ("rt_c", "select * from rt_s1.v1"),
    (ROOT, "select * from rt_s1.v1"),
    (ROOT, "grant select on rt_s1.t1 to rt_a"),
    ("rt_c", "drop view rt_s1.v1"),
    ("rt_c", "create or replace view rt_s1.v1 as select a, b from rt_s1.t1"),
    ("rt_c", "alter view rt_s1.v1 rename to v2"),
    ("rt_c", "alter view rt_s1.v1 owner to rt_c"),
    ("rt_a", "alter view rt_s1.v1 owner to rt_c"),
    ("rt_a", "comment on view rt_s1.v1 is 'x'"),
    ("rt_c", "comment on view rt_s1.v1 is 'x'"),
    ("rt_a", "comment on table rt_s1.t1 is 'x'"),
    ("rt_a", "create view rt_s1.v5 with (security_invoker = true) as select a, b from rt_s1.t1"),
    ("rt_a", "grant select on rt_s1.v5 to rt_c, rt_b"),
    ("rt_c", "select * from rt_s1.v5"),
    ("rt_b", "select * from rt_s1.v5"),
    ("rt_a", "drop view rt_s1.v5"),
    (ROOT, "drop role rt_a"),
    (ROOT, "alter default privileges for role rt_a in schema rt_s1 grant select on tables to rt_d"),
    ("rt_a", "create view rt_s1.v6 as select 1 as one"),
    ("rt_d", "select * from rt_s1.v6"),
    ("rt_c", "select * from rt_s1.v6"),
    ("rt_c", "alter default privileges for role rt_a grant select on tables to rt_d"),
    ("rt_a", "drop view rt_s1.v6"),
    ("rt_a", "create schema rt_mine"),
    (ROOT, "grant create on database {database} to rt_a"),
    ("rt_a", "create schema rt_mine"),
    ("rt_a", "create view rt_mine.v as select 1 as one"),
    ("rt_c", "drop schema rt_mine cascade"),
    ("rt_c", "select * from rt_mine.v"),
    ("rt_a", "drop schema rt_mine cascade"),
    ("rt_a", "select table_name from information_schema.tables where table_schema like 'rt%'"),
    ("rt_e", "select table_name from information_schema.tables where table_schema like 'rt%'"),
    ("rt_c", "select column_name from information_schema.columns where table_schema like 'rt%'"),
    ("rt_c", "select schema_name from information_schema.schemata where schema_name like 'rt%'"),
    ("rt_c", "select table_name, view_definition is null from information_schema.views where table_schema like 'rt%'"),
    (ROOT, "grant pg_read_all_data to rt_e"),
    ("rt_e", "select * from rt_s2.t3"),
    ("rt_e", "select rolname from pg_authid where rolname like 'rt%'"),
    ("rt_e", "select usename from pg_shadow where usename like 'rt%'"),
    (ROOT, "revoke pg_read_all_data from rt_e"),
    ("rt_e", "select * from rt_s2.t3"),
    (ROOT, "reassign owned by rt_a to rt_c"),
    ("rt_a", "select * from rt_s1.v1"),
    ("rt_c", "drop view rt_s1.v1"),
    (ROOT, "drop owned by rt_a"),
    ("rt_a", "select * from rt_s1.t1"),
    ("rt_a", "set search_path = rt_s2, rt_s1"),
    ("rt_a", "select * from t3"),
    ("rt_a", "select current_schemas(false)"),
]

PRIVILEGES = """
select grantor, grantee, table_schema, table_name, privilege_type, is_grantable
from information_schema.table_privileges where table_schema like 'rt%'"""
COLUMN_PRIVILEGES = """
select grantor, grantee, table_schema, table_name, column_name, privilege_type, is_grantable
from information_schema.column_privileges where table_schema like 'rt%'"""
ACLS = [
    "select n.nspname, c.relname, array_to_string(c.relacl, ',') from pg_class c join pg_namespace n on n.oid = c.relnamespace"
    " where n.nspname like 'rt%'",
    "select nspname, array_to_string(nspacl, ',') from pg_namespace where nspname like 'rt%'",
    "select c.relname, a.attname, array_to_string(a.attacl, ',') from pg_attribute a join pg_class c on c.oid = a.attrelid"
    " join pg_namespace n on n.oid = c.relnamespace where n.nspname like 'rt%' and a.attacl is not null",
]


def random_query(random_):
    relation = random_.choice([*TABLES, *TABLES, *VIEWS])
    column = random_.choice("abcd")
    return random_.choice([
        f"select * from {relation}",
        f"select {column} from {relation}",
        f"select count(*) from {relation}",
        f"select 1 as one from {relation} where {column} > 0",
        f"select 1 as one from {relation} as x order by {column}",
        f"with x as (select {column} from {relation}) select count(*) from x",
        f"select 1 as one from rt_s1.t2 as l, {relation} as r where l.a = r.{column}",
        f"select 1 as one from rt_s1.t2 as o where exists (select 1 from {relation} as i where i.{column} = o.b)",
        f"select has_table_privilege('{random_.choice(NAMES)}', '{relation}', 'select')",
        f"select has_any_column_privilege('{random_.choice(NAMES)}', '{relation}', 'select, update')",
        f"select has_schema_privilege('{random_.choice(NAMES)}', '{random_.choice(SCHEMAS)}', 'create')",
        f"select has_table_privilege('{random_.choice(NAMES)}', '{relation}', 'select with grant option')",
    ])


def random_grant(random_, step):
    """GRANT or REVOKE, the latter never from an owner, whose privileges cannot be revoked here."""
    relation = random_.choice([*TABLES, *TABLES, *VIEWS])
    what = random_.choice([
        f"select on {relation}",
        f"select on {relation}",
        f"select, update on {relation}",
        f"select ({random_.choice('abcd')}) on {relation}",
        f"select ({random_.choice('abd')}, a) on {relation}",
        f"usage on schema {random_.choice(SCHEMAS)}",
        f"create on schema {random_.choice(SCHEMAS)}",
        f"select on all tables in schema {random_.choice(SCHEMAS)}",
    ])
    role = random_.choice([*NAMES, *NAMES, "public"])
    owners = step(ROOT, "select viewowner from pg_views where schemaname like 'rt%'")
    if random_.random() < 0.6:
        return f"grant {what} to {role}{random_.choice(['', '', ' with grant option'])}"
    if (role,) in owners:
        return "select 1"
    return f"revoke {random_.choice(['', '', 'grant option for '])}{what} from {role}{random_.choice(['', ' cascade'])}"


def random_privilege_step(random_, step):
    user = random_.choice([ROOT, *NAMES])
    kind = random_.random()
    if kind < 0.5:
        return random_.choice(NAMES), random_query(random_)
    if kind < 0.8:
        return user, random_grant(random_, step)
    view, role, user = random_.choice(VIEWS), random_.choice(NAMES), random_.choice(NAMES)
    # What an owner has cannot be revoked here, and so not by default: the owner is whom the session runs as.
    [(owner,)] = step(user, "select current_user")
    other = random_.choice([name for name in NAMES if name != owner])
    return user, random_.choice([
        f"create view {view} as select a, b from {random_.choice(['rt_s1.t1', 'rt_s1.t2'])}",
        f"create view {view} with (security_invoker = true) as select a from {random_.choice(list(TABLES))}",
        f"drop view {view}",
        f"alter view {view} owner to {role}",
        f"alter default privileges in schema {random_.choice(SCHEMAS)} grant select on tables to {role}",
        f"alter default privileges revoke select on tables from {other}",
        f"set role {role}",
        "reset role",
        "select current_user, session_user",
    ])


def without_defaults(rows):
    """An acl without what its owner has anyway, and in order: whether that is written down tells nothing."""
    if isinstance(rows, str):
        return rows
    seen = []
    for *names, acl in rows:
        items = sorted(acl.strip("{}").replace('"', "").split(",")) if acl != "None" else []
        kept = [item for item in items if item.split("=")[0] != item.split("/")[1]]
        if kept:
            seen.append((*names, *kept))
    return sorted(seen)


def make_tables(server):
    server.run(ROOT, "drop schema if exists rt_s1, rt_s2, rt_mine cascade")
    for schema in SCHEMAS:
        server.run(ROOT, f"create schema {schema}")
    for table, columns in TABLES.items():
        server.run(ROOT, f"create table {table} as select " + ", ".join(f"{n} as {c}" for n, c in enumerate(columns, 1)))


def compare_privileges(both, random_, n_steps):
    make_tables(both.theirs)
    for user, sql in [*PRIVILEGE_SETUP, *PRIVILEGE_STEPS]:
        both.step(user, sql)
    for _ in range(n_steps):
        both.step(*random_privilege_step(random_, both.theirs.run))
    for user in [ROOT, *NAMES]:
        both.step(user, "reset role")
        both.step(user, PRIVILEGES)
        both.step(user, COLUMN_PRIVILEGES)
    for look in ACLS:
        theirs, ours = (without_defaults(server.run(ROOT, look)) for server in (both.theirs, both.ours))
        if theirs != ours:
            both.tell(look, theirs, ours)


def forget(server):
    """Takes away what an earlier run left."""
    found = server.session(ROOT).execute("select rolname from pg_roles where rolname like 'rt\\_%'").fetchall()
    for (name,) in found:
        server.run(ROOT, f"drop owned by {name} cascade")
    for (name,) in found:
        server.run(ROOT, f"drop role {name}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", type=int, required=True)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--steps", type=int, default=600)
    given = parser.parse_args()
    print(f"seed {given.seed}")
    host, port = given.postgres.split(":")
    place = {"host": host, "port": int(port), "user": "postgres"}
    database = "rt_roles"
    with psycopg.connect(**place, dbname="postgres", autocommit=True) as server:
        server.execute(f"drop database if exists {database} with (force)")
        server.execute(f"create database {database}")
    both = Both(Server("127.0.0.1", given.gateway, "lake", "ada"), Server(host, int(port), database, "postgres"))
    random_ = random.Random(given.seed)
    forget(both.theirs)
    compare_roles(both, random_, given.steps)
    for server in (both.theirs, both.ours):
        for user in NAMES:
            server.close(user)
        server.run(ROOT, "reset role")
        forget(server)
    compare_privileges(both, random_, given.steps)
    forget(both.theirs)
    for difference in both.differences:
        print(difference)
    print(f"{both.n_steps} steps, {len(both.differences)} differences")
    sys.exit(1 if both.differences else 0)


def compare_roles(both, random_, n_steps):
    for user, sql in ROLE_STEPS:
        both.step(user, sql)
    for look in (MEMBERS, ROLES):
        both.step(ROOT, look)
    for _ in range(n_steps):
        both.step(*random_role_step(random_))
    for look in (MEMBERS, ROLES):
        both.step(ROOT, look)


if __name__ == "__main__":
    main()
