//! Energy performance certificates (APE) in the national XML format `APEx2015`, version 12: the declared values.
//!
//! Names of elements, the unit codes of carriers and the number of decimals are those of the schema `APEx2015_v12.xsd`
//! (Regione Piemonte, `sicee-siceegwsiape`, EUPL). Elements are found by their names, with or without a prefix.
//!
//! Must never: expand an entity, follow a reference out of the file, or choose between two values of one element.

use chrono::NaiveDate;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{FileError, cells, text};

/// Largest certificate in bytes; they have some tens of kilobytes, more with a picture in them.
pub const APE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Deepest nesting of elements.
const DEPTH_MAX: usize = 64;
/// Most elements.
const ELEMENTS_MAX: usize = 50_000;
/// Longest text kept of an element, in characters; a longer one (a picture) is no declared value.
const TEXT_MAX: usize = 400;

/// What a certificate declares. `None` for what it does not say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ape {
    /// Given by the region, at most 36 characters.
    pub code: Option<String>,
    /// `01` to `22`.
    pub region: Option<String>,
    pub expires: Option<NaiveDate>,
    /// `A4` to `G`.
    pub class: Option<String>,
    /// `A` to `F`.
    pub climate_zone: Option<String>,
    pub year_built: Option<i32>,
    pub heated_area_m2: Option<f64>,
    pub cooled_area_m2: Option<f64>,
    pub heated_volume_m3: Option<f64>,
    pub cooled_volume_m3: Option<f64>,
    /// EPgl,nren in kWh/m² a year.
    pub primary_nonrenewable_kwh_m2: Option<f64>,
    /// EPgl,ren in kWh/m² a year.
    pub primary_renewable_kwh_m2: Option<f64>,
    /// kg/m² a year.
    pub co2_kg_m2: Option<f64>,
    /// In order of the schema.
    pub carriers: Vec<ApeCarrier>,
    /// What stands in the file and cannot be used, in words.
    pub problems: Vec<String>,
}

/// What the building needs of one carrier in a year of standard use.
#[derive(Debug, Clone, PartialEq)]
pub struct ApeCarrier {
    /// The element's name: `gasNaturale`.
    pub name: &'static str,
    pub amount: f64,
    pub unit: ApeUnit,
}

/// The unit codes of `consumoAnnuoUM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApeUnit {
    /// Code 0, not used after 2016-12-31.
    NormalCubicMetre,
    /// Code 1, not used after 2016-12-31.
    Litre,
    Kilogram,
    KilowattHour,
    StandardCubicMetre,
}

impl ApeUnit {
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::NormalCubicMetre => "Nm3",
            Self::Litre => "l",
            Self::Kilogram => "kg",
            Self::KilowattHour => "kWh",
            Self::StandardCubicMetre => "Smc",
        }
    }

    fn of_code(code: &str) -> Option<Self> {
        match code {
            "0" => Some(Self::NormalCubicMetre),
            "1" => Some(Self::Litre),
            "2" => Some(Self::Kilogram),
            "3" => Some(Self::KilowattHour),
            "4" => Some(Self::StandardCubicMetre),
            _ => None,
        }
    }
}

/// The carriers' elements in the schema's order.
const CARRIERS: [&str; 15] = [
    "energiaElettricaRete",
    "gasNaturale",
    "gpl",
    "carbone",
    "gasolio",
    "olioCombustibile",
    "biomasseSolide",
    "biomasseLiquide",
    "biomasseGassose",
    "solareFotovoltaico",
    "solareTermico",
    "eolico",
    "teleriscaldamento",
    "teleraffrescamento",
    "altro",
];

/// An element without children: the names above it and its own, and its text.
struct Leaf {
    path: Vec<String>,
    text: String,
}

/// Reads a certificate.
pub fn read_ape(bytes: &[u8]) -> Result<Ape, FileError> {
    if APE_BYTES_MAX < bytes.len() {
        return Err(FileError::TooLarge { bytes: bytes.len() });
    }
    let text = text::decode(bytes)?;
    let leaves = leaves(&text)?;
    let mut file = Certificate { leaves: &leaves, problems: Vec::new() };
    let mut ape = Ape {
        code: file.text("codiceIdentificativo"),
        region: file.text("codiceISTATRegione"),
        expires: file.text("dataScadenza").and_then(|t| file.day(&t)),
        class: file.text("classeEnergetica"),
        climate_zone: file.text("zonaClimatica"),
        year_built: file.text("annoCostruzione").and_then(|t| t.parse().ok()),
        heated_area_m2: file.number("superficieUtileRiscaldata"),
        cooled_area_m2: file.number("superficieUtileRaffrescata"),
        heated_volume_m3: file.number("volumeLordoRiscaldato"),
        cooled_volume_m3: file.number("volumeLordoRaffrescato"),
        primary_nonrenewable_kwh_m2: file.number("epglnren"),
        primary_renewable_kwh_m2: file.number("epglren"),
        co2_kg_m2: file.number("emissioniCO2"),
        carriers: Vec::new(),
        problems: Vec::new(),
    };
    ape.carriers = CARRIERS.iter().filter_map(|name| file.carrier(name)).collect();
    ape.problems = file.problems;
    let says_nothing =
        ape.code.is_none() && ape.primary_nonrenewable_kwh_m2.is_none() && ape.carriers.is_empty();
    if says_nothing {
        let why =
            "no certificate stands in this file: neither codiceIdentificativo nor epglnren nor a carrier";
        return Err(FileError::Xml { line: 1, why: why.to_owned() });
    }
    Ok(ape)
}

fn leaves(text: &str) -> Result<Vec<Leaf>, FileError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut path: Vec<String> = Vec::new();
    let mut found: Vec<Leaf> = Vec::new();
    let mut content = String::new();
    let (mut elements, mut had_children) = (0_usize, false);
    loop {
        let position = reader.buffer_position();
        let bad = |why: String| {
            let before = usize::try_from(position).unwrap_or(usize::MAX).min(text.len());
            let line = 1 + text.as_bytes().iter().take(before).filter(|&&b| b == b'\n').count() as u64;
            FileError::Xml { line, why }
        };
        match reader.read_event().map_err(|e| bad(format!("is no well-formed XML: {e}")))? {
            Event::Start(start) => {
                elements += 1;
                if DEPTH_MAX <= path.len() || ELEMENTS_MAX < elements {
                    let why = format!(
                        "more than {DEPTH_MAX} levels or {ELEMENTS_MAX} elements; this is no certificate"
                    );
                    return Err(bad(why));
                }
                path.push(start.local_name().as_ref().to_owned());
                content.clear();
                had_children = false;
            }
            Event::End(_) => {
                if !had_children && content.chars().count() <= TEXT_MAX {
                    found.push(Leaf { path: path.clone(), text: content.trim().to_owned() });
                }
                path.pop();
                content.clear();
                had_children = true;
            }
            Event::Text(part) => {
                if content.len() <= TEXT_MAX * 4 {
                    content.push_str(&part);
                }
            }
            // As much a part of the content as plain text: without it `1<![CDATA[0]]>5` would be 15.
            Event::CData(part) => {
                if content.len() <= TEXT_MAX * 4 {
                    content.push_str(&part);
                }
            }
            Event::GeneralRef(entity) => {
                let name = entity.to_string();
                let known = match (entity.resolve_char_ref(), name.as_str()) {
                    (Ok(Some(c)), _) => Some(c),
                    (_, "amp") => Some('&'),
                    (_, "lt") => Some('<'),
                    (_, "gt") => Some('>'),
                    (_, "quot") => Some('"'),
                    (_, "apos") => Some('\''),
                    _ => None,
                };
                content.push(known.ok_or_else(|| bad(format!("the entity &{name}; is not expanded")))?);
            }
            Event::DocType(_) => {
                return Err(bad("a document type stands here, which a certificate does not have".to_owned()));
            }
            Event::Eof if path.is_empty() => return Ok(found),
            Event::Eof => return Err(bad(format!("the file ends within <{}>", path.join("/")))),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Empty(_) => {}
        }
    }
}

/// A certificate being looked through.
struct Certificate<'l> {
    leaves: &'l [Leaf],
    problems: Vec<String>,
}

impl Certificate<'_> {
    /// The text of the only element with this name, or of those that agree. Where several differ, those of the
    /// building as it is go before those of recommended works.
    fn text(&mut self, name: &str) -> Option<String> {
        let named = |leaf: &&Leaf| leaf.path.last().is_some_and(|last| last == name) && !leaf.text.is_empty();
        let mut texts: Vec<&str> = self.leaves.iter().filter(named).map(|l| l.text.as_str()).collect();
        texts.dedup();
        if 1 < texts.len() {
            let proposed = |leaf: &&Leaf| leaf.path.iter().any(|step| step.starts_with("raccomandazion"));
            texts =
                self.leaves.iter().filter(named).filter(|l| !proposed(l)).map(|l| l.text.as_str()).collect();
            texts.dedup();
        }
        match texts.as_slice() {
            [] => None,
            [one] => Some((*one).to_owned()),
            [first, second, ..] => {
                self.problems
                    .push(format!("{name} is stated as {first:?} and as {second:?}; neither is taken"));
                None
            }
        }
    }

    fn number(&mut self, name: &str) -> Option<f64> {
        let text = self.text(name)?;
        match cells::number(&text, b',') {
            Ok(number) if 0.0 <= number => Some(number),
            Ok(_) => {
                self.problems.push(format!("{name} {text:?} is negative"));
                None
            }
            Err(why) => {
                self.problems.push(format!("{name} {text:?} {why}"));
                None
            }
        }
    }

    fn day(&mut self, text: &str) -> Option<NaiveDate> {
        // A day of an XML schema may carry its zone after it.
        let day = text.get(..10).unwrap_or(text);
        cells::date(day).map_err(|why| self.problems.push(format!("dataScadenza {text:?} {why}"))).ok()
    }

    fn carrier(&mut self, name: &'static str) -> Option<ApeCarrier> {
        let within = |leaf: &&Leaf, field: &str| {
            leaf.path.ends_with(&[name.to_owned(), field.to_owned()]) && !leaf.text.is_empty()
        };
        let mut take = |field: &str| {
            let mut texts: Vec<&str> =
                self.leaves.iter().filter(|l| within(l, field)).map(|l| l.text.as_str()).collect();
            texts.dedup();
            match texts.as_slice() {
                [] => None,
                [one] => Some((*one).to_owned()),
                [..] => {
                    self.problems.push(format!("{name} states {field} several times; it is not taken"));
                    None
                }
            }
        };
        let (amount, unit) = (take("consumoAnnuo")?, take("consumoAnnuoUM"));
        let amount = match cells::number(&amount, b',') {
            Ok(number) if 0.0 <= number => number,
            Ok(_) | Err(_) => {
                self.problems.push(format!("{name} has the consumption {amount:?}, which is no amount"));
                return None;
            }
        };
        let Some(unit) = unit.as_deref().and_then(ApeUnit::of_code) else {
            self.problems.push(format!("{name} has no known unit ({unit:?}); its consumption is not taken"));
            return None;
        };
        Some(ApeCarrier { name, amount, unit })
    }
}

#[cfg(test)]
#[path = "ape_tests.rs"]
mod tests;
