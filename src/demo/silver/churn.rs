//! `silver.customer_churn`: who left and who stayed; since August with the reason.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::DataType;

use super::super::files::{
    Lake, Made, booleans, decimals, field, integers, longs, mask, text_of, texts, whole_of,
};
use super::super::world::{Day, World};
use super::delta::{DeltaTable, Where};
use crate::error::Result;

const MONTHLY: (u8, i8) = (8, 2);
const TOTAL: (u8, i8) = (12, 2);
const CONTRACTS: [&str; 3] = ["month-to-month", "one year", "two year"];
const CONTRACT_WEIGHTS: [i64; 3] = [55, 25, 20];
/// Of 100 customers with the contract, those who leave.
const CHURN_PERCENT: [i64; 3] = [42, 12, 4];
const REASONS: [&str; 5] = ["price", "service", "moved", "competitor", "product"];

struct Customer {
    id: i64,
    tenure_months: i32,
    contract: &'static str,
    monthly_cents: i64,
    churned: bool,
    reason: Option<&'static str>,
}

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let fields = vec![
        field("customer_id", DataType::Int64),
        field("tenure_months", DataType::Int32),
        field("contract", DataType::Utf8),
        field(
            "monthly_charges",
            DataType::Decimal128(MONTHLY.0, MONTHLY.1),
        ),
        field("total_charges", DataType::Decimal128(TOTAL.0, TOTAL.1)),
        field("churned", DataType::Boolean),
    ];
    let mut table = DeltaTable::new(world, lake, "customer_churn", fields, None);
    let share = |tenths: i64| world.n_customers * tenths / 10;
    let first = [
        rows(&table, world, 1..=share(3))?,
        rows(&table, world, share(3) + 1..=share(6))?,
    ];
    table.append(Day::new(2026, 5, 10).at(5, 0), first)?;
    let second = rows(&table, world, share(6) + 1..=share(8))?;
    table.append(Day::new(2026, 6, 10).at(5, 0), [second])?;
    table.update(
        Day::new(2026, 7, 10).at(17, 20),
        &Where {
            text: "contract = 'month-to-month' AND tenure_months < 12 AND NOT churned",
            in_partition: &|_| true,
            matches: &stays_for_now,
        },
        "churned",
        &|rows| Arc::new(BooleanArray::from(vec![true; rows.num_rows()])),
    )?;
    table.add_column(
        Day::new(2026, 8, 10).at(9, 0),
        field("reason", DataType::Utf8),
    )?;
    table.update(
        Day::new(2026, 8, 20).at(9, 0),
        &Where {
            text: "churned",
            in_partition: &|_| true,
            matches: &|rows| rows["churned"].as_boolean().clone(),
        },
        "reason",
        &|rows| texts::<&str, _>((0..rows.num_rows()).map(|_| "unknown")),
    )?;
    let third = rows(&table, world, share(8) + 1..=world.n_customers)?;
    table.append(Day::new(2026, 9, 10).at(5, 0), [third])?;
    table.delete(
        Day::new(2026, 10, 1).at(7, 45),
        &Where {
            text: "tenure_months >= 66",
            in_partition: &|_| true,
            matches: &|rows| {
                let tenure = whole_of(rows, "tenure_months");
                mask(rows, |row| tenure(row).is_some_and(|months| months >= 66))
            },
        },
    )?;
    table.optimize(Day::new(2026, 10, 20).at(3, 20))?;
    Ok(table.made())
}

fn stays_for_now(rows: &RecordBatch) -> BooleanArray {
    let (contract, tenure) = (text_of(rows, "contract"), whole_of(rows, "tenure_months"));
    let churned = rows["churned"].as_boolean();
    mask(rows, |row| {
        contract(row) == Some(CONTRACTS[0])
            && tenure(row).is_some_and(|months| months < 12)
            && churned.is_valid(row)
            && !churned.value(row)
    })
}

/// Customers are users; their ids are the same.
fn customer(world: &World, id: i64) -> Customer {
    let mut random = world.random("customer_churn", id);
    let contract = random.weighted(&CONTRACT_WEIGHTS);
    let churned = random.percent(CHURN_PERCENT[contract]);
    Customer {
        id,
        tenure_months: random.between(0, 72) as i32,
        contract: CONTRACTS[contract],
        monthly_cents: random.between(360, 2_380) * 5,
        churned,
        reason: churned.then(|| *random.pick(&REASONS)),
    }
}

fn rows(table: &DeltaTable<'_>, world: &World, ids: RangeInclusive<i64>) -> Result<RecordBatch> {
    let customers: Vec<Customer> = ids.map(|id| customer(world, id)).collect();
    let rows = || customers.iter();
    // Nothing is charged before the first month is over.
    let total = |customer: &Customer| match i64::from(customer.tenure_months) {
        0 => None,
        months => Some(months * customer.monthly_cents),
    };
    let mut columns = vec![
        longs(rows().map(|customer| customer.id)),
        integers(rows().map(|customer| customer.tenure_months)),
        texts::<&str, _>(rows().map(|customer| customer.contract)),
        decimals(MONTHLY, rows().map(|customer| customer.monthly_cents)),
        decimals(TOTAL, rows().map(total)),
        booleans(rows().map(|customer| customer.churned)),
    ];
    if table.has_column("reason") {
        columns.push(texts::<&str, _>(rows().map(|customer| customer.reason)));
    }
    table.rows(columns)
}
