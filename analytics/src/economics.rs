//! What a facility is made of: grant, repayable loan and own share, and in which instalments they come.
//!
//! Must never: round in a way that makes the parts differ from the whole; every amount is whole cents.

use model::{Euro, Finding, Grant, Project, Severity};

/// How far a facility may be from what its costs make, in cents: amounts are rounded to the euro.
const DIFFERENCE_MAX_CENTS: i64 = 100;

/// How a call composes its facility, as its act says.
#[derive(Debug, Clone, PartialEq)]
pub struct FacilityRule {
    /// Admissible costs below this are not admitted.
    pub costs_min: Euro,
    /// Shares of the admissible costs, up to `fixed_above`.
    pub grant_percent: f64,
    pub loan_percent: f64,
    /// Above these costs the two amounts are fixed.
    pub fixed_above: Euro,
    pub grant_fixed: Euro,
    pub loan_fixed: Euro,
    /// Share of the loan that becomes grant when works end early enough.
    pub loan_to_grant_percent: f64,
    pub early_days: i64,
    /// First instalment of the grant, as a share of the facility first granted.
    pub advance_percent: f64,
    /// First instalment of the loan, as a share of the loan.
    pub first_loan_percent: f64,
    /// Second instalment of the grant: this share of what is left after the advance.
    pub second_grant_percent: f64,
    pub citation: String,
}

/// What a facility is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Composition {
    pub costs: Euro,
    pub grant: Euro,
    pub loan: Euro,
    pub own: Euro,
}

impl Composition {
    /// Grant and loan together.
    #[must_use]
    pub fn facility(&self) -> Euro {
        plus(self.grant, self.loan)
    }
}

/// The instalments of a facility, in the order in which they are paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instalments {
    /// Advance on the grant, of the facility first granted.
    pub advance: Euro,
    pub first_loan: Euro,
    pub second_grant: Euro,
    pub last_grant: Euro,
    /// What is left of the loan: paid as loan, or as grant when works ended early enough.
    pub last_loan: Euro,
    pub last_loan_as_grant: bool,
}

fn plus(a: Euro, b: Euro) -> Euro {
    Euro { cents: a.cents.saturating_add(b.cents) }
}

fn minus(a: Euro, b: Euro) -> Euro {
    Euro { cents: a.cents.saturating_sub(b.cents) }
}

/// A share of an amount, rounded down to the cent: never more than the share.
fn share(amount: Euro, percent: f64) -> Euro {
    // Basis points keep the product exact; amounts stay far below 2^63 of them.
    let basis_points = (percent * 100.0).round() as i128;
    let cents = i128::from(amount.cents) * basis_points / 10_000;
    Euro { cents: i64::try_from(cents).unwrap_or(i64::MAX) }
}

impl FacilityRule {
    /// The composition for admissible costs; `None` where they are too low to be admitted.
    #[must_use]
    pub fn compose(&self, costs: Euro) -> Option<Composition> {
        if costs < self.costs_min {
            return None;
        }
        let (grant, loan) = if self.fixed_above < costs {
            (self.grant_fixed, self.loan_fixed)
        } else {
            (share(costs, self.grant_percent), share(costs, self.loan_percent))
        };
        Some(Composition { costs, grant, loan, own: minus(minus(costs, grant), loan) })
    }

    /// What a grant's costs are composed of, and its instalments: the advance by the costs as first granted. `None` where
    /// the costs are not stated or not admitted.
    #[must_use]
    pub fn of_grant(&self, grant: &Grant, days_early: i64) -> Option<(Composition, Instalments)> {
        let composed = self.compose(grant.costs?)?;
        let granted = grant.granted_costs.map_or(Some(composed), |costs| self.compose(costs))?;
        Some((composed, self.instalments(&granted, &composed, days_early)))
    }

    /// That the facility as stated is another one than the costs as stated make; `None` where it is the same, or one of the
    /// two is not known. KPI are divided by the stated one.
    #[must_use]
    pub fn unlike_stated(&self, project: &Project) -> Option<Finding> {
        let stated = project.facility?;
        let composed = self.compose(project.grant.costs?)?.facility();
        if stated.cents.abs_diff(composed.cents) <= DIFFERENCE_MAX_CENTS.unsigned_abs() {
            return None;
        }
        let says =
            format!("the facility is stated as {stated} EUR, and the stated costs make {composed} EUR");
        let about = format!("project:{}", project.id);
        let rule = "the facility is the grant and the repayable loan together";
        let finding = Finding::new("project.facility.unlike", Severity::Caution, about, says, rule);
        Some(finding.with("stated", stated).with("composed", composed))
    }

    /// The instalments for what was granted first and what costs came to after tender, with works that ended so many
    /// days before the schedule (negative: after it).
    #[must_use]
    pub fn instalments(&self, granted: &Composition, final_: &Composition, days_early: i64) -> Instalments {
        let advance = share(granted.facility(), self.advance_percent).min(final_.grant);
        let first_loan = share(final_.loan, self.first_loan_percent);
        let second_grant = share(minus(final_.grant, advance), self.second_grant_percent);
        let last_loan = minus(final_.loan, first_loan);
        let convertible = last_loan <= share(final_.loan, self.loan_to_grant_percent);
        Instalments {
            advance,
            first_loan,
            second_grant,
            last_grant: minus(minus(final_.grant, advance), second_grant),
            last_loan,
            last_loan_as_grant: convertible && self.early_days <= days_early,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> FacilityRule {
        FacilityRule {
            costs_min: Euro::from_euros(1_000_000),
            grant_percent: 40.0,
            loan_percent: 50.0,
            fixed_above: Euro::from_euros(3_000_000),
            grant_fixed: Euro::from_euros(1_200_000),
            loan_fixed: Euro::from_euros(1_500_000),
            loan_to_grant_percent: 20.0,
            early_days: 60,
            advance_percent: 10.0,
            first_loan_percent: 80.0,
            second_grant_percent: 50.0,
            citation: String::new(),
        }
    }

    fn euros(composition: Option<Composition>) -> Option<(String, String, String)> {
        composition.map(|c| (c.grant.to_string(), c.loan.to_string(), c.own.to_string()))
    }

    /// The act's own example (call of Piemonte, par. 4.1): granted on two millions, tendered at one and a half.
    #[test]
    fn a_grant_that_the_tender_lowered_gives_the_instalments_of_the_act() {
        let mut grant = Grant { costs: Some(Euro::from_euros(1_500_000)), ..Grant::default() };
        let of = |grant: &Grant| {
            let (_, parts) = rule().of_grant(grant, 0).unwrap();
            [parts.advance, parts.second_grant, parts.last_grant].map(|euro| euro.to_string())
        };
        assert_eq!(of(&grant), ["135000.00", "232500.00", "232500.00"]);
        grant.granted_costs = Some(Euro::from_euros(2_000_000));
        assert_eq!(of(&grant), ["180000.00", "210000.00", "210000.00"]);
        grant.costs = None;
        assert_eq!(rule().of_grant(&grant, 0), None);
    }

    #[test]
    fn shares_up_to_a_bound_and_fixed_amounts_above_it() {
        let of = |euros_: i64| euros(rule().compose(Euro::from_euros(euros_)));
        let text = |a: &str, b: &str, c: &str| Some((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(of(999_999), None);
        assert_eq!(of(1_000_000), text("400000.00", "500000.00", "100000.00"));
        assert_eq!(of(3_000_000), text("1200000.00", "1500000.00", "300000.00"));
        assert_eq!(of(3_000_001), text("1200000.00", "1500000.00", "300001.00"));
        assert_eq!(of(10_000_000), text("1200000.00", "1500000.00", "7300000.00"));
    }

    #[test]
    fn parts_add_up_to_the_whole_to_the_cent() {
        for cents in [100_000_001, 123_456_789, 299_999_999] {
            let c = rule().compose(Euro { cents }).unwrap();
            assert_eq!(c.grant.cents + c.loan.cents + c.own.cents, cents);
            let i = rule().instalments(&c, &c, 0);
            assert_eq!(i.advance.cents + i.second_grant.cents + i.last_grant.cents, c.grant.cents);
            assert_eq!(i.first_loan.cents + i.last_loan.cents, c.loan.cents);
        }
    }

    /// The worked example of the call, §4.1: granted on 2 000 000, tendered at 1 500 000.
    #[test]
    fn the_worked_example_of_the_call() {
        let granted = rule().compose(Euro::from_euros(2_000_000)).unwrap();
        assert_eq!((granted.grant, granted.loan), (Euro::from_euros(800_000), Euro::from_euros(1_000_000)));
        let final_ = rule().compose(Euro::from_euros(1_500_000)).unwrap();
        assert_eq!((final_.grant, final_.loan), (Euro::from_euros(600_000), Euro::from_euros(750_000)));
        let on_time = rule().instalments(&granted, &final_, 0);
        let wanted = Instalments {
            advance: Euro::from_euros(180_000),
            first_loan: Euro::from_euros(600_000),
            second_grant: Euro::from_euros(210_000),
            last_grant: Euro::from_euros(210_000),
            last_loan: Euro::from_euros(150_000),
            last_loan_as_grant: false,
        };
        assert_eq!(on_time, wanted);
        assert_eq!(rule().instalments(&granted, &final_, 59), wanted);
        let early = rule().instalments(&granted, &final_, 60);
        assert_eq!(early, Instalments { last_loan_as_grant: true, ..wanted });
    }
}
