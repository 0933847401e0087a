//! What is compared, as charts and as the tables beside them, in the reader's language.
//!
//! Must never: show a chart without a table that says the same.

use std::collections::{BTreeMap, BTreeSet};

use analytics::report::document::{Chart, ChartKind, NamedLine, NamedPoints};
use analytics::report::format::Numbers;
use analytics::watch::Carpet;
use analytics::watch::span::{Compared, Part, Span};
use chrono::{Datelike as _, NaiveDate, Timelike as _};

use super::{Plot, Signature};
use crate::chart::{CarpetChart, ChartStyle, CompareChart, carpet, compare, svg};
use crate::pages::Words;
use crate::pages::words::printed;

/// A drawn chart with its rows in words.
pub(crate) struct Drawn {
    pub(crate) svg: String,
    pub(crate) head: Vec<String>,
    /// The first cell heads its row.
    pub(crate) rows: Vec<(String, Vec<String>)>,
}

fn style(t: &Words, id: &str) -> ChartStyle {
    ChartStyle {
        numbers: Numbers::of_language(t.language()),
        font: "inherit".to_owned(),
        no_data: t.get("report.label.no_data").to_owned(),
        all_zero: t.get("report.label.all_zero").to_owned(),
        id: id.to_owned(),
        counts: false,
    }
}

/// The span's name: `settimana dal 16/11/2026`.
pub(crate) fn title(t: &Words, span: Span) -> String {
    let (from, to) = span.bounds();
    match span {
        Span::Day(day) => format!("{} {}", t.of("page.weekday", &weekday(day)), t.date(day)),
        Span::Week(_) => {
            let last = to.pred_opt().unwrap_or(to);
            t.fill("page.span.week_of", &[("from", &t.date(from)), ("to", &t.date(last))])
        }
        Span::Month(month) => format!("{} {}", t.of("page.month", &month.number.to_string()), month.year),
        Span::Year(year) => year.to_string(),
    }
}

fn weekday(day: NaiveDate) -> String {
    day.weekday().number_from_monday().to_string()
}

/// The label of a part on the axis, and in the table.
fn labels(t: &Words, span: Span, part: &Part) -> (String, String) {
    let day = || part.from.day().to_string();
    match span {
        Span::Day(_) => {
            let hour = part.hour.unwrap_or(0);
            (hour.to_string(), format!("{hour:02}:00"))
        }
        Span::Week(_) => {
            let name = t.of("page.weekday_short", &weekday(part.from));
            (format!("{name} {}", day()), format!("{name} {}", t.date(part.from)))
        }
        Span::Month(_) => {
            (day(), format!("{} {}", t.of("page.weekday_short", &weekday(part.from)), t.date(part.from)))
        }
        Span::Year(_) => {
            let number = part.from.month().to_string();
            (t.of("page.month_short", &number), t.of("page.month", &number))
        }
    }
}

pub(crate) fn compared(t: &Words, of: &Compared, unit: &str, today: NaiveDate) -> Drawn {
    let expected_key = if matches!(of.span, Span::Day(_)) { "page.span.usual" } else { "page.span.baseline" };
    let names = ["page.span.measured", "page.span.year_before", expected_key].map(|k| t.get(k).to_owned());
    let of_parts = |value: fn(&Part) -> Option<f64>| of.parts.iter().map(value).collect::<Vec<_>>();
    let missing = |p: &Part| p.measured.is_none() && !p.in_progress && p.from <= today;
    let chart = CompareChart {
        title: format!("{}: {}", names[0], title(t, of.span)),
        alternative: t.fill("page.span.alternative", &[("unit", unit), ("span", &title(t, of.span))]),
        unit: unit.to_owned(),
        labels: of.parts.iter().map(|p| labels(t, of.span, p).0).collect(),
        measured: of_parts(|p| p.measured),
        year_before: of_parts(|p| p.year_before),
        expected: of_parts(|p| p.expected),
        missing: of.parts.iter().map(missing).collect(),
        names: names.clone(),
    };
    let decimals = if of.measured().is_some_and(|m| m < 1_000.0) { 1 } else { 0 };
    let row = |p: &Part| {
        let cells = [p.measured, p.year_before, p.expected].map(|v| t.maybe(v, decimals)).to_vec();
        (labels(t, of.span, p).1, cells)
    };
    let mut head = vec![t.of("page.span.part", of.span.code())];
    head.extend(names.map(|name| format!("{name} [{unit}]")));
    Drawn { svg: compare(&chart, &style(t, "compare")), head, rows: of.parts.iter().map(row).collect() }
}

/// Days along, hours down; the table has each day's sum and strongest hour.
pub(crate) fn carpet_of(t: &Words, of: &Carpet, unit_per_hour: &str, unit: &str) -> Drawn {
    let label = |day: NaiveDate| format!("{:02}/{:02}", day.day(), day.month());
    let chart = CarpetChart {
        title: t.get("page.building.carpet").to_owned(),
        alternative: t.fill("page.building.carpet_alternative", &[("unit", unit_per_hour)]),
        unit: unit_per_hour.to_owned(),
        days: of.days.iter().map(|(day, hours)| (label(*day), *hours)).collect(),
        most: of.most,
    };
    let row = |(day, hours): &(NaiveDate, [Option<f64>; 24])| {
        let known: Vec<f64> = hours.iter().flatten().copied().collect();
        let sum = (!known.is_empty()).then(|| known.iter().sum::<f64>());
        let top = hours.iter().enumerate().filter_map(|(h, v)| v.map(|v| (h, v)));
        let top = top.max_by(|a, b| a.1.total_cmp(&b.1));
        let cells = vec![
            t.maybe(sum, 1),
            known.len().to_string(),
            top.map_or_else(|| t.not_available(), |(h, _)| format!("{h:02}:00")),
            t.maybe(top.map(|(_, v)| v), 2),
        ];
        (format!("{} {}", t.of("page.weekday_short", &weekday(*day)), t.date(*day)), cells)
    };
    let head = vec![
        t.get("page.building.day").to_owned(),
        format!("{} [{unit}]", t.get("page.span.measured")),
        t.get("page.building.hours_known").to_owned(),
        t.get("page.building.top_hour").to_owned(),
        format!("{} [{unit_per_hour}]", t.get("page.building.top_value")),
    ];
    Drawn { svg: carpet(&chart, &style(t, "carpet")), head, rows: of.days.iter().rev().map(row).collect() }
}

pub(crate) fn signature(t: &Words, of: &Signature, unit: &str) -> Drawn {
    let kind = ChartKind::Scatter {
        x_label: t.get("page.building.outdoor_c").to_owned(),
        y_label: t.fill("page.building.per_day", &[("unit", unit)]),
        groups: vec![
            NamedPoints { name: t.get("page.building.last_year").to_owned(), points: of.days.clone() },
            NamedPoints {
                name: t.get("page.building.this_week").to_owned(),
                points: of.week.iter().map(|(_, c, e)| (*c, *e)).collect(),
            },
        ],
        line: (!of.law.is_empty())
            .then(|| NamedLine { name: t.get("page.building.law").to_owned(), points: of.law.clone() }),
    };
    let chart = Chart {
        caption: t.get("page.building.signature").to_owned(),
        alternative: t.fill("page.building.signature_alternative", &[("n", &of.days.len().to_string())]),
        kind,
    };
    let row = |(day, c, e): &(NaiveDate, f64, f64)| {
        (
            format!("{} {}", t.of("page.weekday_short", &weekday(*day)), t.date(*day)),
            vec![t.number(*c, 1), t.number(*e, 1)],
        )
    };
    let head = vec![
        t.get("page.building.day").to_owned(),
        t.get("page.building.outdoor_c").to_owned(),
        t.fill("page.building.per_day", &[("unit", unit)]),
    ];
    Drawn { svg: svg(&chart, &style(t, "signature")), head, rows: of.week.iter().map(row).collect() }
}

/// What a browser draws from columns, in words: read also where nothing is drawn.
pub(crate) struct Rows {
    pub(crate) caption: String,
    pub(crate) head: Vec<String>,
    /// Newest first; the first cell heads its row.
    pub(crate) rows: Vec<(String, Vec<String>)>,
}

/// Power by meter: the mean of what was measured of each hour.
pub(crate) fn power_rows(t: &Words, of: &Plot) -> Rows {
    let unit = printed(of.unit);
    // The value of a step is the mean up to it.
    let hours = civil_hours(of, -1);
    let row = |((day, hour), slots): (&(NaiveDate, u32), &Vec<usize>)| {
        let cells = of.series.iter().map(|(_, _, values)| t.maybe(mean_of(slots, values), 2)).collect();
        (format!("{} {hour:02}:00", t.date(*day)), cells)
    };
    let mut head = vec![t.get("page.span.part.day").to_owned()];
    head.extend(of.series.iter().map(|(_, name, _)| name.clone()));
    Rows {
        caption: t.fill("page.building.now_table", &[("unit", &unit)]),
        head,
        rows: hours.iter().rev().map(row).collect(),
    }
}

/// The hours of one carrier: a row for each day, a column for each hour. An hour to come has an empty cell.
pub(crate) fn hours_rows(t: &Words, of: &Plot) -> Rows {
    let unit = printed(of.unit);
    let hours = civil_hours(of, 0);
    let values = of.series.first().map_or(&[][..], |(_, _, values)| values.as_slice());
    let days: BTreeSet<NaiveDate> = hours.keys().map(|(day, _)| *day).collect();
    let row = |day: &NaiveDate| {
        let cell = |hour| match hours.get(&(*day, hour)) {
            Some(slots) => t.maybe(mean_of(slots, values), 2),
            None => String::new(),
        };
        let name = format!("{} {}", t.of("page.weekday_short", &weekday(*day)), t.date(*day));
        (name, (0..24).map(cell).collect())
    };
    let mut head = vec![t.get("page.building.day").to_owned()];
    head.extend((0..24).map(|hour: u32| format!("{hour:02}")));
    Rows {
        caption: t.fill("page.building.hours_table", &[("unit", &unit)]),
        head,
        rows: days.iter().rev().map(row).collect(),
    }
}

/// Places of a plot's values by civil day and hour; the two hours that share a name when the clock is put back are one.
/// `shift_millis` moves an instant into the hour that its value is of.
fn civil_hours(of: &Plot, shift_millis: i64) -> BTreeMap<(NaiveDate, u32), Vec<usize>> {
    let mut hours: BTreeMap<(NaiveDate, u32), Vec<usize>> = BTreeMap::new();
    for (i, at) in of.at.iter().enumerate() {
        let local = at.plus_millis(shift_millis).utc().with_timezone(&of.zone);
        hours.entry((local.date_naive(), local.hour())).or_default().push(i);
    }
    hours
}

/// The mean of what is known there; `None` where nothing is.
fn mean_of(slots: &[usize], values: &[Option<f64>]) -> Option<f64> {
    let known = slots.iter().filter_map(|i| values.get(*i).copied().flatten());
    let (sum, n) = known.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (0.0 < n).then(|| sum / n)
}
