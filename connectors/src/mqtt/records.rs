//! What meters kept by themselves while nobody read them: a gap is seen, the device is asked, page by page, and what it
//! answers becomes readings of their own time, or a finding.
//!
//! Must never: publish anything but the request that a meter's file names, ask a device that was asked and has not
//! answered yet, or go on asking one that does not answer.

use std::collections::VecDeque;
use std::time::Duration;

use model::{Finding, Instant, MeterId, Origin, Quality, Reading, SeriesKey, Severity, Value};
use profile::payload::AHEAD_SECONDS_MAX;
use profile::payload::records::{
    BoundRecords, ChainError, Gap, Page, RECORDS_MAX, Rebuilt, Record, RecordsError, answered,
};
use profile::{Decoded, Message as Said};
use tokio::time::Instant as Ticks;

use super::Subscriber;
use super::session::{Message, Request};
use super::sort::Sorted;
use crate::inbox::{
    Inbox, MessageOutcome, QUARANTINE_BYTES_MAX, Quarantined, ReadingOutcome, Remembered, SourceEvent,
};

/// A time without readings is longer than so many periods, of the meter or of its records, whichever is longer.
const GAP_PERIODS: i64 = 3;
/// Requests without a usable answer, one after the other, before the gap is left as it is.
const ATTEMPTS_MAX: u32 = 3;
/// Pages of one gap at most. A device sends as many records as fit into its memory, some dozens.
const PAGES_MAX: usize = 10_000;
/// Gaps of one meter that wait at most.
const GAPS_MAX: usize = 8;
/// How long after its end the record of a period may take to be in the device's memory, in milliseconds.
const SETTLING_MS: i64 = 5_000;
/// Records are asked for up to so far in the future: one that is there tells that the device's clock is wrong.
const FUTURE_S: i64 = 86_400;
const DAY_MS: i64 = 86_400_000;
/// What is remembered of a gap begins with this.
const KEY: &str = "records/";

/// Why what a device kept is not used, in a word each: a reader's language has a text for each.
pub const RECORDS_KINDS: [&str; 10] =
    ["silent", "refused", "form", "size", "empty", "short", "clock", "unmet", "length", "waiting"];

/// Such a word, and the sentence.
type Why = (&'static str, String);

/// Where a gap stands.
#[derive(Debug)]
enum State {
    Waiting(Ticks),
    Asked {
        number: u64,
        until: Ticks,
    },
    /// Rebuilt, and on its way to the journal.
    Done,
}

/// A time without readings of one meter.
#[derive(Debug)]
struct Job {
    gaps: Vec<Gap>,
    /// The key under which it is remembered.
    key: String,
    records: Vec<Record>,
    /// Where the next page begins, in seconds since 1970.
    cursor_s: i64,
    pages: usize,
    failures: u32,
    state: State,
}

impl Job {
    fn new(watch: &Watch, gaps: Vec<Gap>, due: Ticks) -> Option<Self> {
        let begins = gaps.iter().map(|gap| gap.before.0).min()?;
        let ends = gaps.iter().map(|gap| gap.after.0).max()?;
        let period = watch.bound.period_ms();
        let cursor_s = begins.millis().div_euclid(period) * period / 1_000;
        let key = format!("{KEY}{}/{}", watch.id, ends.millis());
        let state = State::Waiting(due);
        Some(Self { gaps, key, records: Vec::new(), cursor_s, pages: 0, failures: 0, state })
    }

    /// The next page begins where the last record ends.
    fn follow_on(&mut self, period_ms: i64) {
        if let Some(last) = self.records.last() {
            self.cursor_s = last.begins.plus_millis(period_ms).millis() / 1_000;
        }
    }

    fn bounds(&self) -> (Instant, Instant) {
        let begins = self.gaps.iter().map(|gap| gap.before.0).min().unwrap_or_default();
        (begins, self.gaps.iter().map(|gap| gap.after.0).max().unwrap_or_default())
    }
}

/// One meter whose device keeps records.
#[derive(Debug)]
struct Watch {
    /// Its place among the meters of the link.
    meter: usize,
    id: MeterId,
    bound: BoundRecords,
    gap_ms: i64,
    /// By total: the last one.
    last: Vec<Option<(Instant, i64)>>,
    jobs: VecDeque<Job>,
}

/// What is to be done now.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) requests: Vec<Request>,
    /// Gaps given up, to be forgotten.
    pub(super) ended: Vec<Remembered>,
}

/// All meters of a link whose devices keep records.
#[derive(Debug)]
pub(super) struct Records {
    link: String,
    /// Who asks, for the devices: answers come to this and `/rpc`.
    from: String,
    watches: Vec<Watch>,
    /// Number of the last request.
    number: u64,
    /// The subscription to the answers is there.
    ready: bool,
}

impl Records {
    pub(super) fn new(link: String, client_id: &str, subscribers: &[Subscriber]) -> Self {
        let watches = subscribers.iter().enumerate().filter_map(|(meter, subscriber)| {
            let bound = subscriber.bound.records.clone()?;
            let period_s = i64::from(subscriber.every_s.max(bound.model.period_s));
            Some(Watch {
                meter,
                id: subscriber.meter.clone(),
                gap_ms: GAP_PERIODS * period_s * 1_000,
                last: vec![None; bound.model.totals.len()],
                jobs: VecDeque::new(),
                bound,
            })
        });
        Self {
            link,
            from: format!("{client_id}-records"),
            watches: watches.collect(),
            number: 0,
            ready: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    /// Where answers come, when there is anything to ask.
    pub(super) fn topic(&self) -> Option<String> {
        (!self.is_empty()).then(|| format!("{}/rpc", self.from))
    }

    /// Whether something remembered is of ours.
    pub(super) fn owns(key: &str) -> bool {
        key.starts_with(KEY)
    }

    /// Series whose last total is to be known before the first message.
    pub(super) fn series(&self) -> Vec<SeriesKey> {
        let of = |watch: &Watch| {
            let meter = watch.id.clone();
            let channels: Vec<_> = watch.bound.model.totals.iter().map(|total| total.channel).collect();
            channels.into_iter().map(move |channel| SeriesKey { meter: meter.clone(), channel })
        };
        self.watches.iter().flat_map(of).collect()
    }

    /// The last total that the journal has of a series.
    pub(super) fn learn(&mut self, series: &SeriesKey, at: Instant, value: i64) {
        for watch in self.watches.iter_mut().filter(|watch| watch.id == series.meter) {
            for (total, last) in watch.bound.model.totals.iter().zip(&mut watch.last) {
                if total.channel == series.channel && last.is_none_or(|(known, _)| known < at) {
                    *last = Some((at, value));
                }
            }
        }
    }

    /// Gaps that were not yet closed when the last run ended.
    pub(super) fn recall(&mut self, remembered: &[Remembered]) {
        for one in remembered.iter().filter(|one| Self::owns(&one.key)) {
            for watch in &mut self.watches {
                let own = one.key.strip_prefix(KEY).and_then(|key| key.rsplit_once('/'));
                if own.is_none_or(|(meter, _)| meter != watch.id.as_str())
                    || watch.jobs.iter().any(|job| job.key == one.key)
                    || watch.jobs.len() >= GAPS_MAX
                {
                    continue;
                }
                let text = std::str::from_utf8(&one.value).unwrap_or_default();
                let gaps: Vec<Gap> = text.lines().filter_map(|line| watch.gap_of(line)).collect();
                watch.jobs.extend(Job::new(watch, gaps, Ticks::now()));
            }
        }
    }

    /// A new connection: what was asked over the old one is asked again.
    pub(super) fn reset(&mut self) {
        self.ready = false;
        for watch in &mut self.watches {
            let period = watch.bound.period_ms();
            for job in &mut watch.jobs {
                if matches!(job.state, State::Done) {
                    job.follow_on(period);
                }
                if matches!(job.state, State::Asked { .. } | State::Done) {
                    job.state = State::Waiting(Ticks::now());
                }
            }
        }
    }

    /// The broker sends us the answers from now on.
    pub(super) fn subscribed(&mut self) {
        self.ready = true;
    }

    /// Takes note of what a meter said, and of what was missed before it.
    pub(super) fn seen(
        &mut self,
        meter: usize,
        said: &[Said],
        arrived: Instant,
        sorted: &mut Sorted,
        inbox: &dyn Inbox,
    ) {
        let Some(watch) = self.watches.iter_mut().find(|watch| watch.meter == meter) else { return };
        for one in said {
            let gaps = watch.follow(one);
            // A total that fell is a break of the counter, and no chain leads over it.
            let gaps: Vec<Gap> = gaps.into_iter().filter(|gap| gap.before.1 <= gap.after.1).collect();
            if gaps.is_empty() {
                continue;
            }
            match watch.open(gaps, arrived) {
                Ok(job) => {
                    let kept = Remembered {
                        link: self.link.clone(),
                        key: job.key.clone(),
                        value: watch.lines(&job.gaps).into_bytes(),
                        at: arrived,
                    };
                    sorted.remembered.insert(kept.key.clone(), kept);
                    watch.jobs.push_back(job);
                }
                Err((bounds, why)) => inbox.report(refused(&watch.id, bounds, &why)),
            }
        }
    }

    /// When [`Records::act`] has something to do.
    pub(super) fn due(&self) -> Option<Ticks> {
        let at = |watch: &Watch| match watch.jobs.front()?.state {
            State::Waiting(due) if self.ready && !self.is_asked(&watch.bound.topic) => Some(due),
            State::Asked { until, .. } => Some(until),
            State::Waiting(_) | State::Done => None,
        };
        self.watches.iter().filter_map(at).min()
    }

    /// Whether a device has been asked and has not answered: of several meters of one device one asks at a time.
    fn is_asked(&self, topic: &str) -> bool {
        let asked =
            |watch: &Watch| watch.jobs.front().is_some_and(|j| matches!(j.state, State::Asked { .. }));
        self.watches.iter().any(|watch| watch.bound.topic == topic && asked(watch))
    }

    /// Asks what is to be asked now, and gives up on what was asked too often.
    pub(super) fn act(&mut self, now: Instant, inbox: &dyn Inbox) -> Due {
        let ticks = Ticks::now();
        let mut due = Due::default();
        for place in 0..self.watches.len() {
            let Some(watch) = self.watches.get_mut(place) else { continue };
            if let Some(Job { state: State::Asked { until, .. }, .. }) = watch.jobs.front()
                && *until <= ticks
            {
                let why = ("silent", format!("the device did not answer on {}", watch.bound.topic));
                due.ended.extend(watch.fail(&self.link, &why, 0, now, inbox));
            }
            let waits =
                watch.jobs.front().is_some_and(|j| matches!(j.state, State::Waiting(d) if d <= ticks));
            let topic = watch.bound.topic.clone();
            if !waits || !self.ready || self.is_asked(&topic) {
                continue;
            }
            // Numbers go on over restarts, so that a late answer to an earlier run is not taken for one to this.
            let first = u64::try_from(now.millis() / 1_000).unwrap_or_default() % 1_000_000_000;
            self.number = self.number.max(first) + 1;
            let number = self.number;
            let Some(watch) = self.watches.get_mut(place) else { continue };
            let answer = Duration::from_secs(u64::from(watch.bound.model.answer_s));
            let Some(job) = watch.jobs.front_mut() else { continue };
            job.state = State::Asked { number, until: ticks + answer };
            let ends_s = now.millis() / 1_000 + FUTURE_S;
            let payload = watch.bound.request(number, &self.from, job.cursor_s, ends_s);
            due.requests.push(Request::Records { topic, payload });
        }
        due
    }

    /// Takes an answer.
    pub(super) fn answer(&mut self, message: &Message, sorted: &mut Sorted, inbox: &dyn Inbox) {
        if message.retain {
            sorted.count(None, MessageOutcome::Retained);
            return;
        }
        let number = match answered(&message.payload) {
            Ok(number) => number,
            Err(error) => {
                sorted.quarantined.push(self.kept(message, None, &error));
                sorted.count(None, MessageOutcome::Quarantined);
                return;
            }
        };
        let asked = |watch: &&mut Watch| {
            let job = watch.jobs.front();
            job.is_some_and(|j| matches!(j.state, State::Asked { number: own, .. } if Some(own) == number))
        };
        let Some(watch) = self.watches.iter_mut().find(asked) else {
            sorted.count(None, MessageOutcome::Unrelated);
            return;
        };
        let meter = Some(watch.meter);
        let (outcome, forgotten) = match watch.bound.page(&message.payload) {
            Ok(page) => {
                let taken = watch.take(page, message, &self.link, sorted, inbox);
                (MessageOutcome::Accepted, taken)
            }
            Err(error @ RecordsError::Refused { .. }) => {
                let ended =
                    watch.fail(&self.link, &(error.kind(), error.to_string()), 0, message.arrived, inbox);
                (MessageOutcome::Accepted, ended)
            }
            Err(error) => {
                let id = watch.id.clone();
                let ended =
                    watch.give_up(&self.link, &(error.kind(), error.to_string()), message.arrived, inbox);
                sorted.quarantined.push(self.kept(message, Some(id), &error));
                (MessageOutcome::Quarantined, ended)
            }
        };
        sorted.remembered.extend(forgotten.map(|one| (one.key.clone(), one)));
        sorted.count(meter, outcome);
    }

    fn kept(&self, message: &Message, meter: Option<MeterId>, error: &RecordsError) -> Quarantined {
        let kept = message.payload.len().min(QUARANTINE_BYTES_MAX);
        Quarantined {
            origin: Origin::Record,
            link: self.link.clone(),
            meter,
            place: message.topic().to_owned(),
            payload: message.payload.get(..kept).unwrap_or_default().to_vec(),
            length: message.length,
            reason: error.to_string(),
            at: message.arrived,
        }
    }

    /// What was rebuilt is durable.
    pub(super) fn settled(&mut self, inbox: &dyn Inbox, recovered: &[Reading]) {
        for watch in &mut self.watches {
            if watch.jobs.front().is_some_and(|job| matches!(job.state, State::Done)) {
                watch.jobs.pop_front();
                let count = recovered.iter().filter(|r| r.series.meter == watch.id).count() as u64;
                let (meter, outcome) = (watch.id.clone(), ReadingOutcome::Accepted);
                inbox.note(SourceEvent::Readings { meter, origin: Origin::Record, outcome, count });
            }
        }
    }
}

impl Watch {
    /// Remembers the totals of a message; gives those that follow on a gap.
    fn follow(&mut self, said: &Said) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (place, (total, last)) in self.bound.model.totals.iter().zip(&mut self.last).enumerate() {
            let value = said.values.iter().find_map(|(channel, value)| match value {
                Decoded::Value(Value::Total(value)) if *channel == total.channel => Some(*value),
                _ => None,
            });
            let Some(value) = value else { continue };
            let after = (said.observed_at, value);
            if last.is_some_and(|(at, _)| after.0 <= at) {
                continue;
            }
            if let Some(before) = last.replace(after)
                && after.0.millis().saturating_sub(before.0.millis()) > self.gap_ms
            {
                gaps.push(Gap { total: place, before, after });
            }
        }
        gaps
    }

    /// A gap that can be asked for; the error is its bounds and why it cannot.
    fn open(&self, gaps: Vec<Gap>, arrived: Instant) -> Result<Job, ((Instant, Instant), Why)> {
        let after = gaps.iter().map(|gap| gap.after.0).max().unwrap_or(arrived);
        let period = self.bound.period_ms();
        // Asked when the record of the minute in which the meter came back is complete.
        let complete = (after.millis().div_euclid(period) + 1).saturating_mul(period) + SETTLING_MS;
        let wait_ms = complete.saturating_sub(arrived.millis()).clamp(0, 2 * period + SETTLING_MS);
        let wait = Duration::from_millis(wait_ms.unsigned_abs());
        let job = Job::new(self, gaps, Ticks::now() + wait);
        let job = job.ok_or_else(|| ((after, after), ("empty", "there is no gap".to_owned())))?;
        let (begins, ends) = job.bounds();
        let late_s = arrived.millis().saturating_sub(ends.millis()) / 1_000;
        let keeps_days = self.bound.model.keeps_days;
        let why = if late_s > AHEAD_SECONDS_MAX {
            let says = "the meter's first word after it came late: its clock is wrong, or it was held up";
            ("clock", format!("{says} ({late_s} s)"))
        } else if arrived.millis().saturating_sub(begins.millis()) > i64::from(keeps_days) * DAY_MS {
            ("length", format!("it is longer than the {keeps_days} days that the device keeps"))
        } else if self.jobs.len() >= GAPS_MAX {
            ("waiting", format!("{GAPS_MAX} earlier ones still wait for the device's answer"))
        } else {
            return Ok(job);
        };
        Err(((begins, ends), why))
    }

    /// Takes a page: asks for the next, or closes the gap.
    fn take(
        &mut self,
        page: Page,
        message: &Message,
        link: &str,
        sorted: &mut Sorted,
        inbox: &dyn Inbox,
    ) -> Option<Remembered> {
        let period = self.bound.period_ms();
        let job = self.jobs.front_mut()?;
        let follows = match (job.records.last(), page.records.first()) {
            (Some(last), Some(first)) => last.begins.plus_millis(period) <= first.begins,
            (None, _) | (_, None) => true,
        };
        job.pages += 1;
        if !follows || job.pages > PAGES_MAX || job.records.len() + page.records.len() > RECORDS_MAX {
            let reason = if follows { "the device sends more than it may keep" } else { "its pages overlap" };
            let kind = if follows { "size" } else { "form" };
            return self.give_up(link, &(kind, reason.to_owned()), message.arrived, inbox);
        }
        if !page.records.is_empty() {
            job.failures = 0;
        }
        job.records.extend(page.records);
        if let Some(next_s) = page.next_s.filter(|next| job.cursor_s < *next) {
            job.cursor_s = next_s;
            // The record after the last is none that is there already: some devices name it as the next.
            if next_s.saturating_mul(1_000) < message.arrived.millis() {
                job.state = State::Waiting(Ticks::now());
                return None;
            }
        }
        match self.bound.rebuild(&job.gaps, &job.records, message.arrived) {
            Ok(rebuilt) => {
                job.state = State::Done;
                let key = job.key.clone();
                sorted.recovered.extend(rebuilt.iter().map(|one| self.reading(one, message.arrived)));
                Some(Remembered { link: link.to_owned(), key, value: Vec::new(), at: message.arrived })
            }
            Err(error @ ChainError::Short { .. }) => {
                // The newest record may be on its way into the device's memory.
                job.follow_on(period);
                self.fail(link, &(error.kind(), error.to_string()), period, message.arrived, inbox)
            }
            Err(error @ (ChainError::Empty | ChainError::Ahead { .. } | ChainError::Unmet { .. })) => {
                self.give_up(link, &(error.kind(), error.to_string()), message.arrived, inbox)
            }
        }
    }

    fn reading(&self, one: &Rebuilt, arrived: Instant) -> Reading {
        Reading {
            series: SeriesKey { meter: self.id.clone(), channel: one.channel },
            observed_at: one.at,
            received_at: arrived,
            value: Value::Total(one.value),
            quality: Quality::Good,
            origin: Origin::Record,
        }
    }

    /// One request came to nothing: another one later, or none any more.
    fn fail(
        &mut self,
        link: &str,
        why: &Why,
        wait_ms: i64,
        now: Instant,
        inbox: &dyn Inbox,
    ) -> Option<Remembered> {
        let job = self.jobs.front_mut()?;
        job.failures += 1;
        if job.failures < ATTEMPTS_MAX {
            let answer = Duration::from_secs(u64::from(self.bound.model.answer_s)) * job.failures;
            job.state =
                State::Waiting(Ticks::now() + answer.max(Duration::from_millis(wait_ms.unsigned_abs())));
            return None;
        }
        self.give_up(link, why, now, inbox)
    }

    /// The gap stays one.
    fn give_up(&mut self, link: &str, why: &Why, now: Instant, inbox: &dyn Inbox) -> Option<Remembered> {
        let job = self.jobs.pop_front()?;
        inbox.report(refused(&self.id, job.bounds(), why));
        Some(Remembered { link: link.to_owned(), key: job.key, value: Vec::new(), at: now })
    }

    /// Gaps as they are remembered, one a line.
    fn lines(&self, gaps: &[Gap]) -> String {
        let line = |gap: &Gap| {
            let total = self.bound.model.totals.get(gap.total)?;
            let (before, after) = (gap.before, gap.after);
            let (from, to) = (before.0.millis(), after.0.millis());
            Some(format!("{} {from} {} {to} {}\n", total.channel, before.1, after.1))
        };
        gaps.iter().filter_map(line).collect()
    }

    fn gap_of(&self, line: &str) -> Option<Gap> {
        let mut words = line.split(' ');
        let channel = words.next()?;
        let total = self.bound.model.totals.iter().position(|total| total.channel.to_string() == channel)?;
        let mut number = || words.next()?.parse::<i64>().ok();
        let before = (Instant::from_millis(number()?), number()?);
        let after = (Instant::from_millis(number()?), number()?);
        Some(Gap { total, before, after })
    }
}

fn refused(meter: &MeterId, (begins, ends): (Instant, Instant), (kind, reason): &Why) -> Finding {
    let says = format!(
        "what the device kept between {begins} and {ends} is not used: {reason}; the time stays without readings"
    );
    Finding::new("records.refused", Severity::Caution, format!("meter:{meter}"), says, "")
        .with("from", begins)
        .with("to", ends)
        .with("kind", kind)
        .with("reason", reason)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
