{{ config(materialized='ephemeral') }}
select buyer_id, amount from {{ ref('paid_purchases') }} where amount > 100
