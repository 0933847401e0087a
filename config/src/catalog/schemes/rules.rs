//! Reads the obligations, times of keeping, clauses and the facility of a scheme.
//!
//! Must never: fill in a day, a number of years or a limit that the file does not state.

use analytics::economics::FacilityRule;
use analytics::scheme::clauses::{Clause, FactDef, Test, fact_of};
use analytics::scheme::deadline::{Count, Deadline, EARLIER_MAX, Yearly};
use analytics::scheme::{CountsFrom, KeepPeriod, Obligation, ReportKind, Signer, YearlyObligation};
use chrono::NaiveDate;
use model::{Euro, Event};

use crate::reader::{Source, Table};

/// How deep rules may nest: an earlier of two, no deeper.
const DEPTH_MAX: u32 = 2;
/// Most memo days of one obligation.
const MEMOS_MAX: usize = 12;
/// Longest id of an obligation, a clause or a time of keeping, in bytes.
const ID_BYTES_MAX: usize = 64;

pub(super) fn id(table: &Table<'_, '_>) -> Option<String> {
    table.parsed("id", "an id of a-z, 0-9 and '-'", |text| {
        let fits = !text.is_empty()
            && text.len() <= ID_BYTES_MAX
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        fits.then(|| text.to_owned())
    })
}

pub(super) fn obligation(source: &Source<'_>, table: &Table<'_, '_>) -> Option<Obligation> {
    let id = id(table);
    let text = table.text("text", "the key of its name in the texts");
    let expected = "\"annual\", \"system\", \"indicators\" or \"campaign\"";
    let report = table.parsed_optional("report", expected, ReportKind::parse);
    let due = table.table("due").and_then(|due| deadline(source, &due, 0));
    let signers: Vec<&str> = Signer::ALL.iter().map(|s| s.code()).collect();
    let signer = table.parsed("signer", &format!("one of {}", signers.join(", ")), Signer::parse);
    let channel = table.text("channel", "the way by which it is sent");
    let expected = "the mail address to which it is sent";
    let address = table.parsed_optional("address", expected, |t| is_address(t).then(|| t.to_owned()));
    let citation = table.text("citation", "the paragraph that asks for it");
    let days = table.texts("memos", "days such as [\"01-31\", \"02-28\"]", MEMOS_MAX);
    let memos: Option<Vec<_>> = days.iter().map(|text| month_day(text)).collect();
    if memos.is_none() {
        source.report_at(&table.at("memos"), "holds a day that is not in every year", "write \"MM-DD\"");
    }
    let codes: Vec<&str> = Event::ALL.iter().map(|e| e.code()).collect();
    let closed_by = table.parsed_optional("closed_by", &format!("one of {}", codes.join(", ")), Event::parse);
    table.finish();
    Some(Obligation {
        id: id?,
        text: text?,
        due: due?,
        report,
        signer: signer?,
        channel: channel?,
        address,
        citation: citation?,
        memos: memos?,
        closed_by,
    })
}

/// Authorities' addresses have letters beyond ASCII; what is between them is left to the mail server.
fn is_address(text: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c == '@' || c.is_whitespace());
    text.split_once('@').is_some_and(|(name, domain)| plain(name) && plain(domain))
}

fn month_day(text: &str) -> Option<(u32, u32)> {
    let (month, day) = text.split_once('-')?;
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    every_year(month, day).then_some((month, day))
}

/// 2023 is no leap year: a day must exist every year.
fn every_year(month: u32, day: u32) -> bool {
    NaiveDate::from_ymd_opt(2023, month, day).is_some()
}

fn event(table: &Table<'_, '_>, key: &'static str) -> Option<Event> {
    let codes: Vec<&str> = Event::ALL.iter().map(|e| e.code()).collect();
    table.parsed(key, &format!("one of {}", codes.join(", ")), Event::parse)
}

fn days(table: &Table<'_, '_>) -> Option<u32> {
    table.integer("days", 0..=3_650).and_then(|days| u32::try_from(days).ok())
}

fn deadline(source: &Source<'_>, table: &Table<'_, '_>, depth: u32) -> Option<Deadline> {
    let rule = table.text("rule", "\"yearly\", \"days_after\", \"on\", \"half_of\" or \"earlier\"")?;
    let read = match rule.as_str() {
        "yearly" => yearly(source, table).map(Deadline::Yearly),
        "days_after" => {
            let (event, days) = (event(table, "event"), days(table));
            Some(Deadline::DaysAfter { event: event?, days: days? })
        }
        "on" => table.date("day").map(Deadline::On),
        "half_of" => {
            let (from, to, days) = (event(table, "from"), event(table, "to"), days(table));
            Some(Deadline::HalfOf { from: from?, to: to?, days: days? })
        }
        "earlier" if depth < DEPTH_MAX => {
            let parts = table.tables("of", EARLIER_MAX);
            let rules: Option<Vec<_>> = parts.iter().map(|part| deadline(source, part, depth + 1)).collect();
            if parts.len() < 2 {
                source.report_at(
                    &table.at("of"),
                    "names fewer than two rules",
                    "write two, or the rule itself",
                );
            }
            rules.map(Deadline::Earlier)
        }
        other => {
            let says = format!("{other:?} is no rule");
            source.report_at(&table.at("rule"), says, "use yearly, days_after, on, half_of or earlier");
            None
        }
    };
    table.finish();
    read
}

fn yearly(source: &Source<'_>, table: &Table<'_, '_>) -> Option<Yearly> {
    let small = |key, most| table.integer(key, 0..=most).and_then(|n| u32::try_from(n).ok());
    let month = table.integer("month", 1..=12).and_then(|n| u32::try_from(n).ok());
    let day = table.integer("day", 1..=31).and_then(|n| u32::try_from(n).ok());
    let counts_from = event(table, "counts_from");
    let first_year = small("first_year", 10);
    let due_after_years = small("due_after_years", 5);
    let years = table.integer_optional("years", 1..=50).and_then(|n| u32::try_from(n).ok());
    let as_granted = table.flag_optional("as_granted");
    let codes: Vec<&str> = Event::ALL.iter().map(|e| e.code()).collect();
    let until = table.parsed_optional("until", &format!("one of {}", codes.join(", ")), Event::parse);
    if let (Some(month), Some(day)) = (month, day)
        && !every_year(month, day)
    {
        source.report_at(&table.at("day"), "does not exist in that month", "write a day of every year");
    }
    let count = match (years, as_granted, until) {
        (Some(years), None, None) => Some(Count::Stated(years)),
        (None, Some(true), None) => Some(Count::AsGranted),
        (None, None, Some(event)) => Some(Count::Until(event)),
        _ => {
            let next = "write one of `years = …`, `as_granted = true`, `until = \"…\"`";
            source.report_at(&table.at("years"), "it is not clear how often it comes", next);
            None
        }
    };
    Some(Yearly {
        month: month?,
        day: day?,
        counts_from: counts_from?,
        first_year: first_year?,
        due_after_years: due_after_years?,
        count: count?,
    })
}

/// What the report says of the obligation that it fulfils.
pub(super) fn yearly_report(obligations: &[Obligation]) -> Option<YearlyObligation> {
    let obligation = obligations.iter().find(|o| o.report == Some(ReportKind::Annual))?;
    let Deadline::Yearly(rule) = &obligation.due else { return None };
    let counts_from = match rule.counts_from {
        Event::Completion => CountsFrom::Completion,
        Event::ExpensesClosed => CountsFrom::ExpensesClosed,
        _ => return None,
    };
    Some(YearlyObligation {
        due_month: rule.month,
        due_day: rule.day,
        counts_from,
        years: match rule.count {
            Count::Stated(years) => Some(years),
            Count::AsGranted | Count::Until(_) => None,
        },
        channel: obligation.channel.clone(),
        citation: obligation.citation.clone(),
    })
}

pub(super) fn period(table: &Table<'_, '_>) -> Option<KeepPeriod> {
    let id = id(table);
    let text = table.text("text", "the key of its name in the texts");
    let event = event(table, "event");
    let years = table.integer("years", 1..=50).and_then(|n| u32::try_from(n).ok());
    let citation = table.text("citation", "the paragraph that asks for it");
    table.finish();
    Some(KeepPeriod { id: id?, text: text?, event: event?, years: years?, citation: citation? })
}

pub(super) fn clause(source: &Source<'_>, table: &Table<'_, '_>) -> Option<Clause> {
    let id = id(table);
    let text = table.text("text", "the key of its sentence in the texts");
    let fact: Option<&'static FactDef> = table.parsed("fact", "a fact such as \"costs_eur\"", fact_of);
    let finite = |n: f64| n.is_finite();
    let at_least = table.number_optional("at_least", "a number", finite);
    let at_most = table.number_optional("at_most", "a number", finite);
    let between = table.range_optional("between");
    let yes = table.flag_optional("yes").filter(|yes| *yes);
    let citation = table.text("citation", "the paragraph that says it");
    let test = match (at_least, at_most, between, yes) {
        (Some(limit), None, None, None) => Some(Test::AtLeast(limit)),
        (None, Some(limit), None, None) => Some(Test::AtMost(limit)),
        (None, None, Some((from, to)), None) => Some(Test::Between(from, to)),
        (None, None, None, Some(true)) => Some(Test::Yes),
        _ => {
            let next = "write one of `at_least`, `at_most`, `between`, `yes = true`";
            source.report_at(&table.at("id"), "it is not clear what the clause asks", next);
            None
        }
    };
    if let (Some(fact), Some(test)) = (fact, test)
        && (fact.unit == "yes") != (test == Test::Yes)
    {
        let says = format!("{} is stated in {:?}", fact.code, fact.unit);
        source.report_at(
            &table.at("fact"),
            says,
            "use `yes = true` for what is or is not, a limit for a number",
        );
    }
    table.finish();
    Some(Clause { id: id?, text: text?, fact: fact?, test: test?, citation: citation? })
}

const AMOUNT_EUR_MAX: f64 = 1e9;

pub(super) fn amount(table: &Table<'_, '_>, key: &'static str) -> Option<Euro> {
    let fits = |n: f64| 0.0 <= n && n <= AMOUNT_EUR_MAX;
    // Far below 2^53 cents.
    table
        .number(key, "an amount in euro, not negative", fits)
        .map(|euros| Euro { cents: (euros * 100.0).round() as i64 })
}

pub(super) fn facility(table: &Table<'_, '_>) -> Option<FacilityRule> {
    let percent = |key| table.number(key, "a number from 0 to 100", |n| 0.0 <= n && n <= 100.0);
    let costs_min = amount(table, "costs_min_eur");
    let (grant_percent, loan_percent) = (percent("grant_percent"), percent("loan_percent"));
    let fixed_above = amount(table, "fixed_above_eur");
    let (grant_fixed, loan_fixed) = (amount(table, "grant_fixed_eur"), amount(table, "loan_fixed_eur"));
    let loan_to_grant_percent = percent("loan_to_grant_percent");
    let early_days = table.integer("early_days", 0..=3_650);
    let (advance, first_loan) = (percent("advance_percent"), percent("first_loan_percent"));
    let second_grant = percent("second_grant_percent");
    let citation = table.text("citation", "the paragraph that says it");
    Some(FacilityRule {
        costs_min: costs_min?,
        grant_percent: grant_percent?,
        loan_percent: loan_percent?,
        fixed_above: fixed_above?,
        grant_fixed: grant_fixed?,
        loan_fixed: loan_fixed?,
        loan_to_grant_percent: loan_to_grant_percent?,
        early_days: early_days?,
        advance_percent: advance?,
        first_loan_percent: first_loan?,
        second_grant_percent: second_grant?,
        citation: citation?,
    })
}
