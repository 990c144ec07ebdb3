"""The same roles, grants and queries on Lakegate and on PostgreSQL: the same rows, or the same SQLSTATE.

    python3 roles.py --gateway PORT --postgres HOST:PORT --seed N --steps N

First a written list of steps, then random ones. Each step is a statement of one session; both
servers have the same sessions. Lakegate's superuser is `ada`, PostgreSQL's `postgres`; every role of the
test has the same password. Any difference is printed, and the exit status is 1.
"""

import argparse
import random
import sys

import psycopg

PASSWORD = "geheim"
ROOT = "root"
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
            return sorted(tuple(str(value).replace("postgres", "ada") for value in row) for row in rows)
        except psycopg.Error as error:
            return f"{error.sqlstate}"


class Both:
    """Runs every step on both, and tells where they differ."""

    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs
        self.n_steps, self.differences = 0, []

    def step(self, user, sql):
        self.n_steps += 1
        theirs, ours = self.theirs.run(user, sql), self.ours.run(user, sql)
        if theirs != ours:
            self.differences.append(f"{user}: {sql}\n  PostgreSQL {theirs}\n  Lakegate   {ours}")
        return theirs

    def close(self, user):
        self.ours.close(user)
        self.theirs.close(user)


MEMBERS = """
select r.rolname, m.rolname, replace(replace(g.rolname, 'lakegate', 'owner'), 'postgres', 'owner'),
       a.admin_option, a.inherit_option, a.set_option
from pg_auth_members a join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member
     join pg_roles g on g.oid = a.grantor"""
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
    both = Both(Server("127.0.0.1", given.gateway, "lake", "ada"), Server(host, int(port), "postgres", "postgres"))
    forget(both.theirs)
    for user, sql in ROLE_STEPS:
        both.step(user, sql)
    for look in (MEMBERS, ROLES):
        both.step(ROOT, look)
    random_ = random.Random(given.seed)
    for _ in range(given.steps):
        both.step(*random_role_step(random_))
    for look in (MEMBERS, ROLES):
        both.step(ROOT, look)
    for user in NAMES:
        both.close(user)
    forget(both.theirs)
    for difference in both.differences:
        print(difference)
    print(f"{both.n_steps} steps, {len(both.differences)} differences")
    sys.exit(1 if both.differences else 0)


if __name__ == "__main__":
    main()
