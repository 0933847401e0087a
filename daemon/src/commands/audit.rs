//! `consuntivo audit`: the log of what people changed, and whether it is whole.
//!
//! Must never: change it.

use clap::Subcommand;

use crate::ConfigArg;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Check every link of the chain, and every record, bill and account event against the entry that tells of it
    Verify {
        #[command(flatten)]
        config: ConfigArg,
        /// An earlier head, as `verify` printed it: NUMBER:HASH; proves that nothing was cut off since
        #[arg(long, value_name = "HEAD")]
        since: Option<String>,
    },
    /// The newest entries first: number, instant, author, action, what, detail
    List {
        #[command(flatten)]
        config: ConfigArg,
        /// Most lines
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

pub(crate) fn audit(what: &What) -> Result<Exit, Failure> {
    match what {
        What::Verify { config, since } => verify(config, since.as_deref()),
        What::List { config, limit } => list(config, *limit),
    }
}

fn verify(config: &ConfigArg, since: Option<&str>) -> Result<Exit, Failure> {
    let store = Installation::load(&config.config)?.open_shared_store()?;
    store.verify_audit().map_err(anyhow::Error::from)?;
    let head = store.audit_head()?;
    if let Some(since) = since {
        let (number, hash) = since
            .split_once(':')
            .and_then(|(number, hash)| Some((number.parse::<i64>().ok()?, hash)))
            .ok_or_else(|| Failure::bad_input(format!("{since:?} is no head; write it as NUMBER:HASH")))?;
        let known = store.audit_hash(number)?;
        if known.map(|digest| digest.hex()).as_deref() != Some(hash) {
            return Err(Failure::from(anyhow::anyhow!(
                "entry {number} does not have the hash {hash}: the log was cut off or written anew since; restore it from a backup"
            )));
        }
    }
    println!("{}:{}", head.seq, head.hash.hex());
    Ok(Exit::OK)
}

fn list(config: &ConfigArg, limit: u32) -> Result<Exit, Failure> {
    let store = Installation::load(&config.config)?.open_shared_store()?;
    let details = store.account_details(limit)?;
    for entry in store.audit(limit)? {
        let detail = details.get(&entry.seq).map_or("", String::as_str);
        println!(
            "{}\t{}\t{}\t{}\t{} {}\t{detail}",
            entry.seq, entry.at, entry.author, entry.action, entry.kind, entry.subject
        );
    }
    Ok(Exit::OK)
}
