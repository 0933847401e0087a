//! What people decided about meters, as it is kept in the store: one record for each act, every version kept.
//!
//! Must never: drop an act that it cannot read; figures without it would be other figures.

use anyhow::{Context, anyhow};
use model::{Act, Channel, DatedAct, Explanation, Instant, MeterAct, MeterId, Phase, Quantity, SeriesKey};
use serde::{Deserialize, Serialize};
use store::{Record, Store};

use crate::exit::Failure;

/// The kind under which acts are kept in the store.
const ACT_RECORD: &str = "meter_act";

/// Longest author and reason in characters: a name, and a sentence or two that fit the report.
const WORDS_MAX: usize = 400;

/// The form of a record's body.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    meter: String,
    quantity: String,
    phase: String,
    at_ms: i64,
    reason: String,
    what: What,
    /// Explanations of the same break that a person rejected before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum What {
    Explained {
        explanation: String,
    },
    Exchanged {
        closing: Option<i64>,
        opening: Option<i64>,
    },
    Corrected {
        total: i64,
    },
    /// Taken back: the totals speak for themselves again.
    Withdrawn,
}

/// What a person says, ready to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct Said<'a> {
    pub(crate) series: &'a SeriesKey,
    pub(crate) dated: DatedAct,
    pub(crate) author: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) rejected: &'a [Explanation],
}

/// Every act in force, in order of record.
pub(crate) fn all(store: &Store) -> anyhow::Result<Vec<MeterAct>> {
    let mut acts = Vec::new();
    for record in store.records(ACT_RECORD)? {
        acts.extend(read(&record)?.0);
    }
    Ok(acts)
}

/// The acts in force about one series.
pub(crate) fn of_series(store: &Store, series: &SeriesKey) -> anyhow::Result<Vec<MeterAct>> {
    Ok(all(store)?.into_iter().filter(|act| act.series == *series).collect())
}

/// The part that the counter needs.
pub(crate) fn dated(acts: &[MeterAct]) -> Vec<DatedAct> {
    acts.iter().map(|act| act.dated).collect()
}

/// Which explanations of a break were rejected so far.
pub(crate) fn rejected(store: &Store, series: &SeriesKey, at: Instant) -> anyhow::Result<Vec<Explanation>> {
    let id = id(series, at, "explained");
    let record = store.record(ACT_RECORD, &id)?;
    Ok(record.map(|record| read(&record)).transpose()?.map(|(_, rejected)| rejected).unwrap_or_default())
}

/// Puts an act on record.
pub(crate) fn record(store: &Store, said: &Said<'_>, at: Instant) -> Result<(), Failure> {
    let (kind, what) = match said.dated.act {
        Act::Explained(explanation) => {
            ("explained", What::Explained { explanation: explanation.code().to_owned() })
        }
        Act::Exchanged { closing, opening } => ("exchanged", What::Exchanged { closing, opening }),
        Act::Corrected { total } => ("corrected", What::Corrected { total }),
    };
    put(store, said, kind, what, at)
}

/// Takes the acts about an instant back; how many there were.
pub(crate) fn withdraw(
    store: &Store,
    series: &SeriesKey,
    about: Instant,
    (author, reason): (&str, &str),
    at: Instant,
) -> Result<usize, Failure> {
    let mut count = 0;
    for act in of_series(store, series)?.iter().filter(|act| act.dated.at == about) {
        let kind = match act.dated.act {
            Act::Explained(_) => "explained",
            Act::Exchanged { .. } => "exchanged",
            Act::Corrected { .. } => "corrected",
        };
        let said = Said { series, dated: act.dated, author, reason, rejected: &[] };
        put(store, &said, kind, What::Withdrawn, at)?;
        count += 1;
    }
    Ok(count)
}

fn put(store: &Store, said: &Said<'_>, kind: &str, what: What, at: Instant) -> Result<(), Failure> {
    // The totals of an exchange say why it is on record.
    let speaks = matches!(what, What::Exchanged { closing, opening } if closing.or(opening).is_some());
    for (name, words, least) in
        [("--author", said.author, 1), ("--reason", said.reason, usize::from(!speaks))]
    {
        let length = words.chars().count();
        if length < least || WORDS_MAX < length {
            return Err(Failure::bad_input(format!(
                "{name} has {length} characters; state it in 1 to {WORDS_MAX}"
            )));
        }
    }
    let body = Body {
        meter: said.series.meter.to_string(),
        quantity: said.series.channel.quantity.code().to_owned(),
        phase: said.series.channel.phase.code().to_owned(),
        at_ms: said.dated.at.millis(),
        reason: said.reason.to_owned(),
        what,
        rejected: said.rejected.iter().map(|e| e.code().to_owned()).collect(),
    };
    let text = serde_json::to_string(&body).context("cannot write the act down")?;
    store.put_record(ACT_RECORD, &id(said.series, said.dated.at, kind), &text, said.author, at)?;
    Ok(())
}

fn id(series: &SeriesKey, at: Instant, kind: &str) -> String {
    format!("{} {} {at} {kind}", series.meter, series.channel)
}

/// The act, unless it was withdrawn, and the explanations rejected before.
fn read(record: &Record) -> anyhow::Result<(Option<MeterAct>, Vec<Explanation>)> {
    let unusable = || {
        format!(
            "version {} of the recorded act {:?} cannot be read; this version of the program is too old for it, or the store was changed from outside",
            record.version, record.id
        )
    };
    let body: Body = serde_json::from_str(&record.body).with_context(unusable)?;
    let known = |code: &str| Explanation::parse(code).ok_or_else(|| anyhow!("no explanation {code:?}"));
    let rejected =
        body.rejected.iter().map(|code| known(code)).collect::<anyhow::Result<_>>().with_context(unusable)?;
    let act = match body.what {
        What::Explained { explanation } => Act::Explained(known(&explanation).with_context(unusable)?),
        What::Exchanged { closing, opening } => Act::Exchanged { closing, opening },
        What::Corrected { total } => Act::Corrected { total },
        What::Withdrawn => return Ok((None, rejected)),
    };
    let quantity = Quantity::parse(&body.quantity).with_context(unusable)?;
    let phase = Phase::parse(&body.phase).with_context(unusable)?;
    let series = SeriesKey {
        meter: MeterId::new(&body.meter).with_context(unusable)?,
        channel: Channel { quantity, phase },
    };
    let act = MeterAct {
        series,
        dated: DatedAct { at: Instant::from_millis(body.at_ms), act },
        author: record.author.clone(),
        reason: body.reason,
        recorded_at: record.at,
    };
    Ok((Some(act), rejected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::StoreOptions;

    fn series() -> SeriesKey {
        SeriesKey {
            meter: MeterId::new("boiler-1").unwrap(),
            channel: Channel::total(Quantity::ActiveEnergyImport),
        }
    }

    fn said(series: &SeriesKey, act: Act) -> Said<'_> {
        let dated = DatedAct { at: Instant::from_seconds(1_750_000_000), act };
        Said { series, dated, author: "a", reason: "because", rejected: &[Explanation::Wrap] }
    }

    #[test]
    fn acts_are_kept_replaced_and_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let (series, now) = (series(), Instant::from_seconds(1_760_000_000));
        let all_of = |store: &Store| dated(&of_series(store, &series).unwrap());
        let explained = said(&series, Act::Explained(Explanation::Reset));
        record(&store, &explained, now).unwrap();
        let exchanged = said(&series, Act::Exchanged { closing: Some(5), opening: None });
        record(&store, &exchanged, now).unwrap();
        record(&store, &said(&series, Act::Corrected { total: 7 }), now).unwrap();
        assert_eq!(all_of(&store).len(), 3);
        assert_eq!(rejected(&store, &series, explained.dated.at).unwrap(), [Explanation::Wrap]);
        // A second word on the same matter takes the place of the first.
        record(&store, &said(&series, Act::Explained(Explanation::StepBack)), now).unwrap();
        assert_eq!(all_of(&store).len(), 3);
        assert!(
            all_of(&store)
                .contains(&DatedAct { act: Act::Explained(Explanation::StepBack), ..explained.dated })
        );
        assert_eq!(withdraw(&store, &series, explained.dated.at, ("b", "wrong"), now).unwrap(), 3);
        assert_eq!(all_of(&store), []);
        assert_eq!(withdraw(&store, &series, explained.dated.at, ("b", "wrong"), now).unwrap(), 0);
        store.verify_audit().unwrap();
    }

    #[test]
    fn an_act_without_a_name_or_a_reason_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let (series, now) = (series(), Instant::from_seconds(1_760_000_000));
        let good = said(&series, Act::Explained(Explanation::Reset));
        let long = "x".repeat(WORDS_MAX + 1);
        for (author, reason) in [("", "r"), ("a", ""), ("a", long.as_str())] {
            assert!(record(&store, &Said { author, reason, ..good.clone() }, now).is_err());
        }
        assert!(all(&store).unwrap().is_empty());
        // An exchange speaks for itself with either of its totals, and not without.
        let exchange =
            |closing, opening| Said { reason: "", ..said(&series, Act::Exchanged { closing, opening }) };
        assert!(record(&store, &exchange(None, None), now).is_err());
        record(&store, &exchange(Some(5), None), now).unwrap();
        record(&store, &exchange(None, Some(0)), now).unwrap();
        assert_eq!(all(&store).unwrap().len(), 1);
    }
}
