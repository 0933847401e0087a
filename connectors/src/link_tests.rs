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
            "settings.invalid link:same: link `good` has the same modbus-tcp address 10.0.0.5:502; put the meters under one link",
            "settings.key.unknown link:typo: key `timeout` is not known; did you mean `timeout_ms`?",
            "settings.invalid link:alien: connector \"bacnet\" is not known; use one of modbus-tcp, mqtt, mbus",
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
