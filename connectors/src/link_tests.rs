//! From tables to links: what is wrong is named, the rest runs.
//!
//! Must never: open a socket.

use super::*;
use crate::testing::{spec, two_blocks};

fn link(id: &str, connector: &str, table: &str) -> LinkSpec {
    LinkSpec { id: id.into(), connector: connector.into(), table: table.parse().unwrap() }
}

fn says(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|f| format!("{} {}: {}", f.code, f.subject, f.says)).collect()
}

#[test]
fn what_is_wrong_is_left_out_and_named_and_the_rest_is_planned() {
    let model = two_blocks();
    let (links, findings) = plan_links(
        vec![
            link("good", "modbus-tcp", "address = \"10.0.0.5:502\""),
            link("same", "modbus-tcp", "address = \"10.0.0.5:502\""),
            link("typo", "modbus-tcp", "address = \"10.0.0.6:502\"\ntimeout = 5"),
            link("alien", "bacnet", ""),
            link("idle", "modbus-tcp", "address = \"10.0.0.7:502\""),
            link("broker", "mqtt", "address = \"localhost:1883\"\nclient_id = \"c\""),
        ],
        vec![
            spec("a", "good", &model, 60, "unit = 1"),
            spec("b", "good", &model, 60, "unit = 1"),
            spec("c", "good", &model, 60, "unti = 2"),
            spec("d", "good", &model, 60, "unit = 250"),
            spec("e", "nowhere", &model, 60, "unit = 1"),
            spec("f", "broker", &model, 60, "topic = \"a/b\""),
        ],
    );
    assert_eq!(links.iter().map(Link::id).collect::<Vec<_>>(), ["good", "broker"]);
    assert_eq!(links[0].meters().iter().map(|m| m.as_str().to_owned()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(
        says(&findings),
        [
            "settings.invalid meter:e: link `nowhere` does not exist; name one of the [[link]] tables",
            "settings.invalid meter:b: meter `a` has the same unit 1; give each its own",
            "settings.key.unknown meter:c: key `unti` is not known; did you mean `unit`?",
            "settings.invalid meter:d: unit 250 is reserved; use 1 to 247, or 255",
            "settings.invalid link:same: link `good` has the same modbus address 10.0.0.5:502; put the meters under one link",
            "settings.key.unknown link:typo: key `timeout` is not known; did you mean `timeout_ms`?",
            "settings.invalid link:alien: connector \"bacnet\" is not known; use one of modbus-tcp, modbus-rtu, modbus-rtu-over-tcp, mqtt, mbus",
            "settings.link.unused link:idle: no meter uses this link; add one or remove the link",
            "settings.invalid meter:f: model `two-blocks` does not speak mqtt; choose another model or link",
        ]
    );
}

#[test]
fn addresses_and_limits_are_judged_without_io() {
    let parse = |table: &str| {
        let findings = parse_link("l", "modbus-tcp", &table.parse().unwrap()).unwrap_err();
        findings.into_iter().map(|f| f.says).collect::<Vec<_>>().join("; ")
    };
    for bad in ["10.0.0.5", ":502", "10.0.0.5:0", "10.0.0.5:70000", "http://x:1", "[::g]:502"] {
        let said = parse(&format!("address = \"{bad}\""));
        assert!(said.contains("is no host and port; write it like 10.0.0.5:502"), "{said}");
    }
    assert!(parse_link("l", "modbus-tcp", &"address = \"[::1]:502\"".parse().unwrap()).is_ok());
    assert_eq!(parse("address = \"h:1\"\ntimeout_ms = 0"), "timeout_ms is 0; use 10 to 60000");
    assert!(parse("address = 5").contains("invalid type"), "{}", parse("address = 5"));
    assert!(parse("").contains("missing field `address`"), "{}", parse(""));
}

#[test]
fn the_three_ways_of_modbus_have_their_own_keys() {
    let parse = |connector: &str, table: &str| parse_link("l", connector, &table.parse().unwrap());
    let place = |connector: &str, table: &str| match parse(connector, table).unwrap() {
        LinkSettings::Modbus(settings) => settings.way.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(place("modbus-tcp", "address = \"h:502\""), "modbus tcp h:502");
    assert_eq!(place("modbus-rtu-over-tcp", "address = \"h:4001\""), "modbus rtu over tcp h:4001");
    assert_eq!(place("modbus-rtu", "device = \"/dev/ttyS1\""), "modbus rtu /dev/ttyS1 9600 8N1");
    let line = "device = \"/dev/ttyS1\"\nbaud = 19200\nparity = \"even\"\nstop_bits = 1";
    assert_eq!(place("modbus-rtu", line), "modbus rtu /dev/ttyS1 19200 8E1");
    let wrong = |connector: &str, table: &str| {
        let findings = parse(connector, table).unwrap_err();
        findings.into_iter().map(|f| f.says).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(
        wrong("modbus-rtu", "device = \"ttyUSB0\"\nbaud = 96\nstop_bits = 3"),
        "device \"ttyUSB0\" is no device file; write it like /dev/ttyUSB0; baud is 96; use 1200 to 1000000; \
         stop_bits is 3; use 1 or 2"
    );
    assert!(wrong("modbus-rtu", "device = \"/dev/a\"\nparity = \"mark\"").contains("unknown variant `mark`"));
    assert_eq!(
        wrong("modbus-rtu", "adress = \"h:1\""),
        "key `adress` is not known; did you mean `parity`?",
        "a network's key has no place on a serial line"
    );
    assert!(wrong("modbus-tcp", "address = \"h:1\"\nbaud = 9600").contains("key `baud` is not known"));
}

#[test]
fn on_a_serial_line_a_meter_has_a_number_of_its_own() {
    let model = two_blocks();
    let meters = |units: &[&str]| -> Vec<MeterSpec> {
        units.iter().map(|u| spec(&format!("m{u}"), "line", &model, 60, &format!("unit = {u}"))).collect()
    };
    let line = || vec![link("line", "modbus-rtu", "device = \"/dev/ttyUSB0\"")];
    let (links, findings) = plan_links(line(), meters(&["0", "1", "247", "255"]));
    assert_eq!(links[0].meters().len(), 2);
    assert_eq!(
        says(&findings),
        [
            "settings.invalid meter:m0: unit 0 is no device on a serial line; use 1 to 247",
            "settings.invalid meter:m255: unit 255 is no device on a serial line; use 1 to 247",
        ]
    );
    // One gateway behind two framings would be asked by two links at once.
    let mut two = vec![link("tcp", "modbus-tcp", "address = \"g:502\"")];
    two.push(link("line", "modbus-rtu-over-tcp", "address = \"g:502\""));
    let tcp = spec("a", "tcp", &model, 60, "unit = 1");
    let (_, findings) = plan_links(two, [vec![tcp], meters(&["1"])].concat());
    assert_eq!(
        says(&findings),
        [
            "settings.invalid link:line: link `tcp` has the same modbus address g:502; put the meters under one link"
        ]
    );
}
