//! Reads the file of a set of conversion factors.
//!
//! Must never: supply a factor that the file does not state.

use analytics::factors::{CarrierFactors, FactorSet};
use model::{BaseUnit, Carrier, FactorKind, FactorSetId};

use crate::reader::{Source, Table};

pub(super) fn read(source: &Source<'_>, root: &Table<'_, '_>) -> Option<FactorSet> {
    let id = root.parsed("id", "a factor set id", |t| FactorSetId::new(t).ok());
    let title = root.text("title", "the name that reports print");
    let text = root.text("source", "act or publication, edition, table");
    let valid_from = root.date_optional("valid_from");
    let valid_to = root.date_optional("valid_to");
    if let (Some(from), Some(to)) = (valid_from, valid_to)
        && to < from
    {
        source.report_at(&root.at("valid_to"), "is before valid_from", "write the last day of validity");
    }
    let mut carriers: Vec<CarrierFactors> = Vec::new();
    let mut complete = true;
    for table in root.tables("carrier", Carrier::ALL.len()) {
        match read_carrier(source, &table) {
            Some(read) if carriers.iter().any(|c| c.carrier == read.carrier) => {
                let says = format!("{} is given twice", read.carrier);
                source.report_at(&table.at("carrier"), says, "keep one of them");
            }
            Some(read) => carriers.push(read),
            None => complete = false,
        }
    }
    root.finish();
    Some(FactorSet { id: id?, title: title?, source: text?, valid_from, valid_to, carriers })
        .filter(|_| complete)
}

fn read_carrier(source: &Source<'_>, table: &Table<'_, '_>) -> Option<CarrierFactors> {
    let carrier = table.parsed("carrier", "an energy carrier such as \"natural_gas\"", Carrier::parse);
    let kwh = table
        .number("kwh_per_unit", "kWh per Smc, kg or kWh, above 0 and at most 100", |n| 0.0 < n && n <= 100.0);
    let factor = |kind: FactorKind| {
        let most = kind.value_max();
        table.number_optional(kind.code(), &format!("a number from 0 to {most}"), move |n| {
            (0.0..=most).contains(&n)
        })
    };
    let primary_nonrenewable = factor(FactorKind::PrimaryNonrenewable);
    let primary_renewable = factor(FactorKind::PrimaryRenewable);
    let co2_kg_per_kwh = factor(FactorKind::Co2);
    let nox_g_per_gj = factor(FactorKind::Nox);
    let pm10_g_per_gj = factor(FactorKind::Pm10);
    let toe_per_unit = factor(FactorKind::OilEquivalent);
    table.finish();
    let (carrier, kwh_per_unit) = (carrier?, kwh?);
    if carrier.base_unit() == BaseUnit::WattHour && kwh_per_unit != 1.0 {
        let says = format!("{carrier} is counted in kWh");
        source.report_at(&table.at("kwh_per_unit"), says, "write 1");
    }
    Some(CarrierFactors {
        carrier,
        kwh_per_unit,
        primary_nonrenewable,
        primary_renewable,
        co2_kg_per_kwh,
        nox_g_per_gj,
        pm10_g_per_gj,
        toe_per_unit,
    })
}
