//! What a file itself tells of the unit and the kind of its energy: in a header, or in a column of its own.
//!
//! Must never: take silence for another unit, or let values pass of which the file says that they are something else.

use model::{Direction, Unit};

use super::sheet::Column;

/// The column that names the unit of a row's values, where a file has one.
pub(super) const UNIT: Column = Column {
    name: "unit",
    headers: &["unit", "unita", "unita_di_misura", "unita_misura", "um", "u_m_", "u_m"],
};

/// The units of totals by the spellings of files, in lower case. Those of one letter count between brackets only.
const SPELLINGS: [(&str, Unit); 29] = [
    ("wh", Unit::WattHour),
    ("kwh", Unit::KilowattHour),
    ("mwh", Unit::MegawattHour),
    ("mj", Unit::Megajoule),
    ("gj", Unit::Gigajoule),
    ("gcal", Unit::Gigacalorie),
    ("varh", Unit::VarHour),
    ("kvarh", Unit::KilovarHour),
    ("kw", Unit::Kilowatt),
    ("kva", Unit::KilovoltAmpere),
    ("kvar", Unit::Kilovar),
    ("m3", Unit::CubicMetre),
    ("m³", Unit::CubicMetre),
    ("mc", Unit::CubicMetre),
    ("smc", Unit::StandardCubicMetre),
    ("sm3", Unit::StandardCubicMetre),
    ("sm³", Unit::StandardCubicMetre),
    ("m3/h", Unit::CubicMetrePerHour),
    ("m³/h", Unit::CubicMetrePerHour),
    ("mc/h", Unit::CubicMetrePerHour),
    ("l/h", Unit::LitrePerHour),
    ("kg", Unit::Kilogram),
    ("litri", Unit::Litre),
    ("l", Unit::Litre),
    ("lt", Unit::Litre),
    ("g", Unit::Gram),
    ("t", Unit::Tonne),
    ("w", Unit::Watt),
    ("var", Unit::Var),
];

/// Spellings that mean other things where no bracket says that a unit is meant: `MC 1`, `linea T`, `var. F1`.
const BRACKETS_ONLY: [&str; 7] = ["mc", "l", "lt", "g", "t", "w", "var"];

/// The unit that a cell names; `None` for one that is empty or names none that is known.
pub(super) fn unit(cell: &str) -> Option<Unit> {
    let cell = cell.trim().to_lowercase();
    SPELLINGS.iter().find(|(spelling, _)| *spelling == cell).map(|(_, unit)| *unit)
}

/// The unit that a header tells beside its name: `Energia [kWh]`, `Consumo (Smc)`, `energia_mwh`, `kWh`. The one between
/// brackets counts before the others.
pub(super) fn unit_of_header(header: &str) -> Option<Unit> {
    let is_bracket = |c: char| matches!(c, '(' | ')' | '[' | ']');
    let mut within = header.split(['(', '[']).skip(1).filter_map(|rest| rest.split([')', ']']).next());
    let plain = || {
        let words = header.split(|c: char| c.is_whitespace() || is_bracket(c) || "_-,;:".contains(c));
        words.filter(|word| !BRACKETS_ONLY.contains(&word.to_lowercase().as_str())).find_map(unit)
    };
    within.find_map(unit).or_else(plain)
}

/// Energy that is no active energy, as a name of a column or of a curve tells: `Energia reattiva induttiva`, `kvarh`.
pub(super) fn is_reactive(name: &str) -> bool {
    let name = name.to_lowercase();
    ["reattiv", "reactive", "varh"].iter().any(|word| name.contains(word))
}

/// Which way a curve says that its energy flows; `None` where it does not say.
pub(super) fn direction(name: &str) -> Option<Direction> {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "a+" => return Some(Direction::Import),
        "a-" => return Some(Direction::Export),
        _ => {}
    }
    let has = |words: [&str; 3]| words.iter().any(|word| name.contains(word));
    match (has(["immess", "immission", "export"]), has(["preliev", "prelevat", "import"])) {
        (true, false) => Some(Direction::Export),
        (false, true) => Some(Direction::Import),
        (true, true) | (false, false) => None,
    }
}

/// Why a row's values cannot be taken: its unit column says another unit than the one that is wanted, or none that is
/// known. An empty cell tells nothing. `how` says what to do.
pub(super) fn refusal(cell: &str, wanted: Unit, how: &str) -> Option<String> {
    match unit(cell) {
        _ if cell.trim().is_empty() => None,
        Some(found) if found == wanted => None,
        Some(found) => Some(format!("says that the values are in {found}, and {wanted} are wanted; {how}")),
        None => Some(format!("is no unit that is known, and {wanted} are wanted; {how}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_its_unit_or_nothing() {
        for (header, told) in [
            ("Energia [kWh]", Some(Unit::KilowattHour)),
            ("Consumo (Smc)", Some(Unit::StandardCubicMetre)),
            ("energia_mwh", Some(Unit::MegawattHour)),
            ("KWH", Some(Unit::KilowattHour)),
            ("Energia attiva kWh (F1)", Some(Unit::KilowattHour)),
            ("Potenza media (kW)", Some(Unit::Kilowatt)),
            ("Volume m³", Some(Unit::CubicMetre)),
            ("Pellet (t)", Some(Unit::Tonne)),
            ("Portata (m3/h)", Some(Unit::CubicMetrePerHour)),
            ("Reattiva kvarh", Some(Unit::KilovarHour)),
            ("MC 1", None),
            ("Linea T", None),
            ("Calore centrale 1", None),
            ("Fase (A)", None),
            ("Contatore g", None),
            ("Mensile", None),
            ("", None),
        ] {
            assert_eq!(unit_of_header(header), told, "{header}");
        }
    }

    #[test]
    fn every_unit_of_a_total_is_known_by_its_symbol() {
        for unit_of in Unit::ALL {
            let total = model::Quantity::ALL
                .iter()
                .filter(|q| q.kind() == model::quantity::Kind::Total)
                .any(|q| unit_of.factor_to(*q).is_some());
            assert!(!total || unit(unit_of.symbol()) == Some(unit_of), "{unit_of}");
        }
    }

    #[test]
    fn a_curve_tells_what_flows_and_which_way() {
        for (name, reactive, way) in [
            ("Energia attiva prelevata", false, Some(Direction::Import)),
            ("Energia Attiva Immessa", false, Some(Direction::Export)),
            ("Reattiva induttiva", true, None),
            ("kvarh", true, None),
            ("A+", false, Some(Direction::Import)),
            ("a-", false, Some(Direction::Export)),
            ("F1", false, None),
            ("attiva", false, None),
        ] {
            assert_eq!((is_reactive(name), direction(name)), (reactive, way), "{name}");
        }
    }

    #[test]
    fn silence_tells_nothing_and_another_unit_is_refused_with_both() {
        let how = "export it again";
        assert_eq!(refusal("", Unit::KilowattHour, how), None);
        assert_eq!(refusal(" KWh ", Unit::KilowattHour, how), None);
        let told = refusal("MWh", Unit::KilowattHour, how).unwrap();
        assert_eq!(told, "says that the values are in MWh, and kWh are wanted; export it again");
        assert!(
            refusal("quintali", Unit::KilowattHour, how).unwrap().starts_with("is no unit that is known")
        );
    }
}
