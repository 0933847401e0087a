//! `consuntivo forecast`: the year-end value of each KPI on any day, with its band; savings in their other forms.
//!
//! Must never: let the forecast see a day that had not come.

use analytics::degree_days::DailyMeans;
use analytics::forecast::Needed;
use analytics::savings::{Cumulated, Modelled, Reference, backcast, cumulated, normalised};
use chrono::{Datelike, NaiveDate};
use clap::Args;
use model::ProjectId;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::figures::Outlook;
use crate::installation::Installation;
use crate::readout::{aligned, say};
use crate::{ConfigArg, clock, figures, parse_project};

#[derive(Debug, Args)]
pub(crate) struct ForecastArgs {
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    #[command(flatten)]
    config: ConfigArg,
    /// The day of the forecast: data before it count (default: today)
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<NaiveDate>,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Savings of a project's meters in their other forms.
struct Forms {
    reference: Option<Reference>,
    normalised: Vec<Modelled>,
    backcast: Vec<Modelled>,
    cumulated: Vec<Cumulated>,
}

pub(crate) fn forecast(args: &ForecastArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_shared_store()?;
    let project = figures::project(&store, &installation.catalog, &args.project)?;
    let today = clock::now().day(project.zone);
    let on = args.on.unwrap_or(today);
    if today < on {
        return Err(Failure::bad_input(format!("{on} has not come; today is {today}")));
    }
    let outlook = figures::outlook(&store, &installation, &project, on.year(), on)?;
    let forms = forms(&outlook, &installation);
    if args.json {
        println!("{}", to_json(&outlook, &forms));
    } else {
        say(&text(&outlook, &forms));
    }
    Ok(Exit::OK)
}

fn forms(outlook: &Outlook, installation: &Installation) -> Forms {
    let (project, until) = (&outlook.year.project, outlook.year.until);
    let history = DailyMeans::of(&outlook.history, &project.station);
    let catalog = &installation.catalog;
    let place = project.buildings.first().and_then(|building| {
        let place = catalog.place(&building.istat_code)?;
        Some((place.clone(), *catalog.zone(place.zone)?))
    });
    let reference = Reference::of(project.terms.reference, &history, until, place.as_ref());
    let of = |reference: &Reference| {
        outlook.laws.iter().filter_map(|l| normalised(l, reference, &history)).collect()
    };
    Forms {
        normalised: reference.as_ref().map(of).unwrap_or_default(),
        reference,
        backcast: outlook.laws.iter().filter_map(|l| backcast(l, &history)).collect(),
        cumulated: outlook.laws.iter().map(cumulated).collect(),
    }
}

/// The fewest decimals of a KPI's values.
const DECIMALS_MIN: usize = 3;

/// What the months left must be, in words where less is better.
fn needed(of: Option<Needed>, show: impl Fn(Option<f64>) -> String) -> String {
    let value = show(of.map(Needed::value));
    match of {
        Some(Needed::AtMost(_)) => format!("at most {value}"),
        Some(Needed::ExceededBy(_)) => format!("already exceeded by {value}"),
        Some(Needed::Each(_)) | None => value,
    }
}

fn text(outlook: &Outlook, forms: &Forms) -> String {
    let f = &outlook.forecast;
    let mut out = format!(
        "{} {} on {}: {} months left, weather of {} past years\n",
        outlook.year.project.id,
        f.year,
        f.on,
        f.months_left,
        f.weather_years.len()
    );
    let head = ["KPI", "so far", "expected", "low", "high", "target", "outlook", "needed a month", "unit"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for k in &f.kpis {
        let decimals = k.decimals().max(DECIMALS_MIN);
        let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.decimals$}"));
        rows.push(vec![
            k.code.clone(),
            show(k.so_far),
            show(k.expected),
            show(k.low),
            show(k.high),
            show(k.target),
            k.outlook.code().to_owned(),
            needed(k.needed, show),
            if k.because.is_empty() {
                k.unit.to_owned()
            } else {
                format!("{} {}", k.unit, k.because.join(", "))
            },
        ]);
    }
    out.push_str(&aligned(&rows, ""));
    for finding in &f.findings {
        out.push_str(&format!("{finding}\n"));
    }
    let head = ["form", "meter", "baseline", "reporting", "savings", "low", "high"];
    let mut rows = vec![head.map(String::from).to_vec()];
    let modelled = |form: &str, m: &Modelled| {
        let values = [m.baseline, m.reporting, m.savings, m.low, m.high].map(|v| format!("{v:.1}"));
        [form.to_owned(), m.meter.to_string()].into_iter().chain(values).collect::<Vec<_>>()
    };
    rows.extend(forms.normalised.iter().map(|m| modelled("normalised", m)));
    rows.extend(forms.backcast.iter().map(|m| modelled("backcast", m)));
    for c in &forms.cumulated {
        let values = [c.adjusted_baseline, c.measured, c.avoided, c.low, c.high].map(|v| format!("{v:.1}"));
        let form = format!("{} months", c.months);
        rows.push([form, c.meter.to_string()].into_iter().chain(values).collect());
    }
    if let Some(reference) = &forms.reference {
        let years: Vec<String> = reference.years.iter().map(ToString::to_string).collect();
        let legal = reference.legal.as_ref().map(|(place, mean)| {
            format!(", legal degree days of {} {} for {mean:.0}", place.name, place.degree_days)
        });
        out.push_str(&format!(
            "reference year: {}, years {}{}\n",
            reference.kind.code(),
            years.join(" "),
            legal.unwrap_or_default()
        ));
    }
    out.push_str(&aligned(&rows, ""));
    out
}

fn to_json(outlook: &Outlook, forms: &Forms) -> Value {
    let f = &outlook.forecast;
    let kpi = |k: &analytics::forecast::KpiForecast| {
        let [needed, at_most, exceeded] = Needed::columns(k.needed);
        json!({
            "code": k.code, "unit": k.unit, "target": k.target, "so_far": k.so_far, "expected": k.expected,
            "low": k.low, "high": k.high, "if_confirmed": k.if_confirmed, "outlook": k.outlook.code(),
            "needed_per_month": needed, "at_most_per_month": at_most, "exceeded_by": exceeded, "because": k.because,
        })
    };
    let modelled = |m: &Modelled| {
        json!({
            "meter": m.meter.as_str(), "baseline": m.baseline, "reporting": m.reporting, "savings": m.savings,
            "savings_low": m.low, "savings_high": m.high,
        })
    };
    let total = |c: &Cumulated| {
        json!({
            "meter": c.meter.as_str(), "months": c.months, "adjusted_baseline": c.adjusted_baseline,
            "measured": c.measured, "avoided": c.avoided, "avoided_low": c.low, "avoided_high": c.high,
        })
    };
    let reference = forms.reference.as_ref().map(|r| {
        let legal = r.legal.as_ref().map(|(place, mean)| {
            json!({ "istat": place.istat, "degree_days": place.degree_days, "mean_of_years": mean })
        });
        json!({ "kind": r.kind.code(), "years": r.years, "legal": legal, "scale": r.scale })
    });
    json!({
        "project": outlook.year.project.id.as_str(), "year": f.year, "on": f.on.to_string(),
        "counted_to": f.counted_to().to_string(), "months_left": f.months_left, "weather_years": f.weather_years, "confidence": 0.9,
        "kpis": f.kpis.iter().map(kpi).collect::<Vec<_>>(),
        "reference": reference,
        "normalised": forms.normalised.iter().map(modelled).collect::<Vec<_>>(),
        "backcast": forms.backcast.iter().map(modelled).collect::<Vec<_>>(),
        "cumulated": forms.cumulated.iter().map(total).collect::<Vec<_>>(),
        "findings": f.findings.iter().map(|f| json!({
            "code": f.code, "severity": f.severity.code(), "says": f.says, "rule": f.rule,
        })).collect::<Vec<_>>(),
        "inputs": outlook.year.provenance.inputs.hex(),
    })
}
