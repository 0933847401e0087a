//! What the made-up daemon watches: a school with a fortnight of hours, a hostile office, alarms set by hand.
//!
//! Must never: be linked into the daemon.

use std::sync::Arc;

use analytics::forecast::{Needed, Outlook};
use analytics::watch::alarm::AlarmKind;
use analytics::watch::base_load::BaseLoad;
use analytics::watch::pace::Pace;
use analytics::watch::span::{Compared, Part, Span};
use analytics::watch::usual::Expectation;
use analytics::watch::{UseHour, carpet};
use chrono::Days;
use dashboards::backend::{Backend as _, MeterHealth, ProjectView};
use dashboards::watch::{
    Acknowledged, ActRefused, AlarmView, BuildingAsk, BuildingNow, BuildingView, CarrierToday, MeterNow,
    MeterSaid, MeterView, OwnEnergy, Plot, PutAside, Signature, TargetPace, Watch,
};
use model::time::day_start;
use model::{
    BuildingId, Carrier, Channel, Direction, MeterId, MeterRole, Origin, ProjectId, Quantity, Value,
};

use super::{Fake, HOSTILE, day};

const ROME: model::Zone = chrono_tz::Europe::Rome;

impl Fake {
    fn view_of(&self, project: &ProjectId, building: &BuildingId) -> Option<&ProjectView> {
        let of = |v: &&ProjectView| v.project.id == *project && v.project.buildings[0].id == *building;
        self.projects.iter().find(of)
    }

    fn now_of(&self, view: &ProjectView) -> BuildingNow {
        let building = &view.project.buildings[0];
        let live = self.live().0.into_iter().find(|l| l.building == building.id).unwrap();
        let expected = |energy| Some(Expectation { energy, half_width: energy / 10.0 });
        let today = |carrier, measured| CarrierToday {
            carrier,
            measured,
            expected_now: expected(96.0),
            expected_day: expected(310.5),
            outdoor: Some((7.4, day(2026, 3, 9))),
        };
        BuildingNow {
            project: Arc::clone(&view.project),
            building: building.id.clone(),
            name: building.name.clone(),
            live,
            today: vec![today(Carrier::GridElectricity, Some(118.4)), today(Carrier::NaturalGas, None)],
            pace: vec![(
                Carrier::GridElectricity,
                Pace { measured: 1_930.0, baseline: 2_840.0, days: 8, days_gone: 9 },
            )],
            target: Some(TargetPace {
                text: "page.kpi.kpi".into(),
                unit: "MWh",
                target: 180.0,
                so_far: Some(42.5),
                counted_to: day(2026, 2, 28),
                months_left: 10,
                expected: Some(170.0),
                needed: Some(Needed::Each(13.75)),
                outlook: Outlook::AtRisk,
            }),
            health: [(MeterHealth::Fresh, 1), (MeterHealth::Late, 1), (MeterHealth::Silent, 0)],
            alarms: 1,
        }
    }
}

impl Watch for Fake {
    fn buildings(&self) -> Vec<BuildingNow> {
        self.projects.iter().map(|view| self.now_of(view)).collect()
    }

    fn building(&self, ask: &BuildingAsk) -> Option<BuildingView> {
        let view = self.view_of(&ask.project, &ask.building)?;
        let today = day(2026, 3, 10);
        let span = Span::of(&ask.kind, ask.on.unwrap_or(today).min(today))?;
        let meters = view.project.buildings[0].meters.iter().map(|m| MeterNow {
            id: m.id.clone(),
            name: m.name.clone(),
            carrier: m.carrier,
            direction: Direction::Import,
            role: MeterRole::Compared,
            health: (m.carrier == Carrier::GridElectricity).then_some(MeterHealth::Fresh),
            power_w: Some(12_340.0),
            today: Some(118.4),
            last_reading_at: Some(self.now()),
        });
        let carriers = vec![Carrier::GridElectricity, Carrier::NaturalGas];
        let hours = hours();
        Some(BuildingView {
            now: self.now_of(view),
            meters: meters.collect(),
            carrier: ask.carrier.filter(|c| carriers.contains(c)).unwrap_or(Carrier::GridElectricity),
            carriers,
            today,
            span,
            compared: compared(span),
            first_day: Some(day(2024, 1, 1)),
            carpet: carpet(&hours, ROME, day(2026, 2, 24), today),
            signature: Some(Signature {
                days: (0..60).map(|i| (f64::from(i) / 3.0 - 2.0, 420.0 - f64::from(i) * 4.0)).collect(),
                week: (0..7).map(|i| (day(2026, 3, 3) + Days::new(i), 7.0 + i as f64, 330.0)).collect(),
                law: vec![(-2.0, 420.0), (16.0, 180.0), (20.0, 180.0)],
            }),
            base_load: Some(BaseLoad {
                night_per_hour: 3.2,
                weekend_per_hour: Some(4.1),
                workday_per_hour: None,
                floor_per_hour: 2.9,
                night_share: 0.11,
                weekend_share: 0.2,
                night_excess_ratio: Some(0.23),
            }),
            own: Some(OwnEnergy {
                produced: Some(310.0),
                exported: Some(90.0),
                imported: None,
                self_consumed: Some(220.0),
            }),
        })
    }

    fn power(&self, project: &ProjectId, building: &BuildingId) -> Option<Plot> {
        self.view_of(project, building)?;
        let now = self.now();
        let at = (0..6).map(|i| now.plus_seconds((i - 6) * 300)).collect();
        let values = vec![Some(11.0), Some(12.5), None, Some(12.0), Some(12.2), Some(12.3)];
        Some(Plot { unit: "kW", zone: ROME, at, series: vec![("elettrico".into(), HOSTILE.into(), values)] })
    }

    fn hours(&self, project: &ProjectId, building: &BuildingId, carrier: Carrier) -> Option<Plot> {
        self.view_of(project, building)?;
        let hours = hours();
        let values = hours.iter().map(|h| h.measured.then_some(h.energy)).collect();
        let at = hours.iter().map(|h| h.from).collect();
        Some(Plot {
            unit: "kW",
            zone: ROME,
            at,
            series: vec![(carrier.code().into(), String::new(), values)],
        })
    }

    fn meter(&self, id: &MeterId) -> Option<MeterView> {
        let state = self.meters().into_iter().find(|m| m.id == *id)?;
        let view = &self.projects[0];
        let facts = view.project.meters().next().map(|(_, facts)| facts.clone());
        Some(MeterView {
            state,
            zone: ROME,
            facts,
            place: Some((Arc::clone(&view.project), view.project.buildings[0].id.clone())),
            decisions: Vec::new(),
            acts: Vec::new(),
            readings: vec![(self.now(), 128_345_600)],
            aside: vec![PutAside {
                channel: Channel::total(Quantity::ActiveEnergyImport),
                at: self.now().plus_seconds(-3_600),
                kept: Value::Total(128_345_600),
                refused: Value::Total(128_345_999),
                origin: Origin::Mqtt,
                received_at: self.now(),
            }],
        })
    }

    fn alarms(&self) -> Vec<AlarmView> {
        let now = self.now();
        let alarm = |id, kind, subject: String, details: &[(&str, &str)]| AlarmView {
            id,
            kind,
            subject,
            raised_at: now.plus_seconds(-7_200),
            ended_at: None,
            details: details.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            acknowledged: None,
        };
        let link = [("link", "quadro"), ("meters", "a, b")];
        let excess = [("carrier", "natural_gas"), ("percent", "0.234")];
        let silent = [("last", "2026-03-10T06:00:00Z"), ("every", "10")];
        let night = "building:scuola-gobetti/scuola-gobetti-sede natural_gas".to_owned();
        vec![
            alarm(3, AlarmKind::Silent, "link:quadro".into(), &link),
            AlarmView {
                acknowledged: Some(Acknowledged { by: "a".into(), at: now, note: HOSTILE.into() }),
                ..alarm(2, AlarmKind::BaseLoad, night, &excess)
            },
            AlarmView {
                ended_at: Some(now.plus_seconds(-60)),
                ..alarm(1, AlarmKind::Silent, "meter:contatore-1".into(), &silent)
            },
        ]
    }

    fn alarms_open(&self) -> usize {
        1
    }

    fn is_public(&self, project: &ProjectId, _: &BuildingId) -> bool {
        project.as_str() == "scuola-gobetti"
    }

    fn say(&self, _: &MeterId, said: &MeterSaid, _: &str) -> Result<(), ActRefused> {
        match said {
            MeterSaid::Corrected { .. } => Ok(()),
            _ => {
                Err(ActRefused::Unusable { code: "exchange", says: "the readings do not bear it out".into() })
            }
        }
    }

    fn acknowledge(&self, alarm: i64, _: &str, _: &str) -> Result<(), ActRefused> {
        if alarm == 3 { Ok(()) } else { Err(ActRefused::Busy) }
    }
}

/// A fortnight of hours, higher by day, one of them not measured.
fn hours() -> Vec<UseHour> {
    let from = day_start(day(2026, 2, 24), ROME);
    let hour = |i: i64| UseHour {
        from: from.plus_seconds(i * 3_600),
        energy: if (8..18).contains(&(i % 24)) { 14.0 } else { 3.0 },
        measured: i != 30,
    };
    (0..14 * 24).map(hour).collect()
}

fn compared(span: Span) -> Compared {
    let parts = match span {
        Span::Day(of) => (0..24).map(|hour| (of, Some(hour))).collect::<Vec<_>>(),
        Span::Week(_) | Span::Month(_) | Span::Year(_) => {
            span.parts().into_iter().map(|(from, _)| (from, None)).collect()
        }
    };
    let part = |(i, (from, hour)): (usize, _)| Part {
        from,
        hour,
        measured: (i != 1).then_some(300.0 + i as f64),
        year_before: Some(340.0),
        expected: (i != 2).then_some(410.0),
        in_progress: i == 5,
    };
    Compared { span, parts: parts.into_iter().enumerate().map(part).collect() }
}
