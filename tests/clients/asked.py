"""What every client is asked: values of each type as literals and as parameters, columns of a lake, and errors.

A question is a line of three fields with tabs between them, which a client program in any language can split:

    value      TYPE  LITERAL     `select LITERAL as v`, then `select $1::TYPE as v` with the value that came
    column     TABLE COLUMN      `select COLUMN as v` of every row, then the rows that have the value of the first
    statement  -     SQL         without parameters
"""

from every_type import COLUMNS, TABLE

# PostgreSQL's input for values of each type: the ends of its range, and what is easily written wrongly.
VALUES = {
    "bool": ["true", "f"],
    "int2": ["-32768", "32767"],
    "int4": ["-2147483648", "0", "2147483647"],
    "int8": ["-9223372036854775808", "9223372036854775807"],
    "float4": ["0.1", "-0", "NaN", "Infinity", "1e-45", "3.4028235e38", "1234567"],
    "float8": ["0.1", "1e-7", "123456789012345680", "-Infinity", "5e-324", "1.7976931348623157e308", "NaN"],
    "numeric": ["0", "1.50", "-0.00012", "12345678901234567890.123456789", "NaN"],
    "numeric(10,2)": ["1.5", "-99999999.99"],
    "text": ["", "snø ☃", 'it''s a "quoted" \\ one', "NULL"],
    "varchar": ["", "a b"],
    "varchar(3)": ["abc"],
    "char(4)": ["ab"],
    "name": ["pg_class"],
    "bytea": ["", "\\x00ff5c27"],
    "date": ["2026-02-28", "0001-01-01", "9999-12-31", "0044-03-15 BC", "infinity"],
    "time": ["00:00:00", "23:59:59.999999", "12:34:56.7"],
    "timetz": ["12:34:56+02", "24:00:00-15:59", "00:00:00.000001+05:30:15"],
    "timestamp": ["2026-01-31 10:00:00", "1969-12-31 23:59:59.999999", "0001-01-01 00:00:00", "-infinity"],
    "timestamptz": ["2026-07-01 12:00:00+02", "1999-12-31 23:59:59.5-11", "infinity"],
    "interval": ["1 year 2 mons 3 days 04:05:06.789", "-1 days", "00:00:00", "-00:00:00.000001", "25:00:00"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "json": ['{"b": 1,  "a": [1.50, null, "x"]}', "null"],
    "jsonb": ['{"b": 1,  "a": [1.50, null, "x"]}', '"text"'],
    "oid": ["0", "4294967295"],
    "inet": ["192.168.0.1", "10.1.2.3/8", "2001:db8::1/64"],
    "cidr": ["192.168.0.0/24", "::/0"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "int4range": ["[1,10]", "empty", "(,)"],
    "int8range": ["(1,9223372036854775807)"],
    "numrange": ["(1.5,2.25]", "[NaN,NaN]"],
    "daterange": ["[2026-02-28,infinity)"],
    "tsrange": ["[2026-02-28 10:00,2026-03-01]"],
    "tstzrange": ["(,2026-03-01 00:00+01)"],
    "int4multirange": ["{}", "{[1,3),[2,5],(7,)}"],
    "nummultirange": ["{[1.5,2.5)}"],
    "bool[]": ["{t,NULL,f}"],
    "int2[]": ["{1,-1}"],
    "int4[]": ["{}", "{1,NULL,3}", "{{1,2},{3,4}}"],
    "int8[]": ["{9223372036854775807}"],
    "float4[]": ["{0.5,NaN}"],
    "float8[]": ["{0.1,-Infinity}"],
    "numeric[]": ["{1.5,NULL}"],
    "text[]": ['{"a b",NULL,"c\\"d",""}', "{NULL}", '{"NULL"}'],
    "varchar[]": ["{a,b}"],
    "bytea[]": ['{"\\\\x00ff"}'],
    "date[]": ["{2026-02-28,NULL}"],
    "time[]": ["{10:00:00}"],
    "timestamp[]": ['{"2026-01-31 10:00:00"}'],
    "timetz[]": ["{10:00:00+02,NULL}"],
    "inet[]": ["{1.2.3.4,NULL}"],
    "int4range[]": ['{"[1,2)",NULL}'],
    "timestamptz[]": ['{"2026-01-31 10:00:00+00"}'],
    "interval[]": ['{"1 day"}'],
    "uuid[]": ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"],
    "jsonb[]": ['{"{\\"a\\": 1}",NULL}'],
}

STATEMENTS = [
    "select 1 as one, 'x' as letter, null as nothing, 1.5 as fraction, true as yes",
    "select count(*) as n, sum(n) as s, min(n) as a, max(n) as b from generate_series(1, 1000) as g(n)",
    "select n, n::float8 / 4 as quarter, 'row ' || n::text as label from generate_series(1, 300) as g(n) order by n",
    "select n from generate_series(1, 0) as g(n)",
    f"select * from {TABLE} order by id",
    f"select count(*) as n, count(label) as m from {TABLE}",
    "select 1/0",
    "select 'x'::int4",
    "select nope",
    "select * from no_such_table",
    "select no_such_function(1)",
    "selec 1",
]


def questions(brief: bool) -> list[tuple[str, str, str]]:
    """All of them, or with only one value of each type."""
    asked = []
    for of_type, inputs in VALUES.items():
        inputs = inputs[:1] if brief else inputs
        quoted = [f"'{text.replace(chr(39), chr(39) * 2)}'::{of_type}" for text in inputs]
        asked += [("value", of_type, literal) for literal in [*quoted, *([] if brief else [f"null::{of_type}"])]]
    asked += [("column", TABLE, column.name) for column in COLUMNS]
    asked += [("statement", "-", sql) for sql in STATEMENTS]
    return asked


if __name__ == "__main__":
    for question in questions(brief=False):
        print("\t".join(question))
