-- psycopg3 connect [simple]
BEGIN
;;

-- psycopg3 connect [simple]
select 1
;;

-- psycopg3 params [extended]
-- parameters: 21 0 1114 1700 701 16
select * from shop.buyers where id = $1 and name <> $2 and created_at < $3 and balance > $4 and score > $5 and active = $6
;;

-- psycopg3 params [simple]
COMMIT
;;

-- psycopg3 x7 prepare threshold 5 [extended]
-- parameters: 21
select id from shop.buyers where id = $1
;;

-- psycopg3 binary cursor [extended]
-- parameters: 21
select id,name,balance,created_at,upd,birth,score,active,meta,tags from shop.buyers where id=$1
;;

-- psycopg3 server cursor [extended]
-- parameters: 21
DECLARE "srv" CURSOR FOR select id from shop.purchases where id > $1
;;

-- psycopg3 server cursor [simple]
FETCH FORWARD 1000 FROM "srv"
;;

-- psycopg3 server cursor [simple]
CLOSE "srv"
;;

-- psycopg3 binary server cursor [extended]
DECLARE "srvb" CURSOR FOR select id from shop.purchases
;;

-- psycopg3 binary server cursor [extended]
FETCH FORWARD 10 FROM "srvb"
;;

-- psycopg3 binary server cursor [simple]
CLOSE "srvb"
;;

-- psycopg3 pipeline [extended]
BEGIN
;;

-- psycopg3 pipeline [extended]
select 1
;;

-- psycopg3 pipeline [extended]
-- parameters: 21
select $1::int
;;

-- psycopg3 copy out binary [simple]
COPY (select id,name from shop.buyers limit 3) TO STDOUT (FORMAT BINARY)
;;

-- psycopg3 stream (single row mode) [extended]
select id from shop.purchases limit 10
;;

-- psycopg3 TypeInfo.fetch / EnumInfo / CompositeInfo [extended]
-- parameters: 0
SELECT
    typname AS name, oid, typarray AS array_oid,
    oid::regtype::text AS regtype, typdelim AS delimiter
FROM pg_type t
WHERE t.oid = to_regtype($1)
ORDER BY t.oid
;;

-- psycopg3 TypeInfo.fetch / EnumInfo / CompositeInfo [extended]
-- parameters: 0
SELECT name, oid, array_oid, regtype, array_agg(label) AS labels
FROM (
    SELECT
        t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
        t.oid::regtype::text AS regtype, e.enumlabel AS label
    FROM pg_type t
    LEFT JOIN  pg_enum e
    ON e.enumtypid = t.oid
    WHERE t.oid = to_regtype($1)
    ORDER BY e.enumsortorder
) x
GROUP BY name, oid, array_oid, regtype
;;

-- psycopg3 TypeInfo.fetch / EnumInfo / CompositeInfo [extended]
-- parameters: 0
SELECT
    t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    coalesce(a.fnames, '{}') AS field_names,
    coalesce(a.ftypes, '{}') AS field_types
FROM pg_type t
LEFT JOIN (
    SELECT
        attrelid,
        array_agg(attname) AS fnames,
        array_agg(atttypid) AS ftypes
    FROM (
        SELECT a.attrelid, a.attname, a.atttypid
        FROM pg_attribute a
        JOIN pg_type t ON t.typrelid = a.attrelid
        WHERE t.oid = to_regtype($1)
        AND a.attnum > 0
        AND NOT a.attisdropped
        ORDER BY a.attnum
    ) x
    GROUP BY attrelid
) a ON a.attrelid = t.typrelid
WHERE t.oid = to_regtype($1)
;;

-- psycopg3 TypeInfo.fetch / EnumInfo / CompositeInfo [extended]
-- parameters: 0
SELECT t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    r.rngsubtype AS subtype_oid
FROM pg_type t
JOIN pg_range r ON t.oid = r.rngtypid
WHERE t.oid = to_regtype($1)
;;

-- psycopg3 TypeInfo.fetch / EnumInfo / CompositeInfo [extended]
-- parameters: 0
SELECT t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    r.rngtypid AS range_oid, r.rngsubtype AS subtype_oid
FROM pg_type t
JOIN pg_range r ON t.oid = r.rngmultitypid
WHERE t.oid = to_regtype($1)
;;

-- psycopg3 autocommit + isolation [simple]
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
;;

-- psycopg3 autocommit + isolation [simple]
ROLLBACK
;;

-- psycopg3 autocommit + isolation [simple]
DEALLOCATE ALL
;;

-- psycopg3 ClientCursor [simple]
select 1,'a'
;;

-- psycopg3 two-statement [simple]
select 1; select 2
;;
