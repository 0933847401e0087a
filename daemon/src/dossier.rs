//! *Fascicolo di progetto*: everything about one project in a folder or a ZIP file, with an index and a manifest of
//! hashes.
//!
//! Must never: leave something out in silence, or write a file whose hash is not in the manifest.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use model::{Instant, Project};
use store::Store;

use crate::exit::Failure;
use crate::figures::PROJECT_RECORD;
use crate::installation::Installation;
use crate::submissions::Submission;
use crate::{duties, records, reports, submissions};

mod kept;
mod out;
mod values;

use out::{Listed, Out};

/// The list of hashes, as `sha256sum -c` reads it.
pub(crate) const MANIFEST: &str = "SHA256SUMS";
/// What the index says that the bundle does not hold, after the number of series of momentary values.
const LEFT_OUT: &str = "\
    - i valori scartati perché il loro istante ne aveva già un altro, e i messaggi non compresi: restano nell’archivio \
    dell’installazione\n";
/// Most files of one bundle.
const FILES_MAX: usize = 50_000;

/// One file of the bundle, by its path within it.
struct Piece {
    path: String,
    bytes: Vec<u8>,
    /// For the index.
    says: String,
}

/// A bundle in the making.
struct Bundle {
    pieces: Vec<Piece>,
}

impl Bundle {
    fn add(&mut self, path: String, bytes: Vec<u8>, says: impl Into<String>) -> anyhow::Result<()> {
        anyhow::ensure!(self.pieces.len() < FILES_MAX, "the bundle would hold more than {FILES_MAX} files");
        anyhow::ensure!(
            self.pieces.iter().all(|piece| piece.path != path),
            "two files of the bundle would be called {path}; tell the authors of this program"
        );
        self.pieces.push(Piece { path, bytes, says: says.into() });
        Ok(())
    }
}

/// A bundle of which everything is at hand but the measured values, which are read while it is written.
pub(crate) struct Ready {
    store: Store,
    installation: Arc<Installation>,
    project: Arc<Project>,
    now: Instant,
    pieces: Vec<Piece>,
}

impl Ready {
    /// Gathers what people put on record, papers and reports. What the bundle holds is what is there at `now`.
    pub(crate) fn of(
        store: &Store,
        installation: &Arc<Installation>,
        project: &Arc<Project>,
        now: Instant,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            store: store.clone(),
            installation: Arc::clone(installation),
            project: Arc::clone(project),
            now,
            pieces: gathered(store, installation, project, now)?,
        })
    }

    /// The ZIP file's name.
    pub(crate) fn name(&self) -> String {
        format!("{}.zip", self.stem())
    }

    fn stem(&self) -> String {
        format!("fascicolo-{}", self.project.id)
    }

    /// Writes it below `out`, a folder that must be new or empty; how many files it has.
    pub(crate) fn write(self, out: &Path) -> Result<usize, Failure> {
        if out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            let says = format!(
                "the folder {} is not empty; name a new one, so that nothing else is in the bundle",
                out.display()
            );
            return Err(Failure::bad_input(says));
        }
        Ok(self.write_to(Out::folder(out.to_owned()))?)
    }

    /// The same as one ZIP file, below a folder of the project's name, piece by piece as it is made; the same bytes for
    /// the same content and instant. A file that breaks off has no end that a ZIP reader takes.
    pub(crate) fn zip(self, writer: &mut (dyn Write + Send)) -> anyhow::Result<usize> {
        let stem = self.stem();
        self.write_to(Out::zip(writer, stem))
    }

    /// Everything, the index and then the manifest last: a bundle with a manifest is whole.
    fn write_to(mut self, mut out: Out<'_>) -> anyhow::Result<usize> {
        self.pieces.sort_by(|a, b| a.path.cmp(&b.path));
        for piece in std::mem::take(&mut self.pieces) {
            out.put(&piece.path, &piece.bytes, piece.says)?;
        }
        let momentary = values::add(&self.store, &self.installation, &self.project, &mut out, self.now)?;
        let index = index(&self.project, out.listed(), self.now, momentary);
        out.put("INDICE.txt", index.as_bytes(), "questo indice".to_owned())?;
        let manifest = out.manifest();
        out.put(MANIFEST, manifest.as_bytes(), "questi hash".to_owned())?;
        out.finish()
    }
}

/// What is not measured values, as files.
fn gathered(
    store: &Store,
    installation: &Installation,
    project: &Arc<Project>,
    now: Instant,
) -> anyhow::Result<Vec<Piece>> {
    let mut bundle = Bundle { pieces: Vec::new() };
    add_project(store, installation, project, &mut bundle, now)?;
    add_documents(store, project, &mut bundle)?;
    add_submissions(store, installation, project, &mut bundle)?;
    add_reports(store, installation, project, &mut bundle)?;
    kept::add(store, installation, project, &mut bundle, now)?;
    add_audit(store, &mut bundle)?;
    Ok(bundle.pieces)
}

fn add_project(
    store: &Store,
    installation: &Installation,
    project: &Arc<Project>,
    bundle: &mut Bundle,
    now: Instant,
) -> anyhow::Result<()> {
    for record in store.record_versions(PROJECT_RECORD, project.id.as_str())? {
        let path = format!("progetto/versione-{:03}.toml", record.version);
        let says = format!(
            "file di progetto, versione {} di {} ({})",
            record.version,
            record.author,
            when(record.at, project)
        );
        bundle.add(path, record.body.into_bytes(), says)?;
    }
    let calendars = duties::calendars(store, installation, Some(&project.id), now)?;
    let texts = installation.catalog.texts("it");
    let lines = dashboards::calendar::in_words(&calendars, &texts);
    bundle.add("adempimenti.txt".to_owned(), lines.into_bytes(), "calendario degli adempimenti")?;
    let mut notes = String::new();
    for (note, record) in records::notes(store, &project.id)? {
        let at = when(record.at, project);
        writeln!(notes, "{at}\t{}\t{}", record.author, note.text.replace('\n', " "))?;
    }
    if !notes.is_empty() {
        bundle.add("note.txt".to_owned(), notes.into_bytes(), "note")?;
    }
    for (name, file) in scheme_files(installation, project) {
        bundle.add(format!("catalogo/{name}"), file.into_bytes(), "bando e fattori usati")?;
    }
    Ok(())
}

/// The catalogue's files that rule the project's figures.
fn scheme_files(installation: &Installation, project: &Project) -> Vec<(String, String)> {
    let named = |text: &str, id: &str| text.lines().any(|line| line.trim() == format!("id = {id:?}"));
    let of = |folder: &str, id: &str| {
        let mut files = installation.catalog.files_under(folder);
        let found = files.find(|(_, file)| named(&file.text, id));
        found.map(|(name, file)| (name.to_owned(), file.text.to_string()))
    };
    of("schemes", project.scheme.as_str())
        .into_iter()
        .chain(of("factors", project.factor_set.as_str()))
        .collect()
}

fn add_documents(store: &Store, project: &Project, bundle: &mut Bundle) -> anyhow::Result<()> {
    let mut bundled = BTreeSet::new();
    for (document, record) in records::documents(store, &project.id)? {
        // One file may be on record for several KPI.
        if !bundled.insert((document.sha256.clone(), document.name.clone())) {
            continue;
        }
        let bytes = records::kept(store, &document.sha256)?;
        let short = document.sha256.get(..8).unwrap_or_default();
        let path = format!("documenti/{short}-{}", unpackable(&document.name));
        let at = when(record.at, project);
        let says = format!("{} (aggiunto da {} il {at})", document.title, record.author);
        bundle.add(path, bytes, says)?;
    }
    Ok(())
}

/// A file's name as every system unpacks it: what Windows takes for something else is replaced.
fn unpackable(name: &str) -> String {
    let plain: String = name.chars().map(|c| if r#"<>:"/\|?*"#.contains(c) { '_' } else { c }).collect();
    plain.trim_end_matches(['.', ' ']).to_owned()
}

/// A file's folder below `invii`, by submission.
fn folder_of(submission: &Submission) -> String {
    let year = submission.year.map(|year| format!("-{year}")).unwrap_or_default();
    format!("invii/{}{year}-v{}", submission.obligation, submission.version)
}

fn add_submissions(
    store: &Store,
    installation: &Installation,
    project: &Project,
    bundle: &mut Bundle,
) -> anyhow::Result<()> {
    let texts = installation.catalog.texts("it");
    let own = submissions::all(store)?.into_iter().filter(|s| s.project == project.id.as_str());
    for submission in own {
        let folder = folder_of(&submission);
        let record = serde_json::to_string_pretty(&submission)?;
        let stage = texts.get(&format!("page.desk.stage.{}", submission.stage.code())).to_owned();
        let says = format!("registrazione dell'invio, stato: {stage}");
        bundle.add(format!("{folder}/registrazione.json"), record.into_bytes(), says)?;
        add_files(store, &submission, &folder, bundle)?;
    }
    Ok(())
}

fn add_files(
    store: &Store,
    submission: &Submission,
    folder: &str,
    bundle: &mut Bundle,
) -> anyhow::Result<()> {
    let frozen = submission.frozen.iter().flat_map(|f| &f.files).map(|f| ("congelati", f, "file congelato"));
    let draft = submission.attached.iter().filter(|_| submission.frozen.is_none());
    let draft = draft.map(|f| ("bozza", f, "file della bozza"));
    let signed = submission.signed.iter().map(|s| ("firmati", &s.file, "file firmato"));
    let receipts = submission.receipts.iter().map(|r| ("ricevute", &r.file, "ricevuta"));
    for (kind, file, says) in frozen.chain(draft).chain(signed).chain(receipts) {
        let short = file.sha256.get(..8).unwrap_or_default();
        // Signed files and receipts of the same name may come more than once.
        let plain = unpackable(&file.name);
        // So may frozen ones whose names differ only in what is replaced.
        let as_it_is = kind == "congelati" && plain == file.name;
        let name = if as_it_is { plain } else { format!("{short}-{plain}") };
        let path = format!("{folder}/{kind}/{name}");
        if bundle.pieces.iter().any(|piece| piece.path == path) {
            continue;
        }
        bundle.add(path, records::kept(store, &file.sha256)?, says)?;
    }
    Ok(())
}

/// The reports that were written for the project, as they stand in the reports' folder. Of one that is not what was
/// frozen the index says which counts.
fn add_reports(
    store: &Store,
    installation: &Installation,
    project: &Project,
    bundle: &mut Bundle,
) -> anyhow::Result<()> {
    let all = submissions::all(store)?;
    let root = &installation.settings.reports.dir;
    for listing in reports::list(root, &project.id) {
        for file in listing.files {
            let Some(path) = reports::find(root, &project.id, listing.year, &file.name) else { continue };
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let says = standing(&all, project, listing.year, (&file.name, &bytes));
            bundle.add(format!("relazioni/{}/{}", listing.year, file.name), bytes, says)?;
        }
    }
    Ok(())
}

/// What a report of the folder is beside what was frozen under the same name for the same year.
fn standing(all: &[Submission], project: &Project, year: i32, (name, bytes): (&str, &[u8])) -> String {
    let own = all.iter().filter(|s| s.project == project.id.as_str() && s.year == Some(year));
    let mut frozen = own.flat_map(|s| s.frozen.iter().flat_map(|f| &f.files).map(move |file| (s, file)));
    let sha256 = reports::sha256(bytes).hex();
    let same_name = frozen.rfind(|(_, file)| file.name == name);
    match same_name {
        Some((_, file)) if file.sha256 == sha256 => "copia del file generato per l'invio".to_owned(),
        Some((submission, file)) => format!(
            "copia di lavoro, diversa dal file generato per l'invio: fa fede {}/congelati/{}",
            folder_of(submission),
            file.name
        ),
        None => "copia di lavoro: non risulta inviata".to_owned(),
    }
}

/// An instant as people of the project write it.
fn when(at: Instant, project: &Project) -> String {
    at.utc().with_timezone(&project.zone).format("%d/%m/%Y %H:%M").to_string()
}

/// The head of the audit log: with it a later reader can tell whether anything was changed since.
fn add_audit(store: &Store, bundle: &mut Bundle) -> anyhow::Result<()> {
    store.verify_audit().context("the audit log does not hold; no bundle is made of it")?;
    let head = store.audit_head()?;
    let text = format!("{} {}\n", head.seq, head.hash.hex());
    bundle.add(
        "registro-modifiche.txt".to_owned(),
        text.into_bytes(),
        "ultimo anello del registro delle modifiche",
    )?;
    Ok(())
}

fn index(project: &Project, listed: &[Listed], now: Instant, momentary: usize) -> String {
    let mut text = format!(
        "Fascicolo di progetto\n{}\nCUP {}\n{}\nRaccolto il {}\n\nVerifica: sha256sum -c {MANIFEST}\n\n",
        project.title,
        project.cup,
        project.beneficiary.name,
        when(now, project)
    );
    let mut files: Vec<&Listed> = listed.iter().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for file in files {
        text.push_str(&format!("{}\n    {}, {} byte\n", file.path, file.says, file.bytes));
    }
    text.push_str(&format!(
        "\nNon compresi:\n- le grandezze momentanee (potenze, tensioni, correnti, portate, temperature) che i contatori danno \
         insieme ai totalizzatori, {momentary} serie: nessun risparmio ne deriva, restano nell’archivio dell’installazione\n"
    ));
    text.push_str(LEFT_OUT);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_as_windows_unpacks() {
        for (name, wanted) in [
            ("relazione 2025.pdf", "relazione 2025.pdf"),
            ("perché è così.pdf", "perché è così.pdf"),
            ("la \"prova\".pdf", "la _prova_.pdf"),
            ("a:b*c?d<e>f|g.pdf", "a_b_c_d_e_f_g.pdf"),
            ("fine. ", "fine"),
        ] {
            assert_eq!(unpackable(name), wanted);
        }
    }
}
