//! The accounts as the pages ask for them.
//!
//! Must never: decide anything; each call is one of [`Accounts`]'s own.

use std::net::IpAddr;
use std::sync::Arc;

use dashboards::access::{
    AccountView, AuditLine, Departure, Directory, Held, LinkPurpose, LinkUse, LinkView, NewAccount, NewToken,
    Person, Refused, Role, SecondFactorOffer, Secret, SignIn, SubjectView, TokenScope, TokenView,
};
use model::{Instant, ProjectId};

use super::Accounts;
use crate::runtime::lock;

impl Directory for Accounts {
    fn has_accounts(&self) -> bool {
        !lock(&self.state).accounts.is_empty()
    }

    fn session(&self, secret: &Secret, at: Instant) -> Option<Arc<Person>> {
        self.session(secret, at)
    }

    fn whose(&self, secret: &Secret, at: Instant) -> Option<Arc<Person>> {
        self.whose(secret, at)
    }

    fn token(&self, secret: &Secret, at: Instant) -> Option<(Arc<Person>, Vec<TokenScope>)> {
        self.token(secret, at)
    }

    fn fresh_secret(&self) -> Option<Secret> {
        super::fresh_secret()
    }

    fn sign_in(&self, attempt: &SignIn) -> Result<Secret, Refused> {
        self.sign_in(attempt)
    }

    fn sign_out(&self, secret: &Secret) {
        self.sign_out(secret);
    }

    fn sign_out_everywhere(&self, account: &str, but: Option<&Secret>, author: &str) -> Result<(), Refused> {
        self.sign_out_everywhere(account, but, author)
    }

    fn link(&self, secret: &Secret) -> Option<LinkView> {
        self.link(secret)
    }

    fn use_link(&self, secret: &Secret, with: &LinkUse, address: IpAddr) -> Result<Secret, Refused> {
        self.use_link(secret, with, address)
    }

    fn account(&self, account: &str) -> Option<AccountView> {
        self.one(account)
    }

    fn change_password(&self, session: &Secret, old: &str, new: &str) -> Result<Secret, Refused> {
        self.change_password(session, old, new)
    }

    fn offer_second_factor(&self, account: &str) -> Result<SecondFactorOffer, Refused> {
        self.offer_second_factor(account)
    }

    fn confirm_second_factor(&self, account: &str, code: &str) -> Result<Vec<String>, Refused> {
        self.confirm_second_factor(account, code)
    }

    fn end_second_factor(&self, account: &str, password: &str) -> Result<(), Refused> {
        self.end_second_factor(account, password)
    }

    fn accounts(&self) -> Vec<AccountView> {
        self.all()
    }

    fn add_account(&self, new: &NewAccount, author: &str) -> Result<Secret, Refused> {
        self.add(new, LinkPurpose::Invitation, author)
    }

    fn set_account(
        &self,
        account: &str,
        is_enabled: bool,
        roles: Vec<Held>,
        author: &str,
    ) -> Result<(), Refused> {
        self.set(account, is_enabled, Some(roles), author)
    }

    fn new_link(&self, account: &str, author: &str) -> Result<Secret, Refused> {
        self.renew_link(account, LinkPurpose::Reset, author)
    }

    fn subjects(&self, project: &ProjectId) -> Vec<SubjectView> {
        self.subjects(project)
    }

    fn add_subject(
        &self,
        project: &ProjectId,
        role: Role,
        new: &NewAccount,
        author: &str,
    ) -> Result<Option<Secret>, Refused> {
        self.add_subject(project, role, new, author)
    }

    fn set_subject(
        &self,
        project: &ProjectId,
        account: &str,
        role: Role,
        is_enabled: bool,
        author: &str,
    ) -> Result<(), Refused> {
        self.set_subject(project, account, role, is_enabled, author)
    }

    fn tokens(&self) -> Vec<TokenView> {
        self.tokens()
    }

    fn new_token(&self, new: &NewToken, author: &str) -> Result<Secret, Refused> {
        self.new_token(new, author)
    }

    fn revoke_token(&self, id: &str, author: &str) -> Result<(), Refused> {
        self.revoke_token(id, author)
    }

    fn audit(&self, before: Option<i64>, limit: u32) -> Vec<AuditLine> {
        self.audit(before, limit)
    }

    fn provider(&self) -> Option<String> {
        self.provider.as_ref().map(|provider| provider.name.clone())
    }

    fn depart(&self, form: &Secret, next: &str) -> Result<Departure, Refused> {
        self.depart(form, next)
    }

    fn arrive(
        &self,
        form: &Secret,
        state: &str,
        code: &str,
        address: IpAddr,
    ) -> Result<(Secret, String), Refused> {
        self.arrive(form, state, code, address)
    }
}
