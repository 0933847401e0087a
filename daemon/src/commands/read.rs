//! `consuntivo read METER`: the electrician's view of one meter: every quantity with its raw words, what is wrong, and,
//! with `--watch`, again and again until Ctrl-C.
//!
//! Must never: write to a device or to the store, show an old value without its age, or end because a meter is away.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use connectors::{Clock as _, Link, LinkError, Probe, ProbeLine, ProbeText};
use model::{Channel, MeterId};
use tokio::time::Instant;

use crate::clock::SystemClock;
use crate::commands::run::block_on;
use crate::exit::{Exit, Failure};
use crate::readout::{aligned, answered, cells, exit_of, explained, links_of, text_cells};
use crate::service::stop_signal;

/// Shortest and longest time between two readings while watching.
const EVERY_MIN: Duration = Duration::from_millis(200);
const EVERY_MAX: Duration = Duration::from_secs(3_600);

/// Puts the cursor at the top of an empty screen (ECMA-48: CUP, ED).
const FRESH_SCREEN: &str = "\u{1b}[H\u{1b}[2J";

/// Reads `2s`, `500ms`, `1m`, or a number of seconds.
pub(crate) fn parse_every(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_millis = match &text[digits.len()..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        _ => 0,
    };
    let millis = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_millis));
    let every = millis.map(Duration::from_millis).filter(|every| (EVERY_MIN..=EVERY_MAX).contains(every));
    every.ok_or_else(|| "use 200ms to 60m, such as 2s or 500ms".to_owned())
}

pub(crate) fn read(config: &Path, meter: &MeterId, watch: Option<Duration>) -> Result<Exit, Failure> {
    let links = links_of(config, meter)?;
    block_on(async move {
        let mut stop = stop_signal()?;
        tokio::select! {
            biased;
            () = stop.stopped() => Ok(Exit::OK),
            done = show(&links, meter, watch) => done,
        }
    })
}

/// Shows the meter once, or for as long as it is let.
async fn show(links: &[Link], meter: &MeterId, watch: Option<Duration>) -> Result<Exit, Failure> {
    let Some(every) = watch else {
        let probe = connectors::probe(links, meter, &SystemClock).await;
        let probe =
            probe.map_err(|error| Failure::new(Exit::UNREACHABLE, anyhow::Error::msg(explained(&error))))?;
        let exit = exit_of(&probe);
        let mut view = View::default();
        view.take(Ok(probe), Instant::now());
        print!("{}", view.screen(Instant::now()));
        return Ok(exit);
    };
    let in_place = std::io::stdout().is_terminal();
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut view = View::default();
    let mut answered_once = false;
    loop {
        tick.tick().await;
        // What a device says of itself stays the same, and one that refuses to say it would refuse every round.
        let answer = if answered_once {
            connectors::probe_again(links, meter, &SystemClock).await
        } else {
            connectors::probe(links, meter, &SystemClock).await
        };
        answered_once |= answer.is_ok();
        let text = if in_place {
            view.take(answer, Instant::now());
            format!("{FRESH_SCREEN}{}", view.screen(Instant::now()))
        } else {
            appended(meter, &answer)
        };
        let mut out = std::io::stdout().lock();
        // Whoever read along has gone: there is nothing left to do.
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return Ok(Exit::OK);
        }
    }
}

/// One round as lines that stay: time, quantity, value, raw words, or the reason why there is none.
fn appended(meter: &MeterId, answer: &Result<Probe, LinkError>) -> String {
    let at = SystemClock.now();
    match answer {
        Ok(probe) => {
            let line = |l: &ProbeLine| format!("{at}\t{}\t{}\t{}\n", l.channel, l.reads, l.raw);
            let texts = probe.texts.iter().map(|t| format!("{at}\t{}\t{}\t{}\n", t.name, t.reads, t.raw));
            let notes = probe.notes.iter().map(|note| format!("{at}\t{meter}\t{note}\n"));
            probe.lines.iter().map(line).chain(texts).chain(notes).collect()
        }
        Err(error) => format!("{at}\t{meter}\t{}\n", explained(error)),
    }
}

/// What is known of the meter so far.
#[derive(Default)]
struct View {
    heading: String,
    /// The last answer of each quantity, and when it came.
    lines: BTreeMap<Channel, (ProbeLine, Instant)>,
    /// What it last said of itself.
    texts: Vec<ProbeText>,
    /// What is wrong now.
    wrong: Vec<String>,
}

impl View {
    fn take(&mut self, answer: Result<Probe, LinkError>, now: Instant) {
        match answer {
            Ok(probe) => {
                self.heading = answered(&probe);
                self.wrong = probe.notes;
                if !probe.texts.is_empty() {
                    self.texts = probe.texts;
                }
                self.lines.extend(probe.lines.into_iter().map(|line| (line.channel, (line, now))));
            }
            Err(error) => self.wrong = vec![explained(&error)],
        }
    }

    fn screen(&self, now: Instant) -> String {
        let row = |(line, at): &(ProbeLine, Instant)| {
            let [channel, raw, reads]: [String; 3] = cells(line).try_into().unwrap_or_default();
            vec![channel, reads, raw, format!("{} s", (now - *at).as_secs())]
        };
        let mut rows: Vec<Vec<String>> = Vec::new();
        if !self.lines.is_empty() {
            rows.push(["quantity", "reads", "raw words", "age"].map(str::to_owned).to_vec());
        }
        rows.extend(self.lines.values().map(row));
        let mut text = format!("{}\n{}", self.heading, aligned(&rows, "  ")).trim_start().to_owned();
        let texts = self.texts.iter().map(|t| {
            let [name, raw, reads]: [String; 3] = text_cells(t).try_into().unwrap_or_default();
            vec![name, reads, raw]
        });
        text.push_str(&aligned(&texts.collect::<Vec<_>>(), "  "));
        for wrong in &self.wrong {
            text.push_str(&format!("  ! {wrong}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use model::Quantity;
    use profile::TextName;

    use super::*;

    #[test]
    fn periods_are_read_within_their_limits() {
        for (text, millis) in [("2s", 2_000), ("500ms", 500), ("1m", 60_000), ("7", 7_000)] {
            assert_eq!(parse_every(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "0", "100ms", "2h", "-1s", "61m", "99999999999999999999m", "2 s"] {
            assert!(parse_every(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_answered_stays_with_its_age_and_the_reason() {
        let line = |quantity, reads: &str| ProbeLine {
            channel: Channel::total(quantity),
            raw: "0001".to_owned(),
            reads: reads.to_owned(),
        };
        let meter = MeterId::new("m1").unwrap();
        let probe = |lines| Probe {
            meter: meter.clone(),
            at: "somewhere".to_owned(),
            took: Duration::from_millis(3),
            lines,
            texts: vec![ProbeText {
                name: TextName::SerialNumber,
                raw: "00a1 b2c3".to_owned(),
                reads: "10597059".to_owned(),
            }],
            notes: Vec::new(),
        };
        let mut view = View::default();
        let both = vec![line(Quantity::Voltage, "230 V"), line(Quantity::Current, "1 A")];
        let begun = Instant::now();
        let later = begun + Duration::from_secs(4);
        view.take(Ok(probe(both)), begun);
        // A later round does not ask again what the device says of itself.
        let again = Probe { texts: Vec::new(), ..probe(vec![line(Quantity::Voltage, "231 V")]) };
        view.take(Ok(again), later);
        let missing = LinkError::NoSuchMeter { link: "bus".to_owned(), meter: meter.clone() };
        view.take(Err(missing), later);
        let screen = view.screen(later);
        for wanted in [
            "m1 answered in 3 ms",
            "231 V",
            "0 s",
            "1 A",
            "4 s",
            "! link `bus` has no meter",
            "serial number  10597059",
        ] {
            assert!(screen.contains(wanted), "{wanted} is not in\n{screen}");
        }
        assert!(!screen.contains("230 V"));
    }
}
