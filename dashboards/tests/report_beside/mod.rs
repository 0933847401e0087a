//! What stands beside the year of the fixture: the year before, its course, a signature, a profile, comments, events.
//!
//! Must never: be computed by the code under test. Every figure here is stated.

use analytics::counter::Decision;
use analytics::evaluate::{CoursePoint, KpiCourse};
use analytics::load::LoadProfile;
use analytics::report::beside::{Beside, Comment, SectionKey};
use analytics::result::{Baseline, MeterRecord, ProjectYear};
use analytics::savings::forms::{Forms, MeterForms, ReferenceMonths, Withheld};
use analytics::savings::{Cumulated, Modelled, Reference};
use analytics::signature::Signature;
use model::{
    Act, Channel, Confidence, DatedAct, Explanation, Finding, Instant, MeterAct, MeterId, Quantity,
    ReferenceYear, SeriesKey, Severity,
};

use crate::report_fixture::{YEAR, day, year};

/// The year before: another model of the boiler, a meter that was not there yet, a finding that is gone.
pub(crate) fn former() -> ProjectYear {
    let mut former = year();
    former.year = YEAR - 1;
    former.until = day(YEAR, 1, 1);
    for meter in &mut former.meters {
        for month in &mut meter.months {
            month.month.year -= 1;
        }
    }
    former.meters.retain(|m| m.meter.id.as_str() != "export-1");
    if let Baseline::Fitted(model) = &mut former.meters[0].baseline {
        model.base_per_day = 4.0;
    }
    let power = &mut former.meters[1];
    power.totals.measured += 1000.0;
    power.totals.avoided -= 1000.0;
    former.kpis[0].achieved = Some(19.5);
    former.findings = vec![
        year().findings[1].clone(),
        Finding::new(
            "counter.standstill",
            Severity::Caution,
            "meter:pump-1 2024-07",
            "the total stood still",
            "",
        ),
    ];
    former
}

/// Everything that may stand beside the year.
pub(crate) fn beside() -> Beside {
    let points = (1..=12).map(|n| {
        let share = f64::from(n) / 12.0;
        Some(CoursePoint { best: Some(22.835 * share), low: Some(17.83 * share), high: Some(27.74 * share) })
    });
    let id = |id: &str| MeterId::new(id).expect("an id");
    let comment = |section, text: &str, author: &str, instead| Comment {
        section,
        text: text.to_owned(),
        author: author.to_owned(),
        date: day(2026, 3, 12),
        instead,
    };
    Beside {
        period: None,
        former_stated: Vec::new(),
        former: Some(Box::new(former())),
        courses: vec![KpiCourse { code: "4.c.2".to_owned(), points: points.collect() }],
        signatures: vec![Signature {
            meter: id("gas-1"),
            before: vec![(2.0, 26.9), (21.0, 5.2)],
            after: vec![(3.0, 15.0)],
            line: vec![(2.0, 26.7), (17.5, 5.0), (21.0, 5.0)],
        }],
        profiles: vec![LoadProfile { meter: id("power-1"), cells: cells(), hours: 8736.4 }],
        forms: Some(forms()),
        comments: vec![
            comment(
                SectionKey::Savings,
                "Le aule sono rimaste\naperte il sabato.\n\n#panic() Secondo capoverso.",
                "A. Rossi",
                false,
            ),
            comment(SectionKey::Weather, "Inverno normale.", "B. Bianchi", true),
        ],
        stated: Vec::new(),
        papers: Vec::new(),
    }
}

/// Five years of the station; the boiler has a law of its own since the works, the supply has none.
fn forms() -> Forms {
    let sum = |meter: &str, months, avoided| Cumulated {
        meter: MeterId::new(meter).expect("an id"),
        months,
        adjusted_baseline: 5000.0,
        measured: 5000.0 - avoided,
        avoided,
        low: avoided - 200.0,
        high: avoided + 150.0,
    };
    let saved = Modelled {
        meter: MeterId::new("gas-1").expect("an id"),
        baseline: 4400.0,
        reporting: 2750.0,
        savings: 1650.0,
        low: 1300.0,
        high: 2000.0,
    };
    let (gas, power) = (sum("gas-1", 13, 1960.0), sum("power-1", 14, 3300.0));
    let of = |cumulated: Cumulated, normalised| MeterForms {
        meter: cumulated.meter.clone(),
        normalised,
        cumulated,
        months_due: 15,
    };
    Forms {
        kind: ReferenceYear::Typical,
        years_known: 5,
        reference: Some(Reference {
            kind: ReferenceYear::Typical,
            years: (2020..=2024).collect(),
            legal: None,
            scale: 1.0,
        }),
        meters: vec![of(gas, Ok(saved)), of(power, Err(Withheld::ReportingShort))],
        months: vec![ReferenceMonths {
            base_c: 17.5,
            months: [460.0, 380.0, 250.0, 130.0, 40.0, 2.0, 0.0, 0.0, 15.0, 120.0, 300.0, 430.0]
                .map(Some)
                .to_vec(),
        }],
    }
}

/// 2 kW by night and at the weekend, more from 8 to 18 on workdays, most at 8.
fn cells() -> [[Option<f64>; 24]; 7] {
    let mut cells = [[Some(2.0); 24]; 7];
    for hours in &mut cells[..5] {
        for (hour, cell) in hours.iter_mut().enumerate().take(18).skip(8) {
            *cell = Some(20.0 - hour as f64);
        }
    }
    cells
}

/// A counter that began again, a false reading, and an exchange that a person recorded.
pub(crate) fn record() -> MeterRecord {
    let at = |month: u32, date: u32| {
        let noon = day(YEAR, month, date).and_hms_opt(10, 0, 0).expect("a time");
        Instant::from_seconds(noon.and_utc().timestamp())
    };
    let decision = |at: Instant, explanation, confidence| Decision {
        at,
        explanation,
        confidence,
        from: at,
        to: at,
        before: 1_000_000,
        seen: 0,
        after: 0,
        booked: 0,
        low: 0,
        high: 5_000,
        alternatives: Vec::new(),
        by_person: false,
    };
    let act = MeterAct {
        series: SeriesKey {
            meter: MeterId::new("gas-1").expect("an id"),
            channel: Channel::total(Quantity::GasStandardVolume),
        },
        dated: DatedAct { at: at(5, 20), act: Act::Exchanged { closing: Some(1_250_000), opening: Some(0) } },
        author: "A. Rossi".to_owned(),
        reason: "contatore guasto".to_owned(),
        recorded_at: at(5, 21),
    };
    MeterRecord {
        decisions: vec![
            decision(at(4, 10), Explanation::Reset, Confidence::Likely),
            decision(at(6, 1), Explanation::Dip, Confidence::Certain),
        ],
        acts: vec![act],
        adjustments: Vec::new(),
        readings: Vec::new(),
    }
}
