//! `consuntivo meter`: what people know about a meter and no register says: that it was exchanged, that a reading is
//! wrong.
//!
//! Must never: change a reading. What a person says is kept beside it, with author and reason.

use chrono::{LocalResult, NaiveDateTime, TimeZone as _};
use clap::{Args, Subcommand};
use model::time::local_to_instant;
use model::{Act, DatedAct, Instant, MeterId, SeriesKey, Unit, Value, Zone};

use crate::commands::counter::{By, Counted, OfTotal, take_back, withdraw};
use crate::exit::{Exit, Failure};
use crate::{ConfigArg, acts, clock};

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Record that the meter was exchanged; what is not known is left out and bounded by the connection
    Exchange {
        meter: MeterId,
        /// The last total of the old meter, with its unit: "12345.6 kWh"
        #[arg(long, value_name = "TOTAL")]
        closing: Option<String>,
        /// The first total of the new meter, with its unit: "0.0 kWh"
        #[arg(long, value_name = "TOTAL")]
        opening: Option<String>,
        #[command(flatten)]
        word: Word,
    },
    /// List the exchanges recorded of a meter
    Exchanges {
        meter: MeterId,
        #[command(flatten)]
        total: OfTotal,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Record the true total of one wrong reading; the reading itself is kept
    Correct {
        meter: MeterId,
        /// The true total, with its unit: "12345.6 kWh"
        #[arg(long, value_name = "TOTAL")]
        value: String,
        /// The total is right although the readings around it do not follow from it
        #[arg(long)]
        sure: bool,
        #[command(flatten)]
        word: Word,
    },
    /// Take back what was recorded about an instant of a meter
    Withdraw {
        meter: MeterId,
        #[command(flatten)]
        word: Word,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Word {
    /// When: "2025-06-10 10:00" in the building's time, or with its offset as RFC 3339
    #[arg(long, value_name = "INSTANT")]
    at: String,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    config: ConfigArg,
}

pub(crate) fn meter(what: &What) -> Result<Exit, Failure> {
    match what {
        What::Exchange { meter, closing, opening, word } => {
            exchange(meter, closing.as_deref(), opening.as_deref(), word)
        }
        What::Exchanges { meter, total, config } => exchanges(meter, total, config),
        What::Correct { meter, value, sure, word } => correct(meter, value, *sure, word),
        What::Withdraw { meter, word } => {
            let counted = Counted::open(&word.config, meter, &word.by.total)?;
            let at = parse_instant(&word.at, counted.zone)?;
            withdraw(&counted, at, &word.by, &format!("{meter}@{at}"))
        }
    }
}

fn exchange(
    meter: &MeterId,
    closing: Option<&str>,
    opening: Option<&str>,
    word: &Word,
) -> Result<Exit, Failure> {
    let counted = Counted::open(&word.config, meter, &word.by.total)?;
    let (at, closing, opening) = record_exchange(&counted, &word.at, (closing, opening), word.by.word())?;
    print_exchange(&counted, at, closing, opening);
    Ok(Exit::OK)
}

/// Records an exchange if the readings bear it out; its instant and totals.
pub(crate) fn record_exchange(
    counted: &Counted,
    at: &str,
    (closing, opening): (Option<&str>, Option<&str>),
    word: (&str, &str),
) -> Result<(Instant, Option<i64>, Option<i64>), Failure> {
    let meter = &counted.key.meter;
    let at = parse_instant(at, counted.zone)?;
    let total = |text: Option<&str>| text.map(|t| parse_total(t, &counted.key)).transpose();
    let (closing, opening) = (total(closing)?, total(opening)?);
    if clock::now() < at {
        return Err(Failure::bad_input(format!(
            "{at} has not come yet; record the exchange of {meter} once it has happened"
        ))
        .coded("future"));
    }
    let act = DatedAct { at, act: Act::Exchanged { closing, opening } };
    if !counted.bears_out(act)? || ends_below_what_was_read(counted, at, closing)? {
        return Err(Failure::bad_input(format!(
            "the readings of {meter} around {at} do not bear this exchange out: its totals must follow from the last reading before and lead to the first one after, within what the connection carries; mend --closing, --opening or --at"
        ))
        .coded("exchange"));
    }
    counted.record(act, word, &[])?;
    Ok((at, closing, opening))
}

/// Whether no reading has come since and the old meter would have ended below its last one: such an exchange is waited for
/// in vain.
fn ends_below_what_was_read(counted: &Counted, at: Instant, closing: Option<i64>) -> Result<bool, Failure> {
    let Some(last) = counted.store.latest(&counted.key)? else { return Ok(false) };
    Ok(match (last.value, closing) {
        (Value::Total(total), Some(closing)) => last.observed_at <= at && closing < total,
        _ => false,
    })
}

fn print_exchange(counted: &Counted, at: Instant, closing: Option<i64>, opening: Option<i64>) {
    let show = |total: Option<i64>| total.map_or_else(|| "unknown".to_owned(), |t| counted.show(t));
    println!("{}@{at}  exchange: closing {}, opening {}", counted.key.meter, show(closing), show(opening));
}

fn exchanges(meter: &MeterId, total: &OfTotal, config: &ConfigArg) -> Result<Exit, Failure> {
    let counted = Counted::open(config, meter, total)?;
    for act in acts::of_series(&counted.store, &counted.key)? {
        if let Act::Exchanged { closing, opening } = act.dated.act {
            print_exchange(&counted, act.dated.at, closing, opening);
            let why = if act.reason.is_empty() { "no other reason stated" } else { &act.reason };
            println!("    by {} on {}: {why}", act.author, act.recorded_at);
        }
    }
    Ok(Exit::OK)
}

fn correct(meter: &MeterId, value: &str, sure: bool, word: &Word) -> Result<Exit, Failure> {
    let counted = Counted::open(&word.config, meter, &word.by.total)?;
    let (at, was, total) = record_correction(&counted, &word.at, (value, sure), word.by.word())?;
    println!("{meter}@{at}  {} read, {} counted", counted.show(was), counted.show(total));
    Ok(Exit::OK)
}

/// Records the true total of a reading; its instant, what was read, what counts. A total from which the readings around
/// it do not follow is asked about once: most are slips of the pen, and `sure` is the answer to it.
pub(crate) fn record_correction(
    counted: &Counted,
    at: &str,
    (value, sure): (&str, bool),
    word: (&str, &str),
) -> Result<(Instant, i64, i64), Failure> {
    let meter = &counted.key.meter;
    let at = parse_instant(at, counted.zone)?;
    let total = parse_total(value, &counted.key)?;
    // People read and write whole seconds; a live reading is of a thousandth of one.
    let end = at.plus_millis(if at.millis() % 1000 == 0 { 1000 } else { 1 });
    let mut was = None;
    counted.store.for_each_reading(&counted.key, Some(at), Some(end), &mut |reading| {
        if let Value::Total(total) = reading.value {
            was = Some((reading.observed_at, total));
        }
        std::ops::ControlFlow::Break(())
    })?;
    let Some((at, was)) = was else {
        return Err(Failure::bad_input(format!(
            "{meter} has no reading at {at}; a correction is of one reading, at its instant"
        ))
        .coded("no_reading"));
    };
    let act = DatedAct { at, act: Act::Corrected { total } };
    if !sure && counted.breaks_with(act)? {
        return Err(Failure::bad_input(format!(
            "the readings of {meter} around {at} do not follow from {}: the total would break there; mend --value or --at, or repeat it with --sure",
            counted.show(total)
        ))
        .coded("contradicts"));
    }
    counted.record(act, word, &[])?;
    Ok((at, was, total))
}

/// Takes back what was recorded about an instant of a meter.
pub(crate) fn withdraw_at(counted: &Counted, at: &str, word: (&str, &str)) -> Result<(), Failure> {
    let instant = parse_instant(at, counted.zone)?;
    take_back(counted, instant, word, &format!("{}@{at}", counted.key.meter))
}

/// `2025-06-10 10:00`, with seconds or not, in the building's time; or RFC 3339.
fn parse_instant(text: &str, zone: Zone) -> Result<Instant, Failure> {
    let forms = [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M",
        // As the pages print it.
        "%d/%m/%Y %H:%M:%S",
        "%d/%m/%Y %H:%M",
    ];
    if let Some(at) = Instant::parse_rfc3339(text) {
        return Ok(at);
    }
    let civil = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let Some(local) = civil else {
        return Err(Failure::bad_input(format!(
            "{text:?} is no instant; write \"2025-06-10 10:00\" in the building's time, or 2025-06-10T10:00:00+02:00"
        ))
        .coded("instant"));
    };
    let at = local_to_instant(local, zone);
    if at.utc().with_timezone(&zone).naive_local() != local {
        return Err(Failure::bad_input(format!(
            "{text:?} does not exist: clocks were put forward over it; write the time before or after, or with its \
             offset, such as 2025-06-10T10:00:00+02:00"
        ))
        .coded("instant_left_out"));
    }
    if matches!(zone.from_local_datetime(&local), LocalResult::Ambiguous(..)) {
        return Err(Failure::bad_input(format!(
            "{text:?} came twice: clocks were put back; write the time with its offset, such as 2025-10-26T02:30:00+02:00"
        ))
        .coded("instant_twice"));
    }
    Ok(at)
}

/// A number with a decimal point, or as Italian pages print it: `12.345,6`. One that can be read in both ways is refused: a
/// thousandth of a total would be a saving.
pub(crate) fn parse_number(text: &str) -> Result<f64, &'static str> {
    let unreadable = "its number cannot be read";
    let (whole, decimals) = match (text.rfind(','), text.rfind('.')) {
        (Some(comma), point) if point < Some(comma) => (&text[..comma], &text[comma + 1..]),
        (Some(_), Some(point)) => (&text[..point], &text[point + 1..]),
        (None, Some(point)) => {
            let is_group = text.matches('.').count() == 1 && text.len() - point == 4 && point <= 3;
            if is_group && !text.starts_with('0') {
                return Err("its point may part thousands or decimals; write \"12345\" or \"12,345\"");
            }
            if 1 < text.matches('.').count() { (text, "") } else { (&text[..point], &text[point + 1..]) }
        }
        _ => (text, ""),
    };
    let groups: Vec<&str> = whole.split(['.', ',']).collect();
    let grouped = 1 < groups.len();
    if grouped && (3 < groups[0].len() || groups[0].is_empty() || groups[1..].iter().any(|g| g.len() != 3)) {
        return Err(unreadable);
    }
    let whole = groups.concat();
    if whole.trim_start_matches(['-', '+']).is_empty() {
        return Err(unreadable);
    }
    format!("{whole}.{decimals}0").parse().map_err(|_| unreadable)
}

/// A number and a unit of the meter's quantity, in its smallest unit.
fn parse_total(text: &str, series: &SeriesKey) -> Result<i64, Failure> {
    let quantity = series.channel.quantity;
    let wrong = |why: &str| {
        Failure::bad_input(format!(
            "{text:?} is no total of {quantity}: {why}; write it like \"12345.6 kWh\" or \"12.345,6 kWh\""
        ))
        .coded("total")
    };
    let (number, unit) =
        text.trim().split_once(char::is_whitespace).ok_or_else(|| wrong("it has no unit"))?;
    let number = parse_number(number).map_err(wrong)?;
    let factor = Unit::parse(unit.trim())
        .and_then(|unit| unit.factor_to(quantity))
        .ok_or_else(|| wrong("its unit does not measure that"))?;
    let total = (number * factor).round();
    // 2^53: beyond it a float does not count in ones.
    if !(0.0..9_007_199_254_740_992.0).contains(&total) {
        return Err(wrong("it is negative or too large"));
    }
    Ok(total as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Channel, Quantity};

    fn series(quantity: Quantity) -> SeriesKey {
        SeriesKey { meter: MeterId::new("m").unwrap(), channel: Channel::total(quantity) }
    }

    #[test]
    fn a_number_is_read_as_it_is_printed_and_never_a_thousandth_of_it() {
        for (text, number) in [
            ("472212.656", 472_212.656),
            ("472.212,656", 472_212.656),
            ("472212,656", 472_212.656),
            ("1.472.212", 1_472_212.0),
            ("1,472,212.5", 1_472_212.5),
            ("0.656", 0.656),
            ("12345.6", 12_345.6),
            ("12345", 12_345.0),
            ("7,5", 7.5),
        ] {
            assert_eq!(parse_number(text), Ok(number), "{text}");
        }
        for text in ["472.212", "1.234", "1.23.456", "12a", "", "1,2,3", "4722.212,6", ".5,1"] {
            assert!(parse_number(text).is_err(), "{text} {:?}", parse_number(text));
        }
    }

    #[test]
    fn totals_have_a_unit_of_their_quantity() {
        let of = |text: &str, quantity| parse_total(text, &series(quantity)).ok();
        let energy = Quantity::ActiveEnergyImport;
        assert_eq!(of("12345.6 kWh", energy), Some(12_345_600));
        assert_eq!(of(" 0  Wh", energy), Some(0));
        assert_eq!(of("1.5 MWh", energy), Some(1_500_000));
        assert_eq!(of("12 Smc", Quantity::GasStandardVolume), Some(12_000));
        assert_eq!(of("12,5 kWh", energy), Some(12_500));
        for wrong in ["12345.6", "kWh", "12.345 kWh", "-1 kWh", "1e30 MWh", "NaN kWh", "5 Smc"] {
            assert_eq!(of(wrong, energy), None, "{wrong}");
        }
    }

    #[test]
    fn instants_are_civil_unless_they_have_an_offset() {
        let of = |text: &str| parse_instant(text, chrono_tz::Europe::Rome).ok().map(|t| t.to_string());
        assert_eq!(of("2025-06-10 10:00").as_deref(), Some("2025-06-10T08:00:00Z"));
        assert_eq!(of("2025-06-10T10:00:30").as_deref(), Some("2025-06-10T08:00:30Z"));
        assert_eq!(of("2025-06-10T10:00:00Z").as_deref(), Some("2025-06-10T10:00:00Z"));
        assert_eq!(of("10/06/2025"), None);
    }
}
