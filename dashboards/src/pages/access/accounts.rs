//! `/accounts`: every account, for administrators.
//!
//! Must never: show what opens an account, but a new link once to the one who asked for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use model::{BuildingId, ProjectId};

use super::sign_in::Nothing;
use super::{Outcome, address, field, optional, page as answer, see_other, status_of};
use crate::access::{
    AccountView, Caller, Checked, Fields, Held, LinkPurpose, NewAccount, Refused, Role, Scope, Secret,
};
use crate::pages::{Ask, Frame, Site, Words};

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage<'a> {
    t: &'a Words,
    frame: Frame,
    outcome: Outcome,
    accounts: Vec<AccountCard>,
    /// What was refused, if anything, is the form for a new account.
    new_account: bool,
    /// Field name, role in words, value: of the form for a new account.
    fields: Vec<(String, String, String)>,
}

struct AccountCard {
    account: String,
    name: String,
    mail: String,
    tax_code: String,
    is_enabled: bool,
    has_password: bool,
    has_second_factor: bool,
    last_seen: String,
    sessions: usize,
    /// Role, where it is held, and what of that is not there.
    roles: Vec<(String, String, String)>,
    fields: Vec<(String, String, String)>,
    /// As its form says: what is in force, or what was typed into a form that was refused, which stands open.
    form_enables: bool,
    is_open: bool,
}

impl AccountCard {
    fn new(t: &Words, site: &Site, view: &AccountView, present: &Present) -> Self {
        let zone = chrono_tz::Europe::Rome;
        let now = site.backend.now();
        let seen = |at: model::Instant| format!("{} ({})", t.date_time(at, zone), t.age(at, now));
        Self {
            account: view.account.clone(),
            name: view.name.clone(),
            mail: view.mail.clone().unwrap_or_default(),
            tax_code: view.tax_code.clone().unwrap_or_default(),
            is_enabled: view.is_enabled,
            has_password: view.has_password,
            has_second_factor: view.has_second_factor,
            last_seen: view.last_seen.map(seen).unwrap_or_default(),
            sessions: view.sessions,
            roles: view
                .roles
                .iter()
                .map(|held| (t.of("page.role", held.role.code()), place(t, held), absent(t, held, present)))
                .collect(),
            fields: fields(t, &view.roles),
            form_enables: view.is_enabled,
            is_open: false,
        }
    }
}

/// Every building that is there, with its project.
type Present = BTreeSet<(ProjectId, BuildingId)>;

fn present(site: &Site) -> Present {
    let (buildings, _) = site.backend.live();
    buildings.into_iter().map(|live| (live.project, live.building)).collect()
}

/// Says which projects and buildings a role names that are not there; empty where all are. They are kept all the same,
/// since an account may be made before its project is registered; but a slip of the pen must be seen.
fn absent(t: &Words, held: &Held, present: &Present) -> String {
    let names: Vec<String> = match &held.scope {
        Scope::All => Vec::new(),
        Scope::Projects(ids) => ids
            .iter()
            .filter(|id| !present.iter().any(|(project, _)| project == *id))
            .map(ToString::to_string)
            .collect(),
        Scope::Buildings(ids) => ids
            .iter()
            .filter(|ids| !present.contains(*ids))
            .map(|(project, building)| format!("{project}/{building}"))
            .collect(),
    };
    if names.is_empty() {
        return String::new();
    }
    t.fill("page.access.accounts.absent", &[("names", &names.join(", "))])
}

/// Where a role is held, in words.
pub(super) fn place(t: &Words, held: &Held) -> String {
    match &held.scope {
        Scope::All => t.get("page.access.everywhere").to_owned(),
        Scope::Projects(_) | Scope::Buildings(_) => written(&held.scope),
    }
}

/// A scope as the form has it: `*`, or projects and `project/building` with spaces between.
fn written(scope: &Scope) -> String {
    match scope {
        Scope::All => "*".to_owned(),
        Scope::Projects(ids) => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Scope::Buildings(ids) => ids
            .iter()
            .map(|(project, building)| format!("{project}/{building}"))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn fields(t: &Words, roles: &[Held]) -> Vec<(String, String, String)> {
    let field = |role: Role| {
        let of_role: Vec<String> =
            roles.iter().filter(|held| held.role == role).map(|held| written(&held.scope)).collect();
        (format!("role_{}", role.code()), t.of("page.role", role.code()), of_role.join(" "))
    };
    Role::ALL.into_iter().map(field).collect()
}

/// The roles that a form states. Refused when a word is neither `*` nor an id nor two.
fn stated(fields: &[(String, String)]) -> Result<Vec<Held>, Refused> {
    let mut all = Vec::new();
    for role in Role::ALL {
        let (mut projects, mut buildings) = (BTreeSet::new(), BTreeSet::new());
        let text = field(fields, &format!("role_{}", role.code()));
        let words: Vec<&str> = text.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
        if words.contains(&"*") {
            all.push(Held::everywhere(role));
            continue;
        }
        for word in words {
            match word.split_once('/') {
                None => {
                    projects.insert(ProjectId::new(word).map_err(|_| Refused::Unreadable)?);
                }
                Some((project, building)) => {
                    let project = ProjectId::new(project).map_err(|_| Refused::Unreadable)?;
                    let building = BuildingId::new(building).map_err(|_| Refused::Unreadable)?;
                    buildings.insert((project, building));
                }
            }
        }
        if !projects.is_empty() {
            all.push(Held { role, scope: Scope::Projects(projects) });
        }
        if !buildings.is_empty() {
            all.push(Held { role, scope: Scope::Buildings(buildings) });
        }
    }
    Ok(all)
}

/// `GET /accounts`.
pub(super) async fn page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    show(&site, &ask, Outcome::default(), None)
}

/// The page, with the form of `of` as it was typed where that was refused; without, the form for a new account.
fn show(site: &Arc<Site>, ask: &Ask, outcome: Outcome, of: Option<&str>) -> Response {
    let t = &ask.words;
    let (accounts, present) = (site.directory.accounts(), present(site));
    let typed = |fields: Vec<(String, String, String)>| -> Vec<(String, String, String)> {
        let typed = |name: &str| outcome.typed(name).to_owned();
        fields.into_iter().map(|(name, says, _)| (name.clone(), says, typed(&name))).collect()
    };
    let card = |view: &AccountView| {
        let card = AccountCard::new(t, site, view, &present);
        if of != Some(view.account.as_str()) {
            return card;
        }
        let form_enables = outcome.chose("enabled", "yes");
        AccountCard { fields: typed(card.fields), form_enables, is_open: true, ..card }
    };
    let cards = accounts.iter().map(card).collect();
    let new = fields(t, &[]);
    let new = if of.is_none() { typed(new) } else { new };
    let status = status_of(&outcome);
    let template = AccountsPage {
        t,
        frame: Frame::new(site, ask, t.get("page.access.accounts.title"), "accounts"),
        new_account: of.is_none(),
        outcome,
        accounts: cards,
        fields: new,
    };
    answer(site, ask, status, &template)
}

fn with_link(
    site: &Arc<Site>,
    ask: &Ask,
    purpose: LinkPurpose,
    made: Result<Secret, Refused>,
    to: &str,
    form: Fields,
) -> Response {
    let outcome = match made {
        Ok(secret) => {
            let link = format!("{to}{}", purpose.path(&secret));
            Outcome::done(&ask.words, "page.access.accounts.link_shown", vec![link])
        }
        Err(refused) => Outcome::refused(&ask.words, refused).keeping(form),
    };
    show(site, ask, outcome, None)
}

/// `POST /accounts`: a new account, and the link for its holder.
pub(super) async fn add(
    State(site): State<Arc<Site>>,
    caller: Caller,
    headers: HeaderMap,
    ask: Ask,
    Checked(form): Checked<Fields>,
) -> Response {
    let author = ask.who.author();
    let made = match stated(&form) {
        Ok(roles) => {
            let new = NewAccount {
                account: field(&form, "account").to_owned(),
                name: field(&form, "name").to_owned(),
                mail: optional(&form, "mail"),
                tax_code: optional(&form, "tax_code"),
                roles,
            };
            super::ask(&site, move |d| d.add_account(&new, &author)).await
        }
        Err(refused) => Err(refused),
    };
    let own = address(&site, caller, &headers, "");
    with_link(&site, &ask, LinkPurpose::Invitation, made, &own, form)
}

/// `POST /accounts/{account}`: roles, enabled or not.
pub(super) async fn set(
    State(site): State<Arc<Site>>,
    Path(account): Path<String>,
    ask: Ask,
    Checked(form): Checked<Fields>,
) -> Response {
    let author = ask.who.author();
    let done = match stated(&form) {
        Ok(roles) => {
            let is_enabled = field(&form, "enabled") == "yes";
            let account = account.clone();
            super::ask(&site, move |d| d.set_account(&account, is_enabled, roles, &author)).await
        }
        Err(refused) => Err(refused),
    };
    match done {
        Ok(()) => see_other("/accounts"),
        Err(refused) => {
            let outcome = Outcome::refused(&ask.words, refused).keeping(form);
            show(&site, &ask, outcome, Some(&account))
        }
    }
}

/// `POST /accounts/{account}/link`: to set another password.
pub(super) async fn link(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(account): Path<String>,
    headers: HeaderMap,
    ask: Ask,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    let author = ask.who.author();
    let made = super::ask(&site, move |d| d.new_link(&account, &author)).await;
    let own = address(&site, caller, &headers, "");
    with_link(&site, &ask, LinkPurpose::Reset, made, &own, Fields::new())
}

/// `POST /accounts/{account}/sign-out`: ends every session of it.
pub(super) async fn sign_out(
    State(site): State<Arc<Site>>,
    Path(account): Path<String>,
    ask: Ask,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    let author = ask.who.author();
    match super::ask(&site, move |d| d.sign_out_everywhere(&account, None, &author)).await {
        Ok(()) => see_other("/accounts"),
        Err(refused) => show(&site, &ask, Outcome::refused(&ask.words, refused), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_states_the_roles_that_it_shows() {
        let form = |text: &str| vec![("role_facility_manager".to_owned(), text.to_owned())];
        for text in ["*", "scuola-primaria", "a b", "a/x a/y"] {
            let held = stated(&form(text)).unwrap();
            assert_eq!(held.len(), 1, "{text}");
            assert_eq!(written(&held[0].scope), text);
            assert_eq!(held[0].role, Role::FacilityManager);
        }
        assert_eq!(stated(&form("a a/x")).unwrap().len(), 2);
        assert_eq!(stated(&form("")).unwrap(), []);
        for wrong in ["A B!", "a/b/c", "/x", "a/"] {
            assert_eq!(stated(&form(wrong)), Err(Refused::Unreadable), "{wrong}");
        }
    }
}
