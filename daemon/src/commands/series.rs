//! `consuntivo series`: what the totals of a meter come to by hour, day or month, as CSV.
//!
//! Must never: write a time without readings as a time without use.

use analytics::series::HourValue;
use model::{MeterFacts, Month, Project, SeriesKey};
use store::Store;

use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{SeriesArgs, SeriesStep, acts, clock, figures, filed, made};

pub(crate) fn series(args: &SeriesArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_shared_store()?;
    let (projects, _) = figures::projects(&store, &installation.catalog)?;
    let of = projects.iter().find_map(|project| {
        let found = project.meters().find(|(_, meter)| meter.id == args.meter);
        found.map(|(_, meter)| (project, meter))
    });
    let Some((project, meter)) = of else {
        return Err(Failure::bad_input(format!(
            "no imported project has the meter {}; its project file says what its total stands for",
            args.meter
        )));
    };
    let from = args.from.unwrap_or(Month::of(project.dates.baseline_from));
    let key = SeriesKey { meter: meter.id.clone(), channel: meter.total_channel() };
    let last = store.latest(&key)?.map(|reading| reading.observed_at.month(project.zone));
    let to = args.to.or(last).unwrap_or_else(|| clock::now().month(project.zone));
    if to < from {
        return Err(Failure::bad_input(format!("the last month, {to}, lies before the first, {from}")));
    }
    match args.step {
        SeriesStep::Hours => hours(&store, &installation, project, meter, (from, to))?,
        SeriesStep::Days | SeriesStep::Months => {
            let acts = acts::dated(&acts::of_series(&store, &key)?);
            let settings = installation.series_settings(project, meter);
            let series = made::series(&store, &key, settings, &acts, None)?;
            let unit = settings.unit.display().symbol();
            let inside = |month: Month| from <= month && month <= to;
            if args.step == SeriesStep::Days {
                println!("day,{unit},covered_hours,estimated_{unit}");
                for day in series.days().iter().filter(|d| inside(Month::of(d.day))) {
                    let covered = day.covered_millis as f64 / 3_600_000.0;
                    let display = |amount| settings.unit.to_display(amount);
                    println!("{},{},{covered:.2},{}", day.day, display(day.amount), display(day.estimated));
                }
            } else {
                println!("month,{unit},low_{unit},high_{unit},covered_percent");
                let end = to.bounds(project.zone).1;
                let asked = args.to.map(|_| end.min(clock::now()));
                let until = asked.or(series.last_at()).unwrap_or_default();
                let filed = filed::of_meter(&store, meter, &settings, to.end_day(), end)?.months;
                let subject = format!("meter:{}", meter.id);
                let (months, contradictions) =
                    analytics::filed::prefer(series.snapshot(until), filed, &subject);
                // Beside the table, which a program reads.
                contradictions.iter().for_each(|told| eprintln!("{}", told.finding));
                for month in months.months.iter().filter(|m| inside(m.month)) {
                    let display = |amount| settings.unit.to_display(amount);
                    let high = month.high.map(|high| display(high).to_string()).unwrap_or_default();
                    let covered = month.coverage_ratio * 100.0;
                    println!(
                        "{},{},{},{high},{covered:.2}",
                        month.month,
                        display(month.amount),
                        display(month.low)
                    );
                }
            }
        }
    }
    Ok(Exit::OK)
}

fn hours(
    store: &Store,
    installation: &Installation,
    project: &Project,
    meter: &MeterFacts,
    (from, to): (Month, Month),
) -> Result<(), Failure> {
    let key = SeriesKey { meter: meter.id.clone(), channel: meter.total_channel() };
    let acts = acts::dated(&acts::of_series(store, &key)?);
    let settings = installation.series_settings(project, meter);
    // Hours are of the meter's own totals: gas at the meter's conditions is no standard volume.
    let unit = if settings.gas.is_some() { "m3" } else { settings.unit.display().symbol() };
    println!("hour,{unit},covered_hours,estimated_{unit}");
    let mut month = from;
    while month <= to {
        for HourValue { from, amount, covered_millis, estimated } in
            made::hours(store, &key, settings, &acts, month)?
        {
            let covered = covered_millis as f64 / 3_600_000.0;
            let display = |amount| settings.unit.to_display(amount);
            println!("{from},{},{covered:.3},{}", display(amount), display(estimated));
        }
        month = month.next();
    }
    Ok(())
}
