//! Roles, what each may do, and where: the whole policy on one page.
//!
//! Must never: be answered from anywhere else. A page that hides a button and a route that refuses a request ask the
//! same table.

use std::collections::BTreeSet;

use model::{BuildingId, ProjectId};

/// What a person is to a project or to the installation. An account may have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// *Legale rappresentante*: edits project data and contacts; adds, enables and disables subjects; sends.
    LegalRepresentative,
    /// *Operatore (data entry)*: edits project data.
    DataEntry,
    /// *Gestore dell'edificio*: watches and looks after meters.
    FacilityManager,
    /// *Funzionario regionale*: reads everything and sends memos; never edits.
    RegionalOfficer,
    /// *Amministratore*: accounts, tokens, the audit log; never edits a project.
    Administrator,
}

/// Something that a role may or may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// A project's pages, figures, reports, live values.
    SeeProject,
    /// Meters and findings of the whole installation.
    SeeInstallation,
    /// The table of every project.
    SeeRegion,
    /// The whole file of a project, with the addresses and codes of people that its records hold.
    TakeDossier,
    /// Declared values, the KPI table's *Valore POST* and *Note*, documents, the draft of a submission.
    EditProject,
    /// Add, enable and disable the subjects of a project.
    ManageSubjects,
    /// Addresses to which letters about a project go.
    EditContacts,
    /// Notes on a project, and the comments of its report.
    WriteNotes,
    /// Freeze, send, and file the answer of a submission.
    Submit,
    /// Decide breaks of totals, exchange a meter, correct a reading.
    DecideReadings,
    AcknowledgeAlarms,
    /// Write to the beneficiaries.
    SendMemos,
    AdministerAccounts,
    /// Tokens of programs.
    AdministerTokens,
    SeeAudit,
}

impl Role {
    pub const ALL: [Self; 5] = [
        Self::LegalRepresentative,
        Self::DataEntry,
        Self::FacilityManager,
        Self::RegionalOfficer,
        Self::Administrator,
    ];

    /// Stable name in the store, on the command line and in the keys of texts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::LegalRepresentative => "legal_representative",
            Self::DataEntry => "data_entry",
            Self::FacilityManager => "facility_manager",
            Self::RegionalOfficer => "regional_officer",
            Self::Administrator => "administrator",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }

    /// Requirement B5 for the first two; the rest is this product's.
    #[must_use]
    pub const fn may(self, right: Right) -> bool {
        use Right::{
            AcknowledgeAlarms, AdministerAccounts, AdministerTokens, DecideReadings, EditContacts,
            EditProject, ManageSubjects, SeeAudit, SeeInstallation, SeeProject, SeeRegion, SendMemos, Submit,
            TakeDossier, WriteNotes,
        };
        match self {
            Self::LegalRepresentative => {
                matches!(
                    right,
                    SeeProject
                        | TakeDossier
                        | EditProject
                        | ManageSubjects
                        | EditContacts
                        | WriteNotes
                        | Submit
                )
            }
            Self::DataEntry => matches!(right, SeeProject | TakeDossier | EditProject | WriteNotes),
            Self::FacilityManager => {
                matches!(right, SeeProject | SeeInstallation | DecideReadings | AcknowledgeAlarms)
            }
            Self::RegionalOfficer => matches!(right, SeeProject | TakeDossier | SeeRegion | SendMemos),
            Self::Administrator => matches!(
                right,
                SeeProject | SeeInstallation | SeeRegion | AdministerAccounts | AdministerTokens | SeeAudit
            ),
        }
    }
}

impl Right {
    pub const ALL: [Self; 15] = [
        Self::SeeProject,
        Self::SeeInstallation,
        Self::SeeRegion,
        Self::TakeDossier,
        Self::EditProject,
        Self::ManageSubjects,
        Self::EditContacts,
        Self::WriteNotes,
        Self::Submit,
        Self::DecideReadings,
        Self::AcknowledgeAlarms,
        Self::SendMemos,
        Self::AdministerAccounts,
        Self::AdministerTokens,
        Self::SeeAudit,
    ];

    /// Stable name, for the API and logs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::SeeProject => "see_project",
            Self::SeeInstallation => "see_installation",
            Self::SeeRegion => "see_region",
            Self::TakeDossier => "take_dossier",
            Self::EditProject => "edit_project",
            Self::ManageSubjects => "manage_subjects",
            Self::EditContacts => "edit_contacts",
            Self::WriteNotes => "write_notes",
            Self::Submit => "submit",
            Self::DecideReadings => "decide_readings",
            Self::AcknowledgeAlarms => "acknowledge_alarms",
            Self::SendMemos => "send_memos",
            Self::AdministerAccounts => "administer_accounts",
            Self::AdministerTokens => "administer_tokens",
            Self::SeeAudit => "see_audit",
        }
    }

    /// Looks and changes nothing; what a reader without a name may do where such readers are let in.
    #[must_use]
    pub const fn is_reading(self) -> bool {
        matches!(self, Self::SeeProject | Self::SeeInstallation | Self::SeeRegion)
    }

    /// Is about the installation as a whole: a role that is held for some projects only does not give it.
    #[must_use]
    pub const fn is_of_installation(self) -> bool {
        matches!(
            self,
            Self::SeeInstallation
                | Self::SeeRegion
                | Self::AdministerAccounts
                | Self::AdministerTokens
                | Self::SeeAudit
        )
    }
}

/// Where a role is held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    All,
    Projects(BTreeSet<ProjectId>),
    Buildings(BTreeSet<(ProjectId, BuildingId)>),
}

impl Scope {
    /// Whether it reaches into the project: all of it, or one of its buildings.
    #[must_use]
    pub fn touches(&self, project: &ProjectId) -> bool {
        match self {
            Self::All => true,
            Self::Projects(projects) => projects.contains(project),
            Self::Buildings(buildings) => buildings.iter().any(|(of, _)| of == project),
        }
    }

    #[must_use]
    pub fn holds_project(&self, project: &ProjectId) -> bool {
        match self {
            Self::All => true,
            Self::Projects(projects) => projects.contains(project),
            Self::Buildings(_) => false,
        }
    }

    #[must_use]
    pub fn holds_building(&self, project: &ProjectId, building: &BuildingId) -> bool {
        match self {
            Self::Buildings(buildings) => buildings.iter().any(|(p, b)| p == project && b == building),
            Self::All | Self::Projects(_) => self.holds_project(project),
        }
    }
}

/// A role and where it is held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    pub role: Role,
    pub scope: Scope,
}

impl Held {
    #[must_use]
    pub fn everywhere(role: Role) -> Self {
        Self { role, scope: Scope::All }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as requirement B5 and the issue state it; `Role::may` is written the other way round.
    #[test]
    fn each_right_belongs_to_exactly_these_roles() {
        use Role::{Administrator, DataEntry, FacilityManager, LegalRepresentative, RegionalOfficer};
        for right in Right::ALL {
            let wanted: &[Role] = match right {
                Right::SeeProject => &Role::ALL,
                Right::SeeInstallation => &[FacilityManager, Administrator],
                Right::SeeRegion => &[RegionalOfficer, Administrator],
                Right::TakeDossier => &[LegalRepresentative, DataEntry, RegionalOfficer],
                Right::EditProject | Right::WriteNotes => &[LegalRepresentative, DataEntry],
                Right::ManageSubjects | Right::EditContacts | Right::Submit => &[LegalRepresentative],
                Right::DecideReadings | Right::AcknowledgeAlarms => &[FacilityManager],
                Right::SendMemos => &[RegionalOfficer],
                Right::AdministerAccounts | Right::AdministerTokens | Right::SeeAudit => &[Administrator],
            };
            let have: Vec<Role> = Role::ALL.into_iter().filter(|role| role.may(right)).collect();
            assert_eq!(have, wanted, "{}", right.code());
        }
    }

    #[test]
    fn a_building_is_less_than_its_project() {
        let (project, a, b): (ProjectId, BuildingId, BuildingId) = (id("p"), id("a"), id("b"));
        let scope = Scope::Buildings(BTreeSet::from([(project.clone(), a.clone())]));
        assert!(scope.touches(&project) && scope.holds_building(&project, &a));
        assert!(!scope.holds_building(&project, &b) && !scope.holds_project(&project));
        assert!(!scope.touches(&id("q")) && !scope.holds_building(&id("q"), &a));
        let scope = Scope::Projects(BTreeSet::from([project.clone()]));
        assert!(scope.holds_building(&project, &b) && !scope.touches(&id("q")));
    }

    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }
}
