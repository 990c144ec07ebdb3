-- Users with what they ordered, and whether they left.
create view gold.users as
select u.id, u.name, u.email, u.country, u.tier, u.signed_up_at, u.marketing_consent,
       coalesce(o.n_orders, 0) as n_orders,
       o.last_ordered_at,
       c.churned
from silver.users u
left join (select user_id, count(*) as n_orders, max(ordered_at) as last_ordered_at
           from silver.orders
           group by user_id) as o on o.user_id = u.id
left join silver.customer_churn c on c.customer_id = u.id;
