-- Page views of users who starred a product within the 15 minutes that followed.
create view gold.starred_pageviews as
select p.event_id, p.viewed_at, p.user_id, p.path, s.product_id, s.starred_at
from bronze.pageviews p
join bronze.stars s
  on s.user_id = p.user_id
 and s.starred_at >= p.viewed_at
 and s.starred_at < p.viewed_at + interval '15 minutes';
