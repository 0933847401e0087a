//! Every meter file of the catalogue proves itself, and bad files say what is wrong with them.
//!
//! Must never: be told which files there are; a new file is tested by being in the folder.

use std::fmt::Write as _;

use model::{Kind, Quantity};
use profile::{Decimal, Space};

use super::*;

/// Set to write the listings anew instead of comparing with them.
const BLESS: &str = "CONSUNTIVO_BLESS";

/// Holds a listing against the file that keeps it.
fn golden(path: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&path, now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let line = kept.lines().zip(now.lines()).position(|(a, b)| a != b).unwrap_or(kept.lines().count());
    assert!(
        kept == now,
        "{} is out of date from line {} on; run {BLESS}=1 cargo test -p config meters, review and commit it",
        path.display(),
        line + 1
    );
}

fn catalogue() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog/meters");
    let files = files_in(&folder).unwrap();
    files.iter().map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), read(p).unwrap())).collect()
}

fn says(text: &str) -> String {
    let error = parse_meter("x.toml", text).unwrap_err();
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn sdm630() -> &'static str {
    embedded().find(|(file, _)| *file == "eastron-sdm630.toml").unwrap().1
}

#[test]
fn every_file_of_the_folder_is_embedded_and_proves_itself() {
    let files = catalogue();
    let embedded: Vec<_> = embedded().map(|(f, t)| ((*f).to_owned(), (*t).to_owned())).collect();
    assert_eq!(files, embedded);
    let meters = load_meters(None).unwrap();
    assert_eq!(meters.iter().count(), files.len());
    for (file, text) in &files {
        let model = parse_meter(file, text).unwrap();
        assert_eq!(format!("{}.toml", model.id), *file, "a file is named after its id");
        assert!(!model.evidence.sources.is_empty(), "{file} names no source");
    }
}

/// Milliseconds of one request at 9600 baud: 11 bits a character, 8 characters asked, 5 and two a register answered,
/// 3.5 of silence around each, and 50 ms for the device to turn round.
fn request_ms(registers: u16) -> f64 {
    (8.0 + 5.0 + 2.0 * f64::from(registers) + 7.0) * 11.0 / 9.6 + 50.0
}

#[test]
fn the_plans_keep_the_limits_and_are_listed() {
    let mut plans = String::new();
    for model in load_meters(None).unwrap().iter() {
        let Some(registers) = model.registers() else { continue };
        // Of SunSpec: by offsets from the model's header.
        let plan = profile::plan(&registers.measures, registers.limits);
        let milliseconds: f64 = plan.iter().map(|block| request_ms(block.count)).sum();
        let blocks: Vec<String> = plan
            .iter()
            .map(|block| {
                assert!(block.count <= registers.limits.registers_per_request, "{}", model.id);
                format!("{} {}-{}", block.space.code(), block.address, block.last())
            })
            .collect();
        let (points, count) = (registers.measures.len(), plan.len());
        let seconds = milliseconds / 1000.0;
        writeln!(plans, "{}: {points} points, {count} requests, {seconds:.2} s at 9600 baud", model.id)
            .unwrap();
        writeln!(plans, "  {}", blocks.join(", ")).unwrap();
    }
    golden("src/meters_plans.txt", &plans);
}

/// Requests and seconds a round of a planner that keeps each device's limits and reads holes of up to 16 registers along,
/// counted by hand from the makers' maps. Seconds only where the count was of as many points as the map has: fewer or more
/// points are other registers.
#[test]
fn no_plan_needs_more_requests_or_time_than_the_yardstick() {
    let meters = load_meters(None).unwrap();
    for (id, requests, seconds) in [
        ("eastron-sdm630", 3, Some((25, 0.36))),
        ("eastron-sdm120", 3, None),
        ("carlo-gavazzi-em340", 2, Some((21, 0.33))),
        ("carlo-gavazzi-em540", 2, None),
        ("abb-b23", 3, Some((20, 0.43))),
        ("schneider-iem3155", 5, None),
        ("socomec-countis-e2x", 2, Some((14, 0.23))),
        ("siemens-pac2200", 3, None),
        ("janitza-umg96", 1, None),
        ("lovato-dmg610", 6, Some((20, 0.59))),
        ("kamstrup-multical-403", 3, None),
    ] {
        let model = meters.get(&ModelId::new(id).unwrap()).unwrap();
        let registers = model.registers().unwrap();
        let plan = registers.plan();
        assert!(plan.len() <= requests, "{id}");
        let Some((points, most)) = seconds else { continue };
        assert_eq!(registers.measures.len(), points, "{id}: other points are no measure of time");
        // The yardstick is rounded to hundredths.
        let took: f64 = plan.iter().map(|block| request_ms(block.count) / 1000.0).sum();
        assert!(took < most + 0.005, "{id}: {took} s");
    }
}

#[test]
fn maps_of_uncertain_origin_are_experimental_and_every_map_says_its_grade() {
    for model in load_meters(None).unwrap().iter().filter(|m| m.registers().is_some()) {
        let graded =
            |grade: &str| model.evidence.sources.iter().any(|s| s.starts_with(&format!("grade {grade}")));
        assert!(["A", "B", "C", "D"].iter().any(|grade| graded(grade)), "{} says no grade", model.id);
        if graded("C") || graded("D") {
            assert_eq!(model.evidence.level, EvidenceLevel::Experimental, "{}", model.id);
        }
        let mut channels = model.channels();
        channels.sort();
        channels.dedup();
        assert_eq!(channels.len(), model.channels().len(), "{} has two measures of one channel", model.id);
        let says_so = model.caveats.iter().any(|c| c.starts_with("counts nothing: "));
        assert_eq!(dumps::totals(model).is_empty(), says_so, "{}: whether it counts must be said", model.id);
    }
}

#[test]
fn integer_counters_say_where_they_wrap() {
    let meters = load_meters(None).unwrap();
    let wraps = |id: &str, quantity| {
        let model = meters.get(&ModelId::new(id).unwrap()).unwrap();
        let mut measures = model.registers().unwrap().measures.iter();
        measures.find(|m| m.channel == Channel::total(quantity)).unwrap().wraps_at()
    };
    let import = Quantity::ActiveEnergyImport;
    for (id, quantity, wh) in [
        ("socomec-countis-e2x", import, Some(42_949_672_960)),
        ("socomec-diris-a40", import, Some(4_294_967_296_000)),
        ("zpmeter-223f", Quantity::HeatEnergy, Some(655_360)),
        ("siemens-pac2200", import, None),
        ("carlo-gavazzi-em340", import, None),
        ("eastron-sdm630", import, None),
        ("sunspec-meter", import, None),
    ] {
        assert_eq!(wraps(id, quantity), wh, "{id}");
    }
}

/// One line a meter: what a person who chooses or installs one must know.
fn listing(meters: &Meters, page: &mut String) {
    for model in meters.iter() {
        let interface = match &model.interface {
            Interface::Registers(_) => "Modbus",
            Interface::Payloads(_) => "MQTT",
            Interface::MBus(_) => "M-Bus",
            Interface::Pulses(_) => "Modbus, pulse inputs",
        };
        writeln!(page, "\n### {} {}\n", model.maker, model.name).unwrap();
        writeln!(page, "`{}` · {interface} · {}\n", model.id, model.evidence.level.code()).unwrap();
        let mut quantities: Vec<(Quantity, Vec<&str>)> = Vec::new();
        for channel in model.channels() {
            let phase = channel.phase.code();
            match quantities.iter_mut().find(|(q, _)| *q == channel.quantity) {
                Some((_, phases)) => phases.push(phase),
                None => quantities.push((channel.quantity, vec![phase])),
            }
        }
        let quantities = quantities.iter().map(|(quantity, phases)| match phases.as_slice() {
            ["total"] => quantity.code().to_owned(),
            phases => format!("{} ({})", quantity.code(), phases.join(", ")),
        });
        match model.pulses() {
            None => writeln!(page, "- reads {}", quantities.collect::<Vec<_>>().join(", ")).unwrap(),
            Some(pulses) => {
                let inputs =
                    pulses.inputs.iter().map(|i| format!("{} ({})", i.number, i.encoding.number.code()));
                let inputs = inputs.collect::<Vec<_>>().join(", ");
                writeln!(page, "- counts pulses at inputs {inputs}").unwrap();
            }
        }
        if let Some(registers) = model.registers() {
            let limits = registers.limits;
            let mut tolerates = format!("at most {} registers a request", limits.registers_per_request);
            if limits.pause_ms > 0 {
                write!(tolerates, ", {} ms between two", limits.pause_ms).unwrap();
            }
            if let Some(timeout_ms) = limits.timeout_ms {
                write!(tolerates, ", up to {timeout_ms} ms to answer").unwrap();
            }
            let states = registers.status_plan().len();
            let requests = profile::plan(&registers.measures, registers.limits).len() + states;
            writeln!(page, "- requests a round: {requests}; {tolerates}").unwrap();
            let wraps = registers.measures.iter().filter(|m| m.channel.quantity.kind() == Kind::Total);
            let wraps = wraps.filter_map(|m| Some((m.channel, m.wraps_at()?)));
            // Beyond what any connection carries in a century, a wrap is of no concern.
            let wraps = wraps.filter(|(_, at)| *at < 100_000_000_000);
            let wraps: Vec<String> = wraps
                .map(|(c, at)| format!("{c} at {} {}", Decimal::integer(i128::from(at)), c.quantity.unit()))
                .collect();
            if !wraps.is_empty() {
                writeln!(page, "- begins again at 0: {}", wraps.join(", ")).unwrap();
            }
        }
        if !model.identify.is_empty() {
            writeln!(page, "- is recognised by its own registers").unwrap();
        }
        if !model.texts.is_empty() {
            let names: Vec<String> = model.texts.iter().map(|t| t.name.code().replace('_', " ")).collect();
            writeln!(page, "- shows its {} to `consuntivo read` and `probe`", names.join(", ")).unwrap();
        }
        for caveat in &model.caveats {
            writeln!(page, "- {caveat}").unwrap();
        }
    }
}

#[test]
fn the_page_of_meters_is_that_of_the_catalogue() {
    let meters = load_meters(None).unwrap();
    let head = include_str!("meters_page.txt");
    let mut page = String::from(head.trim_end());
    page.push('\n');
    listing(&meters, &mut page);
    golden("../docs/meters.md", &page);
}

#[test]
fn a_wrong_address_order_type_or_scale_cannot_pass_its_example() {
    let good = sdm630();
    let energy = r#"address = 72, type = "f32", order = "ABCD""#;
    assert!(good.contains(energy));
    for bad in [
        r#"address = 74, type = "f32", order = "ABCD""#,
        r#"address = 73, type = "f32", order = "ABCD""#,
        r#"address = 72, type = "f32", order = "CDAB""#,
        r#"address = 72, type = "u32", order = "ABCD""#,
    ] {
        let said = says(&good.replace(energy, bad));
        assert!(said.starts_with("x.toml: the examples do not prove the file"), "{said}");
    }
    let uncovered = good.replace("\"frequency\" = \"49.98 Hz\"\n", "");
    assert!(says(&uncovered).contains("no example says what frequency must read"));
}

#[test]
fn a_bad_file_names_the_place_and_what_to_do() {
    let good = sdm630();
    let said = says(&good.replace("widest_gap = 16", "widest_gap = 16\nwidest_hole = 3"));
    assert!(said.starts_with("x.toml:26: unknown field `widest_hole`"), "{said}");
    let said = says(&good.replacen("unit = \"V\"", "unit = \"kWh\"", 1));
    assert_eq!(said, "x.toml: `measure[1].unit`: kWh does not measure voltage.l1; use a unit of V");
    let said = says(&good.replacen("quantity = \"voltage\"", "quantity = \"volts\"", 1));
    assert!(
        said.starts_with("x.toml: `measure[1].quantity`: \"volts\" is not known; use one of active"),
        "{said}"
    );
    let said = says(&good.replace("registers_per_request = 80", "registers_per_request = 126"));
    assert_eq!(said, "x.toml: the register map cannot be used: registers_per_request is 126: use 1 to 125");
    let said = says(&good.replacen("from = 0, to = 500", "from = 500, to = 0", 1));
    assert_eq!(said, "x.toml: `measure[1].plausible`: `from` must be below `to`");
    let said = says(&good.replace("[modbus]", "[mqtt]"));
    assert!(said.contains("unknown field"), "{said}");
}

#[test]
fn a_folder_adds_models_and_an_id_is_claimed_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("meters")).unwrap();
    let path = folder.path().join("meters/acme.toml");
    let acme = sdm630()
        .replace("id = \"eastron-sdm630\"", "id = \"acme\"")
        .replace("maker =", "replaces = [\"acme-old\"]\nmaker =");
    std::fs::write(&path, &acme).unwrap();
    let meters = load_meters(Some(folder.path())).unwrap();
    let id = |text| ModelId::new(text).unwrap();
    assert_eq!(meters.get(&id("acme-old")).unwrap().id, id("acme"));

    std::fs::write(&path, acme.replace("acme-old", "eastron-sdm630")).unwrap();
    let errors = load_meters(Some(folder.path())).unwrap_err();
    assert_eq!(
        errors.iter().map(|e| e.to_string().replace(path.to_str().unwrap(), "acme.toml")).collect::<Vec<_>>(),
        ["acme.toml: the id eastron-sdm630 is also claimed by eastron-sdm630.toml; rename one of them"]
    );
}

/// The dump of a meter of an experimental model, and what its display showed.
const DUMP: &str = r#"
model = "itron-cf-echo-2"
serial = "4711"
read_on = "2026-02-03"
[holding]
2 = "00054654"
4 = "001fffe2"
16 = "00000000"
[display]
heat_energy = "345.68 MWh"
water_volume = "2097.12 m3"
cooling_energy = "0 kWh"
"#;

/// The meters of an installation with this dump, or what is wrong with it.
fn with_dump(text: &str) -> Result<Meters, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("dumps")).unwrap();
    std::fs::write(folder.path().join("dumps/echo.toml"), text).unwrap();
    load_meters(Some(folder.path())).map_err(|errors| {
        let said = errors.iter().map(|error| match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        });
        said.collect::<Vec<_>>().join("; ").replace(&format!("{}/dumps/", folder.path().display()), "")
    })
}

#[test]
fn a_dump_of_a_real_meter_proves_the_totals_it_shows_and_no_others() {
    let (echo, meter) = (ModelId::new("itron-cf-echo-2").unwrap(), MeterId::new("cellar").unwrap());
    let heat = Channel::total(Quantity::HeatEnergy);
    let cooling = Channel::total(Quantity::CoolingEnergy);
    assert!(!load_meters(None).unwrap().is_proved(&echo, &meter, heat));

    let meters = with_dump(DUMP).unwrap();
    assert!(meters.is_proved(&echo, &meter, heat));
    assert!(!meters.is_proved(&echo, &meter, cooling), "a zero proves nothing");
    assert_eq!(meters.get(&echo).unwrap().evidence.level, EvidenceLevel::Experimental);
    let sources = &meters.get(&echo).unwrap().evidence.sources;
    assert!(sources.iter().any(|s| s.contains("serial number 4711, read on 2026-02-03")), "{sources:?}");

    let whole = DUMP.replace("16 = \"00000000\"", "16 = \"0000d431\"").replace("0 kWh", "54321 kWh");
    let meters = with_dump(&whole).unwrap();
    assert!(meters.is_proved(&echo, &meter, cooling));
    assert_eq!(meters.get(&echo).unwrap().evidence.level, EvidenceLevel::Bench);
    assert!(!meters.is_proved(&ModelId::new("nobody").unwrap(), &meter, heat));
}

#[test]
fn a_dump_that_contradicts_the_file_is_refused() {
    let said = with_dump(&DUMP.replace("345.68 MWh", "34.568 MWh")).unwrap_err();
    assert!(
        said.starts_with("echo.toml: this dump of a real meter contradicts the meter's file: heat_energy"),
        "{said}"
    );
    let said = with_dump(&DUMP.replace("itron-cf-echo-2", "itron")).unwrap_err();
    assert_eq!(said, "echo.toml: no meter model itron in the catalogue; correct `model`");
    let said = with_dump(&DUMP.replace("345.68 MWh", "345.68")).unwrap_err();
    assert!(said.starts_with("echo.toml: `display.heat_energy`: \"345.68\" is no total"), "{said}");
    let said = with_dump(&DUMP.replace("4 = \"001fffe2\"\n", "")).unwrap_err();
    assert!(said.contains("register 4 of water_volume is missing"), "{said}");
    let said = with_dump(&DUMP.replace("serial", "seriale")).unwrap_err();
    assert!(said.contains("unknown field `seriale`"), "{said}");
}

#[test]
fn where_units_are_set_in_each_meter_a_dump_proves_one_meter() {
    let text = r#"
model = "kamstrup-multical-403"
meter = "cellar"
serial = "4712"
read_on = "2026-02-03"
[holding]
20 = "48a8c9c0"
[display]
heat_energy = "345678 kWh"
"#;
    let meters = with_dump(text).unwrap();
    let (multical, heat) =
        (ModelId::new("kamstrup-multical-403").unwrap(), Channel::total(Quantity::HeatEnergy));
    assert!(meters.is_proved(&multical, &MeterId::new("cellar").unwrap(), heat));
    assert!(!meters.is_proved(&multical, &MeterId::new("attic").unwrap(), heat));
    assert_eq!(meters.get(&multical).unwrap().evidence.level, EvidenceLevel::Experimental);
    let said = with_dump(&text.replace("meter = \"cellar\"\n", "")).unwrap_err();
    assert!(
        said.starts_with("echo.toml: `meter`: units of kamstrup-multical-403 are set in each meter"),
        "{said}"
    );
    let said = with_dump(&text.replace("kWh", "MWh")).unwrap_err();
    assert!(said.contains("contradicts"), "{said}");
}

#[test]
fn a_value_that_no_single_request_can_bring_is_refused() {
    let text = embedded().find(|(file, _)| *file == "siemens-pac2200.toml").unwrap().1;
    let far = text.replacen("plus = [{ address = 805 }]", "plus = [{ address = 905 }]", 1);
    assert!(
        says(&far).contains("active_energy_import takes 108 registers from its first to its last"),
        "{}",
        says(&far)
    );
    let hole = text.replacen("plus = [{ address = 805 }]", "plus = [{ address = 825 }]", 1);
    assert!(says(&hole).contains("the registers of active_energy_import are 20 apart"), "{}", says(&hole));
}

#[test]
fn a_state_of_the_meter_is_part_of_its_file_and_of_its_examples() {
    let status = "[[status]]\nregister = { space = \"discrete\", address = 3 }\ngood = \"0\"\nchannels = [\"active_energy_import\"]\n";
    let with = |status: &str, state: &str| {
        let states = format!("[[example]]\n[example.discrete]\n{state}\n");
        let text = sdm630().replacen("[[example]]\n", &format!("{status}\n{states}"), 1);
        parse_meter("x.toml", &text)
    };
    let model = with(status, "2 = \"101\"").unwrap();
    let registers = model.registers().unwrap();
    let plan = registers.status_plan();
    assert_eq!((plan.len(), plan[0].space, plan[0].address, plan[0].count), (1, Space::Discrete, 3, 1));
    let of_energy =
        registers.measures.iter().filter(|m| !registers.statuses[0].channels.contains(&m.channel));
    assert_eq!(of_energy.count(), registers.measures.len() - 1);
    let said = |status: &str, state: &str| {
        let error = with(status, state).unwrap_err();
        let source = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
        format!("{error}{source}")
    };
    assert!(said(status, "3 = \"1\"").contains("Withheld"), "an example under a fault proves nothing");
    assert!(said(status, "4 = \"0\"").contains("Withheld"), "nor does one without the state");
    assert!(said(status, "3 = \"2\"").contains("bits as digits 0 and 1"));
    assert!(said(&status.replace("good = \"0\"", "good = \"2\""), "3 = \"0\"").contains("can never be good"));
    assert!(said(&status.replace("discrete", "coils"), "3 = \"0\"").contains("use one of coil, discrete"));
    let of_nothing = status.replace("active_energy_import", "gas_volume");
    assert!(said(&of_nothing, "3 = \"0\"").contains("governs gas_volume, which the file does not read"));
    let as_number = sdm630().replacen("space = \"input\"", "space = \"coil\"", 1);
    assert!(says(&as_number).contains("use one of holding, input"));
}
