//! A weather service with the interface of Open-Meteo's archive, at any base address: one question, one answer.
//!
//! Must never: keep anything, decide which days are wanted, or make a mean of values; the daemon's job does the first
//! two and `analytics` the third.
//!
//! Hourly values are asked in GMT and as Unix times. Such services answer in local time with the one offset that is
//! valid when they are asked, winter days in summer time included (open-meteo issues 488 and 1255), so civil days made
//! of their local hours would begin an hour off for half the year. Their own daily means have that fault; hourly ones
//! are the default for this reason.

mod answer;
pub(crate) mod http;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use model::time::day_start;
use model::{Instant, Zone};

pub use answer::{AnswerError, VALUES_MAX, Values, parse_answer};
pub use http::BaseAddress;

use http::Trust;

/// Largest answer in bytes: a year of hourly values is a twentieth of it.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most days of one question.
pub const DAYS_MAX: i64 = 366;

/// What a service is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    Hourly,
    /// The service's own daily means.
    Daily,
}

/// How often and how patiently one question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Longest time of one attempt, from connecting to the last byte.
    pub timeout: Duration,
    pub attempts: u32,
    /// Wait after the first failure; doubled after each further one.
    pub first_wait: Duration,
    /// Longest wait. A service that asks for a longer one is left alone until the next round.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            attempts: 4,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
        }
    }
}

/// A place at a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    pub address: BaseAddress,
    /// Degrees north and east.
    pub latitude: f64,
    pub longitude: f64,
    pub means: Means,
    /// Whose civil days are meant.
    pub zone: Zone,
    /// Certificates to trust instead of the system's, as a PEM file.
    pub ca_file: Option<PathBuf>,
    pub patience: Patience,
}

/// What a service answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// Also of days beyond those asked for; values that the service does not have are left out.
    pub values: Values,
    /// The answer as it came, for its digest.
    pub body: Vec<u8>,
}

/// Why a service gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum WeatherError {
    #[error("{address} cannot be reached; check the address, the name and the network")]
    Unreachable {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{address} gave no complete answer within {timeout_s} s; raise timeout_s, or try again later")]
    Timeout { address: String, timeout_s: u64 },
    #[error("{address} broke off; it is tried again with the next round")]
    Broken {
        address: String,
        #[source]
        source: hyper::Error,
    },
    #[error(
        "no secure connection to {address}; check the certificates, or name the service's own with ca_file"
    )]
    Tls {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("certificates cannot be read from {place}; check that it is a PEM file with at least one")]
    Certificates { place: String },
    #[error("{address} answered with status {status}{reason}; {}", next_step(*status))]
    Status {
        address: String,
        status: u16,
        /// What the service says, with a colon before it; empty when it says nothing.
        reason: String,
        /// Seconds after which it wants to be asked again.
        retry_after_s: Option<u64>,
    },
    #[error("{address} sent more than {ANSWER_BYTES_MAX} bytes; is it an archive of daily or hourly values?")]
    TooLarge { address: String },
    #[error("{address} answered with something else than temperatures")]
    Unreadable {
        address: String,
        #[source]
        source: AnswerError,
    },
    #[error("{days} days were asked for at once, 1 to {DAYS_MAX} are allowed")]
    Days { days: i64 },
}

fn next_step(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed: write the address it leads to",
        429 => "it is asked too often: raise every_h",
        400..=499 => "check address, latitude, longitude and since",
        _ => "try again later",
    }
}

impl WeatherError {
    /// Whether the same question may be answered a little later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. } => true,
            Self::Status { status, .. } => *status == 429 || 500 <= *status,
            Self::Tls { .. }
            | Self::Certificates { .. }
            | Self::TooLarge { .. }
            | Self::Unreadable { .. }
            | Self::Days { .. } => false,
        }
    }

    /// How long the service wants to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after_s, .. } => retry_after_s.map(Duration::from_secs),
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::Tls { .. }
            | Self::Certificates { .. }
            | Self::TooLarge { .. }
            | Self::Unreadable { .. }
            | Self::Days { .. } => None,
        }
    }
}

impl Archive {
    /// Names service, place and kind of mean: answers under another name are other data.
    #[must_use]
    pub fn name(&self) -> String {
        let means = match self.means {
            Means::Hourly => "hourly",
            Means::Daily => "daily",
        };
        format!("{} {} {} {means} {}", self.address, self.latitude, self.longitude, self.zone.name())
    }

    /// The temperatures of the civil days from `from` to before `to`.
    ///
    /// # Errors
    /// After as many attempts as patience allows, the last failure; at once a failure that another attempt would not
    /// mend.
    pub async fn fetch(&self, from: NaiveDate, to: NaiveDate) -> Result<Fetched, WeatherError> {
        let days = (to - from).num_days();
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(WeatherError::Days { days });
        }
        let trust = Trust::of(&self.address, self.ca_file.as_deref())?;
        let mut wait = self.patience.first_wait;
        let mut attempt = 1;
        loop {
            let error = match self.once(&trust, from, to).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => error,
            };
            let asked = error.retry_after().unwrap_or_default();
            if !error.is_temporary()
                || self.patience.attempts <= attempt
                || self.patience.longest_wait < asked
            {
                return Err(error);
            }
            tokio::time::sleep(wait.max(asked).min(self.patience.longest_wait)).await;
            wait = wait.saturating_mul(2);
            attempt += 1;
        }
    }

    async fn once(&self, trust: &Trust, from: NaiveDate, to: NaiveDate) -> Result<Fetched, WeatherError> {
        let get = http::get(&self.address, trust, self.question(from, to));
        let timeout = self.patience.timeout;
        let body = tokio::time::timeout(timeout, get).await.map_err(|_| WeatherError::Timeout {
            address: self.address.to_string(),
            timeout_s: timeout.as_secs().max(1),
        })??;
        let values = parse_answer(&body, self.means)
            .map_err(|source| WeatherError::Unreadable { address: self.address.to_string(), source })?;
        Ok(Fetched { values, body })
    }

    /// Path and query after the base address.
    fn question(&self, from: NaiveDate, to: NaiveDate) -> String {
        let place = format!("/v1/archive?latitude={}&longitude={}", self.latitude, self.longitude);
        match self.means {
            Means::Hourly => {
                let day = |at: Instant| at.utc().date_naive();
                let first = day(day_start(from, self.zone));
                let last = day(day_start(to, self.zone).plus_millis(-1));
                format!(
                    "{place}&start_date={first}&end_date={last}&hourly=temperature_2m&timezone=GMT&timeformat=unixtime"
                )
            }
            Means::Daily => {
                let last = to.pred_opt().unwrap_or(to);
                let zone = self.zone.name().replace('/', "%2F").replace('+', "%2B");
                format!("{place}&start_date={from}&end_date={last}&daily=temperature_2m_mean&timezone={zone}")
            }
        }
    }
}
