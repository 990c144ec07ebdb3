//! `pg_sleep`, `pg_sleep_for`: a statement that waits, and can be cancelled while it does.
//! <https://www.postgresql.org/docs/16/functions-datetime.html#FUNCTIONS-DATETIME-DELAY>

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, FieldRef, IntervalMonthDayNanoType, IntervalUnit};
use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::catalog::system::field;
use crate::types::oid;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let sleeping = |name, argument| {
        let signature = Signature::exact(vec![argument], Volatility::Volatile);
        let sleep = Sleep { name, signature };
        Arc::new(AsyncScalarUDF::new(Arc::new(sleep)).into_scalar_udf())
    };
    vec![
        sleeping("pg_sleep", DataType::Float64),
        sleeping(
            "pg_sleep_for",
            DataType::Interval(IntervalUnit::MonthDayNano),
        ),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sleep {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Sleep {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(field(self.name, oid::VOID, true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let message = format!("{} waits, and is not called at once", self.name);
        Err(DataFusionError::Internal(message))
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Sleep {
    async fn invoke_async_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let n_rows = arguments.number_rows;
        let spans = arguments.args[0].to_array(n_rows)?;
        let mut values = Vec::with_capacity(n_rows);
        for row in 0..n_rows {
            let span = ScalarValue::try_from_array(&spans, row)?;
            let value = match seconds(&span) {
                Some(seconds) => {
                    tokio::time::sleep(span_of(seconds)).await;
                    Some(String::new())
                }
                None => None,
            };
            values.push(ScalarValue::Utf8(value));
        }
        match values.is_empty() {
            true => Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None))),
            false => ScalarValue::iter_to_array(values).map(ColumnarValue::Array),
        }
    }
}

/// How long, in seconds; `None` for NULL.
fn seconds(span: &ScalarValue) -> Option<f64> {
    match span {
        ScalarValue::Float64(seconds) => *seconds,
        ScalarValue::IntervalMonthDayNano(interval) => {
            let (months, days, nanos) = IntervalMonthDayNanoType::to_parts((*interval)?);
            let days = f64::from(months) * 30.0 + f64::from(days);
            #[expect(clippy::cast_precision_loss, reason = "nobody waits to the nanosecond")]
            Some(days * 86_400.0 + nanos as f64 / 1e9)
        }
        _ => None,
    }
}

/// Negative waits are none; those beyond what can be counted never end.
fn span_of(seconds: f64) -> Duration {
    match seconds > 0.0 {
        true => Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        false => Duration::ZERO,
    }
}
