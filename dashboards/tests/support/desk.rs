//! What the made-up daemon answers to the pages of the beneficiary and of the region: everything kept in memory, one
//! project named by an attacker.
//!
//! Must never: be linked into the daemon.

use std::sync::{Arc, Mutex, PoisonError};

use analytics::region::Case;
use dashboards::desk::wire::{
    BeneficiaryView, BuildingFacts, Change, CommentSaid, CompositionView, Contacts, DocumentSaid,
    DocumentView, DutyView, Economics, FieldChange, FileView, FrozenView, Guide, KpiRow, KpiSaid, KpiTable,
    LetterView, MemoCase, MemoOrder, MemoOrderView, MemoPreview, NoteSaid, NoteView, OrderedLetter,
    ProjectFile, SavedView, SignedView, SignerView, SubjectView,
};
use dashboards::desk::{
    Act, Desk, DraftSection, DutyKey, KeptFile, MadeFile, Pending, Refused, Region, Upload,
};
use model::ProjectId;

use super::{Fake, HOSTILE, REPORT_BODY, REPORT_NAME, day};

/// What was changed, as it came.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) acts: Vec<Act>,
    pub(crate) stage: Option<&'static str>,
    pub(crate) kpis: Vec<KpiSaid>,
    pub(crate) contacts: Option<Contacts>,
    pub(crate) uploads: Vec<(String, usize)>,
    pub(crate) notes: Vec<String>,
    pub(crate) views: Vec<SavedView>,
    pub(crate) orders: Vec<MemoOrder>,
    /// Stands in place of the table of the two projects.
    pub(crate) region: Option<Arc<Region>>,
}

impl Fake {
    pub(crate) fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, id: &ProjectId) -> Result<&dashboards::backend::ProjectView, Refused> {
        let found = self.projects.iter().find(|view| view.project.id == *id);
        found.ok_or_else(|| Refused::unknown(format!("no project {id}")))
    }

    fn duty(&self) -> DutyView {
        let stage = self.kept().stage;
        DutyView {
            obligation: "relazione-annuale".into(),
            text: "obligation.annual_report".into(),
            year: Some(2025),
            due: Some("2026-03-31".into()),
            days_left: Some(21),
            state: "due",
            sent: None,
            stage,
            version: stage.map(|_| 1),
            needs: Vec::new(),
            channel: "PEC".into(),
            citation: "par. 8".into(),
        }
    }
}

pub(crate) fn kept() -> Mutex<Kept> {
    Mutex::default()
}

fn document(name: &str) -> DocumentView {
    DocumentView {
        sha256: "ab".repeat(32),
        name: name.into(),
        title: HOSTILE.into(),
        mime: "application/pdf".into(),
        bytes: 12,
        year: Some(2025),
        kpi: None,
        author: "a".into(),
        at: "2026-03-01T10:00:00Z".into(),
    }
}

impl Desk for Fake {
    fn project_file(&self, project: &ProjectId) -> Result<ProjectFile, Refused> {
        let view = self.known(project)?;
        let p = &view.project;
        Ok(ProjectFile {
            project: p.id.to_string(),
            title: p.title.clone(),
            cup: p.cup.clone(),
            scheme: p.scheme.to_string(),
            scheme_title: view.scheme.title.clone(),
            authority: view.scheme.authority.clone(),
            citation: view.scheme.citation.clone(),
            beneficiary: BeneficiaryView {
                name: p.beneficiary.name.clone(),
                tax_code: p.beneficiary.tax_code.clone(),
                legal_representative: HOSTILE.into(),
            },
            subjects: vec![SubjectView {
                name: "Persona di prova".into(),
                role: "data_entry",
                tax_code: Some("RSSMRA80A01H501U".into()),
                email: Some("ufficio@esempio.example".into()),
                register: None,
                enabled: true,
            }],
            contacts: Some(self.kept().contacts.clone().unwrap_or_default()),
            buildings: vec![BuildingFacts {
                building: "sede".into(),
                name: HOSTILE.into(),
                address: "via della Prova 1".into(),
                municipality: "Prova".into(),
                province: Some("TO"),
                uses: vec![("E.7".into(), 2400.0)],
                floor_area_m2: 2400.0,
                gross_volume_m3: 9100.0,
                usage_profile: "lun-ven".into(),
                ape_code: None,
                supply_points: vec!["IT001E00000001".into()],
            }],
            interventions: vec!["envelope".into()],
            dates: Vec::new(),
            kept: Vec::new(),
            economics: Economics {
                granted_costs_eur: None,
                costs_eur: Some(1_500_000.0),
                facility_eur: Some(1_400_000.0),
                cig: Vec::new(),
                composition: Some(CompositionView {
                    grant_eur: 600_000.0,
                    loan_eur: 750_000.0,
                    own_eur: 150_000.0,
                    facility_eur: 1_350_000.0,
                    difference_eur: Some(50_000.0),
                    advance_eur: 135_000.0,
                    first_loan_eur: 600_000.0,
                    second_grant_eur: 232_500.0,
                    last_grant_eur: 232_500.0,
                    last_loan_eur: 150_000.0,
                    last_loan_as_grant: false,
                    citation: "par. 2".into(),
                }),
                clauses: Vec::new(),
            },
            years: vec![2026, 2025],
        })
    }

    fn set_contacts(&self, project: &ProjectId, said: &Contacts, _: &str) -> Result<(), Refused> {
        self.known(project)?;
        if said.email.contains(' ') {
            return Err(Refused::unusable("contacts", "email is no mail address"));
        }
        self.kept().contacts = Some(said.clone());
        Ok(())
    }

    fn kpi_table(&self, project: &ProjectId, year: i32) -> Result<KpiTable, Refused> {
        self.known(project)?;
        let row = KpiRow {
            code: "4.c.2".into(),
            text: "kpi.primary_energy_saved".into(),
            unit: "MWh",
            target: Some(180.0),
            measured: Some(167.4),
            low: Some(160.0),
            high: Some(175.0),
            attainment_ratio: Some(0.93),
            verdict: "missed",
            told: "missed",
            post: self.kept().kpis.last().and_then(|k| k.value).or(Some(167.4)),
            post_verdict: "missed",
            note: HOSTILE.into(),
            stated: None,
            document_advised: true,
        };
        Ok(KpiTable { project: project.to_string(), year, complete: year < 2026, kpis: vec![row] })
    }

    fn state_kpi(&self, project: &ProjectId, _: i32, said: &KpiSaid, _: &str) -> Result<(), Refused> {
        self.known(project)?;
        if said.reason.trim().is_empty() {
            return Err(Refused::unusable("words", "the reason is empty"));
        }
        self.kept().kpis.push(said.clone());
        Ok(())
    }

    fn documents(&self, _: &ProjectId) -> Result<Vec<DocumentView>, Refused> {
        Ok(vec![document(REPORT_NAME)])
    }

    fn add_document(
        &self,
        project: &ProjectId,
        _: &DocumentSaid,
        file: &Upload,
        _: &str,
    ) -> Result<DocumentView, Refused> {
        self.known(project)?;
        if !file.bytes.starts_with(b"%PDF-") {
            return Err(Refused::unusable("file_kind", "its content is no PDF"));
        }
        self.kept().uploads.push((file.name.clone(), file.bytes.len()));
        Ok(document(&file.name))
    }

    fn notes(&self, _: &ProjectId) -> Result<Vec<NoteView>, Refused> {
        let note = |text: &String| NoteView {
            text: text.clone(),
            year: None,
            author: "a".into(),
            at: "2026-03-01T10:00:00Z".into(),
        };
        Ok(self.kept().notes.iter().map(note).collect())
    }

    fn add_note(&self, _: &ProjectId, said: &NoteSaid, _: &str) -> Result<(), Refused> {
        self.kept().notes.push(said.text.clone());
        Ok(())
    }

    fn kept_file(&self, project: &ProjectId, sha256: &str) -> Result<KeptFile, Refused> {
        self.known(project)?;
        if sha256 != "ab".repeat(32) {
            return Err(Refused::unknown("no such file"));
        }
        Ok(KeptFile { name: "pagina.html".into(), bytes: HOSTILE.as_bytes().to_vec() })
    }

    fn history(&self, project: &ProjectId) -> Result<Vec<Change>, Refused> {
        let field = |name: &str, before: &str| FieldChange {
            field: name.into(),
            before: Some(before.into()),
            after: Some(HOSTILE.into()),
        };
        Ok(vec![Change {
            at: "2026-03-01T10:00:00Z".into(),
            author: "a".into(),
            kind: "project".into(),
            subject: project.to_string(),
            version: 2,
            fields: vec![
                field("subject.1.tax_code", "RSSMRA80A01H501U"),
                field("project.title", "Titolo di prima"),
            ],
            more: 0,
        }])
    }

    fn duties(&self, _: &ProjectId) -> Result<Vec<DutyView>, Refused> {
        Ok(vec![self.duty()])
    }

    fn guide(&self, key: &DutyKey) -> Result<Guide, Refused> {
        let view = self.known(&key.project)?;
        let duty = self.duty();
        if (key.obligation.as_str(), key.year) != ("relazione-annuale", Some(2025)) {
            return Err(Refused::unknown("nothing of that kind"));
        }
        let file = FileView {
            name: REPORT_NAME.into(),
            mime: "application/pdf".into(),
            bytes: REPORT_BODY.len() as u64,
            sha256: "ab".repeat(32),
        };
        let signed = matches!(duty.stage, Some("signed" | "sent" | "accepted")).then(|| SignedView {
            file: FileView { name: "a.p7m".into(), ..file.clone() },
            wraps_sha256: file.sha256.clone(),
            signers: vec![SignerView {
                name: HOSTILE.into(),
                person: Some("TINIT-RSSMRA80A01H501U".into()),
                issuer: "Autorità di prova".into(),
                valid_from: "2025-01-01T00:00:00Z".into(),
                valid_to: "2028-01-01T00:00:00Z".into(),
                digest: Some("sha256".into()),
                signed_at: Some("2026-03-02T10:05:00Z".into()),
                trusted: None,
            }],
            reason: Some("il firmatario è noto".into()),
        });
        let corrected = self.kept().acts.iter().any(|act| matches!(act, Act::Correct { .. }));
        let answerable = (corrected && duty.stage == Some("draft")).then_some(1);
        let is_frozen = matches!(duty.stage, Some("frozen" | "signed" | "sent" | "accepted"));
        Ok(Guide {
            project: key.project.to_string(),
            title: view.project.title.clone(),
            duty,
            report: Some("annual"),
            signer: "legal_representative",
            digital: false,
            can_send: false,
            why: None,
            attached: Vec::new(),
            obstacles: Vec::new(),
            advised: vec!["4.c.2".into()],
            advised_texts: vec!["kpi.4_c_2".into()],
            companions: Vec::new(),
            lifted: Vec::new(),
            frozen: is_frozen.then(|| FrozenView {
                at: "2026-03-02T10:00:00Z".into(),
                by: "a".into(),
                files: vec![file],
                kpis: Vec::new(),
                differences: Vec::new(),
            }),
            signed: signed.into_iter().collect(),
            sending: None,
            receipts: Vec::new(),
            outcome: None,
            answerable,
            cautions: Vec::new(),
        })
    }

    fn act(&self, _: &DutyKey, act: &Act, _: &str) -> Result<(), Refused> {
        let mut kept = self.kept();
        kept.stage = Some(match act {
            Act::Begin => "draft",
            Act::Check => "checked",
            Act::Freeze { .. } => "frozen",
            Act::Sign { file, .. } if file.bytes.is_empty() => {
                return Err(Refused::unusable("signature_other", "it wraps other bytes"));
            }
            Act::Sign { reason, .. } if reason.is_empty() => {
                return Err(Refused::unusable("signature_unverified", "its authority was not verified"));
            }
            Act::Sign { .. } => "signed",
            Act::Sent { .. } => "sent",
            Act::Answered { .. } => "accepted",
            Act::Lift { .. }
            | Act::Attach(_)
            | Act::Detach { .. }
            | Act::Send { .. }
            | Act::Correct { .. } => "draft",
        });
        kept.acts.push(act.clone());
        Ok(())
    }

    fn draft_sections(&self, _: &DutyKey, _: &str) -> Result<Vec<DraftSection>, Refused> {
        use analytics::report::beside::SectionKey;
        use analytics::report::document::{Block, Section};
        let section = |key, title: &str| DraftSection {
            key,
            section: Section {
                title: title.into(),
                annex: false,
                blocks: vec![Block::Paragraph(HOSTILE.into()), Block::Bullets(vec![HOSTILE.into()])],
            },
            comment: None,
        };
        Ok(vec![section(SectionKey::Summary, "Sintesi"), section(SectionKey::Savings, "Risparmi")])
    }

    fn preview_section(
        &self,
        key: &DutyKey,
        language: &str,
        said: &CommentSaid,
        author: &str,
    ) -> Result<DraftSection, Refused> {
        use analytics::report::document::Block;
        if 4_000 < said.text.len() {
            return Err(Refused::unusable("comment", "the comment is too long"));
        }
        let all = self.draft_sections(key, language)?;
        let mut draft = all.into_iter().find(|s| s.key.code() == said.section);
        let draft = draft.as_mut().ok_or_else(|| Refused::unknown("no such section"))?;
        let paragraphs = vec![said.text.clone()];
        draft.section.blocks.push(Block::Comment { by: author.to_owned(), paragraphs });
        Ok(draft.clone())
    }

    fn comment(&self, _: &ProjectId, _: i32, said: &CommentSaid, _: &str) -> Result<(), Refused> {
        self.kept().notes.push(format!("{}: {}", said.section, said.text));
        Ok(())
    }

    fn kpi_annex(&self, _: &ProjectId, year: i32, language: &str) -> Result<KeptFile, Refused> {
        let name = if language == "en" { "kpi-annex" } else { "allegato-kpi" };
        Ok(KeptFile { name: format!("{name}-{year}.pdf"), bytes: b"%PDF".to_vec() })
    }

    fn dossier(&self, project: &ProjectId) -> Result<MadeFile, Refused> {
        let write = |writer: &mut (dyn std::io::Write + Send)| writer.write_all(b"PK");
        Ok(MadeFile { name: format!("fascicolo-{project}.zip"), write: Box::new(write) })
    }

    fn region(&self) -> Result<Arc<Region>, Refused> {
        if let Some(region) = &self.kept().region {
            return Ok(Arc::clone(region));
        }
        let years = self.projects.iter().flat_map(|view| &view.years);
        let cases = years.map(|y| Case::new(y, None, &[])).collect();
        Ok(Arc::new(Region { day: day(2026, 3, 10), cases, pending: vec![delivered()] }))
    }

    fn views(&self, _: &str) -> Result<Vec<SavedView>, Refused> {
        Ok(self.kept().views.clone())
    }

    fn save_view(&self, _: &str, view: &SavedView) -> Result<(), Refused> {
        self.kept().views.push(view.clone());
        Ok(())
    }

    fn preview_memos(&self, cases: &[MemoCase]) -> Result<MemoPreview, Refused> {
        let letter = |case: &MemoCase| LetterView {
            case: case.clone(),
            title: HOSTILE.into(),
            to: vec!["ufficio@esempio.example".into()],
            subject: HOSTILE.into(),
            text: HOSTILE.into(),
            held: None,
        };
        Ok(MemoPreview {
            can_send: true,
            from: Some("consuntivo@esempio.example".into()),
            letters: cases.iter().map(letter).collect(),
        })
    }

    fn order_memos(&self, order: &MemoOrder, _: &str) -> Result<(), Refused> {
        let mut kept = self.kept();
        if !kept.orders.iter().any(|known| known.id == order.id) {
            kept.orders.push(order.clone());
        }
        Ok(())
    }

    fn memo_order(&self, id: &str) -> Result<MemoOrderView, Refused> {
        let kept = self.kept();
        let order = kept.orders.iter().find(|order| order.id == id);
        let order = order.ok_or_else(|| Refused::unknown("no such order"))?;
        let letter =
            |case: &MemoCase| OrderedLetter { case: case.clone(), title: HOSTILE.into(), state: "waiting" };
        Ok(MemoOrderView {
            id: id.into(),
            at: "2026-03-01T10:00:00Z".into(),
            author: "a".into(),
            words: order.words.clone(),
            letters: order.cases.iter().map(letter).collect(),
        })
    }
}

/// A closed project that nobody registered.
fn delivered() -> Pending {
    Pending {
        project: None,
        title: HOSTILE.into(),
        cup: "C11G06000000009".into(),
        beneficiary: HOSTILE.into(),
        scheme: HOSTILE.into(),
        ended: day(2025, 9, 30),
        duty: None,
    }
}
