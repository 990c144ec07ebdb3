select b.id as buyer_id, b.name, count(p.id) as n_purchases, max(p.bought_on) as last_bought_on
from {{ source('shop', 'buyers') }} b
left join {{ ref('paid_purchases') }} p on p.buyer_id = b.id
group by b.id, b.name
