{{ config(alias='by month') }}
select {{ dbt.date_trunc('month', 'bought_on') }} as month, count(*) as n_purchases,
       count(*) filter (where buyer_id in (select buyer_id from {{ ref('large_purchases') }})) as n_by_large_buyers
from {{ ref('paid_purchases') }}
group by 1
