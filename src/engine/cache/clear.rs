//! `lakegate.clear_cache()`: forgets what is kept.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use super::Results;
use super::relation::{DESCRIPTIONS, RESULTS, STATEMENTS};
use crate::error::{Error, ErrorKind, Result};

/// Its name, without the schema that it is called with.
pub(in crate::engine) const NAME: &str = "clear_cache";

/// The function, for who may, or may not, do everything. It gives how many entries were forgotten.
pub(in crate::engine) fn function(results: &Arc<Results>, may_everything: bool) -> Arc<ScalarUDF> {
    let one_word = [DataType::Utf8, DataType::Utf8View, DataType::Null];
    let mut signatures = vec![TypeSignature::Nullary];
    signatures.extend(one_word.map(|word| TypeSignature::Exact(vec![word])));
    Arc::new(ScalarUDF::new_from_impl(Clear {
        signature: Signature::one_of(signatures, Volatility::Volatile),
        results: Arc::clone(results),
        may_everything,
    }))
}

struct Clear {
    signature: Signature,
    results: Arc<Results>,
    may_everything: bool,
}

impl Clear {
    fn clear(&self, what: Option<&str>) -> Result<i64> {
        if !self.may_everything {
            let message = format!("permission denied for function {NAME}");
            return Err(Error::new(ErrorKind::InsufficientPrivilege, message));
        }
        let (results, descriptions) = (&self.results, &self.results.descriptions);
        let n_forgotten = match what {
            None => results.clear() + descriptions.clear() + results.statements.clear(),
            Some(RESULTS) => results.clear(),
            Some(DESCRIPTIONS) => descriptions.clear(),
            Some(STATEMENTS) => results.statements.clear(),
            Some(other) => {
                let message = format!("unrecognized cache: \"{other}\"");
                return Err(
                    Error::new(ErrorKind::InvalidParameterValue, message).with_hint(format!(
                        "Caches are {RESULTS}, {DESCRIPTIONS}, {STATEMENTS}."
                    )),
                );
            }
        };
        Ok(i64::try_from(n_forgotten).unwrap_or(i64::MAX))
    }
}

impl fmt::Debug for Clear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}

impl PartialEq for Clear {
    fn eq(&self, other: &Self) -> bool {
        self.may_everything == other.may_everything && Arc::ptr_eq(&self.results, &other.results)
    }
}

impl Eq for Clear {}

impl Hash for Clear {
    fn hash<H: Hasher>(&self, state: &mut H) {
        NAME.hash(state);
    }
}

impl ScalarUDFImpl for Clear {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let what = match call.args.first() {
            None => None,
            Some(word) if call.number_rows > 0 => {
                ScalarValue::try_from_array(&word.to_array(call.number_rows)?, 0)?
                    .try_as_str()
                    .flatten()
                    .map(str::to_owned)
            }
            Some(_) => return Ok(ColumnarValue::Scalar(ScalarValue::Int64(None))),
        };
        let n_forgotten = self
            .clear(what.as_deref())
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(ColumnarValue::Scalar(ScalarValue::from(n_forgotten)))
    }
}
