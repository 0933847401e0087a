//! Reads the file of a funding scheme.
//!
//! Must never: fill in what an act does not state. A scheme without an obligation that the annual report fulfils asks
//! for no yearly report; one whose years are `as_granted` states no number.

use std::collections::BTreeMap;

use analytics::exchange::CODE_CHARS_MAX;
use analytics::scheme::{KpiDefinition, KpiMeasure, KpiUnit, Scheme, SchemeRules, Target};
use model::{FactorSetId, SchemeId};

use crate::reader::{Source, Table};

mod examples;
mod rules;

/// Most KPI, obligations, times of keeping and clauses of one scheme, of each.
const ITEMS_MAX: usize = 50;
/// Most examples of one scheme.
const EXAMPLES_MAX: usize = 50;

pub(super) fn read(source: &Source<'_>, root: &Table<'_, '_>) -> Option<Scheme> {
    let id = root.parsed("id", "a scheme id", |t| SchemeId::new(t).ok());
    let title = root.text("title", "the short official name");
    let citation = root.text("citation", "the act and its date");
    let authority = root.text("authority", "who funds");
    let set = root.parsed("default_factor_set", "the id of a factor set", |t| FactorSetId::new(t).ok());
    let calls = root.texts("calls", "at most 50 numbers of calls such as \"II.2i.1\"", ITEMS_MAX);
    let tables = root.tables("kpi", ITEMS_MAX);
    let mut exchange_codes = BTreeMap::new();
    let kpis: Vec<_> = tables.iter().map(|table| read_kpi(source, table, &mut exchange_codes)).collect();
    if kpis.is_empty() {
        source.report_at(&root.at("kpi"), "is missing", "add at least one [[kpi]]");
    }
    check_once(source, root, "kpi", kpis.iter().flatten().map(|k| k.code.as_str()));
    let exchanged = |k: &KpiDefinition| exchange_codes.get(&k.code).unwrap_or(&k.code).clone();
    let exchanged: Vec<String> = kpis.iter().flatten().map(exchanged).collect();
    check_once(source, root, "kpi", exchanged.iter().map(String::as_str));
    let rules = read_rules(source, root);
    let examples: Vec<_> =
        root.tables("example", EXAMPLES_MAX).iter().map(|table| examples::read(source, table)).collect();
    root.finish();
    let rules = SchemeRules { calls, exchange_codes, ..rules? };
    let scheme = Scheme {
        id: id?,
        title: title?,
        citation: citation?,
        authority: authority?,
        default_factor_set: set?,
        yearly: rules::yearly_report(&rules.obligations),
        kpis: kpis.into_iter().collect::<Option<_>>()?,
        rules,
    };
    examples::check(source, root, &scheme, &examples.into_iter().collect::<Option<Vec<_>>>()?);
    Some(scheme)
}

fn read_rules(source: &Source<'_>, root: &Table<'_, '_>) -> Option<SchemeRules> {
    let of = |key| root.tables(key, ITEMS_MAX);
    let obligations: Vec<_> = of("obligation").iter().map(|t| rules::obligation(source, t)).collect();
    let periods: Vec<_> = of("period").iter().map(rules::period).collect();
    let clauses: Vec<_> = of("clause").iter().map(|t| rules::clause(source, t)).collect();
    let facility = root.table_optional("facility").map(|table| {
        let rule = rules::facility(&table);
        examples::check_facility(source, &table, rule.as_ref());
        table.finish();
        rule
    });
    check_once(source, root, "obligation", obligations.iter().flatten().map(|o| o.id.as_str()));
    check_once(source, root, "period", periods.iter().flatten().map(|p| p.id.as_str()));
    check_once(source, root, "clause", clauses.iter().flatten().map(|c| c.id.as_str()));
    Some(SchemeRules {
        obligations: obligations.into_iter().collect::<Option<_>>()?,
        periods: periods.into_iter().collect::<Option<_>>()?,
        clauses: clauses.into_iter().collect::<Option<_>>()?,
        facility: match facility {
            Some(rule) => Some(rule?),
            None => None,
        },
        ..SchemeRules::default()
    })
}

/// The code for the region's system: the KPI's own, or a short one where that does not fit its field.
fn read_exchange_code(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    code: Option<&str>,
    codes: &mut BTreeMap<String, String>,
) {
    let short = table.text_optional("exchange_code", "a short code for the region's system");
    let Some(code) = code else { return };
    let (wanted, at) = short.as_deref().map_or((code, "code"), |short| (short, "exchange_code"));
    let (length, plain) = (wanted.chars().count(), !wanted.chars().any(char::is_control));
    if CODE_CHARS_MAX < length || !plain {
        let says = format!("{wanted:?} has {length} characters; the region's system takes {CODE_CHARS_MAX}");
        let next = format!("add an exchange_code of at most {CODE_CHARS_MAX} characters");
        source.report_at(&table.at(at), says, next);
    }
    codes.extend(short.map(|short| (code.to_owned(), short)));
}

fn read_kpi(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    exchange_codes: &mut BTreeMap<String, String>,
) -> Option<KpiDefinition> {
    let code = table.text("code", "the scheme's own code, or a short name");
    read_exchange_code(source, table, code.as_deref(), exchange_codes);
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

fn check_once<'c>(
    source: &Source<'_>,
    root: &Table<'_, '_>,
    key: &'static str,
    names: impl Iterator<Item = &'c str>,
) {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        if pair[0] == pair[1] {
            let says = format!("code {:?} is used twice", pair[0]);
            source.report_at(&root.at(key), says, "give each its own");
        }
    }
}
