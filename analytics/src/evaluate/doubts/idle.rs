//! A new meter that uses next to nothing all year: not one of its months would tell, since all are alike.
//!
//! Must never: let a meter that may not count be taken for one of a plant that used nothing.
//!
//! What a new meter uses counts against the saving, and it has no baseline. A register that stays at zero, or a whole unit
//! off, would make everything that the works took off another meter a saving. So its year is held against what its
//! connection carries: below [`HOURS`] hours of it a year the months are withheld, like those that nobody read, until the
//! readings are corrected or a person confirms that the plant rested.

use model::{Finding, Month, Severity};

use super::{Expected, Judge, RULE, counts};
use crate::evaluate::meter::Row;

/// Hours of full load a year under which a year is hardly that of a plant: a heat pump or a chiller runs 600 to 2 000, and
/// a spare boiler that heats three days runs 70.
const HOURS: f64 = 20.0;
const DAYS_OF_YEAR: f64 = 365.25;
/// Days that are judged at the least, as long as the year goes on: a plant that heats may rest from April to October.
const DAYS_MIN: f64 = 215.0;
/// Also the code in what weakens a meter's figures.
const NEW_IDLE: &str = "meter.new_idle";

impl Judge<'_> {
    /// Withholds the months of a new meter whose whole year is next to nothing, with one finding for them; months that a
    /// person confirmed stand as they are, with a note each. Empty where the meter is not such a one.
    pub(super) fn withhold_idle(&self, rows: &mut [Row]) -> Vec<Finding> {
        let judged = || rows.iter().filter(|row| counts(row));
        let days: f64 = judged().map(|row| f64::from(row.shown.month.days())).sum();
        let used: f64 = judged().filter_map(|row| row.shown.measured).sum();
        let december = Month { year: self.context.input.year, number: 12 };
        let year_goes_on = self.context.input.until < december.end_day();
        if days <= 0.0 || (year_goes_on && days < DAYS_MIN) {
            return Vec::new();
        }
        let ceiling = self.facts.ceiling_per_hour;
        let carries = if ceiling.is_finite() { ceiling.max(0.0) } else { 0.0 };
        let of_plant = carries * HOURS * days / DAYS_OF_YEAR;
        if of_plant < used {
            return Vec::new();
        }
        let mut findings = Vec::new();
        let mut withheld = 0;
        for row in rows.iter_mut().filter(|row| counts(row)) {
            let (from, to) = (row.shown.month.first_day(), row.shown.month.end_day());
            if self.is_closed_by_word(row) {
                continue;
            }
            if let Some(word) = self.confirmation(from, to) {
                findings.push(self.tell(row, Expected::Plant(of_plant), Some(word)));
                continue;
            }
            row.withhold();
            withheld += 1;
        }
        if 0 < withheld {
            findings.push(self.tell_idle(used, withheld));
        }
        findings
    }

    fn tell_idle(&self, used: f64, months: u32) -> Finding {
        let (id, year) = (&self.facts.id, self.context.input.year);
        let unit = self.facts.carrier.base_unit().display().symbol();
        let used = format!("{used:.1}");
        let says = format!(
            "the new meter used {used} {unit} in {months} months of {year}, less than {HOURS} hours of what its connection \
             carries: does it count, and in the right unit? The months are withheld until the readings are corrected, or \
             a person confirms that the plant rested"
        );
        Finding::new(NEW_IDLE, Severity::Blocks, format!("meter:{id} {year}"), says, RULE)
            .with("measured", used)
            .with("unit", unit)
            .with("months", months)
            .with("hours", HOURS)
    }
}
