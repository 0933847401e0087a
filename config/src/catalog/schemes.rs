//! Reads the file of a funding scheme.
//!
//! Must never: fill in what an act does not state. An absent `[yearly]` means that it asks for no yearly
//! report; an absent `years` that it states no number.

use analytics::scheme::{CountsFrom, KpiDefinition, KpiMeasure, KpiUnit, Scheme, Target, YearlyObligation};
use chrono::NaiveDate;
use model::{FactorSetId, SchemeId};

use crate::reader::{Source, Table};

/// Most KPI of one scheme.
const KPIS_MAX: usize = 50;
/// Most examples of one scheme.
const EXAMPLES_MAX: usize = 50;

pub(super) fn read(source: &Source<'_>, root: &Table<'_, '_>) -> Option<Scheme> {
    let id = root.parsed("id", "a scheme id", |t| SchemeId::new(t).ok());
    let title = root.text("title", "the short official name");
    let citation = root.text("citation", "the act and its date");
    let authority = root.text("authority", "who funds");
    let set = root.parsed("default_factor_set", "the id of a factor set", |t| FactorSetId::new(t).ok());
    let yearly_table = root.table_optional("yearly");
    let yearly = yearly_table.as_ref().map(|table| read_yearly(source, table));
    let kpis: Vec<_> = root.tables("kpi", KPIS_MAX).iter().map(|table| read_kpi(source, table)).collect();
    if kpis.is_empty() {
        source.report_at(&root.at("kpi"), "is missing", "add at least one [[kpi]]");
    }
    check_codes(source, root, &kpis);
    let examples: Vec<_> = root.tables("example", EXAMPLES_MAX).iter().map(read_example).collect();
    root.finish();
    let yearly = match yearly {
        Some(read) => Some(read?),
        None => None,
    };
    let scheme = Scheme {
        id: id?,
        title: title?,
        citation: citation?,
        authority: authority?,
        default_factor_set: set?,
        yearly,
        kpis: kpis.into_iter().collect::<Option<_>>()?,
    };
    for example in examples {
        check_example(source, root, &scheme, &example?);
    }
    Some(scheme)
}

fn read_yearly(source: &Source<'_>, table: &Table<'_, '_>) -> Option<YearlyObligation> {
    let due_month = table.integer("due_month", 1..=12);
    let due_day = table.integer("due_day", 1..=31);
    let counts_from = table.parsed("counts_from", "\"completion\" or \"expenses_closed\"", counts_from);
    let years = table.integer_optional("years", 1..=50);
    let channel = table.text("channel", "the way the report is sent");
    let citation = table.text("citation", "the paragraph that asks for it");
    table.finish();
    let (month, day) = (u32::try_from(due_month?).ok()?, u32::try_from(due_day?).ok()?);
    // 2023 is no leap year: a due day must exist every year.
    if NaiveDate::from_ymd_opt(2023, month, day).is_none() {
        source.report_at(&table.at("due_day"), "does not exist in that month", "write a day of every year");
    }
    Some(YearlyObligation {
        due_month: month,
        due_day: day,
        counts_from: counts_from?,
        years: years.and_then(|n| u32::try_from(n).ok()),
        channel: channel?,
        citation: citation?,
    })
}

fn counts_from(text: &str) -> Option<CountsFrom> {
    match text {
        "completion" => Some(CountsFrom::Completion),
        "expenses_closed" => Some(CountsFrom::ExpensesClosed),
        _ => None,
    }
}

fn read_kpi(source: &Source<'_>, table: &Table<'_, '_>) -> Option<KpiDefinition> {
    let code = table.text("code", "the scheme's own code, or a short name");
    let text = table.text("text", "the key of its name in the texts");
    let measure = table.parsed("measure", "a measure such as \"co2_avoided\"", KpiMeasure::parse);
    let unit = table.parsed("unit", "a unit such as \"GWh\"", KpiUnit::parse);
    let target = table.parsed_optional("target", "\"declared\"", |t| (t == "declared").then_some(()));
    let at_least = table.number_optional("at_least", "a number above 0", |n| 0.0 < n);
    let at_most = table.number_optional("at_most", "a number above 0", |n| 0.0 < n);
    let citation = table.text("citation", "the paragraph that names it");
    table.finish();
    if let (Some(measure), Some(unit)) = (measure, unit)
        && !measure.units().iter().any(|(of, _)| *of == unit)
    {
        let units: Vec<_> = measure.units().iter().map(|(u, _)| u.symbol()).collect();
        let says = format!("{} is no unit of {}", unit.symbol(), measure.code());
        source.report_at(&table.at("unit"), says, format!("use one of {}", units.join(", ")));
    }
    let target = match (target, at_least, at_most) {
        (Some(()), None, None) => Some(Target::Declared),
        (None, Some(limit), None) => Some(Target::AtLeast(limit)),
        (None, None, Some(limit)) => Some(Target::AtMost(limit)),
        _ => {
            let next = "write one of target = \"declared\", at_least = a number, at_most = a number";
            source.report_at(&table.at("target"), "it is not clear what must be reached", next);
            None
        }
    };
    Some(KpiDefinition {
        code: code?,
        text: text?,
        measure: measure?,
        unit: unit?,
        target: target?,
        citation: citation?,
    })
}

fn check_codes(source: &Source<'_>, root: &Table<'_, '_>, kpis: &[Option<KpiDefinition>]) {
    let mut codes: Vec<&str> = kpis.iter().flatten().map(|k| k.code.as_str()).collect();
    codes.sort_unstable();
    for pair in codes.windows(2) {
        if pair[0] == pair[1] {
            let says = format!("code {:?} is used twice", pair[0]);
            source.report_at(&root.at("kpi"), says, "give each KPI its own code");
        }
    }
}

/// A case of the act's own, computed whenever the file is read.
struct Example {
    counts_from: NaiveDate,
    first_year: i32,
    first_due: NaiveDate,
    reports: Option<i64>,
}

fn read_example(table: &Table<'_, '_>) -> Option<Example> {
    let _says = table.text("says", "what the example shows");
    let counts_from = table.date("counts_from");
    let first_year = table.integer("first_year", 1990..=2100);
    let first_due = table.date("first_due");
    let reports = table.integer_optional("reports", 1..=50);
    table.finish();
    Some(Example {
        counts_from: counts_from?,
        first_year: i32::try_from(first_year?).ok()?,
        first_due: first_due?,
        reports,
    })
}

fn check_example(source: &Source<'_>, root: &Table<'_, '_>, scheme: &Scheme, example: &Example) {
    let Some(project) = example_project(scheme, example.counts_from) else { return };
    let due = scheme.due_reports(&project, 1);
    let wrong = match due.first() {
        None => Some("the scheme asks for no yearly report".to_owned()),
        Some(first) if first.year != example.first_year || first.due != example.first_due => {
            Some(format!("computed first report: year {}, due {}", first.year, first.due))
        }
        Some(_) => example
            .reports
            .filter(|n| usize::try_from(*n) != Ok(due.len()))
            .map(|_| format!("computed number of reports: {}", due.len())),
    };
    if let Some(says) = wrong {
        source.report_at(&root.at("example"), says, "correct the example or [yearly]");
    }
}

/// A project with nothing but the day to count from.
fn example_project(scheme: &Scheme, day: NaiveDate) -> Option<model::Project> {
    Some(model::Project {
        id: model::ProjectId::new("example").ok()?,
        title: String::new(),
        cup: String::new(),
        scheme: scheme.id.clone(),
        factor_set: scheme.default_factor_set.clone(),
        beneficiary: model::Beneficiary {
            name: String::new(),
            tax_code: String::new(),
            legal_representative: String::new(),
        },
        dates: model::ProjectDates {
            baseline_from: day,
            baseline_to: day,
            works_from: day,
            completed: day,
            expenses_closed: Some(day),
            final_payment: None,
        },
        facility: None,
        zone: chrono_tz::Europe::Rome,
        station: model::StationId::new("example").ok()?,
        buildings: Vec::new(),
        declared: Vec::new(),
        terms: model::Terms::default(),
    })
}
