//! The bodies of the fuzz targets: each takes any bytes as what the outside may send to one decoder or importer, and
//! asserts the laws that hold whatever they are. Used by cargo-fuzz (`fuzz_targets`) and, compiled as the suite `fuzz`
//! of the crate `tests`, by the replay in `make test`.
//!
//! Must never: repair what a decoder returns, or catch a panic; a broken law is a panic, which the fuzzer keeps as a
//! case.

pub mod ape;
pub mod arera;
pub mod bills;
pub mod input;
pub mod json;
pub mod laws;
pub mod line;
pub mod load_curve;
pub mod mapped;
pub mod mbus;
pub mod meter_file;
pub mod payloads;
pub mod project;
pub mod records;
pub mod registers;
pub mod rtu;
pub mod settings;
pub mod sparkplug;
pub mod sunspec;
pub mod temperatures;
pub mod weather;
pub mod workbook;

#[cfg(test)]
mod replay;
#[cfg(test)]
mod seeds;

/// One way in from the outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Of its file in `fuzz_targets` and of its folder of cases.
    pub name: &'static str,
    pub run: fn(&[u8]),
}

/// Every target, in order of the names.
pub const TARGETS: [Target; 21] = [
    Target { name: "ape", run: ape::run },
    Target { name: "arera_electricity", run: arera::electricity },
    Target { name: "arera_gas", run: arera::gas },
    Target { name: "bills", run: bills::run },
    Target { name: "encodings", run: registers::encodings },
    Target { name: "json", run: json::run },
    Target { name: "line", run: line::run },
    Target { name: "load_curve", run: load_curve::run },
    Target { name: "mapped", run: mapped::run },
    Target { name: "mbus", run: mbus::run },
    Target { name: "meter_file", run: meter_file::run },
    Target { name: "payloads", run: payloads::run },
    Target { name: "project", run: project::run },
    Target { name: "records", run: records::run },
    Target { name: "registers", run: registers::run },
    Target { name: "rtu", run: rtu::run },
    Target { name: "settings", run: settings::run },
    Target { name: "sparkplug", run: sparkplug::run },
    Target { name: "sunspec", run: sunspec::run },
    Target { name: "temperatures", run: temperatures::run },
    Target { name: "weather", run: weather::run },
];
