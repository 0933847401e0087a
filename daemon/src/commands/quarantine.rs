//! `consuntivo quarantine`: what was not understood, and its way back once a meter file is mended.
//!
//! Must never: let a payload go before its readings are on disk, or without an entry in the audit log.

use std::collections::BTreeMap;

use anyhow::Context;
use connectors::mqtt::{Kept, Replayer};
use model::{Instant, MeterId, Reading};
use store::{QuarantineFilter, QuarantinedItem, Store};

use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{QuarantineWhat, ReplayArgs, clock};

/// Payloads read from the store at a time.
const CHUNK: u32 = 500;
/// Bytes of a payload that are shown.
const SHOWN_BYTES_MAX: usize = 4_096;
/// Longest time by which a clock can be said to have been wrong: a hundred years.
const BEHIND_SECONDS_MAX: i64 = 100 * 366 * 86_400;

pub(crate) fn quarantine(what: &QuarantineWhat) -> Result<Exit, Failure> {
    match what {
        QuarantineWhat::List { config, meter, limit } => {
            let installation = Installation::load(&config.config)?;
            known(&installation, meter.as_ref())?;
            let store = installation.open_shared_store()?;
            let filter = QuarantineFilter { meter: meter.clone(), ..QuarantineFilter::default() };
            let items = store.quarantined_where(&filter, *limit)?;
            for found in &items {
                let meter = found.item.meter.as_ref().map_or("-", |meter| meter.as_str());
                let QuarantinedItem { number, item } = found;
                println!("{number:>6}  {}  {meter}  {}  {}", item.at, item.place, item.reason);
            }
            if items.is_empty() {
                println!("nothing in quarantine");
            }
            Ok(Exit::OK)
        }
        QuarantineWhat::Show { id, config } => {
            let store = Installation::load(&config.config)?.open_shared_store()?;
            let filter = QuarantineFilter { number: Some(*id), ..QuarantineFilter::default() };
            match store.quarantined_where(&filter, 1)?.first() {
                Some(found) => show(found),
                None => return Err(Failure::bad_input(format!("there is no payload {id} in quarantine"))),
            }
            Ok(Exit::OK)
        }
        QuarantineWhat::Replay(args) => replay(args),
    }
}

/// Refuses a meter that the settings do not have: of a mistyped one there is never anything in quarantine.
fn known(installation: &Installation, meter: Option<&MeterId>) -> Result<(), Failure> {
    match meter {
        Some(meter) if installation.settings.meter(meter).is_none() => {
            Err(Failure::bad_input(format!("no meter {meter} in the settings; name one that it has")))
        }
        _ => Ok(()),
    }
}

fn show(found: &QuarantinedItem) {
    let QuarantinedItem { number, item } = found;
    println!("number   {number}");
    println!("arrived  {} over {} {}", item.at, item.origin.code(), item.link);
    println!("meter    {}", item.meter.as_ref().map_or("not known", |meter| meter.as_str()));
    println!("place    {}", item.place);
    println!("reason   {}", item.reason);
    println!("bytes    {} came, {} kept", item.length, item.payload.len());
    let shown = item.payload.get(..SHOWN_BYTES_MAX).unwrap_or(&item.payload);
    match std::str::from_utf8(shown) {
        Ok(text) => println!("{}", text.escape_debug()),
        Err(_) => {
            for line in shown.chunks(32) {
                println!("{}", line.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            }
        }
    }
}

fn replay(args: &ReplayArgs) -> Result<Exit, Failure> {
    if args.clock_was_behind_s.abs() > BEHIND_SECONDS_MAX {
        return Err(Failure::bad_input(format!(
            "--clock-was-behind-s {} is more than a hundred years",
            args.clock_was_behind_s
        )));
    }
    let installation = Installation::load(&args.config.config)?;
    known(&installation, args.meter.as_ref())?;
    let store = installation.open_shared_store()?;
    let (links, findings) = installation.links();
    for finding in &findings {
        eprintln!("{finding}");
    }
    let mut replayers: BTreeMap<String, Replayer> = BTreeMap::new();
    for link in &links {
        let births = if args.with_latest_births { remembered(&store, link.id())? } else { Vec::new() };
        if let Some(replayer) = link.replayer(&births) {
            replayers.insert(link.id().to_owned(), replayer);
        }
    }
    let (mut understood, mut readings, mut left) = (0_u64, 0_usize, 0_u64);
    let mut after = 0;
    loop {
        let filter = QuarantineFilter { number: args.id, meter: args.meter.clone(), after: Some(after) };
        let items = store.quarantined_where(&filter, CHUNK)?;
        let Some(last) = items.last() else { break };
        after = last.number;
        for found in &items {
            match read_again(&replayers, found, args.clock_was_behind_s, clock::now()) {
                Ok(read) => {
                    readings += read.len();
                    store.append_blocking(read).context("the readings could not be kept")?;
                    store.release_quarantined(found.number, &args.author, clock::now())?;
                    understood += 1;
                }
                Err(reason) => {
                    if reason != found.item.reason {
                        store.explain_quarantined(found.number, &reason)?;
                    }
                    println!("{:>6}  stays: {reason}", found.number);
                    left += 1;
                }
            }
        }
    }
    if args.id.is_some() && understood + left == 0 {
        return Err(Failure::bad_input("there is no such payload in quarantine"));
    }
    println!("{understood} payloads understood ({readings} readings), {left} stay in quarantine");
    Ok(Exit::OK)
}

fn remembered(store: &Store, link: &str) -> Result<Vec<connectors::Remembered>, Failure> {
    let all = store.remembered(link)?.into_iter().map(|one| {
        let store::Remembered { link, key, value, at } = one;
        connectors::Remembered { link, key, value, at }
    });
    Ok(all.collect())
}

/// The readings of a kept payload, or why there are still none.
fn read_again(
    replayers: &BTreeMap<String, Replayer>,
    found: &QuarantinedItem,
    behind_seconds: i64,
    now: Instant,
) -> Result<Vec<Reading>, String> {
    let item = &found.item;
    if item.payload.len() as u64 != item.length {
        return Err(format!("only {} of its {} bytes were kept", item.payload.len(), item.length));
    }
    let kept = Kept {
        meter: item.meter.as_ref(),
        topic: &item.place,
        payload: &item.payload,
        length: item.payload.len(),
        arrived: item.at.plus_seconds(behind_seconds),
    };
    // Payloads kept before links were noted are tried with every link.
    let of_link = |link: &String| item.link.is_empty() || *link == item.link;
    let mut reason = format!("no link {:?} of the installation reads it again", item.link);
    for (_, replayer) in replayers.iter().filter(|(link, _)| of_link(link)) {
        match replayer.replay(kept, now) {
            Ok(readings) => return Ok(readings),
            Err(error) => reason = error,
        }
    }
    Err(reason)
}
