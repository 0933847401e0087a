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
            .filter(|(_, hash)| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
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

#[cfg(test)]
mod tests {
    use model::Instant;
    use store::{Store, StoreOptions};

    use super::*;

    #[test]
    fn a_whole_log_is_proved_against_an_earlier_head_and_another_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("consuntivo.toml");
        std::fs::write(&file, "[installation]\nid = \"i\"\nname = \"I\"\n").unwrap();
        let Ok(installation) = Installation::load(&file) else { panic!("the settings were refused") };
        let dir = &installation.settings.installation.data_dir;
        let store = Store::open(dir, StoreOptions::default()).unwrap();
        let put = |body: &str| {
            store.put_record("note", "n", body, "rosa", Instant::from_seconds(1_770_000_000)).unwrap();
            let head = store.audit_head().unwrap();
            format!("{}:{}", head.seq, head.hash.hex())
        };
        let (early, late) = (put("\"a\""), put("\"b\""));
        let verify = |since: Option<&str>| {
            let since = since.map(str::to_owned);
            audit(&What::Verify { config: ConfigArg { config: file.clone() }, since })
        };
        for head in [None, Some(early.as_str()), Some(late.as_str())] {
            assert_eq!(verify(head).map_err(|f| f.error.to_string()).unwrap(), Exit::OK, "{head:?}");
        }
        // The head of a longer log, of another log, and what is no head.
        let (number, hash) = early.split_once(':').unwrap();
        let other = hash.replace(['0', 'a'], "1");
        for cut in [format!("9{number}:{hash}"), format!("{number}:{other}"), format!("{number}:")] {
            assert!(verify(Some(&cut)).is_err(), "{cut} was taken for a head");
        }
        assert_eq!(verify(Some("rubbish")).unwrap_err().exit, Exit::BAD_INPUT);
        let refused = verify(Some(&format!("9{number}:{hash}"))).unwrap_err();
        assert!(
            refused.exit != Exit::OK && refused.error.to_string().contains("cut off"),
            "{}",
            refused.error
        );
    }
}
