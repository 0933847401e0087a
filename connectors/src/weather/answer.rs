//! Reads the answer of a weather service: times and values in two lists of the same length.
//!
//! Must never: take a null for a value, a foreign unit for degrees Celsius, or a local time for another one.

use chrono::{NaiveDate, NaiveDateTime};
use model::Instant;
use serde::Deserialize;

use super::Means;

/// Most values of one answer: eleven years of hours.
pub const VALUES_MAX: usize = 100_000;
/// Seconds of an offset from UTC that exists anywhere, doubled.
const OFFSET_SECONDS_MAX: i64 = 28 * 3600;
/// Unix seconds between the years 1900 and 2200.
const SECONDS: std::ops::Range<i64> = -2_208_988_800..7_258_118_400;

/// Temperatures in °C, in order of the answer, those that the service has.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    Hourly(Vec<(Instant, f64)>),
    Daily(Vec<(NaiveDate, f64)>),
}

/// Why an answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("it is not the JSON of an archive: {says}")]
    NotJson { says: String },
    #[error("the service says: {reason}")]
    Refused { reason: String },
    #[error("it has no list `{list}`")]
    ListMissing { list: &'static str },
    #[error("it has {times} times and {values} values")]
    Lengths { times: usize, values: usize },
    #[error("it has {values} values, the most is {VALUES_MAX}")]
    TooMany { values: usize },
    #[error("its values are in {unit:?}, °C is needed")]
    Unit { unit: String },
    #[error("its time number {number} is none: {time}")]
    Time { number: usize, time: String },
    #[error("its offset from UTC is {seconds} s, which exists nowhere")]
    Offset { seconds: i64 },
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    utc_offset_seconds: i64,
    hourly: Option<Hourly>,
    hourly_units: Option<Units>,
    daily: Option<Daily>,
    daily_units: Option<Units>,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Hourly {
    time: Vec<Time>,
    temperature_2m: Option<Vec<Option<f64>>>,
}

#[derive(Debug, Deserialize)]
struct Daily {
    time: Vec<Time>,
    temperature_2m_mean: Option<Vec<Option<f64>>>,
}

#[derive(Debug, Deserialize)]
struct Units {
    #[serde(alias = "temperature_2m_mean")]
    temperature_2m: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Time {
    Seconds(i64),
    Text(String),
}

/// Reads an answer of any bytes.
///
/// # Errors
/// Whatever keeps it from being a list of temperatures, whole: nothing of a bad answer is used.
pub fn parse_answer(bytes: &[u8], means: Means) -> Result<Values, AnswerError> {
    let answer: Answer = serde_json::from_slice(bytes)
        .map_err(|error| AnswerError::NotJson { says: error.to_string().chars().take(200).collect() })?;
    if let Some(reason) = answer.reason {
        return Err(AnswerError::Refused { reason: reason.chars().take(200).collect() });
    }
    let offset = answer.utc_offset_seconds;
    if !(-OFFSET_SECONDS_MAX..=OFFSET_SECONDS_MAX).contains(&offset) {
        return Err(AnswerError::Offset { seconds: offset });
    }
    match means {
        Means::Hourly => {
            let list = answer.hourly.ok_or(AnswerError::ListMissing { list: "hourly" })?;
            celsius(answer.hourly_units)?;
            let pairs = pairs(list.time, list.temperature_2m, "hourly.temperature_2m")?;
            let hourly = pairs.map(|(number, time, value)| {
                let at = instant(&time, offset).ok_or_else(|| no_time(number, &time))?;
                Ok(value.map(|value| (at, value)))
            });
            Ok(Values::Hourly(hourly.filter_map(Result::transpose).collect::<Result<_, _>>()?))
        }
        Means::Daily => {
            let list = answer.daily.ok_or(AnswerError::ListMissing { list: "daily" })?;
            celsius(answer.daily_units)?;
            let pairs = pairs(list.time, list.temperature_2m_mean, "daily.temperature_2m_mean")?;
            let daily = pairs.map(|(number, time, value)| {
                let date = date(&time, offset).ok_or_else(|| no_time(number, &time))?;
                Ok(value.map(|value| (date, value)))
            });
            Ok(Values::Daily(daily.filter_map(Result::transpose).collect::<Result<_, _>>()?))
        }
    }
}

fn celsius(units: Option<Units>) -> Result<(), AnswerError> {
    match units.and_then(|u| u.temperature_2m) {
        Some(unit) if unit != "°C" => Err(AnswerError::Unit { unit: unit.chars().take(20).collect() }),
        Some(_) | None => Ok(()),
    }
}

type Pairs = std::vec::IntoIter<(usize, Time, Option<f64>)>;

fn pairs(
    times: Vec<Time>,
    values: Option<Vec<Option<f64>>>,
    list: &'static str,
) -> Result<Pairs, AnswerError> {
    let values = values.ok_or(AnswerError::ListMissing { list })?;
    if times.len() != values.len() {
        return Err(AnswerError::Lengths { times: times.len(), values: values.len() });
    }
    if VALUES_MAX < times.len() {
        return Err(AnswerError::TooMany { values: times.len() });
    }
    let all: Vec<_> = times
        .into_iter()
        .zip(values)
        .enumerate()
        .map(|(i, (time, value))| (i + 1, time, value.filter(|v| v.is_finite())))
        .collect();
    Ok(all.into_iter())
}

fn no_time(number: usize, time: &Time) -> AnswerError {
    let time = match time {
        Time::Seconds(seconds) => seconds.to_string(),
        Time::Text(text) => text.chars().take(40).collect(),
    };
    AnswerError::Time { number, time }
}

/// Unix seconds are UTC; a text without a zone is local time at the answer's one offset.
fn instant(time: &Time, offset: i64) -> Option<Instant> {
    let seconds = match time {
        Time::Seconds(seconds) => *seconds,
        Time::Text(text) => match NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M") {
            Ok(local) => local.and_utc().timestamp().checked_sub(offset)?,
            Err(_) => Instant::parse_rfc3339(text)?.millis().div_euclid(1000),
        },
    };
    SECONDS.contains(&seconds).then(|| Instant::from_seconds(seconds))
}

/// A daily time as Unix seconds is the local midnight: the offset makes it a date again.
fn date(time: &Time, offset: i64) -> Option<NaiveDate> {
    match time {
        Time::Seconds(seconds) => {
            let local = seconds.checked_add(offset).filter(|s| SECONDS.contains(s))?;
            Some(Instant::from_seconds(local).utc().date_naive())
        }
        Time::Text(text) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hourly(text: &str) -> Result<Values, AnswerError> {
        parse_answer(text.as_bytes(), Means::Hourly)
    }

    #[test]
    fn times_are_unix_seconds_local_texts_or_rfc_3339() {
        let wanted = Values::Hourly(vec![(Instant::parse_rfc3339("2025-03-30T00:00:00Z").unwrap(), -1.5)]);
        for text in [
            r#"{"hourly":{"time":[1743292800],"temperature_2m":[-1.5]}}"#,
            r#"{"utc_offset_seconds":3600,"hourly":{"time":["2025-03-30T01:00"],"temperature_2m":[-1.5]}}"#,
            r#"{"utc_offset_seconds":3600,"hourly":{"time":["2025-03-30T02:00:00+02:00"],"temperature_2m":[-1.5]}}"#,
        ] {
            assert_eq!(hourly(text).unwrap(), wanted, "{text}");
        }
        let daily = |text: &str| parse_answer(text.as_bytes(), Means::Daily).unwrap();
        let wanted = Values::Daily(vec![(NaiveDate::from_ymd_opt(2025, 3, 31).unwrap(), 4.0)]);
        for text in [
            r#"{"daily":{"time":["2025-03-30","2025-03-31"],"temperature_2m_mean":[null,4]}}"#,
            // Local midnight of 31 March in summer time, as UTC.
            r#"{"utc_offset_seconds":7200,"daily":{"time":[1743285600,1743372000],"temperature_2m_mean":[null,4]}}"#,
        ] {
            assert_eq!(daily(text), wanted, "{text}");
        }
    }

    #[test]
    fn nulls_are_no_values() {
        let text = r#"{"hourly":{"time":[0,3600,7200],"temperature_2m":[null,0.0,null]}}"#;
        assert_eq!(hourly(text).unwrap(), Values::Hourly(vec![(Instant::from_seconds(3600), 0.0)]));
    }

    #[test]
    fn each_bad_answer_says_what_is_wrong() {
        for (text, says) in [
            ("", "it is not the JSON of an archive: "),
            ("<html>", "it is not the JSON of an archive: "),
            ("[]", "it is not the JSON of an archive: "),
            ("{}", "it has no list `hourly`"),
            (r#"{"hourly":{"time":[0]}}"#, "it has no list `hourly.temperature_2m`"),
            (r#"{"hourly":{"time":[0],"temperature_2m":[]}}"#, "it has 1 times and 0 values"),
            (r#"{"hourly":{"time":[0],"temperature_2m":["1"]}}"#, "it is not the JSON of an archive: "),
            (r#"{"hourly":{"time":["soon"],"temperature_2m":[1]}}"#, "its time number 1 is none: soon"),
            (r#"{"hourly":{"time":[9e18],"temperature_2m":[1]}}"#, "it is not the JSON of an archive: "),
            (r#"{"hourly":{"time":[9000000000000],"temperature_2m":[1]}}"#, "its time number 1 is none"),
            (
                r#"{"hourly_units":{"temperature_2m":"°F"},"hourly":{"time":[0],"temperature_2m":[50]}}"#,
                "its values are in \"°F\"",
            ),
            (
                r#"{"utc_offset_seconds":360000,"hourly":{"time":[0],"temperature_2m":[50]}}"#,
                "its offset from UTC is 360000 s",
            ),
            (r#"{"error":true,"reason":"No data"}"#, "the service says: No data"),
        ] {
            let error = hourly(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let many = format!(
            r#"{{"hourly":{{"time":[{0}],"temperature_2m":[{0}]}}}}"#,
            vec!["0"; VALUES_MAX + 1].join(",")
        );
        assert_eq!(hourly(&many), Err(AnswerError::TooMany { values: VALUES_MAX + 1 }));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for means in [Means::Hourly, Means::Daily] {
                let _outcome = parse_answer(&bytes, means).is_ok();
            }
        }

        #[test]
        fn arbitrary_lists_never_panic(
            offset in any::<i64>(),
            times in proptest::collection::vec(any::<i64>(), 0..5),
            values in proptest::collection::vec(proptest::option::of(any::<f64>()), 0..5),
        ) {
            let text = serde_json::json!({
                "utc_offset_seconds": offset,
                "hourly": {"time": times, "temperature_2m": values},
                "daily": {"time": times, "temperature_2m_mean": values},
            })
            .to_string();
            for means in [Means::Hourly, Means::Daily] {
                if let Ok(Values::Hourly(list)) = parse_answer(text.as_bytes(), means) {
                    prop_assert!(list.iter().all(|(_, v)| v.is_finite()));
                }
            }
        }
    }
}
