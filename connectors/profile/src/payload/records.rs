//! The energies that a device keeps of each minute by itself, and what can be asked of it after an outage.
//!
//! Such a record is no register: it says what was counted within its minute. [`BoundRecords::rebuild`] makes registers
//! of them, and only where their sum meets the registers read before and after the gap.
//!
//! Must never: name a method that changes anything in a device, or give a total that is not between the two that
//! were measured.

mod chain;

use model::{Channel, Instant, Quantity, Unit, Value};

use crate::decimal::Decimal;
use crate::json::{Json, Path};

pub use chain::{ChainError, Gap, Rebuilt};

/// Records kept in memory of one gap at most: 60 days of minutes.
pub const RECORDS_MAX: usize = 86_400;
/// Totals that a file may rebuild, and keys that one may be the sum of, at most.
pub const TOTALS_MAX: usize = 16;
/// How far the end of a record may be ahead of the clock of this machine, in seconds: beyond it the device's clock is
/// wrong, and so are the times of all its records.
pub const RECORD_AHEAD_SECONDS_MAX: i64 = 60;
/// 2200-01-01 in seconds since 1970: what claims a later time is no time.
const SECONDS_END: i64 = 7_258_118_400;
/// Energies of records are summed in millionths of the unit a total is kept in, so that no rounding adds up.
pub(crate) const MICRO: i128 = 1_000_000;

/// A method that reads records. A device has many others, which switch, reset and delete: they have no word here, so
/// that no file can name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordsMethod {
    /// Of a Shelly in the three-phase profile.
    EmData,
    /// Of a Shelly in the single-phase profile.
    Em1Data,
}

impl RecordsMethod {
    pub const ALL: [Self; 2] = [Self::EmData, Self::Em1Data];

    /// As the device knows it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::EmData => "EMData.GetData",
            Self::Em1Data => "EM1Data.GetData",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.code() == code)
    }
}

/// A total whose course can be rebuilt.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordTotal {
    pub channel: Channel,
    /// The energy of a record is the sum of these.
    pub keys: Vec<String>,
    pub unit: Unit,
    /// The last digit of one key's energy, in millionths of the unit in which the total is kept.
    pub resolution_micros: i64,
}

/// An answer of a device, with the energies it must give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordsExample {
    pub answer: Vec<u8>,
    /// Of each record in order, in millionths of the unit in which the total is kept.
    pub expect: Vec<(Channel, Vec<i64>)>,
}

/// What a meter's file says of the device's records.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordsModel {
    pub method: RecordsMethod,
    /// Number of the device's component, with placeholders.
    pub component: String,
    /// Where requests go, with placeholders.
    pub request: String,
    pub period_s: u32,
    /// How long the device keeps them.
    pub keeps_days: u32,
    /// How long an answer may take.
    pub answer_s: u32,
    pub totals: Vec<RecordTotal>,
    pub examples: Vec<RecordsExample>,
}

/// The same for one meter.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundRecords {
    /// Where requests go.
    pub topic: String,
    pub component: u32,
    pub model: RecordsModel,
}

/// What was counted in one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub begins: Instant,
    /// By total, in the order of [`RecordsModel::totals`], in millionths of the unit in which it is kept.
    pub micros: Vec<i64>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub records: Vec<Record>,
    /// Where the next one begins, in seconds since 1970; `None` when this is the last.
    pub next_s: Option<i64>,
}

/// Why an answer gives no records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    #[error("the device refuses: {message} ({code})")]
    Refused { code: String, message: String },
    #[error("`{what}` is missing or no {wanted}")]
    Form { what: String, wanted: &'static str },
    #[error("a period of {found} s where {wanted} s are expected")]
    Period { found: i64, wanted: u32 },
    #[error("`{key}` is below 0 in the record of {at}")]
    Negative { key: String, at: Instant },
    #[error("the record of {at} begins before the one before it ends")]
    Disorder { at: Instant },
    #[error("more than {RECORDS_MAX} records")]
    TooMany,
}

impl RecordsError {
    /// What is wrong in a word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::TooMany => "size",
            Self::Form { .. } | Self::Period { .. } | Self::Negative { .. } | Self::Disorder { .. } => "form",
        }
    }
}

/// Which request an answer is to; `None` for what is no answer.
///
/// # Errors
/// It is no JSON.
pub fn answered(payload: &[u8]) -> Result<Option<u64>, RecordsError> {
    let json = parse(payload)?;
    Ok(member(&json, "id").and_then(whole).and_then(|id| u64::try_from(id).ok()))
}

fn parse(payload: &[u8]) -> Result<Json<'_>, RecordsError> {
    let text = std::str::from_utf8(payload).ok();
    let json = text.and_then(|text| Json::parse(text).ok());
    json.ok_or_else(|| form("the answer", "JSON"))
}

fn form(what: &str, wanted: &'static str) -> RecordsError {
    RecordsError::Form { what: what.to_owned(), wanted }
}

fn member<'j>(json: &'j Json<'_>, name: &str) -> Option<&'j Json<'j>> {
    let Json::Object(members) = json else { return None };
    members.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

fn whole(json: &Json<'_>) -> Option<i64> {
    let Json::Number(text) = json else { return None };
    text.parse().ok()
}

/// A time in seconds since 1970.
fn time(json: &Json<'_>) -> Option<i64> {
    whole(json).filter(|second| (0..SECONDS_END).contains(second))
}

fn list<'j>(json: &'j Json<'_>, name: &str) -> Result<&'j [Json<'j>], RecordsError> {
    match member(json, name) {
        Some(Json::Array(items)) => Ok(items),
        Some(_) | None => Err(form(name, "list")),
    }
}

/// A number in `unit` as millionths of what the quantity is kept in.
#[must_use]
pub fn micros(number: Decimal, unit: Unit, quantity: Quantity) -> Option<i64> {
    match number.times(Decimal::power_of_ten(6)?)?.value(unit, quantity)? {
        Value::Total(micros) => Some(micros),
        Value::Gauge(_) => None,
    }
}

impl BoundRecords {
    /// The request for the records from one second to another, as the device wants it: JSON-RPC without a version.
    /// `from` is who asks: the answer comes to the topic `from`/rpc.
    #[must_use]
    pub fn request(&self, number: u64, from: &str, begins_s: i64, ends_s: i64) -> String {
        let (method, component) = (self.model.method.code(), self.component);
        format!(
            r#"{{"id":{number},"src":"{from}","method":"{method}","params":{{"id":{component},"ts":{begins_s},"end_ts":{ends_s}}}}}"#
        )
    }

    /// The records of an answer.
    ///
    /// # Errors
    /// The device refuses, or the answer is not understood: then nothing of it is used.
    pub fn page(&self, payload: &[u8]) -> Result<Page, RecordsError> {
        let json = parse(payload)?;
        if let Some(error) = member(&json, "error") {
            let code = member(error, "code").and_then(whole).map_or_else(String::new, |c| c.to_string());
            let message = match member(error, "message") {
                Some(Json::Text(text)) => text.chars().take(200).collect(),
                Some(_) | None => "it gives no reason".to_owned(),
            };
            return Err(RecordsError::Refused { code, message });
        }
        let result = member(&json, "result").ok_or_else(|| form("result", "object"))?;
        let next_s = match member(result, "next_record_ts") {
            None | Some(Json::Null) => None,
            Some(next) => Some(time(next).ok_or_else(|| form("next_record_ts", "time"))?),
        };
        let blocks = list(result, "data")?;
        let mut records = Vec::new();
        if !blocks.is_empty() {
            let columns = self.columns(list(result, "keys")?)?;
            for block in blocks {
                self.block(block, &columns, &mut records)?;
            }
        }
        Ok(Page { records, next_s })
    }

    /// For each total the places of its keys in a row.
    fn columns(&self, keys: &[Json<'_>]) -> Result<Vec<Vec<usize>>, RecordsError> {
        let place = |key: &String| {
            let found = keys.iter().position(|k| matches!(k, Json::Text(text) if text == key));
            found.ok_or_else(|| form(key, "key of the answer"))
        };
        self.model.totals.iter().map(|total| total.keys.iter().map(place).collect()).collect()
    }

    /// A run of records without a hole.
    fn block(
        &self,
        block: &Json<'_>,
        columns: &[Vec<usize>],
        records: &mut Vec<Record>,
    ) -> Result<(), RecordsError> {
        let begins = member(block, "ts").and_then(time).ok_or_else(|| form("ts", "time"))?;
        let period = member(block, "period").and_then(whole).ok_or_else(|| form("period", "whole number"))?;
        if period != i64::from(self.model.period_s) {
            return Err(RecordsError::Period { found: period, wanted: self.model.period_s });
        }
        let mut second = begins;
        for row in list(block, "values")? {
            if records.len() >= RECORDS_MAX {
                return Err(RecordsError::TooMany);
            }
            let at = Instant::from_seconds(second);
            if let Some(micros) = self.row(row, columns, at)? {
                let previous = records.last();
                if previous.is_some_and(|p| at < p.begins.plus_seconds(period)) {
                    return Err(RecordsError::Disorder { at });
                }
                records.push(Record { begins: at, micros });
            }
            second += period;
        }
        Ok(())
    }

    /// The sums of one record; `None` where the device says that it has no value: that is a hole.
    fn row(
        &self,
        row: &Json<'_>,
        columns: &[Vec<usize>],
        at: Instant,
    ) -> Result<Option<Vec<i64>>, RecordsError> {
        let mut sums = Vec::with_capacity(columns.len());
        for (total, places) in self.model.totals.iter().zip(columns) {
            let mut sum: i64 = 0;
            for (key, place) in total.keys.iter().zip(places) {
                let item = Path::parse(&format!("[{place}]")).and_then(|path| row.at(&path));
                let number = match item {
                    Some(Json::Null) => return Ok(None),
                    Some(Json::Number(text)) => Decimal::parse(text),
                    Some(_) | None => None,
                };
                let energy = number.and_then(|n| micros(n, total.unit, total.channel.quantity));
                let energy = energy.ok_or_else(|| form(key, "number"))?;
                if energy < 0 {
                    return Err(RecordsError::Negative { key: key.clone(), at });
                }
                sum = sum.checked_add(energy).ok_or_else(|| form(key, "number that can be kept"))?;
            }
            sums.push(sum);
        }
        Ok(Some(sums))
    }
}

#[cfg(test)]
mod tests;
