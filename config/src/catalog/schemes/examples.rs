//! The examples of a scheme's file: cases that are computed whenever the file is read, and must come out.
//!
//! Must never: let a clause through of which no example shows when it is met and when it is not.

use std::collections::{BTreeMap, BTreeSet};

use analytics::economics::FacilityRule;
use analytics::scheme::Scheme;
use analytics::scheme::clauses::{ClauseVerdict, Evidence, Facts, Known as KnownFact, fact_of, judge};
use analytics::scheme::deadline::{Known, Need};
use chrono::NaiveDate;
use model::{Event, Events};

use super::rules::amount;
use crate::reader::{Source, Table};

/// Most ids of one list.
const LIST_MAX: usize = 100;
/// Most examples of a facility.
const FACILITY_EXAMPLES_MAX: usize = 20;

pub(super) struct Example {
    says: String,
    events: Events,
    report_years: Option<u32>,
    today: Option<NaiveDate>,
    due: BTreeMap<String, Vec<NaiveDate>>,
    needs: Vec<String>,
    facts: Facts,
    verdicts: [(ClauseVerdict, Vec<String>); 3],
}

fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

pub(super) fn read(source: &Source<'_>, table: &Table<'_, '_>) -> Option<Example> {
    let says = table.text("says", "what the example shows");
    let mut events = Events::new();
    for (key, value) in table.table_optional("dates").map(|t| t.rest()).unwrap_or_default() {
        match (Event::parse(&key), value.as_datetime().and_then(|d| day(&d.to_string()))) {
            (Some(event), Some(date)) => {
                events.insert(event, date);
            }
            _ => {
                source.report_at(&table.at("dates"), format!("{key:?} is no event with a day"), "correct it")
            }
        }
    }
    let report_years = table.integer_optional("report_years", 1..=50).and_then(|n| u32::try_from(n).ok());
    let today = table.date_optional("today");
    let mut due = BTreeMap::new();
    for (key, value) in table.table_optional("due").map(|t| t.rest()).unwrap_or_default() {
        let texts = value.as_array().map(|a| a.iter().filter_map(|v| day(v.as_str()?)).collect());
        due.insert(key, texts.unwrap_or_default());
    }
    let mut facts = Facts::new();
    for (key, value) in table.table_optional("facts").map(|t| t.rest()).unwrap_or_default() {
        let number = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
        match (fact_of(&key), number) {
            (Some(fact), Some(value)) => {
                let (origin, evidence) = (fact.origin, Evidence::of_person("example"));
                facts.insert(fact.code, KnownFact { value, best: value, origin, evidence });
            }
            _ => source.report_at(
                &table.at("facts"),
                format!("{key:?} is no fact with a number"),
                "correct it",
            ),
        }
    }
    let list = |key| table.texts(key, "a list of ids", LIST_MAX);
    let needs = list("needs");
    let verdicts = [
        (ClauseVerdict::Met, list("met")),
        (ClauseVerdict::NotMet, list("not_met")),
        (ClauseVerdict::Unknown, list("unknown")),
    ];
    table.finish();
    Some(Example { says: says?, events, report_years, today, due, needs, facts, verdicts })
}

/// Computes every example and reports what comes out otherwise.
pub(super) fn check(source: &Source<'_>, root: &Table<'_, '_>, scheme: &Scheme, examples: &[Example]) {
    let mut wrong = Vec::new();
    for example in examples {
        let said = |what: String| format!("{}: {what}", example.says);
        wrong.extend(check_days(scheme, example).into_iter().map(said));
        wrong.extend(check_clauses(scheme, example).into_iter().map(said));
    }
    let shown = |verdict: ClauseVerdict| -> BTreeSet<&str> {
        let lists = examples.iter().flat_map(|e| &e.verdicts).filter(|(v, _)| *v == verdict);
        lists.flat_map(|(_, ids)| ids.iter().map(String::as_str)).collect()
    };
    let (met, not_met) = (shown(ClauseVerdict::Met), shown(ClauseVerdict::NotMet));
    for clause in &scheme.rules.clauses {
        if !met.contains(clause.id.as_str()) || !not_met.contains(clause.id.as_str()) {
            wrong.push(format!("clause {:?} has no example that meets it and one that does not", clause.id));
        }
    }
    for says in wrong {
        source.report_at(&root.at("example"), says, "correct the example or the rule");
    }
}

fn check_days(scheme: &Scheme, example: &Example) -> Vec<String> {
    let Some(today) = example.today else {
        let stated = example.due.is_empty() && example.needs.is_empty();
        return if stated { Vec::new() } else { vec!["days are expected without `today`".to_owned()] };
    };
    let known = Known { events: &example.events, report_years: example.report_years, today };
    let mut wrong = Vec::new();
    let mut needs: BTreeSet<&str> = BTreeSet::new();
    for obligation in &scheme.rules.obligations {
        let schedule = obligation.due.schedule(&known);
        needs.extend(schedule.needs.iter().map(|need| need.key()));
        let days: Vec<NaiveDate> = schedule.occurrences.iter().map(|o| o.due).collect();
        if let Some(wanted) = example.due.get(&obligation.id)
            && *wanted != days
        {
            let days: Vec<String> = days.iter().map(ToString::to_string).collect();
            wrong.push(format!("computed days of {}: {}", obligation.id, days.join(", ")));
        }
    }
    for id in example.due.keys().filter(|id| scheme.obligation(id).is_none()) {
        wrong.push(format!("{id:?} is no obligation of the scheme"));
    }
    for need in example.needs.iter().filter(|need| !needs.contains(need.as_str())) {
        let asked: Vec<&str> = needs.iter().copied().collect();
        wrong.push(format!("{need:?} is not asked for; asked for: {}", asked.join(", ")));
    }
    if example.needs.is_empty() && needs.contains(Need::ReportYears.key()) && !example.due.is_empty() {
        wrong.push("the number of years is asked for".to_owned());
    }
    wrong
}

fn check_clauses(scheme: &Scheme, example: &Example) -> Vec<String> {
    let judged = judge(&scheme.rules.clauses, &example.facts);
    let mut wrong = Vec::new();
    for (verdict, ids) in &example.verdicts {
        for id in ids {
            match judged.iter().find(|j| j.clause.id == *id) {
                None => wrong.push(format!("{id:?} is no clause of the scheme")),
                Some(found) if found.verdict == *verdict => {}
                Some(found) => wrong.push(format!("clause {id:?} comes out as {}", found.verdict.code())),
            }
        }
    }
    wrong
}

/// The examples of `[facility]`.
pub(super) fn check_facility(source: &Source<'_>, table: &Table<'_, '_>, rule: Option<&FacilityRule>) {
    let examples = table.tables("example", FACILITY_EXAMPLES_MAX);
    if examples.is_empty() {
        source.report_at(&table.at("example"), "is missing", "add at least one [[facility.example]]");
    }
    for example in &examples {
        let says = example.text("says", "what the example shows").unwrap_or_default();
        let (granted, costs) = (amount(example, "granted_costs_eur"), amount(example, "costs_eur"));
        let days_early = example.integer("days_early", -3_650..=3_650);
        let as_grant = example.flag_optional("last_loan_as_grant");
        let wanted = AMOUNTS.map(|key| amount(example, key));
        example.finish();
        let computed = rule.and_then(|rule| {
            let (granted, last) = (rule.compose(granted?)?, rule.compose(costs?)?);
            Some((last, rule.instalments(&granted, &last, days_early?)))
        });
        let fits = computed.is_some_and(|(c, i)| {
            let got =
                [c.grant, c.loan, c.own, i.advance, i.first_loan, i.second_grant, i.last_grant, i.last_loan];
            got.map(Some) == wanted && as_grant == Some(i.last_loan_as_grant)
        });
        if !fits && rule.is_some() {
            let says = format!("{says}: computed {computed:?}");
            source.report_at(&example.at("says"), says, "correct the example or [facility]");
        }
    }
}

const AMOUNTS: [&str; 8] = [
    "grant_eur",
    "loan_eur",
    "own_eur",
    "advance_eur",
    "first_loan_eur",
    "second_grant_eur",
    "last_grant_eur",
    "last_loan_eur",
];
