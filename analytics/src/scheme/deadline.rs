//! When an obligation falls due: rules as an act states them, made into days.
//!
//! Must never: read a clock, move a day off a holiday or a Sunday (no act that was read says so), or make up a day
//! or a number of years that was not stated.

use chrono::{Datelike, Days, NaiveDate};
use model::{Event, Events};

/// Most rules of which the earliest counts.
pub const EARLIER_MAX: usize = 4;
/// Most occurrences of one yearly rule.
const OCCURRENCES_MAX: usize = 60;

/// A rule of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deadline {
    /// A day of each year.
    Yearly(Yearly),
    /// So many days after an event; 0 is the day itself.
    DaysAfter { event: Event, days: u32 },
    /// A fixed day.
    On(NaiveDate),
    /// So many days after half of a period has passed.
    HalfOf { from: Event, to: Event, days: u32 },
    /// Whichever comes first.
    Earlier(Vec<Deadline>),
}

/// A day of each year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yearly {
    pub month: u32,
    pub day: u32,
    pub counts_from: Event,
    /// The first year that it is about, counted from the event's own: 1 is the year after.
    pub first_year: u32,
    /// In which year after the one it is about it falls due: 1 is the following one, 0 the same.
    pub due_after_years: u32,
    pub count: Count,
}

/// How often a yearly obligation comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// The act states the number of years.
    Stated(u32),
    /// The act leaves it to each grant: the project file says it.
    AsGranted,
    /// As long as an event has not come.
    Until(Event),
}

/// One day on which something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The calendar year that it is about, for what comes every year.
    pub year: Option<i32>,
    /// From when it can be fulfilled; `None` where nothing says so.
    pub opens: Option<NaiveDate>,
    pub due: NaiveDate,
}

/// What a person must state, or mend, before a day can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    Event(Event),
    /// For how many years reports are due.
    ReportYears,
}

impl Need {
    /// The key of the project file that says it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Event(event) => event.code(),
            Self::ReportYears => "report_years",
        }
    }
}

/// What is known when a rule is made into days.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub events: &'a Events,
    /// As the grant states it.
    pub report_years: Option<u32>,
    pub today: NaiveDate,
}

/// The days of a rule, and what would have to be stated to know all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Ascending.
    pub occurrences: Vec<Occurrence>,
    pub needs: Vec<Need>,
}

impl Deadline {
    /// The days of this rule. Where the number of years is not stated, days are listed up to the next one.
    #[must_use]
    pub fn schedule(&self, known: &Known<'_>) -> Schedule {
        match self {
            Self::Yearly(yearly) => yearly.schedule(known),
            Self::Earlier(rules) => {
                let parts: Vec<Schedule> = rules.iter().map(|rule| rule.schedule(known)).collect();
                let first = parts.iter().flat_map(|p| &p.occurrences).min_by_key(|o| o.due).copied();
                let opens = parts.iter().flat_map(|p| &p.occurrences).filter_map(|o| o.opens).min();
                let mut needs: Vec<Need> = parts.iter().flat_map(|p| p.needs.iter().copied()).collect();
                needs.sort_unstable();
                needs.dedup();
                let first = first.map(|occurrence| Occurrence { opens, ..occurrence });
                Schedule { occurrences: first.into_iter().collect(), needs }
            }
            Self::On(day) => Schedule {
                occurrences: vec![Occurrence { year: None, opens: None, due: *day }],
                needs: vec![],
            },
            Self::DaysAfter { event, days } => match known.events.get(event) {
                Some(from) => once(*from, *days),
                None => Schedule { needs: vec![Need::Event(*event)], ..Schedule::default() },
            },
            Self::HalfOf { from, to, days } => {
                let missing = [from, to].into_iter().filter(|e| !known.events.contains_key(e));
                let needs: Vec<Need> = missing.map(|e| Need::Event(*e)).collect();
                match (known.events.get(from), known.events.get(to)) {
                    (Some(first), Some(last)) if first <= last => once(half(*first, *last), *days),
                    // A period that ends before it begins says nothing.
                    (Some(_), Some(_)) => Schedule { needs: vec![Need::Event(*to)], ..Schedule::default() },
                    _ => Schedule { needs, ..Schedule::default() },
                }
            }
        }
    }
}

/// The day on which half of the days from `first` to `last`, both included, have passed.
fn half(first: NaiveDate, last: NaiveDate) -> NaiveDate {
    let days = u64::try_from((last - first).num_days() + 1).unwrap_or_default();
    first.checked_add_days(Days::new(days / 2)).unwrap_or(last)
}

fn once(opens: NaiveDate, days: u32) -> Schedule {
    let due = opens.checked_add_days(Days::new(u64::from(days)));
    let occurrence = due.map(|due| Occurrence { year: None, opens: Some(opens), due });
    Schedule { occurrences: occurrence.into_iter().collect(), needs: Vec::new() }
}

impl Yearly {
    fn schedule(&self, known: &Known<'_>) -> Schedule {
        let Some(from) = known.events.get(&self.counts_from) else {
            return Schedule { needs: vec![Need::Event(self.counts_from)], ..Schedule::default() };
        };
        let all = (0..).map_while(|n| self.nth(*from, n)).filter(|o| *from <= o.due).take(OCCURRENCES_MAX);
        let stated = match self.count {
            Count::Stated(years) => Some(years),
            Count::AsGranted => known.report_years,
            Count::Until(_) => None,
        };
        let end = match self.count {
            Count::Until(event) => known.events.get(&event).copied(),
            Count::Stated(_) | Count::AsGranted => None,
        };
        let occurrences = match (stated, end) {
            (Some(years), _) => all.take(years as usize).collect(),
            (None, Some(end)) => all.take_while(|o| o.due < end).collect(),
            // The end is not known: up to the next one that comes.
            (None, None) => {
                let mut upcoming = 0;
                all.take_while(|o| {
                    upcoming += usize::from(known.today <= o.due);
                    upcoming <= 1
                })
                .collect()
            }
        };
        let needs = match self.count {
            Count::AsGranted if stated.is_none() => vec![Need::ReportYears],
            // An end before the beginning.
            Count::Until(event) if end.is_some_and(|end| end < *from) => vec![Need::Event(event)],
            Count::Until(_) | Count::AsGranted | Count::Stated(_) => Vec::new(),
        };
        Schedule { occurrences, needs }
    }

    /// The occurrence number `n`, from 0; `None` beyond the calendar.
    fn nth(&self, from: NaiveDate, n: u32) -> Option<Occurrence> {
        let year = from.year().checked_add_unsigned(self.first_year.checked_add(n)?)?;
        let due_year = year.checked_add_unsigned(self.due_after_years)?;
        let due = NaiveDate::from_ymd_opt(due_year, self.month, self.day)?;
        let opens = NaiveDate::from_ymd_opt(due_year, 1, 1)?.max(from);
        Some(Occurrence { year: Some(year), opens: Some(opens), due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap()
    }

    fn events(list: &[(Event, &str)]) -> Events {
        list.iter().map(|(event, text)| (*event, day(text))).collect()
    }

    /// The due days of a rule, each with its year where it has one, and the keys that are missing.
    fn days(rule: &Deadline, list: &[(Event, &str)], report_years: Option<u32>, today: &str) -> String {
        let events = events(list);
        let schedule = rule.schedule(&Known { events: &events, report_years, today: day(today) });
        let shown = |o: &Occurrence| match o.year {
            Some(year) => format!("{year}:{}", o.due),
            None => o.due.to_string(),
        };
        let mut words: Vec<String> = schedule.occurrences.iter().map(shown).collect();
        words.extend(schedule.needs.iter().map(|need| format!("?{}", need.key())));
        words.join(" ")
    }

    fn yearly(month: u32, day: u32, counts_from: Event, count: Count) -> Deadline {
        Deadline::Yearly(Yearly { month, day, counts_from, first_year: 1, due_after_years: 1, count })
    }

    #[test]
    fn a_day_each_year() {
        let march = yearly(3, 31, Event::Completion, Count::Stated(5));
        let five = "2022:2023-03-31 2023:2024-03-31 2024:2025-03-31 2025:2026-03-31 2026:2027-03-31";
        // Completed on the first, any, or the last day of a year: the same five years.
        for completed in ["2021-01-01", "2021-10-15", "2021-12-31"] {
            assert_eq!(
                days(&march, &[(Event::Completion, completed)], None, "2020-01-01"),
                five,
                "{completed}"
            );
        }
        // One day later is one year later. 31 March 2024 was Easter Sunday: it stays.
        let next = days(&march, &[(Event::Completion, "2022-01-01")], None, "2030-01-01");
        assert!(next.starts_with("2023:2024-03-31 ") && next.ends_with(" 2027:2028-03-31"), "{next}");
        assert_eq!(days(&march, &[], None, "2030-01-01"), "?completion");
    }

    #[test]
    fn a_number_of_years_that_no_act_states_is_asked_for() {
        let monet = yearly(4, 30, Event::ExpensesClosed, Count::AsGranted);
        // The region's own example: closed on 30/09/2024, first year 2025, due by 30/04/2026.
        let closed = [(Event::ExpensesClosed, "2024-09-30")];
        assert_eq!(days(&monet, &closed, None, "2024-12-01"), "2025:2026-04-30 ?report_years");
        assert_eq!(days(&monet, &closed, None, "2026-04-30"), "2025:2026-04-30 ?report_years");
        assert_eq!(
            days(&monet, &closed, None, "2026-05-01"),
            "2025:2026-04-30 2026:2027-04-30 ?report_years"
        );
        assert_eq!(
            days(&monet, &closed, Some(3), "2024-12-01"),
            "2025:2026-04-30 2026:2027-04-30 2027:2028-04-30"
        );
    }

    #[test]
    fn until_an_event_and_from_the_events_own_year() {
        let update = Deadline::Yearly(Yearly {
            month: 1,
            day: 31,
            counts_from: Event::GrantNotice,
            first_year: 0,
            due_after_years: 1,
            count: Count::Until(Event::FinalPayment),
        });
        let granted = (Event::GrantNotice, "2019-12-31");
        assert_eq!(days(&update, &[granted], None, "2020-06-01"), "2019:2020-01-31 2020:2021-01-31");
        let paid = [granted, (Event::FinalPayment, "2022-01-31")];
        assert_eq!(days(&update, &paid, None, "2020-06-01"), "2019:2020-01-31 2020:2021-01-31");
        let paid_before = [granted, (Event::FinalPayment, "2019-12-30")];
        assert_eq!(days(&update, &paid_before, None, "2020-06-01"), "?final_payment");
        // In the same year, and never before the event.
        let june = Deadline::Yearly(Yearly {
            month: 6,
            day: 30,
            counts_from: Event::GrantNotice,
            first_year: 0,
            due_after_years: 0,
            count: Count::Stated(2),
        });
        assert_eq!(
            days(&june, &[(Event::GrantNotice, "2020-06-30")], None, "2020-01-01"),
            "2020:2020-06-30 2021:2021-06-30"
        );
        assert_eq!(
            days(&june, &[(Event::GrantNotice, "2020-07-01")], None, "2020-01-01"),
            "2021:2021-06-30 2022:2022-06-30"
        );
    }

    #[test]
    fn days_after_an_event_over_leap_days() {
        let after = |days| Deadline::DaysAfter { event: Event::GrantNotice, days };
        for (from, count, due) in [
            ("2024-02-28", 1, "2024-02-29"),
            ("2023-02-28", 1, "2023-03-01"),
            ("2024-02-29", 60, "2024-04-29"),
            ("2023-12-31", 60, "2024-02-29"),
            ("2024-12-31", 60, "2025-03-01"),
            ("2025-05-01", 0, "2025-05-01"),
        ] {
            assert_eq!(days(&after(count), &[(Event::GrantNotice, from)], None, "2020-01-01"), due, "{from}");
        }
        assert_eq!(days(&after(1), &[], None, "2020-01-01"), "?grant_notice");
    }

    #[test]
    fn half_of_a_period_and_the_earlier_of_two() {
        let half = |days| Deadline::HalfOf { from: Event::TermFrom, to: Event::TermTo, days };
        let term = |from, to| [(Event::TermFrom, from), (Event::TermTo, to)];
        for (from, to, due) in [
            // 365 days: half of them have passed on the 183rd.
            ("2025-01-01", "2025-12-31", "2025-07-02"),
            // 366 days.
            ("2024-01-01", "2024-12-31", "2024-07-02"),
            ("2025-01-01", "2025-01-01", "2025-01-01"),
            ("2024-02-28", "2024-03-01", "2024-02-29"),
        ] {
            assert_eq!(days(&half(0), &term(from, to), None, "2020-01-01"), due, "{from} {to}");
        }
        assert_eq!(days(&half(30), &term("2025-01-01", "2025-12-31"), None, "2020-01-01"), "2025-08-01");
        assert_eq!(days(&half(0), &[(Event::TermFrom, "2025-01-01")], None, "2020-01-01"), "?term_to");
        assert_eq!(days(&half(0), &term("2025-01-02", "2025-01-01"), None, "2020-01-01"), "?term_to");

        let earlier =
            Deadline::Earlier(vec![Deadline::DaysAfter { event: Event::HalfSpent, days: 0 }, half(30)]);
        let mut list = term("2025-01-01", "2025-12-31").to_vec();
        assert_eq!(days(&earlier, &list, None, "2025-01-01"), "2025-08-01 ?half_spent");
        list.push((Event::HalfSpent, "2025-05-10"));
        assert_eq!(days(&earlier, &list, None, "2025-01-01"), "2025-05-10");
        list.pop();
        list.push((Event::HalfSpent, "2025-11-10"));
        assert_eq!(days(&earlier, &list, None, "2025-01-01"), "2025-08-01");
        assert_eq!(days(&Deadline::On(day("2026-01-30")), &[], None, "2025-01-01"), "2026-01-30");
    }
}
