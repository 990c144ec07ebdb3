select month from {{ ref('by_month') }} where n_purchases = 0
