select id, buyer_id, bought_on, amount, created_at
from {{ source('shop', 'purchases') }}
where status = 'paid'
