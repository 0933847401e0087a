//! Settings files: the embedded default, a minimal one, a full one, and each bad value with its message.
//!
//! Must never: read a file outside the test's own folder.

use super::*;

const MINIMAL: &str = "[installation]\nid = \"installation\"\nname = \"My installation\"\n";

fn parse(text: &str) -> Result<(Settings, Vec<Finding>), Vec<String>> {
    parse_settings(text, Path::new("/etc/consuntivo/consuntivo.toml"))
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn problems(text: &str) -> Vec<String> {
    parse(text).expect_err("the settings were accepted")
}

fn with_prefix_removed(prefix: &str) -> String {
    let uncomment = |line: &str| match line.strip_prefix(prefix) {
        Some(rest) if prefix != "#" || rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest.to_owned(),
        _ => line.to_owned(),
    };
    DEFAULT_SETTINGS.lines().map(|l| uncomment(l) + "\n").collect()
}

#[test]
fn the_default_file_says_what_the_defaults_are() {
    let minimal = parse(MINIMAL).unwrap();
    assert_eq!(parse(DEFAULT_SETTINGS).unwrap(), minimal);
    assert_eq!(parse(&with_prefix_removed("#")).unwrap(), minimal);
    assert_eq!(minimal.1, []);
}

#[test]
fn the_line_of_a_key_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("consuntivo.toml");
    std::fs::write(&file, format!("{MINIMAL}\n[web]\n\nlisten = \"127.0.0.1:1\"\n")).unwrap();
    assert_eq!(line_of_key(&file, "web", "listen"), Some(7));
    assert_eq!(line_of_key(&file, "installation", "zone"), Some(1));
    assert_eq!(line_of_key(&file, "store", "queue_readings"), None);
}

#[test]
fn the_default_file_names_every_key() {
    for key in [
        "id",
        "name",
        "zone",
        "language",
        "data_dir",
        "catalog_dir",
        "listen",
        "dir",
        "queue_readings",
        "server",
        "port",
        "security",
        "username",
        "password_file",
        "from",
        "receipts_dir",
        "trust_file",
        "folder",
        "token_file",
        "connector",
        "link",
        "model",
        "every_s",
        "pulse",
        "kind",
        "organisation",
        "bucket",
        "write",
        "read",
        "counters",
        "deliver",
        "token_file",
        "token_env",
        "installation",
        "silent_after_periods",
        "silent_after_minutes",
        "frozen_after_hours",
        "implausible_readings",
        "base_load_percent",
        "above_model_days",
        "above_model_percent",
        "self_consumption_percent",
        "target_shortfall_percent",
        "mail_to",
        "webhook",
        "webhook_token_file",
        "webhook_ca_file",
        "project",
        "building",
        "public_url",
        "trusted_proxies",
        "certificate_file",
        "key_file",
        "anonymous_reading",
        "idle_minutes",
        "session_hours",
        "provider",
    ] {
        let named = DEFAULT_SETTINGS.lines().any(|l| {
            l.trim_start_matches(['#', ':', ' ']).strip_prefix(key).is_some_and(|r| r.starts_with(" = "))
        });
        assert!(named, "{key} is not in default.toml");
    }
}

#[test]
fn the_examples_of_the_default_file_are_settings() {
    // `catalog_dir` stands within its table; the rest are tables of their own.
    let (settings, _) = parse(&with_prefix_removed("#: ")).unwrap();
    assert_eq!(settings.installation.catalog_dir, Some(PathBuf::from("/etc/consuntivo/catalog")));
    assert_eq!(settings.links[0].table["address"].as_str(), Some("10.0.0.5:502"));
    let meter = &settings.meters[0];
    assert_eq!((meter.link.as_str(), meter.every_s), ("main-panel", 60));
    assert_eq!(meter.table["unit"].as_integer(), Some(3));
    assert_eq!(meter.table.len(), 1);
    assert_eq!(
        settings.unknown_models(&[
            "eastron-sdm630",
            "consuntivo-json",
            "mbus-heat-meter",
            "hardwario-gauger"
        ]),
        []
    );
    assert_eq!(settings.pulse_problems(&crate::meters::load_meters(None).unwrap()), []);
    let [roof, valley, airport] = settings.weather.as_slice() else { panic!("{:?}", settings.weather) };
    let meter = MeterId::new("town-hall-heat").unwrap();
    assert_eq!(roof.source, WeatherSource::Sensor { meter, hours_min: 22 });
    assert_eq!(roof.fill_from.as_ref(), Some(&valley.station));
    let WeatherSource::Service(service) = &valley.source else { panic!("{valley:?}") };
    assert_eq!((service.means, service.every_h), (ServiceMeans::Hourly { hours_min: 22 }, 6));
    assert_eq!(airport.source, WeatherSource::Files { definition: model::MeanDefinition::MaxMin });
    let engines: Vec<(&str, bool)> = settings.engines.iter().map(|e| (e.id.as_str(), e.delivers)).collect();
    assert_eq!(engines, [("central", true), ("cluster", true), ("influx", true), ("region", false)]);
    // What the file calls defaults of alarms are the defaults.
    let usual = AlarmSettings::default();
    let stated = &settings.alarms;
    assert_eq!((stated.mail_to.len(), stated.self_consumption_percent), (1, Some(60)));
    assert_eq!(
        AlarmSettings {
            self_consumption_percent: None,
            mail_to: Vec::new(),
            webhook: None,
            webhook_token_file: None,
            webhook_ca_file: None,
            ..stated.clone()
        },
        usual
    );
    assert_eq!(settings.kiosks[0].building.as_str(), "school-main");
    let unknown = settings.unknown_models(&["eastron-sdm120"]);
    assert!(unknown[0].to_string().ends_with("did you mean `eastron-sdm120`?"), "{unknown:?}");
}

#[test]
fn paths_are_relative_to_the_file() {
    let (settings, _) = parse(MINIMAL).unwrap();
    assert_eq!(settings.installation.data_dir, Path::new("/etc/consuntivo/data"));
    assert_eq!(settings.reports.dir, Path::new("/etc/consuntivo/data/reports"));
    let (settings, _) =
        parse(&format!("{MINIMAL}data_dir = \"/var/lib/c\"\n[reports]\ndir = \"r\"\n")).unwrap();
    assert_eq!(settings.installation.data_dir, Path::new("/var/lib/c"));
    assert_eq!(settings.reports.dir, Path::new("/etc/consuntivo/r"));
}

#[test]
fn pages_open_to_others_are_a_caution() {
    let (_, findings) = parse(&format!("{MINIMAL}[web]\nlisten = \"0.0.0.0:80\"\n")).unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].code, findings[0].severity), ("web.open", Severity::Caution));
    let (_, findings) = parse(&format!("{MINIMAL}[web]\nlisten = \"[::1]:80\"\n")).unwrap();
    assert_eq!(findings, []);
}

#[test]
fn a_retired_key_warns() {
    let retired = [Retired { table: "web", key: "port", instead: "web.listen" }];
    let text = format!("{MINIMAL}[web]\nport = 80\n");
    let (_, findings) = parse_with(&text, Path::new("c.toml"), &retired).unwrap();
    assert_eq!(
        findings[0].to_string(),
        "caution [settings.key.retired] settings:web.port: line 5: this key has no effect any more; use `web.listen`"
    );
}

#[test]
fn each_wrong_weather_source_has_its_message() {
    let service =
        "station = \"a\"\naddress = \"https://x\"\nlatitude = 45\nlongitude = 7\nsince = 2020-01-01\n";
    for (text, says) in [
        ("station = \"a\"\nmeter = \"m\"\n".to_owned(), "no meter \"m\" in this file; add a [[meter]]"),
        ("station = \"a\"\nfill_from = \"a\"\n".to_owned(), "a station cannot fill itself"),
        (format!("{service}meter = \"m\"\n"), "a station has one source, and `address` is another"),
        (service.replace("latitude = 45", "latitude = 95"), "expected degrees north, -90 to 90, found 95"),
        (service.replace("since = 2020-01-01\n", ""), "`weather[1].since`: is missing"),
        (format!("{service}means = \"weekly\"\n"), "expected \"hourly\" or \"daily\""),
        (
            format!("{service}means = \"daily\"\nhours_min = 20\n"),
            "`weather[1].hours_min`: is not a known key",
        ),
        (format!("{service}hours_min = 4\n"), "expected a whole number from 12 to 24"),
        (format!("{service}[[weather]]\nstation = \"a\"\n"), "station \"a\" already has a source on line 4"),
        ("station = \"a\"\ndefinition = \"mode\"\n".to_owned(), "expected \"as_given\""),
    ] {
        let all = problems(&format!("{MINIMAL}[[weather]]\n{text}"));
        assert!(all.iter().any(|p| p.contains(says)), "{text}: {all:?}");
    }
}

#[test]
fn each_bad_value_has_its_message() {
    let installation = |line: &str| format!("{MINIMAL}{line}\n");
    let rest = |text: &str| format!("{MINIMAL}{text}");
    for (text, expected) in [
        (String::new(), "line 1: `installation`: is missing; add `installation = …` with a table"),
        (
            installation("zone = \"Rome\""),
            "line 4: `installation.zone`: expected a time zone of the IANA list such as \"Europe/Rome\", found \"Rome\"; \
             write a time zone of the IANA list such as \"Europe/Rome\"",
        ),
        (
            installation("language = \"fr\""),
            "line 4: `installation.language`: expected \"it\" or \"en\", found \"fr\"; write \"it\" or \"en\"",
        ),
        (
            installation("datadir = \"x\""),
            "line 4: `installation.datadir`: is not a known key; did you mean `data_dir`?",
        ),
        (
            rest("[web]\nlisten = \"localhost\"\n"),
            "line 5: `web.listen`: expected an address and port such as \"127.0.0.1:8480\", found \"localhost\"; \
             write an address and port such as \"127.0.0.1:8480\"",
        ),
        (
            rest("[store]\nqueue_readings = 1\n"),
            "line 5: `store.queue_readings`: expected a whole number from 1000 to 10000000, found 1; \
             write a whole number from 1000 to 10000000",
        ),
        (
            rest("[[link]]\nid = \"a\"\n"),
            "line 4: `link[1].connector`: is missing; add `connector = …` with the name of a connector such as \"modbus-tcp\"",
        ),
        (
            rest("[[link]]\nid = \"a\"\nconnector = \"mqtt\"\n[[link]]\nid = \"a\"\nconnector = \"mqtt\"\n"),
            "line 8: `link[2].id`: link \"a\" is already defined on line 4; give each link its own id",
        ),
        (
            rest("[[meter]]\nid = \"m\"\nlink = \"a\"\nmodel = \"x\"\nevery_s = 60\n"),
            "line 6: `meter[1].link`: no link \"a\" in this file; add a [[link]] with this id",
        ),
        (
            rest("[reports]\ndir = \"\"\n"),
            "line 5: `reports.dir`: expected a folder, absolute or relative to this file, found \"\"; write a folder, absolute or relative to this file",
        ),
    ] {
        assert_eq!(problems(&text), [expected], "{text}");
    }
}

#[test]
fn what_an_input_counts_is_said_with_its_weight_or_refused() {
    let meter = |model: &str, pulse: &str| {
        format!(
            "{MINIMAL}[[link]]\nid = \"l\"\nconnector = \"modbus-tcp\"\n[[meter]]\nid = \"m\"\nlink = \"l\"\nmodel = \"{model}\"\nevery_s = 60\n{pulse}"
        )
    };
    let models = crate::meters::load_meters(None).unwrap();
    let gas = "pulse = { input = 2, quantity = \"gas_volume\", weight = \"0.01 m3\" }\n";
    let (settings, _) = parse(&meter("hardwario-gauger", gas)).unwrap();
    assert_eq!(settings.pulse_problems(&models), []);
    let model = settings.model_of(&settings.meters[0], &models).unwrap();
    let channel = model::Channel::total(model::Quantity::GasVolume);
    assert_eq!(model.channels(), [channel]);
    assert_eq!((model.wraps_at(channel), model.resolution(channel)), (Some(655_360), Some(10)));
    for (pulse, expected) in [
        ("pulse = { input = 2, quantity = \"gas_volume\" }\n", "`meter[1].pulse.weight`: is missing"),
        (
            "pulse = { input = 2, quantity = \"gas_volume\", weight = \"0.01 kWh\" }\n",
            "expected what one pulse is worth in a unit of l",
        ),
        (
            "pulse = { input = 2, quantity = \"active_power\", weight = \"1 W\" }\n",
            "expected a total such as",
        ),
    ] {
        let found = problems(&meter("hardwario-gauger", pulse));
        assert!(found[0].contains(expected), "{found:?}");
    }
    for (name, pulse, expected) in [
        ("hardwario-gauger", "", "counts pulses of whatever is wired to it"),
        ("eastron-sdm630", gas, "the model has no pulse inputs"),
        ("hardwario-gauger", &gas.replace("= 2", "= 3"), "the model has no input 3; it has 1, 2"),
        ("hardwario-gauger", &gas.replace("0.01 m3", "0.3 l"), "does not begin again at a whole l"),
    ] {
        let (settings, _) = parse(&meter(name, pulse)).unwrap();
        let found = settings.pulse_problems(&models);
        assert!(found[0].to_string().contains(expected), "{found:?}");
    }
}

#[test]
fn every_problem_of_a_meter_is_listed() {
    let link = "[[link]]\nid = \"panel\"\nconnector = \"modbus-tcp\"\n";
    let meter = "[[meter]]\nid = \"M 1\"\nlink = \"panle\"\nmodel = \"x\"\nevery_s = 0\n";
    assert_eq!(problems(&format!("{MINIMAL}{link}{meter}")).len(), 2, "id and every_s");
    let meter = "[[meter]]\nid = \"m1\"\nlink = \"panle\"\nmodel = \"x\"\nevery_s = 1\n";
    let found = problems(&format!("{MINIMAL}{link}{meter}{meter}"));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].ends_with("no link \"panle\" in this file; did you mean `panel`?"), "{found:?}");
    assert!(found[1].contains("meter \"m1\" is already defined on line 7"), "{found:?}");
}

#[test]
fn too_many_meters_are_refused() {
    let meters = "[[meter]]\n".repeat(METERS_MAX + 1);
    let found = problems(&format!("{MINIMAL}{meters}"));
    assert_eq!(
        found,
        ["line 4: `meter`: holds 10001 tables, the most is 10000; keep at most 10000 of them in one file"]
    );
}

#[test]
fn an_error_names_file_line_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("consuntivo.toml");
    let missing = load(&file).unwrap_err();
    assert!(missing.to_string().contains("cannot read") && missing.problems().is_empty());
    std::fs::write(&file, "[installation]\nid = \"a\"\nname = 3\n").unwrap();
    let wrong = load(&file).unwrap_err();
    assert_eq!(wrong.problems().len(), 1);
    let text = wrong.to_string();
    assert!(text.contains(&format!("{}:3: `installation.name`: expected", file.display())), "{text}");
    std::fs::write(&file, [0xff, 0xfe]).unwrap();
    assert!(matches!(load(&file), Err(ConfigError::NotText { .. })));
    std::fs::write(&file, " ".repeat(SETTINGS_BYTES_MAX as usize + 1)).unwrap();
    assert!(matches!(load(&file), Err(ConfigError::TooLarge { .. })));
}

#[test]
fn gauges_are_thinned_as_the_file_says_and_totals_never() {
    let of = |quantity: &str| format!("{MINIMAL}[[thin]]\nquantity = \"{quantity}\"\nafter_days = 730\n");
    let (settings, _) = parse(&of("voltage")).unwrap();
    let wanted = ThinSettings { quantity: model::Quantity::Voltage, after_days: 730, every_s: 900 };
    assert_eq!(settings.store.thin, [wanted]);
    let all = problems(&of("active_energy_import"));
    assert!(all.iter().any(|one| one.contains("totals are kept for ever")), "{all:?}");
}

#[test]
fn a_mail_server_is_protected_and_whole() {
    let good = format!(
        "{MINIMAL}[mail]\nserver = \"smtp.example.org\"\nusername = \"u\"\npassword_file = \"p\"\nfrom = \"a@example.org\"\n"
    );
    let (settings, _) = parse(&good).unwrap();
    let mail = settings.sending.mail.unwrap();
    assert_eq!((mail.port, mail.security), (587, MailSecurity::StartTls));
    assert_eq!(mail.password_file, Some(PathBuf::from("/etc/consuntivo/p")));
    for (from, to, says) in [
        ("password_file = \"p\"\n", "", "stands without its other half"),
        ("username = \"u\"", "security = \"plain\"\nusername = \"u\"", "for a relay on this machine"),
        ("smtp.example.org\"", "smtp.example.org:25\"", "expected the mail server's name"),
        ("a@example.org", "competitività@example.org", "expected a mail address"),
        ("username", "receipts_dir = \"x\"\nusername", "`mail.receipts_dir`: is not a known key"),
    ] {
        assert!(good.contains(from), "{from}");
        let said = problems(&good.replacen(from, to, 1)).join("\n");
        assert!(said.contains(says), "{says}: {said}");
    }
}

#[test]
fn alarms_have_limits_and_addresses_that_can_be_used() {
    let (settings, _) = parse(&format!("{MINIMAL}[alarms]\nabove_model_days = 5\n")).unwrap();
    assert_eq!(settings.alarms, AlarmSettings { above_model_days: 5, ..AlarmSettings::default() });
    for (line, says) in [
        ("above_model_days = 8", "from 1 to 7"),
        ("mail_to = [\"nobody\"]", "is no mail address"),
        ("webhook = \"ftp://host\"", "an http or https address"),
        ("self_consumption_percent = 0", "from 1 to 100"),
        ("target_shortfall_percent = 100", "from 0 to 99"),
        ("silent = 3", "silent"),
    ] {
        let all = problems(&format!("{MINIMAL}[alarms]\n{line}\n"));
        assert!(all.iter().any(|p| p.contains(says)), "{line}: {all:?}");
    }
    assert!(!problems(&format!("{MINIMAL}[[kiosk]]\nproject = \"p\"\n")).is_empty());
}

#[test]
fn pages_that_others_reach_are_read_by_nobody_without_an_account() {
    let access = "[access]\nanonymous_reading = true\n";
    let (settings, _) = parse(&format!("{MINIMAL}{access}")).unwrap();
    assert!(settings.access.anonymous_reading && !settings.web.is_exposed());
    for web in [
        "listen = \"0.0.0.0:80\"",
        "public_url = \"https://energia.example/\"",
        "trusted_proxies = [\"127.0.0.1\"]",
    ] {
        let problems = parse(&format!("{MINIMAL}[web]\n{web}\n{access}")).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("lets everybody read"), "{problems:?}");
    }
}

#[test]
fn the_sites_own_address_is_scheme_and_host() {
    let of = |text: &str| parse(&format!("{MINIMAL}[web]\npublic_url = \"{text}\"\n"));
    let (settings, _) = of("https://Energia.example:8443/").unwrap();
    assert_eq!(settings.web.public_url.as_deref(), Some("https://energia.example:8443"));
    assert_eq!(settings.web.public_host(), Some("energia.example"));
    for wrong in ["energia.example", "https://", "https://a/b", "ftp://a", "https://a b"] {
        assert!(of(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_provider_needs_the_sites_address_and_halves_of_tls_are_refused() {
    let provider = "[access.provider]\nissuer = \"https://accesso.example\"\nclient_id = \"c\"\n";
    assert!(parse(&format!("{MINIMAL}{provider}")).is_err());
    let web = "[web]\npublic_url = \"https://energia.example\"\n";
    let (settings, _) = parse(&format!("{MINIMAL}{web}{provider}")).unwrap();
    let provider = settings.access.provider.unwrap();
    assert_eq!((provider.tax_code_claim.as_str(), provider.acr), ("fiscal_number", None));
    assert!(
        parse(&format!(
            "{MINIMAL}[access.provider]\nissuer = \"http://accesso.example\"\nclient_id = \"c\"\n"
        ))
        .is_err()
    );
    assert!(parse(&format!("{MINIMAL}[web]\ncertificate_file = \"a\"\n")).is_err());
}
