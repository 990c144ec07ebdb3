-- health: the connection [simple]
SELECT 1
;;

-- the server's version [simple]
select current_setting('server_version_num')::int / 100 as version
;;

-- whether an extension is there [simple]
select extversion from pg_extension where extname = 'timescaledb'
;;

-- builder: schemas [simple]
select schema_name as name from information_schema.schemata where schema_name not in ('information_schema', 'pg_catalog', 'pg_toast', 'lakegate') order by 1
;;

-- builder: tables, those of the search path first and without their schema [simple]
with path as (
  select case when trim(part) = '"$user"' then user else trim(part) end as name from unnest(string_to_array(current_setting('search_path'), ',')) as part
)
select case when quote_ident(table_schema) in (select name from path) then quote_ident(table_name) else quote_ident(table_schema) || '.' || quote_ident(table_name) end as "table"
from information_schema.tables
where quote_ident(table_schema) not in ('information_schema', 'pg_catalog', 'lakegate')
order by case when quote_ident(table_schema) in (select name from path) then 0 else 1 end, 1
;;

-- builder: the parts of the search path by their number [simple]
select trim(parts[i]) as part from generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) as i, string_to_array(current_setting('search_path'), ',') as parts
;;

-- builder: tables of the search path, by a subquery of its parts [simple]
select quote_ident(table_name) as "table" from information_schema.tables
where quote_ident(table_schema) in (
  select case when trim(parts[i]) = '"$user"' then user else trim(parts[i]) end
  from generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) as i,
    string_to_array(current_setting('search_path'), ',') as parts
)
order by 1
;;

-- builder: columns of a table with its schema [simple]
select quote_ident(column_name) as "column", data_type as type from information_schema.columns
where case when array_length(parse_ident('shop.buyers'), 1) = 2
  then quote_ident(table_schema) = (parse_ident('shop.buyers'))[1] and quote_ident(table_name) = (parse_ident('shop.buyers'))[2]
  else quote_ident(table_name) = 'shop.buyers' end
order by ordinal_position
;;

-- builder: columns of a table with capitals [simple]
select quote_ident(column_name) as "column", data_type as type from information_schema.columns where quote_ident(table_schema) = 'public' and quote_ident(table_name) = '"Orders"' order by ordinal_position
;;

-- panel: by interval of seconds [simple]
select floor(extract(epoch from created_at) / 86400) * 86400 as time, count(*) as n from shop.purchases where created_at between '2024-01-02T00:00:00Z' and '2024-01-10T23:59:59Z' group by 1 order by 1
;;

-- panel: by interval of seconds, a series each [simple]
select (extract(epoch from created_at)::bigint / 604800) * 604800 as time, status as metric, avg(amount) as value from shop.purchases where created_at >= to_timestamp(1704067200) and created_at <= to_timestamp(1706745600) group by 1, 2 order by 1, 2
;;

-- panel: truncated moments of a column with a zone [simple]
select date_trunc('day', upd) as "time", max(balance) as value from shop.buyers where upd between timestamptz '2023-01-01' and timestamptz '2025-01-01' group by 1
;;

-- panel: bins of intervals [simple]
select date_bin('15 days', created_at, timestamp '2024-01-01') as time, sum(qty) as n from shop.purchases group by 1 order by 1
;;

-- variable: names with values [simple]
select name as __text, id as __value from shop.buyers where id < 4 order by id
;;

-- annotation: moments with texts and tags [simple]
select extract(epoch from created_at) as time, extract(epoch from created_at + interval '1 hour') as timeend, note as text, concat_ws(',', status, qty) as tags from shop.purchases where id = 7
;;

-- panel: a table of several statements' columns [simple]
select b.name, count(*) filter (where p.status = 'paid') as paid, count(p.id) filter (where p.status <> 'paid') as others from shop.buyers b join shop.purchases p on p.buyer_id = b.id where b.id in (3, 4) group by b.name order by 1
;;
