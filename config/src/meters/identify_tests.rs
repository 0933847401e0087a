//! Every meter of the catalogue that says how it is recognised is, and no other with it.
//!
//! Must never: be told which files there are, or let two files claim the same device.

use profile::MeterModel;

use super::super::{Meters, embedded, load_meters, parse_meter};
use super::*;

#[derive(Deserialize)]
struct OfFile {
    id: String,
    #[serde(default)]
    identify: Vec<IdentifyForm>,
}

/// The example devices of all files, with the id of the file.
fn devices() -> Vec<(String, Answers)> {
    let files = embedded().map(|(_, text)| toml::from_str::<OfFile>(text).unwrap());
    let of = files.flat_map(|file| {
        let answers = file.identify.iter().map(|form| answers("identify", form).unwrap());
        answers.map(|answers| (file.id.clone(), answers)).collect::<Vec<_>>()
    });
    of.collect()
}

/// The same device with every code that its file takes for one of its own.
fn with_every_code(model: &MeterModel, device: &Answers) -> Vec<Answers> {
    let mut all = vec![device.clone()];
    for check in model.identify.iter().flat_map(|way| &way.checks) {
        if let Check::OneOf { register, values, .. } = check
            && device.registers.contains_key(register)
        {
            let with = |value: &u64| {
                let mut device = device.clone();
                device.registers.insert(*register, u16::try_from(*value).unwrap());
                device
            };
            all.extend(values.iter().map(with));
        }
    }
    all
}

fn recognised<'a>(meters: &'a Meters, device: &Answers) -> Vec<&'a str> {
    let holds =
        |m: &&std::sync::Arc<MeterModel>| m.identify.iter().any(|way| way.holds(|q| device.answer(q)));
    meters.iter().filter(holds).map(|m| m.id.as_str()).collect()
}

#[test]
fn every_device_is_recognised_as_itself_and_as_nothing_else() {
    let meters = load_meters(None).unwrap();
    let devices = devices();
    for (id, device) in &devices {
        let model = meters.iter().find(|m| m.id.as_str() == id).unwrap();
        for device in with_every_code(model, device) {
            assert_eq!(recognised(&meters, &device), [id.as_str()], "{:?}", device.registers);
        }
    }
    let ways: usize = meters.iter().map(|m| m.identify.len()).sum();
    assert_eq!(ways, devices.len());
    for id in ["abb-b23", "carlo-gavazzi-em340", "eastron-sdm630", "schneider-iem3155", "siemens-pac2200"] {
        assert!(devices.iter().any(|(of, _)| of == id), "{id} is not recognised");
    }
    assert_eq!(
        recognised(&meters, &Answers { registers: BTreeMap::new(), objects: BTreeMap::new() }),
        [""; 0]
    );
}

/// Words as devices were seen to answer them, written down apart from the files.
#[test]
fn words_of_real_devices_are_recognised() {
    let meters = load_meters(None).unwrap();
    let cases: [(&str, Space, u16, &[u16]); 6] = [
        ("eastron-sdm72-v2", Space::Holding, 0xFC02, &[0x0089]),
        ("eastron-sdm120", Space::Holding, 0xFC02, &[0x0020]),
        ("abb-b21", Space::Holding, 0x8960, &[0x4232, 0x3120]),
        ("abb-b23", Space::Holding, 0x8960, &[0x4232, 0x3420]),
        ("carlo-gavazzi-em540", Space::Input, 0x000B, &[0x06E0]),
        ("carlo-gavazzi-em24-e1", Space::Input, 0x000B, &[1_650]),
    ];
    for (id, space, address, words) in cases {
        let places = (address..).map(|address| RegisterRef { space, address });
        let device =
            Answers { registers: places.zip(words.iter().copied()).collect(), objects: BTreeMap::new() };
        assert_eq!(recognised(&meters, &device), [id]);
    }
    let other = Answers {
        registers: BTreeMap::from([(RegisterRef { space: Space::Holding, address: 0xFC02 }, 0x0079)]),
        objects: BTreeMap::new(),
    };
    assert_eq!(recognised(&meters, &other), [""; 0], "an SDM630MCT may count in MWh");
}

fn file(name: &str) -> &'static str {
    embedded().find(|(file, _)| *file == name).unwrap().1
}

fn says(text: &str) -> String {
    parse_meter("x.toml", text).unwrap_err().to_string()
}

#[test]
fn a_way_of_identification_that_says_nothing_is_refused() {
    let text = file("carlo-gavazzi-em24-e1.toml");
    let codes = "one_of = [1648, 1649, 1650, 1651, 1652, 1653]";
    assert!(text.contains(codes));
    for (bad, why) in [
        ("one_of = []", "give `register` with one of"),
        ("text = \"\", text_words = 2", "give `register` with one of"),
        ("text = \"EM24\", text_words = 99", "`text_words` is 99; use 1 to 32"),
        ("text = \"EM24\", text_words = 2, text_skip = 2", "the text lies outside its 2 registers"),
        ("words = \"07\"", "groups of four hexadecimal digits"),
        ("there = 0", "give `register` with one of"),
        ("there = 1", "give at least one check of what the device says"),
        ("one_of = [1648], there = 1", "give `register` with one of"),
        ("one_of = [1649]", "a device that answers so does not pass the checks"),
    ] {
        let said = says(&text.replace(codes, bad));
        assert!(said.contains(why), "{bad}: {said}");
    }
    let measure = "[[measure]]\nquantity = \"voltage\"\nphase = \"l1\"";
    let object = |contains: &str| {
        let way = format!(
            "check = [{{ object = \"maker\", contains = \"{contains}\" }}]\nanswers.object.maker = \"Acme\""
        );
        text.replace(measure, &format!("[[identify]]\n{way}\n\n{measure}"))
    };
    assert!(says(&object(" ")).contains("every device would pass"));
    assert!(says(&object("Emca")).contains("does not pass the checks"));
    assert!(parse_meter("x.toml", &object("acm")).is_ok());
}

#[test]
fn a_text_that_its_example_does_not_prove_is_refused() {
    let text = file("abb-b21.toml");
    let model = parse_meter("x.toml", text).unwrap();
    assert_eq!(model.texts.len(), 3);
    for (good, bad, why) in [
        ("reads = \"B21 112-100\"", "reads = \"B23 112-100\"", "the answer reads \"B21 112-100\""),
        ("name = \"firmware\"", "name = \"model\"", "model is given twice"),
        ("name = \"firmware\"", "name = \"colour\"", "use one of manufacturer, model"),
        ("words = 8", "words = 40", "`words` is 40; use 1 to 32"),
        ("words = 8", "words = 7", "8 words where 7 are read"),
    ] {
        assert!(text.contains(good), "{good}");
        let said = says(&text.replacen(good, bad, 1));
        assert!(said.contains(why), "{bad}: {said}");
    }
    let narrow = text.replace("registers_per_request = ", "registers_per_request = 5 #");
    assert!(says(&narrow).contains("6 registers are more than registers_per_request"));
    let chain = file("sunspec-meter.toml");
    assert_eq!(parse_meter("x.toml", chain).unwrap().texts.len(), 4, "of the common model");
    let own = "[[text]]\nname = \"model\"\nanswer = \"4142\"\nreads = \"AB\"\nwords = 1\n\
               register = { space = \"holding\", address = 0, type = \"u16\", order = \"ABCD\" }\n\n[[measure]]";
    assert!(says(&chain.replacen("[[measure]]", own, 1)).contains("in its common model"));
}

/// A meter of which another application was chosen shows other things at the same places.
#[test]
fn an_em24_with_another_application_gives_no_value() {
    let text = file("carlo-gavazzi-em24-e1.toml");
    let registers = parse_meter("x.toml", text).unwrap().registers().unwrap().clone();
    assert_eq!(registers.status_plan().len(), 1);
    let application = RegisterRef { space: Space::Input, address: 0xA000 };
    let of = |known: &[(RegisterRef, u16)]| {
        let known = known.iter().copied().collect();
        let value = profile::Decoded::Value(model::Value::Total(1));
        let trusted = |m: &profile::Measure| registers.trusted(m.channel, value, &known) == value;
        registers.measures.iter().filter(|m| trusted(m)).count()
    };
    assert_eq!(of(&[(application, 7)]), registers.measures.len());
    assert_eq!((of(&[(application, 6)]), of(&[])), (0, 0));
    let wrong = text.replace("40960 = \"0007\"", "40960 = \"0006\"");
    let error = parse_meter("x.toml", &wrong).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("Withheld"), "{error}");
}
