//! What the pages of the beneficiary and of the region show and take, in the form of the API.
//!
//! Must never: give 0 for what is not known (it is `null`), or a personal code to who may not edit.

use model::Finding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// Everything about a project that people stated: the first two tabs.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct ProjectFile {
    pub project: String,
    pub title: String,
    /// *Codice unico di progetto*.
    pub cup: String,
    pub scheme: String,
    pub scheme_title: String,
    pub authority: String,
    pub citation: String,
    pub beneficiary: BeneficiaryView,
    pub subjects: Vec<SubjectView>,
    /// `null` for readers who may not edit.
    pub contacts: Option<Contacts>,
    pub buildings: Vec<BuildingFacts>,
    /// Codes of kinds of intervention.
    pub interventions: Vec<String>,
    pub dates: Vec<EventDay>,
    /// Times during which something must be kept as it is.
    pub kept: Vec<KeptView>,
    pub economics: Economics,
    /// Years with figures, newest first.
    pub years: Vec<i32>,
}

/// Who received the grant.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct BeneficiaryView {
    pub name: String,
    pub tax_code: String,
    pub legal_representative: String,
}

/// A person enabled for the project.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct SubjectView {
    pub name: String,
    /// `legal_representative`, `data_entry` or `professional`.
    pub role: &'static str,
    /// `null` for readers who may not edit.
    pub tax_code: Option<String>,
    /// `null` for readers who may not edit.
    pub email: Option<String>,
    pub register: Option<String>,
    pub enabled: bool,
}

/// Whom to reach about the project. What is not stated is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "person": "Ufficio energia", "email": "energia@ente.example", "pec": "ente@pec.example", "phone": "+39 011 4321111" }]))]
pub struct Contacts {
    pub person: String,
    /// Letters about the project go there too.
    pub email: String,
    /// Certified mail.
    pub pec: String,
    pub phone: String,
}

/// A building as declared.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct BuildingFacts {
    pub building: String,
    pub name: String,
    pub address: String,
    pub municipality: String,
    pub province: Option<&'static str>,
    /// Categories of DPR 412/93 with their floor area in square metres.
    pub uses: Vec<(String, f64)>,
    pub floor_area_m2: f64,
    pub gross_volume_m3: f64,
    pub usage_profile: String,
    pub ape_code: Option<String>,
    /// POD and PDR of its meters.
    pub supply_points: Vec<String>,
}

/// A day from which deadlines count.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct EventDay {
    pub event: &'static str,
    /// `null` where nobody stated it.
    pub day: Option<String>,
}

/// What must be kept until when.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct KeptView {
    /// Key of its name in the texts.
    pub text: String,
    pub from: Option<String>,
    /// Last day.
    pub to: Option<String>,
    pub citation: String,
}

/// The economics tab. Amounts in euro.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Economics {
    /// Admissible costs.
    pub costs_eur: Option<f64>,
    /// Admissible costs as first granted, where the tender changed them.
    pub granted_costs_eur: Option<f64>,
    /// Grant and repayable loan together, as the project file states it.
    pub facility_eur: Option<f64>,
    pub cig: Vec<String>,
    /// What the call's rule makes of the costs; `null` where the call has no rule or the costs are not stated.
    pub composition: Option<CompositionView>,
    pub clauses: Vec<ClauseView>,
}

/// A facility as the call composes it.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct CompositionView {
    pub grant_eur: f64,
    pub loan_eur: f64,
    pub own_eur: f64,
    pub facility_eur: f64,
    /// Stated facility minus the composed one; `null` where none is stated. Above 0 more is stated than the call gives.
    pub difference_eur: Option<f64>,
    pub advance_eur: f64,
    pub first_loan_eur: f64,
    pub second_grant_eur: f64,
    pub last_grant_eur: f64,
    pub last_loan_eur: f64,
    /// Whether the last instalment of the loan becomes grant because works ended early enough.
    pub last_loan_as_grant: bool,
    pub citation: String,
}

/// A clause of the call with what is known of it.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct ClauseView {
    pub clause: String,
    /// Key of its sentence in the texts.
    pub text: String,
    /// `met`, `not_met` or `unknown`.
    pub verdict: &'static str,
    pub value: Option<f64>,
    /// The value rounded for people.
    #[serde(skip)]
    pub shown: Option<f64>,
    pub unit: &'static str,
    pub evidence: String,
    /// The same for the page, in the reader's language.
    #[serde(skip)]
    pub basis: analytics::scheme::clauses::Evidence,
    pub citation: String,
}

/// The KPI table of one year.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct KpiTable {
    pub project: String,
    pub year: i32,
    /// Whether the whole calendar year is counted.
    pub complete: bool,
    pub kpis: Vec<KpiRow>,
}

/// One KPI: what was declared, what was measured, and what a person states.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct KpiRow {
    pub code: String,
    /// Key of its name in the texts.
    pub text: String,
    pub unit: &'static str,
    pub target: Option<f64>,
    /// What the measurements give: the bound that is worse for the beneficiary.
    pub measured: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub attainment_ratio: Option<f64>,
    /// `reached`, `missed` or `undetermined`, of the measured value.
    pub verdict: &'static str,
    /// What people are told: the verdict, or `to_state` and `stated` where no meter measures it and a person declares it.
    pub told: &'static str,
    /// *Valore POST* as it counts: the person's, or the measured one.
    pub post: Option<f64>,
    /// `reached`, `missed` or `undetermined`, of *Valore POST*.
    pub post_verdict: &'static str,
    pub note: String,
    pub stated: Option<StatedBy>,
    /// Whether a KPI that is missed, as measured or as *Valore POST* has it, still lacks a document that explains it.
    pub document_advised: bool,
}

/// Who stated a value, when and why.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct StatedBy {
    /// `null` where only a note was stated, or the value was taken back.
    pub value: Option<f64>,
    pub author: String,
    /// RFC 3339.
    pub at: String,
    pub reason: String,
}

/// A statement of *Valore POST* and *Note*.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "code": "KPI-1", "value": 480.25, "note": "Measured at the new meter.", "reason": "Reading of the distributor" }]))]
pub struct KpiSaid {
    pub code: String,
    /// In the KPI's unit; `null`: the measured value counts.
    pub value: Option<f64>,
    #[serde(default)]
    pub note: String,
    pub reason: String,
    /// A value below zero, or ten times what was measured or declared or a tenth of it, is meant.
    #[serde(default)]
    pub confirmed: bool,
}

/// A kept document.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct DocumentView {
    pub sha256: String,
    pub name: String,
    pub title: String,
    /// As its content says.
    pub mime: String,
    pub bytes: u64,
    pub year: Option<i32>,
    /// The KPI that it explains.
    pub kpi: Option<String>,
    pub author: String,
    /// RFC 3339.
    pub at: String,
}

/// What is said of a document that is sent in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentSaid {
    pub title: String,
    #[serde(default)]
    pub year: Option<i32>,
    #[serde(default)]
    pub kpi: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct NoteView {
    pub text: String,
    pub year: Option<i32>,
    pub author: String,
    /// RFC 3339.
    pub at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "text": "The boiler was replaced on 3 March.", "year": 2025 }]))]
pub struct NoteSaid {
    pub text: String,
    #[serde(default)]
    pub year: Option<i32>,
}

/// One change of anything about the project.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Change {
    /// RFC 3339.
    pub at: String,
    pub author: String,
    /// Code of what was changed: `project`, `kpi_value`, `document`, `note`, `submission`, `report_comment`, …
    pub kind: String,
    pub subject: String,
    pub version: u32,
    /// Codes and addresses of persons are `•••` for who may not edit the project.
    pub fields: Vec<FieldChange>,
    /// Fields that changed beyond those listed.
    pub more: usize,
}

/// One field before and after.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct FieldChange {
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// An obligation and how far its submission is.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct DutyView {
    pub obligation: String,
    /// Key of its name in the texts.
    pub text: String,
    pub year: Option<i32>,
    pub due: Option<String>,
    /// Negative when past.
    pub days_left: Option<i64>,
    /// `waiting`, `upcoming`, `due`, `late`, `sent`, `accepted`.
    pub state: &'static str,
    pub sent: Option<String>,
    /// Of the newest version of its submission; `null` where none was begun.
    pub stage: Option<&'static str>,
    pub version: Option<u32>,
    /// Keys of the project file that must be stated before the day can be told.
    pub needs: Vec<&'static str>,
    pub channel: String,
    pub citation: String,
}

/// A kept file of a submission.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct FileView {
    pub name: String,
    pub mime: String,
    pub bytes: u64,
    pub sha256: String,
}

/// What stands in the way, and what lifts it.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct ObstacleView {
    #[serde(serialize_with = "finding")]
    #[schemars(with = "FindingJson<'static>")]
    pub finding: Finding,
    /// What to do, in English.
    pub act: &'static str,
    /// Key of the same in the texts.
    pub act_text: &'static str,
    /// Whether a person may take it upon them.
    pub liftable: bool,
}

/// A finding that a person took upon them.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct LiftedView {
    pub code: String,
    pub subject: String,
    pub author: String,
    pub reason: String,
}

/// A KPI as it was frozen.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct FrozenKpiView {
    pub code: String,
    pub unit: String,
    pub achieved: Option<f64>,
    pub post: Option<f64>,
    pub verdict: String,
    /// What people are told: the verdict, or `to_state` and `stated` where no meter measures it and a person declares it.
    pub told: String,
}

/// What does not change any more.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct FrozenView {
    pub at: String,
    pub by: String,
    pub files: Vec<FileView>,
    pub kpis: Vec<FrozenKpiView>,
    /// What would differ now.
    #[serde(serialize_with = "findings")]
    #[schemars(with = "Vec<FindingJson<'static>>")]
    pub differences: Vec<Finding>,
}

/// A signed file that came back.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct SignedView {
    pub file: FileView,
    /// SHA-256 of the frozen file that it wraps.
    pub wraps_sha256: String,
    pub signers: Vec<SignerView>,
    /// Why it was taken although its authority is not verified, or its certificate names no person.
    pub reason: Option<String>,
}

/// Who signed, as the certificate says.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct SignerView {
    pub name: String,
    /// The person's code with its kind, `TINIT-…` with a tax code; `null` where the certificate has none, and for readers
    /// who may not edit.
    pub person: Option<String>,
    pub issuer: String,
    /// RFC 3339, of the certificate.
    pub valid_from: String,
    pub valid_to: String,
    /// `sha256`; `null` of what was taken before digests were kept.
    pub digest: Option<String>,
    pub signed_at: Option<String>,
    /// `null` where the installation has no list of authorities.
    pub trusted: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct SendingView {
    /// `pec` by the installation's own server, `other` where a person sent it.
    pub way: String,
    pub to: String,
    pub at: String,
    /// `YYYY-MM-DD`, in the project's zone.
    pub day: String,
}

/// A receipt with what it says, where it is one of certified mail.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ReceiptView {
    pub file: FileView,
    pub kind: Option<String>,
    pub number: Option<String>,
    pub when: Option<String>,
    /// What of it could not be compared with what was sent: `receipt.page`, `receipt.recipient`, `receipt.address`,
    /// `receipt.time`, `receipt.accepted_only`.
    pub uncompared: Vec<String>,
}

/// What the authority answered.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct OutcomeView {
    pub on: String,
    pub says: String,
}

/// Everything that the guided submission of one obligation shows.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Guide {
    pub project: String,
    pub title: String,
    pub duty: DutyView,
    /// `annual`, `system`, `indicators`, `campaign`; `null` where papers come from elsewhere.
    pub report: Option<&'static str>,
    pub signer: &'static str,
    /// Whether the act asks for a digital signature on the file.
    pub digital: bool,
    /// Whether the installation can send by its own certified mail.
    pub can_send: bool,
    /// Why this version corrects the one before.
    pub why: Option<String>,
    pub attached: Vec<FileView>,
    /// Only while it is a draft.
    pub obstacles: Vec<ObstacleView>,
    /// Codes of KPI that a document should explain.
    pub advised: Vec<String>,
    /// Keys of their names in the texts, in the same order.
    pub advised_texts: Vec<String>,
    pub lifted: Vec<LiftedView>,
    /// What goes with it and was not sent yet: the report on the monitoring system with the first annual one.
    pub companions: Vec<DutyView>,
    pub frozen: Option<FrozenView>,
    pub signed: Vec<SignedView>,
    pub sending: Option<SendingView>,
    pub receipts: Vec<ReceiptView>,
    pub outcome: Option<OutcomeView>,
    /// The earlier version that was sent and can be answered, while this one is in the making.
    pub answerable: Option<u32>,
    /// What became of letters: not delivered, not yet, or after all.
    #[serde(serialize_with = "findings")]
    #[schemars(with = "Vec<FindingJson<'static>>")]
    pub cautions: Vec<Finding>,
}

/// A section of the annual report as it would be now, and the comment on it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct SectionView {
    pub section: String,
    pub title: String,
    /// `null` where nobody commented.
    pub comment: Option<CommentView>,
}

#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct CommentView {
    pub text: String,
    pub author: String,
    /// Whether it stands in place of the program's own comment.
    pub instead: bool,
}

impl From<super::DraftSection> for SectionView {
    fn from(of: super::DraftSection) -> Self {
        Self {
            section: of.key.code().to_owned(),
            title: of.section.title,
            comment: of.comment.map(|(text, author, instead)| CommentView { text, author, instead }),
        }
    }
}

/// A comment on a section of the report; empty text takes it away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "section": "savings", "text": "The gym was closed in May.", "instead": false }]))]
pub struct CommentSaid {
    /// `summary`, `buildings`, `monitoring`, …
    pub section: String,
    pub text: String,
    /// Whether it stands in place of the program's own comment.
    #[serde(default)]
    pub instead: bool,
}

/// Taking a finding upon oneself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "code": "series.coverage.low", "subject": "meter:scuola-gas", "reason": "The distributor confirms the bills." }]))]
pub struct LiftSaid {
    pub code: String,
    pub subject: String,
    pub reason: String,
}

/// What the authority answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "accepted": true, "on": "2026-04-20", "says": "Protocol 1234" }]))]
pub struct AnswerSaid {
    pub accepted: bool,
    /// `YYYY-MM-DD`.
    pub on: String,
    pub says: String,
}

/// A correction begins with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "why": "The bill of March was wrong." }]))]
pub struct WhySaid {
    pub why: String,
}

/// An attached file of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "name": "planimetria.pdf" }]))]
pub struct NameSaid {
    pub name: String,
}

/// Where the installation's own certified mail is to send.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "to": "energia@pec.example" }]))]
pub struct ToSaid {
    pub to: String,
}

/// An empty body: `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{}]))]
pub struct Nothing {}

/// A view of the region's table, of one account.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "name": "late", "query": "due=late" }]))]
pub struct SavedView {
    pub name: String,
    /// As in the address of the table; empty: the view is taken away.
    pub query: String,
}

/// One project's obligation of a year that its beneficiary is reminded of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "project": "scuola-primaria", "year": 2025 }]))]
pub struct MemoCase {
    pub project: String,
    pub year: i32,
}

/// An order of letters: made once, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "id": "order-1", "cases": [{ "project": "scuola-primaria", "year": 2025 }], "words": "" }]))]
pub struct MemoOrder {
    /// Chosen by who orders, 1 to 64 letters, digits and `-`.
    pub id: String,
    pub cases: Vec<MemoCase>,
    /// Added to the letter; may be empty.
    #[serde(default)]
    pub words: String,
}

/// What would go out.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct MemoPreview {
    /// Whether the installation can send letters.
    pub can_send: bool,
    pub from: Option<String>,
    pub letters: Vec<LetterView>,
}

/// One letter as it would go out, or why none would.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct LetterView {
    pub case: MemoCase,
    pub title: String,
    pub to: Vec<String>,
    pub subject: String,
    pub text: String,
    /// `null`: it would go out. Else `sent`, `no_address`, `not_due`, `today`: reminded on this very day already.
    pub held: Option<&'static str>,
}

/// An order and what became of its letters.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct MemoOrderView {
    pub id: String,
    pub at: String,
    pub author: String,
    pub words: String,
    pub letters: Vec<OrderedLetter>,
}

#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct OrderedLetter {
    pub case: MemoCase,
    pub title: String,
    /// `waiting`, `sending`, `sent`, `not-sent`, `uncertain`, or why none goes out as in [`LetterView::held`].
    pub state: &'static str,
}

/// A finding in short.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "FindingBrief")]
struct FindingJson<'f> {
    code: &'static str,
    severity: &'static str,
    subject: &'f str,
    says: &'f str,
}

impl<'f> From<&'f Finding> for FindingJson<'f> {
    fn from(finding: &'f Finding) -> Self {
        Self {
            code: finding.code,
            severity: finding.severity.code(),
            subject: &finding.subject,
            says: &finding.says,
        }
    }
}

fn finding<S: Serializer>(of: &Finding, serializer: S) -> Result<S::Ok, S::Error> {
    FindingJson::from(of).serialize(serializer)
}

fn findings<S: Serializer>(of: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(of.iter().map(FindingJson::from))
}
