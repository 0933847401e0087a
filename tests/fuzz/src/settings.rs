//! An installation's settings, and the tables of its links and meters as their connectors read them.
//!
//! Laws: a file is used whole or refused with problems that have a line; ids are single and links exist; limits hold;
//! the connectors judge any table without a panic.
//!
//! Allowed ends: problems, findings.
//!
//! Must never: open a file that the settings name.

use std::collections::BTreeSet;
use std::path::Path;

use config::settings::{EVERY_SECONDS_MAX, LINKS_MAX, METERS_MAX, WEATHER_MAX};
use config::{Settings, parse_settings};
use connectors::{parse_link, parse_meter};

use crate::laws::assert_problems;

/// Bytes: the file.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_settings(text, Path::new("/etc/consuntivo/consuntivo.toml")) {
        Ok((settings, _)) => assert_settings(&settings),
        Err(problems) => assert_problems(text, &problems),
    }
}

fn assert_settings(settings: &Settings) {
    let counts = (settings.links.len(), settings.meters.len(), settings.weather.len());
    assert!(counts.0 <= LINKS_MAX && counts.1 <= METERS_MAX && counts.2 <= WEATHER_MAX, "{counts:?}");
    let links: BTreeSet<_> = settings.links.iter().map(|link| link.id.as_str()).collect();
    assert_eq!(links.len(), counts.0, "a link id stands twice");
    let meters: BTreeSet<_> = settings.meters.iter().map(|meter| &meter.id).collect();
    assert_eq!(meters.len(), counts.1, "a meter id stands twice");
    for link in &settings.links {
        if let Err(findings) = parse_link(&link.id, &link.connector, &link.table) {
            assert!(!findings.is_empty(), "link {} is refused without a reason", link.id);
        }
    }
    for meter in &settings.meters {
        assert!((1..=EVERY_SECONDS_MAX).contains(&i64::from(meter.every_s)), "{meter:?}");
        let link = settings.link(&meter.link).expect("a meter on a link that is not there");
        if let Err(findings) = parse_meter(&meter.id, &link.connector, &meter.table) {
            assert!(!findings.is_empty(), "meter {} is refused without a reason", meter.id);
        }
    }
}
