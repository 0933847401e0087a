//! Line protocol: any point is refused, or is one line that says the same.
//!
//! Must never: hold the law itself; that stands in `line_law`, where the fuzz target uses it too.

use proptest::prelude::*;
use store::engine::{Field, Precision};

use crate::line_law::{check, parse};

/// Texts with everything in them that has a meaning in the protocol.
fn text() -> impl Strategy<Value = String> {
    let hard = prop::sample::select(vec![
        ",",
        "=",
        " ",
        "\\",
        "\"",
        "'",
        "\n",
        "\r",
        "\t",
        "#",
        "%",
        "%0A",
        "\0",
        "i",
        "t",
        "1",
        "\u{2028}",
        "\u{85}",
        "è",
        "🏫",
        "\\,",
        "\\\\",
        "total=1i",
        "\n#",
        " 1750000000000\n",
    ]);
    prop_oneof![
        prop::collection::vec(hard, 0..8).prop_map(|parts| parts.concat()),
        any::<String>(),
        "[a-z0-9._-]{1,20}",
    ]
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        any::<i64>().prop_map(Field::Integer),
        any::<u64>().prop_map(|bits| Field::Float(f64::from_bits(bits))),
        Just(Field::Float(f64::NAN)),
        any::<f32>().prop_map(|f| Field::Float(f64::from(f))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn one_point_is_one_line_that_says_the_same(
        measurement in text(),
        tags in prop::collection::vec((text(), text()), 0..5),
        fields in prop::collection::vec((text(), field()), 0..4),
        millis in prop_oneof![any::<i64>(), 0..4_000_000_000_000_i64],
        nanos: bool,
    ) {
        let precision = if nanos { Precision::Nanos } else { Precision::Millis };
        check(&measurement, &tags, &fields, millis, precision);
    }
}

#[test]
fn the_parser_knows_the_examples_of_the_description() {
    let parsed = parse(r"my\ measurement,tag\ one=a\,b,t=x f1=1i,f2=2.5 1556813561098000000").unwrap();
    assert_eq!(parsed.measurement, "my measurement");
    assert_eq!(parsed.tags, [("tag one".to_owned(), "a,b".to_owned()), ("t".to_owned(), "x".to_owned())]);
    assert_eq!((parsed.fields.len(), parsed.stamp), (2, 1_556_813_561_098_000_000));
    for bad in ["", "m", "m f=1", "m,t= f=1 1", "m,=v f=1 1", "# m f=1 1", "m f=1 1 2", "m,t=v 1"] {
        assert_eq!(parse(bad), None, "{bad}");
    }
}
