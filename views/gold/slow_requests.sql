-- Requests that took more than two seconds, and who waited.
create view gold.slow_requests as
select p.event_id, p.viewed_at, p.path, p.http_method, p.status, p.latency_ms,
       u.id as user_id, u.name as user_name, u.tier
from bronze.pageviews p
left join silver.users u on u.id = p.user_id
where p.latency_ms > 2000;
