-- connect: type loading, statement 1 of 3 (one packet, one Sync) [extended]
/*** Load all supported types ***/
SELECT ns.nspname, a.typname, a.oid, a.typrelid, a.typbasetype,
CASE WHEN pg_proc.proname='array_recv' THEN 'a' ELSE a.typtype END AS type,
CASE
  WHEN pg_proc.proname='array_recv' THEN a.typelem
  WHEN a.typtype='r' THEN rngsubtype
  ELSE 0
END AS elemoid,
CASE
  WHEN pg_proc.proname IN ('array_recv','oidvectorrecv') THEN 3    /* Arrays last */
  WHEN a.typtype='r' THEN 2                                        /* Ranges before */
  WHEN a.typtype='d' THEN 1                                        /* Domains before */
  ELSE 0                                                           /* Base types first */
END AS ord
FROM pg_type AS a
JOIN pg_namespace AS ns ON (ns.oid = a.typnamespace)
JOIN pg_proc ON pg_proc.oid = a.typreceive
LEFT OUTER JOIN pg_class AS cls ON (cls.oid = a.typrelid)
LEFT OUTER JOIN pg_type AS b ON (b.oid = a.typelem)
LEFT OUTER JOIN pg_class AS elemcls ON (elemcls.oid = b.typrelid)
LEFT OUTER JOIN pg_range ON (pg_range.rngtypid = a.oid)
WHERE
  a.typtype IN ('b', 'r', 'e', 'd') OR         /* Base, range, enum, domain */
  (a.typtype = 'c' AND cls.relkind='c') OR /* User-defined free-standing composites (not table composites) by default */
  (pg_proc.proname='array_recv' AND (
    b.typtype IN ('b', 'r', 'e', 'd') OR       /* Array of base, range, enum, domain */
    (b.typtype = 'p' AND b.typname IN ('record', 'void')) OR /* Arrays of special supported pseudo-types */
    (b.typtype = 'c' AND elemcls.relkind='c')  /* Array of user-defined free-standing composites (not table composites) */
  )) OR
  (a.typtype = 'p' AND a.typname IN ('record', 'void'))  /* Some special supported pseudo-types */
ORDER BY ord
;;

-- connect: type loading, statement 2 of 3 (one packet, one Sync) [extended]
/*** Load field definitions for (free-standing) composite types ***/
SELECT typ.oid, att.attname, att.atttypid
FROM pg_type AS typ
JOIN pg_namespace AS ns ON (ns.oid = typ.typnamespace)
JOIN pg_class AS cls ON (cls.oid = typ.typrelid)
JOIN pg_attribute AS att ON (att.attrelid = typ.typrelid)
WHERE
  (typ.typtype = 'c' AND cls.relkind='c') AND
  attnum > 0 AND     /* Don't load system attributes */
  NOT attisdropped
ORDER BY typ.oid, att.attnum
;;

-- connect: type loading, statement 3 of 3 (one packet, one Sync) [extended]
/*** Load enum fields ***/
SELECT pg_type.oid, enumlabel
FROM pg_enum
JOIN pg_type ON pg_type.oid=enumtypid
ORDER BY oid, enumsortorder
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select 1
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select 2
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select 1 as a where false
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
show search_path
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
show server_version
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select version()
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select 'grüße ☃ 𝄞'
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select repeat('abc', 1000000)
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select 1, repeat('x', 100000), 3
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select * from (values (1),(2),(3)) v(a)
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select 9
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select 1 as a, 'x'::text as b
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select 7
;;

-- ExecuteReader / ExecuteScalar without parameters [extended]
select * from (values (1,'a'),(2,'b')) v(id,nm)
;;

-- AllResultTypesAreUnknown / UnknownResultTypeList (text result formats) [extended]
select 1, 1.50::numeric, true, date '2024-01-02', timestamp '2024-01-02 03:04:05', array['a','b'], '\x01ff'::bytea, null::int4, 1.5::float8
;;

-- AllResultTypesAreUnknown / UnknownResultTypeList (text result formats) [extended]
select 1, 2
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 23
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 20
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 21
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 16
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 25
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 25
select $1::text as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 1700
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 701
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 700
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 1082
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 1114
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 2950
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 17
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 1009
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 1007
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 114
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 3802
select $1 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 23
select $1::int4 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 0
select $1::text as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 1083
select $1::time as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 0
select $1::int4 as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 0
select $1::date as v
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 1184
select $1::timestamptz
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 23 25
select count(*) from (values (1,'a'),(2,'b'),(3,'c')) v(i,s) where i >= $1 and s <> $2
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 23
select $1 + $1
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 1007
select count(*) from (values (1),(2),(3)) v(i) where i = any($1)
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 25
select $1::text || ':y'
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 20 20
select i from (values (1),(2),(3)) v(i) order by i limit $1 offset $2
;;

-- parameters: type OIDs and formats sent per .NET type [extended]
-- parameters: 23
select $1::int4 as q, $1::int4 + 1 as r
;;

-- DDL and DML [extended]
drop table if exists probe_child
;;

-- DDL and DML [extended]
drop table if exists probe_t
;;

-- DDL and DML [extended]
create table probe_t (id int4 primary key, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric(18,4), t text not null, v varchar(20), d date, ts timestamp, tz timestamptz, u uuid, by bytea, ta text[], j json)
;;

-- DDL and DML [extended]
create table probe_child (cid int4 primary key, pid int4 references probe_t(id), nm text unique)
;;

-- DDL and DML [extended]
-- parameters: 23 16 21 20 700 701 1700 25 25 1082 1114 1184 2950 17 1009 114
insert into probe_t values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16)
;;

-- DDL and DML [extended]
insert into probe_t (id, t) values (2, 'two'), (3, 'three')
;;

-- DDL and DML [extended]
insert into probe_t (id, t) values (4, 'four') returning id
;;

-- DDL and DML [extended]
update probe_t set n = 1 where id > 1
;;

-- DDL and DML [extended]
delete from probe_t where id = 4
;;

-- DDL and DML [extended]
select * from probe_t order by id
;;

-- DDL and DML [extended]
insert into probe_child values (1, 1, 'kid')
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
SELECT d.datname AS database_name, u.usename AS owner, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding FROM pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_user u ON d.datdba = u.usesysid
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
select * from(
    select current_database() as catalog_name,
        nspname AS schema_name,
        r.rolname AS schema_owner
    from
        pg_catalog.pg_namespace left join pg_catalog.pg_roles r on r.oid = nspowner
    ) tmp
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
SELECT table_catalog, table_schema, table_name, table_type
FROM information_schema.tables
WHERE table_type IN ('BASE TABLE', 'FOREIGN', 'FOREIGN TABLE') AND table_schema NOT IN ('pg_catalog', 'information_schema')
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
SELECT table_catalog, table_schema, table_name, check_option, is_updatable
FROM information_schema.views
WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, column_default, is_nullable, udt_name AS data_type, character_maximum_length, character_octet_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision, character_set_catalog, character_set_schema, character_set_name, collation_catalog FROM information_schema.columns
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
SELECT usename as user_name, usesysid as user_sysid FROM pg_catalog.pg_user
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
select current_database() as table_catalog,
    n.nspname as table_schema,
    t.relname as table_name,
    i.relname as index_name
from
    pg_catalog.pg_class i join
    pg_catalog.pg_index ix ON ix.indexrelid = i.oid join
    pg_catalog.pg_class t ON ix.indrelid = t.oid join
    pg_attribute a on t.oid = a.attrelid left join
    pg_catalog.pg_user u ON u.usesysid = i.relowner left join
    pg_catalog.pg_namespace n ON n.oid = i.relnamespace
where
    i.relkind = 'i'
    and n.nspname not in ('pg_catalog', 'pg_toast')
    and a.attnum = ANY(ix.indkey)
    and t.relkind = 'r'
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
select current_database() as table_catalog,
    n.nspname as table_schema,
    t.relname as table_name,
    i.relname as index_name,
    a.attname as column_name
from
    pg_class t join
    pg_index ix on t.oid = ix.indrelid join
    pg_class i on ix.indexrelid = i.oid join
    pg_attribute a on t.oid = a.attrelid left join
    pg_namespace n on i.relnamespace = n.oid
where
    i.relkind = 'i'
    and n.nspname not in ('pg_catalog', 'pg_toast')
    and pg_catalog.pg_table_is_visible(i.oid)
    and a.attnum = ANY(ix.indkey)
    and t.relkind = 'r'
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
select
  current_database() as "CONSTRAINT_CATALOG",
  pgn.nspname as "CONSTRAINT_SCHEMA",
  pgc.conname as "CONSTRAINT_NAME",
  current_database() as "TABLE_CATALOG",
  pgtn.nspname as "TABLE_SCHEMA",
  pgt.relname as "TABLE_NAME",
  "CONSTRAINT_TYPE",
  pgc.condeferrable as "IS_DEFERRABLE",
  pgc.condeferred as "INITIALLY_DEFERRED"
from pg_catalog.pg_constraint pgc
inner join pg_catalog.pg_namespace pgn on pgc.connamespace = pgn.oid
inner join pg_catalog.pg_class pgt on pgc.conrelid = pgt.oid
inner join pg_catalog.pg_namespace pgtn on pgt.relnamespace = pgtn.oid
inner join (
select 'PRIMARY KEY' as "CONSTRAINT_TYPE", 'p' as "contype" union all
select 'FOREIGN KEY' as "CONSTRAINT_TYPE", 'f' as "contype" union all
select 'UNIQUE KEY' as "CONSTRAINT_TYPE", 'u' as "contype"
) mapping_table on mapping_table.contype = pgc.contype
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
select
  current_database() as "CONSTRAINT_CATALOG",
  pgn.nspname as "CONSTRAINT_SCHEMA",
  pgc.conname as "CONSTRAINT_NAME",
  current_database() as "TABLE_CATALOG",
  pgtn.nspname as "TABLE_SCHEMA",
  pgt.relname as "TABLE_NAME",
  "CONSTRAINT_TYPE",
  pgc.condeferrable as "IS_DEFERRABLE",
  pgc.condeferred as "INITIALLY_DEFERRED"
from pg_catalog.pg_constraint pgc
inner join pg_catalog.pg_namespace pgn on pgc.connamespace = pgn.oid
inner join pg_catalog.pg_class pgt on pgc.conrelid = pgt.oid
inner join pg_catalog.pg_namespace pgtn on pgt.relnamespace = pgtn.oid
inner join (
select 'PRIMARY KEY' as "CONSTRAINT_TYPE", 'p' as "contype" union all
select 'FOREIGN KEY' as "CONSTRAINT_TYPE", 'f' as "contype" union all
select 'UNIQUE KEY' as "CONSTRAINT_TYPE", 'u' as "contype"
) mapping_table on mapping_table.contype = pgc.contype and pgc.contype='p'
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
select
  current_database() as "CONSTRAINT_CATALOG",
  pgn.nspname as "CONSTRAINT_SCHEMA",
  pgc.conname as "CONSTRAINT_NAME",
  current_database() as "TABLE_CATALOG",
  pgtn.nspname as "TABLE_SCHEMA",
  pgt.relname as "TABLE_NAME",
  "CONSTRAINT_TYPE",
  pgc.condeferrable as "IS_DEFERRABLE",
  pgc.condeferred as "INITIALLY_DEFERRED"
from pg_catalog.pg_constraint pgc
inner join pg_catalog.pg_namespace pgn on pgc.connamespace = pgn.oid
inner join pg_catalog.pg_class pgt on pgc.conrelid = pgt.oid
inner join pg_catalog.pg_namespace pgtn on pgt.relnamespace = pgtn.oid
inner join (
select 'PRIMARY KEY' as "CONSTRAINT_TYPE", 'p' as "contype" union all
select 'FOREIGN KEY' as "CONSTRAINT_TYPE", 'f' as "contype" union all
select 'UNIQUE KEY' as "CONSTRAINT_TYPE", 'u' as "contype"
) mapping_table on mapping_table.contype = pgc.contype and pgc.contype='u'
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
select
  current_database() as "CONSTRAINT_CATALOG",
  pgn.nspname as "CONSTRAINT_SCHEMA",
  pgc.conname as "CONSTRAINT_NAME",
  current_database() as "TABLE_CATALOG",
  pgtn.nspname as "TABLE_SCHEMA",
  pgt.relname as "TABLE_NAME",
  "CONSTRAINT_TYPE",
  pgc.condeferrable as "IS_DEFERRABLE",
  pgc.condeferred as "INITIALLY_DEFERRED"
from pg_catalog.pg_constraint pgc
inner join pg_catalog.pg_namespace pgn on pgc.connamespace = pgn.oid
inner join pg_catalog.pg_class pgt on pgc.conrelid = pgt.oid
inner join pg_catalog.pg_namespace pgtn on pgt.relnamespace = pgtn.oid
inner join (
select 'PRIMARY KEY' as "CONSTRAINT_TYPE", 'p' as "contype" union all
select 'FOREIGN KEY' as "CONSTRAINT_TYPE", 'f' as "contype" union all
select 'UNIQUE KEY' as "CONSTRAINT_TYPE", 'u' as "contype"
) mapping_table on mapping_table.contype = pgc.contype and pgc.contype='f'
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
select current_database() as constraint_catalog,
    n.nspname as constraint_schema,
    c.conname as constraint_name,
    current_database() as table_catalog,
    n.nspname as table_schema,
    t.relname as table_name,
    a.attname as column_name,
    a.attnum as ordinal_number,
    mapping_table.constraint_type
from pg_constraint c
inner join pg_namespace n on n.oid = c.connamespace
inner join pg_class t on t.oid = c.conrelid and t.relkind = 'r'
inner join pg_attribute a on t.oid = a.attrelid and a.attnum = ANY(c.conkey)
inner join (
select 'PRIMARY KEY' as constraint_type, 'p' as contype union all
select 'FOREIGN KEY' as constraint_type, 'f' as contype union all
select 'UNIQUE KEY' as constraint_type, 'u' as contype
) mapping_table on mapping_table.contype = c.contype
and n.nspname not in ('pg_catalog', 'pg_toast')
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
-- parameters: 25 25
SELECT table_catalog, table_schema, table_name, table_type
FROM information_schema.tables
WHERE table_type IN ('BASE TABLE', 'FOREIGN', 'FOREIGN TABLE') AND table_schema NOT IN ('pg_catalog', 'information_schema') AND table_schema = $1 AND table_name = $2
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
-- parameters: 25 25
SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, column_default, is_nullable, udt_name AS data_type, character_maximum_length, character_octet_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision, character_set_catalog, character_set_schema, character_set_name, collation_catalog FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2
;;

-- NpgsqlConnection.GetSchema(collection[, restrictions]) [extended]
-- parameters: 25
SELECT d.datname AS database_name, u.usename AS owner, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding FROM pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_user u ON d.datdba = u.usesysid WHERE datname = $1
;;

-- GetSchemaTable / KeyInfo [extended]
select * from shop.purchases
;;

-- GetSchemaTable with CommandBehavior.KeyInfo (on a second, cloned connection) [extended]
SELECT
     typ.oid AS typoid, nspname, relname, attname, attrelid, attnum, attnotnull,
     attidentity != '' AS isidentity,
     CASE WHEN typ.typtype = 'd' THEN typ.typtypmod ELSE atttypmod END AS typmod,
     CASE WHEN atthasdef THEN (SELECT pg_get_expr(adbin, cls.oid) FROM pg_attrdef WHERE adrelid = cls.oid AND adnum = attr.attnum) ELSE NULL END AS default,
     CASE WHEN col.is_updatable = 'YES' THEN true ELSE false END AS is_updatable,
     EXISTS (
       SELECT * FROM pg_index
       WHERE pg_index.indrelid = cls.oid AND
             pg_index.indisprimary AND
             attnum = ANY (indkey)
     ) AS isprimarykey,
     EXISTS (
       SELECT * FROM pg_index
       WHERE pg_index.indrelid = cls.oid AND
             pg_index.indisunique AND
             pg_index.indnkeyatts = 1 AND
             attnum = pg_index.indkey[0]
     ) AS isunique
FROM pg_attribute AS attr
JOIN pg_type AS typ ON attr.atttypid = typ.oid
JOIN pg_class AS cls ON cls.oid = attr.attrelid
JOIN pg_namespace AS ns ON ns.oid = cls.relnamespace
LEFT OUTER JOIN information_schema.columns AS col ON col.table_schema = nspname AND
     col.table_name = relname AND
     col.column_name = attname
WHERE
     atttypid <> 0 AND
     relkind IN ('r', 'v', 'm') AND
     NOT attisdropped AND
     nspname NOT IN ('pg_catalog', 'information_schema') AND
     attnum > 0 AND
     ((attr.attrelid=@@shop.purchases@@ AND attr.attnum=1) OR (attr.attrelid=@@shop.purchases@@ AND attr.attnum=2) OR (attr.attrelid=@@shop.purchases@@ AND attr.attnum=3) OR (attr.attrelid=@@shop.purchases@@ AND attr.attnum=4) OR (attr.attrelid=@@shop.purchases@@ AND attr.attnum=5) OR (attr.attrelid=@@shop.purchases@@ AND attr.attnum=6) OR (attr.attrelid=@@shop.purchases@@ AND attr.attnum=7) OR (attr.attrelid=@@shop.purchases@@ AND attr.attnum=8) OR (attr.attrelid=@@shop.purchases@@ AND attr.attnum=9))
ORDER BY attnum
;;

-- pool reset on Close (simple Query, PREPENDED to the next statement in the same TCP segment) [simple]
DISCARD ALL
;;

-- Power BI statement text replayed through Npgsql 4.0.17 (see powerbi.sql) [extended]
select character_set_name from INFORMATION_SCHEMA.character_sets
;;

-- Power BI statement text replayed through Npgsql 4.0.17 (see powerbi.sql) [extended]
select TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE
from INFORMATION_SCHEMA.tables
where TABLE_SCHEMA not in ('information_schema', 'pg_catalog')
order by TABLE_SCHEMA, TABLE_NAME
;;

-- Power BI statement text replayed through Npgsql 4.0.17 (see powerbi.sql) [extended]
select COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, case when (data_type like '%unsigned%') then DATA_TYPE || ' unsigned' else DATA_TYPE end as DATA_TYPE
from INFORMATION_SCHEMA.columns
where TABLE_SCHEMA = 'shop' and TABLE_NAME = 'purchases'
order by TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION
;;

-- Power BI statement text replayed through Npgsql 4.0.17 (see powerbi.sql) [extended]
select
    pkcol.COLUMN_NAME as PK_COLUMN_NAME,
    fkcol.TABLE_SCHEMA AS FK_TABLE_SCHEMA,
    fkcol.TABLE_NAME AS FK_TABLE_NAME,
    fkcol.COLUMN_NAME as FK_COLUMN_NAME,
    fkcol.ORDINAL_POSITION as ORDINAL,
    fkcon.CONSTRAINT_SCHEMA || '_' || fkcol.TABLE_NAME || '_' || 'purchases' || '_' || fkcon.CONSTRAINT_NAME as FK_NAME
from
    (select distinct constraint_catalog, constraint_schema, unique_constraint_schema, constraint_name, unique_constraint_name
        from INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS) fkcon
        inner join
    INFORMATION_SCHEMA.KEY_COLUMN_USAGE fkcol
        on fkcon.CONSTRAINT_SCHEMA = fkcol.CONSTRAINT_SCHEMA
        and fkcon.CONSTRAINT_NAME = fkcol.CONSTRAINT_NAME
        inner join
    INFORMATION_SCHEMA.KEY_COLUMN_USAGE pkcol
        on fkcon.UNIQUE_CONSTRAINT_SCHEMA = pkcol.CONSTRAINT_SCHEMA
        and fkcon.UNIQUE_CONSTRAINT_NAME = pkcol.CONSTRAINT_NAME
where pkcol.TABLE_SCHEMA = 'shop' and pkcol.TABLE_NAME = 'purchases'
        and pkcol.ORDINAL_POSITION = fkcol.ORDINAL_POSITION
order by FK_NAME, fkcol.ORDINAL_POSITION
;;

-- Power BI statement text replayed through Npgsql 4.0.17 (see powerbi.sql) [extended]
select
    pkcol.TABLE_SCHEMA AS PK_TABLE_SCHEMA,
    pkcol.TABLE_NAME AS PK_TABLE_NAME,
    pkcol.COLUMN_NAME as PK_COLUMN_NAME,
    fkcol.COLUMN_NAME as FK_COLUMN_NAME,
    fkcol.ORDINAL_POSITION as ORDINAL,
    fkcon.CONSTRAINT_SCHEMA || '_' || 'purchases' || '_' || pkcol.TABLE_NAME || '_' || fkcon.CONSTRAINT_NAME as FK_NAME
from
    (select distinct constraint_catalog, constraint_schema, unique_constraint_schema, constraint_name, unique_constraint_name
        from INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS) fkcon
        inner join
    INFORMATION_SCHEMA.KEY_COLUMN_USAGE fkcol
        on fkcon.CONSTRAINT_SCHEMA = fkcol.CONSTRAINT_SCHEMA
        and fkcon.CONSTRAINT_NAME = fkcol.CONSTRAINT_NAME
        inner join
    INFORMATION_SCHEMA.KEY_COLUMN_USAGE pkcol
        on fkcon.UNIQUE_CONSTRAINT_SCHEMA = pkcol.CONSTRAINT_SCHEMA
        and fkcon.UNIQUE_CONSTRAINT_NAME = pkcol.CONSTRAINT_NAME
where fkcol.TABLE_SCHEMA = 'shop' and fkcol.TABLE_NAME = 'purchases'
        and pkcol.ORDINAL_POSITION = fkcol.ORDINAL_POSITION
order by FK_NAME, fkcol.ORDINAL_POSITION
;;

-- Power BI statement text replayed through Npgsql 4.0.17 (see powerbi.sql) [extended]
select i.CONSTRAINT_SCHEMA || '_' || i.CONSTRAINT_NAME as INDEX_NAME, ii.COLUMN_NAME, ii.ORDINAL_POSITION, case when i.CONSTRAINT_TYPE = 'PRIMARY KEY' then 'Y' else 'N' end as PRIMARY_KEY
from INFORMATION_SCHEMA.table_constraints i inner join INFORMATION_SCHEMA.key_column_usage ii on i.CONSTRAINT_SCHEMA = ii.CONSTRAINT_SCHEMA and i.CONSTRAINT_NAME = ii.CONSTRAINT_NAME and i.TABLE_SCHEMA = ii.TABLE_SCHEMA and i.TABLE_NAME = ii.TABLE_NAME
where i.TABLE_SCHEMA = 'shop' and i.TABLE_NAME = 'purchases'
and i.CONSTRAINT_TYPE in ('PRIMARY KEY', 'UNIQUE')
order by i.CONSTRAINT_SCHEMA || '_' || i.CONSTRAINT_NAME, ii.TABLE_SCHEMA, ii.TABLE_NAME, ii.ORDINAL_POSITION
;;

-- Power BI statement text replayed through Npgsql 4.0.17 (see powerbi.sql) [extended]
select "$Table".*
from "shop"."purchases" "$Table"
limit 4096
;;

-- Power BI statement text replayed through Npgsql 4.0.17 (see powerbi.sql) [extended]
select "_".*
from "shop"."purchases" "_"
;;

-- Power BI statement text replayed through Npgsql 4.0.17 (see powerbi.sql) [extended]
select count(1) as "a0"
from
(
    select *
    from "shop"."purchases" "_"
) "rows"
limit 1000001
;;

-- several statements in one CommandText: split client-side, Parse/Bind/Describe/Execute each, one Sync [extended]
select 'two' as b, 2 as c
;;

-- several statements in one CommandText: split client-side, Parse/Bind/Describe/Execute each, one Sync [extended]
-- parameters: 23
select $1
;;

-- several statements in one CommandText: split client-side, Parse/Bind/Describe/Execute each, one Sync [extended]
-- parameters: 23 23
select $1 + $2
;;

-- several statements in one CommandText: split client-side, Parse/Bind/Describe/Execute each, one Sync [extended]
select * from no_such_table_x
;;

-- several statements in one CommandText: split client-side, Parse/Bind/Describe/Execute each, one Sync [extended]
select 3
;;

-- several statements in one CommandText: split client-side, Parse/Bind/Describe/Execute each, one Sync [extended]
select 4
;;

-- several statements in one CommandText: split client-side, Parse/Bind/Describe/Execute each, one Sync [extended]
select 'a;b'
;;

-- several statements in one CommandText: split client-side, Parse/Bind/Describe/Execute each, one Sync [extended]
select $$c;d$$
;;

-- Prepare() (Parse named _pN + Describe S + Sync, later Bind/Execute/Sync; UnprepareAll = DEALLOCATE ALL) [extended]
-- parameters: 23
select $1 + 1
;;

-- Prepare() (Parse named _pN + Describe S + Sync, later Bind/Execute/Sync; UnprepareAll = DEALLOCATE ALL) [extended]
-- parameters: 25
select $1::text
;;

-- Prepare() (Parse named _pN + Describe S + Sync, later Bind/Execute/Sync; UnprepareAll = DEALLOCATE ALL) [extended]
select no_such_col_y
;;

-- Prepare() (Parse named _pN + Describe S + Sync, later Bind/Execute/Sync; UnprepareAll = DEALLOCATE ALL) [simple]
DEALLOCATE ALL
;;

-- MaxAutoPrepare [extended]
-- parameters: 23
select $1 * 2
;;

-- pool / misc [extended]
-- parameters: 23
select $1 - 1
;;

-- pool reset when prepared statements must be kept [simple]
SET SESSION AUTHORIZATION DEFAULT;RESET ALL;CLOSE ALL;UNLISTEN *;SELECT pg_advisory_unlock_all();DISCARD SEQUENCES;DISCARD TEMP
;;

-- errors [extended]
selec 1
;;

-- errors [extended]
select no_such_col
;;

-- errors [extended]
select no_such_fn(1)
;;

-- errors [extended]
select 1/0
;;

-- errors [extended]
-- parameters: 25
select $1::int4
;;

-- errors [extended]
select @p
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
BEGIN
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
SET TRANSACTION ISOLATION LEVEL READ COMMITTED
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
COMMIT
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
ROLLBACK
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
SAVEPOINT sp1
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [extended]
select bad_col_q
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
ROLLBACK TO SAVEPOINT sp1
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
SAVEPOINT sp2
;;

-- transactions (BEGIN + SET TRANSACTION are two simple Queries prepended to the first command) [simple]
RELEASE SAVEPOINT sp2
;;

-- pool / misc [extended]
select g from generate_series(1,5000) g
;;

-- pool / misc [extended]
-- parameters: 23 23
select $1 * 1000 + $2
;;

-- cancel / statement timeout / abandoned reader [extended]
select pg_sleep(3)
;;

-- pool / misc [extended]
set application_name = 'changed'
;;

-- pool / misc [extended]
show application_name
;;

-- pool / misc [extended]
create temp table probe_tmp (a int)
;;

-- pool / misc [extended]
select * from probe_tmp
;;

-- pool / misc [extended]
discard all
;;

-- pool / misc [extended]
select 1, 'x'::text, 1.5::numeric, now()
;;

-- Keepalive [simple]
SELECT NULL
;;

-- pool / misc [extended]
select current_database()
;;

-- pool / misc [extended]
drop table if exists probe_copy
;;

-- pool / misc [extended]
create table probe_copy (id int4, name text, f float8)
;;

-- COPY (BeginBinaryImport/Export, BeginTextExport/Import): simple Query [simple]
copy probe_copy (id, name, f) from stdin (format binary)
;;

-- pool / misc [extended]
select count(*) from probe_copy
;;

-- COPY (BeginBinaryImport/Export, BeginTextExport/Import): simple Query [simple]
copy probe_copy to stdout (format binary)
;;

-- COPY (BeginBinaryImport/Export, BeginTextExport/Import): simple Query [simple]
copy (select 1, 'a' union all select 2, 'b') to stdout
;;

-- COPY (BeginBinaryImport/Export, BeginTextExport/Import): simple Query [simple]
copy probe_copy from stdin
;;

-- pool / misc [extended]
listen probe_ch
;;

-- pool / misc [extended]
notify probe_ch, 'hi'
;;

-- pool / misc [extended]
unlisten *
;;

-- pool / misc [extended]
do $$ begin raise notice 'note %', 1; end $$
;;
