//! What was made on site: produced, self-consumed, exported and imported month by month, with their shares.
//!
//! Must never: print what was not measured as zero, or a share by another bound than the one that counts.

use model::{Direction, MeterId, Severity};

use super::context::Context;
use super::document::{Align, Block, Chart, ChartKind, NamedValues, Section, Table};
use super::format::ENERGY_DECIMALS;
use super::monthly::{ESTIMATED, LACKING, is_estimated, marked};
use crate::balance::{Balance, BalanceMonth, BalanceYear, Flow, Share, Vector};
use crate::result::{MeterMonth, MeterYear, ProjectYear};

const UNIT: &str = "kWh";

pub(super) fn section(context: &Context<'_>) -> Section {
    let mut blocks = Vec::new();
    for whole in context.year.balances.iter().filter(|b| b.building.is_none()) {
        let known = Known::of(context.year, whole);
        let name = context.t(&format!("balance.vector.{}", whole.vector.code()));
        blocks.push(Block::Heading(name.clone()));
        blocks.extend(unmeasured(context, whole));
        let drawable = |month: &KnownMonth| month.imported || month.exported || month.self_consumed();
        // Columns that are all unknown draw nothing; the table says so.
        if known.reporting(whole).any(drawable) {
            blocks.push(Block::Chart(chart(context, &name, whole, &known)));
        }
        blocks.push(Block::Table(table(context, &name, whole, &known)));
        blocks.extend(worst(context, whole, &known));
        let parts: Vec<&BalanceYear> = context
            .year
            .balances
            .iter()
            .filter(|b| b.building.is_some() && b.vector == whole.vector)
            .collect();
        if 1 < parts.len() {
            blocks.push(buildings(context, &name, &parts));
        }
    }
    if !blocks.is_empty() {
        blocks.insert(0, context.paragraph("balance.intro"));
        blocks.push(context.paragraph("balance.note"));
    }
    context.section("balance", blocks)
}

/// What a month knows of each direction: all its meters have a value, and how much of it is estimated.
struct Known {
    /// Twelve rows.
    months: Vec<KnownMonth>,
}

#[derive(Clone, Copy)]
struct KnownMonth {
    imported: bool,
    exported: bool,
    produced: bool,
    stored: bool,
    estimated: bool,
    /// Of which flow a meter was measured in part only.
    lacks: Lacking,
}

/// Flows of which only a part was measured.
#[derive(Clone, Copy, Default)]
struct Lacking {
    imported: bool,
    exported: bool,
    produced: bool,
    stored: bool,
}

impl Lacking {
    const fn or(self, other: Self) -> Self {
        Self {
            imported: self.imported || other.imported,
            exported: self.exported || other.exported,
            produced: self.produced || other.produced,
            stored: self.stored || other.stored,
        }
    }
}

impl KnownMonth {
    const fn self_consumed(self) -> bool {
        self.produced && self.exported && self.stored
    }
}

impl Known {
    fn of(year: &ProjectYear, balance: &BalanceYear) -> Self {
        let find = |id: &MeterId| year.meters.iter().map(|m| &m.meter).find(|m| m.id == *id);
        let counts = |m: &&MeterYear| {
            Vector::of(m.meter.carrier) == Some(balance.vector)
                && !m.meter.is_counted_by_another(find)
                && balance.building.as_ref().is_none_or(|b| *b == m.building)
        };
        let meters: Vec<&MeterYear> = year.meters.iter().filter(counts).collect();
        let imports = meters.iter().any(|m| m.meter.direction == Direction::Import);
        let month = |i: usize| {
            let of = |directions: &[Direction]| {
                let mut found = meters.iter().filter(|m| directions.contains(&m.meter.direction));
                found.all(|m| m.months.get(i).is_some_and(|month| month.measured.is_some()))
            };
            let lacks = |directions: &[Direction]| {
                let mut found = meters.iter().filter(|m| directions.contains(&m.meter.direction));
                found.any(|m| m.months.get(i).is_some_and(MeterMonth::is_part))
            };
            let estimated = |m: &MeterMonth| m.measured.is_some() && is_estimated(m);
            KnownMonth {
                // Without a meter nobody knows what is imported; without a store nothing is stored.
                imported: imports && of(&[Direction::Import]),
                exported: balance.has_export && of(&[Direction::Export]),
                produced: balance.has_production && of(&[Direction::Production]),
                stored: of(&[Direction::Charge, Direction::Discharge]),
                estimated: meters.iter().filter_map(|m| m.months.get(i)).any(estimated),
                lacks: Lacking {
                    imported: lacks(&[Direction::Import]),
                    exported: lacks(&[Direction::Export]),
                    produced: lacks(&[Direction::Production]),
                    stored: lacks(&[Direction::Charge, Direction::Discharge]),
                },
            }
        };
        Self { months: (0..12).map(month).collect() }
    }

    /// The reporting months.
    fn reporting<'k>(&'k self, balance: &'k BalanceYear) -> impl Iterator<Item = &'k KnownMonth> {
        balance.months.iter().zip(&self.months).filter(|(m, _)| m.reporting).map(|(_, known)| known)
    }

    /// Whether every reporting month knows it.
    fn all(&self, balance: &BalanceYear, of: impl Fn(&KnownMonth) -> bool) -> bool {
        self.reporting(balance).all(of)
    }
}

/// What of a production meter's energy was used in its building, by month: where its balance has no other production
/// meter and knows production, export and storage of the month. Empty for every other meter.
pub(super) fn self_consumed(year: &ProjectYear, meter: &MeterYear) -> Vec<Option<Flow>> {
    let vector = Vector::of(meter.meter.carrier);
    let same = |other: &&MeterYear| {
        other.meter.direction == Direction::Production
            && other.building == meter.building
            && Vector::of(other.meter.carrier) == vector
    };
    let own = |b: &&BalanceYear| b.building.as_ref() == Some(&meter.building) && Some(b.vector) == vector;
    if meter.meter.direction != Direction::Production || year.meters.iter().filter(same).count() != 1 {
        return Vec::new();
    }
    let Some(balance) = year.balances.iter().find(own) else { return Vec::new() };
    let known = Known::of(year, balance);
    // More exported than produced is no self-consumption: the meters contradict each other, and a finding says so.
    let flow = |month: &BalanceMonth| Some(month.balance.self_consumed).filter(|flow| 0 <= flow.amount);
    let months = balance.months.iter().zip(&known.months);
    months.map(|(month, known)| flow(month).filter(|_| known.self_consumed())).collect()
}

fn kwh(flow: Flow) -> f64 {
    flow.amount as f64 / 1000.0
}

/// The bound that counts.
fn counted(share: Option<Share>) -> Option<f64> {
    share.map(|s| s.worse)
}

/// That nobody measures what is exported, or what is produced.
fn unmeasured(context: &Context<'_>, of: &BalanceYear) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (has, key) in [(of.has_production, "balance.no_production"), (of.has_export, "balance.no_export")] {
        if !has {
            blocks.push(Block::Callout { severity: Severity::Blocks, text: context.t(key) });
        }
    }
    blocks
}

/// Produced, self-consumed, exported and imported energy, then both shares, as they are printed, with the marks of the
/// monthly tables.
fn cells(context: &Context<'_>, balance: &Balance, known: KnownMonth) -> Vec<String> {
    let format = &context.format;
    let show = |flow: Flow, is_known: bool, lacks: bool| {
        let text = format.number(is_known.then(|| kwh(flow)), ENERGY_DECIMALS);
        if is_known { marked(text, &[(known.estimated, ESTIMATED), (lacks, LACKING)]) } else { text }
    };
    let (own, lacks) = (known.self_consumed(), known.lacks);
    let share = counted(balance.share()).filter(|_| own);
    let sufficiency = counted(balance.sufficiency()).filter(|_| own && known.imported);
    vec![
        show(balance.produced, known.produced, lacks.produced),
        show(balance.self_consumed, own, lacks.produced || lacks.exported || lacks.stored),
        show(balance.exported, known.exported, lacks.exported),
        show(balance.imported, known.imported, lacks.imported),
        format.percent(share),
        format.percent(sufficiency),
    ]
}

const COLUMNS: [(&str, Align); 6] = [
    ("produced", Align::Right),
    ("self_consumed", Align::Right),
    ("exported", Align::Right),
    ("imported", Align::Right),
    ("self_consumption", Align::Right),
    ("self_sufficiency", Align::Right),
];

fn table(context: &Context<'_>, name: &str, of: &BalanceYear, known: &Known) -> Table {
    let row = |(month, known): (&BalanceMonth, &KnownMonth)| {
        let mut row = vec![context.format.month(month.month.number)];
        if month.reporting {
            row.extend(cells(context, &month.balance, *known));
        } else {
            row.extend(std::iter::repeat_n("–".to_owned(), COLUMNS.len()));
        }
        row
    };
    let mut columns = vec![("month", Align::Left)];
    columns.extend(COLUMNS);
    let year = context.year.year.to_string();
    Table {
        caption: context.fill("balance.caption", &[("vector", name), ("year", &year)]),
        columns: context.columns(&columns),
        rows: of.months.iter().zip(&known.months).map(row).collect(),
        total: Some(total(context, of, known)),
    }
}

/// The sum of the reporting months. A flow that one of them does not know has no sum, and what follows from it no share.
fn total(context: &Context<'_>, of: &BalanceYear, known: &Known) -> Vec<String> {
    let any = of.months.iter().any(|m| m.reporting);
    let whole = KnownMonth {
        imported: any && known.all(of, |k| k.imported),
        exported: any && known.all(of, |k| k.exported),
        produced: any && known.all(of, |k| k.produced),
        stored: any && known.all(of, |k| k.stored),
        estimated: false,
        lacks: known.reporting(of).map(|k| k.lacks).fold(Lacking::default(), Lacking::or),
    };
    let mut row = vec![context.t("monthly.total")];
    row.extend(cells(context, &of.reporting, whole));
    row
}

fn chart(context: &Context<'_>, name: &str, of: &BalanceYear, known: &Known) -> Chart {
    let pick = |flow: fn(&Balance) -> Flow, is_known: fn(KnownMonth) -> bool| -> Vec<Option<f64>> {
        let value = |(month, known): (&BalanceMonth, &KnownMonth)| {
            (month.reporting && is_known(*known)).then(|| kwh(flow(&month.balance)))
        };
        of.months.iter().zip(&known.months).map(value).collect()
    };
    let series = |key: &str, values| NamedValues { name: context.t(&format!("balance.{key}")), values };
    let own = pick(|b| b.self_consumed, KnownMonth::self_consumed);
    let months = own.iter().filter(|v| v.is_some()).count().to_string();
    let year = context.year.year.to_string();
    let values = [("vector", name), ("year", &*year), ("unit", UNIT), ("months", &*months)];
    Chart {
        caption: context.fill("balance.chart_caption", &values),
        alternative: context.fill("balance.chart_alternative", &values),
        kind: ChartKind::MonthlyColumns {
            unit: UNIT.to_owned(),
            labels: (1..=12).map(|n| context.format.month_short(n)).collect(),
            columns: vec![
                series("self_consumed", own),
                series("exported", pick(|b| b.exported, |k| k.exported)),
            ],
            line: Some(series("imported", pick(|b| b.imported, |k| k.imported))),
        },
    }
}

/// The month with the smallest share of self-consumption, by the bound that counts.
fn worst(context: &Context<'_>, of: &BalanceYear, known: &Known) -> Option<Block> {
    let share = |(month, known): (&BalanceMonth, &KnownMonth)| {
        let share = counted(month.balance.share()).filter(|_| month.reporting && known.self_consumed())?;
        Some((month.month.number, share))
    };
    let months = of.months.iter().zip(&known.months).filter_map(share);
    let (number, share) = months.min_by(|a, b| a.1.total_cmp(&b.1))?;
    let values =
        [("month", &*context.format.month(number)), ("share", &*context.format.percent(Some(share)))];
    Some(Block::Paragraph(context.fill("balance.worst", &values)))
}

/// The sums of each building that takes part.
fn buildings(context: &Context<'_>, name: &str, parts: &[&BalanceYear]) -> Block {
    let building = |of: &BalanceYear| {
        let found = context.year.project.buildings.iter().find(|b| Some(&b.id) == of.building.as_ref());
        found.map_or_else(String::new, |b| b.name.clone())
    };
    let rows = parts.iter().map(|part| {
        let mut row = total(context, part, &Known::of(context.year, part));
        if let Some(first) = row.first_mut() {
            *first = building(part);
        }
        row
    });
    let mut columns = vec![("building", Align::Left)];
    columns.extend(COLUMNS);
    let values = [("vector", name), ("year", &*context.year.year.to_string())];
    context.table(context.fill("balance.buildings_caption", &values), &columns, rows.collect())
}
