//! The calendar's states, over the days on which they change.
//!
//! Must never: depend on the catalogue's files.

use chrono::NaiveDate;
use model::{Euro, FactorSetId, Grant, Instant, ProjectDates, ProjectId, SchemeId, StationId};

use super::super::deadline::{Count, Deadline, Yearly};
use super::super::{KeepPeriod, SchemeRules};
use super::*;

fn day(text: &str) -> NaiveDate {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap()
}

fn project() -> Project {
    Project {
        id: ProjectId::new("p").unwrap(),
        title: String::new(),
        cup: String::new(),
        scheme: SchemeId::new("s").unwrap(),
        factor_set: FactorSetId::new("f").unwrap(),
        beneficiary: model::Beneficiary {
            name: String::new(),
            tax_code: String::new(),
            legal_representative: String::new(),
        },
        dates: ProjectDates {
            baseline_from: day("2018-01-01"),
            baseline_to: day("2019-01-01"),
            works_from: day("2019-06-01"),
            completed: day("2021-12-31"),
            expenses_closed: None,
            final_payment: None,
        },
        facility: Some(Euro::from_euros(1)),
        zone: chrono_tz_rome(),
        station: StationId::new("t").unwrap(),
        buildings: Vec::new(),
        declared: Vec::new(),
        terms: model::Terms::default(),
        grant: Grant::default(),
    }
}

fn chrono_tz_rome() -> model::Zone {
    "Europe/Rome".parse().unwrap()
}

fn scheme() -> Scheme {
    let obligation = |id: &str, due: Deadline| Obligation {
        id: id.to_owned(),
        text: format!("obligation.{id}"),
        due,
        report: None,
        signer: Signer::LegalRepresentative,
        channel: "PEC".to_owned(),
        address: None,
        citation: "§".to_owned(),
        memos: Vec::new(),
        closed_by: None,
    };
    let yearly = Yearly {
        month: 3,
        day: 31,
        counts_from: Event::Completion,
        first_year: 1,
        due_after_years: 1,
        count: Count::Stated(2),
    };
    Scheme {
        id: SchemeId::new("s").unwrap(),
        title: String::new(),
        citation: String::new(),
        authority: String::new(),
        default_factor_set: FactorSetId::new("f").unwrap(),
        yearly: None,
        kpis: Vec::new(),
        rules: SchemeRules {
            obligations: vec![
                obligation("fixed", Deadline::On(day("2023-06-30"))),
                obligation("later", Deadline::DaysAfter { event: Event::FinalPayment, days: 60 }),
                obligation("report", Deadline::Yearly(yearly)),
            ],
            periods: vec![KeepPeriod {
                id: "stability".to_owned(),
                text: "t".to_owned(),
                event: Event::FinalPayment,
                years: 5,
                citation: "§".to_owned(),
            }],
            clauses: Vec::new(),
            calls: Vec::new(),
            exchange_codes: std::collections::BTreeMap::new(),
            facility: None,
        },
    }
}

fn done(year: i32, sent: &str, progress: Progress) -> Fulfilment {
    Fulfilment { obligation: "report".to_owned(), year: Some(year), sent: day(sent), progress }
}

/// `id[year] state` of every line.
fn states(today: &str, done: &[Fulfilment]) -> String {
    let lines = calendar(&scheme(), &project(), day(today), done);
    let words = lines.iter().map(|e| match e.year {
        Some(year) => format!("{}{year} {}", e.obligation, e.state.code()),
        None => format!("{} {}", e.obligation, e.state.code()),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[test]
fn states_change_on_their_days() {
    for (today, wanted) in [
        ("2022-12-31", "report2022 upcoming, fixed upcoming, report2023 upcoming, later waiting"),
        // The year is over: its report can be made.
        ("2023-01-01", "report2022 due, fixed upcoming, report2023 upcoming, later waiting"),
        // The day itself still counts.
        ("2023-03-31", "report2022 due, fixed upcoming, report2023 upcoming, later waiting"),
        ("2023-04-01", "report2022 late, fixed upcoming, report2023 upcoming, later waiting"),
        // Sixty days before a day that opens at no day of its own.
        ("2023-04-30", "report2022 late, fixed upcoming, report2023 upcoming, later waiting"),
        ("2023-05-01", "report2022 late, fixed due, report2023 upcoming, later waiting"),
        ("2024-04-01", "report2022 late, fixed late, report2023 late, later waiting"),
    ] {
        assert_eq!(states(today, &[]), wanted, "{today}");
    }
}

#[test]
fn what_was_sent_stays_so_and_what_is_asked_again_is_due() {
    let on = |list: &[Fulfilment]| states("2023-04-01", list).split(", ").next().unwrap().to_owned();
    assert_eq!(on(&[done(2022, "2023-03-31", Progress::Sent)]), "report2022 sent");
    assert_eq!(on(&[done(2022, "2023-03-31", Progress::Accepted)]), "report2022 accepted");
    assert_eq!(on(&[done(2022, "2023-03-31", Progress::IntegrationAsked)]), "report2022 late");
    let before = states("2023-02-01", &[done(2022, "2023-01-20", Progress::IntegrationAsked)]);
    assert!(before.starts_with("report2022 due"), "{before}");
    // Another year's submission fulfils nothing here.
    assert_eq!(on(&[done(2023, "2023-03-31", Progress::Sent)]), "report2022 late");
}

#[test]
fn the_day_is_that_of_the_projects_zone() {
    // 22:30 UTC on 31 March is 1 April in Rome: late there, and the day itself in London would be the same.
    let instant = Instant::parse_rfc3339("2023-03-31T22:30:00Z").unwrap();
    assert_eq!(instant.day(chrono_tz_rome()), day("2023-04-01"));
    let first = |instant: Instant| {
        let lines = calendar(&scheme(), &project(), instant.day(project().zone), &[]);
        lines[0].state
    };
    assert_eq!(first(instant), State::Late);
    assert_eq!(first(instant.plus_seconds(-3600)), State::Due);
}

#[test]
fn a_time_of_keeping_ends_years_after_its_event() {
    let mut project = project();
    assert_eq!(kept(&scheme(), &project)[0].days, None);
    // Five years from a leap day end on the last day of February.
    project.dates.final_payment = Some(day("2024-02-29"));
    assert_eq!(kept(&scheme(), &project)[0].days, Some((day("2024-02-29"), day("2029-02-28"))));
    let lines = calendar(&scheme(), &project, day("2024-03-01"), &[]);
    let later = lines.iter().find(|e| e.obligation == "later").unwrap();
    assert_eq!((later.due, later.days_left(day("2024-04-01"))), (Some(day("2024-04-29")), Some(28)));
}

#[test]
fn what_an_event_cannot_be_without_is_fulfilled_on_its_day() {
    let mut scheme = scheme();
    let due = Deadline::DaysAfter { event: Event::Completion, days: 90 };
    scheme.rules.obligations.truncate(1);
    scheme.rules.obligations[0].due = due;
    scheme.rules.obligations[0].closed_by = Some(Event::ExpensesClosed);
    let mut project = project();
    let of = |project: &Project| {
        let line = calendar(&scheme, project, day("2024-12-31"), &[]).remove(0);
        (line.state, line.sent)
    };
    assert_eq!(of(&project), (State::Late, None));
    project.dates.expenses_closed = Some(day("2022-03-01"));
    assert_eq!(of(&project), (State::Sent, Some(day("2022-03-01"))));
}

#[test]
fn no_day_to_come_and_none_before_completion_closes_anything() {
    let mut scheme = scheme();
    scheme.rules.obligations.truncate(1);
    scheme.rules.obligations[0].due = Deadline::DaysAfter { event: Event::Completion, days: 90 };
    scheme.rules.obligations[0].closed_by = Some(Event::ExpensesClosed);
    let mut project = project();
    project.dates.completed = day("2026-10-30");
    let of = |closed: &str, today: &str| {
        let mut project = project.clone();
        project.dates.expenses_closed = Some(day(closed));
        let line = calendar(&scheme, &project, day(today), &[]).remove(0);
        (line.state, line.sent)
    };
    // Planned for the year after.
    assert_eq!(of("2027-09-30", "2026-11-23"), (State::Due, None));
    assert_eq!(of("2027-09-30", "2027-09-29"), (State::Late, None));
    assert_eq!(of("2027-09-30", "2027-09-30"), (State::Sent, Some(day("2027-09-30"))));
    // Before there was anything to report on, and on the very day.
    assert_eq!(of("2026-10-29", "2026-11-23"), (State::Due, None));
    assert_eq!(of("2026-10-30", "2026-11-23"), (State::Sent, Some(day("2026-10-30"))));
}

#[test]
fn what_waits_says_for_what() {
    let mut scheme = scheme();
    scheme.rules.obligations.truncate(1);
    let of = |due: Deadline, grant: &[(Event, &str)], paid: Option<&str>| {
        let (mut scheme, mut project) = (scheme.clone(), project());
        scheme.rules.obligations[0].due = due;
        project.grant.dates = grant.iter().map(|(event, text)| (*event, day(text))).collect();
        project.dates.final_payment = paid.map(day);
        let lines = calendar(&scheme, &project, day("2024-12-31"), &[]);
        lines.into_iter().map(|line| (line.state, line.needs)).collect::<Vec<_>>()
    };
    let update = || {
        Deadline::Yearly(Yearly {
            month: 1,
            day: 31,
            counts_from: Event::GrantNotice,
            first_year: 0,
            due_after_years: 1,
            count: Count::Until(Event::FinalPayment),
        })
    };
    let granted = [(Event::GrantNotice, "2023-12-10")];
    // Paid before it was granted: the days are out of order, and the line stays with what is to be mended.
    let waits = |event| vec![(State::Waiting, vec![Need::Event(event)])];
    assert_eq!(of(update(), &granted, Some("2022-03-15")), waits(Event::FinalPayment));
    // Paid before the first update fell due: there was none.
    assert_eq!(of(update(), &granted, Some("2024-01-15")), []);
    let half = Deadline::HalfOf { from: Event::TermFrom, to: Event::TermTo, days: 0 };
    let term = [(Event::TermFrom, "2025-01-02"), (Event::TermTo, "2025-01-01")];
    assert_eq!(of(half, &term, None), waits(Event::TermTo));
}
