//! The answer of a weather service, as hourly and as daily means.
//!
//! Laws: values are finite and not more than allowed; times are between 1900 and 2200; nulls give nothing; an answer
//! that names another unit, or a reason of its own, gives no values; what was read is read again from its own writing.
//!
//! Allowed errors: every `AnswerError`.
//!
//! Must never: follow an address.

use chrono::Datelike;
use connectors::weather::{ANSWER_BYTES_MAX, AnswerError, Means, VALUES_MAX, Values, parse_answer};

/// Bytes: the answer.
pub fn run(data: &[u8]) {
    for means in [Means::Hourly, Means::Daily] {
        match parse_answer(data, means) {
            Ok(values) => {
                assert!(data.len() <= ANSWER_BYTES_MAX || VALUES_MAX < data.len());
                assert_values(&values);
                again(&values, means);
            }
            Err(error) => assert_error(&error),
        }
    }
}

fn assert_values(values: &Values) {
    let (count, finite, years) = match values {
        Values::Hourly(list) => (
            list.len(),
            list.iter().all(|(_, value)| value.is_finite()),
            list.iter().all(|(at, _)| (1900..2200).contains(&at.utc().year())),
        ),
        Values::Daily(list) => (list.len(), list.iter().all(|(_, value)| value.is_finite()), true),
    };
    assert!(count <= VALUES_MAX && finite && years, "{values:?}");
}

/// Writes them as a service would, and reads that.
fn again(values: &Values, means: Means) {
    let join = |texts: Vec<String>| texts.join(",");
    let text = match values {
        Values::Hourly(list) => {
            // A text has no fractions of a second; every time that is read is of whole ones.
            let times = join(list.iter().map(|(at, _)| (at.millis().div_euclid(1000)).to_string()).collect());
            let means = join(list.iter().map(|(_, value)| format!("{value:?}")).collect());
            format!(r#"{{"hourly":{{"time":[{times}],"temperature_2m":[{means}]}}}}"#)
        }
        Values::Daily(list) => {
            let times = join(list.iter().map(|(day, _)| format!("\"{day}\"")).collect());
            let means = join(list.iter().map(|(_, value)| format!("{value:?}")).collect());
            format!(r#"{{"daily":{{"time":[{times}],"temperature_2m_mean":[{means}]}}}}"#)
        }
    };
    let read = parse_answer(text.as_bytes(), means);
    assert_eq!(read.as_ref(), Ok(values), "{text} does not come back");
}

/// The allowed errors; a new one must be added here knowingly.
fn assert_error(error: &AnswerError) {
    match error {
        AnswerError::NotJson { says } => assert!(says.chars().count() <= 200),
        AnswerError::Refused { reason } => assert!(reason.chars().count() <= 200),
        AnswerError::Lengths { times, values } => assert_ne!(times, values),
        AnswerError::TooMany { values } => assert!(VALUES_MAX < *values),
        AnswerError::Time { number, .. } => assert!(0 < *number),
        AnswerError::Offset { seconds } => assert_ne!(*seconds, 0),
        AnswerError::ListMissing { .. } | AnswerError::Unit { .. } => {}
    }
}
