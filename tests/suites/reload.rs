//! Settings read again while the daemon runs, and the loss budget that runs along: what did not change is not
//! touched, a wrong file changes nothing and says why.
//!
//! Must never: take a link for untouched because its readings go on; its connection must be the same one.

use std::time::Duration;

use tests::daemon::Daemon;
use tests::meter::CountingMeter;
use tests::site::Site;
use tests::{http, journal, wait};

const SOON: Duration = Duration::from_secs(30);

/// Two meters, each on a Modbus link of its own, both with a connection.
struct Two {
    site: Site,
    first: CountingMeter,
    second: CountingMeter,
    running: Daemon,
}

impl Two {
    fn start() -> Self {
        let (first, second) = (CountingMeter::start(), CountingMeter::start());
        let site = Site::new().with_modbus_meter(first.address, "link-1", "m1").with_modbus_meter(
            second.address,
            "link-2",
            "m2",
        );
        let running = site.start();
        await_reads(&first, 2);
        await_reads(&second, 2);
        Self { site, first, second, running }
    }

    /// Writes other settings and tells the daemon; returns the log line with which it answers.
    fn reload(&mut self, settings: String) -> String {
        self.site.rewrite(settings);
        reload(&self.running)
    }

    fn findings(&self, language: &str) -> String {
        page(&self.running, &format!("/findings?lang={language}"))
    }
}

/// Sends SIGHUP and waits for the answer in the log.
fn reload(running: &Daemon) -> String {
    let before = answers(running).len();
    running.signal("HUP");
    wait::until("the answer to SIGHUP", SOON, || {
        let all = answers(running);
        all.get(before).cloned().ok_or_else(|| running.log())
    })
}

fn answers(running: &Daemon) -> Vec<String> {
    let answers = ["settings reloaded", "the settings were not reloaded"];
    running.log().lines().filter(|l| answers.iter().any(|a| l.contains(a))).map(str::to_owned).collect()
}

fn page(running: &Daemon, path: &str) -> String {
    let answer = http::get(running.address(), path).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

/// Waits until the meter was read `more` times again.
fn await_reads(meter: &CountingMeter, more: usize) {
    let before = meter.served().len();
    wait::until("readings", SOON, || {
        let now = meter.served().len();
        if before + more <= now { Ok(()) } else { Err(format!("{now} readings, {before} before")) }
    });
}

/// Every total that the meter gave out is in the journal, but for one that may be on its way.
fn assert_none_lost(site: &Site, name: &str, meter: &CountingMeter) {
    let kept: Vec<i64> = journal::totals(&site.journal(), name).iter().map(|t| t.watt_hours / 1000).collect();
    let served: Vec<i64> = meter.served().into_iter().map(i64::from).collect();
    assert!(!kept.is_empty() && served.starts_with(&kept), "kept {kept:?}, served {served:?}");
    assert!(served.len() <= kept.len() + 1, "kept {kept:?}, served {served:?}");
}

#[test]
fn a_changed_link_begins_anew_and_the_other_keeps_its_connection() {
    let mut two = Two::start();
    let changed = two.site.settings().replacen("timeout_ms = 500", "timeout_ms = 700", 1);
    let answer = two.reload(changed);
    assert!(answer.contains(r#"kept=["link-2"]"#) && answer.contains(r#"restarted=["link-1"]"#), "{answer}");
    await_reads(&two.first, 2);
    await_reads(&two.second, 2);
    assert_eq!((two.first.connections(), two.second.connections()), (2, 1));
    assert_eq!(two.running.metric("consuntivo_sessions_total", &[]).unwrap(), 0.0);
    assert_none_lost(&two.site, "m2", &two.second);

    // A default that is written out and another order change nothing of the link.
    let spelt = two.site.settings().replace("connect_timeout_ms", "pause_ms = 0\nconnect_timeout_ms");
    let answer = two.reload(spelt);
    assert!(answer.contains(r#"kept=["link-1", "link-2"]"#), "{answer}");
    let answer = two.reload(two.site.settings().to_owned());
    assert!(answer.contains("nothing has changed"), "{answer}");
    await_reads(&two.first, 1);
    assert_eq!((two.first.connections(), two.second.connections()), (2, 1));
    let Two { site, first, second, running } = two;
    assert!(running.stop().success());
    assert_none_lost(&site, "m1", &first);
    assert_none_lost(&site, "m2", &second);
}

#[test]
fn a_wrong_file_changes_nothing_and_every_reason_has_its_line() {
    let mut two = Two::start();
    let good = two.site.settings().to_owned();
    let line = |text: &str, what: &str| text.lines().position(|l| l.starts_with(what)).unwrap() + 1;

    // Two problems of the file's own keys.
    let bad = good.replacen("every_s = 1", "every_s = 0", 1).replace("[web]\nlisten", "[web]\nlisten_on");
    let lines = (line(&bad, "every_s = 0"), line(&bad, "listen_on"));
    assert!(two.reload(bad).contains("nothing was changed"));
    let (it, en) = (two.findings("it"), two.findings("en"));
    for wanted in
        ["settings.reload.refused", &format!("riga {}", lines.0), &format!("riga {}", lines.1), "every_s"]
    {
        assert!(it.contains(wanted), "{wanted} is not in\n{it}");
    }
    assert!(en.contains(&format!("line {}", lines.0)) && en.contains("stay in force"), "{en}");
    assert!(two.running.log().contains("listen_on"));

    // A connector's own key: the line of its table.
    let bad = good.replacen("timeout_ms = 500", "timeout = 500", 1);
    let at = line(&bad, "[[link]]");
    assert!(two.reload(bad).contains("nothing was changed"));
    let en = two.findings("en");
    assert!(en.contains("timeout_ms") && en.contains(&format!("line {at}")), "{en}");
    assert!(!en.contains("every_s"), "reasons of an earlier attempt are still shown:\n{en}");

    // A setting that only a restart can take on: refused with the rest of the file.
    let bad = good.replace("name = \"Prova\"", "name = \"Altra\"\nzone = \"Europe/Paris\"");
    let at = line(&bad, "zone");
    assert!(two.reload(bad).contains("nothing was changed"));
    let it = two.findings("it");
    assert!(it.contains("settings.reload.restart") && it.contains(&format!("riga {at}")), "{it}");
    assert!(!page(&two.running, "/").contains("Altra"));

    await_reads(&two.first, 1);
    await_reads(&two.second, 1);
    assert_eq!((two.first.connections(), two.second.connections()), (1, 1));
    // The next good file resolves what was said.
    let answer = two.reload(good.replace("name = \"Prova\"", "name = \"Altra\""));
    assert!(answer.contains(r#"kept=["link-1", "link-2"]"#), "{answer}");
    assert!(!two.findings("it").contains("settings.reload"));
    assert!(page(&two.running, "/").contains("Altra"));
    assert!(two.running.stop().success());
}

#[test]
fn links_and_meters_come_and_go() {
    let mut two = Two::start();
    let both = two.site.settings().to_owned();
    let second = both.find("\n[[link]]\nid = \"link-2\"").unwrap();
    let answer = two.reload(both[..second].to_owned());
    assert!(answer.contains(r#"kept=["link-1"]"#) && answer.contains(r#"stopped=["link-2"]"#), "{answer}");
    wait::until("the end of the connection", SOON, || match two.second.open_connections() {
        0 => Ok(()),
        n => Err(format!("{n} open")),
    });
    let served = two.second.served().len();
    await_reads(&two.first, 2);
    assert_eq!(two.second.served().len(), served, "a meter that was taken out is still read");
    assert!(!page(&two.running, "/meters").contains(">m2<"));
    assert!(!page(&two.running, "/metrics").contains("meter=\"m2\""));
    assert_none_lost(&two.site, "m2", &two.second);

    // Back again, with a second meter behind the first link.
    let more = format!(
        "{both}\n[[meter]]\nid = \"m3\"\nlink = \"link-1\"\nmodel = \"eastron-sdm630\"\nevery_s = 1\nunit = 2\n"
    );
    let answer = two.reload(more);
    assert!(
        answer.contains(r#"restarted=["link-1"]"#) && answer.contains(r#"started=["link-2"]"#),
        "{answer}"
    );
    let store = two.site.journal();
    wait::until("readings of the new meter", SOON, || match journal::totals(&store, "m3").len() {
        0 => Err("none".to_owned()),
        _ => Ok(()),
    });
    await_reads(&two.second, 2);
    assert!(page(&two.running, "/meters").contains("m3"));
    assert!(two.running.stop().success());
}

#[test]
fn a_storm_of_signals_ends_with_the_last_file_in_force() {
    let mut two = Two::start();
    let (one, other) = {
        let good = two.site.settings();
        (good.to_owned(), good.replacen("timeout_ms = 500", "timeout_ms = 600", 1))
    };
    for round in 0..40 {
        two.site.rewrite(if round % 2 == 0 { other.clone() } else { one.clone() });
        two.running.signal("HUP");
    }
    // Half a file as well: some of these find it unfinished.
    two.site.rewrite(other[..other.len() / 2].to_owned());
    two.running.signal("HUP");
    two.site.rewrite(other);
    two.running.signal("HUP");
    wait::until("the last file", SOON, || {
        let answer = reload(&two.running);
        if answer.contains("nothing has changed") { Ok(()) } else { Err(answer) }
    });
    assert_eq!(two.second.connections(), 1, "the untouched link was interrupted:\n{}", two.running.log());
    wait::until("old connections to end", SOON, || match two.first.open_connections() {
        1 => Ok(()),
        n => Err(format!("{n} open")),
    });
    await_reads(&two.first, 2);
    await_reads(&two.second, 2);
    assert!(!two.findings("it").contains("settings.reload"));
    let Two { site, second, running, .. } = two;
    assert!(running.stop().success());
    assert_none_lost(&site, "m2", &second);
}

/// What the API says of the newest month of the only meter.
fn losses(running: &Daemon) -> serde_json::Value {
    let body: serde_json::Value = serde_json::from_str(&page(running, "/api/v1/meters")).unwrap();
    body["meters"][0]["losses"][0].clone()
}

#[test]
fn the_loss_budget_counts_what_was_to_come_also_while_nothing_ran() {
    let meter = CountingMeter::dropping(10);
    let site = Site::new().with_modbus_meter(meter.address, "bus", "m1");
    let running = site.start();
    await_reads(&meter, 21);
    let served = meter.served().len();
    // Each answer that did not come costs the slot that it was to fill; the newest reading's own slot is expected later.
    let (before, dropped) = (losses(&running), u64::from(meter.dropped()));
    let missing = before["expected"].as_u64().unwrap() + 1 - before["received"].as_u64().unwrap();
    assert!(2 <= dropped && dropped <= missing, "{dropped} answers did not come: {before}");
    assert!(before["since"].is_string(), "the month does not say that it began with the meter: {before}");
    assert!(running.stop().success());
    let kept = journal::totals(&site.journal(), "m1").len();
    assert!(served <= kept + 1, "{served} served, {kept} kept");

    // Over the restart: the budget says of the journal what the journal holds, and of the time between what is missing.
    let away = std::time::Instant::now();
    wait::until("three seconds without a daemon", SOON, || {
        if away.elapsed() < Duration::from_secs(3) { Err("not yet".to_owned()) } else { Ok(()) }
    });
    let running = site.start();
    await_reads(&meter, 3);
    let store = site.journal();
    wait::until("the budget and the journal to agree", SOON, || {
        let losses = losses(&running);
        let (before, received) = (journal::totals(&store, "m1").len(), losses["received"].as_u64());
        let after = journal::totals(&store, "m1").len();
        let expected = losses["expected"].as_u64().unwrap_or_default();
        let agrees = received.is_some_and(|n| before as u64 <= n && n <= after as u64);
        if agrees && received.unwrap_or_default() + 2 <= expected {
            Ok(())
        } else {
            Err(format!("{losses}, {before} to {after} in the journal"))
        }
    });
    let metric = |what: &str| running.metric(&format!("consuntivo_meter_{what}_readings"), &[]).unwrap();
    assert!(kept as f64 <= metric("received"));
    assert!(metric("received") < metric("expected"));
    assert_eq!((metric("late"), metric("refused"), metric("dropped")), (0.0, 0.0, 0.0));
    let shown = page(&running, "/meters?lang=it");
    assert!(shown.contains("Attese") && shown.contains("Mancanti"), "{shown}");
    assert!(running.stop().success());
}
