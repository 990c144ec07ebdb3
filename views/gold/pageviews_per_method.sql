-- Page views by HTTP method, in windows of five minutes.
create materialized view gold.pageviews_per_method as
select date_bin('5 minutes', viewed_at, timestamptz '2026-01-01 00:00:00+00') as window_start,
       http_method,
       count(*) as n_views,
       sum(case when status >= 500 then 1 else 0 end) as n_errors,
       max(latency_ms) as latency_ms_max
from bronze.pageviews
group by 1, 2;
