-- Parquet: single files, and a folder with Hive levels.
select count(*) as n, min(happened_at) as first, max(happened_at) as last from bronze.events;
select year, month, count(*) as n from bronze.events group by year, month order by year, month;
select event_id, user_id, kind, happened_at, duration_ms, value from bronze.events where event_id <= 60 order by event_id;
select kind, count(duration_ms) as n, sum(duration_ms) as ms, avg(duration_ms::float8) as mean, sum(value) as value
from bronze.events where year = 2026 group by kind order by kind;
select day, region, revenue, n_orders, closed_at, loaded_at, share from gold.daily_revenue order by day;
select region, sum(revenue) as total, max(n_orders) as most, count(share) as n from gold.daily_revenue group by region;
select day, revenue, sum(revenue) over (partition by region order by day) as running,
  rank() over (order by revenue desc) as place
from gold.daily_revenue order by day;
select shop_id, "shopName", opened, tags, visits from gold.shops order by shop_id;
