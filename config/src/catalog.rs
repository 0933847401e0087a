//! The catalogue: funding schemes, factor sets, municipalities and texts, embedded in the binary and overlaid by an
//! installation's own folder.
//!
//! Must never: use a file that has a problem, or change what a file's digest stands for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use analytics::factors::FactorSet;
use analytics::places::{ClimaticZone, Place, ZoneRules};
use analytics::scheme::Scheme;
use analytics::text::Texts;
use model::{Digest, FactorSetId, SchemeId};
use sha2::{Digest as _, Sha256};

use crate::embedded;
use crate::error::{ConfigError, read_text};
use crate::reader::{At, Problem, Source, Table};

mod factors;
mod places;
mod schemes;
mod texts;

/// Largest catalogue file in bytes.
pub const CATALOG_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most files of an overlay folder.
pub const OVERLAY_FILES_MAX: usize = 2_000;
/// How deep an overlay folder may nest.
const OVERLAY_DEPTH_MAX: usize = 4;

/// The languages that every text must exist in.
pub const LANGUAGES: [&str; 2] = ["it", "en"];

/// One file of the catalogue.
#[derive(Debug, Clone)]
pub struct CatalogFile {
    pub text: Cow<'static, str>,
    /// SHA-256 of the text.
    pub digest: Digest,
    /// Where an overlay file was read; `None` for embedded files.
    pub path: Option<PathBuf>,
}

/// Everything the catalogue holds, read and checked.
#[derive(Debug, Clone)]
pub struct Catalog {
    files: BTreeMap<String, CatalogFile>,
    schemes: BTreeMap<SchemeId, (String, Arc<Scheme>)>,
    factor_sets: BTreeMap<FactorSetId, (String, Arc<FactorSet>)>,
    places: places::Places,
    texts: BTreeMap<String, Arc<Texts>>,
}

impl Catalog {
    /// The embedded catalogue.
    pub fn embedded() -> Result<Self, ConfigError> {
        Self::load(None)
    }

    /// The embedded catalogue, with the files of `overlay` added or standing in place of those of the same
    /// path.
    pub fn load(overlay: Option<&Path>) -> Result<Self, ConfigError> {
        let mut files: BTreeMap<String, CatalogFile> = embedded::FILES
            .iter()
            .map(|(name, text)| ((*name).to_owned(), file(Cow::Borrowed(*text), None)))
            .collect();
        if let Some(folder) = overlay {
            add_overlay(folder, &mut files)?;
        }
        Self::from_files(files)
    }

    fn from_files(files: BTreeMap<String, CatalogFile>) -> Result<Self, ConfigError> {
        let mut schemes = BTreeMap::new();
        let mut factor_sets = BTreeMap::new();
        let mut texts: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (name, file) in &files {
            let parts: Vec<&str> = name.split('/').collect();
            match parts.as_slice() {
                ["schemes", ..] => {
                    let read = read(name, file, schemes::read)?;
                    let twice = format!("scheme {:?} is defined twice", read.id.as_str());
                    unique(&mut schemes, read.id.clone(), Arc::new(read), (name, file), twice)?;
                }
                ["factors", ..] => {
                    let read = read(name, file, factors::read)?;
                    let twice = format!("factor set {:?} is defined twice", read.id.as_str());
                    unique(&mut factor_sets, read.id.clone(), Arc::new(read), (name, file), twice)?;
                }
                ["text", language, _] => {
                    let map = texts.entry((*language).to_owned()).or_default();
                    add_texts(name, file, map)?;
                }
                _ => {}
            }
        }
        let texts =
            texts.into_iter().map(|(language, map)| (language.clone(), Arc::new(Texts::new(language, map))));
        let places = read_places(&files)?;
        let catalog = Self { texts: texts.collect(), schemes, factor_sets, places, files };
        catalog.check_references()?;
        Ok(catalog)
    }

    /// A scheme names a factor set that must exist.
    fn check_references(&self) -> Result<(), ConfigError> {
        for (name, scheme) in self.schemes.values() {
            if !self.factor_sets.contains_key(&scheme.default_factor_set) {
                let says = format!("no factor set {:?} in the catalogue", scheme.default_factor_set.as_str());
                let next = "name one of the files under factors/".to_owned();
                let problem = Problem { line: 1, key: "default_factor_set".to_owned(), says, next };
                return Err(refused(name, self.files.get(name), vec![problem]));
            }
        }
        Ok(())
    }

    /// Whether both were read from the same files, byte by byte.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let digests = |catalog: &Self| -> Vec<(String, Digest)> {
            catalog.files.iter().map(|(name, file)| (name.clone(), file.digest)).collect()
        };
        digests(self) == digests(other)
    }

    #[must_use]
    pub fn scheme(&self, id: &SchemeId) -> Option<&Arc<Scheme>> {
        self.schemes.get(id).map(|(_, scheme)| scheme)
    }

    /// In order of id.
    pub fn schemes(&self) -> impl Iterator<Item = &Arc<Scheme>> {
        self.schemes.values().map(|(_, scheme)| scheme)
    }

    #[must_use]
    pub fn factor_set(&self, id: &FactorSetId) -> Option<&Arc<FactorSet>> {
        self.factor_sets.get(id).map(|(_, set)| set)
    }

    /// In order of id.
    pub fn factor_sets(&self) -> impl Iterator<Item = &Arc<FactorSet>> {
        self.factor_sets.values().map(|(_, set)| set)
    }

    /// The municipality of an ISTAT code of six digits, with its climatic zone and legal degree days. The table is not
    /// national: `None` says nothing about whether the code exists.
    #[must_use]
    pub fn place(&self, istat: &str) -> Option<&Place> {
        self.places.place(istat)
    }

    /// The municipalities of a name, written with accents, apostrophes or neither.
    pub fn places_named(&self, name: &str) -> impl Iterator<Item = &Place> {
        self.places.named(name)
    }

    /// In order of ISTAT code.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.all()
    }

    /// The limits and the heating season of a climatic zone.
    #[must_use]
    pub fn zone(&self, zone: ClimaticZone) -> Option<&ZoneRules> {
        self.places.zone(zone)
    }

    /// The texts of a language; Italian when the catalogue does not know it.
    #[must_use]
    pub fn texts(&self, language: &str) -> Arc<Texts> {
        let found = self.texts.get(language).or_else(|| self.texts.get(LANGUAGES[0]));
        found.map(Arc::clone).unwrap_or_default()
    }

    /// Every file under a folder such as `meters`, by path within the catalogue, in order.
    pub fn files_under<'c>(&'c self, folder: &'c str) -> impl Iterator<Item = (&'c str, &'c CatalogFile)> {
        self.files
            .iter()
            .filter(move |(name, _)| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
            .map(|(name, file)| (name.as_str(), file))
    }

    /// The digest of the two files that rule a project's figures: SHA-256 over the digests of the scheme's
    /// file and of the factor set's file. `None` when either is not in the catalogue.
    #[must_use]
    pub fn digest_of(&self, scheme: &SchemeId, factor_set: &FactorSetId) -> Option<Digest> {
        let scheme = self.files.get(&self.schemes.get(scheme)?.0)?.digest;
        let factors = self.files.get(&self.factor_sets.get(factor_set)?.0)?.digest;
        let mut hash = Sha256::new();
        hash.update(scheme.0);
        hash.update(factors.0);
        Some(Digest(hash.finalize().into()))
    }
}

fn file(text: Cow<'static, str>, path: Option<PathBuf>) -> CatalogFile {
    let digest = Digest(Sha256::digest(text.as_bytes()).into());
    CatalogFile { text, digest, path }
}

fn unique<K: Ord, V>(
    map: &mut BTreeMap<K, (String, V)>,
    id: K,
    value: V,
    (name, file): (&str, &CatalogFile),
    says: String,
) -> Result<(), ConfigError> {
    let Some((other, _)) = map.get(&id) else {
        map.insert(id, (name.to_owned(), value));
        return Ok(());
    };
    let next = format!("give it another id; {other} has it already");
    let problem = Problem { line: 1, key: "id".to_owned(), says, next };
    Err(refused(name, Some(file), vec![problem]))
}

/// Reads one catalogue file with every problem it has.
fn read<T>(
    name: &str,
    file: &CatalogFile,
    read: impl FnOnce(&Source<'_>, &Table<'_, '_>) -> Option<T>,
) -> Result<T, ConfigError> {
    let source = Source::new(&file.text, &[]);
    let root = source.parse();
    let value = root.as_ref().and_then(|root| read(&source, &Table::root(&source, root)));
    let (problems, _) = source.finish();
    match value {
        Some(value) if problems.is_empty() => Ok(value),
        _ => Err(refused(name, Some(file), problems)),
    }
}

fn refused(name: &str, file: Option<&CatalogFile>, problems: Vec<Problem>) -> ConfigError {
    let embedded = || Path::new("catalog").join(name);
    let path = file.and_then(|f| f.path.clone()).unwrap_or_else(embedded);
    ConfigError::Problems { path, problems }
}

/// The files under `places/`: zones first, since places must agree with them.
fn read_places(files: &BTreeMap<String, CatalogFile>) -> Result<places::Places, ConfigError> {
    let mut all = places::Places::default();
    let mut read_files = Vec::new();
    let wrong = |name: &str, file: &CatalogFile, (at, says): (At, String)| {
        let line = Source::new(&file.text, &[]).line(at.offset);
        let next = "correct the file, or leave the line out".to_owned();
        refused(name, Some(file), vec![Problem { line, key: at.key, says, next }])
    };
    for (name, file) in files.iter().filter(|(name, _)| name.starts_with("places/")) {
        let read = read(name, file, places::read)?;
        all.add_zones(&read).map_err(|problem| wrong(name, file, problem))?;
        read_files.push((name, file, read));
    }
    for (name, file, read) in read_files {
        all.add_places(read).map_err(|problem| wrong(name, file, problem))?;
    }
    Ok(all)
}

fn add_texts(name: &str, file: &CatalogFile, map: &mut BTreeMap<String, String>) -> Result<(), ConfigError> {
    let flat = texts::flatten(&file.text).map_err(|problem| refused(name, Some(file), vec![problem]))?;
    for (key, text) in flat {
        if map.contains_key(&key) {
            let says = "this text is defined twice in one language".to_owned();
            let next = "keep it in one file".to_owned();
            return Err(refused(name, Some(file), vec![Problem { line: 1, key, says, next }]));
        }
        map.insert(key, text);
    }
    Ok(())
}

/// Reads every `.toml` file of an installation's own folder. Links are not followed.
fn add_overlay(folder: &Path, files: &mut BTreeMap<String, CatalogFile>) -> Result<(), ConfigError> {
    let mut open = vec![(folder.to_owned(), String::new(), 0)];
    let mut count = 0;
    while let Some((path, name, depth)) = open.pop() {
        let failed = |source| ConfigError::Read { path: path.clone(), source };
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let Some(leaf) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let inner = if name.is_empty() { leaf.clone() } else { format!("{name}/{leaf}") };
            if kind.is_dir() && depth < OVERLAY_DEPTH_MAX {
                open.push((entry.path(), inner, depth + 1));
            } else if kind.is_file() && leaf.ends_with(".toml") {
                count += 1;
                if OVERLAY_FILES_MAX < count {
                    let says = format!("holds more than {OVERLAY_FILES_MAX} files");
                    let next = "name the folder of the catalogue alone".to_owned();
                    let problem = Problem { line: 1, key: String::new(), says, next };
                    return Err(ConfigError::Problems { path: folder.to_owned(), problems: vec![problem] });
                }
                let text = read_text(&entry.path(), CATALOG_FILE_BYTES_MAX)?;
                files.insert(inner, file(Cow::Owned(text), Some(entry.path())));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
