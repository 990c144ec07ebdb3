"""The same row policies, column masks and queries on Lakegate and on PostgreSQL: the same rows, or the same SQLSTATE.

    python3 policies.py --gateway PORT --postgres HOST:PORT --seed N --policies N

Tables of the lake have row policies, as PostgreSQL's tables have. What PostgreSQL lacks, policies on views and
column masks, is written out there: a view with `security_barrier` for each role, whose conditions this program
chooses by the rules of the manual. Any difference is printed, and the exit status is 1.
"""

import argparse
import random
import re
import sys

import psycopg

PASSWORD = "geheim"
ROOT = "root"
ROLES = ["rp_a", "rp_b", "rp_c", "rp_d"]
GROUPS = ["rp_g1", "rp_g2"]
# Whose privileges each has, by inheritance.
INHERITS = {"rp_a": {"rp_a", "rp_g1"}, "rp_b": {"rp_b", "rp_g1", "rp_g2"}, "rp_c": {"rp_c"}, "rp_d": {"rp_d"},
            "rp_g1": {"rp_g1"}, "rp_g2": {"rp_g2"}}
TABLES = ["orders", "people", "acl"]
COLUMNS = {"orders": ["id", "owner", "region", "amount", "word"], "people": ["id", "owner", "level"], "acl": ["who", "region"]}
REGIONS = ["north", "south", "west"]
SECRETS = [0, 7, 12, 20, 21, 33, 40]
SETUP = [
    *(f"create role {name} login password '{PASSWORD}'" for name in ROLES),
    *(f"create role {name}" for name in GROUPS),
    "grant rp_g1 to rp_a, rp_b", "grant rp_g2 to rp_b", "grant rp_g2 to rp_c with inherit false",
    "alter role rp_d bypassrls",
    "grant usage on schema pt to public", "grant create on schema pt to rp_a, rp_c",
    "grant select on pt.orders, pt.people, pt.acl to rp_a, rp_b, rp_c, rp_d, rp_g1, rp_g2",
]


class Server:
    """One of the two, with a session for each role."""

    def __init__(self, host, port, database, superuser):
        self.place = {"host": host, "port": port, "dbname": database}
        self.superuser = superuser
        self.sessions = {}

    def session(self, user):
        if user not in self.sessions:
            name = self.superuser if user == ROOT else user
            self.sessions[user] = psycopg.connect(**self.place, user=name, password=PASSWORD, autocommit=True)
        return self.sessions[user]

    def run(self, user, sql, keeps_order=False):
        """Rows as text, or the SQLSTATE."""
        try:
            with self.session(user).cursor() as cursor:
                cursor.execute(sql)
                rows = cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            return f"{error.sqlstate}"
        rows = [tuple(str(value) for value in row) for row in rows]
        return rows if keeps_order else sorted(rows)

    def must(self, sql):
        """Runs what has to succeed, as the superuser."""
        self.session(ROOT).execute(sql)


class Both:
    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs
        self.n_queries, self.n_policies, self.n_rows, self.n_errors = 0, 0, 0, 0
        self.differences = []

    def must(self, sql):
        self.ours.must(sql)
        self.theirs.must(sql)

    def compare(self, user, sql, their_sql=None, context=(), orders="pt.orders"):
        """The same rows on both; `their_sql` is the same question where PostgreSQL is asked another way, of `orders`."""
        keeps_order = " order by " in sql and " over (" not in sql
        theirs = self.theirs.run(user, their_sql or sql, keeps_order)
        ours = self.ours.run(user, sql, keeps_order)
        self.n_queries += 1
        if isinstance(theirs, str):
            self.n_errors += 1
        else:
            self.n_rows += len(theirs)
        if ours != theirs and not (isinstance(ours, str) and fails_in_sight(self.theirs, user, sql, ours, orders)):
            said = "\n  ".join(context)
            self.differences.append(f"{user}: {sql}\n  PostgreSQL {theirs}\n  Lakegate   {ours}\n  {said}")


# Rows that the user may see fail as a question fails; in which order conditions are asked, and whether rows of no
# use are computed, is nobody's promise.
IN_SIGHT = ["select 1 / (amount - {n}) from {orders}", "select word::int from {orders}", "select word::date from {orders}",
            "select (amount * 100000000)::int from {orders}"]


def fails_in_sight(postgres, user, question, code, relation):
    """Whether PostgreSQL, asked of all that the user sees of a relation, fails in the same way."""
    divisors = re.findall(r"\(?amount - (\d+)", question) or ["0"]
    asked = {look.format(n=n, orders=relation) for look in IN_SIGHT for n in divisors}
    return any(postgres.run(user, sql) == code for sql in asked)


def condition(random_, table, depth=0):
    """A condition on the rows of a table, which may ask who reads, for settings, and other relations."""
    if depth < 2 and random_.random() < 0.35:
        one, other = condition(random_, table, depth + 1), condition(random_, table, depth + 1)
        return random_.choice([f"({one}) and ({other})", f"({one}) or ({other})", f"not ({one})"])
    common = {
        "orders": [
            "owner = current_user", "owner = session_user", f"region = '{random_.choice(REGIONS)}'",
            f"amount > {random_.randrange(-5, 40)}", f"id % {random_.randint(2, 4)} = 0", "word like 'a%'", "word is null",
            "region = current_setting('app.region', true)", "coalesce(region, 'none') <> 'west'",
            f"pg_has_role(current_user, '{random_.choice(GROUPS)}', '{random_.choice(['member', 'usage'])}')",
            "region in (select acl.region from pt.acl where acl.who = current_user)",
            "exists (select 1 from pt.people as p where p.owner = orders.owner and p.level > 1)",
            "amount >= (select min(level) from pt.people)",
            "id in (select view_people.id from pt.view_people)",
            "id not in (select p.id from pt.people as p where p.level = 3)",
        ],
        "people": [
            "owner = current_user", f"level > {random_.randrange(4)}", "id < 8", "owner is not null",
            f"pg_has_role('{random_.choice(GROUPS)}', 'usage')",
            "exists (select 1 from pt.acl where acl.who = people.owner)",
            "id in (select orders.id from pt.orders)",
        ],
        "acl": ["who = current_user", "region <> 'west'", "true", "who = any (array['rp_a', 'rp_b', 'rp_c'])"],
    }
    return random_.choice([*common[table], *common[table], "true", "false", "null::boolean"])


def policy(random_, table, name):
    """CREATE POLICY, and what it says: whether permissive, for which roles, its condition."""
    roles = random_.choice([[], [], random_.sample([*ROLES, *GROUPS], random_.randint(1, 3))])
    is_permissive = random_.random() < 0.7
    command = random_.choice(["", " for select", " for all", " for delete"])
    using = condition(random_, table)
    text = (f"create policy {name} on pt.{table} as {'permissive' if is_permissive else 'restrictive'}{command} "
            f"to {', '.join(roles) or 'public'} using ({using})")
    return text, (is_permissive, roles, using, command != " for delete")


def query(random_, names):
    """A question about the relations `names` stands for: orders, people, acl."""
    orders, people, acl = (names[table] for table in TABLES)
    where = random_.choice([
        "", f"where amount > {random_.randrange(30)}", "where region = 'north'", "where owner like 'rp%'",
        f"where id in (1, 3, 5, {random_.randrange(20)}) and word is not null", "where not (region = 'south' or amount < 10)",
        "where length(word) > 3 and region = 'north'",
    ])
    return random_.choice([
        f"select * from {orders} {where}",
        f"select id, word from {orders} {where}",
        f"select count(*), sum(amount), min(word), max(id) from {orders} {where}",
        f"select region, count(*), sum(amount) from {orders} {where} group by region",
        f"select region from {orders} {where} group by region having count(*) > 1",
        f"select distinct owner, region from {orders} {where}",
        f"select o.id, p.level from {orders} as o join {people} as p on p.owner = o.owner",
        f"select o.id, p.id from {orders} as o left join {people} as p on p.id = o.id and p.level > 1",
        f"select p.id, o.id from {people} as p full join {orders} as o on p.id = o.id",
        f"select o.id from {orders} as o where exists (select 1 from {people} as p where p.id = o.id)",
        f"select o.id from {orders} as o where o.region in (select a.region from {acl} as a)",
        f"select o.id from {orders} as o where o.id not in (select p.id from {people} as p)",
        f"select id from {orders} union select id from {people}",
        f"select id from {orders} intersect select id from {people}",
        f"select id from {orders} except select id from {people}",
        f"select id, rank() over (partition by region order by id) from {orders} {where}",
        f"select id, sum(amount) over (order by id) from {orders} {where}",
        f"select id, word from {orders} {where} order by id limit {random_.randint(1, 6)} offset {random_.randint(0, 2)}",
        f"select id from {orders} order by id desc limit 3",
        f"with o as (select * from {orders} {where}) select l.id, r.id from o as l join o as r on l.id = r.id + 1",
        f"select (select max(amount) from {orders}), (select count(*) from {people})",
        f"select who, region from {acl}",
        f"select owner, level from {people} where level > 0",
        f"select p.owner, l.n from {people} as p cross join lateral (select count(*) as n from {orders} as o"
        f" where o.owner = p.owner) as l",
    ])


def leak(random_, names):
    """A question that fails, or runs something, on rows that must not be seen."""
    orders, people, _ = (names[table] for table in TABLES)
    secret = random_.choice(SECRETS)
    divided = f"1 / (amount - {secret})"
    return random_.choice([
        f"select id from {orders} where {divided} > -5",
        f"select id from {orders} where region = 'north' and {divided} > -5",
        f"select id, {divided} from {orders}",
        f"select id from {orders} where word::int > 0",
        f"select id from {orders} where cast(word as int) is not null",
        f"select id from {orders} where (amount * 100000000)::int > 0",
        f"select id from {orders} order by word::int",
        f"select id from {orders} order by {divided}",
        f"select sum({divided}) from {orders}",
        f"select {divided}, count(*) from {orders} group by 1",
        f"select id from {orders} where case when amount = {secret} then 1 / (amount - amount) else 1 end = 1",
        f"select id from {orders} where coalesce(nullif(word, 'x')::int, 1) = 1",
        f"select p.id from {people} as p where p.id in (select {divided} from {orders})",
        f"select p.id from {people} as p where exists (select 1 from {orders} as o where 1 / (o.amount - {secret}) = p.id)",
        f"select (select max({divided}) from {orders})",
        f"select id from {orders} where word ~ '^[a-c]'",
        f"select id from {orders} where word like '%a%' escape '!'",
        f"select count(*) from {orders} where word::date > '2020-01-01'",
        f"select id from (select id, {divided} as x from {orders}) as i where x > 0",
        f"with c as (select id, word::int as n from {orders}) select id from c where n > 1",
        f"select id, row_number() over (order by {divided}) from {orders}",
        f"select id from {orders} where {divided} > -5 union all select id from {people}",
    ])


def round_of_tables(both, random_, n_queries):
    """Random policies on the tables, and views over them; then every role asks."""
    drops = [f"drop policy if exists p{n} on pt.{table}" for table in TABLES for n in range(5)]
    for sql in drops:
        both.must(sql)
    for user in ROLES:
        both.theirs.must(f"drop view if exists pt.masked_{user}")
    both.ours.must("drop view if exists pt.masked")
    for view in ("view_people", "view_orders"):
        both.must(f"drop view if exists pt.{view}")
    invoker = random_.choice(["", " with (security_invoker = true)"])
    both.must(f"create view pt.view_orders{invoker} as select * from pt.orders")
    invoker = random_.choice(["", " with (security_invoker = true)"])
    both.must(f"create view pt.view_people{invoker} as select * from pt.people where level > 0")
    for view in ("view_orders", "view_people"):
        owner = random_.choice([None, "rp_a", "rp_c"])
        if owner:
            both.must(f"alter view pt.{view} owner to {owner}")
        both.must(f"grant select on pt.{view} to public")
    context = []
    for table in TABLES:
        both.must(f"alter table pt.{table} {random_.choice(['enable', 'enable', 'disable'])} row level security")
        both.must(f"alter table pt.{table} {random_.choice(['force', 'no force'])} row level security")
        for n in range(random_.randint(0, 4 if table == "orders" else 2)):
            text, _ = policy(random_, table, f"p{n}")
            both.must(text)
            context.append(text)
            both.n_policies += 1
    both.compare(ROOT, "select tablename, policyname, permissive, array_to_string(roles, ','), cmd from pg_policies")
    both.compare(ROOT, "select relname, relrowsecurity, relforcerowsecurity from pg_class"
                       " where relname in ('orders', 'people', 'acl')")
    names = {table: f"pt.{table}" for table in TABLES}
    for _ in range(n_queries):
        user = random_.choice([*ROLES, *ROLES, ROOT])
        if random_.random() < 0.3:
            both.compare(user, f"set app.region = '{random_.choice(REGIONS)}'")
        role = random_.choice(["none", "none", *GROUPS, *ROLES])
        both.compare(user, f"set role {role}")
        chosen = dict(names)
        if random_.random() < 0.4:
            chosen["orders"] = "pt.view_orders"
        if random_.random() < 0.2:
            chosen["people"] = "pt.view_people"
        is_off = random_.random() < 0.05
        if is_off:
            both.compare(user, "set row_security = off")
        sql = (leak if random_.random() < 0.3 else query)(random_, chosen)
        both.compare(user, sql, context=context, orders=chosen["orders"])
        if is_off:
            both.compare(user, "reset row_security")
    for user in [*ROLES, ROOT]:
        both.compare(user, "reset role")


MASKS = {
    "id": ["id", "-id", "id / 10 * 10"],
    "owner": ["null", "'hidden'", "left(owner, 2)", "case when owner = current_user then owner else '***' end"],
    "region": ["'x' || region", "null", "case when pg_has_role('rp_g1', 'usage') then region end"],
    "amount": ["0", "null", "amount / 10", "case when amount > 20 then 20 else amount end"],
    "word": ["null", "'***'", "substr(word, 1, 1) || '*'", "upper(word)"],
}


def applies(policies, user):
    """The condition under which a role reads, by the rules of CREATE POLICY."""
    meant = [it for it in policies if it[3] and (not it[1] or INHERITS[user] & set(it[1]))]
    permissive = " or ".join(f"({using})" for is_permissive, _, using, _ in meant if is_permissive)
    restrictive = [f"({using})" for is_permissive, _, using, _ in meant if not is_permissive]
    return " and ".join([f"({permissive or 'false'})", *restrictive])


def round_of_masks(both, random_, n_queries):
    """Masks on the columns of a view and of a table, and policies on the view, written out for PostgreSQL."""
    users = [user for user in ROLES if user != "rp_d"]
    both.ours.must("drop view if exists pt.masked")
    both.ours.must("create view pt.masked as select id, owner, region, amount, word from pt.orders where id > 2")
    both.ours.must("grant select on pt.masked to public")
    policies, context = [], []
    for n in range(random_.randint(1, 4)):
        text, said = policy(random_, "orders", f"m{n}")
        text = text.replace("pt.orders as", "pt.masked as").replace("orders.owner", "masked.owner")
        policies.append((*said[:2], said[2].replace("orders.owner", "masked.owner"), said[3]))
        both.ours.must(text)
        context.append(text)
        both.n_policies += 1
    has_policies = random_.random() < 0.8
    both.ours.must(f"alter view pt.masked {'enable' if has_policies else 'disable'} row level security")
    masks = {column: random_.choice(MASKS[column]) for column in random_.sample(list(MASKS), random_.randint(1, 3))}
    excepted = random_.choice([[], ["rp_g1"], ["rp_c"], ["rp_g2", "rp_c"]])
    for column, mask in masks.items():
        label = f"MASKED WITH ({mask})" + (f" EXCEPT FOR {', '.join(excepted)}" if excepted else "")
        sql = "security label for lakegate on column pt.masked.{} is '{}'".format(column, label.replace("'", "''"))
        both.ours.must(sql)
        context.append(sql)
    for user in users:
        shown = [f"({masks[column]})::{both.types[column]} as {column}" if column in masks and not INHERITS[user] & set(excepted)
                 else f"masked.{column}" for column in COLUMNS["orders"]]
        rows = f"select {', '.join(shown)} from (select * from pt.orders where id > 2) as masked"
        if has_policies:
            rows += f" where {applies(policies, user)}"
        both.theirs.must(f"drop view if exists pt.masked_{user}")
        both.theirs.must(f"create view pt.masked_{user} with (security_barrier = true) as {rows}")
        both.theirs.must(f"grant select on pt.masked_{user} to public")
    for _ in range(n_queries):
        user = random_.choice(users)
        make = leak if random_.random() < 0.3 else query
        state = random_.getstate()
        ours = make(random_, {"orders": "pt.masked", "people": "pt.people", "acl": "pt.acl"})
        random_.setstate(state)
        theirs = make(random_, {"orders": f"pt.masked_{user}", "people": "pt.people", "acl": "pt.acl"})
        both.compare(user, ours, theirs, context, f"pt.masked_{user}")


def copy_tables(both):
    """PostgreSQL's tables, with the types and rows that the lake's have."""
    both.types = {}
    for table in TABLES:
        rows = both.ours.session(ROOT).execute(f"select * from pt.{table}").fetchall()
        types = both.ours.session(ROOT).execute(
            f"select column_name, data_type from information_schema.columns where table_schema = 'pt' and table_name = '{table}'"
            " order by ordinal_position").fetchall()
        both.types.update(dict(types))
        both.theirs.must(f"create table pt.{table} ({', '.join(f'{name} {kind}' for name, kind in types)})")
        marks = ", ".join(["%s"] * len(types))
        with both.theirs.session(ROOT).cursor() as cursor:
            cursor.executemany(f"insert into pt.{table} values ({marks})", rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", type=int, required=True)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--policies", type=int, default=500)
    given = parser.parse_args()
    print(f"seed {given.seed}")
    host, port = given.postgres.split(":")
    database = "pt_policies"
    with psycopg.connect(host=host, port=int(port), user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(f"drop database if exists {database} with (force)")
        for role in [*ROLES, *GROUPS]:
            server.execute(f"drop role if exists {role}")
        server.execute(f"create database {database}")
    both = Both(Server("127.0.0.1", given.gateway, "lake", "ada"), Server(host, int(port), database, "postgres"))
    both.theirs.must("create schema pt")
    copy_tables(both)
    for sql in SETUP:
        both.must(sql)
    random_ = random.Random(given.seed)
    n_rounds = 0
    while both.n_policies < given.policies and len(both.differences) < 20:
        n_rounds += 1
        round_of_tables(both, random_, 10)
        if n_rounds % 3 == 0:
            for table in TABLES:
                both.must(f"alter table pt.{table} disable row level security")
            round_of_masks(both, random_, 10)
    for difference in both.differences:
        print(difference)
    print(f"{both.n_policies} policies, {both.n_queries} queries, {both.n_rows} rows, {both.n_errors} errors, "
          f"{len(both.differences)} differences")
    sys.exit(1 if both.differences or not both.n_rows or not both.n_errors else 0)


if __name__ == "__main__":
    main()
